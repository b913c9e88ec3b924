"""What does fault tolerance cost, and what do others' breakers and retries do? Prints tables in Markdown:

    python benchmarks/fault_tolerance.py [--rounds 7]

Peers run in the same process and by turns, so that a machine's moods hit all. What is measured:

- *Overhead* of a call that succeeds at once: microseconds a call, less those of the bare call. Best of the rounds.
- *In parallel*: 50 calls of 50 ms at once through one closed breaker: how many are in progress at a time.
- *Probes*: 50 calls at once through a breaker whose wait is over, the service still failing: how many get through.
- *Jitter at the cap*: 200 clients whose waits have reached the cap of 5 s: how far their waits spread.

pybreaker has no call for asyncio without tornado; its rows use threads.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from lab import machine  # noqa: E402

from lessonlib.fault_tolerance import (  # noqa: E402
    CircuitBreaker,
    FaultTolerantProcessor,
    RetryBudget,
    RetryPolicy,
    decorrelated_jitter,
    equal_jitter,
    full_jitter,
)
from lessonlib.lab import simulate  # noqa: E402

CALLS = 20_000
AT_ONCE = 50
CALL_S = 0.05
CLIENTS, ATTEMPTS, CAP_S = 200, 10, 5.0
EVENT = {"id": "1", "type": "order_created", "service": "payments", "data": {}}

try:
    import circuitbreaker
    import purgatory
    import pybreaker
    import stamina
    import tenacity
except ImportError as missing:
    sys.exit(f'{missing.name} is missing; install the peers with: pip install -e ".[bench]"')


async def fine(*_: Any) -> None:
    pass


def fine_sync() -> None:
    pass


# ---- Overhead --------------------------------------------------------------------------------------------


async def _time(call: Callable[[], Awaitable[Any]], calls: int) -> float:
    await call()
    started = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - started) / calls * 1e6


async def _time_sync(call: Callable[[], Any], calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls * 1e6


async def overheads(rounds: int) -> list[tuple[str, str, float]]:
    """Return (what, whose, microseconds a call over the bare call)."""
    random = Random(1)
    plain, bounded = RetryPolicy(), RetryPolicy(timeout_s=10, deadline_s=30)
    budget, breaker = RetryBudget(), CircuitBreaker()
    processor = FaultTolerantProcessor()
    again = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_random_exponential()
    )
    caller = stamina.AsyncRetryingCaller(attempts=3, timeout=None).on(ConnectionError)
    timed = stamina.AsyncRetryingCaller(attempts=3, timeout=30).on(ConnectionError)
    theirs, factory = circuitbreaker.CircuitBreaker(), purgatory.AsyncCircuitBreakerFactory()
    locked = pybreaker.CircuitBreaker()
    trials: list[tuple[str, str, Callable[[], Any], bool]] = [
        ("bare call", "", fine, True),
        ("retries", "RetryPolicy", lambda: plain.call(fine, random=random), True),
        ("retries", "tenacity", lambda: again(fine), True),
        ("retries", "stamina", lambda: caller(fine), True),
        (
            "retries, budget, time-out, deadline",
            "RetryPolicy",
            lambda: bounded.call(fine, random=random, budget=budget),
            True,
        ),
        ("retries, deadline checked between attempts", "stamina", lambda: timed(fine), True),
        ("breaker", "CircuitBreaker", lambda: breaker.call(fine), True),
        ("breaker", "circuitbreaker", theirs(fine), True),
        ("breaker", "purgatory", factory("payments")(fine), True),
        ("bare call, not async", "", fine_sync, False),
        ("breaker, not async", "CircuitBreaker", breaker(fine_sync), False),
        ("breaker, not async", "pybreaker", lambda: locked.call(fine_sync), False),
        (
            "all of it, with a ledger in memory",
            "FaultTolerantProcessor",
            lambda: processor.process_with_retries(fine, EVENT),
            True,
        ),
    ]
    best = [float("inf")] * len(trials)
    for _ in range(rounds):
        for i, (what, _, call, asynchronous) in enumerate(trials):
            calls = CALLS // 10 if what.startswith("all of it") else CALLS
            best[i] = min(best[i], await (_time if asynchronous else _time_sync)(call, calls))
    bare = {
        True: best[0],
        False: next(b for b, t in zip(best, trials, strict=True) if t[0] == "bare call, not async"),
    }
    return [
        (what, whose, took - bare[asynchronous])
        for (what, whose, _, asynchronous), took in zip(trials, best, strict=True)
        if whose
    ]


# ---- Behaviour -------------------------------------------------------------------------------------------


class Crowd:
    """Counts how many of its calls are in progress at a time, and how many there were."""

    def __init__(self, error: Exception | None = None) -> None:
        self.now = self.most = self.calls = 0
        self.error = error

    def begin(self) -> None:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)

    def end(self) -> None:
        self.now -= 1
        if self.error is not None:
            raise self.error

    async def call(self) -> None:
        self.begin()
        await asyncio.sleep(CALL_S)
        self.end()

    def call_sync(self) -> None:
        self.begin()
        time.sleep(CALL_S)
        self.end()


async def _at_once(call: Callable[[], Awaitable[Any]]) -> None:
    await asyncio.gather(*(call() for _ in range(AT_ONCE)), return_exceptions=True)


def _in_threads(call: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in [pool.submit(call) for _ in range(AT_ONCE)]:
            with contextlib.suppress(Exception):
                future.result()


async def parallel() -> list[tuple[str, int]]:
    """Return how many of the calls through one closed breaker are in progress at a time."""
    found = []
    for name, through in (
        ("CircuitBreaker", CircuitBreaker()),
        ("circuitbreaker", circuitbreaker.CircuitBreaker()),
        ("purgatory", purgatory.AsyncCircuitBreakerFactory()("payments")),
    ):
        crowd = Crowd()
        await _at_once(through(crowd.call))
        found.append((name, crowd.most))
    crowd, locked = Crowd(), pybreaker.CircuitBreaker()
    await asyncio.to_thread(_in_threads, lambda: locked.call(crowd.call_sync))
    return [*found, ("pybreaker (threads)", crowd.most)]


async def probes() -> list[tuple[str, int]]:
    """Return how many calls get through a breaker whose wait is over, to a service that still fails."""
    wait_s = 0.1
    found = []
    for name, through in (
        ("CircuitBreaker, 3 permits", CircuitBreaker(minimum_calls=1, half_open_permits=3, open_s=wait_s)),
        ("circuitbreaker", circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=wait_s)),
        (
            "purgatory",
            purgatory.AsyncCircuitBreakerFactory(default_threshold=1, default_ttl=wait_s)("payments"),
        ),
    ):
        crowd = Crowd(ConnectionError())
        guarded = through(crowd.call)
        with contextlib.suppress(ConnectionError):
            await guarded()
        await asyncio.sleep(2 * wait_s)
        crowd.calls = 0
        await _at_once(guarded)
        found.append((name, crowd.calls))
    crowd, locked = Crowd(ConnectionError()), pybreaker.CircuitBreaker(fail_max=1, reset_timeout=wait_s)
    with contextlib.suppress(Exception):
        locked.call(crowd.call_sync)
    await asyncio.sleep(2 * wait_s)
    crowd.calls = 0
    await asyncio.to_thread(_in_threads, lambda: locked.call(crowd.call_sync))
    return [*found, ("pybreaker (threads)", crowd.calls)]


def spread(name: str) -> float:
    """Return the standard deviation, in seconds, of the clients' last waits, which the cap has long reached."""

    async def main() -> list[float]:
        waits = []

        async def client(number: int) -> None:
            times: list[float] = []

            async def fail() -> None:
                times.append(asyncio.get_running_loop().time())
                raise ConnectionError

            with contextlib.suppress(Exception):
                await _retrying(name, number)(fail)
            waits.append(times[-1] - times[-2])

        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
        return waits

    return statistics.pstdev(simulate(main()))


