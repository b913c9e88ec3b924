"""`check("1.2", OrderPublisher)`: is this answer right? Short, the same words each time, and no traceback."""

from __future__ import annotations

import importlib
import textwrap
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.learning.exercises import Exercise, Finding, judge
from lessonlib.learning.further import judge_further
from lessonlib.lessons import LESSONS


class CheckFailed(AssertionError):
    """An answer that is not right yet. Shown in a notebook as its message alone."""

    def _render_traceback_(self) -> list[str]:
        """IPython's way to let an exception say how it is shown."""
        return str(self).splitlines()


def exercises(lesson_name: str) -> dict[str, Exercise]:
    """Return a lesson's exercises by id."""
    module = importlib.import_module(f"lessonlib.{lesson_name}.checks")
    found: dict[str, Exercise] = module.EXERCISES
    return found


def find(exercise_id: str) -> Exercise:
    """Return the exercise "1.2". Raises LessonError naming those that there are."""
    known: dict[str, Exercise] = {}
    for lesson in LESSONS:
        known |= exercises(lesson.name)
    if exercise_id not in known:
        raise LessonError(f"there is no exercise {exercise_id!r}; there are {', '.join(known)}")
    return known[exercise_id]


def check(exercise_id: str, answer: Any, *, further: bool = False) -> None:
    """Judge `answer` and print what was tested, or raise CheckFailed saying what it breaks first.

    Args:
        exercise_id: for instance "1.2".
        answer: the learner's piece.
        further: whether to try, after all else, the plans and seeds of `further.py`, as grading does.
    """
    exercise = find(exercise_id)
    finding = judge(exercise, answer)
    if finding is not None:
        raise CheckFailed(_failure(exercise_id, exercise, finding)) from None
    if further and (found := judge_further(exercise_id, exercise, answer)) is not None:
        case, finding = found
        under = f'plan "{case.plan}" and seed {case.seed}' if case.plan else f"seed {case.seed}"
        verdict = f"passes its check, but not under a further {under}"
        raise CheckFailed(_failure(exercise_id, exercise, finding, verdict)) from None
    print(_success(exercise_id, exercise))  # noqa: T201 - a check's whole purpose is to tell


def _failure(
    exercise_id: str, exercise: Exercise, finding: Finding, verdict: str = "is not there yet"
) -> str:
    if finding.unwritten:
        return f"Exercise {exercise_id} is not written yet: put your code in place of `raise NotImplementedError()`."
    when = f" (at {finding.when} of virtual time)" if finding.when else ""
    lines = [
        f"Exercise {exercise_id} ({exercise.title}) {verdict}.",
        f"  Required: {finding.requirement}",
        f"  Seen{when}: {finding.seen}",
    ]
    if finding.look:
        lines.append(f"  Look at:  {finding.look}")
    if finding.hint:
        lines.append(f"  Hint:     {finding.hint}")
    return "\n".join(lines)


def _success(exercise_id: str, exercise: Exercise) -> str:
    tried = [about for about, _ in exercise.probes] + [case.about for case in exercise.cases]
    worth = f"{exercise.points} points" if exercise.points else "a badge"
    lines = [f"Exercise {exercise_id} passed ({worth})."]
    lines += textwrap.wrap("Tested: " + "; ".join(tried) + ".", 100)
    if exercise.untested:
        lines += textwrap.wrap("Not exercised: " + exercise.untested, 100)
    return "\n".join(lines)
