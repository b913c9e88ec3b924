"""Who was cut off from whom, and when: a bar in the lane of each node that a partition concerns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lessonlib.lab.faults import FlappingLink
from lessonlib.views.axis import Axis, clock
from lessonlib.views.legend import Legend
from lessonlib.views.picture import listing
from lessonlib.views.reading import Strike
from lessonlib.views.svg import PANEL, RED, Sheet, shorten, text_width

HEIGHT = 13.0
_SIZE = 9.0


@dataclass(frozen=True, slots=True)
class Cut:
    """A time in which nothing passed between a node and some others.

    Attributes:
        node: whose lane.
        start_us, end_us: from when to when.
        unheard: those that did not get what it sent.
        silent: those of which it got nothing.
        flaps: whether messages passed now and then, as on a link that flaps.
    """

    node: str
    start_us: int
    end_us: int
    unheard: tuple[str, ...]
    silent: tuple[str, ...]
    flaps: bool = False

    @property
    def text(self) -> str:
        """Who cannot talk to whom, in words."""
        if self.unheard == self.silent:
            return f"cut off{' now and then' if self.flaps else ''} from {listing(self.unheard, most=4)}"
        parts = [f"is not heard by {listing(self.unheard, most=4)}"] if self.unheard else []
        parts += [f"does not hear {listing(self.silent, most=4)}"] if self.silent else []
        return "; ".join(parts)

    def told(self) -> str:
        return f"{self.node} {self.text} from {clock(self.start_us)} to {clock(self.end_us)}"


def cuts_of(struck: Iterable[Strike], nodes: Sequence[str]) -> list[Cut]:
    """Return who was cut off from whom among `nodes`, as the faults that cut links say."""
    walls = [(s, s.fault) for s in struck if s.start_us is not None and hasattr(s.fault, "cuts")]
    edges = sorted({t for s, _ in walls for t in (s.start_us or 0, s.end_us)})
    found: dict[str, list[Cut]] = {node: [] for node in nodes}
    for start_us, end_us in pairwise(edges):
        here = [fault for s, fault in walls if (s.start_us or 0) <= start_us and s.end_us >= end_us]
        for node, mine in found.items():
            unheard = tuple(n for n in nodes if n != node and any(fault.cuts(node, n) for fault in here))
            silent = tuple(n for n in nodes if n != node and any(fault.cuts(n, node) for fault in here))
            if not unheard and not silent:
                continue
            flaps = all(isinstance(fault, FlappingLink) for fault in here)
            cut = Cut(node, start_us, end_us, unheard, silent, flaps)
            if mine and replace(cut, start_us=mine[-1].start_us, end_us=start_us) == mine[-1]:
                cut = replace(cut, start_us=mine.pop().start_us)
            mine.append(cut)
    return [cut for node in nodes for cut in found[node]]


def draw_cuts(sheet: Sheet, axis: Axis, top: float, cuts: Sequence[Cut], legend: Legend) -> None:
    """Draw a node's cuts as bars from `top` on."""
    for cut in cuts:
        x0, x1 = axis.x(cut.start_us), axis.x(cut.end_us)
        _bar(sheet, x0, top + 1, max(x1 - x0, 2), HEIGHT - 2)
        legend.note(
            "no messages between this node and those named", lambda s, x, y: _bar(s, x - 8, y - 5, 16, 10)
        )


def name_cuts(sheet: Sheet, axis: Axis, top: float, cuts: Sequence[Cut]) -> None:
    """Write in or beside the bars who is cut off from whom."""
    y = top + HEIGHT - 3.5
    for i, cut in enumerate(cuts):
        x0, x1 = axis.x(cut.start_us), axis.x(cut.end_us)
        width = text_width(cut.text, _SIZE)
        room = (axis.x(cuts[i + 1].start_us) if i + 1 < len(cuts) else axis.right) - x1
        if width + 6 > x1 - x0 and width + 6 <= room:
            sheet.text(x1 + 4, y, cut.text, size=_SIZE, halo=True)
        elif x1 - x0 > 40:
            text = shorten(cut.text, x1 - x0 - 6, _SIZE)
            sheet.text((x0 + x1) / 2, y, text, size=_SIZE, anchor="middle", halo=True)


def _bar(sheet: Sheet, x: float, y: float, width: float, height: float) -> None:
    sheet.box(x, y, width, height, PANEL, stroke=RED, stroke_width="1.3", stroke_dasharray="5 2")
