"""The watermark of the diagnose exercise. Something is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf


class SharedWatermark:
    def __init__(self, delay_s: float, *, sources: Iterable[str] = (), idle_after_s: float | None = None):
        self.delay_s = delay_s
        self.latest = dict.fromkeys(sources, -inf)
        self.value = -inf

    def observe(self, time_s: float, *, source: str = "", now_s: float | None = None) -> float:
        if time_s > self.latest[source]:
            self.latest[source] = time_s
        reached = max(self.latest.values())
        if reached - self.delay_s > self.value:
            self.value = reached - self.delay_s
        return self.value

    def tick(self, now_s: float) -> float:
        return self.value

    def end(self) -> float:
        self.value = inf
        return self.value
