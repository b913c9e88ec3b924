"""A real stream: a week of departures from New York's three airports, March 2013.

Each flight is an event that *happened* (in the plan) at its scheduled time and *arrived* in the stream when the plane
left. Most planes leave on time, some an hour late, a few many hours: real lateness, and real skew over airports and
airlines. The file says where it comes from; `tools/departures.py` made it.

Times are seconds since Sunday 3 March 2013, 00:00, local time.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from math import inf
from typing import NamedTuple

from lessonlib.errors import LessonError
from lessonlib.stream_processing.aggregation import WindowedAggregation
from lessonlib.stream_processing.arguments import duration_s
from lessonlib.stream_processing.watermark import Watermark
from lessonlib.stream_processing.windows import TumblingWindows

FIRST_DAY = datetime(2013, 3, 3)
AIRPORTS = ("EWR", "JFK", "LGA")
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Departure:
    """A flight that left.

    Attributes:
        flight: airline and number: "UA1545".
        tail: the aircraft's registration: the entity that can only do one thing after another.
        origin, dest: airports.
        scheduled_s: when it should have left: its event time.
        departed_s: when it did: its arrival in the stream.
    """

    flight: str
    tail: str
    origin: str
    dest: str
    scheduled_s: int
    departed_s: int

    @property
    def airline(self) -> str:
        """The airline's code of two letters."""
        return self.flight[:2]

    @property
    def late_s(self) -> int:
        """How much later than planned it left, in seconds; below 0 for one that left early."""
        return self.departed_s - self.scheduled_s


@cache
def _read() -> tuple[tuple[Departure, ...], int]:
    text = files("lessonlib.stream_processing").joinpath("data/departures.csv").read_text(encoding="ascii")
    found, cancelled = [], 0
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        if not row["late_min"]:
            cancelled += 1
            continue
        scheduled_s = int((datetime.fromisoformat(row["scheduled"]) - FIRST_DAY).total_seconds())
        departed_s = scheduled_s + 60 * int(row["late_min"])
        found.append(
            Departure(row["flight"], row["tail"], row["origin"], row["dest"], scheduled_s, departed_s)
        )
    found.sort(key=lambda d: (d.departed_s, d.scheduled_s, d.flight, d.origin))
    return tuple(found), cancelled


def departures() -> tuple[Departure, ...]:
    """Return the week's departures in the order in which they reach the stream: as the planes left."""
    return _read()[0]


def cancelled() -> int:
    """Return how many flights of the file never left. They are in no stream: nothing arrives."""
    return _read()[1]


def behind(rows: Iterable[Departure], *, by_airport: bool = True) -> list[int]:
    """Return how far each event is behind the latest event time of its source when it arrives, in seconds.

    This, and not the delay of the flight, is what a watermark has to wait for: with `delay_s` of at least the
    greatest of these, no event would be late.
    """
    latest: dict[str, float] = {}
    found = []
    for row in rows:
        source = row.origin if by_airport else ""
        latest[source] = max(latest.get(source, -inf), row.scheduled_s)
        found.append(int(latest[source]) - row.scheduled_s)
    return found


class Choice(NamedTuple):
    """What a watermark's delay costs.

    Attributes:
        delay_s: the choice.
        late: events that came after their window was closed.
        share: `late` as a share of all.
        wait_s: how long after its end a window was reported, on average over windows, by the stream's clock.
        wait_s_max: and at most.
    """

    delay_s: float
    late: int
    share: float
    wait_s: float
    wait_s_max: float


def choices(
    rows: Sequence[Departure], delays_s: Iterable[float], *, window_s: float = HOUR_S
) -> list[Choice]:
    """Return for each delay what it loses and how long it waits: departures by airport and scheduled hour.

    The last windows, which only the end of the stream closes, are not counted in the wait.
    """
    if not rows:
        raise LessonError("rows=() holds no departures; give for instance departures()[:1000]")
    found = []
    for delay_s in delays_s:
        delay_s = duration_s("delays_s", delay_s, positive=False)
        counts = WindowedAggregation(
            TumblingWindows(window_s), Watermark(delay_s, sources=AIRPORTS, idle_after_s=6 * HOUR_S)
        )
        waits: dict[float, float] = {}
        for row in rows:
            for result in counts.process(
                row.origin, row.scheduled_s, source=row.origin, now_s=row.departed_s
            ):
                waits.setdefault(result.window.end_s, row.departed_s - result.window.end_s)
        mean_s = sum(waits.values()) / len(waits) if waits else 0.0
        found.append(
            Choice(delay_s, counts.late, counts.late / len(rows), mean_s, max(waits.values(), default=0.0))
        )
    return found
