"""What a producer may hand over: lesson 1's Event, or the course's plain dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lessonlib.event_driven.event import Event, EventError

SOURCE = "stream"  # of a dict that does not say
_KNOWN = frozenset((*Event.__slots__, "key", "timestamp"))


def as_event(event: Event | Mapping[str, Any]) -> Event:
    """Return `event` as an Event. In a dict, "key" may stand for "subject", and "timestamp" for "time".

    Raises EventError for what is no event, or a dict with fields that no event has.
    """
    if isinstance(event, Event):
        return event
    if not isinstance(event, Mapping) or "type" not in event:
        raise EventError(
            f"event={event!r:.60} is no event; give an Event, or a dict such as "
            "{'type': 'order_created', 'subject': 'order-7', 'data': {}}"
        )
    for name in event:
        if name not in _KNOWN:
            raise EventError(
                f"event={event!r:.60} has the field {name!r:.30}, which no event has; put it into 'data'"
            )
    given = dict(event)
    for ours, theirs in (("subject", "key"), ("time", "timestamp")):
        if theirs in given:
            value = given.pop(theirs)
            given.setdefault(ours, value)
    given.setdefault("source", SOURCE)
    for name in ("id", "subject"):  # the course numbers them
        if isinstance(given.get(name), int) and not isinstance(given[name], bool):
            given[name] = str(given[name])
    return Event(**given)
