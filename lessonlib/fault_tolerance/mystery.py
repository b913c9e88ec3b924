"""The breaker of the diagnose exercise. Something is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lessonlib.fault_tolerance.circuit_breaker import CLOSED, HALF_OPEN, OPEN
from lessonlib.fault_tolerance.errors import CircuitOpen

TRANSIENT = (ConnectionError, TimeoutError)


class Breaker:
    def __init__(self, service: str, *, open_s: float, on_transition: Callable[..., None]) -> None:
        self.service, self.open_s, self.on_transition = service, open_s, on_transition
        self.state, self.failures, self.permits, self.since_s = CLOSED, 0, 0, 0.0

    def move(self, target: str) -> None:
        source, self.state = self.state, target
        self.failures, self.permits = 0, 1
        self.since_s = asyncio.get_running_loop().time()
        self.on_transition(self.service, source, target)

    async def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        now_s = asyncio.get_running_loop().time()
        if self.state == OPEN and now_s - self.since_s >= self.open_s:
            self.move(HALF_OPEN)
        if self.state == OPEN or (self.state == HALF_OPEN and not self.permits):
            raise CircuitOpen(f"the breaker of {self.service} is {self.state}; try later")
        if self.state == HALF_OPEN:
            self.permits -= 1
        try:
            result = await function(*args)
        except Exception as error:
            if not isinstance(error, TRANSIENT):
                raise
            self.failures += 1
            if self.state == HALF_OPEN or self.failures == 5:
                self.move(OPEN)
            raise
        self.failures = 0
        if self.state == HALF_OPEN:
            self.move(CLOSED)
        return result
