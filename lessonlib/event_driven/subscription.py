"""A subscription: one handler's way through the log, at its own pace.

    read from the cursor  →  deliver  →  commit offset + 1  →  read on

The order of the last two is the whole idea. **Commit after the effect**: a crash in between means that the
event comes again (at least once). Commit before it, and a crash means that it never comes (at most once).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from lessonlib.event_driven.arguments import able, file_name, function, text, whole
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.remote import NotAcknowledged

READ_WAIT_S = 2.0
TROUBLE_WAIT_S = 0.5


class Log(Protocol):
    """What a subscription needs of a log: `EventLog` and `RemoteEventLog` have it."""

    async def read(self, offset: int, *, limit: int = 100, wait_s: float = 0) -> list[tuple[int, Event]]: ...
    async def committed(self, subscription: str) -> int: ...
    async def commit(self, subscription: str, offset: int) -> None: ...
    async def rewind(self, subscription: str, offset: int = 0) -> None: ...


class Subscription:
    """Reads a log for one handler and keeps its cursor.

    Args:
        log: the log.
        name: whose cursor it is. Two subscriptions of one name share a cursor, and so the events.
        deliver: called with (offset, event), one event at a time; its return means that all is durable.
        event_type: which events are delivered; "*" for all. The cursor passes over the others.
    """

    def __init__(
        self,
        log: Log,
        name: str,
        deliver: Callable[[int, Event], Awaitable[None]],
        *,
        event_type: str = "*",
    ) -> None:
        able("log", log, ("read", "committed", "commit", "rewind"), example="an EventLog")
        file_name("name", name, example="inventory")
        function("deliver", deliver, example="a function of (offset, event), as delivery.deliver is")
        text("event_type", event_type, example="order_created")
        self.name = name
        self._log = log
        self._deliver = deliver
        self._event_type = event_type
        self._offset: int | None = None  # the next to read; None while the log has to be asked
        self._rewinds = 0
        self._passed = asyncio.Condition()

    async def run(self) -> None:
        """Read, deliver and commit for ever. Trouble with the log or the disk is waited out."""
        while True:
            try:
                await self._read_once()
            except (OSError, NotAcknowledged):
                self._offset = None
                await asyncio.sleep(TROUBLE_WAIT_S)

    async def _read_once(self) -> None:
        rewinds = self._rewinds
        if self._offset is None:
            committed = await self._log.committed(self.name)
            if self._rewinds != rewinds:
                return  # the answer is from before the cursor was moved back
            await self._stand_at(committed)
        assert self._offset is not None
        found = await self._log.read(self._offset, wait_s=READ_WAIT_S)
        if not found and self._rewinds == rewinds:
            self._offset = None  # time to ask again: somebody else may have moved the cursor back
        for offset, event in found:
            if self._event_type in ("*", event.type):
                await self._deliver(offset, event)
            if self._rewinds != rewinds:
                return  # while we were at it, the cursor was moved back: what was read counts no more
            await self._log.commit(self.name, offset + 1)
            if self._rewinds != rewinds:
                return
            await self._stand_at(offset + 1)

    async def _stand_at(self, offset: int) -> None:
        self._offset = offset
        async with self._passed:
            self._passed.notify_all()

    async def rewind(self, offset: int = 0) -> None:
        """Start over from `offset`. What the handler did with those events before, it will be asked again."""
        whole("offset", offset, least=0)
        self._rewinds += 1
        await self._log.rewind(self.name, offset)
        self._rewinds += 1
        self._offset = offset

    async def reached(self, end: int) -> None:
        """Wait until every event before offset `end` has been delivered and committed."""
        whole("end", end, least=0)
        async with self._passed:
            await self._passed.wait_for(lambda: self._offset is not None and self._offset >= end)
