"""A state machine, drawn from the very table that the code looks up, with the state that it is in now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lessonlib.views.picture import Picture, ViewError
from lessonlib.views.svg import BLUE, GREY, INK, PANEL, RED, WIDTH, Sheet, text_width, wrap

STATES_MAX = 6
_NODE_HEIGHT, _ARC, _LINE = 34.0, 46.0, 13.0


def state_machine(
    table: Iterable[tuple[str, str, str]], *, start: str = "", current: str = "", title: str = "State machine"
) -> Picture:
    """Draw the states of a machine in a row, and a labelled arrow for each row of its table.

    Arrows to the right run above the states, arrows to the left below.

    Args:
        table: rows of (source, event, target), as the code has them.
        start: the state in which the machine begins; left out, the first one in the table.
        current: the state that it is in now, which is then marked.
        title: what the picture is called.

    Raises ViewError for what is no table, or a state that is not in it.
    """
    rows = _rows(table)
    states = list(dict.fromkeys(state for source, _, target in rows for state in (source, target)))
    start = start or states[0]
    for name, state in (("start", start), ("current", current)):
        if state and state not in states:
            raise ViewError(f"{name}={state!r:.60} is not in the table; choose from {', '.join(states)}")
    if len(states) > STATES_MAX:
        raise ViewError(
            f"{len(states)} states are too many for one row; give a table of at most {STATES_MAX}"
        )

    sheet = Sheet()
    sheet.text(12, 20, title, size=13, bold=True)
    pitch = (WIDTH - 80) / len(states)
    wide = min(130.0, pitch - 40)
    centre = {state: 40 + pitch * (i + 0.5) for i, state in enumerate(states)}
    place = {state: i for i, state in enumerate(states)}
    reaches = {True: [0.0], False: [0.0]}  # to the right, to the left: how far the arrows reach
    lanes: list[tuple[int, int]] = []
    taken: dict[tuple[str, str], int] = {}
    for source, _, target in rows:
        number = taken[source, target] = taken.get((source, target), -1) + 1
        lanes.append((abs(place[target] - place[source]), number))
        reaches[place[target] > place[source]].append(_reach(*lanes[-1]))
    middle = 62 + max(reaches[True]) + _NODE_HEIGHT / 2
    for (source, event, target), lane in zip(rows, lanes, strict=True):
        _arrow(sheet, centre[source], centre[target], middle, wide, event, lane)
    for state in states:
        x, here = centre[state], state == current
        sheet.box(
            x - wide / 2,
            middle - _NODE_HEIGHT / 2,
            wide,
            _NODE_HEIGHT,
            BLUE if here else PANEL,
            stroke=INK,
            stroke_width=2.5 if here else 1.2,
            rx=8,
        )
        sheet.text(
            x,
            middle + (0 if here else 4),
            state,
            size=13,
            anchor="middle",
            bold=True,
            fill=PANEL if here else INK,
        )
        if here:
            sheet.text(x, middle + 12, "now", size=10, anchor="middle", fill=PANEL)
    x = centre[start] - wide / 2
    sheet.add("circle", cx=x - 26, cy=middle, r=4, fill=INK)
    sheet.path(f"M{x - 26:.1f} {middle:.1f}H{x - 7:.1f}", stroke=INK, stroke_width="1.4")
    _head(sheet, x, middle, 1, 0)
    height = middle + _NODE_HEIGHT / 2 + max(reaches[False]) + 34
    words = [
        f"{title}: {', '.join(states)}. It begins {start}." + (f" It is {current} now." if current else "")
    ]
    words += [f"From {source} to {target}: {event}." for source, event, target in rows]
    return sheet.finish(title, words, height)


def _rows(table: Any) -> list[tuple[str, str, str]]:
    try:
        rows = [tuple(row) for row in table]
    except TypeError:
        rows = []
    if not rows or any(len(row) != 3 or not all(isinstance(part, str) for part in row) for row in rows):
        raise ViewError(
            f"table={table!r:.60} is no table of transitions; give rows of (source, event, target)"
        )
    return rows


def _reach(distance: int, number: int) -> float:
    """Return how far from the states an arrow runs: longer and later ones pass outside the words of the others."""
    far = max(1, distance)
    return _ARC * far + 24 * (far - 1) + number * 2 * _LINE


def _arrow(
    sheet: Sheet, x0: float, x1: float, middle: float, wide: float, event: str, lane: tuple[int, int]
) -> None:
    """Draw an arrow between the states at x0 and x1, its event at its height.

    Args:
        lane: how many states further the arrow leads, and how many arrows lead there already.
    """
    distance, number = lane
    up = -1 if x1 > x0 else 1
    edge = middle + up * _NODE_HEIGHT / 2
    apex = edge + up * _reach(distance, number)
    direction = -up
    # One to a neighbour runs between the states' centres, a longer one around it; one to itself begins and ends there.
    side = 0.22 if distance == 1 else -0.3 if distance else -0.25
    start, end = x0 + direction * side * wide, x1 - direction * side * wide
    control = edge + (apex - edge) * 4 / 3
    sheet.path(
        f"M{start:.1f} {edge:.1f}C{start + (end - start) * 0.2:.1f} {control:.1f} "
        f"{end - (end - start) * 0.2:.1f} {control:.1f} {end:.1f} {edge:.1f}",
        stroke=GREY if up < 0 else RED,
        stroke_width="1.6",
        stroke_dasharray=None if up < 0 else "6 3",
        fill="none",
    )
    _head(sheet, end, edge, 0, -up)
    lines = wrap(event, max(abs(end - start) * 0.9, 130), 11, lines_max=2)
    first = apex - 4 - _LINE * (len(lines) - 1) if up < 0 else apex + 13
    for i, line in enumerate(lines):
        half = text_width(line) / 2
        x = min(max((start + end) / 2, 12 + half), WIDTH - 12 - half)
        sheet.text(x, first + i * _LINE, line, anchor="middle", halo=True)


def _head(sheet: Sheet, x: float, y: float, dx: float, dy: float) -> None:
    """Draw the head of an arrow that comes to (x, y) in the direction (dx, dy)."""
    bx, by = x - 8 * dx, y - 8 * dy
    sheet.path(
        f"M{x:.1f} {y:.1f}L{bx - 4 * dy:.1f} {by + 4 * dx:.1f}L{bx + 4 * dy:.1f} {by - 4 * dx:.1f}z", fill=INK
    )
