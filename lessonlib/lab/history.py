"""The history of a run: what happened, where, and when, in order. Everything else reads this.

A record's `kind` says which of three observers wrote it (the system under test never writes one):

| observer     | kinds                                                                                    |
|--------------|------------------------------------------------------------------------------------------|
| the workload | `invoke`, then exactly one of `ok`, `failed`, `unknown` with the same `call` number       |
| the ports    | `sent`, `delivered`, `dropped` (a message, by `message` number), `written`, `replaced`    |
| the world    | `fault`, `crash`, `restart`, `pause`, `resume`, `died` (a task's exception went unseen)   |
| hooks, sinks | whatever name the scenario gives them, e.g. `handled`, `read`, `effect`, `transition`     |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, overload

from lessonlib.errors import LessonError


class Record(NamedTuple):
    """One thing that happened.

    Attributes:
        t_us: virtual time in whole microseconds since the run began.
        kind: what sort of thing (see the module's table).
        node: where it happened; "" for the world itself.
        data: the rest, plain data.
    """

    t_us: int
    kind: str
    node: str
    data: dict[str, Any]

    @property
    def t_s(self) -> float:
        """Virtual time in seconds."""
        return self.t_us / 1e6

    def get(self, name: str, default: Any = None) -> Any:
        """Return `data[name]`, or `default` when this record has no such field."""
        return self.data.get(name, default)

    def __str__(self) -> str:
        fields = ", ".join(f"{k}={_short(v)}" for k, v in self.data.items())
        return f"{seconds(self.t_us)} {self.node or 'world'} {self.kind}: {fields}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def seconds(t_us: int) -> str:
    """Return a time as people read it: `2.5 s`, never more digits than a microsecond has."""
    return f"{t_us / 1e6:.6f}".rstrip("0").rstrip(".") + " s"


class History:
    """An ordered, append-only list of records, with questions."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records: list[Record] = list(records)
        self._by_kind: dict[str, list[Record]] = {}
        self._indexed = 0  # how many records `_by_kind` knows

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.records == other.records

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: int | slice) -> Record | History:
        return History(self.records[index]) if isinstance(index, slice) else self.records[index]

    def __repr__(self) -> str:
        return f"<History of {len(self)} records, {seconds(self.end_us)}>"

    @property
    def end_us(self) -> int:
        """The time of the last record; 0 when there is none."""
        return self.records[-1].t_us if self.records else 0

    def of(self, *kinds: str, node: str | None = None, **fields: Any) -> History:
        """Return the records of these kinds (all when none is named), of this node, with these field values.

        >>> History([Record(0, "sent", "a", {"to": "b"})]).of("sent", to="b")
        <History of 1 records, 0 s>
        """
        found = self.records
        if len(kinds) == 1:  # the usual question, asked many times of a long history
            found = self._kinds().get(kinds[0], [])
        elif kinds:
            found = [r for r in found if r.kind in kinds]
        if node is not None:
            found = [r for r in found if r.node == node]
        missing = object()
        for name, value in fields.items():
            found = [r for r in found if r.data.get(name, missing) == value]
        return History(found)

    def _kinds(self) -> dict[str, list[Record]]:
        if self._indexed != len(self.records):
            self._by_kind, self._indexed = {}, len(self.records)
            for record in self.records:
                self._by_kind.setdefault(record.kind, []).append(record)
        return self._by_kind

    def where(self, test: Callable[[Record], bool]) -> History:
        """Return the records for which `test(record)` is true."""
        return History(r for r in self.records if test(r))

    def between(self, start_s: float, end_s: float) -> History:
        """Return the records with `start_s <= t < end_s`, in seconds of virtual time."""
        start_us, end_us = round(start_s * 1e6), round(end_s * 1e6)
        return History(r for r in self.records if start_us <= r.t_us < end_us)

    def first(self) -> Record | None:
        """Return the first record, or None."""
        return self.records[0] if self.records else None

    def last(self) -> Record | None:
        """Return the last record, or None."""
        return self.records[-1] if self.records else None

    def groups(self, key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
        """Return the records by `key(record)`, keys and records in order of appearance."""
        found: dict[Any, list[Record]] = {}
        for record in self.records:
            found.setdefault(key(record), []).append(record)
        return found

    def lines(self) -> Iterator[str]:
        """Yield each record as one line of canonical JSON (sorted keys, no spaces)."""
        encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
        for record in self.records:
            yield encode([record.t_us, record.kind, record.node, record.data])

    def digest(self) -> str:
        """Return 16 hex digits that are equal exactly when two histories are, byte for byte."""
        sha = hashlib.sha256()
        for line in self.lines():
            sha.update(line.encode("ascii") + b"\n")
        return sha.hexdigest()[:16]

    def to_json(self) -> str:
        """Return the history as JSON lines, one record a line."""
        return "".join(line + "\n" for line in self.lines())

    @classmethod
    def from_json(cls, text: str) -> History:
        """Return the history that `to_json` wrote. Raises LessonError naming the first line that is not one."""
        records = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                t_us, kind, node, data = json.loads(line)
                if [type(part) for part in (t_us, kind, node, data)] != [int, str, str, dict]:
                    raise TypeError
                records.append(Record(t_us, kind, node, data))
            except (ValueError, TypeError, RecursionError) as error:
                raise LessonError(
                    f'line {number} is not a record of a history ([microseconds, "kind", "node", {{…}}]): '
                    f"{line[:60]!r}; write it with History.to_json()"
                ) from error
        return cls(records)
