"""Columns in place of marks: how often something happened in each little while, for lanes too full to draw."""

from __future__ import annotations

from dataclasses import dataclass

from lessonlib.views.axis import Axis
from lessonlib.views.svg import GREY, INK, RULE, Sheet

HEIGHT = 26.0
COLUMN = 5.0  # wide


@dataclass(frozen=True, slots=True)
class Series:
    """Moments of one sort.

    Attributes:
        fill: a colour, or the name of a hatch.
        stroke: the colour of the outline.
    """

    times_us: list[int]
    fill: str
    stroke: str


def paint(sheet: Sheet, fill: str) -> str:
    """Return a fill as SVG wants it: a colour as it is, a hatch by its address."""
    return fill if fill.startswith("#") else sheet.hatch(fill)


def draw_columns(sheet: Sheet, axis: Axis, top: float, series: list[Series]) -> int:
    """Draw the series stacked on each other; return the count of the highest column."""
    bins = max(1, int((axis.right - axis.left) // COLUMN))
    wide = (axis.right - axis.left) / bins
    counts = [[0] * bins for _ in series]
    for one, mine in zip(series, counts, strict=True):
        for t_us in one.times_us:
            if axis.shows(t_us):
                mine[min(bins - 1, int((axis.x(t_us) - axis.left) / wide))] += 1
    most = max((sum(stack) for stack in zip(*counts, strict=True)), default=0)
    floor = top + HEIGHT - 1
    sheet.path(f"M{axis.left:.1f} {floor:.1f}H{axis.right:.1f}", stroke=RULE)
    heights = [0.0] * bins
    for one, mine in zip(series, counts, strict=True):
        d = ""
        for i, count in enumerate(mine):
            if count:
                tall = max(count / most * (HEIGHT - 3), 1.5)  # the rare ones must be seen too
                heights[i] += tall
                d += f"M{axis.left + i * wide:.1f} {floor - heights[i]:.1f}h{wide - 0.6:.1f}v{tall:.1f}h{0.6 - wide:.1f}z"
        solid = one.fill.startswith("#")
        sheet.path(
            d,
            fill=paint(sheet, one.fill),
            stroke=None if solid else one.stroke,
            stroke_width=None if solid else "0.6",
        )
    if most:
        sheet.text(axis.right + 3, top + 8, str(most), size=9, fill=INK)
        sheet.path(f"M{axis.right:.1f} {top + 2:.1f}v{HEIGHT - 3:.1f}", stroke=GREY)
    return most


def column_us(axis: Axis) -> float:
    """Return the time that one column stands for."""
    return (axis.end_us - axis.start_us) / max(1, int((axis.right - axis.left) // COLUMN))
