"""Runs: the consecutive events of one type in a batch, handed to their handler together.

created, created, cancelled, created, paid makes four runs. Grouping the whole batch by type would make three larger ones,
and would reorder a key: its second order would be created before its first is cancelled.

A run that fails is tried again, after a wait that doubles. In the last attempt each of its events goes alone, so that
only those that cannot be handled end as dead letters, and their neighbours do not. So a handler may see an event more
than once, and must be idempotent.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any, cast

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import able, seconds, text, whole
from lessonlib.event_driven.dead_letters import DeadLetter, DeadLetterQueue
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.handlers import handler_name
from lessonlib.ports import Clock
from lessonlib.stream_processing.buffer import Entry

RETRY_DELAY_S_MAX = 60.0  # doubling ends here
TROUBLE_WAIT_S = 0.5
ANY_TYPE = "*"

BatchHandler = Callable[[tuple[Event, ...]], Awaitable[Any] | Any]


class NoHandler(LessonError):
    """Nobody handles events of this type."""


class Runs:
    """Handles batches, run by run.

    Args:
        dead_letters: where an event goes after its last attempt.
        clock: the calendar, for dead letters.
        attempts_max: how often an event is handed to its handler.
        retry_delay_s: the wait before the second attempt; doubled before each further one.
        name: of the stream, for dead letters.
    """

    def __init__(
        self,
        dead_letters: DeadLetterQueue,
        clock: Clock,
        *,
        attempts_max: int,
        retry_delay_s: float,
        name: str,
    ) -> None:
        able("dead_letters", dead_letters, ("put",), example="a DeadLetterQueue")
        whole("attempts_max", attempts_max, least=1)
        seconds("retry_delay_s", retry_delay_s)
        self._dead_letters = dead_letters
        self._clock = clock
        self._attempts_max = attempts_max
        self._retry_delay_s = retry_delay_s
        self._name = name
        self._handlers: dict[str, BatchHandler] = {}

    def subscribe(self, event_type: str, handler: BatchHandler) -> None:
        """Let `handler` have the events of `event_type`; "*" for every type without a handler of its own."""
        text("event_type", event_type, example="order_created")
        handler_name(cast(Any, handler))  # refuses what is no handler
        if event_type in self._handlers:
            raise LessonError(f"event_type={event_type!r} has a handler already; give a type one handler")
        self._handlers[event_type] = handler

    async def handle(self, partition: int, batch: list[Entry]) -> None:
        """Hand each run to its handler, one after the other. Returns when every event was handled or set aside."""
        for event_type, run in groupby(batch, key=lambda entry: entry.event.type):
            await self._handle_run(partition, event_type, list(run))

    async def _handle_run(self, partition: int, event_type: str, run: list[Entry]) -> None:
        handler = self._handlers.get(event_type) or self._handlers.get(ANY_TYPE)
        if handler is None:
            nobody = NoHandler(f"no handler for {event_type!r}; subscribe({event_type!r}, ...) one")
            now = self._clock.now()
            for entry in run:
                await self._set_aside(partition, entry, nobody, attempts=0, first_time=now)
            return
        first_time = self._clock.now()
        together = self._attempts_max if len(run) == 1 else max(1, self._attempts_max - 1)
        problem: Exception | None = None
        for attempt in range(1, together + 1):
            await self._wait_before(attempt)
            problem = await self._try(handler, run)
            if problem is None:
                return
        alone = together < self._attempts_max
        if alone:
            await self._wait_before(self._attempts_max)
        for entry in run:  # one of them may be what the others fail for
            error = await self._try(handler, [entry]) if alone else problem
            if error is not None:
                await self._set_aside(
                    partition, entry, error, attempts=together + alone, first_time=first_time
                )

    async def _wait_before(self, attempt: int) -> None:
        if attempt > 1:
            await asyncio.sleep(min(self._retry_delay_s * 2.0 ** min(attempt - 2, 60), RETRY_DELAY_S_MAX))

    async def _try(self, handler: BatchHandler, run: list[Entry]) -> Exception | None:
        """Hand events to a handler; return what it raised."""
        try:
            call: Any = getattr(handler, "handle", handler)
            result = call(tuple(entry.event for entry in run))
            if inspect.isawaitable(result):
                await result
        except Exception as problem:
            return problem
        return None

    async def _set_aside(
        self, partition: int, entry: Entry, problem: Exception, *, attempts: int, first_time: float
    ) -> None:
        letter = DeadLetter(
            event=entry.event,
            subscription=f"{self._name}-{partition}",
            topic=entry.event.type,
            offset=entry.offset,
            error=type(problem).__name__,
            message=str(problem),
            attempts=attempts,
            first_time=first_time,
            last_time=self._clock.now(),
        )
        while True:
            try:
                return await self._dead_letters.put(letter)
            except OSError:  # an event that cannot even be set aside must not be lost
                await asyncio.sleep(TROUBLE_WAIT_S)
