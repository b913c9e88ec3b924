"""Call what may never come back, and say in a sentence what went wrong in a callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lessonlib.errors import LessonError
from lessonlib.lab.loop import clean_traceback, describe_error
from lessonlib.limits import Runaway, watchdog

T = TypeVar("T")

STUCK_S = 2.0  # real seconds without a turn of the event loop
STEPS_MAX = 150_000  # of one run: about a real second


def watched(call: Callable[[], T]) -> T:
    """Return what `call` returns. Raises Runaway when it neither ends nor gives way for STUCK_S."""
    with watchdog(STUCK_S):
        return call()


def describe(error: BaseException) -> str:
    """Return one sentence or two on what a callback raised."""
    if isinstance(error, Runaway):
        return (
            f"The run was stopped: a piece ran for {STUCK_S:g} s without a pause. Look for a loop that neither "
            "ends nor awaits anything."
        )
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. Change something to run it again."
    if isinstance(error, LessonError):
        return str(error)
    return f"This failed with {describe_error(clean_traceback(error))}."
