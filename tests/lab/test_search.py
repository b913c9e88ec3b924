"""Search finds a plan that breaks a rule, shrinks it, and says so in the same words every time."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from counting import COUNTING, EvenStutter, Stutter, Unreachable

from lessonlib.lab import faults as vocabulary
from lessonlib.lab.faults import Crash, FaultPlan, Loss
from lessonlib.lab.scenario import THE_RUN_ENDS, Scenario, ScenarioError
from lessonlib.lab.search import Progress, SearchError, Searching, SearchResult, draw, search, searching


def with_faults(*kinds: type[vocabulary.Fault]) -> Scenario:
    return dataclasses.replace(COUNTING, faults=kinds)


def test_a_lost_answer_makes_the_textbook_counter_count_twice_and_search_finds_it() -> None:
    result = search(COUNTING, "textbook")
    assert result.failure is not None
    assert result.failure.verdict.rule == "an increment counts once"
    assert 1 <= len(result.failure.plan) <= 2
    assert result.failure.minimal
    assert not result.exhausted


def test_the_pattern_survives_every_plan_and_the_result_says_what_was_never_put_to_the_test() -> None:
    result = search(COUNTING, plans=60)
    assert result.failure is None and result.exhausted and result.tried == 60
    assert result.describe() == (
        "COUNTING, pattern: 60 fault plans, and no rule was broken.\n"
        "Never put to the test: a clock is never wrong."
    )


def test_the_replay_line_gives_the_very_run_that_was_found() -> None:
    result = search(COUNTING, "textbook")
    assert result.failure is not None
    again = eval(result.failure.run.replay, {"COUNTING": COUNTING})
    assert again.history.digest() == result.failure.run.history.digest()
    assert result.failure.verdict in again.broken


def test_the_plan_that_was_found_is_the_first_of_the_steps_and_breaks_the_same_rule() -> None:
    result = search(COUNTING, "textbook", seed=3)
    failure = result.failure
    assert failure is not None
    for plan in failure.steps:
        run = COUNTING.run("textbook", plan=plan, seed=failure.run.seed, **COUNTING.small)
        assert not run.verdict(failure.verdict.rule)
    assert failure.steps[-1] == failure.plan
    assert failure.run.seed == 3 + failure.number


def test_no_fault_can_be_left_out_of_a_minimal_plan() -> None:
    failure = search(COUNTING, "textbook", seed=3).failure
    assert failure is not None
    for i in range(len(failure.plan)):
        fewer = FaultPlan(failure.plan.faults[:i] + failure.plan.faults[i + 1 :])
        run = COUNTING.run("textbook", plan=fewer, seed=failure.run.seed, **COUNTING.small)
        assert run.verdict(failure.verdict.rule)


def test_a_system_that_breaks_on_a_good_day_needs_no_fault() -> None:
    async def deaf(node: object) -> None:
        pass

    result = search(COUNTING, parts={"counter": deaf}, rules=[THE_RUN_ENDS])
    assert result.failure is not None and result.tried == 1
    assert result.failure.plan == FaultPlan()
    assert "It needs no fault." in result.describe()


def test_two_processes_that_hash_strings_differently_say_the_same() -> None:
    code = (
        "from counting import COUNTING; from lessonlib.lab.search import search\n"
        "for system in COUNTING.systems:\n"
        "    result = search(COUNTING, system, plans=30, seed=5)\n"
        "    print(result, result.failure and result.failure.run.history.digest())"
    )
    here = Path(__file__)
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "PYTHONHASHSEED": salt,
                "PYTHONPATH": os.pathsep.join([str(here.parents[2]), str(here.parent)]),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("0", "1", "4242")
    }
    assert len(said) == 1
    assert "Again: COUNTING.run('textbook'" in said.pop()


def test_another_seed_tries_other_plans() -> None:
    found = {str(search(COUNTING, "textbook", seed=seed).failure.steps[0]) for seed in (1, 2, 3)}  # type: ignore[union-attr]
    assert len(found) == 3


def test_progress_is_reported_and_ends_at_the_number_of_plans() -> None:
    seen: list[tuple[int, int]] = []
    search(COUNTING, plans=25, on_progress=lambda tried, plans: seen.append((tried, plans)))
    assert seen == [(0, 25), (10, 25), (20, 25), (25, 25)]


def test_a_false_from_on_progress_stops_the_search() -> None:
    result = search(COUNTING, plans=500, on_progress=lambda tried, plans: tried < 20)
    assert result.cancelled and not result.exhausted and result.tried == 20
    assert (
        result.describe().splitlines()[0]
        == "COUNTING, pattern: stopped after 20 of 500 fault plans; no rule was broken so far."
    )


def test_stopping_while_it_shrinks_gives_the_plan_as_far_as_it_is() -> None:
    whole = search(COUNTING, "textbook", seed=3)
    assert whole.failure is not None and whole.failure.number < 10
    asked: list[int] = []

    def stop_at_the_second_question(tried: int, plans: int) -> bool:
        asked.append(tried)
        return len(asked) < 2

    result = search(COUNTING, "textbook", seed=3, on_progress=stop_at_the_second_question)
    assert result.failure is not None
    assert not result.failure.minimal and result.failure.runs == 0
    assert "Shortest plan so far" in result.describe()


def test_a_kind_that_a_lesson_adds_is_drawn_and_shrunk_by_the_names_of_its_fields() -> None:
    failure = search(with_faults(Stutter), "textbook").failure
    assert failure is not None
    assert str(failure.plan) == "at 0s stutter 1"


def test_a_kind_with_a_sample_draws_itself_and_shrinking_steps_over_what_it_refuses() -> None:
    failure = search(with_faults(EvenStutter), "textbook").failure
    assert failure is not None
    assert str(failure.plan) == "at 0s stutter-evenly 2 indeed"


def test_a_kind_that_cannot_be_drawn_is_left_out_and_named() -> None:
    result = search(with_faults(Crash, Unreachable), plans=5)
    assert result.left_out == (
        "Unreachable (it needs a file's name for 'file', and `targets` has too few for 'file')",
    )
    assert "Left out: Unreachable" in result.describe()


def test_when_no_kind_can_be_drawn_the_error_says_why() -> None:
    with pytest.raises(
        SearchError, match=r"COUNTING has no fault that a search could draw: Unreachable \(it"
    ):
        search(with_faults(Unreachable))
    with pytest.raises(SearchError, match="its `faults` are empty"):
        search(with_faults())


@pytest.mark.parametrize(
    "kind", [kind for kind in vocabulary.KINDS if kind.form and kind.__module__ == vocabulary.__name__]
)
def test_every_kind_of_fault_is_drawn_within_the_horizon_and_written_down(
    kind: type[vocabulary.Fault],
) -> None:
    targets = {"node": ("a", "b", "c"), "target": ("x",), "file": ("log",)}
    for number in range(50):
        fault = draw(kind, Random(number), targets, 10)
        assert FaultPlan.parse(str(fault)) == FaultPlan((fault,))
        assert 0 <= fault.begins_s <= 10
        assert getattr(fault, "down_s", 1) is not None, "a node that never returns breaks liveness by itself"
        left, right = getattr(fault, "left", ("a",)), getattr(fault, "right", ("b",))
        assert left and right and not set(left) & set(right)
        source, to = getattr(fault, "source", None), getattr(fault, "to", None)
        assert source is None or source != to


def test_clocks_are_set_both_ways_and_some_options_are_left_out() -> None:
    targets = {"node": ("a", "b")}
    skews = [draw(vocabulary.ClockSkew, Random(n), targets, 10) for n in range(50)]
    assert {skew.offset_s > 0 for skew in skews} == {True, False}  # type: ignore[attr-defined]
    losses = [draw(Loss, Random(n), targets, 10) for n in range(50)]
    assert {loss.source for loss in losses} == {None, "a", "b"}  # type: ignore[attr-defined]


def test_rules_that_were_not_asked_for_do_not_count() -> None:
    result = search(COUNTING, "textbook", rules=["an acknowledged increment is counted"], plans=40)
    assert result.failure is None


def test_a_run_that_its_step_limit_cut_short_is_replayed_with_that_limit() -> None:
    cut = COUNTING.run("pattern", max_steps=50)
    assert "max_steps=50" in cut.replay
    assert "max_steps" not in COUNTING.run("pattern", max_steps=100_000).replay


def test_arguments_that_make_no_sense_are_refused() -> None:
    for wrong in ({"plans": 0}, {"faults_max": 0}, {"rules": ["no such rule"]}):
        with pytest.raises(SearchError):
            search(COUNTING, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ScenarioError):
        search(COUNTING, "no such system")


# ---- Step by step ----------------------------------------------------------------------------------------


def through(steps: Searching, cancel_at: int | None = None) -> tuple[SearchResult, list[Progress]]:
    seen: list[Progress] = []
    answer: bool | None = None
    while True:
        try:
            seen.append(steps.send(answer))
        except StopIteration as end:
            return end.value, seen
        answer = False if len(seen) == cancel_at else None


def test_step_by_step_is_the_same_search() -> None:
    at_once = search(COUNTING, "textbook", seed=3)
    result, seen = through(searching(COUNTING, "textbook", seed=3))
    assert str(result) == str(at_once)
    assert at_once.failure is not None
    drawing = [step for step in seen if step.shrinking is None]
    assert [step.tried for step in drawing] == list(range(at_once.failure.number + 1))
    assert drawing[0].plan == FaultPlan() and drawing[-1].plan == at_once.failure.steps[0]
    assert [step.shrinking for step in seen[len(drawing) :]] == list(range(at_once.failure.runs))


def test_two_searches_that_take_turns_do_not_disturb_each_other() -> None:
    one, other = searching(COUNTING, "textbook", seed=3), searching(COUNTING, plans=30)
    results: dict[int, SearchResult] = {}
    while len(results) < 2:
        for number, steps in enumerate((one, other)):
            try:
                next(steps)
            except StopIteration as end:
                results.setdefault(number, end.value)
    assert str(results[0]) == str(search(COUNTING, "textbook", seed=3))
    assert str(results[1]) == str(search(COUNTING, plans=30))


@pytest.mark.parametrize("at", [1, 7])
def test_a_search_that_is_cancelled_between_two_runs_has_what_it_has(at: int) -> None:
    result, seen = through(searching(COUNTING, plans=500), cancel_at=at)
    assert len(seen) == at
    assert result.cancelled and result.tried == at - 1


def test_a_search_that_is_cancelled_while_it_shrinks_keeps_the_shortest_plan_so_far() -> None:
    whole = search(COUNTING, "textbook", seed=3)
    assert whole.failure is not None
    result, _ = through(searching(COUNTING, "textbook", seed=3), cancel_at=whole.failure.number + 3)
    assert result.cancelled and result.failure is not None
    assert result.failure.runs == 1 and not result.failure.minimal


def test_searching_refuses_at_once_what_makes_no_sense() -> None:
    with pytest.raises(SearchError):
        searching(COUNTING, plans=0)
    with pytest.raises(SearchError):
        searching(COUNTING, plans=True)
