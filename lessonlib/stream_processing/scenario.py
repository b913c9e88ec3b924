"""Where the pattern meets the laboratory. Four scenarios, all fed with the departures of `departures.py`:

- `BATCHES`: keys, batches, backpressure. One node hosts a processor; each flight is announced, perhaps delayed, and
  departs: three types of event, about one aircraft. Handlers fail and dawdle, a key grows hot, a new version is deployed.
- `WINDOWS`: event time. Three airports send departures to a counter of airlines by the hour.
- `RESTORE`: a worker reads a log, counts, saves checkpoints on its disk, and crashes.
- `GROUP`: a broker with a topic in partitions, and a group of workers that crash, pause and return.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from math import inf
from typing import Any

from lessonlib.event_driven.event import Event
from lessonlib.event_driven.log import EventLog
from lessonlib.event_driven.remote import LogServer, NotAcknowledged, RemoteEventLog
from lessonlib.lab.faults import (
    Burst,
    Crash,
    CrashAfterWrite,
    Delay,
    Duplication,
    FailingDisk,
    Fault,
    HandlerError,
    Loss,
    OneWayPartition,
    Partition,
    Pause,
    Poison,
    Reordering,
    SlowDisk,
    SlowHandler,
    SlowNode,
)
from lessonlib.lab.rules import nothing_died
from lessonlib.lab.scenario import Param, Parts, Run, Scenario
from lessonlib.lab.world import Node, World
from lessonlib.stream_processing import naive, rules
from lessonlib.stream_processing.aggregation import LateEvent, WindowedAggregation
from lessonlib.stream_processing.buffer import Buffer
from lessonlib.stream_processing.checkpoint import Checkpoint
from lessonlib.stream_processing.coordinator import GroupCoordinator, sticky
from lessonlib.stream_processing.departures import AIRPORTS, HOUR_S, departures
from lessonlib.stream_processing.group import ConsumerGroup
from lessonlib.stream_processing.mystery import SharedWatermark
from lessonlib.stream_processing.partitioner import KeyPartitioner
from lessonlib.stream_processing.processor import StreamProcessor
from lessonlib.stream_processing.topic import Topic
from lessonlib.stream_processing.watermark import Watermark
from lessonlib.stream_processing.windows import TumblingWindows

TYPES = ("scheduled", "delayed", "departed")
DELAYED_S = 15 * 60  # who leaves so late is announced as delayed
ANNOUNCED_S = HOUR_S  # how long before its time a flight is announced
FLIGHTS_MAX = 6034
RETRY_S = 0.1
TRIES_MAX = 300  # in a row; who has waited so long in vain tries each later event once
DOWN_S = 0.05  # how long a deployment takes


@dataclass(frozen=True, slots=True)
class HotKey(Fault):
    """Every event made in this time is about `key`."""

    form = "{start_s}..{end_s} hot {key}"
    start_s: float
    end_s: float
    key: str


@dataclass(frozen=True, slots=True)
class Deploy(Fault):
    """A new version is deployed: the processor is closed, and its process replaced by a new one."""

    form = "at {at_s} deploy {node}"
    at_s: float
    node: str


@dataclass(frozen=True, slots=True)
class IdleSource(Fault):
    """No plane leaves from airport `target`: these flights do not happen, and it has nothing to say."""

    form = "{start_s}..{end_s} idle {target}"
    start_s: float
    end_s: float
    target: str


def _call(op: str, event: Any, memory: dict[str, Any]) -> Any:
    return memory[op](event)


def _param(name: str, default: int, low: int, high: int, unit: str, help: str) -> Param:
    return Param(name, default, low, high, unit, help)


FLIGHTS = "How many departures of the week, from its beginning."


# ---- Keys, batches, backpressure -------------------------------------------------------------------------


@cache
def _announcements(flights: int) -> tuple[dict[str, Any], ...]:
    """The events of so many flights, in the order in which they are made."""
    made = []
    for row in departures()[:flights]:
        times = [(row.scheduled_s - ANNOUNCED_S, "scheduled"), (row.departed_s, "departed")]
        if row.late_s >= DELAYED_S:
            times.insert(1, (row.scheduled_s, "delayed"))
        made += [(time_s, i, kind, row) for i, (time_s, kind) in enumerate(times)]
    made.sort(key=lambda m: (m[0], m[3].flight, m[1]))
    return tuple(
        {"type": kind, "key": row.tail, "data": {"flight": row.flight, "number": number}}
        for number, (_, _, kind, row) in enumerate(made, 1)
    )


def _build_batches(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    window_s, work_s = params["window_ms"] / 1000, params["work_ms"] / 1000
    world.record(
        "configured",
        "processor",
        buffer=max(params["buffer"], params["batch_size"]),
        batch_size=params["batch_size"],
        window_s=window_s,
        work_s=work_s,
        partitions=params["partitions"],
    )

    def boot(node: Node) -> None:
        processor: Any = None
        depths = [0] * params["partitions"]

        def look() -> None:
            now = _depths(processor)
            for partition, (was, depth) in enumerate(zip(depths, now, strict=True)):
                if was != depth:
                    world.record("depth", node.name, partition=partition, depth=depth)
            depths[:] = now

        handlers = {kind: _handler(world, node, kind, work_s, look) for kind in TYPES}
        processor = parts["processor"](
            params["partitions"],
            params["batch_size"],
            timedelta(seconds=window_s),
            handlers=handlers,
            ports=node.ports,
            **parts["settings"](node, parts, params),
        )

        async def process(event: dict[str, Any]) -> bool:
            # What a key is placed by is decided before anybody waits.
            partition = processor.partition_of(event)
            taken = await processor.process_event(event)
            world.record(
                "placed",
                node.name,
                number=event["data"]["number"],
                key=event["subject"],
                partition=partition,
                incarnation=node.incarnation,
            )
            look()
            return taken is not False

        node.memory["process"] = process
        node.memory["close"] = processor.close

    world.node("processor", boot)
    return _announcer(world, params)


def _depths(processor: Any) -> list[int]:
    found = getattr(processor, "depths", None)
    return list(found) if found is not None else [len(buffer) for buffer in processor.buffers]


def _handler(
    world: World, node: Node, kind: str, work_s: float, look: Callable[[], None]
) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def handle(events: Any) -> None:
        look()
        slow = world.active(SlowHandler, kind)
        await asyncio.sleep(work_s * len(events) + (slow.by_s if slow is not None else 0))
        for event in events:
            if event["data"].get("poison"):
                raise ValueError(f"event {event['data']['number']} has no gate")
        if world.active(HandlerError, kind) is not None:
            raise ConnectionError(f"the database of {kind} flights refuses connections")
        for event in events:
            data = event["data"]
            world.record(
                "handled", node.name, number=data["number"], key=data["key"], seq=data["seq"], type=kind
            )

    return handle


async def _announcer(world: World, params: Mapping[str, Any]) -> None:
    """One source, which makes one event after the other at its rate, and waits while it is made to wait."""
    seqs: dict[str, int] = {}
    deploying: asyncio.Task[None] | None = None
    hurry, tries = 0, TRIES_MAX
    due_s = 0.0
    for made in _announcements(params["flights"]):
        due_s = max(due_s + 1 / params["rate_per_s"], world.now_s) if not hurry else world.now_s
        hurry = max(0, hurry - 1)
        await asyncio.sleep(due_s - world.now_s)
        while (burst := world.take(Burst)) is not None:
            hurry += burst.count
        hot = next(iter(world.in_force(HotKey, "")), None)
        key = hot.key if hot is not None else made["key"]
        seqs[key] = seqs.get(key, 0) + 1
        data = {**made["data"], "key": key, "seq": seqs[key]}
        if world.take(Poison, made["type"]) is not None:
            data["poison"] = True
        number = data["number"]
        event = {
            "id": f"announcement-{number}",
            "source": "airport",
            "type": made["type"],
            "subject": key,
            "data": data,
        }
        if (deploy := world.take(Deploy)) is not None and (deploying is None or deploying.done()):
            deploying = world.loop.create_task(_deploy(world, deploy.node), name="deployment")
        tries = TRIES_MAX if await _offer(world, event, tries) else 1
    if deploying is not None:
        await deploying


async def _offer(world: World, event: dict[str, Any], tries: int) -> bool:
    """Offer an event until it is taken; return whether it was."""
    about = {
        name: event["data"][name] for name in ("number", "key", "seq", "poison") if name in event["data"]
    }
    for _ in range(tries):
        done = await world.invoke(
            "processor", "process", lambda memory: memory["process"](event), kind=event["type"], **about
        )
        if done is not None:
            return True
        await asyncio.sleep(RETRY_S)
    return False


async def _deploy(world: World, name: str) -> None:
    await world.invoke(name, "close", lambda memory: memory["close"]())
    world.crash(name)
    await asyncio.sleep(DOWN_S)
    world.restart(name)


def _salted(node: Node) -> Callable[[Any], int]:
    """The node's own salted hash, as a fresh Python process would have."""
    salt = f"{node.world.seed}/{node.name}/{node.incarnation}"
    return lambda value: int.from_bytes(hashlib.sha256(f"{salt}/{value}".encode()).digest()[:6], "big")


