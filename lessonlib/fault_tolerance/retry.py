"""Retrying: what deserves another attempt, how often, after what wait, and until when.

Another attempt helps when the trouble passes by itself: a lost connection, a time-out, a server that restarts.
It cannot help an order without an address. So a policy names what it retries, and everything else fails at once.

Everything is bounded: attempts, each wait (`cap_s`), each attempt (`timeout_s`), all together (`deadline_s`), and
by a `RetryBudget` the retries of all calls. There is no wait after the last attempt: nothing would come of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import function as check_function
from lessonlib.event_driven.arguments import seconds, whole
from lessonlib.fault_tolerance.arguments import Errors, errors_test
from lessonlib.fault_tolerance.backoff import Jitter, full_jitter
from lessonlib.fault_tolerance.budget import RetryBudget
from lessonlib.fault_tolerance.deadline import Deadline, within
from lessonlib.fault_tolerance.errors import (
    CallFailed,
    NotRetryable,
    RetriesExhausted,
    RetryBudgetSpent,
    describe,
)

T = TypeVar("T")
TRANSIENT = (ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again.

    Attributes:
        attempts_max: how many calls are made in all, the first among them.
        base_s: the longest wait before the first retry, in seconds; doubled before each further one.
        cap_s: the longest wait at all, in seconds.
        jitter: how the wait is drawn: `full_jitter`, `equal_jitter`, `decorrelated_jitter`, or your own.
        retryable: which errors deserve another attempt: classes, or a function of the error. Cancellation never does.
        timeout_s: an attempt that takes longer is cancelled and has failed with a TimeoutError; None for no limit. A
            breaker around the function makes nothing of a cancelled call, so with one, put the time-out inside it.
        deadline_s: how long all attempts and waits may take together; None for no limit.

    Raises LessonError for what makes no sense.

        answer = await RetryPolicy(attempts_max=3, timeout_s=1.0, deadline_s=5.0).call(fetch, url)
    """

    attempts_max: int = 3
    base_s: float = 1.0
    cap_s: float = 30.0
    jitter: Jitter = full_jitter
    retryable: Errors = TRANSIENT
    timeout_s: float | None = None
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        whole("attempts_max", self.attempts_max, least=1)
        seconds("base_s", self.base_s)
        seconds("cap_s", self.cap_s)
        if self.cap_s < self.base_s:
            raise LessonError(
                f"cap_s={self.cap_s:g} is below base_s={self.base_s:g}; give a cap of base_s or more"
            )
        check_function("jitter", self.jitter, example="full_jitter")
        errors_test("retryable", self.retryable)
        for name in ("timeout_s", "deadline_s"):
            if getattr(self, name) is not None:
                seconds(name, getattr(self, name), positive=True)

    def retries(self, error: BaseException) -> bool:
        """Whether `error` deserves another attempt."""
        return isinstance(error, Exception) and errors_test("retryable", self.retryable)(error)

    def waits(self, random: Random) -> Iterator[float]:
        """Yield the waits between the attempts, in seconds: one fewer than there are attempts."""
        wait_s = 0.0
        for retry in range(1, self.attempts_max):
            wait_s = self.jitter(retry, self.base_s, cap_s=self.cap_s, random=random, previous_s=wait_s)
            yield wait_s

    async def call(
        self,
        function: Callable[..., Awaitable[T]],
        *args: Any,
        random: Random | None = None,
        deadline: Deadline | None = None,
        budget: RetryBudget | None = None,
    ) -> T:
        """Return what `function(*args)` returns, at the first attempt that does.

        Args:
            random: for the jitter; left out, the operating system's chance.
            deadline: a limit that began earlier, in place of `deadline_s`.
            budget: shared by all calls to one service.

        Raises NotRetryable, RetriesExhausted, DeadlineExceeded or RetryBudgetSpent, with the last error as its
        cause. A CallFailed that comes out of the function (an open breaker's) is raised as it is.
        """
        check_function("function", function, example="an async function")
        if deadline is None and self.deadline_s is not None:
            deadline = Deadline(self.deadline_s)
        waits = self.waits(random if random is not None else Random())
        last: Exception | None = None
        attempts = 0
        while True:
            if deadline is not None and deadline.expired:
                raise deadline.error(attempts) from last
            attempts += 1
            try:
                if deadline is not None:
                    result = await deadline.call(function, *args, timeout_s=self.timeout_s)
                else:
                    result = await within(self.timeout_s, function, *args)
            except CallFailed as refused:
                refused.attempts += attempts - 1
                if last is not None and refused.__cause__ is None:
                    refused.__cause__ = last
                raise
            except Exception as error:  # not BaseException: a cancelled call must end, not begin again
                last = error
            else:
                if budget is not None:
                    budget.on_success()
                return result
            if not self.retries(last):
                raise NotRetryable(
                    f"{describe(last)}; this cannot be mended by trying again: mend the request",
                    attempts=attempts,
                ) from last
            if budget is not None:
                budget.on_failure()
            wait_s = next(waits, None)
            if wait_s is None:
                raise RetriesExhausted(
                    f"all {attempts} attempts failed, the last with {describe(last)}; try later",
                    attempts=attempts,
                ) from last
            if budget is not None and not budget.allows_retry:
                raise RetryBudgetSpent(
                    f"not tried again after {describe(last)}, since too many calls fail; try later",
                    attempts=attempts,
                ) from last
            if deadline is not None and wait_s >= deadline.remaining_s:
                raise deadline.error(
                    attempts
                ) from last  # after the wait there would be no time for an attempt
            await asyncio.sleep(wait_s)
