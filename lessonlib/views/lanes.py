"""Lanes: one for each node, from left to right in time."""

from __future__ import annotations

from collections.abc import Sequence

from lessonlib.lab.history import History
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.picture import ViewError
from lessonlib.views.reading import Span
from lessonlib.views.rows import Row
from lessonlib.views.svg import GREY, RULE, Sheet, shorten, text_width

_PAD = 5.0
_WORDS = 12.0  # for the words "down" and "paused", so that no mark hides them


def order_of_lanes(run: Run, facts: History, lanes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the lanes: those given, else those that the scenario declares, else the nodes that call, those
    between, and those that handle.

    Within each group the order is that of first appearance. Raises ViewError for a lane that is no node.
    """
    known = dict.fromkeys(record.node for record in run.history.records if record.node)
    if lanes is None and known:
        lanes = run.scenario.lanes or None
    if lanes is None:
        callers = {record.node for record in facts.of("invoke")}
        handlers = {record.node for record in facts.of("handled", "effect")}
        if not known:
            raise ViewError(f"the run {run.replay} recorded nothing on any node, so it has no lanes to draw")
        return tuple(sorted(known, key=lambda n: 0 if n in callers else 2 if n in handlers else 1))
    if isinstance(lanes, str) or not lanes:
        raise ViewError(
            f"lanes={lanes!r} names no lanes; give a list of nodes, for instance {list(known)[:2]}"
        )
    declared = {name for names in run.scenario.targets.values() for name in names}
    for lane in lanes:
        if lane not in known and lane not in declared:
            raise ViewError(f"no lane {lane!r} in this run; choose from {', '.join(map(repr, known))}")
    return tuple(dict.fromkeys(lanes))


class Lane:
    """A node's lane: its rows beneath each other, and room at the bottom for what another view puts there."""

    def __init__(self, name: str, rows: list[Row], spans: list[Span], *, foot: float = 0.0) -> None:
        self.name = name
        self.rows = rows
        self._spans = spans
        self.foot = foot
        self._words = _WORDS if spans else 0.0
        inside = sum(row.height + 4 for row in rows) - (4 if rows else 0)
        least = 2.0 if foot else 14.0  # the name stands beside the foot too
        self.height = self._words + max(inside, least) + 2 * _PAD + foot

    def draw_under(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None:
        """Draw what lies under the marks: the lane's ends, its name, and when it was down or paused."""
        bottom = top + self.height
        for span in self._spans:
            x0, x1 = axis.x(span.start_us), axis.x(span.end_us)
            sheet.box(
                x0, top, max(x1 - x0, 2), self.height, sheet.hatch(span.what), stroke=GREY, stroke_width="0.8"
            )
            legend.note(f"node {span.what}", _hatch_sample(span.what))
        sheet.path(f"M10 {bottom:.1f}H{axis.right:.1f}", stroke=RULE)
        sheet.text(12, top + _PAD + 10, shorten(self.name, 110), bold=True)

    def draw_over(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None:
        """Draw the rows, and the words of the spans."""
        for span in self._spans:
            x0, x1 = axis.x(span.start_us), axis.x(span.end_us)
            wide = text_width(span.what, 10)
            y = top + 12
            if x1 - x0 > wide + 4:
                sheet.text((x0 + x1) / 2, y, span.what, size=10, anchor="middle", bold=True, halo=True)
            elif x1 + wide + 4 < axis.right:
                sheet.text(x1 + 3, y, span.what, size=10, bold=True, halo=True)
            else:
                sheet.text(x0 - 3, y, span.what, size=10, anchor="end", bold=True, halo=True)
        y = top + _PAD + self._words
        for row in self.rows:
            row.draw(sheet, axis, y, legend)
            sheet.text(
                axis.left - 8, y + min(row.height / 2 + 3.5, 11), row.label, size=9.5, fill=GREY, anchor="end"
            )
            y += row.height + 4


def _hatch_sample(name: str) -> Sample:
    return lambda sheet, x, y: sheet.box(
        x - 8, y - 5, 16, 10, sheet.hatch(name), stroke=GREY, stroke_width="0.8"
    )
