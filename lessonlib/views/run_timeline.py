"""The timeline of a run: who did what when, which faults struck, and where rules broke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lessonlib.lab.history import History
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, span, window
from lessonlib.views.columns import column_us
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.flags import Flags
from lessonlib.views.lanes import Lane, order_of_lanes
from lessonlib.views.legend import Legend
from lessonlib.views.marks import DEFAULT_MARKS, Mark
from lessonlib.views.picture import Picture, ViewError, name_of, one
from lessonlib.views.reading import Span, Strike, calls, outages, relevant, strikes
from lessonlib.views.rows import Label, Row, marked, order_of, rows_of
from lessonlib.views.svg import BROWN, GREY, SHADE, WIDTH, Sheet, shorten, text_width, wrap
from lessonlib.views.timeline_words import tell

LANES_MAX = 40
RIGHT = WIDTH - 30.0


def timeline(
    run: Run,
    *,
    lanes: Sequence[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    marks: Sequence[Mark] = DEFAULT_MARKS,
    label: Label = order_of,
) -> Picture:
    """Draw what happened on each node in virtual time.

    A call is a bar from its `invoke` to its `ok`, `failed` or `unknown`. Faults stand above, with their text, and
    shade the lanes of those they are aimed at. A broken rule is a numbered flag, with its sentence beneath.
    Where calls or marks are too many to tell apart, columns count them; zoom in with `start_s` and `end_s`.

    Args:
        run: what `scenario.run(...)` returned.
        lanes: the nodes to show, from top to bottom; left out, those that the scenario declares, or else all that
            did something.
        start_s, end_s: the part to show, in seconds of virtual time; left out, all until nothing more happens.
        marks: what else to show in the lanes.
        label: what stands beside a bar or mark where there is room, from its record; "" for nothing.

    Raises ViewError for a run without records, an unknown lane, or a part of the run that is none.
    """
    return draw_lanes(run, "Timeline", lanes=lanes, start_s=start_s, end_s=end_s, marks=marks, label=label)


class Between(Protocol):
    """What another view draws at the foot of lanes and between them."""

    gap: float  # below each lane

    def prepare(
        self, run: Run, names: Sequence[str], struck: list[Strike], out: list[Span], axis: Axis
    ) -> float:
        """Read the run; return how much room is wanted above the lanes."""

    def foot(self, name: str) -> float:
        """Return how much room is wanted at the bottom of a lane."""

    def draw(
        self, sheet: Sheet, above: float, lanes: Mapping[str, tuple[float, float]], legend: Legend
    ) -> list[str]:
        """Draw, with each lane's top and bottom known; return notes."""

    def tell(self) -> list[str]:
        """Return what is shown, in sentences."""


