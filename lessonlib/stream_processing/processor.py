"""The stream processor: events by key into partitions, and through each partition in batches.

    process_event → partition of the key → bounded buffer → batch → runs of one type → handlers

- Each partition has **one** worker, so that its events keep their order. Partitions go on beside each other.
- A **batch** is closed by its size *or* by time, whichever comes first: a large batch is cheap, a small one is prompt,
  and the last events of the day must not wait for others that never come.
- Within a batch *consecutive* events of one type go to their handler together. Grouping the whole batch by type would
  be a larger bite, and would reorder a key: created, cancelled, created, paid.
- The buffer is bounded. When it is full, the producer waits (see `buffer.py` for the other choices).
- A run that fails is tried again; in the last attempt each event goes alone, so that only those that cannot be handled
  end as dead letters. Handlers may see an event more than once, and must be idempotent.
- `save` stops the intake for a moment, lets everything through, and keeps the state and the offsets that belong to
  it *together* (a **checkpoint**). After a crash, `restore` gives both back, and the source is read on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import able, file_name, function, ports_or_local, text, whole
from lessonlib.event_driven.dead_letters import DeadLetterQueue
from lessonlib.event_driven.event import Event
from lessonlib.ports import Ports
from lessonlib.stream_processing.arguments import duration_s
from lessonlib.stream_processing.buffer import Buffer, Entry
from lessonlib.stream_processing.checkpoint import Checkpoint
from lessonlib.stream_processing.envelope import as_event
from lessonlib.stream_processing.partitioner import PARTITIONS_MAX, KeyPartitioner, entity_key
from lessonlib.stream_processing.runs import BatchHandler, Runs
from lessonlib.stream_processing.worker import PartitionWorker


class State(Protocol):
    """What handlers keep, if it is to survive: `WindowedAggregation` has these two."""

    def snapshot(self) -> Any: ...
    def restore(self, snapshot: Any) -> None: ...


class StreamProcessor:
    """Hands a stream of events to handlers, partition by partition, in batches.

    Args:
        partition_count: how many partitions work beside each other.
        batch_size: a batch is closed when it holds so many events,
        processing_window: or so long after its first event came, whichever is first. A timedelta, or seconds.
        handlers: what handles events, by their type ("*" for all others): an async function of a tuple of events, or
            an object with `handle`. `subscribe` adds more.
        partitioner: from a key to a partition; left out, `KeyPartitioner`, which goes where Kafka's Java client does.
        key: from an event to its key; left out, its subject (an event without one has its id).
        buffer_max: how many events may wait for a partition, besides the batch in work; left out, two batches.
        overflow: what happens when so many wait: "block", "drop_newest", "drop_oldest" or "fail".
        on_drop: called with (event, partition) for each event that is dropped.
        make_buffer: makes the buffer of a partition, from `buffer_max` and `overflow`.
        attempts_max: how often an event is handed to its handler before it becomes a dead letter.
        retry_delay_s: the wait before the second attempt; doubled before each further one.
        dead_letters: where an event goes after its last attempt.
        state: what the handlers keep, for `save` and `restore`.
        checkpoint: where `save` keeps it.
        name: for dead letters.
        ports: for disk, calendar and chance; left out, local ones.

        async with StreamProcessor(8, handlers={"order_created": count}) as stream:
            await stream.process_event({"type": "order_created", "subject": "order-7", "data": {}})
    """

    def __init__(
        self,
        partition_count: int,
        batch_size: int = 1000,
        processing_window: timedelta | float = timedelta(minutes=1),
        *,
        handlers: Mapping[str, BatchHandler] | None = None,
        partitioner: Callable[[str], int] | None = None,
        key: Callable[[Event], str] = entity_key,
        buffer_max: int | None = None,
        overflow: str = "block",
        on_drop: Callable[[Event, int], Any] | None = None,
        make_buffer: Callable[[int, str], Buffer] = Buffer,
        attempts_max: int = 5,
        retry_delay_s: float = 0.2,
        dead_letters: DeadLetterQueue | None = None,
        state: State | None = None,
        checkpoint: Checkpoint | None = None,
        name: str = "stream",
        ports: Ports | None = None,
    ) -> None:
        whole("partition_count", partition_count, least=1)
        if partition_count > PARTITIONS_MAX:
            raise LessonError(f"partition_count={partition_count} is too many; give at most {PARTITIONS_MAX}")
        whole("batch_size", batch_size, least=1)
        window_s = duration_s("processing_window", processing_window)
        function("key", key, example="a function from an event to its key")
        buffer_max = 2 * batch_size if buffer_max is None else buffer_max
        whole("buffer_max", buffer_max, least=batch_size)  # a batch must be able to fill
        if on_drop is not None:
            function("on_drop", on_drop, example="a function of (event, partition)")
        function("make_buffer", make_buffer, example="a function of (size_max, overflow), such as Buffer")
        if state is not None:
            able("state", state, ("snapshot", "restore"), example="a WindowedAggregation")
        if checkpoint is not None:
            able("checkpoint", checkpoint, ("save", "load"), example="a Checkpoint")
        file_name("name", name, example="stream")
        self.partitioner = KeyPartitioner(partition_count) if partitioner is None else partitioner
        function("partitioner", self.partitioner, example="a function from a key to a partition")
        self.partition_count = partition_count
        self.batch_size = batch_size
        self.buffer_max = buffer_max
        self._ports = ports_or_local(ports)
        self.dead_letters = DeadLetterQueue(self._ports.disk) if dead_letters is None else dead_letters
        self._key, self._on_drop = key, on_drop
        self._state, self._checkpoint = state, checkpoint
        self._offsets: dict[str, int] = {}
        self._runs = Runs(
            self.dead_letters,
            self._ports.clock,
            attempts_max=attempts_max,
            retry_delay_s=retry_delay_s,
            name=name,
        )
        self._partitions = [
            PartitionWorker(
                number,
                make_buffer(buffer_max, overflow),
                self._runs.handle,
                batch_size=batch_size,
                window_s=window_s,
            )
            for number in range(partition_count)
        ]
        self._intake = asyncio.Event()  # cleared while a checkpoint is taken
        self._intake.set()
        self._saving = asyncio.Lock()
        self.dropped = 0
        self.closed = False
        if handlers is not None and not isinstance(handlers, Mapping):
            raise LessonError(
                f"handlers={handlers!r:.60} should be a dict; write {{'order_created': handler}}"
            )
        for event_type, handler in (handlers or {}).items():
            self.subscribe(event_type, handler)

    def subscribe(self, event_type: str, handler: BatchHandler) -> None:
        """Let `handler` have the events of `event_type`, as tuples; "*" for every type without one of its own."""
        self._runs.subscribe(event_type, handler)

    @property
    def depths(self) -> tuple[int, ...]:
        """How many events wait, by partition."""
        return tuple(len(partition.buffer.waiting) for partition in self._partitions)

    def partition_of(self, event: Event | Mapping[str, Any]) -> int:
        """Return the partition to which an event belongs. Raises LessonError when the partitioner names none."""
        key = self._key(as_event(event))
        partition = self.partitioner(key)
        known = isinstance(partition, int) and not isinstance(partition, bool)
        if not known or not 0 <= partition < self.partition_count:
            raise LessonError(
                f"the partitioner sent key {key!r:.40} to {partition!r:.40}; give one that returns 0 to "
                f"{self.partition_count - 1}"
            )
        return partition

    async def process_event(
        self, event: Event | Mapping[str, Any], *, source: str = "", offset: int | None = None
    ) -> bool:
        """Take an event; return once it waits in its partition's buffer. False when it was dropped instead.

        Taken is not handled: `flush` waits for that, and only a checkpoint makes it durable.

        Args:
            event: an Event, or the course's dict with "type", and "subject" (or "key") and "data".
            source, offset: where the event stands in what it is read from, for checkpoints and dead letters.

        Raises BufferFull or StreamClosed when it was not taken, and LessonError for what is no event.
        """
        event = as_event(event)
        if offset is not None:
            whole("offset", offset, least=0)
        text("source", source or "-", example="flights-0")
        partition = self._partitions[self.partition_of(event)]
        while not self._intake.is_set():
            await self._intake.wait()
        partition.start()
        buffer = partition.buffer
        now_s = asyncio.get_running_loop().time()
        entry = Entry(event, buffer.taken if offset is None else offset, now_s)
        dropped = await buffer.put(entry)
        if offset is not None:
            self._offsets[source] = max(self._offsets.get(source, 0), offset + 1)
        partition.came()
        if dropped is not None:
            self.dropped += 1
            partition.dropped()
            if self._on_drop is not None:
                self._on_drop(dropped.event, partition.number)
        return dropped is not entry

    async def flush(self) -> None:
        """Return when every event that was taken so far has been handled or set aside. Raises what ended a worker."""
        for partition in self._partitions:
            partition.hurry()
        for partition in self._partitions:
            await partition.reached(partition.buffer.taken)

    async def save(self) -> None:
        """Let everything through, then keep the state and the offsets that belong to it; durable on return."""
        if self._checkpoint is None:
            raise LessonError(
                "checkpoint=None, so there is nowhere to save to; give checkpoint=Checkpoint(disk)"
            )
        async with self._saving:
            self._intake.clear()
            try:
                await self.flush()
                while any(p.gone < p.buffer.taken for p in self._partitions):
                    await self.flush()  # of producers that had been waiting for room before
                offsets = dict(self._offsets)
                state = None if self._state is None else self._state.snapshot()
            finally:
                self._intake.set()
            await self._checkpoint.save(offsets, state)

    async def restore(self) -> dict[str, int]:
        """Put the state back as the last `save` had it; return the offset from which to read each source on."""
        if self._checkpoint is None:
            raise LessonError(
                "checkpoint=None, so there is nothing to restore; give checkpoint=Checkpoint(disk)"
            )
        saved = await self._checkpoint.load()
        if saved is not None:
            self._offsets = dict(saved.offsets)
            if self._state is not None and saved.state is not None:
                self._state.restore(saved.state)
        return dict(self._offsets)

    async def close(self) -> None:
        """Take no more events, handle all that were taken, then stop. May be called twice."""
        self.closed = True
        for partition in self._partitions:
            partition.buffer.close()
        try:
            await self.flush()
        finally:
            for partition in self._partitions:
                await partition.stop()

    async def __aenter__(self) -> StreamProcessor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
