"""Refusing arguments that make no sense, beyond what lesson 1 needed: durations, moments, choices, names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import isfinite

from lessonlib.errors import LessonError


def duration_s(name: str, value: object, *, positive: bool = True) -> float:
    """Return a duration in seconds, given as a number of seconds or as a timedelta; refuse what is none.

    Whole numbers stay whole, so that windows begin exactly where they should.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    good = isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number)
    if not good or number < 0 or (positive and number == 0):  # type: ignore[operator]
        least = "more than 0" if positive else "0 or more"
        raise LessonError(
            f"{name}={value!r:.60} should be a number of seconds or a timedelta; give {least}, "
            "for instance timedelta(minutes=1)"
        )
    assert isinstance(number, int | float)
    return int(number) if number == int(number) else number


def moment(name: str, value: object) -> None:
    """Refuse what is not a finite number: a moment may be before the epoch, and so below 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise LessonError(f"{name}={value!r:.60} is no moment; give a finite number of seconds")


def choice(name: str, value: object, options: Iterable[str]) -> None:
    """Refuse what is not one of a few words."""
    known = tuple(options)
    if not isinstance(value, str) or value not in known:
        raise LessonError(
            f"{name}={value!r:.60} is not known; give one of {', '.join(repr(one) for one in known)}"
        )


def names(name: str, value: object, *, example: str, least: int = 0) -> tuple[str, ...]:
    """Return the different names in a list of them; refuse one str, and what is no list of names."""
    good = isinstance(value, Iterable) and not isinstance(value, str | bytes)
    found: tuple[str, ...] = tuple(value) if good else ()  # type: ignore[arg-type]
    if not good or not all(isinstance(one, str) and one for one in found):
        raise LessonError(f"{name}={value!r:.60} should be a list of names; give for instance {example}")
    if len(set(found)) != len(found):
        twice = next(one for one in found if found.count(one) > 1)
        raise LessonError(f"{name}={value!r:.60} names {twice!r} twice; give each name once")
    if len(found) < least:
        raise LessonError(f"{name}={value!r:.60} is empty; give at least {least}, for instance {example}")
    return found
