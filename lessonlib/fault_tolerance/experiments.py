"""Published results, reproduced, so that the model can be trusted. Each function returns data; views draw it.

- `contention`: Marc Brooker's back-off experiment (AWS Architecture Blog, *Exponential Backoff And Jitter*, 2015).
- `comeback`: clients that failed together, and when they come back.
- `probes`: clients that meet a half-open breaker at once.
- `amplification`: what retries do when every layer of a system has its own.
- `storm`: an overload that outlives its cause, and the budget that ends it (Bronson et al., *Metastable Failures in
  Distributed Systems*, HotOS 2021).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole
from lessonlib.fault_tolerance.backoff import (
    Jitter,
    decorrelated_jitter,
    equal_jitter,
    full_jitter,
    no_jitter,
)
from lessonlib.fault_tolerance.budget import RetryBudget
from lessonlib.fault_tolerance.circuit_breaker import CircuitBreaker
from lessonlib.fault_tolerance.errors import CallFailed, CircuitOpen
from lessonlib.fault_tolerance.retry import RetryPolicy
from lessonlib.fault_tolerance.scenario import STORM
from lessonlib.lab.loop import simulate
from lessonlib.lab.scenario import Run

# ---- Backoff under contention ----------------------------------------------------------------------------

NETWORK_S = (0.010, 0.002)  # mean and deviation of one way
BASE_S, CAP_S = 0.005, 2.0
RUNS = 10
CLIENTS = (1, 10, 25, 50, 75, 100)

STRATEGIES: Mapping[str, Jitter | None] = {
    "none": None,
    "exponential": no_jitter,
    "equal jitter": equal_jitter,
    "full jitter": full_jitter,
    "decorrelated jitter": decorrelated_jitter,
}
# Of Brooker's own program: mean calls, and mean milliseconds until the last client is done.
PUBLISHED: Mapping[tuple[str, int], tuple[float, float | None]] = {
    ("none", 10): (51.0, None),
    ("exponential", 10): (51.2, None),
    ("equal jitter", 10): (42.4, None),
    ("full jitter", 10): (39.1, None),
    ("decorrelated jitter", 10): (37.8, None),
    ("none", 100): (2423, 2030),
    ("exponential", 100): (1850, 63127),
    ("equal jitter", 100): (812, 6595),
    ("full jitter", 100): (796, 4922),
    ("decorrelated jitter", 100): (1000, 4518),
}


@dataclass(frozen=True, slots=True)
class Contention:
    """What became of so many clients with one strategy, on average.

    Attributes:
        strategy: one of STRATEGIES.
        clients: how many began at once.
        calls: how many writes they made in all.
        completion_ms: when the last one had succeeded, in milliseconds.
        published_calls, published_completion_ms: the same of Brooker's program, where REFERENCES has it.
    """

    strategy: str
    clients: int
    calls: float
    completion_ms: float
    published_calls: float | None
    published_completion_ms: float | None


def contention(
    *,
    clients: Sequence[int] = CLIENTS,
    strategies: Sequence[str] = tuple(STRATEGIES),
    runs: int = RUNS,
    seed: int = 1,
) -> list[Contention]:
    """Let clients contend for one row: each reads its version and writes it, if it is still the same.

    Of the clients that have read one version only the first to write succeeds; the others wait, and begin anew. One
    way through the network takes 10 ms on average, normally distributed with a deviation of 2 ms, as in the original.

    Two things differ from Brooker's program. It counts retries from 1 and starts at twice the base, which is matched
    here by counting one more. Its decorrelated jitter draws and then caps; ours caps and then draws.
    """
    whole("runs", runs, least=1)
    for count in clients:
        whole("clients", count, least=1)
    for name in strategies:
        if name not in STRATEGIES:
            raise LessonError(f"strategies={name!r:.60} is not known; give some of {', '.join(STRATEGIES)}")
    found = []
    for name in strategies:
        for count in clients:
            results = [
                simulate(_contend(STRATEGIES[name], count, f"{seed}/{name}/{count}/{r}")) for r in range(runs)
            ]
            calls = sum(result[0] for result in results) / runs
            completion_ms = 1000 * sum(result[1] for result in results) / runs
            said = PUBLISHED.get((name, count), (None, None))
            found.append(Contention(name, count, round(calls, 1), round(completion_ms, 1), *said))
    return found


async def _contend(jitter: Jitter | None, clients: int, seed: str) -> tuple[int, float]:
    random = Random(seed)
    version = calls = 0

    async def network() -> None:
        await asyncio.sleep(abs(random.normalvariate(*NETWORK_S)))

    async def client() -> None:
        nonlocal version, calls
        retry, wait_s = 0, 0.0
        while True:
            await network()
            read = version
            await network()
            await network()
            calls += 1
            won = read == version
            version += won
            await network()
            if won:
                return
            retry += 1
            if jitter is not None:
                # One more than ours: the original's first wait is twice its base. Decorrelated jitter has no count.
                wait_s = jitter(retry + 1, BASE_S, cap_s=CAP_S, random=random, previous_s=wait_s)
                await asyncio.sleep(wait_s)

    await asyncio.gather(*(client() for _ in range(clients)))
    return calls, asyncio.get_running_loop().time()


# ---- Clients in lockstep ---------------------------------------------------------------------------------


def comeback(
    jitter: Jitter,
    *,
    clients: int = 100,
    attempts: int = 4,
    base_s: float = 1.0,
    cap_s: float = 30.0,
    seed: int = 1,
) -> list[float]:
    """Let clients fail together at 0 s and go on failing; return the times, in seconds, at which they called.

    Without jitter they come back as the crowd that they were; with it, they are spread over the wait.
    """
    whole("clients", clients, least=1)
    policy = RetryPolicy(attempts_max=attempts, base_s=base_s, cap_s=cap_s, jitter=jitter)

    async def main() -> list[float]:
        times: list[float] = []

        async def fail() -> None:
            times.append(asyncio.get_running_loop().time())
            raise ConnectionError("down")

        async def client(number: int) -> None:
            with contextlib.suppress(CallFailed):
                await policy.call(fail, random=Random(f"{seed}/{number}"))

        await asyncio.gather(*(client(number) for number in range(clients)))
        return times

    return simulate(main())


# ---- Clients at a half-open breaker ----------------------------------------------------------------------


def probes(permits: int, *, clients: int = 50) -> int:
    """Open a breaker, wait, and let clients call at once; return how many of them reach the service.

    Args:
        permits: how many probes the half-open breaker lets through.
        clients: how many call at the same moment.
    """
    whole("clients", clients, least=1)
    reached = 0

    async def down() -> None:
        raise ConnectionError("down")

    async def slow() -> None:
        nonlocal reached
        reached += 1
        await asyncio.sleep(0.1)

    async def main() -> int:
        breaker = CircuitBreaker(window_calls=5, half_open_permits=permits, open_s=1.0)

        async def one(function: Any) -> None:
            with contextlib.suppress(ConnectionError, CircuitOpen):
                await breaker.call(function)

        for _ in range(5):
            await one(down)
        await asyncio.sleep(1)
        await asyncio.gather(*(one(slow) for _ in range(clients)))
        return reached

    return simulate(main())


# ---- Retries in every layer ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Amplification:
    """How many calls reached the bottom of a system.

    Attributes:
        where: which layers retry: "every layer", "every layer, with a budget", "the top layer alone".
        layers: how many layers there are.
        attempts: how many attempts each layer that retries makes.
        requests: how many requests came from outside.
        calls: how many calls reached the bottom, which always fails.
    """

    where: str
    layers: int
    attempts: int
    requests: int
    calls: int


def amplification(*, layers: int = 5, attempts: int = 3, requests: int = 1) -> list[Amplification]:
    """Send requests through layers that each retry, down to a service that always fails, and count there.

    Without a budget every request becomes attempts ** layers calls: 3 attempts at 5 layers are 243.
    """
    whole("layers", layers, least=1)
    whole("attempts", attempts, least=1)
    whole("requests", requests, least=1)
    if attempts**layers * requests > 1_000_000:
        raise LessonError(f"layers={layers} of {attempts} attempts make over a million calls; give fewer")
    found = []
    for where in ("every layer", "every layer, with a budget", "the top layer alone"):
        calls = simulate(_through_layers(where, layers, attempts, requests))
        found.append(Amplification(where, layers, attempts, requests, calls))
    return found


async def _through_layers(where: str, layers: int, attempts: int, requests: int) -> int:
    calls = 0
    random = Random("amplification")

    async def bottom() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionError("down")

    call: Any = bottom
    for layer in range(layers):
        retries = where != "the top layer alone" or layer == layers - 1
        call = _layer(
            RetryPolicy(attempts_max=attempts if retries else 1, base_s=0.01),
            call,
            random,
            RetryBudget() if where.endswith("budget") else None,
        )
    for _ in range(requests):
        with contextlib.suppress(ConnectionError):
            await call()
    return calls


def _layer(policy: RetryPolicy, below: Any, random: Random, budget: RetryBudget | None) -> Any:
    async def call() -> None:
        try:
            await policy.call(below, random=random, budget=budget)
        except CallFailed as error:
            raise ConnectionError(
                "the layer below failed"
            ) from error  # to the layer above, one failure like any other

    return call


# ---- The storm -------------------------------------------------------------------------------------------

TRIGGER = "10s..15s brown-out payments by 300ms"
TURN_ON_S = 30


def storm(*, duration_s: float = 60, rate_per_s: float = 60) -> dict[str, Run]:
    """Run the storm three times: without a budget, with one from the beginning, and with one turned on at 30 s.

    The trigger is the same: for five seconds each request takes 0.3 s longer. Draw each with `views.offered`.
    """
    params: dict[str, Any] = {"duration_s": duration_s, "rate_per_s": rate_per_s}
    return {
        "no budget": STORM.run(plan=TRIGGER, budget=0, **params),
        "budget from the beginning": STORM.run(plan=TRIGGER, **params),
        "budget turned on at 30 s": STORM.run(
            plan=f"{TRIGGER}; at {TURN_ON_S}s budget-on", budget=0, **params
        ),
    }


def a_second(run: Run) -> list[tuple[int, int, int, int]]:
    """Return (second, jobs that arrived, calls that were made, answers that came in time) for each second of a run."""
    counts = [
        Counter(r.t_us // 1_000_000 for r in records)
        for records in (
            run.history.of("invoke", op="process"),
            run.history.of("attempt"),
            run.history.of("answer", outcome="ok"),
        )
    ]
    return [
        (second, counts[0][second], counts[1][second], counts[2][second])
        for second in range(run.history.end_us // 1_000_000 + 1)
    ]


def curves(rows: Sequence[Contention], what: str) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return (ours, published) for `measured`: for each strategy its points (clients, `what`), "calls" or "completion_ms"."""
    ours: dict[str, list[Any]] = {}
    published: dict[str, list[Any]] = {}
    for row in rows:
        ours.setdefault(row.strategy, []).append((row.clients, getattr(row, what)))
        said = getattr(row, f"published_{what}")
        if said is not None:
            published.setdefault(row.strategy, []).append((row.clients, said))
    return ours, published
