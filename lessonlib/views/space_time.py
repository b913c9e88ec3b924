"""The space-time diagram: a lane a node, time to the right, each message an arrow from sender to receiver.

It is the timeline with more in it: at the foot of each lane stands the node's role, and its messages begin and end
there. What a timeline shows besides (calls, marks, outages, faults, broken rules) it shows too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views import band
from lessonlib.views.arrows import (
    Edges,
    Message,
    choose,
    draw_arrows,
    messages_of,
    styles_of,
    type_of,
    visible,
)
from lessonlib.views.axis import Axis, clock
from lessonlib.views.cuts import HEIGHT as CUT
from lessonlib.views.cuts import Cut, cuts_of, draw_cuts, name_cuts
from lessonlib.views.legend import Legend
from lessonlib.views.marks import DEFAULT_MARKS, LOST, Mark
from lessonlib.views.picture import Picture, ViewError, listing
from lessonlib.views.reading import Span, Strike
from lessonlib.views.roles import ROLES, Bands, Role, roles_of, together
from lessonlib.views.rows import Label
from lessonlib.views.run_timeline import draw_lanes
from lessonlib.views.svg import GREEN, INK, RED, Sheet

_NO_ROLES = Bands(kind="", strong=(), number="")
_LINE = 6.0  # for the line of a node without roles

SPACE_TIME_MARKS: tuple[Mark, ...] = (
    *(
        mark for mark in DEFAULT_MARKS if mark is not LOST and mark.name != "read"
    ),  # arrows show what was lost
    Mark("stored", ("stored",), "square", GREEN),
    Mark("refused", ("refused",), "cross", RED),
)


def thing_of(record: Record) -> str:
    """Return what a bar or mark is labelled with where there is room: its order, or its value."""
    return str(record.get("order", record.get("value", "")))


def space_time(
    run: Run,
    *,
    lanes: Sequence[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    types: Sequence[str] | None = None,
    type_of: Callable[[Any], str] = type_of,
    bands: Bands | None = ROLES,
    ops: Sequence[str] | None = None,
    marks: Sequence[Mark] = SPACE_TIME_MARKS,
    label: Label = thing_of,
) -> Picture:
    """Draw what each node sent to whom, and in which role.

    A message is an arrow from where and when it was sent to where and when it arrived; a lost one is red, dashed and ends in a
    cross. Where there are many of a type (heartbeats), some stand for all, and a line beneath says how many. Roles
    are bands, labelled with the term and coloured by it. Where two leaders are there at a time, a bar above the lanes
    says so. A partition is a bar in the lane of each node that it cuts off, with the names of those it cannot talk to.

    Args:
        run: what `scenario.run(...)` returned.
        lanes: the nodes from top to bottom; left out, those that the scenario declares.
        start_s, end_s: the part to show, in seconds of virtual time.
        types: the messages to show; left out, all of them.
        type_of: what a message is called, from its body; left out, its field `type`, and an append without entries is
            a "heartbeat".
        bands: which records tell of roles; None for a picture without.
        ops: the operations whose calls are shown; left out, all.
        marks: what else to show in the lanes.
        label: what stands beside a bar or mark where there is room, from its record.

    Raises ViewError for what `timeline` refuses, and for a type that no message of the run has.
    """
    for name, given in (("types", types), ("ops", ops)):
        if isinstance(given, str):
            raise ViewError(f"{name}={given!r} is one word; give a list such as [{given!r}]")
    return draw_lanes(
        run,
        "Space-time diagram",
        lanes=lanes,
        start_s=start_s,
        end_s=end_s,
        marks=marks,
        label=label,
        ops=ops,
        kinds=(bands.kind,) if bands else (),
        between=_Exchange(types, type_of, bands),
    )


class _Exchange:
    """What stands at the foot of the lanes and between them: roles, messages, partitions."""

    gap = 38.0

    def __init__(self, types: Sequence[str] | None, name: Callable[[Any], str], bands: Bands | None) -> None:
        self._types, self._name, self._bands = types, name, bands or _NO_ROLES
        self._palette = band.Palette(self._bands.strong, self._bands.initial)

    def prepare(
        self, run: Run, names: Sequence[str], struck: list[Strike], out: list[Span], axis: Axis
    ) -> float:
        self._axis, self._out = axis, out
        messages = messages_of(run.history, self._name)
        self._recorded = bool(messages)
        met = list(dict.fromkeys(m.type for m in messages))
        for wanted in self._types or ():
            if met and wanted not in met:
                raise ViewError(
                    f"no message of type {wanted!r} in this run; choose from {', '.join(map(repr, met))}"
                )
        if self._types is not None:
            messages = [m for m in messages if m.type in self._types]
        shown = dict.fromkeys(names)
        self._messages = visible(messages, axis, shown)
        self._chosen = choose(self._messages, axis)
        counts = Counter(m.type for m in self._messages)
        drawn = Counter(m.type for m in self._chosen)
        self._thinned = [(t, drawn[t], of) for t, of in counts.items() if drawn[t] < of]
        self._styles = styles_of(met)  # the same ones when zoomed in
        every = roles_of(run.history, self._bands, out=out, end_us=run.end_us)
        self._roles: dict[str, list[Role]] = {n: every[n] for n in names if n in every}
        self._together = [t for t in together(every, self._bands.strong) if axis.shows(t.start_us, t.end_us)]
        self._cuts: dict[str, list[Cut]] = {}
        for cut in cuts_of(struck, names):
            if axis.shows(cut.start_us, cut.end_us):
                self._cuts.setdefault(cut.node, []).append(cut)
        return band.TOGETHER + 3 if self._together else 0.0

    def foot(self, name: str) -> float:
        return (band.HEIGHT if name in self._roles else _LINE) + (CUT if name in self._cuts else 0.0)

    def draw(
        self, sheet: Sheet, above: float, lanes: Mapping[str, tuple[float, float]], legend: Legend
    ) -> list[str]:
        axis = self._axis
        edges: dict[str, Edges] = {}
        bands: dict[str, float] = {}
        walls: dict[str, float] = {}
        for name, (top, bottom) in lanes.items():
            y = bottom - self.foot(name)
            edges[name] = Edges(y, bottom, top - 5, bottom + 15)
            if name in self._roles:
                out = [s for s in self._out if s.node == name]
                band.draw_band(sheet, axis, y, self._roles[name], out, self._palette, legend)
                bands[name] = y
                y += band.HEIGHT
            else:
                y += _LINE / 2
                sheet.path(f"M{axis.left:.1f} {y:.1f}H{axis.right:.1f}", stroke=INK)
                if name not in self._cuts:
                    edges[name] = Edges(y, y, top - 5, bottom + 15)
                y += _LINE / 2
            if name in self._cuts:
                draw_cuts(sheet, axis, y, self._cuts[name], legend)
                walls[name] = y
        band.draw_together(sheet, axis, above, self._together, legend)
        of = {name: many for name, _, many in self._thinned}
        draw_arrows(sheet, self._chosen, axis, edges, legend, styles=self._styles, of=of)
        for name, y in bands.items():  # words lie on top of arrows
            band.name_roles(sheet, axis, y, self._roles[name], self._palette)
        for name, y in walls.items():
            name_cuts(sheet, axis, y, self._cuts[name])
        return self._notes()

    def _notes(self) -> list[str]:
        notes = []
        if not self._recorded:
            notes.append("This run recorded no messages (messages=False), so there are no arrows.")
        if self._thinned:
            some = listing((f"{name} {drawn} of {of}" for name, drawn, of in self._thinned), most=8)
            notes.append(f"Not every message is drawn: {some}. Zoom in with start_s and end_s to see all.")
        return notes

    def tell(self) -> list[str]:
        lines = [_told(self._messages), *self._notes()]
        strong = [r for mine in self._roles.values() for r in mine if r.state in self._bands.strong]
        seen = sorted(
            (r for r in strong if self._axis.shows(r.start_us, r.end_us)), key=lambda r: (r.start_us, r.node)
        )
        if self._roles and self._bands.strong:
            what = " or ".join(self._bands.strong)
            told = (
                f"{r.told(self._bands.number)} from {clock(r.start_us)} to {clock(min(r.end_us, self._axis.end_us))}"
                for r in seen
            )
            lines.append(f"{what.capitalize()}: {listing(told, most=6, between='; ') or 'none'}.")
        lines += [
            f"Two at a time, {clock(t.start_us)} to {clock(t.end_us)}: {t.texts[0]}."
            for t in self._together[:3]
        ]
        cuts = [cut.told() for mine in self._cuts.values() for cut in mine]
        if cuts:
            lines.append(f"Partitions: {listing(cuts, most=6, between='; ')}.")
        return lines


def _told(messages: Sequence[Message]) -> str:
    counts = Counter(m.type for m in messages)
    lost = Counter(m.type for m in messages if m.lost)
    parts = (
        f"{name} {count}" + (f" ({lost[name]} lost)" if lost[name] else "") for name, count in counts.items()
    )
    return f"Messages between the lanes: {listing(parts, most=10) or 'none'}."
