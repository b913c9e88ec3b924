"""`check("1.2", OrderPublisher)`: is this answer right? Short, the same words each time, and no traceback.

In a notebook a check does two things more. On success it saves the piece and counts it (`pieces`, `record`). On
failure it shows, below what it says, the exercise's ladder of hints with the rung open that fits the earliest
broken requirement: plain Markdown with folds, so it needs no widget and looks the same each time.
"""

from __future__ import annotations

import sys
import textwrap
from typing import Any

from lessonlib.learning import pieces, record
from lessonlib.learning.catalogue import exercises, find
from lessonlib.learning.exercises import RUNGS, Exercise, Finding, judge
from lessonlib.learning.further import judge_further
from lessonlib.learning.ladder import Ladder

__all__ = ["CheckFailed", "check", "exercises", "find"]


class CheckFailed(AssertionError):
    """An answer that is not right yet. Shown in a notebook as its message alone."""

    def _render_traceback_(self) -> list[str]:
        """IPython's way to let an exception say how it is shown."""
        return str(self).splitlines()


def check(exercise_id: str, answer: Any, *, further: bool = False) -> None:
    """Judge `answer` and print what was tested, or raise CheckFailed saying what it breaks first.

    Args:
        exercise_id: for instance "1.2".
        answer: the learner's piece.
        further: whether to try, after all else, the plans and seeds of `further.py`, as grading does.
    """
    exercise = find(exercise_id)
    finding, verdict = judge(exercise, answer), "is not there yet"
    if finding is None and further and (found := judge_further(exercise_id, exercise, answer)) is not None:
        case, finding = found
        under = f'plan "{case.plan}" and seed {case.seed}' if case.plan else f"seed {case.seed}"
        verdict = f"passes its check, but not under a further {under}"
    shell = _notebook()
    if finding is not None:
        if shell is not None and exercise.ladder and finding.opens:
            _show_after_this_cell(shell, Ladder(exercise_id, exercise.ladder, opened=finding.opens))
        raise CheckFailed(_failure(exercise_id, exercise, finding, verdict)) from None
    print(_success(exercise_id, exercise))  # noqa: T201 - a check's whole purpose is to tell
    if shell is not None:
        for said in (pieces.save(exercise_id, answer, shell), record.count(exercise_id, exercise.points)):
            if said:
                print("\n".join(textwrap.wrap(said, 100)))  # noqa: T201


def _notebook() -> Any:
    """Return the IPython shell that runs this, or None outside of notebooks."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def _show_after_this_cell(shell: Any, ladder: Ladder) -> None:
    """Show the ladder below the error: what IPython calls after a cell still shows in it, as figures do."""

    def show(*_: object) -> None:
        from IPython.display import display

        shell.events.unregister("post_run_cell", show)
        display(ladder)

    shell.events.register("post_run_cell", show)


def _failure(exercise_id: str, exercise: Exercise, finding: Finding, verdict: str) -> str:
    if finding.unwritten:
        return f"Exercise {exercise_id} is not written yet: put your code in place of `raise NotImplementedError()`."
    seen = f"Seen (at {finding.when} of virtual time):" if finding.when else "Seen:    "
    lines = [
        f"Exercise {exercise_id} ({exercise.title}) {verdict}.",
        f"  Required: {finding.requirement}",
        f"  {seen} {finding.seen}",
    ]
    if finding.look:
        lines.append(f"  Look at:  {finding.look}")
    if finding.hint:
        lines.append(f"  Hint:     {finding.hint}")
    if exercise.ladder and finding.opens:
        lines.append(
            f'  More:     hint {finding.opens} of hints("{exercise_id}"), {RUNGS[finding.opens - 1]}'
        )
    return "\n".join(lines)


def _success(exercise_id: str, exercise: Exercise) -> str:
    tried = [about for about, _ in exercise.probes] + [case.about for case in exercise.cases]
    worth = f"{exercise.points} points" if exercise.points else "a badge"
    lines = [f"Exercise {exercise_id} passed ({worth})."]
    lines += textwrap.wrap("Tested: " + "; ".join(tried) + ".", 100)
    if exercise.untested:
        lines += textwrap.wrap("Not exercised: " + exercise.untested, 100)
    return "\n".join(lines)