def _textbook_settings(node: Node, parts: Parts, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"hash_function": _salted(node), "report": lambda text: None}


def _pattern_settings(node: Node, parts: Parts, params: Mapping[str, Any]) -> dict[str, Any]:
    def shed(event: Event, partition: int) -> None:
        node.world.record("shed", node.name, number=event["data"]["number"], partition=partition)

    return {
        "partitioner": parts["partitioner"](params["partitions"]),
        "make_buffer": parts["buffer"],
        "buffer_max": max(params["buffer"], params["batch_size"]),
        "on_drop": shed,
    }


BATCHES = Scenario(
    name="BATCHES",
    build=_build_batches,
    systems={
        "textbook": {"processor": naive.StreamProcessor, "settings": _textbook_settings},
        "pattern": {
            "processor": StreamProcessor,
            "settings": _pattern_settings,
            "partitioner": KeyPartitioner,
            "buffer": Buffer,
        },
    },
    params=(
        _param("flights", 60, 1, FLIGHTS_MAX, "flights", FLIGHTS),
        _param("rate_per_s", 40, 1, 100_000, "events/s", "How many events are made in a second."),
        _param("partitions", 4, 1, 64, "partitions", "Into how many partitions they go."),
        _param("batch_size", 5, 1, 1_000, "events", "How many events make a full batch."),
        _param("window_ms", 500, 1, 60_000, "ms", "How long a batch waits for more events."),
        _param("buffer", 10, 1, 10_000, "events", "How many may wait for a partition: at least a batch."),
        _param(
            "work_ms",
            2,
            0,
            1_000,
            "ms",
            "How long a handler works on one event; faults of kind slow-handler come on top.",
        ),
    ),
    faults=(HandlerError, SlowHandler, Poison, HotKey, Burst, Deploy, Pause, SlowNode, SlowDisk, FailingDisk),
    rules=(
        rules.offered_is_taken,
        rules.handled_or_aside,
        rules.key_order,
        rules.bounded,
        rules.keeps_partition,
        rules.prompt,
        rules.poison_is_set_aside,
        nothing_died(),
    ),
    targets={
        "node": ("processor",),
        "target": TYPES,
        "key": tuple(sorted({event["key"] for event in _announcements(12)})[:3]),
    },
    settle_s=rules.SETTLE_S,
    horizon_s=2,
    small={"flights": 25},
)


