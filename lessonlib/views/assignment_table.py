"""Assignment before and after a rebalance: who reads which partition, and which partitions moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lessonlib.lab.scenario import Run
from lessonlib.views.axis import clock
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.picture import Picture, ViewError, listing, name_of
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
    WIDTH,
    Sheet,
    shorten,
    text_width,
)

PARTITIONS_MAX = 40
STEPS_MAX = 12
_ROW = 24.0
_COLOURS = (BLUE, GREEN, PURPLE, BROWN, "#4a4a4a", "#1f6f9f")

Step = tuple[str, dict[int, str]]  # what happened, and each partition's reader


def assignment(
    run_or_steps: Run | Iterable[tuple[str, Mapping[str, Iterable[int]]]], *, title: str = ""
) -> Picture:
    """Draw who reads which partition, one row for each assignment; a partition that moved is marked with a triangle.

    Args:
        run_or_steps: what `scenario.run(...)` returned, whose records `assigned` (members, before, after) are drawn; or
            (name, assignment) of each step, for instance [("before", {...}), ("after", {...})].
        title: what is shown; left out, the run's name.

    Raises ViewError when nothing was assigned, or there is too much of it to draw.
    """
    steps = _of_run(run_or_steps) if isinstance(run_or_steps, Run) else _given(run_or_steps)
    if not steps:
        raise ViewError(
            "nothing was assigned, so there is nothing to draw; give a run of a group, or (name, dict) pairs"
        )
    count = 1 + max((p for _, readers in steps for p in readers), default=-1)
    if not 1 <= count <= PARTITIONS_MAX:
        raise ViewError(f"{count} partitions cannot be drawn; give 1 to {PARTITIONS_MAX}")
    left_out = max(0, len(steps) - STEPS_MAX)
    steps = steps[left_out:]
    members = sorted({member for _, readers in steps for member in readers.values()})
    look = {m: (_COLOURS[i % len(_COLOURS)], _short(m, members)) for i, m in enumerate(members)}

    sheet, legend = Sheet(), Legend()
    shown = title or (
        f"Who reads which partition: {name_of(run_or_steps)}"
        if isinstance(run_or_steps, Run)
        else "Who reads which partition"
    )
    sheet.text(12, 20, shorten(shown, WIDTH - 24, 13), size=13, bold=True)
    left = 32 + min(max(text_width(name) for name, _ in steps), 250)
    right = WIDTH - 96.0
    wide = (right - left) / count
    for p in range(count):
        sheet.text(left + (p + 0.5) * wide, 44, str(p), anchor="middle", fill=GREY, size=10)
    sheet.text(left - 8, 44, "partition", anchor="end", fill=GREY, size=10)
    y, told, total = 50.0, [f"{shown}. {count} partitions."], 0
    before: dict[int, str] = {}
    for number, (name, readers) in enumerate(steps):
        sheet.text(left - 8, y + 15, shorten(name, left - 24), anchor="end")
        moved = [p for p in range(count) if p in before and before[p] != readers.get(p)]
        for p in range(count):
            reader = readers.get(p)
            x = left + p * wide
            if reader is None:
                sheet.box(x + 1, y, wide - 2, _ROW - 4, PANEL, stroke=RULE)
                continue
            colour, short = look[reader]
            sheet.box(x + 1, y, wide - 2, _ROW - 4, colour)
            sheet.text(
                x + wide / 2, y + 14, shorten(short, wide - 4, 10), anchor="middle", fill=PANEL, size=10
            )
            if p in moved:
                sheet.box(x + 1, y, wide - 2, _ROW - 4, "none", stroke=RED, stroke_width="3")
                sheet.path(
                    f"M{x + wide / 2:.1f} {y - 1:.1f}l-5-6h10z", fill=RED, stroke=PANEL, stroke_width="0.6"
                )
        if number:
            sheet.text(right + 8, y + 15, f"{len(moved)} moved", bold=bool(moved), fill=RED if moved else INK)
            total += len(moved)
        shares = ", ".join(
            f"{m} {sum(r == m for r in readers.values())}" for m in members if m in readers.values()
        )
        told.append(
            f"{name}: {shares}"
            + (
                f"; moved: {listing(map(str, moved), most=12)}."
                if moved
                else "."
                if not number
                else "; none moved."
            )
        )
        before = readers
        y += _ROW + 4
    for member in members:
        colour, short = look[member]
        legend.note(member if short == member else f"{short}: {member}", _sample(colour))
    if total:
        legend.note(
            "moved to another reader",
            lambda s, x, yy: s.path(f"M{x} {yy + 3}l-5-6h10z", fill=RED),
        )
    foot = legend.draw(sheet, y + 2)
    if left_out:
        told.append(f"{left_out} earlier assignments are left out.")
        sheet.text(12, foot + 8, told[-1], fill=GREY)
        foot += 14
    return sheet.finish(shown, told, foot + 8)


def _sample(colour: str) -> Sample:
    return lambda s, x, y: s.box(x - 8, y - 5, 16, 10, colour)


def _short(member: str, members: Sequence[str]) -> str:
    """Return what fits into a cell: the part after the last dash, if that tells the members apart."""
    tails = [name.rpartition("-")[2] for name in members]
    return member.rpartition("-")[2] if len(set(tails)) == len(members) else member


def _readers(assigned: Mapping[str, Iterable[int]]) -> dict[int, str]:
    return {p: member for member, partitions in assigned.items() for p in partitions}


def _of_run(run: Run) -> list[Step]:
    """Return the assignments of a run; what members joined at one moment is one step."""
    steps: list[Step] = []
    for record in run.history.of("assigned"):
        name = f"{clock(record.t_us)}: {len(record.data['members'])} members"
        if steps and steps[-1][0].split(":")[0] == name.split(":")[0]:
            steps.pop()
        steps.append((name, _readers(record.data["after"])))
    return steps


def _given(steps: Any) -> list[Step]:
    try:
        found = [(str(name), _readers(assigned)) for name, assigned in steps]
    except (TypeError, ValueError, AttributeError):
        raise ViewError(
            f"assignment shows a run or (name, assignment) pairs, not {steps!r:.60}; give scenario.run(...)"
        ) from None
    for _, readers in found:
        for partition in readers:
            if isinstance(partition, bool) or not isinstance(partition, int) or partition < 0:
                raise ViewError(f"partition {partition!r:.40} is none; give whole numbers from 0")
    return found
