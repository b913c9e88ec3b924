"""Windows cut a stream that never ends into pieces that do, by *event time*: when something happened.

A window is half open, [start, end): an event at the end belongs to the next one. Windows of a fixed size are
aligned to the epoch plus an offset, so every machine cuts at the same places.

Times and sizes are numbers of seconds; a size may be a timedelta. Whole numbers are computed exactly, also
before the epoch: the start is `t - (t - offset) % size`, and Python's `%` is never negative. (In C, Java and Go it
is, and windows before the epoch begin at the wrong place.)

Flink's and Beam's *sliding* windows are Kafka Streams' *hopping* windows; what Kafka Streams calls sliding is
something else, a pair of events within a distance.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from lessonlib.errors import LessonError
from lessonlib.stream_processing.arguments import duration_s, moment

PER_EVENT_MAX = 10_000  # windows that one event may be in


class Window(NamedTuple):
    """A span of event time, from `start_s` up to and without `end_s`, in seconds."""

    start_s: float
    end_s: float

    def covers(self, time_s: float) -> bool:
        """Whether an event of that time is inside. The end is outside."""
        return self.start_s <= time_s < self.end_s


class SlidingWindows:
    """Windows of `size_s` that begin every `slide_s`, so that each event is in size / slide of them.

    Args:
        size_s: how long a window is.
        slide_s: how far apart two windows begin; not more than the size, or events would fall between them (Kafka
            Streams refuses that too, Flink and Beam do not).
        offset_s: shifts all windows: a day that begins at 05:00 UTC has size 86400, offset 18000.
        earliest_s: no window begins before it. Left out, there is no such limit, as in Flink and Beam; 0 is what
            Kafka Streams does.
    """

    def __init__(
        self,
        size_s: float | timedelta,
        slide_s: float | timedelta,
        *,
        offset_s: float = 0,
        earliest_s: float | None = None,
    ) -> None:
        self.size_s = duration_s("size_s", size_s)
        self.slide_s = duration_s("slide_s", slide_s)
        if not self.size_s / PER_EVENT_MAX <= self.slide_s <= self.size_s:
            raise LessonError(
                f"slide_s={slide_s!r} should be at most size_s={size_s!r} and not below a {PER_EVENT_MAX}th of it; "
                "give one between"
            )
        moment("offset_s", offset_s)
        if earliest_s is not None:
            moment("earliest_s", earliest_s)
        self.offset_s = offset_s
        self.earliest_s = earliest_s

    def assign(self, time_s: float) -> tuple[Window, ...]:
        """Return the windows that an event of that time is in, the earliest first."""
        moment("time_s", time_s)
        size, slide = self.size_s, self.slide_s
        start = time_s - (time_s - self.offset_s) % slide  # of the latest window
        found = []
        while start > time_s - size and (self.earliest_s is None or start >= self.earliest_s):
            found.append(Window(start, start + size))
            start -= slide
        return tuple(reversed(found))


class TumblingWindows(SlidingWindows):
    """Windows of `size_s`, one after the other: each event is in exactly one. Sliding by their own size.

    Args:
        size_s, offset_s: as for SlidingWindows.
    """

    def __init__(self, size_s: float | timedelta, *, offset_s: float = 0) -> None:
        super().__init__(size_s, size_s, offset_s=offset_s)

    def assign(self, time_s: float) -> tuple[Window, ...]:
        """Return the one window that an event of that time is in, as a tuple of one."""
        moment("time_s", time_s)
        start = time_s - (time_s - self.offset_s) % self.size_s
        return (Window(start, start + self.size_s),)


class SessionWindows:
    """Windows of activity: events less than `gap_s` apart are in one session, which ends `gap_s` after its last.

    An event opens a window [t, t + gap); windows that meet become one. An event that arrives late can join two
    sessions that had been apart.

    Args:
        gap_s: how long a silence ends a session.
        merge_at_gap: what becomes of two events *exactly* the gap apart. True: one session (Flink, Kafka Streams,
            bytewax). False: two (Beam).
    """

    def __init__(self, gap_s: float | timedelta, *, merge_at_gap: bool = True) -> None:
        self.gap_s = duration_s("gap_s", gap_s)
        if not isinstance(merge_at_gap, bool):
            raise LessonError(
                f"merge_at_gap={merge_at_gap!r:.60} is a question of yes or no; give True or False"
            )
        self.merge_at_gap = merge_at_gap

    def assign(self, time_s: float) -> tuple[Window, ...]:
        """Return the window that an event opens, before it is merged with others."""
        moment("time_s", time_s)
        return (Window(time_s, time_s + self.gap_s),)

    def meet(self, one: Window, other: Window) -> bool:
        """Whether two windows are one session."""
        if self.merge_at_gap:
            return one.start_s <= other.end_s and other.start_s <= one.end_s
        return one.start_s < other.end_s and other.start_s < one.end_s

    def sessions(self, times_s: Iterable[float]) -> list[Window]:
        """Return the sessions of events with these times, in any order; the earliest session first."""
        found: list[Window] = []
        for time_s in sorted(times_s):
            (window,) = self.assign(time_s)
            if found and self.meet(found[-1], window):
                window = Window(found.pop().start_s, window.end_s)
            found.append(window)
        return found


Windows = SlidingWindows | SessionWindows
