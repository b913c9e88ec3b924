"""The timeline of a run: who did what when, which faults struck, and where rules broke."""

from __future__ import annotations

from collections.abc import Sequence

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views.arrows import choose, draw_arrows, messages_of
from lessonlib.views.axis import Axis, clock, span, window
from lessonlib.views.columns import column_us
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.flags import Flags
from lessonlib.views.lanes import Lane, order_of_lanes
from lessonlib.views.legend import Legend
from lessonlib.views.marks import DEFAULT_MARKS, Mark
from lessonlib.views.picture import Picture, ViewError, name_of, one
from lessonlib.views.reading import calls, outages, strikes
from lessonlib.views.rows import Label, order_of, rows_of
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
    messages: bool = False,
    label: Label = order_of,
) -> Picture:
    """Draw what happened on each node in virtual time.

    A call is a bar from its `invoke` to its `ok`, `failed` or `unknown`. Faults stand above, with their text, and
    shade the lanes of those they are aimed at. A broken rule is a numbered flag, with its sentence beneath.
    Where calls or marks are too many to tell apart, columns count them; zoom in with `start_s` and `end_s`.

    Args:
        run: what `scenario.run(...)` returned.
        lanes: the nodes to show, from top to bottom; left out, all that did something.
        start_s, end_s: the part to show, in seconds of virtual time; left out, all until nothing more happens.
        marks: what else to show in the lanes.
        messages: whether to draw an arrow for each message, a lost one ending in a cross.
        label: what stands beside a bar or mark where there is room, from its record; "" for nothing.

    Raises ViewError for a run without records, an unknown lane, or a part of the run that is none.
    """
    run = one(run)
    names = order_of_lanes(run, lanes)
    if len(names) > LANES_MAX:
        raise ViewError(
            f"{len(names)} lanes are too many to read; choose at most {LANES_MAX} with lanes=[...]"
        )
    made, struck, out = calls(run.history), strikes(run), outages(run.history, run.end_us)
    start_us, end_us = window(start_s, end_s, last_us=_last_us(run, marks), run_end_us=run.end_us)

    by_node: dict[str, list[Record]] = {name: [] for name in names}
    for record in run.history:
        if record.node in by_node:
            by_node[record.node].append(record)
    draft = Axis(
        start_us, end_us, 0, RIGHT - 170
    )  # rows depend on the width, and the left edge on their labels
    rows = {
        n: rows_of([c for c in made if c.node == n], by_node[n], tuple(marks), draft, label) for n in names
    }
    name_width = max(min(text_width(n, 11) * 1.08, 118) for n in names)
    label_width = max((text_width(row.label, 9.5) for n in names for row in rows[n]), default=0)
    axis = Axis(start_us, end_us, 12 + name_width + 10 + label_width + 10, RIGHT)
    rows = {
        n: rows_of([c for c in made if c.node == n], by_node[n], tuple(marks), axis, label) for n in names
    }

    sheet, legend = Sheet(), Legend()
    strip, flags = FaultStrip(struck, axis), Flags(run.broken, axis)
    sheet.text(
        12, 20, shorten(f"Timeline of {name_of(run)}, seed {run.seed}", WIDTH - 24, 13), size=13, bold=True
    )
    top = 30 + strip.height + flags.height
    drawn = {name: Lane(name, rows[name], line=messages) for name in names}
    tops: dict[str, float] = {}
    y = top
    for name, lane in drawn.items():
        tops[name] = y
        y += lane.height + (10 if messages else 0)
    bottom = y

    strip.shade(sheet, {n: (tops[n], tops[n] + drawn[n].height) for n in names}, top, bottom)
    axis.draw(sheet, top, bottom)
    here = {n: [s for s in out if s.node == n and axis.shows(s.start_us, s.end_us)] for n in names}
    for name, lane in drawn.items():
        lane.draw_under(sheet, axis, tops[name], here[name], legend)
    strip.draw(sheet, 30, bottom)
    notes = []
    if messages:
        lines = {n: drawn[n].line_y(tops[n]) for n in names}
        arrows, of = choose(messages_of(run.history), axis, lines)
        draw_arrows(sheet, arrows, axis, lines, legend)
        if len(arrows) < of:
            notes.append(
                f"{len(arrows)} of {of} messages are drawn; zoom in with start_s and end_s to see all."
            )
    for name, lane in drawn.items():
        lane.draw_over(sheet, axis, tops[name], here[name], legend)
    if strip.placed:
        legend.note("a fault's time, where it strikes", _shade_sample)
    flags.draw(sheet, 30 + strip.height, bottom, legend)
    if any(row.counted for n in names for row in rows[n]):
        notes.append(
            f"A column counts {span(column_us(axis))} of the run; the number at its right is the highest column's."
        )
    if strip.left_out:
        notes.append(f"{strip.left_out} more faults had no room here.")
    if axis.end_us < run.end_us and end_s is None:
        notes.append(
            f"From {clock(axis.end_us)} to the run's end at {clock(run.end_us)} nothing of this kind happened."
        )

    y = legend.draw(sheet, bottom + 24)
    for note in notes:
        for line in wrap(note, WIDTH - 24, 10):
            y += 13
            sheet.text(12, y, line, size=10, fill=GREY)
    y = flags.list_them(sheet, y + 4)
    if not run.broken:
        y += 15
        sheet.text(12, y, "No rule was broken.", bold=True)
    title = f"Timeline of {name_of(run)}, seed {run.seed}"
    told = tell(run, names, rows, struck, out, axis)
    return sheet.finish(
        title, [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time.", *told], y + 12
    )


def _last_us(run: Run, marks: Sequence[Mark]) -> int:
    """Return when the last thing happened that a timeline draws; polling and the like do not count."""
    last_us = max(
        (
            r.t_us
            for r in run.history.of(
                "invoke", "ok", "failed", "unknown", "fault", "crash", "restart", "pause", "resume"
            )
        ),
        default=0,
    )
    marked = (r.t_us for r in run.history if any(mark.matches(r) for mark in marks))
    last_us = max(last_us, max(marked, default=0))
    return last_us or run.history.end_us or run.end_us


def _shade_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 8, y - 5, 16, 10, SHADE, stroke=BROWN, stroke_width="0.8", stroke_dasharray="2 3")
