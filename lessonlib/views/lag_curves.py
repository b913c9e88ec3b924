"""Lag by subscription: how far each reader of a log is behind its end, over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, window
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.picture import Picture, ViewError, name_of, one
from lessonlib.views.reading import strikes
from lessonlib.views.svg import (
    BLUE,
    BROWN,
    GREEN,
    GREY,
    INK,
    PURPLE,
    RED,
    RULE,
    WIDTH,
    Sheet,
    shorten,
    text_width,
    wrap,
)

LogEnd = Callable[[Record, int], int]
Committed = Callable[[Record], Mapping[str, int]]

CURVES_MAX = 8
_HEIGHT = 190.0
# colour, dashes, width: the first are the widest, so that each shows where several lie on each other
_STYLES = (
    (BLUE, None, 4.0),
    (RED, "7 3", 2.8),
    (GREEN, "2 3", 2.2),
    (PURPLE, "10 3 2 3", 1.8),
    (BROWN, "5 2", 1.5),
    (INK, "1 2", 1.5),
    (GREY, "12 4", 1.5),
    (BLUE, "3 6", 1.5),
)


def appended(record: Record, end: int) -> int:
    """Return the end of the log after `record`: one more for each record written to the file `log`."""
    return end + 1 if record.kind == "written" and record.get("file") == "log" else end


def commits(record: Record) -> Mapping[str, int]:
    """Return the offsets that `record` commits, by subscription; nothing for another record.

    Knows records `committed`, and what is written to the file `cursors`, with `subscription` and `offset`.
    """
    rows: Iterable[object] = ()
    if record.kind == "committed":
        rows = (record.data,)
    elif record.kind in ("written", "replaced") and record.get("file") == "cursors":
        rows = (record.get("record"),) if record.kind == "written" else record.get("records", ())
    return {
        r["subscription"]: r["offset"]
        for r in rows
        if isinstance(r, dict) and {"subscription", "offset"} <= r.keys()
    }


@dataclass(frozen=True, slots=True)
class Curve:
    """A subscription's lag: its value from each moment on."""

    subscription: str
    steps: tuple[tuple[int, int], ...]

    def at(self, t_us: int) -> int:
        """The lag at a moment."""
        return next((lag for when, lag in reversed(self.steps) if when <= t_us), 0)


def curves(
    run: Run, subscriptions: Sequence[str] | None, log_end: LogEnd, committed: Committed
) -> list[Curve]:
    """Return the lag of each subscription; those not named appear with their first commit, counted from offset 0."""
    at: dict[str, int] = dict.fromkeys(subscriptions or (), 0)
    if subscriptions is None:
        for record in run.history.records:
            at.update(dict.fromkeys(committed(record), 0))
    steps: dict[str, list[tuple[int, int]]] = {name: [(0, 0)] for name in at}
    end = 0
    for record in run.history.records:
        new_end = log_end(record, end)
        moved = committed(record)
        if new_end == end and not moved:
            continue
        end = new_end
        at.update({name: offset for name, offset in moved.items() if name in at})
        for name, offset in at.items():
            lag = max(0, end - offset)
            mine = steps[name]
            if mine[-1][0] == record.t_us:
                mine[-1] = (record.t_us, lag)
            elif mine[-1][1] != lag:
                mine.append((record.t_us, lag))
    if not end:
        raise ViewError(f"nothing was written to a log in {run.replay}; lag needs a system that keeps one")
    return [Curve(name, tuple(mine)) for name, mine in steps.items()]


