"""A chart of step curves over virtual time: something that has one value until it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, window
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.picture import Picture, ViewError, name_of
from lessonlib.views.reading import strikes
from lessonlib.views.svg import (
    BLUE,
    BROWN,
    GREEN,
    GREY,
    INK,
    PURPLE,
    RED,
    RULE,
    WIDTH,
    Sheet,
    shorten,
    text_width,
    wrap,
)

CURVES_MAX = 8
_HEIGHT = 190.0
# colour, dashes, width: the first are the widest, so that each shows where several lie on each other
_STYLES = (
    (BLUE, None, 4.0),
    (RED, "7 3", 2.8),
    (GREEN, "2 3", 2.2),
    (PURPLE, "10 3 2 3", 1.8),
    (BROWN, "5 2", 1.5),
    (INK, "1 2", 1.5),
    (GREY, "12 4", 1.5),
    (BLUE, "3 6", 1.5),
)


@dataclass(frozen=True, slots=True)
class Curve:
    """Something's value from each moment on."""

    name: str
    steps: tuple[tuple[int, int], ...]

    def at(self, t_us: int) -> int:
        """The value at a moment."""
        return next((value for when, value in reversed(self.steps) if when <= t_us), 0)


def draw_steps(
    run: Run,
    lines: list[Curve],
    *,
    what: str,
    axis_words: tuple[str, str],
    peak_words: str,
    note: str,
    choose: str,
    start_s: float | None,
    end_s: float | None,
    bound: tuple[str, int] | None = None,
) -> Picture:
    """Draw the curves of a run.

    Args:
        what: the title, before the run's name.
        axis_words: two lines beside the axis of values.
        peak_words: what the number of a value means: "behind".
        note: what stands beneath.
        choose: how to draw fewer, for those who give too many.
        start_s, end_s: the part to show, in seconds of virtual time.
        bound: a value that must not be passed, with its name.
    """
    if len(lines) > CURVES_MAX:
        raise ViewError(
            f"{len(lines)} curves are too many to tell apart; choose at most {CURVES_MAX}: {choose}"
        )
    struck = strikes(run)
    last_us = max(
        [line.steps[-1][0] for line in lines] + [s.end_us for s in struck if s.start_us is not None]
    )
    start_us, end_us = window(start_s, end_s, last_us=min(last_us, run.end_us), run_end_us=run.end_us)
    ends = {line.name: line.at(end_us) for line in lines}
    texts = {line.name: f"{shorten(line.name, 90)}: {ends[line.name]}" for line in lines}
    axis = Axis(start_us, end_us, 100, WIDTH - 46 - max(text_width(text) for text in texts.values()))
    visible = [(line, _within(line, start_us, end_us)) for line in lines]
    most = max(1, *(value for _, steps in visible for _, value in steps), bound[1] if bound else 0)

    sheet = Sheet()
    title = f"{what}: {name_of(run)}, seed {run.seed}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    strip = FaultStrip(struck, axis)
    top = 38 + strip.height
    bottom = top + _HEIGHT
    strip.shade(sheet, {}, top, bottom)
    axis.draw(sheet, top, bottom)

    def y(value: float) -> float:
        return bottom - value * (_HEIGHT - 8) / most

    for value in levels(most):
        sheet.path(f"M{axis.left} {y(value):.1f}H{axis.right:.1f}", stroke=RULE)
        sheet.text(axis.left - 6, y(value) + 4, f"{value}", anchor="end")
    for line_number, word in enumerate(axis_words):
        sheet.text(12, (top + bottom) / 2 - 3 + 13 * line_number, word, fill=GREY)
    strip.draw(sheet, 30, bottom)
    if bound:
        sheet.path(
            f"M{axis.left} {y(bound[1]):.1f}H{axis.right:.1f}",
            stroke=INK,
            stroke_width="1.5",
            stroke_dasharray="8 3 1 3",
        )
        sheet.text(axis.left + 6, y(bound[1]) - 4, f"{bound[0]}: {bound[1]}", bold=True, halo=True)
    places = spread([y(ends[line.name]) for line, _ in visible], top + 6, bottom)
    for (line, steps), place, (colour, dash, width) in zip(visible, places, _STYLES, strict=False):
        sheet.path(
            _steps(steps, axis, y), stroke=colour, stroke_width=width, stroke_dasharray=dash, fill="none"
        )
        end_y = y(ends[line.name])
        sheet.path(f"M{axis.right:.1f} {end_y:.1f}L{axis.right + 8:.1f} {place:.1f}", stroke=colour)
        sheet.path(
            f"M{axis.right + 8:.1f} {place:.1f}h24", stroke=colour, stroke_width=width, stroke_dasharray=dash
        )
        sheet.text(axis.right + 36, place + 4, texts[line.name], fill=colour, bold=True)
    peak = max((value for _, steps in visible for _, value in steps), default=0)
    _peak(sheet, visible, axis, y, peak, peak_words)
    foot = bottom + 24
    for text in wrap(note, WIDTH - 24, 10):
        foot += 13
        sheet.text(12, foot, text, size=10, fill=GREY)
    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time."]
    if bound:
        over = [line.name for line, steps in visible if max(value for _, value in steps) > bound[1]]
        told.append(
            f"The {bound[0]} is {bound[1]}; "
            + (f"passed by {', '.join(over)}." if over else "nothing passes it.")
        )
    for line, steps in visible:
        highest, when = max((value, -t_us) for t_us, value in steps)
        told.append(
            f"{line.name}: at most {highest} {peak_words}"
            + (f" (first at {clock(-when)})" if highest else "")
            + f", {ends[line.name]} at the end of the picture."
        )
    told += [f"Fault: {s.text}." for s, *_ in strip.placed] or ["No fault struck."]
    return sheet.finish(title, told, foot + 12)


