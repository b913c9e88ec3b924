"""What a watermark costs: how many events came too late, and how long results were waited for."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from statistics import median

from lessonlib.lab.scenario import Run
from lessonlib.views.picture import Table, ViewError, names_of, several, words
from lessonlib.views.tables import bad, cell, paragraph, table


def waiting(runs: Run | Iterable[Run]) -> Table:
    """Show for each run how many events were late, and how long after its end a window was reported, in stream time.

    Windows that only the end of the stream closed are not counted: nobody had to wait for them. Reads records `configured`
    (began_s, speed), `arrived`, `late`, `result` (end_s) and `ended`.

    Raises ViewError for runs in which nothing arrived, or that do not say how fast their stream goes.
    """
    found = several(runs)
    names = _names(found)
    head = [
        "Run",
        "Events",
        "Late",
        "Share",
        "Reported before the end",
        "Waited for (median)",
        "Waited for (longest)",
    ]
    body, told = [], []
    for name, run in zip(names, found, strict=True):
        arrived, late = len(run.history.of("arrived")), len(run.history.of("late"))
        if not arrived:
            raise ViewError(f"nothing arrived in {run.replay}; waiting needs records of kind 'arrived'")
        waits = _waits(run)
        said = [_minutes(median(waits)), _minutes(max(waits))] if waits else ["–", "–"]
        share = f"{late / arrived:.1%}"
        cells = [
            cell(str(arrived)),
            cell(bad(str(late)) if late else "0"),
            cell(share),
            cell(str(len(waits))),
        ]
        body.append([cell(escape(name), "th", scope="row"), *cells, *(cell(text) for text in said)])
        told.append(
            f"{name}: {arrived} events, {late} late ({share}); {len(waits)} windows reported before the stream's end, "
            f"{said[0]} (median), {said[1]} (longest) after their own."
        )
    note = paragraph("The wait is in the stream's time, from the end of a window to its first report.")
    return Table("Late events and waiting", words(told), table("What the watermark costs", head, body) + note)


def _names(runs: tuple[Run, ...]) -> tuple[str, ...]:
    """Return what the runs differ in, if that is only their parameters: "delay_min=15"."""
    differ = [name for name in runs[0].values if len({str(run.values.get(name)) for run in runs}) > 1]
    names = tuple(", ".join(f"{name}={run.values[name]}" for name in differ) for run in runs)
    return names if differ and len(set(names)) == len(runs) else names_of(runs)


def _waits(run: Run) -> list[float]:
    """Return how long after its end each window was reported first, in seconds of the stream."""
    setting = run.history.of("configured").first()
    if setting is None or not {"began_s", "speed"} <= setting.data.keys():
        raise ViewError(
            f"{run.replay} does not say how fast its stream goes; give a run such as WINDOWS.run()"
        )
    ended = run.history.of("ended").first()
    reported: dict[float, int] = {}
    for record in run.history.of("result"):
        reported.setdefault(record.data["end_s"], record.t_us)
    return [
        setting.data["began_s"] + t_us / 1e6 * setting.data["speed"] - end_s
        for end_s, t_us in reported.items()
        if ended is None or t_us < ended.t_us
    ]


def _minutes(seconds: float) -> str:
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 120 else f"{whole // 60} h {whole % 60} min"
