"""What grading tries beyond a check: right answers pass it, and an answer that was fitted to the check does not."""

import asyncio
import dataclasses
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

from lessonlib.event_driven.scenario import ORDERS
from lessonlib.lab.faults import FaultPlan
from lessonlib.learning import CheckFailed, check
from lessonlib.learning.check import exercises, find
from lessonlib.learning.exercises import Case, Exercise, Hint
from lessonlib.learning.further import FURTHER_RUNS, FURTHER_STEPS_MAX, further_cases, judge_further
from lessonlib.lessons import LESSONS
from lessonlib.limits import progress

ROOT = Path(__file__).parents[2]
TRIED = [(lesson, id_) for lesson in LESSONS for id_, e in exercises(lesson.name).items() if e.cases]


LESSON_1 = next(lesson for lesson in LESSONS if lesson.number == 1)


def answers(lesson):
    path = ROOT / "tests" / lesson.name / "answers.py"
    spec = importlib.util.spec_from_file_location(f"answers_{lesson.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FITTED = [(lesson, id_) for lesson in LESSONS for id_ in getattr(answers(lesson), "FITTED", ())]


def solution(lesson, id_):
    """The answer in the solution notebook."""
    names = {}
    stem = id_.replace(".", "-")
    for cell in nbformat.read(ROOT / "solutions" / f"{lesson.stem}.ipynb", as_version=4).cells:
        if cell.cell_type == "code" and (cell.id == "setup" or cell.id == f"{stem}-solution"):
            exec(cell.source, names)
        if cell.id == f"{stem}-check":
            return eval(re.fullmatch(r"check\(.*?, (.+)\)", cell.source)[1], names)
    raise AssertionError(f"no check of {id_}")


@pytest.mark.parametrize(("lesson", "id_"), TRIED)
def test_the_solution_and_another_right_answer_pass_every_further_run(lesson, id_, capsys):
    check(id_, solution(lesson, id_), further=True)
    check(id_, answers(lesson).RIGHT[id_], further=True)
    assert capsys.readouterr().out.count(f"Exercise {id_} passed") == 2


@pytest.mark.parametrize(("lesson", "id_"), TRIED)
def test_further_runs_are_others_than_the_checks_own_and_always_the_same(lesson, id_):
    exercise = find(id_)
    further = list(further_cases(id_, exercise))
    assert further == list(further_cases(id_, exercise))
    own = {(case.plan, case.seed) for case in exercise.cases}
    assert own.isdisjoint((case.plan, case.seed) for case in further)
    assert {case.plan for case in further} > {str(FaultPlan.parse(case.plan)) for case in exercise.cases}
    troubled = sum(bool(case.plan) for case in exercise.cases)
    assert len(further) == FURTHER_RUNS * troubled + len(exercise.cases) - troubled


@pytest.mark.parametrize(("lesson", "id_"), TRIED)
def test_a_fault_that_is_drawn_again_is_of_the_same_kind_and_aimed_at_the_same(lesson, id_):
    for case in (exercise := find(id_)).cases:
        alone = dataclasses.replace(exercise, cases=(case,))
        for further in further_cases(id_, alone, runs=20):
            for own, drawn in zip(FaultPlan.parse(case.plan), FaultPlan.parse(further.plan), strict=True):
                assert type(own) is type(drawn)
                for field in dataclasses.fields(own):
                    if not field.name.endswith("_s") and field.name not in ("probability", "count"):
                        assert getattr(own, field.name) == getattr(drawn, field.name)


@pytest.mark.parametrize(("lesson", "id_"), FITTED)
def test_an_answer_that_is_fitted_to_the_check_passes_it_and_fails_in_grading(lesson, id_, capsys):
    fitted = answers(lesson).FITTED[id_]
    check(id_, fitted)
    assert f"Exercise {id_} passed" in capsys.readouterr().out
    with pytest.raises(
        CheckFailed, match=r"passes its check, but not under a further plan \".+\" and seed \d+"
    ):
        check(id_, fitted, further=True)


def test_what_grading_found_can_be_replayed_from_the_line_that_it_shows():
    fitted = answers(LESSON_1).FITTED["1.3"]
    with pytest.raises(CheckFailed) as failed:
        check("1.3", fitted, further=True)
    first, *rest = str(failed.value).splitlines()
    line = next(line for line in rest if "Look at:" in line).split("Look at:")[1].strip()
    run = eval(line, {"ORDERS": ORDERS, fitted.__name__: fitted})
    assert f'plan "{run.plan}" and seed {run.seed}' in first
    seen = next(line for line in rest if "Seen" in line)
    assert run.broken[0].sentence in seen


def test_a_further_run_without_faults_is_told_by_its_seed_and_gets_its_hint():
    async def asleep(log, name, deliver):
        await asyncio.sleep(3600)

    rule = "every acknowledged order reaches every subscriber"
    hint = Hint("asleep", lambda run, verdict: verdict.rule == rule, "It sleeps.")
    cases = (Case("a good day", rules=(rule,), params={"orders": 5}),)
    exercise = Exercise("a trial", 1, ORDERS, "subscription", cases=cases, hints=(hint,))
    case, finding = judge_further("9.9", exercise, asleep)
    assert (case.plan, finding.hint) == ("", "It sleeps.")
    assert f"seed={case.seed}" in finding.look


def test_a_busy_answer_is_right_and_graded_in_time():
    class Busy(answers(LESSON_1).RIGHT["1.4"]):
        runs = 0

        def __init__(self, *given, **options):
            super().__init__(*given, **options)
            Busy.runs += 1

        async def handle(self, event):
            for _ in range(3_000):
                await asyncio.sleep(0)
            await super().handle(event)

    exercise = find("1.4")
    before = progress.steps
    assert judge_further("1.4", exercise, Busy) is None
    assert FURTHER_STEPS_MAX < progress.steps - before < 1.5 * FURTHER_STEPS_MAX
    assert 2 < Busy.runs < len(list(further_cases("1.4", exercise)))


@pytest.mark.parametrize(("lesson", "id_"), TRIED)
def test_right_answers_stay_far_below_the_bound(lesson, id_):
    before = progress.steps
    judge_further(id_, find(id_), answers(lesson).RIGHT[id_])
    assert progress.steps - before < FURTHER_STEPS_MAX / 2


def test_a_rule_that_a_drawn_plan_does_not_exercise_costs_nothing(capsys):
    poisoned = list(further_cases("1.5", find("1.5"), runs=40))
    assert any(
        verdict.status == "not exercised"
        for case in poisoned
        for verdict in ORDERS.run(plan=case.plan, seed=case.seed, **case.params).verdicts
        if verdict.rule in case.rules
    )
    check("1.5", answers(LESSON_1).RIGHT["1.5"], further=True)
