"""Aggregation by key and window, one event at a time.

What is kept is a number (or whatever the aggregate is) for each key in each *open* window: memory grows with keys ×
open windows, never with events. A window is reported when the watermark reaches its end. Events that come after that
are late; within the *allowed lateness* they still correct the result, which is then reported again with a higher
`revision`; after it they go to a **side output**, counted and never silently dropped.

As in Flink: an event is late when the end of its window, plus the allowed lateness, is not after the watermark; a late
event of a session is judged after it was merged. An event of several sliding windows goes to the side output only when
it is late for all of them. Beam by default reports a late correction too; Kafka Streams reports changes all along (those
that come close together merged, by its cache), unless `suppress` is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from heapq import heappop, heappush
from operator import add as plus
from typing import Any, NamedTuple, cast

from lessonlib.event_driven.arguments import able, function, text
from lessonlib.stream_processing.arguments import duration_s
from lessonlib.stream_processing.watermark import Watermark
from lessonlib.stream_processing.windows import SessionWindows, Window, Windows


class Result(NamedTuple):
    """What a window holds for a key.

    Attributes:
        key, window, value: whose, when, what.
        revision: 0 for the first report, one more for each correction by a late event.
        replaces: earlier sessions that were reported and have become part of this one.
    """

    key: str
    window: Window
    value: Any
    revision: int = 0
    replaces: tuple[Window, ...] = ()


class LateEvent(NamedTuple):
    """An event that came when its window was closed for good.

    Attributes:
        key, time_s, value: what it said.
        behind_s: how far it was behind the watermark.
    """

    key: str
    time_s: float
    value: Any
    behind_s: float


class _Cell:
    __slots__ = ("replaces", "revision", "value")

    def __init__(self, value: Any, revision: int = 0, replaces: tuple[Window, ...] = ()) -> None:
        self.value = value
        self.revision = revision  # of the next report
        self.replaces = replaces


class WindowedAggregation:
    """Adds up values by key and window, and reports each window when the watermark says that it is complete.

    Args:
        windows: how the stream is cut.
        watermark: how far event time has come.
        initial: the aggregate of nothing; plain data that is not changed in place.
        add: from (aggregate, value) to the new aggregate. With the defaults, values of 1 are counted.
        merge: from two aggregates to one, for sessions that meet.
        allowed_lateness_s: how long after the watermark has passed it a window can still be corrected.
        on_late: the side output: called with each LateEvent.
    """

    def __init__(
        self,
        windows: Windows,
        watermark: Watermark,
        *,
        initial: Any = 0,
        add: Callable[[Any, Any], Any] = plus,
        merge: Callable[[Any, Any], Any] = plus,
        allowed_lateness_s: float | timedelta = 0,
        on_late: Callable[[LateEvent], Any] | None = None,
    ) -> None:
        able("windows", windows, ("assign",), example="windows such as TumblingWindows(60)")
        able("watermark", watermark, ("observe", "tick", "end"), example="a Watermark such as Watermark(5)")
        function("add", add, example="a function of (aggregate, value)")
        function("merge", merge, example="a function of two aggregates")
        if on_late is not None:
            function("on_late", on_late, example="a function of one LateEvent, or None")
        self.windows = windows
        self.watermark = watermark
        self.allowed_lateness_s = duration_s("allowed_lateness_s", allowed_lateness_s, positive=False)
        self.late = 0
        self._initial, self._add, self._merge, self._on_late = initial, add, merge, on_late
        self._open: dict[Window, dict[str, _Cell]] = {}
        self._reported: set[Window] = set()  # closed, and kept for the allowed lateness
        self._due: list[tuple[float, Window]] = []  # a heap: when to look at a window again
        self._sessions: dict[str, list[Window]] | None = {} if hasattr(windows, "meet") else None

    @property
    def open_cells(self) -> int:
        """How many aggregates are kept: keys × open windows."""
        return sum(len(cells) for cells in self._open.values())

    def process(
        self, key: str, time_s: float, value: Any = 1, *, source: str = "", now_s: float | None = None
    ) -> list[Result]:
        """Add an event; return what is to be reported now.

        Args:
            key: whose.
            time_s: when it happened.
            value: what is added.
            source, now_s: as for Watermark.observe.
        """
        if not isinstance(key, str):
            text("key", key, example="JFK")
        found: list[Result] = []
        closed_s = self.watermark.value - self.allowed_lateness_s
        added = False
        for window in self.windows.assign(time_s):
            taken: list[Window] = []
            if self._sessions is not None:
                window, taken = self._met(key, window)
            if window.end_s <= closed_s:
                continue
            added = True
            cell = self._cell(key, window, taken)
            cell.value = self._add(cell.value, value)
            if window.end_s <= self.watermark.value:
                found.append(self._report(key, window, cell))
        if not added:
            self.late += 1
            if self._on_late is not None:
                self._on_late(LateEvent(key, time_s, value, self.watermark.value - time_s))
        self.watermark.observe(time_s, source=source, now_s=now_s)
        if self._due and self._due[0][0] <= self.watermark.value:
            found += self._close()
        return found

    def tick(self, now_s: float) -> list[Result]:
        """Let time pass without an event, so that idle sources hold nothing up; return what is to be reported."""
        self.watermark.tick(now_s)
        return self._close()

    def end(self) -> list[Result]:
        """Say that no event will come any more; return what is left to be reported."""
        self.watermark.end()
        return self._close()

    def _met(self, key: str, window: Window) -> tuple[Window, list[Window]]:
        """Return the session that an event's window becomes, and the open sessions that become part of it."""
        assert self._sessions is not None
        meet = cast(SessionWindows, self.windows).meet
        met = [other for other in self._sessions.get(key, ()) if meet(window, other)]
        start = min([window.start_s, *(other.start_s for other in met)])
        end = max([window.end_s, *(other.end_s for other in met)])
        return Window(start, end), met

    def _cell(self, key: str, window: Window, taken: Iterable[Window]) -> _Cell:
        """Return where a key's aggregate of a window stands, made new or of the sessions in `taken`."""
        old = [(other, self._open[other][key]) for other in taken if other != window]
        for other, _ in old:
            self._forget(key, other)
        cells = self._open.get(window)
        if cells is None:
            cells = self._open[window] = {}
            if window.end_s <= self.watermark.value:
                self._reported.add(window)
                heappush(self._due, (window.end_s + self.allowed_lateness_s, window))
            else:
                heappush(self._due, (window.end_s, window))
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = _Cell(self._initial)
            if self._sessions is not None:
                self._sessions.setdefault(key, []).append(window)
        for other, before in old:
            cell.value = self._merge(cell.value, before.value)
            cell.revision = max(cell.revision, before.revision)
            cell.replaces += before.replaces + ((other,) if before.revision else ())
        return cell

    def _report(self, key: str, window: Window, cell: _Cell) -> Result:
        result = Result(key, window, cell.value, cell.revision, cell.replaces)
        cell.revision += 1
        cell.replaces = ()
        return result

    def _close(self) -> list[Result]:
        """Report every window that the watermark has reached; forget those that can change no more."""
        found: list[Result] = []
        due, now_s = self._due, self.watermark.value
        while due and due[0][0] <= now_s:
            when, window = heappop(due)
            cells = self._open.get(window)
            if cells is None:
                continue  # it has become part of another session
            final_s = window.end_s + self.allowed_lateness_s
            if window not in self._reported:
                # By key, not by arrival: what is reported does not depend on who came first.
                found += [self._report(key, window, cells[key]) for key in sorted(cells)]
                if final_s > now_s:
                    self._reported.add(window)
                    heappush(due, (final_s, window))
                    continue
            elif when < final_s:
                continue  # an entry of an earlier session with the same bounds
            for key in list(cells):
                self._forget(key, window)
        return found

    def _forget(self, key: str, window: Window) -> None:
        cells = self._open[window]
        del cells[key]
        if not cells:
            del self._open[window]
            self._reported.discard(window)
        if self._sessions is not None:
            self._sessions[key].remove(window)
            if not self._sessions[key]:
                del self._sessions[key]

    def snapshot(self) -> dict[str, Any]:
        """Return all that is kept as plain data, for a checkpoint."""
        cells = [
            [window.start_s, window.end_s, key, cell.value, cell.revision, [list(w) for w in cell.replaces]]
            for window, by_key in self._open.items()
            for key, cell in by_key.items()
        ]
        reported = [list(window) for window in self._open if window in self._reported]
        return {
            "watermark": self.watermark.snapshot(),
            "late": self.late,
            "cells": cells,
            "reported": reported,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from what `snapshot` returned."""
        self.watermark.restore(snapshot["watermark"])
        self.late = snapshot["late"]
        self._open, self._due = {}, []
        self._reported = {Window(*pair) for pair in snapshot["reported"]}
        if self._sessions is not None:
            self._sessions = {}
        for start, end, key, value, revision, replaces in snapshot["cells"]:
            window = Window(start, end)
            if window not in self._open:
                wait_s = self.allowed_lateness_s if window in self._reported else 0
                heappush(self._due, (end + wait_s, window))
            self._open.setdefault(window, {})[key] = _Cell(
                value, revision, tuple(Window(*w) for w in replaces)
            )
            if self._sessions is not None:
                self._sessions.setdefault(key, []).append(window)
