"""Refusing arguments that make no sense, in addition to lesson 1's and lesson 3's."""

from __future__ import annotations

from math import inf
from typing import Any

from lessonlib.errors import LessonError


def span(name: str, value: Any) -> None:
    """Refuse what is not (shortest, longest) in seconds, both over 0."""
    numbers = isinstance(value, tuple | list) and all(
        isinstance(end, int | float) and not isinstance(end, bool) for end in value
    )
    if not numbers or len(value) != 2 or not 0 < value[0] <= value[1] < inf:
        raise LessonError(
            f"{name}={value!r:.60} should be the shortest and the longest time in seconds, both over 0; "
            "give for instance (0.15, 0.3)"
        )


def names(argument: str, value: Any) -> tuple[str, ...]:
    """Return names as a tuple; refuse what is no collection of them, and a name twice."""
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset | dict):
        raise LessonError(f"{argument}={value!r:.60} is no list of names; give for instance ['a', 'b']")
    for name in value:
        if not isinstance(name, str) or not name:
            raise LessonError(f"{argument} holds {name!r:.60}, which is no name; give str that are not empty")
    if len(set(value)) < len(value):
        raise LessonError(f"{argument}={value!r:.60} has a name twice; name each once")
    return tuple(sorted(value))
