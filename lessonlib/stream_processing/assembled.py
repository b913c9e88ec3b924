"""A stream processor put together from parts that somebody else wrote: their batcher behind a bounded buffer.

It is what a learner's own batcher runs in. Partitions, retries and dead letters are as in `processor.py`, cut short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any

from lessonlib.event_driven.dead_letters import DeadLetter, DeadLetterQueue
from lessonlib.event_driven.event import Event
from lessonlib.ports import Ports
from lessonlib.stream_processing.buffer import Buffer, Entry
from lessonlib.stream_processing.envelope import as_event
from lessonlib.stream_processing.partitioner import entity_key

ATTEMPTS_MAX = 5
RETRY_DELAY_S = 0.2

# Made from (size_max, window_s, handle), with `add(event)` and `close()`.
MakeBatcher = Callable[[int, float, Callable[[list[Any]], Awaitable[None]]], Any]


class AssembledProcessor:
    """A buffer and a batcher for each partition, and one task that carries events from the one to the other."""

    def __init__(
        self,
        make_batcher: MakeBatcher,
        partition_count: int,
        batch_size: int,
        processing_window: timedelta,
        *,
        handlers: Mapping[str, Callable[[Any], Awaitable[Any]]],
        partitioner: Callable[[Any], int],
        make_buffer: Callable[[int, str], Any] = Buffer,
        buffer_max: int = 1000,
        key: Callable[[Event], Any] = entity_key,
        on_drop: Callable[[Event, int], Any] | None = None,
        ports: Ports,
    ) -> None:
        self._handlers, self._ports = dict(handlers), ports
        self._key, self._partitioner = key, partitioner
        self._letters = DeadLetterQueue(ports.disk)
        self._buffers = [make_buffer(buffer_max, "block") for _ in range(partition_count)]
        self._batchers = [
            make_batcher(batch_size, processing_window.total_seconds(), self._handle)
            for _ in range(partition_count)
        ]
        self._came = [asyncio.Event() for _ in range(partition_count)]
        self._carriers: dict[int, asyncio.Task[None]] = {}

    @property
    def depths(self) -> tuple[int, ...]:
        """How many events wait, by partition."""
        return tuple(len(buffer.waiting) for buffer in self._buffers)

    def partition_of(self, event: Event | Mapping[str, Any]) -> int:
        """Return the partition to which an event belongs."""
        return self._partitioner(self._key(as_event(event)))

    async def process_event(self, event: Event | Mapping[str, Any]) -> bool:
        """Take an event; return once it waits in its partition's buffer."""
        event = as_event(event)
        number = self.partition_of(event)
        if number not in self._carriers:
            self._carriers[number] = asyncio.create_task(self._carry(number), name=f"partition {number}")
        await self._buffers[number].put(Entry(event, 0, asyncio.get_running_loop().time()))
        self._came[number].set()
        return True

    async def close(self) -> None:
        """Take no more events, and hand over all that were taken."""
        for number, buffer in enumerate(self._buffers):
            buffer.close()
            self._came[number].set()
        await asyncio.gather(*self._carriers.values())
        for batcher in self._batchers:
            await batcher.close()

    async def _carry(self, number: int) -> None:
        buffer, batcher, came = self._buffers[number], self._batchers[number], self._came[number]
        while True:
            for entry in buffer.take(1):
                await batcher.add(entry.event)
            if not buffer.waiting:
                if buffer.closed:
                    return
                came.clear()
                await came.wait()

    async def _handle(self, batch: list[Event]) -> None:
        for event_type, run in groupby(batch, key=lambda event: event.type):
            events, first_time = list(run), self._ports.clock.now()
            for attempt in range(ATTEMPTS_MAX - 1):
                if await self._try(event_type, events) is None:
                    break
                await asyncio.sleep(RETRY_DELAY_S * 2**attempt)
            else:
                for event in events:
                    problem = await self._try(event_type, [event])
                    if problem is not None:
                        await self._set_aside(event, problem, first_time)

    async def _try(self, event_type: str, events: list[Event]) -> Exception | None:
        try:
            await self._handlers[event_type](tuple(events))
        except Exception as problem:
            return problem
        return None

    async def _set_aside(self, event: Event, problem: Exception, first_time: float) -> None:
        letter = DeadLetter(
            event=event,
            subscription="assembled",
            topic=event.type,
            offset=0,
            error=type(problem).__name__,
            message=str(problem),
            attempts=ATTEMPTS_MAX,
            first_time=first_time,
            last_time=self._ports.clock.now(),
        )
        while True:
            try:
                return await self._letters.put(letter)
            except OSError:
                await asyncio.sleep(RETRY_DELAY_S)
