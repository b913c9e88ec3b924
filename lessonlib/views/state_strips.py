"""State machines over time: a strip for each, in the colours and words of its states, with the calls beneath it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lessonlib.lab.history import History, Record
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, window
from lessonlib.views.columns import paint
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.flags import Flags
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.marks import Mark
from lessonlib.views.picture import Picture, ViewError, listing, name_of, one
from lessonlib.views.reading import strikes
from lessonlib.views.rows import MarkRow, marked
from lessonlib.views.svg import BROWN, GREEN, GREY, INK, PURPLE, RED, RULE, WIDTH, Sheet, shorten, text_width
from lessonlib.views.timeline_words import broken_rules

MACHINES_MAX = 12
STRIP = 20.0
REFUSED = "refused"  # the kind that a call without any attempt gets here

# The fill of a state, and of its outline. States without a row get the others, by order of appearance.
_LOOKS = {
    "closed": ("#dcefe6", GREEN),
    "open": ("failed", RED),
    "half-open": ("unknown", PURPLE),
}
_OTHERS = (("#dcefe6", GREEN), ("fault", BROWN), ("unknown", PURPLE), ("paused", GREY), ("failed", RED))

CALL_MARKS: tuple[Mark, ...] = (
    Mark("call ok", ("answer",), "disc", GREEN, test=lambda r: r.get("outcome") == "ok"),
    Mark("call failed", ("answer",), "cross", RED, test=lambda r: r.get("outcome") not in ("ok", "rejected")),
    Mark("request rejected", ("answer",), "square", BROWN, test=lambda r: r.get("outcome") == "rejected"),
    Mark("refused without a call", (REFUSED,), "bar", PURPLE),
)


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in which a machine was in one state."""

    state: str
    start_us: int
    end_us: int


def stays(
    history: History, *, kind: str, machine: Callable[[Record], str], initial: str, end_us: int
) -> dict[str, list[Stay]]:
    """Return the stays of each machine. When the node of one is restarted, the machine begins anew."""
    found: dict[str, list[tuple[int, str]]] = {}
    homes: dict[str, str] = {}
    for record in history.of(kind, "restart"):
        if record.kind == "restart":
            for name, home in homes.items():
                if home == record.node:
                    found[name].append((record.t_us, initial))
            continue
        name = machine(record)
        homes[name] = record.node
        found.setdefault(name, [(0, initial)]).append((record.t_us, str(record.data["target"])))
    return {
        name: [
            Stay(state, start_us, steps[i + 1][0] if i + 1 < len(steps) else end_us)
            for i, (start_us, state) in enumerate(steps)
        ]
        for name, steps in found.items()
    }


def _of_breaker(record: Record) -> str:
    return str(record.data.get("breaker", record.node))


def _lane(record: Record) -> str:
    return str(record.data.get("service", record.node))


