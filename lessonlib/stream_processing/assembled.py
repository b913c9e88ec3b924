"""A stream processor put together from parts that somebody else wrote: their batcher behind a bounded buffer.

It is what a learner's own batcher runs in. The rest is as in `processor.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from lessonlib.event_driven.dead_letters import DeadLetterQueue
from lessonlib.event_driven.event import Event
from lessonlib.ports import Ports
from lessonlib.stream_processing.buffer import Buffer, Entry
from lessonlib.stream_processing.envelope import as_event
from lessonlib.stream_processing.partitioner import entity_key
from lessonlib.stream_processing.runs import Runs

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
        self._key, self._partitioner = key, partitioner
        runs = Runs(
            DeadLetterQueue(ports.disk),
            ports.clock,
            attempts_max=ATTEMPTS_MAX,
            retry_delay_s=RETRY_DELAY_S,
            name="assembled",
        )
        for event_type, handler in handlers.items():
            runs.subscribe(event_type, handler)
        self._buffers = [make_buffer(buffer_max, "block") for _ in range(partition_count)]
        self._batch_size = batch_size
        self._held = [0] * partition_count  # what batchers have taken and not yet handed over
        self._batchers = [
            make_batcher(
                batch_size, processing_window.total_seconds(), partial(self._handle, runs.handle, number)
            )
            for number in range(partition_count)
        ]
        self._came = [asyncio.Event() for _ in range(partition_count)]
        self._carriers: dict[int, asyncio.Task[None]] = {}

    @property
    def depths(self) -> tuple[int, ...]:
        """How many events wait, by partition: in its buffer, and in its batcher what is above two batches.

        A batcher may hold one batch that waits for its turn and one that fills. More is a second buffer, without a bound.
        """
        return tuple(
            len(buffer.waiting) + max(0, held - 2 * self._batch_size)
            for buffer, held in zip(self._buffers, self._held, strict=True)
        )

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

    async def _handle(self, handle: Callable[[int, Any], Awaitable[None]], number: int, batch: Any) -> None:
        events = list(batch)
        self._held[number] -= len(events)
        await handle(number, events)

    async def _carry(self, number: int) -> None:
        buffer, batcher, came = self._buffers[number], self._batchers[number], self._came[number]
        while True:
            for entry in buffer.take(1):
                self._held[number] += 1
                await batcher.add(entry)
            if not buffer.waiting:
                if buffer.closed:
                    return
                came.clear()
                await came.wait()