def draw_lanes(
    run: Run,
    what: str,
    *,
    lanes: Sequence[str] | None,
    start_s: float | None,
    end_s: float | None,
    marks: Sequence[Mark],
    label: Label,
    ops: Sequence[str] | None = None,
    kinds: Sequence[str] = (),
    between: Between | None = None,
) -> Picture:
    """Draw a picture of lanes: a timeline, or one with more between its lanes.

    Args:
        what: the title, before the run's name.
        ops: the operations whose calls are shown; None for all.
        kinds: kinds of records besides that belong into the picture.
        between: what is drawn besides.
    """
    run = one(run)
    marks = tuple(marks)
    facts = relevant(run.history, [*kinds, *(kind for mark in marks for kind in mark.kinds)])
    names = order_of_lanes(run, facts, lanes)
    if len(names) > LANES_MAX:
        raise ViewError(
            f"{len(names)} lanes are too many to read; choose at most {LANES_MAX} with lanes=[...]"
        )
    made = [call for call in calls(facts) if ops is None or call.op in ops]
    struck, out = strikes(run, facts), outages(facts, run.end_us)
    start_us, end_us = window(start_s, end_s, last_us=_last_us(run, facts, marks), run_end_us=run.end_us)

    # How wide the labels are does not depend on the axis, and where the axis begins depends on their width.
    draft = Axis(start_us, end_us, 0, RIGHT)
    things = marked(facts, marks, draft)

    def rows_on(axis: Axis) -> dict[str, list[Row]]:
        return {n: rows_of([c for c in made if c.node == n], things.get(n, []), axis, label) for n in names}

    name_width = max(min(text_width(n, 11) * 1.08, 118) for n in names)
    drafts = [row for rows in rows_on(draft).values() for row in rows]
    label_width = max((text_width(row.label, 9.5) for row in drafts), default=0)
    axis = Axis(start_us, end_us, 12 + name_width + 10 + label_width + 10, RIGHT)
    rows = rows_on(axis)

    sheet, legend = Sheet(), Legend()
    strip, flags = FaultStrip(struck, axis), Flags(run.broken, axis)
    title = f"{what} of {name_of(run)}, seed {run.seed}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    above = between.prepare(run, names, struck, out, axis) if between else 0.0
    top = 30 + strip.height + flags.height + above
    here = {n: [s for s in out if s.node == n and axis.shows(s.start_us, s.end_us)] for n in names}
    drawn = {n: Lane(n, rows[n], here[n], foot=between.foot(n) if between else 0.0) for n in names}
    tops: dict[str, float] = {}
    y = top
    for name, lane in drawn.items():
        tops[name] = y
        y += lane.height + (between.gap if between else 0)
    bottom = y - (between.gap - 6 if between else 0)

    strip.shade(sheet, {n: (tops[n], tops[n] + drawn[n].height) for n in names}, top, bottom)
    axis.draw(sheet, top, bottom)
    for name, lane in drawn.items():
        lane.draw_under(sheet, axis, tops[name], legend)
    strip.draw(sheet, 30, bottom)
    notes: list[str] = []
    if between:
        places = {n: (tops[n], tops[n] + drawn[n].height) for n in names}
        notes = between.draw(sheet, top - above, places, legend)
    for name, lane in drawn.items():
        lane.draw_over(sheet, axis, tops[name], legend)
    if strip.placed:
        legend.note("a fault's time, where it strikes", _shade_sample)
    flags.draw(sheet, 30 + strip.height, bottom, legend)
    if label is order_of and any(row.labelled for n in names for row in rows[n]):
        notes.append("The number beside a bar or a mark is its order.")
    if any(row.counted for n in names for row in rows[n]):
        notes.append(
            f"A column counts {span(column_us(axis))} of the run; the number at its right is the highest column's."
        )
    if strip.left_out:
        notes.append(f"{strip.left_out} more faults had no room here.")
    if axis.end_us < run.end_us and end_s is None:
        notes.append(f"The run itself ends at {clock(run.end_us)}.")

    y = legend.draw(sheet, bottom + 24)
    for note in notes:
        for line in wrap(note, WIDTH - 24, 10):
            y += 13
            sheet.text(12, y, line, size=10, fill=GREY)
    y = flags.list_them(sheet, y + 4)
    if not run.broken:
        y += 15
        sheet.text(12, y, "No rule was broken.", bold=True)
    told = tell(run, names, rows, struck, out, axis, between.tell() if between else ())
    return sheet.finish(
        title, [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time.", *told], y + 12
    )


def _last_us(run: Run, facts: History, marks: Sequence[Mark]) -> int:
    """Return when the last thing happened that a timeline draws; lost polls to a dead node do not count."""
    picky = {kind for mark in marks for kind in mark.kinds if mark.test is not None} | {"dropped"}
    for record in reversed(facts.records):
        if record.kind not in picky or (
            record.kind != "dropped" and any(mark.matches(record) for mark in marks)
        ):
            return record.t_us or 1
    return run.history.end_us or run.end_us


def _shade_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 8, y - 5, 16, 10, SHADE, stroke=BROWN, stroke_width="0.8", stroke_dasharray="2 3")