# ---- Event time ------------------------------------------------------------------------------------------

TICK_S = 0.1
WAIT_MAX_S = 300.0


def _windowed(
    parts: Parts, params: Mapping[str, Any], on_late: Callable[[LateEvent], Any]
) -> WindowedAggregation:
    return WindowedAggregation(
        parts["windows"](params["size_min"] * 60),
        parts["watermark"](
            params["delay_min"] * 60,
            sources=AIRPORTS,
            idle_after_s=params["idle_min"] * 60 or None,
        ),
        allowed_lateness_s=params["lateness_min"] * 60,
        on_late=on_late,
    )


def _naive_counter(
    parts: Parts, params: Mapping[str, Any], on_late: Callable[[LateEvent], Any]
) -> naive.WindowCounter:
    return naive.WindowCounter(params["size_min"] * 60)


def _build_windows(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    rows = departures()[: params["flights"]]
    speed, began_s = params["speed"], rows[0].departed_s // HOUR_S * HOUR_S
    world.record(
        "configured",
        "counter",
        size_s=params["size_min"] * 60,
        delay_s=params["delay_min"] * 60,
        idle_s=params["idle_min"] * 60,
        speed=speed,
        began_s=began_s,
        sources=list(AIRPORTS),
    )
    arrived: list[int] = []

    def stream_now_s() -> float:
        return began_s + world.now_s * speed

    def airport(node: Node) -> None:
        async def depart(event: dict[str, Any]) -> bool:
            node.ports.transport.send("counter", event)
            return True

        node.memory["depart"] = depart

    async def counter(node: Node) -> None:
        event: dict[str, Any] = {}

        def late(what: LateEvent) -> None:
            world.record(
                "late",
                node.name,
                number=event["number"],
                key=what.key,
                time_s=what.time_s,
                behind_s=what.behind_s,
            )

        counts = parts["counter"](parts, params, late)
        seen: list[float] = []

        def report(results: Any) -> bool:
            for key, window, value, *_ in results:
                world.record("result", node.name, key=key, start_s=window[0], end_s=window[1], value=value)
            mark = getattr(getattr(counts, "watermark", None), "value", None)
            if mark is not None and -inf < mark < inf and seen[-1:] != [mark]:
                seen[:] = [mark]
                world.record("watermark", node.name, value_s=mark)
            return True

        async def end() -> bool:
            report(counts.end())
            world.record("ended", node.name)
            return True

        async def tick() -> None:
            while True:
                await asyncio.sleep(TICK_S)
                report(counts.tick(stream_now_s()))

        node.memory["end"] = end
        ticking = asyncio.create_task(tick(), name="ticks")
        while True:
            if ticking.done():
                ticking.result()
            source, event = await node.ports.transport.receive()
            arrived.append(event["number"])
            world.record(
                "arrived",
                node.name,
                number=event["number"],
                key=event["airline"],
                time_s=event["scheduled_s"],
                source=source,
            )
            report(
                counts.process(event["airline"], event["scheduled_s"], source=source, now_s=stream_now_s())
            )

    for name in AIRPORTS:
        world.node(name, airport)
    world.node("counter", counter)

    async def workload() -> None:
        calls = []
        sent = 0
        for number, row in enumerate(rows, 1):
            await asyncio.sleep((row.departed_s - began_s) / speed - world.now_s)
            if world.in_force(IdleSource, row.origin):
                continue
            sent += 1
            event = {"number": number, "airline": row.airline, "scheduled_s": row.scheduled_s}
            leave = partial(_call, "depart", event)
            call = world.invoke(row.origin, "depart", leave, number=number, key=row.airline)
            calls.append(world.loop.create_task(call, name=f"departure {number}"))
        for call_ in calls:
            await call_
        waited_s = 0.0
        while len(arrived) < sent and waited_s < WAIT_MAX_S:
            await asyncio.sleep(TICK_S)
            waited_s += TICK_S
        await asyncio.sleep(TICK_S)
        await world.invoke("counter", "end", lambda memory: memory["end"]())

    return workload()


WINDOWS = Scenario(
    name="WINDOWS",
    build=_build_windows,
    systems={
        "textbook": {"counter": _naive_counter},
        "pattern": {"counter": _windowed, "windows": TumblingWindows, "watermark": Watermark},
    },
    params=(
        _param("flights", 900, 1, FLIGHTS_MAX, "flights", FLIGHTS),
        _param(
            "speed",
            3600,
            60,
            36_000,
            "s/s",
            "How many seconds of the stream pass in one second of the run: 3600 makes it an hour.",
        ),
        _param("size_min", 60, 1, 1_440, "min", "How long a window is."),
        _param(
            "delay_min",
            60,
            0,
            600,
            "min",
            "How far behind its source's latest an event may be: the watermark's delay.",
        ),
        _param(
            "lateness_min",
            0,
            0,
            600,
            "min",
            "Allowed lateness: how long after its first report a window is kept, and corrected by those that are late.",
        ),
        _param(
            "idle_min", 120, 0, 1_440, "min", "How long a source is silent until it is idle; 0 for never."
        ),
    ),
    faults=(Delay, Reordering, Pause, SlowNode, IdleSource),
    rules=(
        rules.by_event_time,
        rules.late_is_routed,
        rules.promise_is_kept,
        rules.watermark_rises,
        rules.reports_in_time,
        nothing_died(),
    ),
    targets={"node": (*AIRPORTS, "counter"), "target": AIRPORTS},
    settle_s=1,
    horizon_s=4,
    small={"flights": 70, "speed": 1800, "size_min": 10, "delay_min": 20, "idle_min": 30},
)


# ---- State and offsets -----------------------------------------------------------------------------------


class Counts:
    """How many departures each airline had: the state that must survive."""

    def __init__(self) -> None:
        self.by_airline: dict[str, int] = {}

    def add(self, events: Any) -> None:
        for event in events:
            airline = event["data"]["airline"]
            self.by_airline[airline] = self.by_airline.get(airline, 0) + 1

    def snapshot(self) -> dict[str, int]:
        return dict(self.by_airline)

    def restore(self, snapshot: dict[str, int]) -> None:
        self.by_airline = dict(snapshot)


@cache
def _departure_events(flights: int) -> tuple[Event, ...]:
    return tuple(
        Event(
            "departed",
            row.origin,
            {"airline": row.airline, "number": number},
            id=f"departure-{number}",
            subject=row.tail,
        )
        for number, row in enumerate(departures()[:flights], 1)
    )


async def _publish_all(world: World, params: Mapping[str, Any], node: str) -> None:
    """Append the departures one after the other, each again until it is acknowledged."""
    tries = TRIES_MAX
    for number, event in enumerate(_departure_events(params["flights"]), 1):
        await asyncio.sleep(max(0.0, number / params["rate_per_s"] - world.now_s))
        for hot in world.in_force(HotKey, "")[:1]:
            event = replace(event, subject=hot.key)
        for _ in range(tries):
            append = partial(_call, "append", event)
            done = await world.invoke(node, "append", append, number=number, timeout_s=30)
            if done is not None:
                tries = TRIES_MAX
                break
            await asyncio.sleep(RETRY_S)
        else:
            tries = 1


def _build_restore(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    def source(node: Node) -> Awaitable[None]:
        log = EventLog(node.ports.disk)

        async def append(event: Event) -> bool:
            await log.append(event)
            return True

        node.memory["append"] = append
        return LogServer(log, node.ports).run()

    async def worker(node: Node) -> None:
        counts = Counts()

        async def count(events: Any) -> None:
            slow = world.active(SlowHandler, "worker")
            await asyncio.sleep(0.001 * len(events) + (slow.by_s if slow is not None else 0))
            counts.add(events)
            world.record("handled", node.name, numbers=[event["data"]["number"] for event in events])

        log = RemoteEventLog("source", node.ports)
        stream = parts["processor"](
            params["partitions"],
            params["save_every"],
            timedelta(seconds=1),
            handlers={"departed": count},
            state=counts,
            checkpoint=parts["checkpoint"](node.ports.disk),
            ports=node.ports,
        )
        offset = (await stream.restore()).get("flights", 0)
        saved = offset
        while True:
            try:
                found = await log.read(offset, limit=params["save_every"], wait_s=2.0)
                for number, event in found:
                    await stream.process_event(event, source="flights", offset=number)
                    offset = number + 1
                if offset != saved:
                    await stream.save()
                    saved = offset
            except (OSError, NotAcknowledged):
                await asyncio.sleep(0.5)

    world.node("source", source)
    world.node("worker", worker)
    return _publish_all(world, params, "source")


WORLD_FAULTS = (
    Crash,
    CrashAfterWrite,
    Pause,
    SlowNode,
    Loss,
    Delay,
    Duplication,
    Reordering,
    Partition,
    SlowDisk,
    FailingDisk,
)

RESTORE = Scenario(
    name="RESTORE",
    build=_build_restore,
    systems={
        "textbook": {"processor": StreamProcessor, "checkpoint": naive.Checkpoint},
        "pattern": {"processor": StreamProcessor, "checkpoint": Checkpoint},
    },
    params=(
        _param("flights", 60, 1, FLIGHTS_MAX, "flights", FLIGHTS),
        _param("rate_per_s", 30, 1, 10_000, "events/s", "How many departures are logged in a second."),
        _param("partitions", 3, 1, 64, "partitions", "Into how many partitions the worker spreads them."),
        _param("save_every", 10, 1, 1_000, "events", "After how many events a checkpoint is saved."),
    ),
    faults=(*WORLD_FAULTS, SlowHandler),
    rules=(rules.counted_once, rules.belong_together, rules.reads_to_the_end, nothing_died()),
    targets={
        "node": ("worker", "source"),
        "target": ("worker",),
        "file": ("checkpoint", "state", "offsets", "log"),
    },
    settle_s=rules.SETTLE_S,
    horizon_s=2,
    small={"flights": 25},
)


# ---- A group ---------------------------------------------------------------------------------------------

WORKERS_MAX = 8
WORKERS = ("worker-1", "worker-2", "worker-3")  # those that faults are drawn for


def _build_group(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    partition_of = KeyPartitioner(params["partitions"])
    work_s = params["work_ms"] / 1000

    def broker(node: Node) -> Awaitable[None]:
        topic = Topic(params["partitions"], node.ports.disk)

        def assigned(members: list[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
            world.record(
                "assigned",
                node.name,
                members=list(members),
                before={m: list(ps) for m, ps in before.items()},
                after={m: list(ps) for m, ps in after.items()},
                partitions=params["partitions"],
            )

        settings = {"assign": parts["assign"]} if "assign" in parts else {}
        coordinator = parts["coordinator"](topic, node.ports, on_assignment=assigned, **settings)

        async def append(event: Event) -> bool:
            await topic.append(partition_of(event.subject), event)
            coordinator.grown()
            return True

        node.memory["append"] = append
        work: Awaitable[None] = coordinator.run()
        return work

    def worker(node: Node) -> Awaitable[None]:
        async def count(partition: int, events: Any, state: dict[str, int]) -> None:
            slow = world.active(SlowHandler, node.name)
            await asyncio.sleep(work_s * len(events) + (slow.by_s if slow is not None else 0))
            if world.active(HandlerError, node.name) is not None:
                raise ConnectionError(f"{node.name} cannot reach its database")
            for event in events:
                airline = event["data"]["airline"]
                state[airline] = state.get(airline, 0) + 1
            world.record(
                "handled",
                node.name,
                partition=partition,
                numbers=[event["data"]["number"] for event in events],
            )

        work: Awaitable[None] = parts["worker"]("broker", count, ports=node.ports).run()
        return work

    world.node("broker", broker)
    for number in range(1, params["workers"] + 1):
        world.node(f"worker-{number}", worker)
    return _publish_all(world, params, "broker")


GROUP = Scenario(
    name="GROUP",
    build=_build_group,
    systems={
        "textbook": {"coordinator": naive.GroupCoordinator, "worker": naive.ConsumerGroup},
        "pattern": {"coordinator": GroupCoordinator, "worker": ConsumerGroup, "assign": sticky},
    },
    params=(
        _param("flights", 120, 1, FLIGHTS_MAX, "flights", FLIGHTS),
        _param("rate_per_s", 30, 1, 10_000, "events/s", "How many departures are logged in a second."),
        _param("partitions", 6, 1, 64, "partitions", "Partitions of the topic."),
        _param("workers", 3, 1, WORKERS_MAX, "workers", "Members of the group."),
        _param(
            "work_ms",
            1,
            0,
            1_000,
            "ms",
            "How long a worker works on one event; faults of kind slow-handler come on top.",
        ),
    ),
    faults=(*WORLD_FAULTS, OneWayPartition, SlowHandler, HandlerError, HotKey),
    rules=(
        rules.group_counts_once,
        rules.never_back,
        rules.moves_few,
        rules.group_reads_to_the_end,
        nothing_died(),
    ),
    targets={
        "node": ("broker", *WORKERS),
        "target": WORKERS,
        "key": ("N560UW", "N846UA"),
        "file": (
            "topic",
            "owners",
            *(f"{name}-{p}" for name in ("checkpoint", "state", "offset") for p in (0, 1)),
        ),
    },
    settle_s=rules.SETTLE_S,
    horizon_s=3,
    small={"flights": 16, "partitions": 4, "rate_per_s": 10},
)


def mystery() -> Run:
    """The run of the diagnose exercise: our counter, with the watermark of `mystery.py` in it."""
    return WINDOWS.run(
        parts={"watermark": SharedWatermark},
        plan="1s..2s delay 500ms from EWR",
        flights=300,
        delay_min=15,
        idle_min=0,
    )
