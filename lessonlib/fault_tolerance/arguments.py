"""Refusing arguments that make no sense, in addition to lesson 1's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from lessonlib.errors import LessonError

ErrorTest = Callable[[BaseException], bool]
Errors = type[BaseException] | Iterable[type[BaseException]] | ErrorTest


def fraction(name: str, value: object) -> None:
    """Refuse what is not a number over 0 and at most 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= 1:  # type: ignore[operator]
        raise LessonError(f"{name}={value!r:.60} should be a share; give more than 0 and at most 1")


def errors_test(name: str, value: Any) -> ErrorTest:
    """Return a function that says whether an error is meant by `value`: a class, several, or a function."""
    if isinstance(value, type) and issubclass(value, BaseException):
        value = (value,)
    if isinstance(value, tuple | list | set | frozenset):
        kinds = tuple(value)
        if all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            return lambda error: isinstance(error, kinds)
    elif callable(value) and not isinstance(value, type):
        return value
    raise LessonError(
        f"{name}={value!r:.60} names no errors; give a tuple such as (ConnectionError, TimeoutError), "
        "or a function of an error"
    )


def loop_time() -> float:
    """Return the running event loop's time in seconds: monotonic, never the calendar, which may jump.

    Outside of a loop it is `time.monotonic()`, by which asyncio's own loops count too.
    """
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()
