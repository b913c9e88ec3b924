"""A node's band: its role over time, coloured by term and labelled with both."""

from __future__ import annotations

from collections.abc import Sequence

from lessonlib.views.axis import Axis
from lessonlib.views.columns import paint
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.reading import Span
from lessonlib.views.roles import Role, Together
from lessonlib.views.svg import BLUE, BROWN, GREEN, GREY, INK, PANEL, PURPLE, RED, Sheet, text_width

HEIGHT = 16.0
TOGETHER = 15.0  # of the bar for two leaders at a time
_SIZE = 10.0
# Of a term: neighbours differ, and the number stands on the band.
TERM_COLOURS = (BLUE, GREEN, PURPLE, BROWN, "#4a4a4a")
_WEAK = "#eef1f4"
_OTHERS = {"candidate": ("unknown", PURPLE), "pre-candidate": ("again", GREEN), "learner": ("paused", GREY)}
_MORE = (("failed", RED), ("fault", BROWN), ("again", GREEN), ("unknown", PURPLE))


def term_colour(number: int | None) -> str:
    """Return the colour of a term."""
    return INK if number is None else TERM_COLOURS[(number - 1) % len(TERM_COLOURS)]


class Palette:
    """The looks of states: strong ones are solid in their term's colour, the initial one is pale."""

    def __init__(self, strong: Sequence[str], initial: str) -> None:
        self.strong, self.initial = tuple(strong), initial
        self._met: dict[str, tuple[str, str]] = {}

    def look(self, state: str, number: int | None) -> tuple[str, str, str]:
        """Return fill, outline and the colour of the text."""
        if state in self.strong:
            colour = term_colour(number)
            return colour, colour, PANEL
        if state == self.initial:
            return _WEAK, GREY, INK
        if state in _OTHERS:
            return (*_OTHERS[state], INK)
        return (*self._met.setdefault(state, _MORE[len(self._met) % len(_MORE)]), INK)

    def sample(self, state: str, number: int | None) -> Sample:
        """Return the legend's sample of a state."""
        fill, stroke, _ = self.look(state, number)
        return lambda sheet, x, y: sheet.box(x - 8, y - 5, 16, 10, paint(sheet, fill), stroke=stroke)


def draw_band(
    sheet: Sheet,
    axis: Axis,
    top: float,
    roles: Sequence[Role],
    out: Sequence[Span],
    palette: Palette,
    legend: Legend,
    *,
    height: float = HEIGHT,
) -> None:
    """Draw a node's roles from `top` on, and hatch them where it was paused. `name_roles` writes upon them."""
    for role in roles:
        if not axis.shows(role.start_us, role.end_us):
            continue
        x0, x1 = axis.x(role.start_us), axis.x(role.end_us)
        wide = max(x1 - x0, 1.5)
        fill, stroke, _ = palette.look(role.state, role.number)
        sheet.box(x0, top, wide, height, paint(sheet, fill), stroke=stroke, stroke_width="0.8")
        if role.state not in palette.strong and role.number is not None:
            sheet.box(x0, top + height - 3, wide, 3, term_colour(role.number))
        coloured = role.state in palette.strong and role.number is not None
        legend.note(
            f"{role.state} (a colour a term)" if coloured else role.state,
            palette.sample(role.state, role.number),
        )
    for span in out:
        if span.what == "paused" and axis.shows(span.start_us, span.end_us):
            x0, x1 = axis.x(span.start_us), axis.x(span.end_us)
            sheet.box(x0, top, max(x1 - x0, 2), height, sheet.hatch("asleep"), stroke=GREY)
            legend.note("node paused", _asleep_sample)


def name_roles(
    sheet: Sheet, axis: Axis, top: float, roles: Sequence[Role], palette: Palette, *, height: float = HEIGHT
) -> None:
    """Write each role and its term upon its band, as far as there is room."""
    for role in roles:
        if not axis.shows(role.start_us, role.end_us):
            continue
        x0, x1 = axis.x(role.start_us), axis.x(role.end_us)
        fill, _, ink = palette.look(role.state, role.number)
        bold = role.state in palette.strong
        text = next((t for t in _texts(role) if text_width(t, _SIZE) + 6 <= x1 - x0), "")
        y = top + height / 2 + (3.5 if bold else 2.5)
        if text:  # arrows and hatching end before the words
            wide = text_width(text, _SIZE)
            ground = fill if fill.startswith("#") else PANEL
            sheet.box((x0 + x1 - wide) / 2, top + 1.5, wide, height - 5, ground)
        sheet.text((x0 + x1) / 2, y, text, size=_SIZE, anchor="middle", bold=bold, fill=ink)


def _texts(role: Role) -> list[str]:
    """Return what may stand on a band, the longest first."""
    if role.number is None:
        return [role.state]
    return [f"{role.state}, term {role.number}", f"{role.state} {role.number}", f"{role.number}"]


def draw_together(sheet: Sheet, axis: Axis, top: float, found: Sequence[Together], legend: Legend) -> None:
    """Draw bars for the times with two leaders, with words in or beside them."""
    reached = axis.left
    for i, one in enumerate(found):
        x0, x1 = axis.x(one.start_us), axis.x(one.end_us)
        wide = max(x1 - x0, 2)
        sheet.box(x0, top, wide, TOGETHER - 3, sheet.hatch("two"), stroke=RED, stroke_width="1.5")
        legend.note("two leaders at a time", _together_sample)
        following = axis.x(found[i + 1].start_us) if i + 1 < len(found) else axis.right + 20
        for text in one.texts:
            width = (
                text_width(text, _SIZE) * 1.08
            )  # in bold; at most, so it hangs on the bar by the nearer end
            if width + 14 <= x1 - x0:
                x, anchor = (x0 + x1) / 2, "middle"
                sheet.box(x - width / 2, top + 0.8, width, TOGETHER - 4.6, PANEL)
            elif x1 + 6 + width <= following:
                x, anchor = x1 + 6, "start"
                x1 += 6 + width
            elif x0 - 6 - width >= reached:
                x, anchor = x0 - 6, "end"
            else:
                continue
            sheet.text(
                x, top + 9.5, text, size=_SIZE, bold=True, fill=RED, anchor=anchor, halo=anchor != "middle"
            )
            break
        reached = x1


def _asleep_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 8, y - 5, 16, 10, sheet.hatch("asleep"), stroke=GREY)


def _together_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 8, y - 5, 16, 10, sheet.hatch("two"), stroke=RED, stroke_width="1.5")