def _within(line: Curve, start_us: int, end_us: int) -> list[tuple[int, int]]:
    return [(start_us, line.at(start_us)), *(step for step in line.steps if start_us < step[0] <= end_us)]


def levels(most: int) -> list[int]:
    step = next(base * 10**power for power in range(10) for base in (1, 2, 5) if base * 10**power * 5 >= most)
    return list(range(0, most + 1, step))


def _steps(steps: list[tuple[int, int]], axis: Axis, y: Callable[[float], float]) -> str:
    """Return the curve. Within one pixel only the first, least, greatest and last value are drawn."""
    columns: dict[int, list[int]] = {}
    for t_us, value in steps:
        columns.setdefault(int(axis.x(t_us)), []).append(value)
    d = ""
    for x, values in columns.items():
        d += f"{'H' if d else 'M'}{x}{'' if d else f' {y(values[0]):.1f}'}"
        kept = (min(values), max(values), values[-1]) if len(values) > 2 else values
        d += "".join(f"V{y(value):.1f}" for value in kept)
    return d + f"H{axis.right:.1f}"


def spread(wanted: list[float], low: float, high: float) -> list[float]:
    """Return heights near the wanted ones, far enough from each other for a line of text."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = list(wanted)
    floor = high
    for i in reversed(order):  # from the bottom up
        places[i] = min(places[i], floor)
        floor = places[i] - 15
    ceiling = low
    for i in order:
        places[i] = max(places[i], ceiling)
        ceiling = places[i] + 15
    return places


def _peak(
    sheet: Sheet,
    visible: list[tuple[Curve, list[tuple[int, int]]]],
    axis: Axis,
    y: Callable[[float], float],
    most: int,
    peak_words: str,
) -> None:
    """Name the highest point of all curves."""
    for line, steps in visible:
        for t_us, value in steps:
            if value == most and value > 1:
                text = f"{line.name}: {value} {peak_words} at {clock(t_us)}"
                x = axis.x(t_us)
                left = x + 8 + text_width(text) > axis.right
                sheet.add("circle", cx=x, cy=y(value), r=3.5, fill=INK)
                sheet.text(
                    x + (-8 if left else 8), y(value) - 5, text, anchor="end" if left else None, halo=True
                )
                return
