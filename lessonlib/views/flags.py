"""Numbered flags at the moments at which rules broke, and the rules' sentences beneath the picture."""

from __future__ import annotations

from lessonlib.lab.rules import Verdict
from lessonlib.views.axis import Axis, clock
from lessonlib.views.legend import Legend
from lessonlib.views.svg import GREY, PANEL, RED, WIDTH, Sheet, shorten, wrap

HEIGHT = 20.0
LISTED_MAX = 8
_APART = 18.0


def moment(verdict: Verdict) -> str:
    """Return when a rule broke, as the list says it."""
    return f"at {clock(verdict.at_us)}" if verdict.at_us is not None else "by the end"


class Flags:
    """The broken rules of a run, numbered from the earliest."""

    def __init__(self, broken: tuple[Verdict, ...], axis: Axis) -> None:
        self.axis = axis
        self.broken = broken
        self._shown = [
            (number, verdict.at_us)
            for number, verdict in enumerate(broken, 1)
            if verdict.at_us is not None and axis.shows(verdict.at_us)
        ]
        self.height = HEIGHT if self._shown else 0.0

    def draw(self, sheet: Sheet, top: float, bottom: float, legend: Legend) -> None:
        """Draw the flags at `top`, each with a pole down to `bottom`."""
        xs = [self.axis.x(at_us) for _, at_us in self._shown]
        places = list(xs)
        for i in range(1, len(places)):  # push apart to the right, then back from the edge
            places[i] = max(places[i], places[i - 1] + _APART)
        edge = WIDTH - 12.0
        for i in reversed(range(len(places))):
            places[i] = min(places[i], edge)
            edge = places[i] - _APART
        for (number, _), x, place in zip(self._shown, xs, places, strict=True):
            sheet.path(
                f"M{place:.1f} {top + 12:.1f}L{x:.1f} {top + HEIGHT:.1f}V{bottom:.1f}",
                stroke=RED,
                stroke_width="1.3",
                stroke_dasharray="6 2",
                fill="none",
            )
            flag(sheet, place, top + 6, str(number))
        if self._shown:
            legend.note("rule broken (its number in the list below)", lambda s, x, y: flag(s, x, y, "1"))

    def list_them(self, sheet: Sheet, top: float) -> float:
        """Write the broken rules beneath each other from `top` on; return where the list ends."""
        y = top
        for number, verdict in enumerate(self.broken[:LISTED_MAX], 1):
            y += 15
            flag(sheet, 20, y - 4, str(number))
            head = f"{moment(verdict)}: {verdict.rule}"
            if verdict.at_us is not None and not self.axis.shows(verdict.at_us):
                head += " (outside this picture)"
            sheet.text(34, y, shorten(head, WIDTH - 46), bold=True)
            for line in wrap(verdict.sentence, WIDTH - 46, lines_max=3):
                y += 14
                sheet.text(34, y, line)
            y += 3
        if len(self.broken) > LISTED_MAX:
            y += 15
            sheet.text(34, y, f"and {len(self.broken) - LISTED_MAX} more", fill=GREY)
        return y


def flag(sheet: Sheet, x: float, y: float, number: str) -> None:
    """Draw a flag with its number around (x, y)."""
    sheet.path(f"M{x - 7:.1f} {y - 6:.1f}h14v9l-7 4l-7-4z", fill=RED)
    sheet.text(x, y + 2.5, number, size=9, fill=PANEL, anchor="middle", bold=True)
