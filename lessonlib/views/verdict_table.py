"""The verdicts: what each rule says of each run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import Run
from lessonlib.views.flags import moment
from lessonlib.views.picture import Table, listing, names_of, several, words
from lessonlib.views.tables import bad, cell, code, paragraph, table


def verdicts(run_or_runs: Run | Sequence[Run]) -> Table:
    """Show the rules and what became of them, for one run or for several side by side.

    A rule holds, is BROKEN, or was not exercised: this run never put it to the test. The line beneath gives the
    same run again.

    Args:
        run_or_runs: what `scenario.run(...)` returned, or a list of such.

    Raises ViewError for anything else.
    """
    runs = several(run_or_runs)
    names = names_of(runs)
    said = [{verdict.rule: verdict for verdict in run.verdicts} for run in runs]
    rules = list(dict.fromkeys(rule for one in said for rule in one))
    single = len(runs) == 1
    body = []
    for rule in rules:
        row = [cell(escape(rule), "th", scope="row")]
        for one in said:
            row.append(cell(_status(one.get(rule))))
            if single:
                row.append(cell(escape(one[rule].sentence)))
        body.append(row)
    head = ["Rule", "Verdict", "What was seen"] if single else ["Rule", *names]
    parts = [table("What the rules say" + (f" of {names[0]}" if single else ""), head, body)]
    if not single:
        for name, run in zip(names, runs, strict=True):
            parts += [paragraph(f"{name}: {v.rule}. {_when(v)}. {v.sentence}") for v in run.broken]
    parts += [
        paragraph("To run it again:" if single else "To run them again:"),
        code(run.replay for run in runs),
    ]
    return Table("Verdicts", words(_tell(runs, names)), "".join(parts))


def _when(verdict: Verdict) -> str:
    return f"BROKEN {moment(verdict)}"


def _status(verdict: Verdict | None) -> str:
    if verdict is None:
        return "– no such rule"
    if verdict.status == "broken":
        return bad(f"✗ {_when(verdict)}")
    return "✓ holds" if verdict.status == "holds" else "○ not exercised"


def _tell(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    lines = []
    for name, run in zip(names, runs, strict=True):
        counts = {
            status: [v.rule for v in run.verdicts if v.status == status]
            for status in ("holds", "not exercised")
        }
        lines.append(
            f"{name}: of {len(run.verdicts)} rules {len(counts['holds'])} hold, {len(run.broken)} "
            f"{'is' if len(run.broken) == 1 else 'are'} BROKEN, {len(counts['not exercised'])} not exercised."
        )
        lines += [f"BROKEN {moment(v)}: {v.rule}. {v.sentence}" for v in run.broken[: max(2, 8 // len(runs))]]
        if counts["not exercised"]:
            lines.append(f"Not exercised: {listing(counts['not exercised'], most=12, between='; ')}.")
        lines.append(f"Again: {run.replay}")
    return lines
