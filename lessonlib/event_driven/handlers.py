"""Handlers: what a subscriber does with an event. A handler may be a function or an `EventHandler`."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.event import Event


class EventHandler(ABC):
    """Something that handles events. Raise to say that it did not work: the event will come again."""

    @abstractmethod
    async def handle(self, event: Event) -> Any:
        """Handle one event. Return when all effects are durable."""


Handler = EventHandler | Callable[[Event], Awaitable[Any] | Any]


async def handle_with(handler: Handler, event: Event) -> None:
    """Call `handler` with `event`, whether it is an object or a function, async or not."""
    call: Any = getattr(handler, "handle", handler)
    result = call(event)
    if inspect.isawaitable(result):
        await result


def handler_name(handler: Handler) -> str:
    """Return a name for `handler`: its class's or its own. Raises LessonError when it is no handler."""
    if isinstance(handler, type):
        raise LessonError(
            f"handler={handler.__name__} is a class; give an object of it: {handler.__name__}()"
        )
    if callable(getattr(handler, "handle", None)):
        return type(handler).__name__
    if not callable(handler):
        raise LessonError(
            f"handler={handler!r:.60} cannot be called; give an EventHandler or a function of one event"
        )
    return getattr(handler, "__name__", type(handler).__name__)