def _retrying(name: str, number: int) -> Callable[[Callable[[], Awaitable[None]]], Awaitable[Any]]:
    ours = {
        "full_jitter": full_jitter,
        "equal_jitter": equal_jitter,
        "decorrelated_jitter": decorrelated_jitter,
    }
    if name in ours:
        policy = RetryPolicy(attempts_max=ATTEMPTS, base_s=0.1, cap_s=CAP_S, jitter=ours[name])
        return lambda fail: policy.call(fail, random=Random(number))
    if name.startswith("stamina"):
        caller = stamina.AsyncRetryingCaller(attempts=ATTEMPTS, timeout=None, wait_max=CAP_S).on(
            ConnectionError
        )
        return lambda fail: caller(fail)
    wait = (
        tenacity.wait_exponential_jitter(multiplier=0.1, max=CAP_S)
        if "wait_exponential_jitter" in name
        else tenacity.wait_random_exponential(multiplier=0.1, max=CAP_S)
    )
    return tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure lesson 3 beside its peers and print tables.")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is timed; the best counts")
    rounds = parser.parse_args().rounds
    stamina.instrumentation.set_on_retry_hooks([])  # no log of each retry
    print(f"{machine()}; one core used; best of {rounds} rounds.\n")
    print("| a call that succeeds: what is around it | whose | µs over the bare call |\n|---|---|---:|")
    for what, whose, took in asyncio.run(overheads(rounds)):
        print(f"| {what} | {whose} | {took:.2f} |")
    print(f"\n| of {AT_ONCE} calls at once | whose | number |\n|---|---|---:|")
    for whose, number in asyncio.run(parallel()):
        print(f"| in progress at a time, breaker closed | {whose} | {number} |")
    for whose, number in asyncio.run(probes()):
        print(f"| let through after the wait | {whose} | {number} |")
    print(f"\n| {CLIENTS} clients at the cap of {CAP_S:g} s | spread of their waits, s |\n|---|---:|")
    for name in (
        "full_jitter",
        "equal_jitter",
        "decorrelated_jitter",
        "tenacity wait_random_exponential",
        "tenacity wait_exponential_jitter",
        "stamina",
    ):
        print(f"| {name} | {spread(name):.3f} |")


if __name__ == "__main__":
    main()
