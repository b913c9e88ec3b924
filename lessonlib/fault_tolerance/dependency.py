"""A service to depend on, simulated: workers, a queue before them, and a time that each request takes.

Nothing about its troubles is scripted here. A request that nobody waits for any more is worked on all the same,
since a server cannot see that its client has given up. From that, a queue and clients that retry, everything
follows: brown-outs, overload, and the storm that goes on after its cause is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole


class Unavailable(ConnectionError):
    """The service refuses connections: it is down."""


class Overloaded(ConnectionError):
    """The service's queue is full, and it says so at once (HTTP's 503)."""


class Rejected(LessonError):
    """The service has understood the request and will never do it (HTTP's 422)."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a request takes, by quantiles: half of the requests less than `p50_s`, and so on; in seconds.

    Between the quantiles every time is equally likely. (A curve with an exponential in it would not come out the
    same to the last bit on every machine.)
    """

    p0_s: float = 0.02
    p50_s: float = 0.04
    p95_s: float = 0.08
    p100_s: float = 0.2

    def __post_init__(self) -> None:
        times = [time for _, time in self._curve]
        if not times[0] >= 0 or times != sorted(times):
            raise LessonError(f"{self} goes down; give quantiles that grow, from 0 s up")

    @property
    def _curve(self) -> tuple[tuple[float, float], ...]:
        return (0.0, self.p0_s), (0.5, self.p50_s), (0.95, self.p95_s), (1.0, self.p100_s)

    @property
    def mean_s(self) -> float:
        """The mean, in seconds."""
        return sum((b - a) * (low + high) / 2 for (a, low), (b, high) in pairwise(self._curve))

    def times(self, factor: float) -> Latency:
        """Return this latency, with all times multiplied."""
        return Latency(*(time * factor for _, time in self._curve))

    def draw(self, random: Random) -> float:
        """Return a time."""
        u = random.random()
        for (a, low), (b, high) in pairwise(self._curve):
            if u <= b:
                return low + (high - low) * (u - a) / (b - a)
        return self.p100_s


def _never(request: Any) -> None:
    return None


@dataclass(slots=True)
class _Waiting:
    request: Any
    answer: asyncio.Future[Any]
    since_s: float


class Dependency:
    """A service with a capacity of `workers / latency.mean_s` requests a second.

    Args:
        workers: how many requests it works on at a time.
        queue_max: how many more may wait; a request beyond is refused with Overloaded.
        latency: how long a worker is busy with a request.
        random: where chance comes from.
        refuse: returns the error for a request that is refused as it arrives, or None.
        fail: returns the error that a worker finds at a request's end, or None.
        slower_s: by how many seconds a request takes longer just now.
        on_served: called at each end with (request, seconds since it came, whether its client still waits, error).

    Run `serve()` on the service's own node.
    """

    def __init__(
        self,
        *,
        workers: int,
        queue_max: int,
        latency: Latency,
        random: Random,
        refuse: Callable[[Any], Exception | None] = _never,
        fail: Callable[[Any], Exception | None] = _never,
        slower_s: Callable[[], float] = lambda: 0.0,
        on_served: Callable[[Any, float, bool, Exception | None], None] = lambda *_: None,
    ) -> None:
        whole("workers", workers, least=1)
        whole("queue_max", queue_max, least=0)
        self.workers = workers
        self.latency = latency
        self._queue_max = queue_max
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._busy = 0
        self._random = random
        self._refuse, self._fail, self._slower_s, self._on_served = refuse, fail, slower_s, on_served

    @property
    def capacity_per_s(self) -> float:
        """How many requests a second it can do on a good day."""
        return self.workers / self.latency.mean_s

    @property
    def queued(self) -> int:
        """How many requests wait for a worker."""
        return max(0, self._queue.qsize() - (self.workers - self._busy))

    async def call(self, request: Any) -> Any:
        """Return the answer to `request`: None. Raises Overloaded, or what `refuse` and `fail` say."""
        if (error := self._refuse(request)) is not None:
            raise error
        if self.queued >= self._queue_max + (self._busy < self.workers):
            raise Overloaded(f"{self._queue_max} requests are waiting, as many as may be; try later")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future(), loop.time())
        self._queue.put_nowait(waiting)
        return await waiting.answer

    async def serve(self) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.workers):
                group.create_task(self._work(), name=f"worker {number + 1}")

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            waiting = await self._queue.get()
            self._busy += 1
            await asyncio.sleep(self.latency.draw(self._random) + self._slower_s())
            self._busy -= 1
            error = self._fail(waiting.request)
            wanted = not waiting.answer.done()
            self._on_served(waiting.request, loop.time() - waiting.since_s, wanted, error)
            if wanted and error is None:
                waiting.answer.set_result(None)
            elif wanted:
                waiting.answer.set_exception(error)  # type: ignore[arg-type]
