"""The rows of a lane: calls as bars, marks as shapes; both as columns where there are too many to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
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
_DEEP, _THIN_DEEP = 5, 12  # rows of bars, and of thin bars, in a lane
_BAR = 8.0
_THIN = 4.0  # a thin bar and the gap below it
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
    labelled: bool  # whether text stands beside them

    def draw(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None: ...


def order_of(record: Record) -> str:
    """Return what a bar or mark is labelled with where there is room: the order's number."""
    return str(record.get("order", ""))


def _bar(
    sheet: Sheet, x: float, y: float, width: float, outcome: str, *, thin: bool = False, ended: bool = True
) -> None:
    """Draw a call's bar and the glyph at its end."""
    fill, stroke, glyph = _LOOK[outcome]
    tall = _THIN - 1 if thin else _BAR
    dash = "3 2" if outcome == "no answer" else None
    sheet.box(x, y, width, tall, paint(sheet, fill), stroke=stroke, stroke_dasharray=dash)
    if glyph and ended:
        small = " scale(0.5)" if thin else ""
        place = f"translate({x + width + 5:.1f} {y + tall / 2:.1f}){small}"
        sheet.path(glyph, transform=place, stroke=stroke, stroke_width="1.6", fill="none")


def _bar_sample(outcome: str) -> Sample:
    return lambda sheet, x, y: _bar(sheet, x - 8, y - 4, 16 if outcome == "ok" else 8, outcome)


def _column_sample(fill: str, stroke: str) -> Sample:
    def draw(sheet: Sheet, x: float, y: float) -> None:
        for dx, tall in ((-6, 5), (-1, 9), (4, 7)):
            sheet.box(x + dx, y + 5 - tall, 4, tall, paint(sheet, fill), stroke=stroke, stroke_width="0.6")

    return draw


