"""The leader timeline: who believed itself the leader of which term, and how long nobody did."""

from __future__ import annotations

from collections.abc import Sequence

from lessonlib.lab.scenario import Run
from lessonlib.views import band
from lessonlib.views.axis import Axis, clock, span, window
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.legend import Legend
from lessonlib.views.picture import Picture, ViewError, listing, name_of, one
from lessonlib.views.reading import outages, strikes
from lessonlib.views.roles import ROLES, Bands, roles_of, together, without
from lessonlib.views.svg import BROWN, GREY, INK, RULE, WIDTH, Sheet, shorten, text_width, wrap

NODES_MAX = 20
_STRIP = 20.0
_TOLD = 4


def leaders(
    run: Run,
    *,
    nodes: Sequence[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    bands: Bands = ROLES,
) -> Picture:
    """Draw each node's role and term over time, the times without a leader, and those with two.

    A node is the leader as long as it believes so: a paused one still is, a crashed one is not. Two leaders of
    different terms may be: the old one does not know yet. Two of the same term may never be.

    Args:
        run: what `scenario.run(...)` returned.
        nodes: which to show; left out, all that changed their role.
        start_s, end_s: the part to show, in seconds of virtual time; left out, the whole run.
        bands: which records tell of roles.

    Raises ViewError for a run in which nobody changed its role, or a part of it that is none.
    """
    run = one(run)
    out = outages(run.history, run.end_us)
    roles = roles_of(run.history, bands, out=out, end_us=run.end_us)
    if not roles:
        raise ViewError(
            f"nobody changed its role in {run.replay}; give bands=Bands(kind=...) for the records that say so"
        )
    names = sorted(roles) if nodes is None else list(nodes)
    if isinstance(nodes, str) or not names or any(name not in roles for name in names):
        raise ViewError(
            f"nodes={nodes!r:.60} are not in this run; choose from {', '.join(map(repr, sorted(roles)))}"
        )
    if len(names) > NODES_MAX:
        raise ViewError(
            f"{len(names)} nodes are too many to read; choose at most {NODES_MAX} with nodes=[...]"
        )
    struck = strikes(run)
    start_us, end_us = window(start_s, end_s, last_us=run.end_us, run_end_us=run.end_us)
    end_us = min(end_us, run.end_us) if start_us < run.end_us else end_us
    what = " or ".join(bands.strong)
    nobody = f"no {what}"
    left = 30 + max(min(max(text_width(n) * 1.08 for n in names), 118), text_width(nobody, 10))
    axis = Axis(start_us, end_us, left, WIDTH - 30.0)
    gaps = without(roles, bands.strong, start_us, end_us)
    twice = [t for t in together(roles, bands.strong) if axis.shows(t.start_us, t.end_us)]

    sheet, legend, palette = Sheet(), Legend(), band.Palette(bands.strong, bands.initial)
    title = f"Who led {name_of(run)}, seed {run.seed}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    strip = FaultStrip(struck, axis)
    above = 30 + strip.height
    top = above + (band.TOGETHER + 3 if twice else 0)
    bottom = top + (_STRIP + 8) * len(names) + 26
    strip.shade(sheet, {}, top, bottom)
    axis.draw(sheet, top, bottom)
    strip.draw(sheet, 30, bottom)
    band.draw_together(sheet, axis, above, twice, legend)
    y = top + 4
    for name in names:
        sheet.text(12, y + 14, shorten(name, 118), bold=True)
        for s in out:
            if s.node == name and s.what == "down" and axis.shows(s.start_us, s.end_us):
                x0, x1 = axis.x(s.start_us), axis.x(s.end_us)
                sheet.box(
                    x0, y, max(x1 - x0, 2), _STRIP, sheet.hatch("down"), stroke=GREY, stroke_width="0.8"
                )
                if x1 - x0 > text_width("down", 10) + 6:
                    sheet.text((x0 + x1) / 2, y + 14, "down", size=10, anchor="middle", bold=True, halo=True)
                legend.note("node down", _down_sample)
        mine = [s for s in out if s.node == name]
        band.draw_band(sheet, axis, y, roles[name], mine, palette, legend, height=_STRIP)
        band.name_roles(sheet, axis, y, roles[name], palette, height=_STRIP)
        y += _STRIP + 8
        sheet.path(f"M10 {y - 4:.1f}H{axis.right:.1f}", stroke=RULE)
    sheet.text(12, y + 12, nobody, size=10, fill=GREY)
    longest = max((b - a for a, b in gaps), default=0)
    reached = 0.0
    for a, b in gaps:
        x0, x1 = axis.x(a), axis.x(b)
        sheet.box(x0, y + 2, max(x1 - x0, 1.5), 12, sheet.hatch("fault"), stroke=BROWN)
        legend.note(nobody, _gap_sample)
        text = span(b - a) + (" (longest)" if b - a == longest and len(gaps) > 1 else "")
        wide = text_width(text, 9.5)
        x = x1 + 4 if x1 + 4 + wide <= WIDTH - 6 else x0 - 4 - wide
        if x >= reached and not any(
            x < axis.x(d) and x + wide > axis.x(c) for c, d in gaps if (c, d) != (a, b)
        ):
            sheet.text(x, y + 12, text, size=9.5, bold=b - a == longest, halo=True, fill=INK)
            reached = x + wide
    foot = legend.draw(sheet, bottom + 24)

    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time."]
    for name in names:
        reigns = [
            f"{'' if r.number is None else f'{bands.number} {r.number} '}from {clock(r.start_us)} to {clock(r.end_us)}"
            for r in roles[name]
            if r.state in bands.strong and axis.shows(r.start_us, r.end_us)
        ]
        told.append(f"{name} believed itself {what}: {listing(reigns, between='; ') or 'never'}.")
    total = sum(b - a for a, b in gaps)
    if gaps:
        first, last = max(gaps, key=lambda gap: gap[1] - gap[0])
        summary = (
            f"Without a {what}: {span(total)} in {len(gaps)} part{'' if len(gaps) == 1 else 's'}; the longest lasted "
            f"{(last - first) / 1000:.0f} ms, from {clock(first)} to {clock(last)}."
        )
    else:
        summary = f"There was a {what} all the time."
    told.append(summary)
    told += [
        f"{clock(t.start_us)} to {clock(t.end_us)} ({span(t.end_us - t.start_us)}): {t.texts[0]}."
        for t in twice[:_TOLD]
    ]
    if len(twice) > _TOLD:
        told.append(f"And {len(twice) - _TOLD} more times with two.")
    if not twice:
        told.append(f"Never two {what}s at a time.")
    for what_happened in ("down", "paused"):
        times = [
            f"{s.node} from {clock(s.start_us)} to {clock(s.end_us) if s.over else 'the end'}"
            for s in out
            if s.what == what_happened and s.node in names and axis.shows(s.start_us, s.end_us)
        ]
        if times:
            told.append(f"{what_happened.capitalize()}: {listing(times, most=4)}.")
    told += [f"Fault: {s.text}." for s, *_ in strip.placed]
    for line in wrap(summary, WIDTH - 24, 11):
        foot += 14
        sheet.text(12, foot, line, bold=True)
    return sheet.finish(title, told, foot + 12)


def _down_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 8, y - 5, 16, 10, sheet.hatch("down"), stroke=GREY, stroke_width="0.8")


def _gap_sample(sheet: Sheet, x: float, y: float) -> None:
    sheet.box(x - 8, y - 5, 16, 10, sheet.hatch("fault"), stroke=BROWN)
