"""The timeline in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock
from lessonlib.views.flags import moment
from lessonlib.views.picture import listing
from lessonlib.views.reading import Call, Span, Strike, losses
from lessonlib.views.rows import CallRow, MarkRow, Row

_FAULTS_TOLD = 3
_BROKEN_TOLD = 5


def tell(
    run: Run,
    names: Sequence[str],
    rows: Mapping[str, list[Row]],
    struck: list[Strike],
    out: list[Span],
    axis: Axis,
    more: Sequence[str] = (),
) -> list[str]:
    """Return the sentences that say what the timeline shows; `more` is what stands between its lanes."""
    lines = [f"Lanes: {listing(names, most=12)}.", *more]
    for name in names:
        lines += [_calls(name, row.calls) for row in rows[name] if isinstance(row, CallRow)]
    marked: dict[str, list[str]] = {}
    for name in names:
        for row in rows[name]:
            if isinstance(row, MarkRow) and "dropped" not in row.mark.kinds:  # told below, with reasons
                again = f" ({row.repeats} again)" if row.repeats else ""
                marked.setdefault(row.mark.name, []).append(f"{name} {row.count}{again}")
    lines += [f"{name[0].upper()}{name[1:]}: {listing(where)}." for name, where in marked.items()]
    if lost := losses(run.history):
        lines.append(
            "Messages lost in the whole run: "
            + listing(f"{count} for {node} ({why})" for (node, why), count in lost.items())
            + "."
        )
    lines += _faults([s for s in struck if s.start_us is None or axis.shows(s.start_us, s.end_us)])
    visible = [s for s in out if s.node in names and axis.shows(s.start_us, s.end_us)]
    for what in ("down", "paused"):
        times = [
            f"{s.node} from {clock(s.start_us)} to {clock(s.end_us) if s.over else 'the end'}"
            for s in visible
            if s.what == what
        ]
        if times:
            lines.append(f"{what.capitalize()}: {listing(times, most=4)}.")
    return [*lines, *broken_rules(run)]


def _calls(node: str, calls: list[Call]) -> str:
    parts = []
    for outcome in ("ok", "failed", "unknown", "no answer"):
        these = [c for c in calls if c.outcome == outcome]
        if these and outcome == "ok":
            parts.append(f"{len(these)} ok")
        elif these:
            first, last = these[0].invoke.t_us, these[-1].invoke.t_us
            when = (
                f"made at {clock(first)}" if first == last else f"made from {clock(first)} to {clock(last)}"
            )
            parts.append(f"{len(these)} {outcome} ({when})")
    return f"Calls on {node}: {len(calls)}, of these {', '.join(parts)}."


def _faults(struck: list[Strike]) -> Iterable[str]:
    if not struck:
        return ["No fault struck."]
    told = []
    for strike in struck[:_FAULTS_TOLD]:
        if strike.start_us is None:
            when = "never came about"
        elif strike.end_us > strike.start_us:
            when = f"from {clock(strike.start_us)} to {clock(strike.end_us)}"
        else:
            when = f"at {clock(strike.start_us)}"
        told.append(f"'{strike.text}' ({when})")
    more = len(struck) - len(told)
    return [f"Faults: {'; '.join(told)}" + (f"; and {more} more." if more else ".")]


def broken_rules(run: Run) -> list[str]:
    """Return a line for each broken rule, the earliest first."""
    if not run.broken:
        return ["No rule was broken."]
    lines = [
        f"Broken {number}, {moment(verdict)}: {verdict.rule}. {verdict.sentence}"
        for number, verdict in enumerate(run.broken[:_BROKEN_TOLD], 1)
    ]
    if len(run.broken) > _BROKEN_TOLD:
        lines.append(f"And {len(run.broken) - _BROKEN_TOLD} more broken rules.")
    return lines
