"""Where the pattern meets the laboratory: a shop that calls services, and what can go wrong with them.

- `CALLS`: a shop with a few workers calls two services, payments and mail, for every event.
- `STORM`: many clients call one service whose capacity they almost use up.

The parts of the pattern, and how each is called:

| part | call | must have |
|---|---|---|
| `jitter` | `(retry, base_s, *, cap_s, random, previous_s)` | returns seconds |
| `retryable` | `(error)` | returns whether to try again |
| `policy` | `(attempts_max=, base_s=, jitter=, retryable=)`; in STORM also `timeout_s=`, `deadline_s=` | `call`, as RetryPolicy's |
| `breaker` | `(service, open_s=, on_transition=)` | `call(function, *args)`; tells `on_transition(service, source, target)` |
| `budget` | `(tokens_max, token_ratio)` | `allows_retry`, `on_failure()`, `on_success()` |
| `bulkhead` | `(permits)` | `call(function, *args)` |
| `processor` | as FaultTolerantProcessor, all by keyword but the first three | `process_with_retries`; `pending`, if it keeps any |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from math import ceil
from typing import Any

from lessonlib.fault_tolerance import naive, rules
from lessonlib.fault_tolerance.backoff import full_jitter
from lessonlib.fault_tolerance.budget import RetryBudget
from lessonlib.fault_tolerance.bulkhead import Bulkhead
from lessonlib.fault_tolerance.circuit_breaker import CircuitBreaker
from lessonlib.fault_tolerance.deadline import within
from lessonlib.fault_tolerance.dependency import Dependency, Latency, Rejected, Unavailable
from lessonlib.fault_tolerance.mystery import Breaker
from lessonlib.fault_tolerance.processor import FaultTolerantProcessor
from lessonlib.fault_tolerance.retry import TRANSIENT, RetryPolicy
from lessonlib.fault_tolerance.rules import CALLER, SERVICES
from lessonlib.lab.faults import Burst, ClockSkew, Crash, Fault, HandlerError, Poison
from lessonlib.lab.rules import nothing_died
from lessonlib.lab.scenario import Param, Parts, Run, Scenario
from lessonlib.lab.world import Node, World

LANES = (CALLER, *SERVICES)  # from top to bottom in pictures
ATTEMPTS = 3
THRESHOLD = 5
PERMITS = 3
TOKENS, TOKEN_RATIO = 10, 0.1
PATIENCE_S = 60.0  # how long the workload waits for a job
LOOK_S = 1.0  # how often pending events are looked for
LOOKS_MAX = 20  # and how often after the last event
LOOK_EVENTS = 2  # how many of each service are handed in again at a time
BULKHEAD_WAIT_S = 0.2
JOB: ContextVar[int] = ContextVar("job")


# ---- Faults ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outage(Fault):
    """The service `target` is down: it refuses every call at once."""

    form = "{start_s}..{end_s} outage {target}"
    start_s: float
    end_s: float
    target: str


@dataclass(frozen=True, slots=True)
class BrownOut(Fault):
    """Each request takes a worker of `target` longer by `by_s`: slow, not failing, and with less capacity."""

    form = "{start_s}..{end_s} brown-out {target} by {by_s}"
    start_s: float
    end_s: float
    target: str
    by_s: float


@dataclass(frozen=True, slots=True)
class Flapping(Fault):
    """The service `target` is down for the first half of every `period_s`, and up for the second."""

    form = "{start_s}..{end_s} flap {target} every {period_s}"
    start_s: float
    end_s: float
    target: str
    period_s: float


@dataclass(frozen=True, slots=True)
class KeyFault(Fault):
    """The service `target` fails for requests of one `key` alone: the machine that has its data is down."""

    form = "{start_s}..{end_s} fail-key {key} at {target}"
    start_s: float
    end_s: float
    key: str
    target: str


@dataclass(frozen=True, slots=True)
class Surge(Fault):
    """`count` times as many jobs arrive as usual."""

    form = "{start_s}..{end_s} surge {count}"
    start_s: float
    end_s: float
    count: int


@dataclass(frozen=True, slots=True)
class BudgetOn(Fault):
    """No fault but the remedy: an operator turns on the retry budget of every client."""

    form = "at {at_s} budget-on"
    at_s: float


# ---- The services and their clients ----------------------------------------------------------------------


def _service(world: World, name: str, *, workers: int, queue_max: int, latency: Latency) -> Dependency:
    """Add a node on which a dependency runs, with the faults of the plan."""

    def refuse(request: Any) -> Exception | None:
        if world.active(Outage, name) is not None:
            return Unavailable(f"{name} is down")
        for flap in world.in_force(Flapping, name):
            if (world.now_s - flap.start_s) % flap.period_s < flap.period_s / 2:
                return Unavailable(f"{name} is down")
        return None

    def fail(request: Any) -> Exception | None:
        if request["data"].get("poison"):
            return Rejected(f"{name} will never do order {request['data']['order_id']}: it has no address")
        if any(fault.key == request["subject"] for fault in world.in_force(KeyFault, name)):
            return ConnectionError(f"{name} cannot reach the data of {request['subject']}")
        if world.active(HandlerError, name) is not None:
            return ConnectionError(f"{name} reset the connection")
        return None

    def served(request: Any, took_s: float, wanted: bool, error: Exception | None) -> None:
        world.record(
            "served",
            name,
            event=request["data"]["order_id"],
            took_s=round(took_s, 6),
            wanted=wanted,
            ok=error is None,
        )

    dependency = Dependency(
        workers=workers,
        queue_max=queue_max,
        latency=latency,
        random=world.random(f"service/{name}"),
        refuse=refuse,
        fail=fail,
        slower_s=lambda: sum(fault.by_s for fault in world.in_force(BrownOut, name)),
        on_served=served,
    )
    world.node(name, lambda node: dependency.serve())
    return dependency


def _client(
    world: World, services: Mapping[str, Dependency], timeout_s: float
) -> Callable[[Any], Awaitable[Any]]:
    """Return the function that processes an event by calling its service, with every attempt recorded."""
    numbers: dict[int, int] = {}

    async def call(event: Any) -> Any:
        job, service = JOB.get(), event["service"]
        numbers[job] = number = numbers.get(job, 0) + 1
        about = {"job": job, "event": event["data"]["order_id"], "number": number}
        world.record("attempt", service, **about, queued=services[service].queued)
        outcome, began_s = "ok", world.now_s
        try:
            return await services[service].call(event)
        except asyncio.CancelledError:
            outcome = "abandoned" if world.now_s - began_s < timeout_s - 1e-5 else "timed out"
            raise
        except Exception as error:
            outcome = "rejected" if isinstance(error, Rejected) else type(error).__name__
            raise
        finally:
            world.record("answer", service, **about, outcome=outcome)

    return call


# ---- One caller, two services ----------------------------------------------------------------------------

LATENCY = Latency()


def _event(world: World, number: int, params: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"order_id": number}
    service = SERVICES[number % len(SERVICES)]
    poison = world.take(Poison)
    if poison is not None:
        service, data["poison"] = poison.target, True
    return {
        "id": f"order-{number}",
        "type": "order_created",
        "source": "shop",
        "subject": f"customer-{number % params['customers'] + 1}",
        "service": service,
        "data": data,
    }


class _Jobs:
    """Hands events to the shop's workers, each as a job with a number of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0

    async def do(self, event: Mapping[str, Any], *, again: bool = False) -> None:
        """Have an event processed, by whichever worker is free."""
        self._count += 1
        job, about = self._count, {"event": event["data"]["order_id"], "service": event["service"]}

        async def work(memory: dict[str, Any]) -> Any:
            JOB.set(job)
            async with memory["workers"]:
                self._world.record("begun", CALLER, job=job, **about)
                return await memory["process"](event)

        await self._world.invoke(CALLER, "process", work, timeout_s=PATIENCE_S, job=job, again=again, **about)

    async def look_again(self) -> bool:
        """Hand in again the oldest pending events of each service; return whether there were any."""
        node = self._world.nodes[CALLER]
        if not node.up or "pending" not in node.memory:
            return False
        waiting = await self._world.invoke(
            CALLER, "look", lambda memory: memory["pending"](), timeout_s=PATIENCE_S
        )
        oldest: dict[str, list[Any]] = {}
        for event in waiting or ():
            oldest.setdefault(event["service"], []).append(event)
        chosen = [event for events in oldest.values() for event in events[:LOOK_EVENTS]]
        await asyncio.gather(*(self.do(event, again=True) for event in chosen))
        return bool(chosen)


