"""Rows of cells that say who has what: a row for each assignment, a column for each thing, moved things marked."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from lessonlib.views.legend import Legend, Sample
from lessonlib.views.svg import (
    BLUE,
    BROWN,
    GREEN,
    GREY,
    INK,
    PANEL,
    PURPLE,
    RED,
    RULE,
    Sheet,
    shorten,
    text_width,
)

ROW = 24.0
_COLOURS = (BLUE, GREEN, PURPLE, BROWN, "#4a4a4a", "#1f6f9f")


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """One assignment.

    Attributes:
        name: what stands before it.
        owners: who has each thing; one that is missing has no owner.
        moved: the things that had another owner in the row before.
        note: what stands behind it.
        alarm: whether the note says that something is wrong.
        lost: the owners that cannot do anything with what they have.
        below: what stands beneath it.
    """

    name: str
    owners: Mapping[Hashable, str]
    moved: Collection[Hashable] = ()
    note: str = ""
    alarm: bool = False
    lost: Collection[str] = ()
    below: str = ""


def moved_between(before: Mapping[Hashable, str], after: Mapping[Hashable, str]) -> list[Hashable]:
    """Return the things that had another owner before, in their order."""
    return [thing for thing in before if before[thing] != after.get(thing)]


def counts(owners: Mapping[Hashable, str], nodes: Sequence[str]) -> dict[str, int]:
    """Return how many things each node has."""
    return {node: sum(owner == node for owner in owners.values()) for node in nodes}


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return what fits into a cell: the part after the last dash, if that tells them apart."""
    tails = {name: name.rpartition("-")[2] for name in names}
    return tails if len(set(tails.values())) == len(tails) else {name: name for name in names}


def draw_owner_rows(
    sheet: Sheet,
    rows: Sequence[OwnerRow],
    *,
    things: Sequence[Hashable],
    what: str,
    nodes: Sequence[str],
    edges: tuple[float, float],
    legend: Legend,
) -> float:
    """Draw the rows, the things' names above them; return where they end.

    Args:
        things: the columns.
        what: what a thing is called.
        nodes: all owners, in the order of their colours.
        edges: where the cells begin and end on the page.
    """
    left, right = edges
    wide = (right - left) / len(things)
    short = short_names(nodes)
    colour = {node: _COLOURS[i % len(_COLOURS)] for i, node in enumerate(nodes)}
    heads = short_names([str(thing) for thing in things])
    for i, thing in enumerate(things):
        head = shorten(heads[str(thing)], wide, 10)
        sheet.text(left + (i + 0.5) * wide, 44, head, anchor="middle", fill=GREY, size=10)
    sheet.text(left - 8, 44, what, anchor="end", fill=GREY, size=10)
    y = 50.0
    marked = lost = False
    for row in rows:
        sheet.text(left - 8, y + 15, shorten(row.name, left - 24), anchor="end")
        for i, thing in enumerate(things):
            x, owner = left + i * wide, row.owners.get(thing)
            if owner is None:
                sheet.box(x + 1, y, wide - 2, ROW - 4, PANEL, stroke=RULE)
                continue
            text = shorten(short[owner], wide - 4, 10)
            if owner in row.lost:
                lost = True
                sheet.box(x + 1, y, wide - 2, ROW - 4, sheet.hatch("down"), stroke=GREY)
                sheet.text(x + wide / 2, y + 14, text, anchor="middle", size=10, bold=True, halo=True)
            else:
                sheet.box(x + 1, y, wide - 2, ROW - 4, colour[owner])
                sheet.text(x + wide / 2, y + 14, text, anchor="middle", fill=PANEL, size=10)
            if thing in row.moved:
                marked = True
                sheet.box(x + 1, y, wide - 2, ROW - 4, "none", stroke=RED, stroke_width="3")
                sheet.path(
                    f"M{x + wide / 2:.1f} {y - 1:.1f}l-5-6h10z", fill=RED, stroke=PANEL, stroke_width="0.6"
                )
        if row.note:
            sheet.text(right + 8, y + 15, row.note, bold=row.alarm, fill=RED if row.alarm else INK)
        y += ROW + 4
        if row.below:
            sheet.text(left, y + 6, row.below, size=10)
            y += 16
    for node in nodes:
        legend.note(node if short[node] == node else f"{short[node]}: {node}", _sample(colour[node]))
    if marked:
        legend.note(
            "moved to another reader" if what == "partition" else "moved to another node",
            lambda s, x, yy: s.path(f"M{x} {yy + 3}l-5-6h10z", fill=RED),
        )
    if lost:
        legend.note("its owner is not alive", _lost_sample)
    return y


def width_of_names(rows: Sequence[OwnerRow], most: float = 250) -> float:
    """Return how much room the rows' names take."""
    return min(max(text_width(row.name) for row in rows), most)


def _sample(colour: str) -> Sample:
    return lambda s, x, y: s.box(x - 8, y - 5, 16, 10, colour)


def _lost_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 8, y - 5, 16, 10, sheet.hatch("down"), stroke=GREY)
