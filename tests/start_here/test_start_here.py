"""What is particular to lesson 0: its exercises' other right answers, its incident, missions, recall, and its programs."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from hurried import run_on_asyncios_loop

from lessonlib.lab import simulate
from lessonlib.lab.faults import FaultError, FaultPlan
from lessonlib.lab.search import search
from lessonlib.learning import CheckFailed, check
from lessonlib.learning.exercises import LOOK, judge
from lessonlib.learning.missions import Runs, missions
from lessonlib.learning.questions import recall_bank
from lessonlib.lessons import LESSONS
from lessonlib.start_here.checks import EXERCISES, said
from lessonlib.start_here.puzzle import morning
from lessonlib.start_here.scenario import COUNTER, incident

ROOT = Path(__file__).parents[2]
LESSON = LESSONS[0]


def notebook(folder):
    return nbformat.read(ROOT / folder / f"{LESSON.stem}.ipynb", as_version=4)


def answers():
    spec = importlib.util.spec_from_file_location("answers", Path(__file__).with_name("answers.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lesson_0_is_the_first():
    assert (LESSON.number, LESSON.name) == (0, "start_here")


def test_more_right_answers_pass(capsys):
    for id_, given in answers().ALSO_RIGHT.items():
        for answer in given:
            check(id_, answer)
            assert f"Exercise {id_} passed" in capsys.readouterr().out


def test_a_rule_that_is_misspelt_gets_the_names_of_those_that_there_are():
    run = incident()
    with pytest.raises(CheckFailed, match=r"There are: 'no write undoes another'; 'every acknowledged"):
        check("0.2", lambda: (run, "No write undoes another.", 67))


def test_a_wrong_run_opens_the_hint_on_the_line_not_the_one_on_lost_updates():
    assert judge(EXERCISES["0.2"], lambda: (COUNTER.run("textbook"), "", 0)).opens == LOOK


def test_a_till_that_was_left_out_is_asked_for():
    with pytest.raises(FaultError, match=r"expected a name, found 'after' after '1s\.\.2s give-up'"):
        FaultPlan.parse("1s..2s give-up after 10ms")


def test_a_missions_line_tells_the_seed_and_the_parameters_too():
    assert Runs(COUNTER, seed=3, rate_per_s=40).words == "no fault, seed=3, rate_per_s=40"


def test_a_lock_of_threads_is_refused_by_name():
    with pytest.raises(CheckFailed, match=r"threading\.Lock is refused.*asyncio\.Lock"):
        check("0.3", answers().LockOfThreads)


def test_a_search_draws_customers_who_leave_amid_a_sale():
    found = search(COUNTER, parts={"counter": answers().RemembersAfterTheWrite})
    assert found.failure is not None
    assert "give-up" in str(found.failure.plan)


@pytest.mark.parametrize("id_", ["0.1", "0.2", "0.3"])
@pytest.mark.parametrize(
    "nonsense", [None, 7, "text", print, object(), lambda: None, lambda: (1, 2, 3), dict]
)
def test_what_is_no_answer_at_all_gets_a_sentence(id_, nonsense):
    with pytest.raises(CheckFailed):
        check(id_, nonsense)


@pytest.mark.parametrize("given", ["", "ABC", "AAAAAAAAAA", "AFGBDEHICJK", [1, 2], ["AF", None]])
def test_letters_that_are_not_those_of_the_program_get_a_sentence(given):
    with pytest.raises(CheckFailed, match=r"Each letter from A to J occurs once|order\(\) returns a str"):
        check("0.1", lambda: given)


def test_the_puzzles_program_says_the_same_on_asyncios_own_loop():
    letters = []
    run_on_asyncios_loop(morning(letters.append))
    assert "".join(letters) == said()


def test_the_report_of_exercise_0_2_is_the_line_that_replays_the_incident():
    [goal] = [cell for cell in notebook("solutions").cells if cell["id"] == "0-2-goal"]
    assert incident().replay in goal.source
    assert eval(incident().replay, {"COUNTER": COUNTER}).history == incident().history


def test_of_the_incidents_faults_one_alone_does_the_harm():
    run = incident()
    harmless = [
        fault
        for fault in run.plan
        if not COUNTER.run("textbook", plan=str(fault), seed=run.seed, **run.params).broken
    ]
    assert [type(fault).__name__ for fault in run.plan if fault not in harmless] == ["SlowWrite"]


REACHING = [
    ("1s..1.2s slow-write by 250ms for till-2", {}),
    ("0s..2s slow-read by 300ms", {}),
    ("", {"rate_per_s": 60}),
    ("1s..2s give-up till-2 after 3ms", {}),
]


@pytest.mark.parametrize(("mission", "reaching"), list(zip(missions("0.3"), REACHING, strict=True)))
def test_a_mission_is_reached_by_its_own_plan_and_not_from_the_start(mission, reaching):
    plan, params = reaching
    assert mission.reached(Runs(COUNTER, plan=plan, **params))
    assert not mission.reached(Runs(COUNTER))
    assert not mission.reached(Runs(COUNTER, plan="1s..1.2s slow-write by 120ms for till-2"))


def test_later_lessons_find_enough_to_recall():
    assert len(recall_bank(LESSON)) >= 6


def test_no_term_is_defined_twice_in_the_lesson():
    prose = "\n".join(c.source for c in notebook("notebooks").cells if c.cell_type == "markdown")
    terms = [term.lower() for term in re.findall(r"\*\*(.+?)\*\*", prose)]
    assert len(terms) == len(set(terms)) > 10


def test_the_programs_of_part_1_say_the_same_on_asyncios_own_loop(capsys):
    names, tried = {}, 0
    for cell in notebook("notebooks").cells:
        if cell["id"] == "setup":
            exec(cell.source, names)
        if cell.cell_type != "code" or not cell["id"].startswith("s1-") or "simulate(" not in cell.source:
            continue
        printed = []
        for run in (simulate, run_on_asyncios_loop):
            names["simulate"] = run
            exec(cell.source, names)
            lines = capsys.readouterr().out.splitlines()
            # Only the laboratory minds a task that failed unseen.
            printed.append([line for line in lines if not line.startswith("UnseenFailure")])
        assert printed[0] == printed[1] != [], cell["id"]
        tried += 1
    assert tried == 7
