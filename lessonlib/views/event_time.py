"""Event time against arrival: each event, the watermark, late events, and when windows were reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, window
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.picture import Picture, ViewError, listing, name_of, one
from lessonlib.views.reading import strikes
from lessonlib.views.svg import BLUE, GREEN, GREY, INK, PANEL, PURPLE, RED, RULE, WIDTH, Sheet, shorten

_HEIGHT = 300.0
_BANDS_MAX = 40
# A source's colour and shape, the shape as a path from its middle on.
_SOURCES = (
    (BLUE, "m-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0-4.8 0z"),
    (GREEN, "m-2-2h4v4h-4z"),
    (PURPLE, "m0-3v6m-3-3h6"),
    (INK, "m0-2.6l2.4 4.4h-4.8z"),
)
_CROSS = "m-3.5-3.5l7 7m-7 0l7-7"
Height = Callable[[float], float]


def windows(run: Run, *, start_s: float | None = None, end_s: float | None = None) -> Picture:
    """Draw when each event happened against when it arrived.

    From left to right goes the time of arrival, upwards the time of the event. What arrives in order climbs; what is
    late lies below the line of the watermark, and what came after its window was reported is a red cross. Each window
    is a band; the flag on it says when it was reported first.

    Reads records `arrived` (time_s, source), `late` (number or time_s), `watermark` (value_s) and `result` (start_s, end_s).

    Args:
        run: what `scenario.run(...)` returned.
        start_s, end_s: the part to show, in seconds of virtual time; the events that arrived then are shown.

    Raises ViewError for a run in which nothing arrived.
    """
    run = one(run)
    arrived = run.history.of("arrived")
    if not len(arrived):
        raise ViewError(f"nothing arrived in {run.replay}; windows needs records of kind 'arrived'")
    struck = strikes(run)
    last_us = max(record.t_us for record in run.history.of("arrived", "result", "late"))
    start_us, end_us = window(start_s, end_s, last_us=last_us, run_end_us=run.end_us)
    shown = [r for r in arrived if start_us <= r.t_us <= end_us]
    if not shown:
        raise ViewError(
            f"nothing arrived from {clock(start_us)} to {clock(end_us)}; choose another part of the run"
        )
    late_numbers = {r.data.get("number") for r in run.history.of("late")}
    late = [r for r in shown if r.data.get("number") in late_numbers]
    times = [r.data["time_s"] for r in shown]
    low_s, high_s = min(times), max(times)
    high_s = max(high_s, low_s + 1)
    pad = (high_s - low_s) * 0.04
    low_s, high_s = low_s - pad, high_s + pad

    axis = Axis(start_us, end_us, 78, WIDTH - 30)
    sheet, legend = Sheet(), Legend()
    title = f"Event time and arrival: {name_of(run)}, seed {run.seed}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    strip = FaultStrip(struck, axis)
    top = 40 + strip.height
    bottom = top + _HEIGHT

    def y(time_s: float) -> float:
        inside = min(max(time_s, low_s), high_s)
        return bottom - (inside - low_s) * _HEIGHT / (high_s - low_s)

    reports: dict[tuple[float, float], int] = {}
    for record in run.history.of("result"):
        reports.setdefault((record.data["start_s"], record.data["end_s"]), record.t_us)
    seen = sorted(span for span in reports if span[1] > low_s and span[0] < high_s)
    bands = seen if len(seen) <= _BANDS_MAX else []
    for number, (begin, end) in enumerate(bands):
        if number % 2 == 0:
            sheet.box(axis.left, y(end), axis.right - axis.left, y(begin) - y(end), "#f2f2f2")
    strip.shade(sheet, {}, top, bottom)
    axis.draw(sheet, top, bottom)
    _event_axis(sheet, axis, low_s, high_s, y)
    strip.draw(sheet, 30, bottom)
    _watermark(sheet, run, axis, y, start_us, end_us, legend)
    sources = list(dict.fromkeys(str(r.data.get("source", "")) for r in arrived))
    _events(sheet, [r for r in shown if r.data.get("number") not in late_numbers], sources, axis, y, legend)
    sheet.path(
        "".join(f"M{axis.x(r.t_us):.1f} {y(r.data['time_s']):.1f}{_CROSS}" for r in late),
        stroke=RED,
        stroke_width="2",
        fill="none",
    )
    if late:
        legend.note(
            "late: its window was closed",
            lambda s, x, yy: s.path(f"M{x} {yy}{_CROSS}", stroke=RED, stroke_width="2"),
        )
    ended = _ended_us(run)
    for said, fill, by_end in (
        ("window reported", INK, False),
        ("reported by the stream's end", PANEL, True),
    ):
        flags = ""
        for begin, end in bands:
            if axis.shows(reports[begin, end]) and (reports[begin, end] >= ended) == by_end:
                x = axis.x(reports[begin, end])
                flags += f"M{x:.1f} {y(begin):.1f}V{y(end):.1f}M{x:.1f} {y(end):.1f}l7 3.5l-7 3.5z"
        sheet.path(flags, stroke=INK, fill=fill, stroke_width="1.2")
        if flags:
            legend.note(said, partial(_flag, fill=fill))
    foot = legend.draw(sheet, bottom + 24)
    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time."]
    told += _tell(run, shown, late, reports, end_us)
    told += [f"Fault: {s.text}." for s, *_ in strip.placed] or ["No fault struck."]
    return sheet.finish(title, told, foot + 8)


def _flag(sheet: Sheet, x: float, y: float, fill: str) -> None:
    sheet.path(f"M{x - 3} {y + 5}v-10l7 3.5l-7 3.5z", stroke=INK, fill=fill)


def _ended_us(run: Run) -> float:
    """Return when the stream ended; what is reported from then on, the end has reported."""
    ended = run.history.of("ended").first()
    return ended.t_us if ended is not None else inf


def of_day(time_s: float, latest_s: float) -> str:
    """Return an event's time as people read it: day and time of day where the latest event is that far, else seconds."""
    if latest_s < 7200:
        return f"{time_s:g} s"
    minutes = int(time_s // 60)
    return f"day {minutes // 1440 + 1}, {minutes // 60 % 24:02d}:{minutes % 60:02d}"


def _event_axis(sheet: Sheet, axis: Axis, low_s: float, high_s: float, y: Height) -> None:
    steps = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800)
    step = next((s for s in steps if s * 8 >= high_s - low_s), steps[-1])
    day = None
    for number in range(int(low_s // step) + 1, int(high_s // step) + 1):
        time_s = number * step
        sheet.path(f"M{axis.left:.1f} {y(time_s):.1f}H{axis.right:.1f}", stroke=RULE)
        whole = of_day(time_s, high_s)
        label = whole.split(", ")[-1]
        if ", " in whole and whole.split(",")[0] != day:
            day = whole.split(",")[0]
            label = f"{day} {label}"
        sheet.text(axis.left - 6, y(time_s) + 4, label, anchor="end", size=10)
    sheet.text(12, y(high_s) - 4, "event time", fill=GREY)


def _watermark(
    sheet: Sheet, run: Run, axis: Axis, y: Height, start_us: int, end_us: int, legend: Legend
) -> None:
    marks = [(r.t_us, r.data["value_s"]) for r in run.history.of("watermark") if r.t_us <= end_us]
    if not marks:
        return
    before = [value for t_us, value in marks if t_us <= start_us]
    inside = [mark for mark in marks if mark[0] > start_us]
    first_us, value = (start_us, before[-1]) if before else inside[0]
    d, place = f"M{axis.x(first_us):.1f} {y(value):.1f}", (-1, -1)
    for t_us, value in inside:
        here = (round(axis.x(t_us)), round(y(value)))
        if here != place:
            d += f"H{axis.x(t_us):.1f}V{y(value):.1f}"
        place = here
    sheet.path(f"{d}H{axis.right:.1f}", stroke=RED, stroke_width="2", fill="none", stroke_dasharray="7 2")
    legend.note(
        "watermark",
        lambda s, x, yy: s.path(f"M{x - 8} {yy}h16", stroke=RED, stroke_width="2", stroke_dasharray="7 2"),
    )


def _events(
    sheet: Sheet, records: Sequence[Record], sources: list[str], axis: Axis, y: Height, legend: Legend
) -> None:
    """Draw the events, each source with a shape of its own; those that would lie on each other are drawn once."""
    for number, (colour, shape) in enumerate(_SOURCES):
        mine = sources[number : number + 1] if number < len(_SOURCES) - 1 else sources[number:]
        places = dict.fromkeys(
            (round(axis.x(r.t_us) / 1.5), round(y(r.data["time_s"]) / 1.5))
            for r in records
            if str(r.data.get("source", "")) in mine
        )
        d = "".join(f"M{x * 1.5:g} {height * 1.5:g}{shape}" for x, height in places)
        sheet.path(d, stroke=colour, fill="none", stroke_width="1.1")
        if places:
            legend.note(f"event from {listing(mine)}" if mine != [""] else "event", _sample(colour, shape))


def _sample(colour: str, shape: str) -> Sample:
    return lambda sheet, x, y: sheet.path(f"M{x} {y}{shape}", stroke=colour, fill="none")


def _tell(
    run: Run,
    shown: Sequence[Record],
    late: Sequence[Record],
    reports: dict[tuple[float, float], int],
    end_us: int,
) -> list[str]:
    last_s = max(r.data["time_s"] for r in shown)
    latest: dict[str, float] = {}
    behind: list[float] = []
    for record in shown:
        source, time_s = str(record.data.get("source", "")), record.data["time_s"]
        latest[source] = max(latest.get(source, time_s), time_s)
        behind.append(latest[source] - time_s)
    out_of_order = sum(b > 0 for b in behind)
    lines = [
        f"{len(shown)} events arrived from {listing(latest) or 'one source'}; {out_of_order} of them behind an event of "
        f"their source that had arrived, by {max(behind) / 60:.4g} minutes at most."
    ]
    if late:
        named = listing(
            (f"{of_day(r.data['time_s'], last_s)} at {clock(r.t_us)}" for r in late), most=3, between="; "
        )
        lines.append(f"{len(late)} were late, their window was closed: {named}.")
    else:
        lines.append("None was called late.")
    marks = [r for r in run.history.of("watermark") if r.t_us <= end_us]
    if marks:
        lines.append(f"The watermark rose to {of_day(marks[-1].data['value_s'], last_s)}.")
    else:
        lines.append("There is no watermark.")
    done = [span for span, t_us in reports.items() if t_us <= end_us]
    at_end = sum(reports[span] >= _ended_us(run) for span in done)
    lines.append(
        f"{len(done)} windows were reported" + (f", {at_end} of them by the stream's end." if at_end else ".")
    )
    return lines
