"""Messages as arrows from lane to lane: what makes a picture of lanes a space-time diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lessonlib.lab.history import History
from lessonlib.views.axis import Axis
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.svg import BLUE, BROWN, GREEN, GREY, INK, PURPLE, RED, SKY, Sheet, text_width

ARROWS_MAX = 300
OF_A_TYPE_MAX = 60  # where there are more of a type, some stand for all
NAMELESS = "message"
_STUB = 26.0  # how far a message is drawn that was lost as soon as it was sent
_SIZE = 8.5
_MANY = 16  # arrows of a type, of which no longer each wears its name
_NAMED = 8  # but about so many

# What tells types apart besides their names: colour and dashes.
_STYLES = (
    (BLUE, None),
    (GREEN, "7 2"),
    (PURPLE, "3 2"),
    (BROWN, "9 2 2 2"),
    (INK, "1.5 1.5"),
    (SKY, "5 3"),
    (GREY, None),
    (GREEN, "2 2"),
    (PURPLE, "9 2 2 2"),
    (BROWN, "3 3"),
)
_REST = (GREY, None)


def type_of(body: Any) -> str:
    """Return what a message is called: its `type`, `kind` or `op`, that of the event in it, "answer", or "message".

    As in Raft (§5.2), an append without entries is a heartbeat.
    """
    if not isinstance(body, dict):
        return NAMELESS
    event = body.get("event")
    for place in (body, event if isinstance(event, dict) else {}):
        for field in ("type", "kind", "op"):
            name = place.get(field)
            if isinstance(name, str) and name:
                return "heartbeat" if name.startswith("append") and body.get("entries") == [] else name
    return "answer" if "answers" in body else NAMELESS


@dataclass(frozen=True, slots=True)
class Message:
    """One way that one message took. A message delivered twice is two of these.

    Attributes:
        source, to: the nodes.
        sent_us: when it left.
        end_us: when it arrived or was lost; None while it was under way at the end of the run.
        lost: why it was lost, or "".
        type: what it is called.
    """

    source: str
    to: str
    sent_us: int
    end_us: int | None
    lost: str
    type: str


def messages_of(history: History, name: Callable[[Any], str] = type_of) -> list[Message]:
    """Return the messages in the order in which they were sent, each called what `name` makes of its body."""
    ends: dict[int, list[tuple[int, str]]] = {}
    for record in history.of("delivered", "dropped"):
        why = str(record.get("reason", "lost")) if record.kind == "dropped" else ""
        ends.setdefault(record.data["message"], []).append((record.t_us, why))
    found = []
    for record in history.of("sent"):
        source, to, called = record.node, str(record.data["to"]), name(record.get("body"))
        arrivals: list[tuple[int | None, str]] = [*ends.get(record.data["message"], [])] or [(None, "")]
        found += [Message(source, to, record.t_us, end_us, lost, called) for end_us, lost in arrivals]
    return found


def visible(messages: Sequence[Message], axis: Axis, lanes: Mapping[str, Any]) -> list[Message]:
    """Return the messages that go from lane to lane on the axis."""
    return [
        m
        for m in messages
        if m.source in lanes
        and m.to in lanes
        and m.source != m.to
        and axis.shows(m.sent_us, axis.end_us if m.end_us is None else m.end_us)
    ]


def choose(messages: list[Message], axis: Axis) -> list[Message]:
    """Return those to draw, where there are too many: of each type and link one every so often.

    Lost ones are thinned by themselves, so that they do not vanish among those that arrived.
    """
    sorts: dict[tuple[str, bool], list[int]] = {}
    for i, m in enumerate(messages):
        sorts.setdefault((m.type, bool(m.lost)), []).append(i)
    most = min(OF_A_TYPE_MAX, ARROWS_MAX // max(1, len(sorts)))
    kept: list[int] = []
    for mine in sorts.values():
        apart_us = 0
        some = mine
        while len(some) > most:
            apart_us = max(apart_us * 5 // 4, (axis.end_us - axis.start_us) // 200, 1)
            some = _every(messages, mine, apart_us)
            if apart_us > axis.end_us:  # more links than arrows
                some = some[:most]
        kept += some
    return [messages[i] for i in sorted(kept)]


def _every(messages: list[Message], mine: list[int], apart_us: int) -> list[int]:
    last: dict[tuple[str, str], int] = {}
    some = []
    for i in mine:
        m = messages[i]
        tick = m.sent_us // apart_us  # one clock for all links: an answer stays beside its question
        if last.get((m.source, m.to)) != tick:
            last[m.source, m.to] = tick
            some.append(i)
    return some


@dataclass(frozen=True, slots=True)
class Edges:
    """Where messages touch a lane: those to and from above at `top`, those to and from below at `bottom`.

    `above` and `below` are where names of messages stand that leave it that way.
    """

    top: float
    bottom: float
    above: float
    below: float


def styles_of(types: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Return colour and dashes of each type."""
    return {name: _STYLES[i] if i < len(_STYLES) else _REST for i, name in enumerate(types)}


