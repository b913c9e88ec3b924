"""Refusing arguments that make no sense: one sentence that names the argument, its value and the remedy."""

from __future__ import annotations

from math import inf

from lessonlib.errors import LessonError
from lessonlib.ports import Ports, local_ports

DISK = ("append", "replace", "read")
LOG = ("append", "read", "commit", "committed", "rewind", "end")


def whole(name: str, value: object, *, least: int, error: type[LessonError] = LessonError) -> None:
    """Refuse what is not a whole number of `least` or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise error(f"{name}={value!r:.60} should be a whole number; give {least} or more")


def seconds(
    name: str, value: object, *, positive: bool = False, error: type[LessonError] = LessonError
) -> None:
    """Refuse what is not a finite number of seconds, 0 or more (or more than 0)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < inf or (positive and value == 0):  # type: ignore[operator]
        least = "more than 0" if positive else "0 or more"
        raise error(f"{name}={value!r:.60} should be a number of seconds; give {least}")


def text(name: str, value: object, *, example: str, error: type[LessonError] = LessonError) -> None:
    """Refuse what is not a str, or is empty."""
    if not isinstance(value, str) or not value:
        raise error(f"{name}={value!r:.60} should be a str that is not empty; write for instance {example!r}")


def file_name(name: str, value: object, *, example: str, error: type[LessonError] = LessonError) -> None:
    """Refuse what cannot be part of a file's name on every disk."""
    text(name, value, example=example, error=error)
    if "/" in str(value) or "\\" in str(value):
        raise error(f"{name}={value!r:.60} names a file on the disk; write it without / and \\")


def function(name: str, value: object, *, example: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise LessonError(f"{name}={value!r:.60} cannot be called; give {example}")


def ports_or_local(ports: Ports | None) -> Ports:
    """Return `ports`, or local ones when they are left out; refuse what is no Ports."""
    return local_ports() if ports is None else checked_ports(ports)


def checked_ports(ports: Ports) -> Ports:
    """Return `ports`; refuse what is no Ports."""
    if not isinstance(ports, Ports):
        raise LessonError(f"ports={ports!r:.60} is no Ports; give node.ports, or local_ports()")
    return ports


def able(
    name: str,
    value: object,
    methods: tuple[str, ...],
    *,
    example: str,
    error: type[LessonError] = LessonError,
) -> None:
    """Refuse what lacks one of `methods`, and classes, which have them but are no objects."""
    lacking = [method for method in methods if not callable(getattr(value, method, None))]
    if lacking or isinstance(value, type):
        raise error(f"{name}={value!r:.60} cannot {' and '.join(lacking or methods)}; give {example}")
