"""The watermark: how far event time has come, as far as one can know.

Events arrive late and out of order, so no arrival proves that a window is complete. A watermark is a bet: *every
event before this time has arrived*. Here the bet is that no event comes more than `delay_s` behind the latest of its
source (bounded out-of-orderness). A larger delay loses fewer events and waits longer: that is the whole trade.

With several sources the watermark is the **minimum** over them, or the fastest would close windows on the others.
A source that has nothing to say would hold it for ever, so after `idle_after_s` without an event it is *idle* and not
counted. It never goes back: what has been closed stays closed, and events from behind it are late.

Flink's watermark is one tick smaller for the same state: it says "nothing at or before w comes any more", so after
1337 with a delay of 10 (milliseconds) Flink says 1326 and this says 1327, and both close the same windows. Kafka
Streams has no delay and no minimum: stream time is the maximum of a partition, and windows wait a *grace* period.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import inf
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import text
from lessonlib.stream_processing.arguments import duration_s, moment, names

SOURCES_MAX = 100_000


class Watermark:
    """The watermark of a stream that comes from one source or several.

    Args:
        delay_s: how far behind the latest event of its source an event may be without being late.
        sources: the sources that are known from the start; nothing can be said before each has spoken or is idle. A
            source that is not named is known from its first event.
        idle_after_s: a source silent for so long is idle; left out, none ever is. Needs `now_s` in `observe`.
    """

    def __init__(
        self,
        delay_s: float | timedelta = 0,
        *,
        sources: Iterable[str] = (),
        idle_after_s: float | timedelta | None = None,
    ) -> None:
        self.delay_s = duration_s("delay_s", delay_s, positive=False)
        self.idle_after_s = None if idle_after_s is None else duration_s("idle_after_s", idle_after_s)
        known = names("sources", sources, example="['JFK', 'LGA']")
        self._latest: dict[str, float] = dict.fromkeys(known, -inf)  # event time, by source
        self._heard: dict[str, float | None] = dict.fromkeys(known)  # processing time, by source
        self._value: float = -inf

    @property
    def value(self) -> float:
        """Every event before this time (in seconds) has arrived, so the bet goes. -inf before anything is known."""
        return self._value

    def observe(self, time_s: float, *, source: str = "", now_s: float | None = None) -> float:
        """Take note of an event; return the watermark after it.

        Args:
            time_s: when the event happened.
            source: where it came from.
            now_s: when it arrived, by the clock that idleness goes by.
        """
        moment("time_s", time_s)
        if not isinstance(source, str):
            text("source", source, example="JFK")
        if now_s is not None:
            moment("now_s", now_s)
            self._advance(now_s)  # until now the source may have been idle
        if time_s > self._latest.get(source, -inf):
            self._latest[source] = time_s
            if len(self._latest) > SOURCES_MAX:
                raise LessonError(
                    f"source={source!r:.60} is one too many; give at most {SOURCES_MAX} sources"
                )
        if now_s is not None:
            self._heard[source] = now_s
        return self._advance(now_s)

    def tick(self, now_s: float) -> float:
        """Take note that time passes without events, so that sources become idle; return the watermark."""
        moment("now_s", now_s)
        return self._advance(now_s)

    def idle(self, now_s: float) -> tuple[str, ...]:
        """Return the sources that are idle at `now_s`."""
        if self.idle_after_s is None:
            return ()
        return tuple(
            source
            for source in self._latest
            if (heard := self._heard.get(source)) is not None and now_s - heard >= self.idle_after_s
        )

    def _awake(self, now_s: float) -> list[str]:
        """Return the sources that count. When all are idle, the one that fell silent last was the last to count; so
        the answer does not depend on how often one looks. (Flink then takes the furthest of all.)"""
        asleep = self.idle(now_s)
        awake = [source for source in self._latest if source not in asleep]
        if awake or not asleep:
            return awake
        heard = {source: self._heard[source] or 0.0 for source in asleep}
        return [source for source in asleep if heard[source] == max(heard.values())]

    def _advance(self, now_s: float | None) -> float:
        latest = self._latest
        if self.idle_after_s is not None and now_s is not None:
            for source in latest:  # who has never been heard of is silent since we began to listen
                if self._heard.get(source) is None:
                    self._heard[source] = now_s
            slowest = min((latest[source] for source in self._awake(now_s)), default=-inf)
        else:
            slowest = min(latest.values(), default=-inf)
        if slowest - self.delay_s > self._value:
            self._value = slowest - self.delay_s
        return self._value

    def end(self) -> float:
        """Say that no event will come any more, from anywhere: the watermark passes every window."""
        self._value = inf
        return inf

    def snapshot(self) -> dict[str, Any]:
        """Return all of it as plain data, for a checkpoint. Idleness starts anew after a restore."""
        return {"value": _plain(self._value), "latest": {s: _plain(t) for s, t in self._latest.items()}}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self._value = _number(snapshot["value"])
        self._latest = {source: _number(t) for source, t in snapshot["latest"].items()}
        self._heard = dict.fromkeys(self._latest)


def _plain(number: float) -> float | None:
    return None if number == -inf else number  # JSON has no infinity


def _number(plain: float | None) -> float:
    return -inf if plain is None else plain