def draw_arrows(
    sheet: Sheet,
    messages: Sequence[Message],
    axis: Axis,
    lanes: Mapping[str, Edges],
    legend: Legend,
    *,
    styles: Mapping[str, tuple[str, str | None]],
    of: Mapping[str, int],
) -> None:
    """Draw the messages between the lanes, the names of their types beside them where there is room.

    Args:
        styles: colour and dashes of each type.
        of: for a type of which only some are here, how many there are.
    """
    lost = crosses = under_way = ""
    lines: dict[str, str] = {}
    heads: dict[str, str] = {}
    spots: dict[str, list[tuple[float, float]]] = {}  # where a name may stand
    for m in messages:
        down = lanes[m.to].top > lanes[m.source].top
        y0 = lanes[m.source].bottom if down else lanes[m.source].top
        y1 = lanes[m.to].top if down else lanes[m.to].bottom
        if m.end_us is None:
            x0 = axis.x(m.sent_us)
            under_way += f"M{x0:.1f} {y0:.1f}L{min(x0 + 12, axis.right):.1f} {y0 + (y1 - y0) * 0.3:.1f}"
            continue
        if m.lost and m.end_us == m.sent_us:
            y1 = y0 + max(-_STUB, min(_STUB, (y1 - y0) * 0.6))
        x0, y0, x1, y1 = _clip(m.sent_us, y0, m.end_us, y1, axis)
        line = f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
        ends_here = m.end_us <= axis.end_us
        if m.lost:
            lost += line
            crosses += f"M{x1 - 3:.1f} {y1 - 3:.1f}l6 6m0-6l-6 6" if ends_here else ""
        else:
            lines[m.type] = lines.get(m.type, "") + line
            heads[m.type] = heads.get(m.type, "") + (_head(x0, y0, x1, y1) if ends_here else "")
        # Beside the sender, where the arrow is its own.
        y = lanes[m.source].below if down else lanes[m.source].above
        share = min(1.0, max(0.0, (y - 3 - y0) / (y1 - y0))) if y1 != y0 else 0.0
        spots.setdefault(m.type, []).append((x0 + (x1 - x0) * share + 3, y))
    for name in sorted(lines, key=lambda n: -of.get(n, 0)):  # the rare ones on top
        colour, dash = styles[name]
        sheet.path(
            lines[name],
            stroke=colour,
            stroke_width="0.6" if name in of else "1",
            stroke_dasharray=dash,
            fill="none",
        )
        sheet.path(heads[name], fill=colour)
        legend.note(f"{name} (some of {of[name]})" if name in of else name, _sample(colour, dash))
    sheet.path(under_way, stroke=GREY, stroke_width="0.8", stroke_dasharray="2 2", fill="none")
    sheet.path(lost, stroke=RED, stroke_width="1.1", stroke_dasharray="4 2", fill="none")
    sheet.path(crosses, stroke=RED, stroke_width="1.8", fill="none")
    if lost:
        legend.note("message that was lost", _lost_sample)
    if under_way:
        legend.note(
            "message still under way at the end",
            lambda s, x, y: s.path(f"M{x - 7} {y}h14", stroke=GREY, stroke_dasharray="2 2"),
        )
    _write_names(sheet, axis, spots, styles, of)


def _write_names(
    sheet: Sheet,
    axis: Axis,
    spots: Mapping[str, list[tuple[float, float]]],
    styles: Mapping[str, tuple[str, str | None]],
    of: Mapping[str, int],
) -> None:
    """Write types beside arrows, the rarest first, none upon another; of frequent ones here and there."""
    taken: list[tuple[float, float, float, float]] = []
    for name in sorted(spots, key=lambda n: (len(spots[n]), n)):
        width = text_width(name, _SIZE)
        few = name in of or len(spots[name]) > _MANY
        mine = spots[name][:: max(1, len(spots[name]) // _NAMED)] if few else spots[name]
        for x, y in mine if name != NAMELESS else ():
            box = (x - 2, y - 8, x + width + 2, y + 3)
            free = all(box[2] < a or box[0] > c or box[3] < b or box[1] > d for a, b, c, d in taken)
            if free and x + width <= axis.right + 20:
                taken.append(box)
                sheet.text(x, y, name, size=_SIZE, fill=styles[name][0], halo=True)


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


def _sample(colour: str, dash: str | None) -> Sample:
    def draw(sheet: Sheet, x: float, y: float) -> None:
        sheet.path(f"M{x - 8} {y}h14", stroke=colour, stroke_dasharray=dash, stroke_width="1.2")
        sheet.path(_head(x - 8, y, x + 8, y), fill=colour)

    return draw


def _lost_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.path(f"M{x - 8} {y}h9", stroke=RED, stroke_dasharray="4 2")
    sheet.path(f"M{x + 1} {y - 3}l6 6m0-6l-6 6", stroke=RED, stroke_width="1.6", fill="none")
