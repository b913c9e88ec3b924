"""The transactional outbox: change your data and announce it, both or neither.

A service that writes its database and *then* publishes can crash in between: the order exists and nobody hears
of it. The other way round, everybody hears of an order that does not exist. No order of two writes helps. So
there is one write: the order and the event to be sent go into the database in one record. A **relay** reads
what has not been sent, publishes it, and marks it as sent. It may publish twice (a crash before the mark),
never not at all; the event's id stays the same, so the log recognises it.

Source: C. Richardson, Microservices Patterns, "Transactional outbox".
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import able, ports_or_local, text
from lessonlib.event_driven.event import Event, rfc3339
from lessonlib.event_driven.remote import NotAcknowledged
from lessonlib.ports import Ports

ORDERS_FILE = "orders"
SENT_FILE = "sent"
TROUBLE_WAIT_S = 0.5


class _Log(Protocol):
    async def append(self, event: Event) -> int: ...


class Outbox:
    """A service's database of orders with an outbox in it.

    Args:
        log: where events are announced.
        ports: for the disk, which is the database, and the calendar.
        source: who says so.
    """

    def __init__(self, log: _Log, *, ports: Ports | None = None, source: str = "shop") -> None:
        able("log", log, ("append",), example="an EventLog or a RemoteEventLog")
        text("source", source, example="shop")
        self._log = log
        self._ports = ports_or_local(ports)
        self._source = source
        self._work = asyncio.Event()

    async def place(self, order: dict[str, Any]) -> Event:
        """Store `order` and the event that announces it, in one write; return the event once both are durable."""
        if not isinstance(order, dict):
            raise LessonError(
                f"order={order!r:.60} should be a dict; give what is to be stored and announced"
            )
        event = Event("order_created", self._source, order, time=rfc3339(self._ports.clock.now()))
        await self._ports.disk.append(ORDERS_FILE, {"order": order, "event": event.to_dict()})
        self._work.set()
        return event

    async def relay(self) -> None:
        """Announce what is not announced yet, for ever; the service's background task.

        Trouble with the log or the disk is waited out: what has no mark is tried again.
        """
        while True:
            self._work.clear()
            try:
                await self._announce_all()
            except (OSError, NotAcknowledged):
                await asyncio.sleep(TROUBLE_WAIT_S)
            else:
                await self._work.wait()

    async def _announce_all(self) -> None:
        disk = self._ports.disk
        sent = len(await disk.read(SENT_FILE))  # one mark for each order, in the same order
        for row in (await disk.read(ORDERS_FILE))[sent:]:
            await self._log.append(Event.from_dict(row["event"]))
            await disk.append(SENT_FILE, {"id": row["event"]["id"]})
