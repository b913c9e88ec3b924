"""The rows of a lane: calls as bars, marks as shapes; both as columns where there are too many to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from lessonlib.lab.history import Record
from lessonlib.views.axis import Axis
from lessonlib.views.columns import HEIGHT, Series, draw_columns, paint
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.marks import SHAPES, Mark
from lessonlib.views.reading import Call
from lessonlib.views.svg import BLUE, GREEN, GREY, PANEL, PURPLE, RED, Sheet, text_width

Label = Callable[[Record], str]

MARKS_MAX = 150  # shapes in a row
CALLS_MAX = 120  # bars in a lane
_BARS_DEEP = 5  # rows of bars in a lane
_BAR = 8.0
_SMALL = 9.0

# fill (a colour or a hatch), outline, glyph at the end
_LOOK = {
    "ok": (BLUE, BLUE, ""),
    "failed": ("failed", RED, "M-3-3L3 3M-3 3L3-3"),
    "unknown": ("unknown", PURPLE, "M-2-2a2 2 0 1 1 3 1.7c-1 .6-1 .8-1 1.6M0 3.2v.9"),
    "no answer": (PANEL, GREY, "M-2-3L2 0L-2 3"),
}


class Row(Protocol):
    """Part of a lane: says how high it is and what it is called, then draws itself."""

    label: str
    height: float
    counted: bool  # whether columns stand for its marks

    def draw(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None: ...


def order_of(record: Record) -> str:
    """Return what a bar or mark is labelled with where there is room: the order's number."""
    return str(record.get("order", ""))


def _bar(sheet: Sheet, x: float, y: float, width: float, outcome: str) -> float:
    """Draw a call's bar and the glyph at its end; return where they end."""
    fill, stroke, glyph = _LOOK[outcome]
    sheet.box(
        x,
        y,
        width,
        _BAR,
        paint(sheet, fill),
        stroke=stroke,
        stroke_dasharray="3 2" if outcome == "no answer" else None,
    )
    if not glyph:
        return x + width
    sheet.path(
        glyph,
        transform=f"translate({x + width + 5:.1f} {y + 4:.1f})",
        stroke=stroke,
        stroke_width="1.6",
        fill="none",
    )
    return x + width + 9


def _bar_sample(outcome: str) -> Sample:
    return lambda sheet, x, y: void(_bar(sheet, x - 8, y - 4, 16 if outcome == "ok" else 8, outcome))


def _column_sample(fill: str, stroke: str) -> Sample:
    def draw(sheet: Sheet, x: float, y: float) -> None:
        for dx, tall in ((-6, 5), (-1, 9), (4, 7)):
            sheet.box(x + dx, y + 5 - tall, 4, tall, paint(sheet, fill), stroke=stroke, stroke_width="0.6")

    return draw


def void(_: object) -> None:
    """Make a sample of something that returns a value."""


