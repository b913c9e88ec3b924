"""The ledger: what became of each event that was accepted. It is what "never lost" rests on.

An event is written down *before* anything is tried with it, and is pending until it was processed or set aside as a
dead letter. An error, a cancellation or a crash on the way leaves it pending, and it can be tried again.

In a system with a log (lesson 1) the log and a subscription's cursor do this; the ledger is for those without.
"""

from __future__ import annotations

import asyncio
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, whole
from lessonlib.event_driven.event import Event
from lessonlib.ports import Disk, MemoryDisk

LEDGER_FILE = "ledger"
PROCESSED, DEAD_LETTERED = "processed", "dead-lettered"
_RECORDS_MAX = 1_000  # settled ones, before the file is rewritten with the pending ones alone

Key = tuple[str, str]


class LedgerFull(LessonError):
    """There are so many pending events that no other is accepted. It was not accepted, so it is still yours."""


class Ledger:
    """Pending events on a disk, oldest first.

    Args:
        disk: where they are kept; left out, in memory.
        pending_max: how many may be pending at a time.
    """

    def __init__(self, disk: Disk | None = None, *, pending_max: int = 10_000) -> None:
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk")
        whole("pending_max", pending_max, least=1)
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._pending_max = pending_max
        self._entries: dict[Key, Any] = {}
        self._records = 0
        self._loaded = False
        self._lock = (
            asyncio.Lock()
        )  # one write at a time: what is appended while the file is rewritten would be lost

    async def accept(self, key: Key, event: Event | dict[str, Any]) -> None:
        """Write down that `event` is pending. Raises LedgerFull, or OSError when the disk cannot write."""
        await self._load()
        if key in self._entries:
            return  # it was pending before
        if len(self._entries) >= self._pending_max:
            raise LedgerFull(
                f"{len(self._entries)} events are pending, as many as may be; work some off, or raise pending_max"
            )
        kind = "Event" if isinstance(event, Event) else "dict"
        said = event.to_dict() if isinstance(event, Event) else event
        self._entries[key] = record = {"accepted": list(key), "kind": kind, "event": said}
        try:
            await self._write(record)
        except BaseException:
            self._entries.pop(key, None)
            raise

    async def settle(self, key: Key, outcome: str) -> None:
        """Write down that an event is no longer pending: PROCESSED or DEAD_LETTERED."""
        await self._load()
        if key in self._entries:
            await self._write({"settled": list(key), "outcome": outcome})
            self._entries.pop(key, None)
            if self._records > _RECORDS_MAX + 2 * len(self._entries):
                await self._compact()

    async def pending(self) -> list[tuple[Key, Event | dict[str, Any]]]:
        """Return the pending events with their keys, oldest first."""
        await self._load()
        return [
            (key, Event.from_dict(record["event"]) if record["kind"] == "Event" else record["event"])
            for key, record in self._entries.items()
        ]

    async def _write(self, record: dict[str, Any]) -> None:
        async with self._lock:
            await self._disk.append(LEDGER_FILE, record)
            self._records += 1

    async def _compact(self) -> None:
        """Put the pending events in place of all records, so that the file does not grow with what is settled."""
        async with self._lock:
            entries = list(self._entries.values())
            await self._disk.replace(LEDGER_FILE, entries)
            self._records = len(entries)

    async def _load(self) -> None:
        if self._loaded:
            return
        records = await self._disk.read(LEDGER_FILE)
        if self._loaded:  # another call was faster
            return
        self._loaded = True
        self._records = len(records)
        for record in records:
            if "accepted" in record:
                self._entries.setdefault(tuple(record["accepted"]), record)
            else:
                self._entries.pop(tuple(record["settled"]), None)
