"""Work per node before and after each reassignment: who has what, what moved, and whether less could have moved."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from lessonlib.lab.scenario import Run
from lessonlib.views.axis import clock, window
from lessonlib.views.legend import Legend
from lessonlib.views.owner_rows import OwnerRow, counts, draw_owner_rows, moved_between, width_of_names
from lessonlib.views.picture import Picture, ViewError, listing, name_of, one
from lessonlib.views.svg import GREY, WIDTH, Sheet, shorten

ITEMS_MAX = 40
STEPS_MAX = 10


def least_moves(owners: Mapping[Hashable, str], items: Sequence[Hashable], nodes: Sequence[str]) -> int:
    """Return how many items must change their owner at least until `nodes` have them evenly.

    Even means that no node has two more than another: each has the quotient, and the remainder gives some one more. Most
    stays where it is when those who have most get the one more. An item without an owner is placed, not moved.
    """
    if not nodes:
        return 0
    share, more = divmod(len(items), len(nodes))
    have = sorted(counts(owners, nodes).values(), reverse=True)
    stay = sum(min(count, share + (place < more)) for place, count in enumerate(have))
    return sum(item in owners for item in items) - stay


def work(run: Run, *, start_s: float | None = None, end_s: float | None = None) -> Picture:
    """Draw who has which item of work, a row for each reassignment; an item that moved is marked with a triangle.

    Beneath each row stands how much each node has, behind it how many items moved and how few it could have been. What
    an owner has that is not alive is hatched: nobody does that work.

    Args:
        run: what `scenario.run(...)` returned, whose records `assignment` (owners, nodes, reason) are drawn.
        start_s, end_s: which of them, in seconds of virtual time; left out, all.

    Raises ViewError when nothing was assigned then, or there is too much of it to draw.
    """
    run = one(run)
    every = list(run.history.of("assignment"))
    start_us, end_us = window(start_s, end_s, last_us=run.end_us, run_end_us=run.end_us)
    records = [r for r in every if start_us <= r.t_us <= end_us]
    if not records:
        raise ViewError(
            f"no work was assigned from {clock(start_us)} to {clock(end_us)} in {run.replay}; choose another part, or a "
            "run with records 'assignment'"
        )
    items = sorted({item for r in records for item in r.data["owners"]}, key=_natural)
    if not 1 <= len(items) <= ITEMS_MAX:
        raise ViewError(f"{len(items)} items of work cannot be drawn; give a run with 1 to {ITEMS_MAX}")
    left_out = max(0, len(records) - STEPS_MAX)
    earlier = every[: every.index(records[left_out])]
    before = _owners(earlier[-1].data["owners"]) if earlier else {}
    deciders = len({r.node for r in records}) > 1
    title = f"Work in {name_of(run)}, seed {run.seed}"
    rows, told = [], [f"{title}. {len(items)} items."]
    nodes: list[str] = sorted(
        {o for r in records for o in (*_owners(r.data["owners"]).values(), *r.data["nodes"])}
    )
    for record in records[left_out:]:
        owners, alive = _owners(record.data["owners"]), list(record.data["nodes"])
        moved = moved_between(before, owners)
        least = least_moves(before, items, alive)
        have = counts(owners, [n for n in nodes if n in alive or n in owners.values()])
        living = [have[n] for n in alive if n in have]
        even = not living or max(living) - min(living) <= 1
        lost = [n for n in have if n not in alive]
        stuck = sum(have[n] for n in lost)
        name = f"{clock(record.t_us)}" + (f", by {record.node}" if deciders else "")
        note = f"{len(moved)} moved" if before else "placed"
        if before:
            note += f", least {least}"
        per_node = ", ".join(f"{n} has {have[n]}{' (not alive)' if n in lost else ''}" for n in have)
        state = f"{stuck} WITH NO ONE ALIVE" if stuck else "even" if even else "NOT EVEN"
        reason = str(record.get("reason", ""))
        below = (
            " · ".join(f"{n}: {have[n]}{' (not alive)' if n in lost else ''}" for n in have) + f" · {state}"
        )
        rows.append(
            OwnerRow(
                name,
                owners,
                moved,
                note,
                bool(stuck) or not even or (bool(before) and len(moved) > least),
                lost,
                below + (f" · {reason}" if reason else ""),
            )
        )
        told.append(
            f"{name}{f' ({reason})' if reason else ''}: {per_node}; {state}; {note}"
            + (f": {listing(map(str, moved), most=8)}." if moved else ".")
        )
        before = owners

    sheet, legend = Sheet(), Legend()
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    edges = (32 + width_of_names(rows, 150), WIDTH - 120.0)
    y = draw_owner_rows(sheet, rows, things=items, what="item", nodes=nodes, edges=edges, legend=legend)
    foot = legend.draw(sheet, y + 4)
    if left_out:
        told.append(f"{left_out} earlier assignments are left out; choose with start_s and end_s.")
        sheet.text(12, foot + 8, told[-1], fill=GREY)
        foot += 14
    return sheet.finish(title, told, foot + 8)


def _owners(given: Mapping[str, str | None]) -> dict[Hashable, str]:
    return {item: owner for item, owner in given.items() if owner is not None}


def _natural(item: str) -> tuple[str, int, str]:
    """Return a key that puts item-10 behind item-9."""
    head, dash, tail = item.rpartition("-")
    return (head + dash, int(tail), "") if tail.isdecimal() else (item, 0, item)
