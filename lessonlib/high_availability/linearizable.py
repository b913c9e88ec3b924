"""Does a register behave as if there were one copy of it? A checker for linearizability.

A history is *linearizable* when each operation can be given one moment between its start and its end at which it seems
to happen at once, such that every read returns what the last write before it wrote (Herlihy & Wing 1990). It is what a
client means by "the cluster has my value": whatever node it asks, never an older value after a newer one.

In general one has to try orders (Wing & Gong 1993, Lowe 2017; Knossos and Porcupine do), and the number of orders grows
exponentially. A register whose written values are all different is easier (Gibbons & Korach 1997): a read tells which
write it saw. Take a write together with the reads that saw it as a *group*. In every order that explains the history a
group stands in one piece, so only the order of groups is in question. Group A must come before B when some operation
of A has ended before some operation of B starts: A's *first end* lies before B's *last start*. Therefore:

    A history is linearizable unless some read ends before its write starts, or two groups each must come before the
    other: first end of A < last start of B, and first end of B < last start of A.

Longer circles need no search. In a circle, take the group whose first end is the latest, and call K the group that must
follow it. Every group of the circle has its first end before K's last start, also the one that must follow K: these two
are a circle already.

An operation whose answer never came is *unknown*: a write may have happened at any time since it started, or never; a
read says nothing. What is known to have failed did not happen and does not belong into the history.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from math import inf
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole

WRITE, READ = "write", "read"


@dataclass(frozen=True, slots=True)
class Operation:
    """A client's write or read of a register.

    Attributes:
        kind: "write" or "read".
        value: what was written, or what the read returned; a str, a whole number, or, of a read, None for nothing yet.
        key: which register.
        start_us: when the client asked, in microseconds.
        end_us: when it had the answer; None when it is unknown whether and when the operation took place.
        by: who asked, for the reader.
    """

    kind: str
    value: Any
    _: KW_ONLY
    start_us: int
    end_us: int | None
    key: str = "register"
    by: str = ""

    def __str__(self) -> str:
        until = "no answer" if self.end_us is None else f"{_seconds(self.end_us)} s"
        who = f" by {self.by}" if self.by else ""
        return f"{self.kind} {self.value!r}{who} ({_seconds(self.start_us)} s to {until})"


def _seconds(time_us: int) -> str:
    return f"{time_us / 1e6:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a history is not linearizable.

    Attributes:
        text: one sentence.
        operations: those that prove it, in the order of their starts: two to four.
        at_us: when the last of them ended; until then all could have been explained.
    """

    text: str
    operations: tuple[Operation, ...]
    at_us: int


def first_violation(operations: Iterable[Operation], *, operations_max: int = 100_000) -> Violation | None:
    """Return why `operations` on registers that hold None at first are not linearizable; None when they are.

    Keys are judged apart: a history is linearizable when that of each key is (Herlihy & Wing §3.3). Where an operation
    ends at the microsecond at which another starts, they count as overlapping. Of several violations it is the one
    that is complete first. It takes time in proportion to n log n.

    Raises LessonError when a value is written to a key twice, when None is written, when an operation ends before it
    starts, and when there are more than `operations_max`.
    """
    whole("operations_max", operations_max, least=1)
    by_key: dict[str, list[Operation]] = {}
    for count, operation in enumerate(operations, 1):
        if count > operations_max:
            raise LessonError(
                f"there are more than operations_max={operations_max} operations; judge fewer, or raise operations_max"
            )
        _check(operation)
        by_key.setdefault(operation.key, []).append(operation)
    found = [violation for key in by_key if (violation := _first_of_key(key, by_key[key])) is not None]
    return min(found, key=lambda violation: violation.at_us, default=None)


def _check(operation: Operation) -> None:
    if not isinstance(operation, Operation):
        raise LessonError(
            f"{operation!r:.60} is no Operation; give Operation('write', 1, start_us=0, end_us=5)"
        )
    kind, value, start, end = operation.kind, operation.value, operation.start_us, operation.end_us
    if kind not in (WRITE, READ):
        raise LessonError(f"kind={kind!r:.60} is no operation of a register; give 'write' or 'read'")
    if value is None and kind == WRITE:
        raise LessonError(
            "value=None cannot be written, since it stands for nothing written yet; write something else"
        )
    if not isinstance(value, str | int | None):
        raise LessonError(
            f"value={value!r:.60} cannot be told apart for certain; give a str or a whole number"
        )
    for name, time in (("start_us", start), ("end_us", end)):
        if not (isinstance(time, int) or (time is None and name == "end_us")) or isinstance(time, bool):
            raise LessonError(f"{name}={time!r:.60} should be a time in whole microseconds; give an int")
    if end is not None and end < start:
        raise LessonError(f"end_us={end} is before start_us={start}; an operation ends after it starts")


