"""The textbook version: what a course prints on one page, with the same interface as the pattern.

It is short, it is plausible, and on a good day it works. Each defect is marked where it stands, as D1 to D10, and
`DEFECTS` says what it is: apart, so that who reads the source can still predict what it will do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

DEFECTS = {
    "D1": "the breaker opens, and nothing ever closes it again",
    "D2": "what can never succeed is tried again, too",
    "D3": "all who failed together wait equally long, and come back together",
    "D4": "the wait doubles without end",
    "D5": "nothing limits how long a call takes, once or in all",
    "D6": "retries is 1 by the first wait, so it is twice the delay that was asked for",
    "D7": "the breaker counts once for an event, however many of its calls failed; at three calls each, "
    "a threshold of five means 15 of them",
    "D8": "a bare Exception without its cause: nobody can tell an open breaker from a failure",
    "D9": "an event that failed is kept nowhere",
    "D10": "nothing limits how many of the caller's workers wait for one slow service",
}


class CircuitBreaker:
    """Counts failures, and opens at the threshold."""

    def __init__(
        self, threshold: int = 5, *, name: str = "default", on_transition: Callable[..., None] | None = None
    ) -> None:
        self.threshold = threshold
        self.failures = 0
        self.is_open = False
        self._name = name
        self._on_transition = on_transition  # not in the course; the pictures need it

    def record_success(self) -> None:
        self.failures = 0

    def record_failure(self) -> None:
        self.failures += 1
        if self.failures >= self.threshold and not self.is_open:
            self.is_open = True  # D1
            if self._on_transition is not None:
                self._on_transition(self._name, "closed", "open")


class FaultTolerantProcessor:
    """Retries with exponential backoff, behind a circuit breaker for each service."""

    def __init__(
        self,
        max_retries: int = 3,
        retry_delay: float = 1.0,
        circuit_breaker_threshold: int = 5,
        *,
        on_transition: Callable[..., None] | None = None,
    ) -> None:
        self.max_retries = max_retries
        self.retry_delay = retry_delay
        self.threshold = circuit_breaker_threshold
        self.circuit_breakers: dict[str, CircuitBreaker] = {}
        self._on_transition = on_transition

    async def process_with_retries(
        self, processor_func: Callable[[Any], Awaitable[Any]], event: dict[str, Any]
    ) -> Any:
        service = event.get("service", "default")
        breaker = self.circuit_breakers.setdefault(
            service, CircuitBreaker(self.threshold, name=service, on_transition=self._on_transition)
        )
        if breaker.is_open:
            raise Exception(f"Circuit breaker is open for {service}")  # D8
        retries = 0
        while retries < self.max_retries:
            try:
                result = await processor_func(event)  # D5, D10
            except Exception:  # D2
                retries += 1
                if retries < self.max_retries:
                    await asyncio.sleep(self.retry_delay * 2**retries)  # D3, D4, D6
            else:
                breaker.record_success()
                return result
        breaker.record_failure()  # D7
        raise Exception(f"Failed after {self.max_retries} retries")  # D8, D9
