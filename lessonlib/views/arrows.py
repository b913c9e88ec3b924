"""Messages as arrows from lane to lane: what makes a timeline a space-time diagram."""

from __future__ import annotations

from dataclasses import dataclass

from lessonlib.lab.history import History
from lessonlib.views.axis import Axis
from lessonlib.views.legend import Legend
from lessonlib.views.svg import GREY, INK, RED, Sheet

ARROWS_MAX = 300


@dataclass(frozen=True, slots=True)
class Message:
    """One way that one message took. A message delivered twice is two of these.

    Attributes:
        source, to: the nodes.
        sent_us: when it left.
        end_us: when it arrived or was lost; None while it was under way at the end of the run.
        lost: why it was lost, or "".
    """

    source: str
    to: str
    sent_us: int
    end_us: int | None
    lost: str


def messages_of(history: History) -> list[Message]:
    """Return the messages in the order in which they were sent."""
    ends: dict[int, list[tuple[int, str]]] = {}
    for record in history.of("delivered", "dropped"):
        why = str(record.get("reason", "lost")) if record.kind == "dropped" else ""
        ends.setdefault(record.data["message"], []).append((record.t_us, why))
    found = []
    for record in history.of("sent"):
        way = (record.node, str(record.data["to"]), record.t_us)
        arrivals: list[tuple[int | None, str]] = [*ends.get(record.data["message"], [])] or [(None, "")]
        found += [Message(*way, end_us, lost) for end_us, lost in arrivals]
    return found


def choose(messages: list[Message], axis: Axis, lanes: dict[str, float]) -> tuple[list[Message], int]:
    """Return the messages to draw, and of how many. Where there are too many, lost ones come first."""
    visible = [
        m
        for m in messages
        if m.source in lanes
        and m.to in lanes
        and m.source != m.to
        and axis.shows(m.sent_us, axis.end_us if m.end_us is None else m.end_us)
    ]
    if len(visible) <= ARROWS_MAX:
        return visible, len(visible)
    lost = _thin([i for i, m in enumerate(visible) if m.lost], ARROWS_MAX // 2)
    rest = _thin([i for i, m in enumerate(visible) if not m.lost], ARROWS_MAX - len(lost))
    return [visible[i] for i in sorted([*lost, *rest])], len(visible)


def _thin(items: list[int], most: int) -> list[int]:
    return items if len(items) <= most else [items[i * len(items) // most] for i in range(most)]


def draw_arrows(
    sheet: Sheet, messages: list[Message], axis: Axis, lanes: dict[str, float], legend: Legend
) -> None:
    """Draw the messages between lines at the heights `lanes`."""
    arrived = heads = lost = crosses = under_way = ""
    for m in messages:
        y0, y1 = lanes[m.source], lanes[m.to]
        if m.end_us is None:
            x0 = axis.x(m.sent_us)
            under_way += f"M{x0:.1f} {y0:.1f}L{min(x0 + 12, axis.right):.1f} {y0 + (y1 - y0) * 0.3:.1f}"
            continue
        if m.lost:
            y1 = y0 + (y1 - y0) * 0.7  # it never gets there
        x0, y0, x1, y1 = _clip(m.sent_us, y0, m.end_us, y1, axis)
        line = f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
        ends_here = m.end_us <= axis.end_us
        if m.lost:
            lost += line
            crosses += f"M{x1 - 3:.1f} {y1 - 3:.1f}l6 6m0-6l-6 6" if ends_here else ""
        else:
            arrived += line
            heads += _head(x0, y0, x1, y1) if ends_here else ""
    sheet.path(arrived, stroke=GREY, stroke_width="0.8", fill="none")
    sheet.path(heads, fill=INK)
    sheet.path(under_way, stroke=GREY, stroke_width="0.8", stroke_dasharray="2 2", fill="none")
    sheet.path(lost, stroke=RED, stroke_width="1", stroke_dasharray="4 2", fill="none")
    sheet.path(crosses, stroke=RED, stroke_width="1.6", fill="none")
    if arrived:
        legend.note("message", lambda s, x, y: _sample(s, x, y, lost=False))
    if lost:
        legend.note("message that was lost", lambda s, x, y: _sample(s, x, y, lost=True))
    if under_way:
        legend.note(
            "message still under way at the end",
            lambda s, x, y: s.path(f"M{x - 7} {y}h14", stroke=GREY, stroke_dasharray="2 2"),
        )


def _clip(t0: int, y0: float, t1: int, y1: float, axis: Axis) -> tuple[float, float, float, float]:
    """Return the part of a line that is on the axis, without bending it."""
    slope = (y1 - y0) / max(1, t1 - t0)
    start, end = max(t0, axis.start_us), min(t1, axis.end_us)
    return axis.x(start), y0 + (start - t0) * slope, axis.x(end), y1 - (t1 - end) * slope


def _head(x0: float, y0: float, x1: float, y1: float) -> str:
    length = max(1.0, ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    bx, by = x1 - 6 * ux, y1 - 6 * uy
    return (
        f"M{x1:.1f} {y1:.1f}L{bx - 2.2 * uy:.1f} {by + 2.2 * ux:.1f}L{bx + 2.2 * uy:.1f} {by - 2.2 * ux:.1f}z"
    )


def _sample(sheet: Sheet, x: float, y: float, *, lost: bool) -> None:
    if lost:
        sheet.path(f"M{x - 8} {y}h9", stroke=RED, stroke_dasharray="4 2")
        sheet.path(f"M{x + 1} {y - 3}l6 6m0-6l-6 6", stroke=RED, stroke_width="1.6", fill="none")
    else:
        sheet.path(f"M{x - 8} {y}h14", stroke=GREY)
        sheet.path(_head(x - 8, y, x + 7, y), fill=INK)
