"""A bounded buffer between a producer and a worker, and what happens when it is full.

Something always happens when events come faster than they are handled. An unbounded buffer only hides it, until the
memory is full. The choices:

| overflow      | when the buffer is full                       | fits                                        |
|---------------|-----------------------------------------------|---------------------------------------------|
| `block`       | the producer waits (**backpressure**)         | a source that can wait: a log, a file       |
| `drop_newest` | the new event is dropped                      | a sample is enough, the past counts         |
| `drop_oldest` | the event that has waited longest is dropped  | only the present counts: prices, positions  |
| `fail`        | the producer gets BufferFull                  | a caller that knows better what to do       |
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole
from lessonlib.event_driven.event import Event
from lessonlib.stream_processing.arguments import choice

OVERFLOW = ("block", "drop_newest", "drop_oldest", "fail")


class BufferFull(LessonError):
    """There was no room for the event, and the buffer was told to fail then. The event was not taken."""


class StreamClosed(LessonError):
    """The processor takes no more events. This one was not taken."""


class Entry(NamedTuple):
    """An event that waits.

    Attributes:
        event: the event.
        offset: where it stands in its source, or its number in this partition.
        since_s: when it came, by the loop's clock.
    """

    event: Event
    offset: int
    since_s: float


class Buffer:
    """Events that wait for the worker of one partition, at most `size_max`.

    Attributes:
        waiting: the events, oldest first.
        taken: how many have been put in or dropped so far.
    """

    def __init__(self, size_max: int, overflow: str = "block") -> None:
        whole("size_max", size_max, least=1)
        choice("overflow", overflow, OVERFLOW)
        self.size_max = size_max
        self.overflow = overflow
        self.waiting: deque[Entry] = deque()
        self.taken = 0
        self.closed = False
        self._door = asyncio.Lock()  # producers enter one by one, in the order in which they came
        self._queued = 0
        self._room = asyncio.Event()

    async def put(self, entry: Entry) -> Entry | None:
        """Put `entry` in; return the one that was dropped for it, if one was.

        Raises BufferFull when full and told to fail, StreamClosed when closed, also while waiting for room.
        """
        if self._queued or (self.overflow == "block" and len(self.waiting) >= self.size_max):
            self._queued += 1
            try:
                async with self._door:
                    while len(self.waiting) >= self.size_max and not self.closed:
                        self._room.clear()
                        await self._room.wait()
            finally:
                self._queued -= 1
        if self.closed:
            raise StreamClosed("this StreamProcessor is closed; make a new one, and give it the event again")
        dropped: Entry | None = None
        if len(self.waiting) >= self.size_max:
            if self.overflow == "fail":
                raise BufferFull(
                    f"the buffer holds {self.size_max} events and is full; wait and try again, or raise buffer_max"
                )
            if self.overflow == "drop_newest":
                self.taken += 1
                return entry
            dropped = self.waiting.popleft()
        self.taken += 1
        self.waiting.append(entry)
        return dropped

    def take(self, size_max: int) -> list[Entry]:
        """Return up to `size_max` of the events that wait, the oldest first, and make room."""
        waiting = self.waiting
        found = [waiting.popleft() for _ in range(min(size_max, len(waiting)))]
        self._room.set()
        return found

    def close(self) -> None:
        """Take no more events. Producers that wait are told."""
        self.closed = True
        self._room.set()
