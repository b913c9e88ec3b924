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
from lessonlib.event_driven.arguments import DISK, able, seconds, text, whole
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
        whole("events_max", events_max, least=1, error=LogError)
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk", error=LogError)
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._events_max = events_max
        self._events: list[Event] = []
        self._offsets: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._cursors: dict[str, tuple[int, int]] = {}  # (next offset, how often it was moved back)
        self._cursor_records = 0
        self._loaded = False
        self._lock = asyncio.Lock()  # one write at a time: a file has one end
        self._grown = asyncio.Event()

    async def append(self, event: Event) -> int:
        """Add `event` and return its offset, once it is durable. Raises OSError when the disk fails."""
        check_event(event)
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
        check_read(offset, limit, wait_s)
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
        return (await self.cursor(subscription))[0]

    async def cursor(self, subscription: str) -> tuple[int, int]:
        """Return (the next offset that `subscription` wants, how often its cursor was moved back)."""
        check_cursor(subscription)
        async with self._lock:
            await self._load()
            return self._cursors.get(subscription, (0, 0))

    async def commit(self, subscription: str, offset: int, *, rewinds: int | None = None) -> None:
        """Move the cursor of `subscription` forward to `offset`, the *next* one to read; durable on return.

        A cursor never goes back here, so a commit that arrives late or twice does no harm. See `rewind`.

        Args:
            rewinds: how often the cursor had been moved back when this was sent, as `cursor` says. If it was
                moved back since, the request is from before, and is ignored. Left out, it counts as of now.
        """
        check_cursor(subscription, offset)
        await self._move(subscription, offset, back=False, rewinds=rewinds)

    async def rewind(self, subscription: str, offset: int = 0, *, rewinds: int | None = None) -> None:
        """Move the cursor of `subscription` back to `offset`, so that it reads all from there again.

        With `rewinds`, as for `commit`: the same request may come twice, and moves the cursor back once.
        """
        check_cursor(subscription, offset)
        await self._move(subscription, offset, back=True, rewinds=rewinds)

    async def end(self) -> int:
        """Return the offset that the next event will get. Lag is this less the committed offset."""
        async with self._lock:
            await self._load()
            return len(self._events)

    async def _move(self, subscription: str, offset: int, *, back: bool, rewinds: int | None) -> None:
        async with self._lock:
            await self._load()
            if offset > len(self._events):
                raise LogError(
                    f"offset={offset} is beyond the log's end; give at most {len(self._events)}, its end"
                )
            at, moved_back = self._cursors.get(subscription, (0, 0))
            too_late = rewinds is not None and rewinds != moved_back
            if too_late or (not back and offset <= at):
                return
            cursor = (offset, moved_back + back)
            if self._cursor_records >= CURSOR_RECORDS_MAX:
                cursors = {**self._cursors, subscription: cursor}
                await self._disk.replace(CURSOR_FILE, [_cursor_record(s, *c) for s, c in cursors.items()])
                self._cursor_records = len(cursors)
            else:
                await self._disk.append(CURSOR_FILE, _cursor_record(subscription, *cursor))
                self._cursor_records += 1
            self._cursors[subscription] = cursor

    async def _load(self) -> None:
        """Read what an earlier incarnation left on the disk, once."""
        if self._loaded:
            return
        for record in await self._disk.read(LOG_FILE):
            self._remember(Event.from_dict(record))
        for record in await self._disk.read(CURSOR_FILE):
            self._cursors[record["subscription"]] = (record["offset"], record.get("rewinds", 0))
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


def _cursor_record(subscription: str, offset: int, rewinds: int) -> dict[str, object]:
    return {"subscription": subscription, "offset": offset} | ({"rewinds": rewinds} if rewinds else {})


def check_event(event: object) -> None:
    """Refuse what is no event."""
    if not isinstance(event, Event):
        raise LogError(f"event={event!r:.60} is no Event; make one: Event('order_created', 'shop', data)")


def check_read(offset: object, limit: object, wait_s: object) -> None:
    """Refuse to read from nowhere, nothing, or for ever."""
    whole("offset", offset, least=0, error=LogError)
    whole("limit", limit, least=1, error=LogError)
    seconds("wait_s", wait_s, error=LogError)


def check_cursor(subscription: object, offset: object = 0) -> None:
    """Refuse a cursor without a name, or at no offset."""
    text("subscription", subscription, example="inventory", error=LogError)
    whole("offset", offset, least=0, error=LogError)
