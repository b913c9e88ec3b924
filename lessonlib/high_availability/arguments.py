"""Refusing arguments that make no sense, in addition to lesson 1's and lesson 3's."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole


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


def mapping(name: str, value: Any, *, example: str) -> None:
    """Refuse what is no mapping."""
    if not isinstance(value, Mapping):
        raise LessonError(f"{name}={value!r:.60} is no dict; give for instance {example}")


def position(name: str, value: Any) -> None:
    """Refuse what is not the (last term, last index) of a log."""
    pair = isinstance(value, tuple | list) and len(value) == 2
    if not pair or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in value):
        raise LessonError(
            f"{name}={value!r:.60} should be the term and the index of a log's last entry; give for instance (3, 7), "
            "or (0, 0) for an empty log"
        )


def promised(promise: Any) -> tuple[int, str | None]:
    """Return the term and the vote of a promise; refuse what no ballot gave out."""
    good = isinstance(promise, Mapping) and {"term", "voted_for"} <= promise.keys()
    if good:
        term, vote = promise["term"], promise["voted_for"]
        good = type(term) is int and term >= 0 and (vote is None or isinstance(vote, str))
    if not good:
        raise LessonError(
            f"promise={promise!r:.60} is not what a ballot gave out; give back its `promise`, or None"
        )
    return term, vote


def matches(matched: Any, members: Any) -> None:
    """Refuse what is not an index for each of some names, and a cluster without members."""
    mapping("matched", matched, example="{'node-1': 7}")
    for name, index in matched.items():
        whole(f"matched[{name!r:.60}]", index, least=0)
    if isinstance(members, str) or not isinstance(members, tuple | list) or not members:
        raise LessonError(f"members={members!r:.60} names nobody; give for instance ['node-1', 'node-2']")
