"""Checks of lesson 4 beyond what every exercise proves: what is no answer, more right answers, and the mystery."""

import functools
import json
import re
import warnings
from pathlib import Path

import nbformat
import pytest

from high_availability.answers import (
    ALSO_RIGHT,
    MISCONCEPTIONS,
    RIGHT,
    Noted,
    an_honest_vote,
    needs_an_item,
    running,
    shelf,
    surplus_as_it_comes,
    with_line,
)
from lessonlib.high_availability import HeartbeatMonitor, replicated_log
from lessonlib.high_availability.checks import EXERCISES, second_votes
from lessonlib.high_availability.mystery import ColleaguesBallot
from lessonlib.high_availability.scenario import ACCRUAL, CLUSTER, CLUSTER_OF_5, HEARTBEATS, mystery
from lessonlib.lab.search import search
from lessonlib.learning import CheckFailed, as_part, check
from lessonlib.learning.exercises import IDEA, LOOK, judge
from lessonlib.limits import progress

ROOT = Path(__file__).parents[2]
BUILT = [id_ for id_ in RIGHT if id_ != "4.6"]


@pytest.mark.parametrize("id_", RIGHT)
@pytest.mark.parametrize(
    "nonsense",
    [None, 7, "text", object(), lambda *_, **__: 1, type("Empty", (), {})],
    ids=["None", "7", "text", "object", "function", "class"],
)
def test_what_is_no_answer_at_all_gets_a_sentence(id_, nonsense):
    with pytest.raises(CheckFailed) as failed:
        check(id_, nonsense)
    assert "Traceback" not in str(failed.value)


@pytest.mark.parametrize("id_", ALSO_RIGHT)
def test_a_second_right_answer_passes_and_so_do_its_further_runs(id_, capsys):
    check(id_, ALSO_RIGHT[id_], further=True)
    assert f"Exercise {id_} passed" in capsys.readouterr().out


@pytest.mark.parametrize("id_", RIGHT)
def test_warnings_and_prints_cost_nothing(id_, capsys):
    right = RIGHT[id_]

    def noisy(*given, **options):
        warnings.warn("beware", stacklevel=2)
        print("hello")  # noqa: T201
        return right(*given, **options)

    with pytest.warns(UserWarning, match="beware"):
        check(id_, noisy)
    assert f"Exercise {id_} passed" in capsys.readouterr().out


@pytest.mark.parametrize("id_", EXERCISES)
def test_each_misconception_fails_with_its_hint_in_the_same_words_each_time(id_):
    assert len({hint for hint, _ in MISCONCEPTIONS[id_]}) == len(MISCONCEPTIONS[id_])
    for hint, wrong in MISCONCEPTIONS[id_]:
        first, second = judge(EXERCISES[id_], wrong), judge(EXERCISES[id_], wrong)
        assert first is not None, f"{hint!r} passes"
        assert first == second
        assert hint in f"Required: {first.requirement} {first.seen} {first.hint}"
        assert first.opens in (LOOK, IDEA)


@pytest.mark.parametrize("id_", EXERCISES)
def test_a_check_takes_few_steps_and_so_little_time(id_):
    before = progress.steps
    assert judge(EXERCISES[id_], RIGHT[id_]) is None
    assert progress.steps - before < 50_000


@pytest.mark.parametrize("scenario", [CLUSTER, CLUSTER_OF_5, HEARTBEATS, ACCRUAL], ids=lambda s: s.name)
def test_right_answers_keep_the_rules_together_under_every_plan_that_search_tries(scenario):
    for answers in (RIGHT, ALSO_RIGHT):
        parts = {}
        for id_ in BUILT:
            if set(as_part(id_, answers[id_])) <= set(scenario.systems["pattern"]) and _fits(id_, scenario):
                parts |= as_part(id_, answers[id_])
        assert parts
        assert search(scenario, parts=parts, plans=60).failure is None


def _fits(id_, scenario):
    cluster = scenario in (CLUSTER, CLUSTER_OF_5)
    return EXERCISES[id_].scenario is scenario or (
        cluster and EXERCISES[id_].scenario in (CLUSTER, CLUSTER_OF_5)
    )


@pytest.mark.parametrize("id_", BUILT)
def test_our_pieces_keep_what_each_case_asks_and_the_textbook_version_does_not(id_):
    exercise, survived = EXERCISES[id_], []
    for case in exercise.cases:
        run = exercise.scenario.run(plan=case.plan, seed=case.seed, **case.params)
        assert {run.verdict(rule).status for rule in case.rules} == {"holds"}
        run = exercise.scenario.run("textbook", plan=case.plan, seed=case.seed, **case.params)
        survived.append(all(verdict.rule not in case.rules for verdict in run.broken))
    assert not all(survived)


SET_UP = next(
    cell.source
    for cell in nbformat.read(ROOT / "solutions" / "04_high_availability.ipynb", as_version=4).cells
    if cell.id == "setup"
)
LINES = [
    (id_, line)
    for id_, exercise in EXERCISES.items()
    for line in re.findall(r"`([\w.]+\(.*?run.*?\)|CLUSTER.run\(.*?\))`", "\n".join(exercise.ladder))
]


def test_every_ladder_but_one_begins_with_something_to_run():
    assert [id_ for id_, _ in LINES] == ["4.1", "4.2", "4.3", "4.5", "4.6", "4.7"]


@pytest.mark.parametrize(("id_", "line"), LINES)
def test_what_a_ladder_tells_to_run_can_be_pasted_below_the_set_up(id_, line):
    names = {}
    exec(SET_UP + "\nrun = mystery()", names)
    assert repr(eval(line, names))