def states(
    run: Run,
    *,
    machines: Sequence[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    kind: str = "transition",
    machine: Callable[[Record], str] = _of_breaker,
    initial: str = "closed",
    marks: Sequence[Mark] = CALL_MARKS,
    lane: Callable[[Record], str] = _lane,
) -> Picture:
    """Draw in which state each machine was, and what was called meanwhile.

    A call that failed without an attempt (a failed `job` with no record `attempt`) counts as refused.

    Args:
        run: what `scenario.run(...)` returned.
        machines: which to show; left out, all that changed their state or whose calls are marked.
        start_s, end_s: the part to show, in seconds of virtual time.
        kind: the kind of record that says that a machine changed: with `source` and `target`.
        machine: whose change such a record is.
        initial: the state in which machines begin.
        marks: what to show beneath a machine's strip.
        lane: to which machine a marked record belongs.

    Raises ViewError for a run without machines, or a part of it that is none.
    """
    run = one(run)
    marks = tuple(marks)
    tried = {r.data.get("job") for r in run.history.of("attempt")}
    wanted = {k for mark in marks for k in mark.kinds}
    records = [
        Record(r.t_us, REFUSED if r.kind == "failed" else r.kind, lane(r), r.data)
        for r in run.history
        if (r.kind in wanted and r.kind != "failed")
        or (r.kind == "failed" and REFUSED in wanted and "job" in r.data and r.data["job"] not in tried)
    ]
    found = stays(run.history, kind=kind, machine=machine, initial=initial, end_us=run.end_us)
    names = list(dict.fromkeys([*found, *(r.node for r in records)]))
    if machines is not None:
        if isinstance(machines, str) or not machines or any(name not in names for name in machines):
            raise ViewError(
                f"machines={machines!r:.60} are not in this run; choose from {', '.join(map(repr, names))}"
            )
        names = list(machines)
    if not names:
        raise ViewError(
            f"nothing changed its state in {run.replay}; give the kind=... of record that says so"
        )
    if len(names) > MACHINES_MAX:
        raise ViewError(
            f"{len(names)} machines are too many to read; choose at most {MACHINES_MAX} with machines=[...]"
        )
    for name in names:
        found.setdefault(name, [Stay(initial, 0, run.end_us)])
    struck = strikes(run)
    last_us = max([r.t_us for r in records] + [stay.start_us for name in names for stay in found[name]] + [1])
    start_us, end_us = window(start_s, end_s, last_us=min(last_us, run.end_us), run_end_us=run.end_us)
    rows = _rows(records, marks, names, Axis(start_us, end_us, 0, WIDTH - 30))
    label_width = max((text_width(row.label, 9.5) for name in names for row in rows[name]), default=0)
    left = 22 + max(min(text_width(name) * 1.08, 118) for name in names) + label_width + 10
    axis = Axis(start_us, end_us, left, WIDTH - 30)
    rows = _rows(records, marks, names, axis)

    sheet, legend = Sheet(), Legend()
    title = f"States in {name_of(run)}, seed {run.seed}"
    strip, flags = FaultStrip(struck, axis), Flags(run.broken, axis)
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    top = 30 + strip.height + flags.height
    heights = {name: STRIP + 10 + sum(row.height + 4 for row in rows[name]) for name in names}
    bottom = top + sum(heights.values()) + 6
    strip.shade(sheet, {}, top, bottom)
    axis.draw(sheet, top, bottom)
    strip.draw(sheet, 30, bottom)
    looks = _looks(stay.state for name in names for stay in found[name])
    y = top + 5
    for name in names:
        sheet.text(12, y + 14, shorten(name, 110), bold=True)
        for stay in found[name]:
            if axis.shows(stay.start_us, stay.end_us):
                _draw_stay(sheet, axis, y, stay, looks, legend)
        below = y + STRIP + 5
        for row in rows[name]:
            row.draw(sheet, axis, below, legend)
            sheet.text(
                axis.left - 8,
                below + min(row.height / 2 + 3.5, 11),
                row.label,
                size=9.5,
                fill=GREY,
                anchor="end",
            )
            below += row.height + 4
        y += heights[name]
        sheet.path(f"M10 {y - 3:.1f}H{axis.right:.1f}", stroke=RULE)
    flags.draw(sheet, 30 + strip.height, bottom, legend)
    foot = flags.list_them(sheet, legend.draw(sheet, bottom + 24) + 4)
    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time."]
    told += [line for name in names for line in _tell(name, found[name], rows[name], axis)]
    told += [f"Fault: {s.text}." for s, *_ in strip.placed] or ["No fault struck."]
    return sheet.finish(title, [*told, *broken_rules(run)], foot + 12)


def _rows(
    records: list[Record], marks: Sequence[Mark], names: Sequence[str], axis: Axis
) -> dict[str, list[MarkRow]]:
    things = marked(records, marks, axis)
    return {
        name: [MarkRow(m.mark, m.records, m.again, axis, lambda _: "") for m in things.get(name, [])]
        for name in names
    }


def _looks(used: Iterable[str]) -> dict[str, tuple[str, str]]:
    looks = dict(_LOOKS)
    for state in used:
        if state not in looks:
            looks[state] = _OTHERS[(len(looks) - len(_LOOKS)) % len(_OTHERS)]
    return looks


def _draw_stay(
    sheet: Sheet, axis: Axis, y: float, stay: Stay, looks: dict[str, tuple[str, str]], legend: Legend
) -> None:
    fill, stroke = looks[stay.state]
    x0, x1 = axis.x(stay.start_us), axis.x(stay.end_us)
    sheet.box(x0, y, max(x1 - x0, 2), STRIP, paint(sheet, fill), stroke=stroke, stroke_width="1.2")
    if x1 - x0 > text_width(stay.state, 10.5) + 6:
        sheet.text(
            (x0 + x1) / 2, y + 14, stay.state, size=10.5, anchor="middle", bold=True, halo=True, fill=INK
        )
    legend.note(stay.state, _sample(fill, stroke))


def _sample(fill: str, stroke: str) -> Sample:
    return lambda sheet, x, y: sheet.box(x - 8, y - 5, 16, 10, paint(sheet, fill), stroke=stroke)


def _tell(name: str, mine: list[Stay], rows: list[MarkRow], axis: Axis) -> list[str]:
    seen = [stay for stay in mine if axis.shows(stay.start_us, stay.end_us)]
    line = f"{name}: " + listing((f"{s.state} from {clock(s.start_us)}" for s in seen), most=8) + "."
    counts = ", ".join(row.label for row in rows)
    return [line, f"Calls of {name}: {counts}."] if counts else [line]