def lag(
    run: Run,
    *,
    subscriptions: Sequence[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    log_end: LogEnd = appended,
    committed: Committed = commits,
) -> Picture:
    """Draw how many events each subscription is behind, over virtual time.

    Lag is the log's end less the committed offset, which is the *next* offset to read (as Kafka counts it): a
    subscription that has committed everything has lag 0.

    Args:
        run: what `scenario.run(...)` returned.
        subscriptions: which to draw; left out, all that ever committed.
        start_s, end_s: the part to show, in seconds of virtual time.
        log_end: the log's end after a record, given the end before it.
        committed: the offsets that a record commits, by subscription.

    Raises ViewError for a run without a log, without subscriptions, or with too many to tell apart.
    """
    run = one(run)
    if subscriptions is not None and (isinstance(subscriptions, str) or not subscriptions):
        raise ViewError(f"subscriptions={subscriptions!r} names none; give a list, for instance ['email']")
    lines = curves(run, subscriptions, log_end, committed)
    if not lines:
        raise ViewError(
            f"no subscription committed anything in {run.replay}; give subscriptions=[...] to see their lag"
        )
    if len(lines) > CURVES_MAX:
        raise ViewError(
            f"{len(lines)} curves are too many to tell apart; choose at most {CURVES_MAX}: subscriptions=[...]"
        )
    struck = strikes(run)
    last_us = max(
        [line.steps[-1][0] for line in lines] + [s.end_us for s in struck if s.start_us is not None]
    )
    start_us, end_us = window(start_s, end_s, last_us=min(last_us, run.end_us), run_end_us=run.end_us)
    ends = {line.subscription: line.at(end_us) for line in lines}
    texts = {
        line.subscription: f"{shorten(line.subscription, 90)}: {ends[line.subscription]}" for line in lines
    }
    axis = Axis(start_us, end_us, 100, WIDTH - 46 - max(text_width(text) for text in texts.values()))
    visible = [(line, _within(line, start_us, end_us)) for line in lines]
    most = max(1, *(value for _, steps in visible for _, value in steps))

    sheet = Sheet()
    title = f"Lag by subscription: {name_of(run)}, seed {run.seed}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    strip = FaultStrip(struck, axis)
    top = 38 + strip.height
    bottom = top + _HEIGHT
    strip.shade(sheet, {}, top, bottom)
    axis.draw(sheet, top, bottom)

    def y(value: float) -> float:
        return bottom - value * (_HEIGHT - 8) / most

    for value in levels(most):
        sheet.path(f"M{axis.left} {y(value):.1f}H{axis.right:.1f}", stroke=RULE)
        sheet.text(axis.left - 6, y(value) + 4, f"{value}", anchor="end")
    sheet.text(12, (top + bottom) / 2 - 3, "events", fill=GREY)
    sheet.text(12, (top + bottom) / 2 + 10, "behind", fill=GREY)
    strip.draw(sheet, 30, bottom)
    places = spread([y(ends[line.subscription]) for line, _ in visible], top + 6, bottom)
    for (line, steps), place, (colour, dash, width) in zip(visible, places, _STYLES, strict=False):
        sheet.path(
            _steps(steps, axis, y), stroke=colour, stroke_width=width, stroke_dasharray=dash, fill="none"
        )
        end_y = y(ends[line.subscription])
        sheet.path(f"M{axis.right:.1f} {end_y:.1f}L{axis.right + 8:.1f} {place:.1f}", stroke=colour)
        sheet.path(
            f"M{axis.right + 8:.1f} {place:.1f}h24", stroke=colour, stroke_width=width, stroke_dasharray=dash
        )
        sheet.text(axis.right + 36, place + 4, texts[line.subscription], fill=colour, bold=True)
    _peak(sheet, visible, axis, y, most)
    foot = bottom + 24
    notes = "Lag is the log's end less the committed offset, the next one to read. The number at a curve's end is its lag there."
    for text in wrap(notes, WIDTH - 24, 10):
        foot += 13
        sheet.text(12, foot, text, size=10, fill=GREY)
    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time."]
    for line, steps in visible:
        peak, when = max((value, -t_us) for t_us, value in steps)
        told.append(
            f"{line.subscription}: at most {peak} behind"
            + (f" (first at {clock(-when)})" if peak else "")
            + f", {ends[line.subscription]} at the end of the picture."
        )
    told += [f"Fault: {s.text}." for s, *_ in strip.placed] or ["No fault struck."]
    return sheet.finish(title, told, foot + 12)


def _within(line: Curve, start_us: int, end_us: int) -> list[tuple[int, int]]:
    return [(start_us, line.at(start_us)), *(step for step in line.steps if start_us < step[0] <= end_us)]


def levels(most: int) -> list[int]:
    step = next(base * 10**power for power in range(10) for base in (1, 2, 5) if base * 10**power * 5 >= most)
    return list(range(0, most + 1, step))


def _steps(steps: list[tuple[int, int]], axis: Axis, y: Callable[[float], float]) -> str:
    """Return the curve. Within one pixel only the first, least, greatest and last value are drawn."""
    columns: dict[int, list[int]] = {}
    for t_us, value in steps:
        columns.setdefault(int(axis.x(t_us)), []).append(value)
    d = ""
    for x, values in columns.items():
        d += f"{'H' if d else 'M'}{x}{'' if d else f' {y(values[0]):.1f}'}"
        kept = (min(values), max(values), values[-1]) if len(values) > 2 else values
        d += "".join(f"V{y(value):.1f}" for value in kept)
    return d + f"H{axis.right:.1f}"


def spread(wanted: list[float], low: float, high: float) -> list[float]:
    """Return heights near the wanted ones, far enough from each other for a line of text."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = list(wanted)
    floor = high
    for i in reversed(order):  # from the bottom up
        places[i] = min(places[i], floor)
        floor = places[i] - 15
    ceiling = low
    for i in order:
        places[i] = max(places[i], ceiling)
        ceiling = places[i] + 15
    return places


def _peak(
    sheet: Sheet,
    visible: list[tuple[Curve, list[tuple[int, int]]]],
    axis: Axis,
    y: Callable[[float], float],
    most: int,
) -> None:
    """Name the highest point of all curves."""
    for line, steps in visible:
        for t_us, value in steps:
            if value == most and value > 1:
                text = f"{line.subscription}: {value} behind at {clock(t_us)}"
                x = axis.x(t_us)
                left = x + 8 + text_width(text) > axis.right
                sheet.add("circle", cx=x, cy=y(value), r=3.5, fill=INK)
                sheet.text(
                    x + (-8 if left else 8), y(value) - 5, text, anchor="end" if left else None, halo=True
                )
                return
