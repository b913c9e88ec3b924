"""A bulkhead: only so many calls to one service at a time, so that a slow one cannot take all workers with it.

A slow service is worse than a dead one. Calls to the dead fail at once; calls to the slow wait, and each holds a
worker. By Little's law, calls in progress = calls a second × seconds a call: a service that answers in 10 s instead
of 0.1 s holds a hundred times as many. The bulkhead is the bound; who finds it full is told so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from lessonlib.event_driven.arguments import function as check_function
from lessonlib.event_driven.arguments import seconds, text, whole
from lessonlib.fault_tolerance.errors import BulkheadFull

T = TypeVar("T")


class Bulkhead:
    """Lets at most `permits` calls be in progress at a time. One for each service that is called.

    Args:
        permits: how many calls at a time (resilience4j's `maxConcurrentCalls`, 25 there too).
        wait_s: how long a call may wait for its turn (`maxWaitDuration`); 0: not at all.
        waiting_max: how many calls may wait at a time.
        name: for messages.

        async with bulkhead: ...
        await bulkhead.call(fetch, url)
    """

    def __init__(
        self, permits: int = 25, *, wait_s: float = 0.0, waiting_max: int = 100, name: str = "bulkhead"
    ) -> None:
        whole("permits", permits, least=1)
        seconds("wait_s", wait_s)
        whole("waiting_max", waiting_max, least=0)
        text("name", name, example="payments")
        self.name = name
        self.permits = permits
        self._wait_s = wait_s
        self._waiting_max = waiting_max
        self._turns = asyncio.Semaphore(permits)
        self.in_progress = 0
        self.waiting = 0

    async def __aenter__(self) -> Bulkhead:
        """Take a permit, or raise BulkheadFull."""
        if self._turns.locked():
            if not self._wait_s or self.waiting >= self._waiting_max:
                raise self._full()
            self.waiting += 1
            try:
                async with asyncio.timeout(self._wait_s) as limit:
                    await self._turns.acquire()
            except TimeoutError:
                if limit.expired():
                    raise self._full() from None
                raise
            finally:
                self.waiting -= 1
        else:
            await self._turns.acquire()  # it is free: this does not wait
        self.in_progress += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.in_progress -= 1
        self._turns.release()

    async def call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Return what `function(*args)` returns. Raises BulkheadFull when there is no permit for it."""
        check_function("function", function, example="an async function")
        async with self:
            return await function(*args)

    def _full(self) -> BulkheadFull:
        return BulkheadFull(
            f"{self.name}: {self.permits} calls are in progress, as many as may be; try later, or give more permits"
        )
