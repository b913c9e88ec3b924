"""A topic: a log in several partitions. Order is kept within each, and each can be read by another machine."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, whole
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.log import check_event
from lessonlib.ports import Disk, MemoryDisk

TOPIC_FILE = "topic"
EVENTS_MAX = 1_000_000
REMEMBERED_MAX = 100_000  # events by which a repeated append is recognised


class Topic:
    """Append-only partitions in memory, or on a `Disk` and so across restarts.

    Args:
        partition_count: how many.
        disk: where they live; left out, in memory.
    """

    def __init__(self, partition_count: int, disk: Disk | None = None) -> None:
        whole("partition_count", partition_count, least=1)
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk")
        self.partition_count = partition_count
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._partitions: list[list[Event]] = [[] for _ in range(partition_count)]
        self._places: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self._count = 0
        self._loaded = False
        self._lock = asyncio.Lock()

    async def append(self, partition: int, event: Event) -> int:
        """Add `event` to a partition and return its offset there, once it is durable.

        An event that the topic has already, by (source, id), changes nothing. Raises OSError when the disk fails.
        """
        check_event(event)
        self._check_partition(partition)
        async with self._lock:
            await self._load()
            known = self._places.get(event.key)
            if known is not None:
                return known[1]
            if self._count >= EVENTS_MAX:
                raise LessonError(f"the topic is full at {EVENTS_MAX} events; make a new one")
            await self._disk.append(TOPIC_FILE, {"partition": partition, "event": event.to_dict()})
            return self._keep(partition, event)

    async def read(self, partition: int, offset: int, *, limit: int = 100) -> list[tuple[int, Event]]:
        """Return up to `limit` (offset, event) pairs of a partition, from `offset` on."""
        self._check_partition(partition)
        whole("offset", offset, least=0)
        whole("limit", limit, least=1)
        async with self._lock:
            await self._load()
        return list(enumerate(self._partitions[partition][offset : offset + limit], offset))

    async def ends(self) -> list[int]:
        """Return the offset that the next event of each partition will get."""
        async with self._lock:
            await self._load()
        return [len(events) for events in self._partitions]

    def _check_partition(self, partition: int) -> None:
        whole("partition", partition, least=0)
        if partition >= self.partition_count:
            raise LessonError(f"partition={partition} does not exist; give 0 to {self.partition_count - 1}")

    async def _load(self) -> None:
        if not self._loaded:
            for record in await self._disk.read(TOPIC_FILE):
                self._keep(record["partition"], Event.from_dict(record["event"]))
            self._loaded = True

    def _keep(self, partition: int, event: Event) -> int:
        events = self._partitions[partition]
        events.append(event)
        self._count += 1
        self._places[event.key] = (partition, len(events) - 1)
        if len(self._places) > REMEMBERED_MAX:
            self._places.popitem(last=False)
        return len(events) - 1