class _Group:
    """A write and the reads that saw it."""

    def __init__(self, write: Operation | None) -> None:
        self.write = write  # None: the register's first value, there since ever
        self.first_end: float = -inf if write is None else _end(write)
        self.last_start: float = -inf if write is None else write.start_us
        self.ended, self.started = write, write  # the operations with these two times

    def add(self, read: Operation) -> None:
        if _end(read) < self.first_end:
            self.first_end, self.ended = _end(read), read
        if read.start_us > self.last_start:
            self.last_start, self.started = read.start_us, read


def _end(operation: Operation) -> float:
    return inf if operation.end_us is None else operation.end_us


def _first_of_key(key: str, operations: list[Operation]) -> Violation | None:
    if _violation(key, operations) is None:
        return None
    # What a prefix of a history breaks, the whole breaks: the shortest that does so is found by halving.
    ends = sorted({operation.end_us for operation in operations if operation.end_us is not None})
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _violation(key, _until(operations, ends[middle])) is None:
            low = middle + 1
        else:
            high = middle
    return _violation(key, _until(operations, ends[low]))


def _until(operations: list[Operation], now_us: int) -> list[Operation]:
    """Return the history as one knows it at `now_us`: what has not ended is unknown."""
    return [
        operation
        if operation.end_us is None or operation.end_us <= now_us
        else Operation(
            operation.kind,
            operation.value,
            start_us=operation.start_us,
            end_us=None,
            key=operation.key,
            by=operation.by,
        )
        for operation in operations
        if operation.start_us <= now_us
    ]


def _violation(key: str, operations: list[Operation]) -> Violation | None:
    groups: dict[Any, _Group] = {_same(None): _Group(None)}
    for write in operations:
        if write.kind == WRITE:
            if _same(write.value) in groups:
                raise LessonError(
                    f"value={write.value!r:.60} is written to {key!r:.60} twice; write a different value each time, "
                    "so that a read tells which write it saw"
                )
            groups[_same(write.value)] = _Group(write)
    for read in operations:
        if read.kind == READ and read.end_us is not None:
            group = groups.get(_same(read.value))
            if group is None or (group.write is not None and read.end_us < group.write.start_us):
                return _proof(f"A {read} saw what nobody had written to {key} by then", read)
            group.add(read)

    # Each pair is met once, at the group whose first end is the later: `high[n]` is the group with the latest last
    # start of the first n.
    order = sorted(groups.values(), key=lambda group: group.first_end)
    ends = [group.first_end for group in order]
    high: list[_Group | None] = [None]
    for place, group in enumerate(order):
        before = high[min(place, bisect_left(ends, group.last_start))]
        if before is not None and before.last_start > group.first_end:
            return _circle(key, before, group)
        last = high[-1]
        high.append(group if last is None or group.last_start > last.last_start else last)
    return None


def _same(value: Any) -> Any:
    """Return what stands for `value` in a dict, where 1 and True would be the same."""
    return type(value), value


def _circle(key: str, one: _Group, other: _Group) -> Violation:
    if one.write is None:
        first = f"{key} was {_value(other)} already ({other.ended})"
        return _proof(f"{first}, and then empty again: {one.started}", other.ended, one.started)
    first = f"{key} was {_value(one)} before it was {_value(other)} ({one.ended}, then {other.started})"
    return _proof(
        f"{first}, and {_value(other)} before it was {_value(one)} ({other.ended}, then {one.started})",
        one.ended,
        other.started,
        other.ended,
        one.started,
    )


def _value(group: _Group) -> str:
    return "empty" if group.write is None else repr(group.write.value)


def _proof(text: str, *operations: Operation | None) -> Violation:
    proof = sorted(
        dict.fromkeys(operation for operation in operations if operation is not None),
        key=lambda operation: (operation.start_us, _end(operation)),
    )
    ended = [operation.end_us for operation in proof if operation.end_us is not None]
    return Violation(f"{text}.", tuple(proof), max(ended))