class CallRow:
    """The calls of a lane, those at the same time below each other."""

    def __init__(self, calls: list[Call], axis: Axis, label: Label) -> None:
        ops = list(dict.fromkeys(call.op for call in calls))
        self.label = f"{ops[0] if len(ops) == 1 else 'calls'} {len(calls)}"
        self.calls = calls
        self._label = label
        self._placed: list[tuple[Call, float, float, int, str]] = []
        self._floors: list[float] = []  # how far to the right each row of bars is taken
        self.counted = len(calls) > CALLS_MAX or not self._stack(axis)
        self.height = HEIGHT if self.counted else len(self._floors) * (_BAR + 3)

    def _stack(self, axis: Axis) -> bool:
        """Give each bar a row where it covers no other. Returns whether the rows were enough."""
        for call in self.calls:
            x0 = axis.x(call.invoke.t_us)
            width = max(axis.x(axis.end_us if call.end_us is None else call.end_us) - x0, 3)
            text = self._label(call.invoke)
            reach = x0 + width + (10 if _LOOK[call.outcome][2] else 0) + 2
            wanted = reach + (text_width(text, _SMALL) + 3 if text else 0)
            row = next((i for i, taken in enumerate(self._floors) if taken <= x0), len(self._floors))
            if row == len(self._floors):
                if row == _BARS_DEEP:
                    return False
                self._floors.append(0)
            self._floors[row] = reach
            self._placed.append((call, x0, width, row, text if wanted <= axis.right + 12 else ""))
        return True

    def draw(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None:
        if self.counted:
            kinds = [o for o in _LOOK if any(c.outcome == o for c in self.calls)]
            for kind in kinds:
                legend.note(f"call {kind}", _column_sample(*_LOOK[kind][:2]))
            series = [
                Series([c.invoke.t_us for c in self.calls if c.outcome == kind], *_LOOK[kind][:2])
                for kind in kinds
            ]
            draw_columns(sheet, axis, top, series)
            return
        starts: dict[int, list[float]] = {}
        for _, x0, _, row, _ in self._placed:
            starts.setdefault(row, []).append(x0)
        seen: dict[int, int] = {}
        for call, x0, width, row, text in self._placed:
            legend.note(f"call {call.outcome}", _bar_sample(call.outcome))
            y = top + row * (_BAR + 3)
            end = _bar(sheet, x0, y, width, call.outcome)
            seen[row] = seen.get(row, 0) + 1
            following = starts[row][seen[row]] if seen[row] < len(starts[row]) else axis.right + 14
            if text and end + 3 + text_width(text, _SMALL) <= following:
                sheet.text(end + 2, y + _BAR, text, size=_SMALL)


class MarkRow:
    """The marks of one name in a lane."""

    height: float

    def __init__(self, mark: Mark, records: list[Record], again: list[bool], label: Label) -> None:
        repeats = sum(again)
        self.label = f"{mark.name} {len(records)}" + (f", {repeats} again" if repeats else "")
        self.counted = len(records) > MARKS_MAX
        self.height = HEIGHT if self.counted else 12.0
        self.mark, self._records, self._again, self._label = mark, records, again, label
        self.count, self.repeats = len(records), repeats

    def draw(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None:
        mark, name = self.mark, f"{self.mark.name} again"
        if self.counted:
            once = [r.t_us for r, again in zip(self._records, self._again, strict=True) if not again]
            more = [r.t_us for r, again in zip(self._records, self._again, strict=True) if again]
            series = [Series(once, mark.colour, mark.colour)] if once else []
            legend.note(mark.name, _column_sample(mark.colour, mark.colour))
            if more:
                legend.note(name, _column_sample("again", GREEN))
                series.append(Series(more, "again", GREEN))
            draw_columns(sheet, axis, top, series)
            return
        xs = [axis.x(record.t_us) for record in self._records]
        for i, record in enumerate(self._records):
            shape = "double" if self._again[i] else mark.shape
            legend.note(name if self._again[i] else mark.name, mark_sample(shape, mark.colour))
            draw_shape(sheet, xs[i], top + 6, shape, mark.colour)
            text = self._label(record)
            following = min((x for x in xs[i + 1 :]), default=axis.right + 14) - 5
            if text and xs[i] + 7 + text_width(text, _SMALL) <= following:
                sheet.text(xs[i] + 6, top + 9.5, text, size=_SMALL)


def draw_shape(sheet: Sheet, x: float, y: float, shape: str, colour: str) -> None:
    """Draw one mark."""
    d, filled = SHAPES[shape]
    sheet.path(
        d,
        transform=f"translate({x:.1f} {y:.1f})",
        fill=colour if filled else PANEL if d.endswith("z") else "none",
        stroke=PANEL if filled else colour,
        stroke_width="0.7" if filled else "1.5",
    )


def mark_sample(shape: str, colour: str) -> Sample:
    """Return the legend's sample of a mark."""
    return lambda sheet, x, y: draw_shape(sheet, x, y, shape, colour)


def rows_of(
    calls: list[Call], records: list[Record], marks: tuple[Mark, ...], axis: Axis, label: Label
) -> list[Row]:
    """Return the rows of one lane: its calls, then a row for each kind of mark that occurs on the axis.

    Args:
        records: every record of the lane, also those off the axis: what came before makes one a repeat.
    """
    rows: list[Row] = []
    visible = [c for c in calls if axis.shows(c.invoke.t_us, axis.end_us if c.end_us is None else c.end_us)]
    if visible:
        rows.append(CallRow(visible, axis, label))
    for mark in marks:
        seen: set[Hashable] = set()
        shown: list[Record] = []
        again: list[bool] = []
        for record in records:
            if not mark.matches(record):
                continue
            key = mark.key(record) if mark.key is not None else None
            if axis.shows(record.t_us):
                shown.append(record)
                again.append(key is not None and key in seen)
            if key is not None:
                seen.add(key)
        if shown:
            rows.append(MarkRow(mark, shown, again, label))
    return rows
