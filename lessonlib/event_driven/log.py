"""The event log: events in the order in which they were appended, kept, and read from any offset.

A queue forgets a message once it is taken. A **log** keeps it. Each reader has a **cursor** of its own: the
offset of the *next* event it wants (as Kafka's committed offset). So one slow reader holds up no other, a
reader that was down goes on where it stopped, and one that must start over moves its cursor back to 0.

`append` returns once the event is durable. Appending an event that the log has already, by (source, id),
changes nothing and returns the old offset: a sender that is not sure may simply send again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from lessonlib.errors import LessonError
from lessonlib.event_driven.event import Event
from lessonlib.ports import Disk, MemoryDisk

LOG_FILE = "log"
CURSOR_FILE = "cursors"
EVENTS_MAX = 1_000_000
REMEMBERED_MAX = 100_000  # events by which a repeated append is recognised
CURSOR_RECORDS_MAX = 10_000  # cursor records on disk before they are rewritten as one a subscription


class LogError(LessonError):
    """The log was asked for something it cannot do."""


class EventLog:
    """An append-only log with cursors, in memory, or on a `Disk` and so across restarts.

    Args:
        disk: where the log lives; left out, it lives in memory.
        events_max: appending beyond this raises LogError.
    """

    def __init__(self, disk: Disk | None = None, *, events_max: int = EVENTS_MAX) -> None:
        if events_max < 1:
            raise LogError(f"events_max={events_max} leaves no room for an event; give 1 or more")
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._events_max = events_max
        self._events: list[Event] = []
        self._offsets: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._cursors: dict[str, int] = {}
        self._cursor_records = 0
        self._loaded = False
        self._lock = asyncio.Lock()  # one write at a time: a file has one end
        self._grown = asyncio.Event()

    async def append(self, event: Event) -> int:
        """Add `event` and return its offset, once it is durable. Raises OSError when the disk fails."""
        async with self._lock:
            await self._load()
            known = self._offsets.get(event.key)
            if known is not None:
                return known
            if len(self._events) >= self._events_max:
                raise LogError(f"the log is full at {self._events_max} events; raise events_max")
            await self._disk.append(LOG_FILE, event.to_dict())
            return self._remember(event)

    async def read(self, offset: int, *, limit: int = 100, wait_s: float = 0) -> list[tuple[int, Event]]:
        """Return up to `limit` (offset, event) pairs from `offset` on.

        When there is none yet, waits up to `wait_s` seconds for one, and returns an empty list if none came.
        """
        if not isinstance(offset, int) or offset < 0 or limit < 1:
            raise LogError(f"cannot read {limit!r} events from offset {offset!r}; an offset is 0 or more")
        async with self._lock:
            await self._load()
        if offset >= len(self._events) and wait_s > 0:
            try:
                async with asyncio.timeout(wait_s):
                    while offset >= len(self._events):
                        await self._grown.wait()
            except TimeoutError:
                return []
        return list(enumerate(self._events[offset : offset + limit], offset))

    async def committed(self, subscription: str) -> int:
        """Return the cursor of `subscription`: the next offset it wants; 0 for one not seen before."""
        async with self._lock:
            await self._load()
            return self._cursors.get(subscription, 0)

    async def commit(self, subscription: str, offset: int) -> None:
        """Move the cursor of `subscription` forward to `offset`, the *next* one to read; durable on return.

        A cursor never goes back here, so a commit that arrives late or twice does no harm. See `rewind`.
        """
        await self._move(subscription, offset, back=False)

    async def rewind(self, subscription: str, offset: int = 0) -> None:
        """Move the cursor of `subscription` back to `offset`, so that it reads all from there again."""
        await self._move(subscription, offset, back=True)

    async def end(self) -> int:
        """Return the offset that the next event will get. Lag is this less the committed offset."""
        async with self._lock:
            await self._load()
            return len(self._events)

    async def _move(self, subscription: str, offset: int, *, back: bool) -> None:
        async with self._lock:
            await self._load()
            if not isinstance(offset, int) or not 0 <= offset <= len(self._events):
                raise LogError(
                    f"cannot move {subscription!r} to offset {offset!r}; the log goes from 0 to {len(self._events)}"
                )
            if not back and offset <= self._cursors.get(subscription, 0):
                return
            if self._cursor_records >= CURSOR_RECORDS_MAX:
                cursors = {**self._cursors, subscription: offset}
                await self._disk.replace(
                    CURSOR_FILE, [{"subscription": s, "offset": o} for s, o in cursors.items()]
                )
                self._cursor_records = len(cursors)
            else:
                await self._disk.append(CURSOR_FILE, {"subscription": subscription, "offset": offset})
                self._cursor_records += 1
            self._cursors[subscription] = offset

    async def _load(self) -> None:
        """Read what an earlier incarnation left on the disk, once."""
        if self._loaded:
            return
        for record in await self._disk.read(LOG_FILE):
            self._remember(Event.from_dict(record))
        for record in await self._disk.read(CURSOR_FILE):
            self._cursors[record["subscription"]] = record["offset"]
            self._cursor_records += 1
        self._loaded = True

    def _remember(self, event: Event) -> int:
        offset = len(self._events)
        self._events.append(event)
        self._offsets[event.key] = offset
        if len(self._offsets) > REMEMBERED_MAX:
            self._offsets.popitem(last=False)
        self._grown.set()
        self._grown = asyncio.Event()
        return offset