def test_the_mystery_breaks_the_rule_that_it_is_about_first_and_two_members_vote_twice():
    run = mystery()
    assert run.broken[0].rule == "at most one leader a term"
    votes = second_votes(run.history)
    assert len(votes) == 2
    assert {vote.node for vote in votes} == {vote.data["to"] for vote in votes}


def test_the_colleagues_ballot_passes_what_lone_candidates_ask_of_it():
    for plan in (
        "at 1s crash node-1 for 1s",
        "at 1s pause node-2 for 1s",
        "1s..2s partition node-3 | node-1, node-2",
    ):
        assert CLUSTER.run(parts={"ballot": ColleaguesBallot}, plan=plan, **CLUSTER.small).broken == ()


def test_a_copy_of_the_colleagues_ballot_does_not_pass_as_ones_own():
    copied = type("MyBallot", (ColleaguesBallot,), {"__module__": "__main__"})
    with pytest.raises(CheckFailed, match="It uses ColleaguesBallot"):
        check("4.2", copied)


def test_a_promise_of_ones_own_shape_is_no_promise():
    class WithMore(RIGHT["4.2"]):
        @property
        def promise(self):
            return json.dumps(self.state)

    with pytest.raises(CheckFailed, match="in place of"):
        check("4.2", WithMore)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "returns (rule, record, line)"),
        (("at most one leader a term", -1, 20), "is not from 0 to"),
        (("at most one leader a term", True, 20), "True is no whole number"),
        (("at most one leader a term", 282.0, 20), "282.0 is no whole number"),
        (("at most one leader a term", "282", 20), "'282' is no whole number"),
        (("at most one leader a term", 282, 99), "99 is not from 1 to"),
        ((7, 282, 20), "There is no rule of the name 7"),
    ],
)
def test_a_diagnosis_that_is_none_gets_a_sentence(given, words):
    with pytest.raises(CheckFailed) as failed:
        check("4.6", lambda: given)
    assert words in str(failed.value)


def test_noted_suspicions_are_right_as_long_as_time_does_not_run_backwards(capsys):
    check("4.1", Noted)
    assert "Exercise 4.1 passed" in capsys.readouterr().out


def test_a_history_may_be_cut_when_it_is_read(capsys):
    class CutByLevel(running(no_window=True)):
        def level(self, node, now_s):
            del self.lists[node][: -self.window]
            return super().level(node, now_s)

    check("4.7", CutByLevel)
    assert "Exercise 4.7 passed" in capsys.readouterr().out


def test_a_diagnosis_may_be_a_list(capsys):
    check("4.6", lambda: list(RIGHT["4.6"]()))
    assert "Exercise 4.6 passed" in capsys.readouterr().out


def test_a_guess_is_not_told_whether_the_record_or_the_line_is_right():
    guesses = [an_honest_vote, lambda: (*an_honest_vote()[:2], 25), with_line(25)]
    findings = [judge(EXERCISES["4.6"], guess) for guess in guesses]
    assert len({(finding.requirement, finding.hint, finding.opens) for finding in findings}) == 1
    assert all("One of the two, or both, are not it." in finding.seen for finding in findings)


@pytest.mark.parametrize("id_", BUILT)
def test_an_own_helper_may_have_the_name_of_the_packages(id_, capsys):
    name = EXERCISES[id_].forbids[0]
    names = {name: RIGHT[id_]}
    exec(f"def piece(*given, **named):\n    return {name}(*given, **named)", names)
    check(id_, names["piece"])
    if isinstance(RIGHT[id_], type):
        check(id_, type("Mine", (type(name, (RIGHT[id_],), {}),), {name: None}))
    assert f"Exercise {id_} passed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "piece",
    [
        "helper = package.commit_index\ndef piece(*given, **named):\n    return helper(*given, **named)",
        "piece = functools.partial(package.commit_index)",
        "piece = lambda *given, it=package.commit_index, **named: it(*given, **named)",
        "def piece(*given, **named):\n    return getattr(package, 'commit' + '_index')(*given, **named)",
        "def piece(*given, **named):\n    return package.commit_index(*given, **named)",
        "def piece(*given, **named):\n    from lessonlib.high_availability.replicated_log import commit_index as it\n"
        "    return it(*given, **named)",
        "def made(it):\n    return lambda *given, **named: it(*given, **named)\npiece = made(package.commit_index)",
    ],
)
def test_what_is_borrowed_by_another_name_is_borrowed(piece):
    names = {"package": replicated_log, "functools": functools}
    exec(piece, names)
    assert judge(EXERCISES["4.4"], names["piece"]).requirement == "The piece is your own."


def test_a_method_taken_over_from_the_package_is_borrowed():
    methods = {"suspects": HeartbeatMonitor.suspects, "heard": HeartbeatMonitor.heard}
    finding = judge(EXERCISES["4.1"], type("MyMonitor", (RIGHT["4.1"],), methods))
    assert "It uses HeartbeatMonitor" in finding.seen


@pytest.mark.parametrize("switch", ["in_memory", "token_in_memory", "no_text"])
def test_the_case_of_4_3_needs_what_is_on_the_disk(switch):
    case = EXERCISES["4.3"].cases[1]
    run = CLUSTER.run(parts={"store": shelf(**{switch: True})}, plan=case.plan, seed=case.seed, **case.params)
    assert run.broken[0].rule in case.rules


def test_a_failure_of_4_5_names_both_calls_and_both_results():
    finding = judge(EXERCISES["4.5"], surplus_as_it_comes)
    assert finding.look.count("spread({") == 2
    assert finding.seen.count("{'a': ") + finding.seen.count("{'b': ") + finding.seen.count("{'d': ") == 2
    assert judge(EXERCISES["4.5"], needs_an_item).look == "spread({}, ['node-1', 'node-2'])"
