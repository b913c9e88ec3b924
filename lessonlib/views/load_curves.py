"""Offered against served load: how much was asked of a service in each little while, and how much came back in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, window
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.picture import Picture, ViewError, name_of, one
from lessonlib.views.reading import strikes
from lessonlib.views.steps import levels, spread
from lessonlib.views.svg import BLUE, GREEN, GREY, INK, PURPLE, RED, RULE, WIDTH, Sheet, shorten, text_width

_HEIGHT = 200.0
_STYLES = (
    (GREY, "2 3", 2.4),
    (RED, "7 3", 2.4),
    (BLUE, None, 2.8),
    (GREEN, "10 3 2 3", 1.8),
    (PURPLE, "5 2", 1.8),
)


@dataclass(frozen=True, slots=True)
class Flow:
    """Something that is counted.

    Attributes:
        name: what the picture calls it.
        test: which records are counted.
    """

    name: str
    test: Callable[[Record], bool]


FLOWS: tuple[Flow, ...] = (
    Flow("jobs arriving", lambda r: r.kind == "invoke" and "job" in r.data),
    Flow("calls offered", lambda r: r.kind == "attempt"),
    Flow("answered in time", lambda r: r.kind == "answer" and r.get("outcome") == "ok"),
)


def offered(
    run: Run,
    *,
    flows: Sequence[Flow] = FLOWS,
    capacity_per_s: float | None = None,
    bin_s: float = 1.0,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Picture:
    """Draw how many jobs arrived, how many calls they made of it, and how many were answered in time, a second.

    Where calls stay above arrivals, retries add to the load; where answers stay below arrivals, work is lost.

    Args:
        run: what `scenario.run(...)` returned.
        flows: what is counted; the picture ends with the last of the first.
        capacity_per_s: how much the service can do in a second; left out, as the record `limits` says, if it does.
        bin_s: how long each count is, in seconds.
        start_s, end_s: the part to show, in seconds of virtual time.

    Raises ViewError when there is nothing to count.
    """
    run = one(run)
    if isinstance(bin_s, bool) or not isinstance(bin_s, int | float) or not 0.01 <= bin_s <= 1e6:
        raise ViewError(f"bin_s={bin_s!r:.60} is no length of time; give seconds, 0.01 or more")
    if not flows or len(flows) > len(_STYLES):
        raise ViewError(f"flows has {len(flows)} of 1 to {len(_STYLES)} that can be told apart; give so many")
    times = {flow.name: [r.t_us for r in run.history if flow.test(r)] for flow in flows}
    if not any(times.values()):
        raise ViewError(f"there is nothing to count in {run.replay}; give flows=[Flow(name, test), ...]")
    if capacity_per_s is None:
        limits = run.history.of("limits").first()
        capacity_per_s = None if limits is None else limits.get("capacity_per_s")
    last_us = max(times[flows[0].name] or [t_us for moments in times.values() for t_us in moments])
    start_us, end_us = window(start_s, end_s, last_us=last_us, run_end_us=run.end_us)
    bin_us = round(bin_s * 1e6)
    if end_s is None:
        end_us = (last_us // bin_us + 1) * bin_us  # whole counts: a part of one would look like a fall
    first, bins = start_us // bin_us, -(-end_us // bin_us) - start_us // bin_us
    if bins > 100_000:
        raise ViewError(f"bin_s={bin_s} makes {bins} counts; give a longer one")
    rates = {name: [0.0] * bins for name in times}
    for name, moments in times.items():
        for t_us in moments:
            if 0 <= t_us // bin_us - first < bins:
                rates[name][t_us // bin_us - first] += 1 / bin_s
    most = max(1.0, capacity_per_s or 0, *(value for mine in rates.values() for value in mine))
    axis = Axis(
        start_us, end_us, 92, WIDTH - 46 - max(text_width(name) for name in [*rates, "capacity 1000"])
    )

    sheet = Sheet()
    title = f"Offered and served load: {name_of(run)}, seed {run.seed}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    strip = FaultStrip(strikes(run), axis)
    top = 44 + strip.height
    bottom = top + _HEIGHT
    strip.shade(sheet, {}, top, bottom)
    axis.draw(sheet, top, bottom)

    def y(value: float) -> float:
        return bottom - value * (_HEIGHT - 8) / most

    for level in levels(round(most)):
        sheet.path(f"M{axis.left} {y(level):.1f}H{axis.right:.1f}", stroke=RULE)
        sheet.text(axis.left - 6, y(level) + 4, f"{level}", anchor="end")
    sheet.text(12, top - 4, "a second", fill=GREY)
    strip.draw(sheet, 30, bottom)
    labels: list[tuple[str, float, str, str | None, float]] = []
    for (name, mine), (colour, dash, width) in zip(rates.items(), _STYLES, strict=False):
        d = ""
        for i, rate in enumerate(mine):
            x = axis.x((first + i) * bin_us)
            d += f"{'H' if d else 'M'}{x:.1f}{'' if d else f' {y(rate):.1f}'}V{y(rate):.1f}"
        sheet.path(
            d + f"H{axis.right:.1f}", stroke=colour, stroke_width=width, stroke_dasharray=dash, fill="none"
        )
        labels.append((name, y(mine[-1]), colour, dash, width))
    if capacity_per_s is not None:
        sheet.path(f"M{axis.left} {y(capacity_per_s):.1f}H{axis.right:.1f}", stroke=INK, stroke_width="1")
        labels.append((f"capacity {capacity_per_s:.4g}", y(capacity_per_s), INK, None, 1))
    for (name, end_y, colour, dash, width), place in zip(
        labels, spread([label[1] for label in labels], top + 6, bottom), strict=True
    ):
        sheet.path(f"M{axis.right:.1f} {end_y:.1f}L{axis.right + 8:.1f} {place:.1f}", stroke=colour)
        sheet.path(
            f"M{axis.right + 8:.1f} {place:.1f}h22",
            stroke=colour,
            stroke_width=width,
            stroke_dasharray=dash,
            fill="none",
        )
        sheet.text(axis.right + 34, place + 4, name)
    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time, counted over {bin_s:g} s each."]
    told += [_tell(name, mine, start_us / 1e6, bin_s) for name, mine in rates.items()]
    if capacity_per_s is not None:
        told.append(f"Capacity: {capacity_per_s:.4g} a second.")
    told += [f"Fault: {s.text}." for s, *_ in strip.placed] or ["No fault struck."]
    return sheet.finish(title, told, bottom + 30)


def _tell(name: str, rates: list[float], start_s: float, bin_s: float) -> str:
    """Say a flow's mean in each fifth of the picture, and its peak."""
    fifth = max(1, len(rates) // 5)
    parts = [rates[i : i + fifth] for i in range(0, fifth * 5, fifth) if rates[i : i + fifth]]
    means = ", ".join(f"{sum(part) / len(part):.0f}" for part in parts)
    peak = max(rates)
    at_s = start_s + rates.index(peak) * bin_s
    return f"{name}: {means} a second in one fifth of the time after the other; at most {peak:.0f}, at {at_s:g} s."
