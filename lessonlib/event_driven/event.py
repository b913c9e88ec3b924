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


def freeze(value: Any) -> Any:
    """Return `value` with every dict in it frozen and every list a tuple."""
    if isinstance(value, Mapping):
        return FrozenDict((key, freeze(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: Any) -> Any:
    """Return a copy of `value` in plain dicts and lists, fit for a network or a disk."""
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
    try:
        text = json.dumps([event_type, thaw(event_data)], sort_keys=True, separators=(",", ":"))
    except TypeError as error:
        raise EventError(
            f"event_data cannot be written as JSON ({error}); use dicts, lists, strings and numbers"
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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
        for name in ("type", "source", "id", "time", "subject", "specversion"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise EventError(f"{name}={value!r:.60} should be a str; write {name}=str(...)")
        for name in ("type", "source"):
            if not getattr(self, name):
                raise EventError(f"{name} is empty; CloudEvents requires it, for instance 'order_created'")
        if self.specversion != SPECVERSION:
            raise EventError(
                f"specversion={self.specversion!r} is not known; this package writes {SPECVERSION}"
            )
        object.__setattr__(self, "data", freeze(self.data))
        if not self.id:
            object.__setattr__(self, "id", event_id(self.type, self.data))

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
        return {name: thaw(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Event:
        """Return the event that `to_dict` wrote. Raises EventError when it is none."""
        unknown = [name for name in record if name not in cls.__slots__]
        if unknown or "type" not in record or "source" not in record:
            raise EventError(
                f"{dict(record)!r:.80} is not an event: it needs type and source, and no {unknown}"
            )
        return cls(**record)


def rfc3339(epoch_s: float) -> str:
    """Return UTC epoch seconds as RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
