"""The strip above a picture that names the faults, and their shade below it."""

from __future__ import annotations

from collections.abc import Iterable

from lessonlib.views.axis import Axis
from lessonlib.views.reading import Strike
from lessonlib.views.svg import BROWN, GREY, SHADE, Sheet, shorten, text_width

_ROW = 15
ROWS_MAX = 6


class FaultStrip:
    """Places each fault's bar and text so that none lies on another."""

    def __init__(self, strikes: Iterable[Strike], axis: Axis) -> None:
        self.axis = axis
        self.placed: list[tuple[Strike, int, float, str]] = []  # the strike, its row, its text's x, the text
        self.left_out = 0
        rows: list[list[tuple[float, float]]] = []
        for strike in strikes:
            if strike.start_us is None or not axis.shows(strike.start_us, strike.end_us):
                continue
            x0, x1 = axis.x(strike.start_us), max(axis.x(strike.end_us), axis.x(strike.start_us) + 3)
            text = shorten(strike.text, axis.right - axis.left - 8, 10)
            width = text_width(text, 10)
            text_x = x1 + 5 if x1 + 5 + width <= axis.right + 8 else max(axis.left, x0 - 5 - width)
            if text_x + width > x0 and text_x < x0:  # no room on either side: on the bar itself
                text_x = max(axis.left + 3, min(x0 + 4, axis.right - width))
            extent = (min(x0, text_x) - 6, max(x1, text_x + width) + 6)
            row = next(
                (
                    i
                    for i, taken in enumerate(rows)
                    if all(extent[1] <= a or extent[0] >= b for a, b in taken)
                ),
                len(rows),
            )
            if row >= ROWS_MAX:
                self.left_out += 1
                continue
            if row == len(rows):
                rows.append([])
            rows[row].append(extent)
            self.placed.append((strike, row, text_x, text))
        self.height = len(rows) * _ROW + (4 if rows else 0)

    def shade(self, sheet: Sheet, lanes: dict[str, tuple[float, float]], top: float, bottom: float) -> None:
        """Shade the time of each fault: in the lanes of the nodes it is aimed at, or everywhere."""
        for strike, *_ in self.placed:
            assert strike.start_us is not None
            x0, x1 = self.axis.x(strike.start_us), self.axis.x(strike.end_us)
            hit = [lanes[node] for node in strike.nodes if node in lanes] or [(top, bottom)]
            for y0, y1 in hit:
                sheet.box(x0, y0, max(x1 - x0, 1), y1 - y0, SHADE, opacity="0.75")

    def draw(self, sheet: Sheet, top: float, bottom: float) -> None:
        """Draw the strip from `top` on, and dashed lines from each fault's ends down to `bottom`."""
        if self.placed:
            sheet.text(self.axis.left - 8, top + 11, "faults", anchor="end", fill=GREY)
        lines = ""
        for strike, row, *_ in self.placed:
            for x in sorted(self._ends(strike)):
                lines += f"M{x:.1f} {top + row * _ROW + 12:.1f}V{bottom:.1f}"
        sheet.path(lines, stroke=BROWN, stroke_dasharray="2 3", stroke_width="0.8")
        for strike, row, text_x, text in self.placed:
            y = top + row * _ROW + 2
            x0, x1 = min(self._ends(strike)), max(self._ends(strike))
            sheet.box(x0, y, max(x1 - x0, 3), 10, sheet.hatch("fault"), stroke=BROWN, stroke_width="0.8")
            sheet.text(text_x, y + 9, text, size=10, halo=True)

    def _ends(self, strike: Strike) -> set[float]:
        assert strike.start_us is not None
        return {self.axis.x(strike.start_us), self.axis.x(strike.end_us)}
