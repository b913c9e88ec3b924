"""Attempts over time: a row for each job, with its attempts, the waits between them, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import Axis, clock, span, window
from lessonlib.views.columns import paint
from lessonlib.views.fault_strip import FaultStrip
from lessonlib.views.legend import Legend, Sample
from lessonlib.views.picture import Picture, ViewError, name_of, one
from lessonlib.views.reading import strikes
from lessonlib.views.svg import (
    BLUE,
    BROWN,
    GREY,
    INK,
    PANEL,
    PURPLE,
    RED,
    RULE,
    WIDTH,
    Sheet,
    shorten,
    text_width,
)

JOBS_MAX = 20
ROW = 17.0

# fill, outline and the glyph at the end, by an attempt's outcome
_LOOKS = {
    "ok": (BLUE, BLUE, ""),
    "failed": ("failed", RED, "M-3-3L3 3M-3 3L3-3"),
    "rejected": ("fault", BROWN, "M-3-3h6v6h-6z"),
    "timed out": ("unknown", PURPLE, "M0-3.5V0H3"),
    "abandoned": ("unknown", PURPLE, "M-2-3L2 0L-2 3"),
    "no answer": (PANEL, GREY, ""),
}


@dataclass(slots=True)
class Job:
    """A job as its records tell it.

    Attributes:
        number: its number.
        about: what it is called ("order 7, payments").
        start_us, end_us: when it was asked for, and when it ended; None when it did not.
        outcome: "ok", "failed", "unknown", or "no answer".
        error: the class of the error with which it ended, or "".
        attempts: (start, end or None, outcome) of each.
    """

    number: int
    about: str
    start_us: int
    end_us: int | None = None
    outcome: str = "no answer"
    error: str = ""
    attempts: list[tuple[int, int | None, str]] = field(default_factory=list)

    @property
    def in_trouble(self) -> bool:
        return self.outcome != "ok" or len(self.attempts) != 1


def jobs_of(run: Run) -> dict[int, Job]:
    """Return the jobs of a run by number: its calls that have a `job`, and their records `attempt` and `answer`."""
    found: dict[int, Job] = {}
    for record in run.history.of("invoke", "ok", "failed", "unknown"):
        number = record.get("job")
        if number is None:
            continue
        if record.kind == "invoke":
            found[number] = Job(number, _about(record), record.t_us)
        elif number in found:
            job = found[number]
            job.end_us, job.outcome, job.error = record.t_us, record.kind, str(record.get("type", ""))
    ends = {(r.get("job"), r.get("number")): r for r in run.history.of("answer")}
    for attempt in run.history.of("attempt"):
        end = ends.get((attempt.get("job"), attempt.get("number")))
        if attempt.get("job") in found:
            found[attempt.data["job"]].attempts.append(
                (attempt.t_us, end.t_us if end else None, str(end.data["outcome"]) if end else "no answer")
            )
    return found


def _about(record: Record) -> str:
    parts = [f"{k} {record.data[k]}" for k in ("event", "order") if k in record.data][:1]
    return ", ".join([*parts, *([str(record.data["service"])] if "service" in record.data else [])])


def attempts(
    run: Run, *, jobs: Sequence[int] | None = None, start_s: float | None = None, end_s: float | None = None
) -> Picture:
    """Draw each job's attempts, one row a job.

    Args:
        run: what `scenario.run(...)` returned.
        jobs: the numbers of the jobs to show; left out, the first that did not succeed at the first attempt.
        start_s, end_s: the part to show, in seconds of virtual time.

    Raises ViewError for a run without jobs, or an unknown one.
    """
    run = one(run)
    found = jobs_of(run)
    if not found:
        raise ViewError(f"no call has a job in {run.replay}, so there are no attempts to draw")
    inside = [
        job
        for job in found.values()
        if (start_s is None or (job.end_us or run.end_us) >= start_s * 1e6)
        and (end_s is None or job.start_us <= end_s * 1e6)
    ]
    if jobs is None:
        troubled = [job for job in inside if job.in_trouble] or inside
        chosen, of = troubled[:JOBS_MAX], len(troubled)
    else:
        if isinstance(jobs, str) or not jobs or any(number not in found for number in jobs):
            raise ViewError(
                f"jobs={jobs!r:.60} are not all in this run; choose numbers from 1 to {max(found)}"
            )
        chosen, of = [found[number] for number in jobs][:JOBS_MAX], len(jobs)
    if not chosen:
        raise ViewError(f"no job was at work between start_s={start_s} and end_s={end_s}; give another part")
    first_us = min(job.start_us for job in chosen)
    last_us = max(run.end_us if job.end_us is None else job.end_us for job in chosen)
    start = start_s if start_s is not None else max(0.0, (first_us - (last_us - first_us) / 30) / 1e6)
    start_us, end_us = window(start, end_s, last_us=last_us, run_end_us=run.end_us)
    labels = [shorten(f"job {job.number}: {job.about}", 190, 10) for job in chosen]
    tail = max((text_width(job.error or job.outcome, 10) for job in chosen), default=0)
    axis = Axis(start_us, end_us, 24 + max(text_width(label, 10) for label in labels), WIDTH - 26 - tail)

    sheet, legend = Sheet(), Legend()
    title = f"Attempts in {name_of(run)}, seed {run.seed}"
    strip = FaultStrip(strikes(run), axis)
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    top = 34 + strip.height
    bottom = top + ROW * len(chosen) + 4
    strip.shade(sheet, {}, top, bottom)
    axis.draw(sheet, top, bottom)
    strip.draw(sheet, 30, bottom)
    for i, (job, label) in enumerate(zip(chosen, labels, strict=True)):
        y = top + i * ROW + 3
        sheet.text(12, y + 9, label, size=10)
        _draw(sheet, axis, y, job, legend)
        sheet.path(f"M10 {y + ROW - 3:.1f}H{axis.right:.1f}", stroke=RULE, stroke_width="0.6")
    foot = legend.draw(sheet, bottom + 24)
    note = f"{len(chosen)} of {of} such jobs are drawn." if of > len(chosen) else ""
    if note:
        foot += 13
        sheet.text(12, foot, note, size=10, fill=GREY)
    told = [f"{title}, {clock(start_us)} to {clock(end_us)} of virtual time. {note}".strip()]
    told += [f"Fault: {s.text}." for s, *_ in strip.placed] or ["No fault struck."]
    told += [_tell(job) for job in chosen]
    return sheet.finish(title, told, foot + 12)


def _draw(sheet: Sheet, axis: Axis, y: float, job: Job, legend: Legend) -> None:
    end_us = axis.end_us if job.end_us is None else job.end_us
    x0, x1 = axis.x(job.start_us), axis.x(end_us)
    sheet.path(
        f"M{x0:.1f} {y + 5:.1f}H{max(x1, x0 + 1):.1f}",
        stroke=GREY,
        stroke_width="1.2",
        stroke_dasharray="2 2",
    )
    sheet.path(f"M{x0:.1f} {y:.1f}v10", stroke=INK, stroke_width="1.4")
    legend.note(
        "job is asked for", lambda s, x, y: s.path(f"M{x} {y - 5}v10", stroke=INK, stroke_width="1.4")
    )
    legend.note(
        "waiting",
        lambda s, x, y: s.path(f"M{x - 8} {y}h16", stroke=GREY, stroke_width="1.2", stroke_dasharray="2 2"),
    )
    for begin_us, finish_us, outcome in job.attempts:
        until_us = axis.end_us if finish_us is None else finish_us
        if not axis.shows(begin_us, until_us):
            continue
        kind = outcome if outcome in _LOOKS else "failed"
        fill, stroke, glyph = _LOOKS[kind]
        left, right = axis.x(begin_us), axis.x(until_us)
        sheet.box(left, y + 1, max(right - left, 2.5), 8, paint(sheet, fill), stroke=stroke)
        if glyph:
            place = f"translate({max(right, left + 2.5) + 4:.1f} {y + 5:.1f})"
            sheet.path(glyph, transform=place, stroke=stroke, stroke_width="1.6", fill="none")
        legend.note(f"attempt {kind}", _sample(kind))
    if axis.shows(end_us):
        text = "done" if job.outcome == "ok" else job.error or job.outcome
        sheet.text(
            max(x1, x0) + 11, y + 9, text, size=10, fill=GREY if job.outcome == "ok" else RED, halo=True
        )


def _sample(kind: str) -> Sample:
    fill, stroke, glyph = _LOOKS[kind]

    def draw(sheet: Sheet, x: float, y: float) -> None:
        sheet.box(x - 8, y - 4, 10, 8, paint(sheet, fill), stroke=stroke)
        sheet.path(
            glyph, transform=f"translate({x + 6:.1f} {y:.1f})", stroke=stroke, stroke_width="1.6", fill="none"
        )

    return draw


def _tell(job: Job) -> str:
    made = "; ".join(
        f"begun at {clock(start)}, {outcome} {span(end - start)} later"
        if end is not None and end > start
        else f"{outcome} at {clock(start)}"
        for start, end, outcome in job.attempts
    )
    ended = "not ended" if job.end_us is None else f"{job.error or job.outcome} at {clock(job.end_us)}"
    return f"Job {job.number} ({job.about}), asked for at {clock(job.start_us)}: {made or 'no attempt'}; {ended}."
