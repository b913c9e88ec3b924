"""Idempotent handling: however often an event is delivered, it has its effect once.

Delivery at least once plus effects that happen once is all that "exactly once" can mean. Three things make it:

- **Recognise** the event by (source, id).
- Write the effect and the fact that it happened in **one** durable step. In two steps, a crash between them
  leaves an effect that will be repeated, or a mark for an effect that never was.
- Look and act **without anybody between**: two deliveries of one event may be in progress at once.

Ids cannot be remembered for ever, so a bound says how far back a repetition is recognised.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, file_name, whole
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.handlers import EventHandler
from lessonlib.event_driven.log import check_event
from lessonlib.ports import Disk, MemoryDisk

REMEMBER_MAX = 10_000


class IdempotentHandler(EventHandler):
    """A handler whose effect on `state` happens once an event. Subclasses say what it is: `decide`, `apply`.

    Args:
        disk: where changes are recorded; left out, in memory.
        file: the file on it.
        state: the state before any change, plain data.
        remember_max: how many of the latest events are recognised when they come again.
    """

    def __init__(
        self,
        disk: Disk | None = None,
        *,
        file: str = "effects",
        state: dict[str, Any] | None = None,
        remember_max: int = REMEMBER_MAX,
    ) -> None:
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk")
        file_name("file", file, example="effects")
        if state is not None and not isinstance(state, dict):
            raise LessonError(f"state={state!r:.60} should be a dict; give the state before any change")
        whole("remember_max", remember_max, least=1)
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._file = file
        self.state: dict[str, Any] = state if state is not None else {}
        self._remember_max = remember_max
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._records = 0
        self._loaded = False
        self._lock = asyncio.Lock()

    @abstractmethod
    def decide(self, event: Event) -> dict[str, Any]:
        """Return the change that `event` makes, as plain data. Raise if it makes no sense; change nothing."""

    @abstractmethod
    def apply(self, change: Mapping[str, Any]) -> None:
        """Carry out a change on `self.state`. Called once a change, and again for each at a restart."""

    async def handle(self, event: Event) -> None:
        """Handle `event` unless it was handled before. Raises what `decide` or the disk raises."""
        check_event(event)
        async with self._lock:
            await self._load()
            if event.key in self._seen:
                return
            change = self.decide(event)
            # The effect and the mark in one record: after a crash either both are there or neither is.
            await self._disk.append(self._file, {**change, "source": event.source, "id": event.id})
            self._keep(event.key, change)
            if self._records > 2 * self._remember_max:
                await self._compact()

    async def _load(self) -> None:
        if self._loaded:
            return
        for record in await self._disk.read(self._file):
            if "snapshot" in record:
                self.state = record["snapshot"]
                self._seen = OrderedDict(((source, id_), None) for source, id_ in record["seen"])
                self._records = 1
            else:
                self._keep((record["source"], record["id"]), record)
        self._loaded = True

    def _keep(self, key: tuple[str, str], change: Mapping[str, Any]) -> None:
        self.apply(change)
        self._records += 1
        self._seen[key] = None
        if len(self._seen) > self._remember_max:
            self._seen.popitem(last=False)

    async def _compact(self) -> None:
        """Put one snapshot in place of all records, so that neither file nor restart grows with history."""
        await self._disk.replace(
            self._file, [{"snapshot": self.state, "seen": [list(k) for k in self._seen]}]
        )
        self._records = 1
