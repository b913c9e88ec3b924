"""A deadline: one limit over everything that belongs to a call, all its attempts and waits together.

A time-out for each attempt says nothing about the whole: three attempts of 10 s and two waits are more than 30 s.
A deadline is a *moment*. It can be handed on, to the next function or the next service, and means the same there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from lessonlib.event_driven.arguments import function, seconds
from lessonlib.fault_tolerance.arguments import loop_time
from lessonlib.fault_tolerance.errors import DeadlineExceeded

T = TypeVar("T")


class Deadline:
    """A moment by which something must be done.

    Args:
        within_s: how far off it is, in seconds, from now on.
        clock: seconds that never jump; left out, the event loop's time.

        deadline = Deadline(2.0)
        answer = await deadline.call(fetch, url)                 # raises DeadlineExceeded after 2 s
        answer = await deadline.call(fetch, url, timeout_s=0.5)  # and TimeoutError after 0.5 s
    """

    def __init__(self, within_s: float, *, clock: Callable[[], float] = loop_time) -> None:
        seconds("within_s", within_s)
        function("clock", clock, example="a function that returns seconds")
        self.within_s = within_s
        self._clock = clock
        self._at_s = clock() + within_s

    @property
    def remaining_s(self) -> float:
        """How many seconds are left; 0 when it has passed."""
        return max(0.0, self._at_s - self._clock())

    @property
    def expired(self) -> bool:
        """Whether it has passed."""
        return self.remaining_s <= 0

    def error(self, attempts: int = 0) -> DeadlineExceeded:
        """Return the error that says that it has passed."""
        return DeadlineExceeded(
            f"the deadline of {self.within_s:g} s has passed; try later, or allow more time",
            attempts=attempts,
        )

    async def call(
        self, function: Callable[..., Awaitable[T]], *args: Any, timeout_s: float | None = None
    ) -> T:
        """Return what `function(*args)` returns.

        Args:
            timeout_s: a limit for this call alone.

        Raises DeadlineExceeded when the deadline passes, TimeoutError when only `timeout_s` does, and what the
        function raises. In the first two cases the function has been cancelled.
        """
        if timeout_s is not None:
            seconds("timeout_s", timeout_s, positive=True)
        if self.expired:
            raise self.error()
        left_s = self.remaining_s
        alone = timeout_s is not None and timeout_s < left_s
        return await within(
            timeout_s if alone else left_s,
            function,
            *args,
            late=None if alone else lambda: self.error(attempts=1),
        )


async def within(
    limit_s: float | None,
    function: Callable[..., Awaitable[T]],
    *args: Any,
    late: Callable[[], Exception] | None = None,
) -> T:
    """Return what `function(*args)` returns, if it does within `limit_s`; raise `late()` or TimeoutError else.

    A TimeoutError that the function itself raises passes through: it is not ours.
    """
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await function(*args)
    except TimeoutError as error:
        if not limit.expired():
            raise
        if late is not None:
            raise late() from error
        raise TimeoutError(f"no answer within {limit_s:g} s") from error
