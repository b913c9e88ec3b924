"""Suspicion over time: the level of a detector, when it suspected whom, and when it was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, span, window
from lessonlib.views.columns import paint
from lessonlib.views.cuts import cuts_of
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.picture import Picture, ViewError, listing, name_of, one
from lessonlib.views.reading import Strike, outages, strikes
from lessonlib.views.svg import BLUE, GREEN, GREY, INK, RED, RULE, WIDTH, Sheet, shorten, text_width

PANELS_MAX = 8
_CURVE = 62.0  # the height of a curve
_STRIP = 14.0
_AGAIN_US = 2_000_000  # so long after an outage, what it silenced may still be suspected because of it
_HIGH = 2.0  # thresholds: where a curve is cut off

_LOOKS = {
    "suspected": ("#dcefe6", GREEN),
    "suspected though reachable": ("failed", RED),
}


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing came from a node: it was down, paused or cut off."""

    what: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A time in which a watcher suspected a node.

    Attributes:
        start_us, end_us: from when to when.
        over: whether it was withdrawn within the run.
        outage: what it was about; None when the node was up, running and reachable: its heartbeats were lost or late.
    """

    start_us: int
    end_us: int
    over: bool
    outage: Outage | None


def suspicions(
    run: Run, watcher: str, about: str, struck: Sequence[Strike]
) -> tuple[list[Suspicion], list[Outage]]:
    """Return when `watcher` suspected `about`, and when that was out of reach for it."""
    out = [Outage(s.what, s.start_us, s.end_us) for s in outages(run.history, run.end_us) if s.node == about]
    out += [
        Outage("cut off", cut.start_us, min(cut.end_us, run.end_us))
        for cut in cuts_of(struck, (watcher, about))
        if cut.node == watcher and about in cut.silent
    ]
    out.sort(key=lambda o: (o.start_us, o.end_us))
    found: list[Suspicion] = []
    since: tuple[int, int] | None = None
    records = run.history.of("suspicion", node=watcher, about=about)
    for record in [*records, None]:
        if record is not None and record.data["suspected"]:
            if since is None:
                silent_us = round(1e6 * float(record.get("silence_s", 0)))
                since = record.t_us, min(silent_us, _AGAIN_US)
        elif since is not None:
            start_us, silent_us = since
            end_us = run.end_us if record is None else record.t_us
            reason = [o for o in out if o.start_us <= start_us and o.end_us >= start_us - silent_us]
            found.append(Suspicion(start_us, end_us, record is not None, reason[-1] if reason else None))
            since = None
    return found, out


def suspicion(
    run: Run,
    *,
    nodes: Sequence[str] | None = None,
    watcher: str | None = None,
    threshold: float = 8.0,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Picture:
    """Draw how suspect each node was to a watcher, when it was suspected, and when it really was out of reach.

    Each node has a curve of its level (phi) with the threshold, where the detector has one, and a strip of suspicions
    beneath. The times in which the node was down, paused or cut off are hatched: a suspicion that begins in one has
    detected it, after so many milliseconds. Any other was of a node that was up, running and reachable: its heartbeats
    were lost or late. Beneath stands how many of those there were, and apart from them who was suspected while it was
    alive, but paused or cut off: the watcher cannot tell that from death.

    Args:
        run: what `scenario.run(...)` returned, with records `suspicion` (about, suspected), and `level` (about, phi).
        nodes: whom to show; left out, all that were watched.
        watcher: who suspects; left out, the first that does.
        threshold: the level from which the detector suspects.
        start_s, end_s: the part to show, in seconds of virtual time; left out, the whole run.

    Raises ViewError for a run in which nobody watches, an unknown node, or a part of the run that is none.
    """
    run = one(run)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold < 1e9:
        raise ViewError(f"threshold={threshold!r:.40} is no level; give a number above 0")
    watching = list(dict.fromkeys(r.node for r in run.history.of("level", "suspicion", "watching")))
    if not watching:
        raise ViewError(
            f"nobody watches anybody in {run.replay}; give a run with records 'suspicion' or 'level'"
        )
    if watcher is not None and watcher not in watching:
        raise ViewError(
            f"watcher={watcher!r:.40} watches nobody; choose from {', '.join(map(repr, watching))}"
        )
    watcher = watcher or watching[0]
    levels: dict[str, list[tuple[int, float]]] = {}
    for record in run.history.of("level", node=watcher):
        levels.setdefault(record.data["about"], []).append((record.t_us, float(record.data["phi"])))
    named = [n for r in run.history.of("watching", node=watcher) for n in r.get("nodes", ())]
    about = [r.data["about"] for r in run.history.of("suspicion", node=watcher)]
    watched = sorted({*levels, *named, *about})
    if nodes is not None and (isinstance(nodes, str) or not nodes or any(n not in watched for n in nodes)):
        raise ViewError(f"nodes={nodes!r:.60} are not watched; choose from {', '.join(map(repr, watched))}")
    names = list(nodes or watched)
    if len(names) > PANELS_MAX:
        raise ViewError(
            f"{len(names)} nodes are too many to read; choose at most {PANELS_MAX} with nodes=[...]"
        )
    struck = strikes(run)
    start_us, end_us = window(start_s, end_s, last_us=run.end_us, run_end_us=run.end_us)
    labels = 60.0 if levels else 10.0
    axis = Axis(
        start_us, end_us, 16 + min(max(text_width(n) * 1.08 for n in names), 118) + labels, WIDTH - 30.0
    )

    sheet, legend = Sheet(), Legend()
    title = f"Whom {watcher} suspects: {name_of(run)}, seed {run.seed}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    strip = FaultStrip(struck, axis)
    top = 34 + strip.height
    curve = _CURVE if levels else 0.0
    each = curve + _STRIP + 18
    bottom = top + each * len(names)
    axis.draw(sheet, top, bottom)
    strip.draw(sheet, 30, bottom)
    highest = 0.0
    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time."]
    y: float = top + 4
    for name in names:
        found, out = suspicions(run, watcher, name, struck)
        found = [s for s in found if axis.shows(s.start_us, s.end_us)]
        out = [o for o in out if axis.shows(o.start_us, o.end_us)]
        sheet.text(12, y + 12, shorten(name, 118), bold=True)
        for o in out:
            x0, x1 = axis.x(o.start_us), axis.x(o.end_us)
            hatch = "paused" if o.what == "paused" else "down" if o.what == "down" else "fault"
            sheet.box(
                x0,
                y,
                max(x1 - x0, 2),
                curve + _STRIP + 2,
                sheet.hatch(hatch),
                stroke=GREY,
                stroke_width="0.8",
            )
            legend.note(f"really {o.what}", _box(hatch, GREY))
        if levels:
            highest = _draw_curve(sheet, axis, y, levels.get(name, []), threshold, legend)
        foot = y + curve + 2
        sheet.path(f"M{axis.left:.1f} {foot + _STRIP:.1f}H{axis.right:.1f}", stroke=RULE)
        _draw_suspicions(sheet, axis, foot, found, legend)
        y += each
        told += _tell(name, found, out)
        if levels and levels.get(name):
            told[-1] += f" Highest level {highest:.3g} of a threshold of {threshold:g}."
    foot = legend.draw(sheet, bottom + 24)
    lines = _sum_up({name: suspicions(run, watcher, name, struck)[0] for name in names})
    for line in lines:
        foot += 16
        sheet.text(12, foot, shorten(line, WIDTH - 24), bold=True)
    return sheet.finish(title, [*told, *lines], foot + 12)


def _sum_up(found: Mapping[str, Sequence[Suspicion]]) -> list[str]:
    """Say of the whole run how often a node was suspected that was well, and which others were not dead."""
    well = sum(s.outage is None for of in found.values() for s in of)
    lines = [f"In the whole run, suspected though up, running and reachable: {well}."]
    alive = Counter(
        f"{name} ({s.outage.what})"
        for name, of in found.items()
        for s in of
        if s.outage is not None and s.outage.what != "down"
    )
    if alive:
        counts = [who if count == 1 else f"{who} {count} times" for who, count in alive.items()]
        lines.append(f"Suspected while alive, but paused or cut off: {', '.join(counts)}.")
    return lines


def _draw_curve(
    sheet: Sheet, axis: Axis, top: float, points: list[tuple[int, float]], threshold: float, legend: Legend
) -> float:
    """Draw a level over time, cut off where it is far above the threshold; return the highest on the axis."""
    most = threshold * _HIGH
    floor = top + _CURVE

    def y(level: float) -> float:
        return floor - min(level, most) / most * (_CURVE - 6)

    for level in (0, threshold):
        sheet.text(axis.left - 6, y(level) + 3.5, f"{level:g}", anchor="end", size=9.5)
    sheet.text(axis.left - 22, y(threshold / 2) + 3.5, "phi", anchor="end", size=9.5, fill=GREY)
    sheet.text(axis.left - 6, y(most) + 5, f"≥ {most:g}", anchor="end", size=9.5)
    sheet.path(f"M{axis.left:.1f} {floor:.1f}H{axis.right:.1f}", stroke=RULE)
    columns: dict[int, tuple[float, float]] = {}  # of each pixel the highest: a peak must not vanish
    highest = 0.0
    for t_us, level in points:
        if axis.shows(t_us):
            highest = max(highest, level)
            x = axis.x(t_us)
            if level >= columns.get(int(x), (0.0, -1.0))[1]:
                columns[int(x)] = x, level
    d = "".join(f"{'L' if i else 'M'}{x:.1f} {y(level):.1f}" for i, (x, level) in enumerate(columns.values()))
    sheet.path(
        f"M{axis.left:.1f} {y(threshold):.1f}H{axis.right:.1f}",
        stroke=RED,
        stroke_width="1.4",
        stroke_dasharray="8 3",
    )
    sheet.path(d, stroke=BLUE, stroke_width="1.6", stroke_linejoin="round", fill="none")
    legend.note(
        "level of suspicion (phi)",
        lambda s, x, yy: s.path(f"M{x - 8} {yy}h16", stroke=BLUE, stroke_width="1.6"),
    )
    legend.note(
        f"threshold {threshold:g}",
        lambda s, x, yy: s.path(f"M{x - 8} {yy}h16", stroke=RED, stroke_width="1.4", stroke_dasharray="8 3"),
    )
    return highest


def _draw_suspicions(
    sheet: Sheet, axis: Axis, top: float, found: Sequence[Suspicion], legend: Legend
) -> None:
    for i, s in enumerate(found):
        x0, x1 = axis.x(s.start_us), axis.x(s.end_us)
        kind = "suspected" if s.outage else "suspected though reachable"
        fill, stroke = _LOOKS[kind]
        sheet.box(
            x0, top + 1, max(x1 - x0, 2), _STRIP - 2, paint(sheet, fill), stroke=stroke, stroke_width="1.3"
        )
        legend.note(kind, _box(fill, stroke))
        after = f"suspected after {span(s.start_us - s.outage.start_us)}" if s.outage else "though reachable"
        following = axis.x(found[i + 1].start_us) if i + 1 < len(found) else axis.right + 20
        if text_width(after, 9.5) + 8 > max(x1 - x0, following - x1):
            after = after.removeprefix("suspected ")
        width = text_width(after, 9.5)
        if width + 8 <= x1 - x0:
            sheet.text((x0 + x1) / 2, top + 10.5, after, size=9.5, anchor="middle", bold=True, halo=True)
        elif x1 + 4 + width <= following:
            sheet.text(
                x1 + 4, top + 10.5, after, size=9.5, bold=True, halo=True, fill=INK if s.outage else RED
            )


def _box(fill: str, stroke: str) -> Sample:
    return lambda sheet, x, y: sheet.box(x - 8, y - 5, 16, 10, paint(sheet, fill), stroke=stroke)


def _tell(name: str, found: Sequence[Suspicion], out: Sequence[Outage]) -> list[str]:
    parts = []
    for o in out:
        hits = [s for s in found if s.outage == o]
        when = f"{o.what} from {clock(o.start_us)} to {clock(o.end_us)}"
        if hits:
            first = hits[0]
            until = f"withdrawn at {clock(first.end_us)}" if first.over else "never withdrawn"
            parts.append(f"{when}: suspected after {span(first.start_us - o.start_us)}, {until}")
        else:
            parts.append(f"{when}: never suspected")
    well = [f"{clock(s.start_us)} to {clock(s.end_us)}" for s in found if s.outage is None]
    if well:
        parts.append(f"SUSPECTED THOUGH REACHABLE, {len(well)} in all: {listing(well, most=4)}")
    return [f"{name}: {'; '.join(parts) or 'within reach all the time, and never suspected'}."]
