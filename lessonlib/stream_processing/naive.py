"""The textbook version: what a course prints on one page, with the same interface as the pattern.

It is short, it is plausible, and on a good day it works. Each defect is marked where it stands, as D1 to D17.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from lessonlib.event_driven.event import Event
from lessonlib.ports import Disk, Ports, local_ports
from lessonlib.stream_processing.requests import Client, serve
from lessonlib.stream_processing.topic import Topic

EventDict = Mapping[str, Any]


class StreamProcessor:
    """Spreads events over partitions and processes each partition in batches."""

    def __init__(
        self,
        partition_count: int,
        batch_size: int = 1000,
        processing_window: timedelta = timedelta(minutes=1),
        *,
        handlers: Mapping[str, Callable[[list[EventDict]], Awaitable[Any]]] | None = None,
        hash_function: Callable[[Any], int] = hash,
        report: Callable[[str], Any] = print,
        ports: Ports | None = None,
    ) -> None:
        self.partition_count = partition_count
        self.batch_size = batch_size
        self.processing_window = processing_window  # D5: nobody looks at it: a partial batch waits for ever
        self.handlers = dict(handlers or {})
        self.buffers: list[list[EventDict]] = [[] for _ in range(partition_count)]
        self.busy = [False] * partition_count
        self._hash = hash_function
        self._report = report

    def partition_of(self, event: EventDict) -> int:
        # D1: hash() of a str is salted anew in each process, so after a restart a key goes elsewhere
        # D2: and it is the event's id, not what the event is about, so even a stable hash scatters one order
        return self._hash(event["id"]) % self.partition_count

    async def process_event(self, event: EventDict) -> None:
        partition = self.partition_of(event)
        self.buffers[partition].append(event)  # D7: nothing bounds it, and nobody is slowed
        # D9: what comes while the partition is busy is left where it is, until another event happens to come
        if len(self.buffers[partition]) >= self.batch_size and not self.busy[partition]:
            self.busy[partition] = True
            asyncio.get_running_loop().create_task(self._process_batch(partition))  # D8: and never awaited

    async def _process_batch(self, partition: int) -> None:
        batch = self.buffers[partition][: self.batch_size]
        del self.buffers[partition][: self.batch_size]
        try:
            groups: dict[str, list[EventDict]] = {}
            for event in batch:
                # D3: created, cancelled, created, paid becomes created, created, cancelled, paid
                groups.setdefault(event["type"], []).append(event)
            for event_type, events in groups.items():
                await self.handlers[event_type](events)  # D4: if one fails, the later groups are not tried
        except Exception as error:
            self._report(f"Error processing batch: {error}")  # D6: printed, and the batch is lost
        finally:
            self.busy[partition] = False

    async def flush(self) -> None:
        for partition, buffer in enumerate(self.buffers):
            if buffer and not self.busy[partition]:
                self.busy[partition] = True
                asyncio.get_running_loop().create_task(self._process_batch(partition))

    async def close(self) -> None:
        await self.flush()  # D8 again: it starts the work and does not wait for it


class WindowCounter:
    """Counts events by key and window."""

    def __init__(self, size_s: float) -> None:
        self.size_s = size_s
        self.windows: dict[tuple[str, float], int] = {}
        self.reported_s = float("-inf")

    def process(self, key: str, time_s: float, *, source: str, now_s: float) -> list[tuple[Any, ...]]:
        start_s = now_s // self.size_s * self.size_s  # D10: when it arrived, not when it happened
        if start_s < self.reported_s:
            return []  # D12: too late; nobody hears of it
        self.windows[key, start_s] = self.windows.get((key, start_s), 0) + 1
        return self._close(time_s)

    def _close(self, time_s: float) -> list[tuple[Any, ...]]:
        """Report what is complete: D11: as soon as any event from anywhere is past the end of a window."""
        found = []
        for key, start_s in list(self.windows):
            if start_s + self.size_s <= time_s:
                found.append((key, (start_s, start_s + self.size_s), self.windows.pop((key, start_s))))
                self.reported_s = max(self.reported_s, start_s + self.size_s)
        return found

    def tick(self, now_s: float) -> list[tuple[Any, ...]]:
        return []

    def end(self) -> list[tuple[Any, ...]]:
        return self._close(float("inf"))


class Checkpoint:
    """Keeps the state and the offsets."""

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk = disk if disk is not None else local_ports().disk

    async def save(self, offsets: Mapping[str, int], state: Any) -> None:
        # D13: two writes, and a crash fits between them: what is in the state is read again
        await self._disk.replace("state", [state])
        await self._disk.replace("offsets", [dict(offsets)])

    async def load(self) -> Any:
        state, offsets = await self._disk.read("state"), await self._disk.read("offsets")
        return _Loaded(offsets[-1] if offsets else {}, state[-1]) if state else None


class _Loaded:
    def __init__(self, offsets: dict[str, int], state: Any) -> None:
        self.offsets = offsets
        self.state = state


class GroupCoordinator:
    """Tells each member of a group which partitions to read, and remembers how far each one is read."""

    def __init__(
        self,
        topic: Topic,
        ports: Ports,
        *,
        session_s: float = 4.0,
        on_assignment: Callable[[list[str], Any, Any], Any] | None = None,
    ) -> None:
        self._topic, self._ports, self._session_s = topic, ports, session_s
        self._heard: dict[str, float] = {}
        self._alive: list[str] = []
        self._assignment: dict[str, tuple[int, ...]] = {}
        self._on_assignment = on_assignment

    async def run(self) -> None:
        await serve(self._ports, self.answer)

    def grown(self) -> None:
        pass

    async def answer(self, op: str, given: dict[str, Any]) -> Any:
        if op == "commit":
            # D16: whoever commits is believed, also one that was paused and has long been replaced
            await self._ports.disk.replace(f"offset-{given['partition']}", [given["offset"]])
            return True
        now_s = asyncio.get_running_loop().time()
        self._heard[given["member"]] = now_s
        alive = sorted(m for m, heard_s in self._heard.items() if now_s - heard_s <= self._session_s)
        if alive != self._alive:
            # D14: modulo: one member more, and nearly every partition moves
            # D15: at once, without waiting until its reader is done with what it has
            count = self._topic.partition_count
            after = {m: tuple(range(i, count, len(alive))) for i, m in enumerate(alive)}
            if self._on_assignment is not None:
                self._on_assignment(alive, self._assignment, after)
            self._alive, self._assignment = alive, after
        events = {}
        for p in self._assignment[given["member"]]:
            offset = next(iter(await self._ports.disk.read(f"offset-{p}")), 0)
            if found := await self._topic.read(p, offset):
                events[str(p)] = [[number, event.to_dict()] for number, event in found]
        return events


class ConsumerGroup:
    """A worker: asks for events, handles them, keeps what came of them on its own disk, commits."""

    def __init__(
        self,
        address: str,
        handle: Callable[[int, Any, Any], Awaitable[Any]],
        *,
        ports: Ports | None = None,
        initial: Callable[[], Any] = dict,
    ) -> None:
        self._ports = ports if ports is not None else local_ports()
        self._client = Client(address, self._ports)
        self._handle = handle
        self._initial = initial

    async def run(self) -> None:
        name = self._ports.transport.name
        while True:
            batches = await self._client.ask("poll", member=name)
            for p, events in batches.items():
                # D17: the state stays with the worker; who gets the partition next begins with an empty one
                state = next(iter(await self._ports.disk.read(f"state-{p}")), None) or self._initial()
                await self._handle(int(p), tuple(Event.from_dict(event) for _, event in events), state)
                await self._ports.disk.replace(f"state-{p}", [state])
                # D13 again: a crash here, and the events come again
                await self._client.ask("commit", partition=int(p), offset=events[-1][0] + 1)
            if not batches:
                await asyncio.sleep(0.5)
