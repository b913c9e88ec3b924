"""What grading tries beyond a check: the check's own cases with other seeds, and with their faults drawn anew.

A check shows the plan and the seed under which an answer fails, so an answer can be fitted to just these. Grading
therefore runs each case FURTHER_RUNS times more. The first of these keeps the plan and changes the seed. In the
others each fault is drawn again, as search draws it: the same kind against the same node, handler, file or link, at
another moment, for another time, with another chance or count. What an answer is asked to survive stays the same.

All of it follows from the exercise's number, the case's words and the number of the run, so every grader runs the
same, and the line that replays a failure needs nothing else. It is no secret: the rule stands here. There is a bound:
no further run begins after FURTHER_STEPS_MAX steps of event loops, some ten seconds, so that an answer which is right
and busy is graded in time. The runs come in rounds, one of each case, so that what is cut off is spread over all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from random import Random
from typing import Any

from lessonlib.lab.faults import Fault, FaultPlan
from lessonlib.lab.search import draw
from lessonlib.learning.exercises import Case, Exercise, Finding, judge
from lessonlib.limits import progress

FURTHER_RUNS = 8  # of each case
FURTHER_STEPS_MAX = 300_000  # of all of them; right answers to lesson 1 take up to 100 000
SEEDS = range(1_000, 10_000)  # a check's own seeds are small numbers


def judge_further(exercise_id: str, exercise: Exercise, answer: Any) -> tuple[Case, Finding] | None:
    """Return the first further case in which `answer` breaks a requirement, and which; None when it keeps all."""
    last = progress.steps + FURTHER_STEPS_MAX
    for case in further_cases(exercise_id, exercise):
        if progress.steps > last:
            break
        finding = judge(dataclasses.replace(exercise, probes=(), cases=(case,)), answer)
        if finding is not None:
            return case, finding
    return None


def further_cases(exercise_id: str, exercise: Exercise, runs: int = FURTHER_RUNS) -> Iterator[Case]:
    """Yield the further cases of an exercise: `runs` for each of its own, and one where that has no fault."""
    for number in range(runs):
        for case in exercise.cases:
            own = FaultPlan.parse(case.plan)
            if number and not own.faults:
                continue
            random = Random(f"{exercise_id}/{case.about}/{number}")
            seed = random.choice(SEEDS)
            plan = FaultPlan(tuple(_again(fault, random, exercise) for fault in own)) if number else own
            yield dataclasses.replace(case, plan=str(plan), seed=seed, drawn=True)


def _again(fault: Fault, random: Random, exercise: Exercise) -> Fault:
    """Draw the quantities of a fault anew, within the scenario's horizon; what it is aimed at stays."""
    assert exercise.scenario is not None
    drawn = draw(type(fault), random, exercise.scenario.targets, exercise.scenario.horizon_s)
    kept = {
        field.name: value
        for field in dataclasses.fields(fault)
        if (value := getattr(fault, field.name)) is None or not _is_quantity(field.name)
    }
    return dataclasses.replace(drawn, **kept)


def _is_quantity(name: str) -> bool:
    return name.endswith("_s") or name in ("probability", "count")
