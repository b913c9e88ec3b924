"""Assignment before and after a rebalance: who reads which partition, and which partitions moved."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from lessonlib.lab.scenario import Run
from lessonlib.views.axis import clock
from lessonlib.views.legend import Legend
from lessonlib.views.owner_rows import OwnerRow, counts, draw_owner_rows, moved_between, width_of_names
from lessonlib.views.picture import Picture, ViewError, listing, name_of
from lessonlib.views.svg import GREY, WIDTH, Sheet, shorten

PARTITIONS_MAX = 40
STEPS_MAX = 12

Step = tuple[str, dict[Hashable, str]]  # what happened, and each partition's reader


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
    count = 1 + max((int(str(p)) for _, readers in steps for p in readers), default=-1)
    if not 1 <= count <= PARTITIONS_MAX:
        raise ViewError(f"{count} partitions cannot be drawn; give 1 to {PARTITIONS_MAX}")
    left_out = max(0, len(steps) - STEPS_MAX)
    steps = steps[left_out:]
    members = sorted({member for _, readers in steps for member in readers.values()})
    shown = title or (
        f"Who reads which partition: {name_of(run_or_steps)}"
        if isinstance(run_or_steps, Run)
        else "Who reads which partition"
    )
    rows, told = [], [f"{shown}. {count} partitions."]
    for number, (name, readers) in enumerate(steps):
        moved = (
            sorted(moved_between(steps[number - 1][1], readers), key=lambda p: int(str(p))) if number else []
        )
        note = f"{len(moved)} moved" if number else ""
        rows.append(OwnerRow(name, readers, moved, note, bool(moved)))
        shares = ", ".join(f"{m} {share}" for m, share in counts(readers, members).items() if share)
        if moved:
            told.append(f"{name}: {shares}; moved: {listing(map(str, moved), most=12)}.")
        else:
            told.append(f"{name}: {shares}" + ("; none moved." if number else "."))

    sheet, legend = Sheet(), Legend()
    sheet.text(12, 20, shorten(shown, WIDTH - 24, 13), size=13, bold=True)
    y = draw_owner_rows(
        sheet,
        rows,
        things=range(count),
        what="partition",
        nodes=members,
        edges=(32 + width_of_names(rows), WIDTH - 96.0),
        legend=legend,
    )
    foot = legend.draw(sheet, y + 2)
    if left_out:
        told.append(f"{left_out} earlier assignments are left out.")
        sheet.text(12, foot + 8, told[-1], fill=GREY)
        foot += 14
    return sheet.finish(shown, told, foot + 8)


def _readers(assigned: Mapping[str, Iterable[int]]) -> dict[Hashable, str]:
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
