"""The axis of virtual time: which part of a run is shown, and where a moment stands on the page."""

from __future__ import annotations

from dataclasses import dataclass

from lessonlib.views.picture import ViewError
from lessonlib.views.svg import GREY, INK, RULE, Sheet, text_width

_STEPS_US = [base * 10**power for power in range(10) for base in (1, 2, 5)]


def clock(t_us: int) -> str:
    """Return a moment as pictures name it: to the millisecond, `2.5 s`."""
    return f"{t_us / 1e6:.3f}".rstrip("0").rstrip(".") + " s"


def span(us: float) -> str:
    """Return how long something took, to three digits: `7.28 ms`, `1.2 s`."""
    return f"{us / 1e6:.3g} s" if us >= 999_500 else f"{us / 1e3:.3g} ms"


@dataclass(frozen=True, slots=True)
class Axis:
    """Time from left to right.

    Attributes:
        start_us, end_us: what is shown, in microseconds of virtual time.
        left, right: where on the page.
    """

    start_us: int
    end_us: int
    left: float
    right: float

    def x(self, t_us: float) -> float:
        """Return where a moment stands; one outside the axis stands at its nearer end."""
        inside = min(max(t_us, self.start_us), self.end_us)
        return self.left + (inside - self.start_us) * (self.right - self.left) / (self.end_us - self.start_us)

    def shows(self, start_us: int, end_us: int | None = None) -> bool:
        """Whether any of the time from `start_us` to `end_us` is on the axis."""
        return start_us <= self.end_us and (start_us if end_us is None else end_us) >= self.start_us

    def ticks(self) -> list[int]:
        """Return round moments, about eight of them."""
        wanted = (self.end_us - self.start_us) / 8
        step = next((s for s in _STEPS_US if s >= wanted), _STEPS_US[-1])
        first = -(-self.start_us // step) * step
        return list(range(first, self.end_us + 1, step))

    def draw(self, sheet: Sheet, top: float, bottom: float) -> None:
        """Draw a line up through the lanes for each tick, and its time below."""
        words = "virtual time"
        room = 0.92 * text_width(words)  # which is measured generously
        beside = max(self.left - 20, room)
        for t_us in self.ticks():
            x = self.x(t_us)
            sheet.path(f"M{x:.1f} {top:.1f}V{bottom + 4:.1f}", stroke=RULE)
            label = clock(t_us)
            half = text_width(label) / 2
            if x - half - 4 < room:
                continue  # no room for both
            beside = min(beside, x - half - 4)
            sheet.text(min(x, self.right + 8 - half), bottom + 16, label, anchor="middle", fill=INK)
        sheet.text(beside, bottom + 16, words, anchor="end", fill=GREY)


def window(start_s: float | None, end_s: float | None, *, last_us: int, run_end_us: int) -> tuple[int, int]:
    """Return the part of a run to show, in microseconds.

    Args:
        start_s, end_s: as the caller asked; None for the beginning, and for a little after `last_us`.
        last_us: when the last thing that is drawn happened.
        run_end_us: when the run ended.

    Raises ViewError when nothing would be left, or what is left is after the end of the run.
    """
    for name, value in (("start_s", start_s), ("end_s", end_s)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise ViewError(f"{name}={value!r} is not a time; give seconds of virtual time, 0 or more")
        if value is not None and not value < 1e9:
            raise ViewError(f"{name}={value!r} is not a time; give a finite number of seconds")
    start_us = round((start_s or 0) * 1e6)
    whole = max(1000, last_us + max(1, last_us // 50))
    end_us = round(end_s * 1e6) if end_s is not None else max(min(whole, run_end_us), last_us)
    if end_s is None and start_us >= end_us:
        raise ViewError(
            f"start_s={start_s} is after the last thing to be seen, at {clock(last_us)}; give an earlier one"
        )
    if start_us >= end_us:
        raise ViewError(f"start_s={start_s or 0} is not before end_s={end_s}; swap them")
    if start_us >= run_end_us > 0:
        raise ViewError(
            f"start_s={start_s} is not before the run's end, at {clock(run_end_us)}; give an earlier one"
        )
    return start_us, end_us