class CallRow:
    """The calls of a lane, those at the same time below each other; thinner where they are many."""

    def __init__(self, calls: list[Call], axis: Axis, label: Label) -> None:
        ops = list(dict.fromkeys(call.op for call in calls))
        self.label = f"{ops[0] if len(ops) == 1 else 'calls'} {len(calls)}"
        self.calls = calls
        self._bars: list[tuple[Call, float, float, int]] = []  # the call, its bar's x and width, its row
        floors: list[float] = []  # how far to the right each row of bars is taken
        for call in calls[: CALLS_MAX + 1]:
            x0 = axis.x(call.invoke.t_us)
            width = max(axis.x(axis.end_us if call.end_us is None else call.end_us) - x0, 3)
            row = next((i for i, taken in enumerate(floors) if taken <= x0), len(floors))
            floors[row : row + 1] = [_reach(x0, width, call.outcome)]
            self._bars.append((call, x0, width, row))
        self._thin = len(floors) > _DEEP
        self.counted = len(calls) > CALLS_MAX or len(floors) > _THIN_DEEP
        self._pitch = _THIN if self._thin else _BAR + 3
        self.height = HEIGHT if self.counted else len(floors) * self._pitch
        self._texts = {} if self.counted or self._thin else self._room(axis, label)
        self.labelled = bool(self._texts)

    def _room(self, axis: Axis, label: Label) -> dict[int, str]:
        """Return the bars' texts by their number, if most have room before the next bar of their row."""
        texts: dict[int, str] = {}
        following: dict[int, float] = {}
        for i in reversed(range(len(self._bars))):
            call, x0, width, row = self._bars[i]
            text = label(call.invoke)
            end = _reach(x0, width, call.outcome) + text_width(text, _SMALL)
            if text and end <= following.get(row, axis.right + 14):
                texts[i] = text
            following[row] = x0
        return texts if len(texts) * 3 >= len(self._bars) * 2 else {}

    def draw(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None:
        """Draw the calls as bars, or as columns."""
        kinds = [outcome for outcome in _LOOK if any(call.outcome == outcome for call in self.calls)]
        for kind in kinds:
            look = _LOOK[kind][:2]
            legend.note(f"call {kind}", _column_sample(*look) if self.counted else _bar_sample(kind))
        if self.counted:
            times = {kind: [c.invoke.t_us for c in self.calls if c.outcome == kind] for kind in kinds}
            draw_columns(sheet, axis, top, [Series(times[kind], *_LOOK[kind][:2]) for kind in kinds])
            return
        for i, (call, x0, width, row) in enumerate(self._bars):
            y = top + row * self._pitch
            ended = call.end_us is None or call.end_us <= axis.end_us  # else it goes on to the right
            _bar(sheet, x0, y, width, call.outcome, thin=self._thin, ended=ended)
            if i in self._texts:
                sheet.text(_reach(x0, width, call.outcome), y + _BAR, self._texts[i], size=_SMALL)


def _reach(x: float, width: float, outcome: str) -> float:
    """Return where a bar and the glyph at its end are over."""
    return x + width + (11 if _LOOK[outcome][2] else 2)


class MarkRow:
    """The marks of one name in a lane."""

    def __init__(
        self, mark: Mark, records: list[Record], again: list[bool], axis: Axis, label: Label
    ) -> None:
        self.mark, self.count, self.repeats = mark, len(records), sum(again)
        self.label = f"{mark.name} {self.count}" + (f", {self.repeats} again" if self.repeats else "")
        self.counted = self.count > MARKS_MAX
        self.height = HEIGHT if self.counted else 12.0
        self._times, self._again = [r.t_us for r in records], again
        self._texts = {} if self.counted else self._room(records, axis, label)
        self.labelled = bool(self._texts)

    def _room(self, records: list[Record], axis: Axis, label: Label) -> dict[int, str]:
        """Return the marks' texts by their number, if most have room before the next mark."""
        texts: dict[int, str] = {}
        following = axis.right + 14
        for i in reversed(range(len(records))):
            x, text = axis.x(records[i].t_us), label(records[i])
            if text and x + 8 + text_width(text, _SMALL) <= following:
                texts[i] = text
            following = x - 4
        return texts if len(texts) * 3 >= len(records) * 2 else {}

    def draw(self, sheet: Sheet, axis: Axis, top: float, legend: Legend) -> None:
        """Draw the marks as shapes, or as columns; what happened again looks different."""
        colour, name = self.mark.colour, self.mark.name
        for repeated in sorted(set(self._again)):
            shown, look = (
                f"{name} again" if repeated else name,
                ("again", GREEN) if repeated else (colour, colour),
            )
            if self.counted:
                legend.note(shown, _column_sample(*look))
            else:
                legend.note(shown, mark_sample("double" if repeated else self.mark.shape, colour))
        if self.counted:
            times: dict[bool, list[int]] = {False: [], True: []}
            for t_us, repeated in zip(self._times, self._again, strict=True):
                times[repeated].append(t_us)
            draw_columns(
                sheet, axis, top, [Series(times[False], colour, colour), Series(times[True], "again", GREEN)]
            )
            return
        for i, t_us in enumerate(self._times):
            x, shape = axis.x(t_us), "double" if self._again[i] else self.mark.shape
            draw_shape(sheet, x, top + 6, shape, colour)
            if i in self._texts:
                sheet.text(x + 6, top + 9.5, self._texts[i], size=_SMALL)


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


@dataclass(frozen=True, slots=True)
class Marked:
    """The visible records of one mark in one lane, and which of them repeat an earlier one."""

    mark: Mark
    records: list[Record]
    again: list[bool]


def marked(records: Iterable[Record], marks: Iterable[Mark], axis: Axis) -> dict[str, list[Marked]]:
    """Return what is marked in each lane, in the order of `marks`.

    Args:
        records: all of the run, also those off the axis: what came before makes one a repeat.
    """
    by_kind: dict[str, list[Mark]] = {}
    for mark in marks:
        for kind in mark.kinds:
            by_kind.setdefault(kind, []).append(mark)
    found: dict[tuple[str, str], Marked] = {}
    seen: set[tuple[str, str, Hashable]] = set()
    for record in records:
        for mark in by_kind.get(record.kind, ()):
            if not mark.matches(record):
                continue
            again = False
            if mark.key is not None:
                thing = (record.node, mark.name, mark.key(record))
                again = thing[2] is not None and thing in seen
                seen.add(thing)
            if axis.shows(record.t_us):
                row = found.setdefault((record.node, mark.name), Marked(mark, [], []))
                row.records.append(record)
                row.again.append(again)
    lanes: dict[str, list[Marked]] = {}
    for mark in marks:
        for (node, name), row in found.items():
            if name == mark.name:
                lanes.setdefault(node, []).append(row)
    return lanes


def rows_of(calls: list[Call], things: list[Marked], axis: Axis, label: Label) -> list[Row]:
    """Return the rows of one lane: its calls, then a row for each kind of mark that occurs on the axis."""
    rows: list[Row] = []
    visible = [c for c in calls if axis.shows(c.invoke.t_us, axis.end_us if c.end_us is None else c.end_us)]
    if visible:
        rows.append(CallRow(visible, axis, label))
    return rows + [MarkRow(one.mark, one.records, one.again, axis, label) for one in things]
