"""An event: a fact that has happened. It has a name that never changes, and nobody can alter it.

The attributes are those of CloudEvents 1.0 (§ 3, Context Attributes), so that any other system can read them.
Two things matter more than the rest:

- Two deliveries are of the same event exactly when their **(source, id)** are equal (CloudEvents 1.0, `id`).
  So the id must come out the same when the event is made again: after a retry, a restart, on another machine.
- An event is shared by all of its handlers. If one could change it, the others would see the change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import text

SPECVERSION = "1.0"


class EventError(LessonError):
    """An event was made from something that makes no sense."""


class FrozenDict(dict[str, Any]):
    """A dict that refuses changes. `dict(frozen)` gives a copy that can be changed."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "an event cannot be changed, since other handlers read it too; change a copy: dict(event['data'])"
        )

    __setitem__ = __delitem__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse
    __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:  # copy and pickle would set one item at a time
        return FrozenDict, (dict(self),)


def freeze(value: Any) -> Any:
    """Return `value` with every dict in it frozen and every list a tuple. Raises EventError if it is not plain."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise EventError(
                    f"event_data has the key {key!r:.60}, and JSON has only str keys; write str(key)"
                )
        return FrozenDict((key, freeze(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    raise EventError(
        f"event_data holds {value!r:.60}, which JSON cannot say; use dicts, lists, str and numbers"
    )


def _frozen(data: Any) -> Any:
    try:
        return freeze(data)
    except RecursionError:
        raise EventError("event_data contains itself; use dicts and lists that end") from None


def thaw(value: Any) -> Any:
    """Return a copy of `value` in plain dicts and lists, fit for a network or a disk."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [thaw(item) for item in value]
    return value


def event_id(event_type: str, event_data: Any) -> str:
    """Return the id of the event that says `event_data`: the same today and tomorrow, here and elsewhere.

    It is a digest of what the event says, so equal content is one event. Where two events may say the same
    and still be two (a sensor's readings), put what tells them apart into the data, or choose ids yourself.

    Not `hash()`: Python salts it anew in each process. Not the clock: a retry happens later.
    """
    if not isinstance(event_type, str):
        raise EventError(f"event_type={event_type!r:.60} should be a str; write for instance 'order_created'")
    said = json.dumps([event_type, _frozen(event_data)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Event:
    """A fact, in CloudEvents' words. Reads like the classic dict too: `event["data"]`, `event.get("subject")`.

    Attributes:
        type: what happened, in the past tense: "order_created".
        source: who says so: "shop".
        data: what is said; frozen.
        id: unique within the source, and the same at every retry.
        time: when it happened, RFC 3339 in UTC.
        subject: what it is about, the key within which order matters: "customer-7".
        specversion: of CloudEvents.

    Raises EventError when an attribute is missing or of the wrong type.
    """

    type: str
    source: str
    data: Any = field(default_factory=FrozenDict)
    id: str = ""
    time: str = ""
    subject: str = ""
    specversion: str = SPECVERSION

    def __post_init__(self) -> None:
        text("type", self.type, example="order_created", error=EventError)
        text("source", self.source, example="shop", error=EventError)
        for name in ("id", "time", "subject", "specversion"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise EventError(f"{name}={value!r:.60} should be a str; write {name}=str(...)")
        if self.specversion != SPECVERSION:
            raise EventError(f"specversion={self.specversion!r} is not known here; write {SPECVERSION!r}")
        if self.time and not _has_zone(self.time):
            raise EventError(
                f"time={self.time!r:.60} should be RFC 3339 with a zone; use rfc3339(clock.now())"
            )
        object.__setattr__(self, "data", _frozen(self.data))
        if not self.id:
            object.__setattr__(self, "id", event_id(self.type, self.data))

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[str, str]:
        """(source, id): what makes two deliveries the same event."""
        return self.source, self.id

    def __getitem__(self, name: str) -> Any:
        if name == "timestamp":  # the classic dict's name for `time`
            return self.time
        if name in self.__slots__:
            return getattr(self, name)
        raise KeyError(f"an event has no {name!r}; it has {', '.join(self.__slots__)}")

    def get(self, name: str, default: Any = None) -> Any:
        """Return the attribute `name`, or `default` when an event has no such attribute."""
        return self[name] if name in self.__slots__ or name == "timestamp" else default

    def to_dict(self) -> dict[str, Any]:
        """Return the event as plain data, for a network or a disk."""
        record = {name: getattr(self, name) for name in self.__slots__}
        record["data"] = thaw(self.data)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Event:
        """Return the event that `to_dict` wrote. Raises EventError when it is none."""
        if not isinstance(record, Mapping) or not {"type", "source"} <= record.keys() <= _ATTRIBUTES:
            raise EventError(
                f"record={record!r:.80} is not an event; give type and source, and else only "
                f"{', '.join(cls.__slots__[2:])}"
            )
        return cls(**record)


_ATTRIBUTES = frozenset(Event.__slots__)


def _has_zone(time: str) -> bool:
    try:
        return datetime.fromisoformat(time).tzinfo is not None
    except ValueError:
        return False


def rfc3339(epoch_s: float) -> str:
    """Return UTC epoch seconds as RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