async def _orders(world: World, params: Mapping[str, Any]) -> None:
    """Orders at their rate, whatever becomes of those before; and pending events again from time to time."""
    jobs, loop = _Jobs(world), world.loop
    placed: list[asyncio.Task[None]] = []

    def place() -> None:
        number = len(placed) + 1
        placed.append(loop.create_task(jobs.do(_event(world, number, params)), name=f"order {number}"))

    async def keep_looking() -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await jobs.look_again()

    looking = loop.create_task(keep_looking(), name="looks for pending events")
    for _ in range(round(params["duration_s"] * params["rate_per_s"])):
        await asyncio.sleep(1 / params["rate_per_s"])
        place()
        while (burst := world.take(Burst)) is not None:
            for _ in range(burst.count):
                place()
    for task in placed:
        await task
    looking.cancel()
    for _ in range(LOOKS_MAX):
        if not await jobs.look_again():
            return
        await asyncio.sleep(LOOK_S)


def _build_calls(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    services = {name: _service(world, name, workers=4, queue_max=100, latency=LATENCY) for name in SERVICES}
    world.record(
        "limits",
        CALLER,
        attempts=ATTEMPTS,
        permits=PERMITS,
        tokens=TOKENS,
        token_ratio=TOKEN_RATIO,
        **{name: params[name] for name in ("deadline_s", "timeout_s", "open_s")},
    )
    call = _client(world, services, params["timeout_s"])

    def on_transition(name: str, source: str, target: str) -> None:
        world.record("transition", CALLER, breaker=name, source=source, target=target)

    def boot(node: Node) -> None:
        processor = parts["wiring"](node, parts, params, on_transition)
        node.memory["workers"] = asyncio.Semaphore(params["workers"])
        node.memory["process"] = lambda event: processor.process_with_retries(call, event)
        if hasattr(processor, "pending"):
            node.memory["pending"] = processor.pending

    world.node(CALLER, boot)
    return _orders(world, params)


def _wire_textbook(node: Node, parts: Parts, params: Mapping[str, Any], on_transition: Any) -> Any:
    return parts["processor"](ATTEMPTS, params["retry_delay_s"], THRESHOLD, on_transition=on_transition)


def _wire_pattern(node: Node, parts: Parts, params: Mapping[str, Any], on_transition: Any) -> Any:
    policy = parts["policy"](
        attempts_max=ATTEMPTS,
        base_s=params["retry_delay_s"],
        jitter=parts["jitter"],
        retryable=parts["retryable"],
    )

    def breaker(service: str) -> Any:
        return parts["breaker"](service, open_s=params["open_s"], on_transition=on_transition)

    def bulkhead(service: str) -> Any:
        return parts["bulkhead"](max(1, params["workers"] // 2))

    return parts["processor"](
        ATTEMPTS,
        params["retry_delay_s"],
        THRESHOLD,
        timeout_s=params["timeout_s"],
        deadline_s=params["deadline_s"],
        policy=policy,
        breaker=breaker,
        budget=lambda service: parts["budget"](TOKENS, TOKEN_RATIO),
        bulkhead=bulkhead,
        ports=node.ports,
    )


def transient(error: BaseException) -> bool:
    """Whether another attempt may help: the errors that `RetryPolicy` retries by itself."""
    return isinstance(error, TRANSIENT)


def shop_breaker(name: str, *, open_s: float, on_transition: Any) -> CircuitBreaker:
    """The breaker that the shop uses: half of the last ten calls, five at least, three probes."""
    return CircuitBreaker(
        name,
        window_calls=2 * THRESHOLD,
        minimum_calls=THRESHOLD,
        half_open_permits=PERMITS,
        open_s=open_s,
        ignored=Rejected,
        on_transition=on_transition,
    )


def shop_bulkhead(permits: int) -> Bulkhead:
    """The bulkhead that the shop uses: half of its workers, and one more may wait for a moment."""
    return Bulkhead(permits, wait_s=BULKHEAD_WAIT_S, waiting_max=1)


CALLS = Scenario(
    name="CALLS",
    build=_build_calls,
    systems={
        "textbook": {"wiring": _wire_textbook, "processor": naive.FaultTolerantProcessor},
        "pattern": {
            "wiring": _wire_pattern,
            "processor": FaultTolerantProcessor,
            "policy": RetryPolicy,
            "jitter": full_jitter,
            "retryable": transient,
            "breaker": shop_breaker,
            "budget": RetryBudget,
            "bulkhead": shop_bulkhead,
        },
    },
    params=(
        Param("duration_s", 20, 1, 600, "s", "How long orders arrive."),
        Param("rate_per_s", 12, 1, 24, "orders/s", "How many orders arrive in a second."),
        Param("customers", 5, 1, 100, "customers", "Among how many customers the orders go round."),
        Param("workers", 8, 6, 64, "workers", "How many jobs the shop does at a time."),
        Param("retry_delay_s", 0.25, 0.01, 10, "s", "The longest wait before the first retry."),
        Param("timeout_s", 1.0, 0.3, 10, "s", "How long an attempt may take (pattern only)."),
        Param("deadline_s", 3.0, 0.3, 60, "s", "How long a job may take in all."),
        Param("open_s", 2.0, 0.1, 60, "s", "How long an open breaker waits (pattern only)."),
    ),
    faults=(Outage, BrownOut, Flapping, KeyFault, HandlerError, Poison, Burst, Crash, ClockSkew),
    rules=(
        rules.bounded,
        rules.fails_at_once,
        rules.recovers,
        rules.legal,
        rules.few_probes,
        rules.workers_left,
        rules.within_budget,
        rules.never_lost,
        nothing_died(),
    ),
    lanes=LANES,
    targets={"node": (CALLER,), "target": SERVICES, "key": tuple(f"customer-{n}" for n in range(1, 6))},
    settle_s=5,
    horizon_s=4,
    small={"duration_s": 12, "rate_per_s": 8, "open_s": 1.0},
)


def mystery() -> Run:
    """The run of the diagnose exercise: our system, with the breaker of `mystery.py` in it."""
    return CALLS.run(
        parts={"breaker": Breaker},
        plan="2s..4s outage mail; at 4600ms poison mail",
        **CALLS.small,
    )


# ---- Many clients, one service ---------------------------------------------------------------------------

STORM_LATENCY = Latency(0.03, 0.045, 0.08, 0.2)
STORM_QUEUE_S = 3.0  # the queue holds as many requests as the service does in so many seconds


async def _arrivals(world: World, params: Mapping[str, Any]) -> None:
    """Jobs at a rate that does not ask how the earlier ones fare."""
    loop, jobs = world.loop, _Jobs(world)
    placed: list[asyncio.Task[None]] = []
    ends_s = params["duration_s"]
    while True:
        factor = 1
        for surge in world.in_force(Surge, ""):
            factor *= surge.count
        await asyncio.sleep(1 / (params["rate_per_s"] * factor))
        if world.now_s >= ends_s:
            break
        event = {"service": SERVICES[0], "subject": "", "data": {"order_id": len(placed) + 1}}
        placed.append(loop.create_task(jobs.do(event), name=f"job {len(placed) + 1}"))
    for task in placed:
        await task


def _build_storm(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    capacity = params["rate_per_s"] / params["load"]
    workers = ceil(capacity * STORM_LATENCY.mean_s)
    latency = STORM_LATENCY.times(
        workers / (capacity * STORM_LATENCY.mean_s)
    )  # workers come in whole numbers
    service = _service(
        world, SERVICES[0], workers=workers, queue_max=round(STORM_QUEUE_S * capacity), latency=latency
    )
    world.record(
        "limits",
        CALLER,
        attempts=ATTEMPTS,
        deadline_s=ATTEMPTS * params["timeout_s"] + 2.0,
        timeout_s=params["timeout_s"],
        tokens=TOKENS,
        token_ratio=TOKEN_RATIO,
        capacity_per_s=round(capacity, 3),
        load=params["load"],
    )
    call = _client(world, {SERVICES[0]: service}, params["timeout_s"])

    def boot(node: Node) -> None:
        node.memory["workers"] = asyncio.Semaphore(1_000_000)  # clients are many
        node.memory["process"] = parts["wiring"](node, parts, params, call)

    world.node(CALLER, boot)
    return _arrivals(world, params)


def _storm_textbook(node: Node, parts: Parts, params: Mapping[str, Any], call: Any) -> Any:
    """Retries without a budget. The breaker is left out: once open, it would never close (D1)."""
    processor = parts["processor"](ATTEMPTS, params["retry_delay_s"], 1_000_000_000)

    async def patient(event: Any) -> Any:  # every HTTP client has a time-out
        return await within(params["timeout_s"], call, event)

    return lambda event: processor.process_with_retries(patient, event)


def _storm_pattern(node: Node, parts: Parts, params: Mapping[str, Any], call: Any) -> Any:
    policy = parts["policy"](
        attempts_max=ATTEMPTS,
        base_s=params["retry_delay_s"],
        timeout_s=params["timeout_s"],
        deadline_s=ATTEMPTS * params["timeout_s"] + 2.0,
        jitter=parts["jitter"],
    )
    budget = parts["budget"](TOKENS, TOKEN_RATIO) if params["budget"] else None

    def process(event: Any) -> Any:
        nonlocal budget
        if budget is None and node.world.take(BudgetOn) is not None:
            budget = parts["budget"](TOKENS, TOKEN_RATIO)
        return policy.call(call, event, random=node.ports.random, budget=budget)

    return process


STORM = Scenario(
    name="STORM",
    build=_build_storm,
    systems={
        "textbook": {"wiring": _storm_textbook, "processor": naive.FaultTolerantProcessor},
        "pattern": {
            "wiring": _storm_pattern,
            "policy": RetryPolicy,
            "jitter": full_jitter,
            "budget": RetryBudget,
        },
    },
    params=(
        Param("duration_s", 45, 1, 600, "s", "How long jobs arrive."),
        Param("rate_per_s", 20, 5, 200, "jobs/s", "How many jobs arrive in a second."),
        Param("load", 0.75, 0.1, 2, "of capacity", "What share of the service's capacity that is."),
        Param("timeout_s", 1.0, 0.3, 10, "s", "How long a client waits for an answer."),
        Param("retry_delay_s", 0.25, 0.01, 10, "s", "The longest wait before the first retry."),
        Param("budget", 1, 0, 1, "", "1: clients have a retry budget from the beginning (pattern only)."),
    ),
    faults=(Outage, BrownOut, Flapping, Surge, BudgetOn),
    rules=(rules.overload_ends, rules.within_budget, rules.bounded, nothing_died()),
    lanes=LANES[:2],
    targets={"target": SERVICES[:1]},
    settle_s=10,
    horizon_s=3,
    small={"duration_s": 26, "rate_per_s": 12},
)
