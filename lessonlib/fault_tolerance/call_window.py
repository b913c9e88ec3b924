"""The calls by which a breaker judges: the last so many, or those of the last so many seconds.

As resilience4j's sliding windows. Both keep running totals, so that a judgement costs the same however many calls
they hold. Windows of time are kept in buckets of a second: they need memory for seconds, not for calls.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in a window.

    Attributes:
        calls: how many calls.
        failed: how many of them failed.
        slow: how many took too long, whether they failed or not.
    """

    calls: int = 0
    failed: int = 0
    slow: int = 0

    @property
    def failure_rate(self) -> float:
        """The share of calls that failed; 0 when there are none."""
        return self.failed / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """The share of calls that were slow; 0 when there are none."""
        return self.slow / self.calls if self.calls else 0.0


class CallWindow(Protocol):
    """What a breaker needs of a window."""

    def add(self, now_s: float, *, failed: bool, slow: bool) -> Totals:
        """Count a call that has ended now; return what is in the window."""
        ...

    def totals(self, now_s: float) -> Totals:
        """Return what is in the window now."""
        ...


class CountWindow:
    """The last `size` calls."""

    def __init__(self, size: int) -> None:
        self._calls: deque[tuple[bool, bool]] = deque(maxlen=size)
        self._failed = self._slow = 0

    def add(self, now_s: float, *, failed: bool, slow: bool) -> Totals:
        if len(self._calls) == self._calls.maxlen:
            left_failed, left_slow = self._calls[0]
            self._failed -= left_failed
            self._slow -= left_slow
        self._calls.append((failed, slow))
        self._failed += failed
        self._slow += slow
        return self.totals(now_s)

    def totals(self, now_s: float) -> Totals:
        return Totals(len(self._calls), self._failed, self._slow)


class TimeWindow:
    """The calls that ended within the last `size_s` seconds, the present one, though unfinished, among them."""

    def __init__(self, size_s: int) -> None:
        self._size_s = size_s
        self._buckets: deque[list[int]] = deque()  # [second, calls, failed, slow], oldest first
        self._sums = [0, 0, 0]

    def add(self, now_s: float, *, failed: bool, slow: bool) -> Totals:
        self._forget(now_s)
        second = int(now_s)
        if not self._buckets or self._buckets[-1][0] < second:
            self._buckets.append([second, 0, 0, 0])
        for i, count in enumerate((1, int(failed), int(slow))):
            self._buckets[-1][i + 1] += count
            self._sums[i] += count
        return Totals(*self._sums)

    def totals(self, now_s: float) -> Totals:
        self._forget(now_s)
        return Totals(*self._sums)

    def _forget(self, now_s: float) -> None:
        while self._buckets and self._buckets[0][0] <= int(now_s) - self._size_s:
            for i, count in enumerate(self._buckets.popleft()[1:]):
                self._sums[i] -= count
