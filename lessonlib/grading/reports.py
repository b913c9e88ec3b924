"""A report in the forms that people and programs read: terminal, JSON, CSV, a web page, JUnit's XML.

Each shows the same points. What learners wrote (names of files, messages) is text in all of them and never markup, a
formula of a spreadsheet or a control character of a terminal. None holds the time of day: the same verdicts give
the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from lessonlib.grading.grade import Report, Result, Submission

if TYPE_CHECKING:
    from rich.console import RenderableType

NAME_CHARACTERS_MAX = 60


def to_table(report: Report) -> RenderableType:
    """Return something that rich can print: a row for each submission.

    One learner's notebooks (no lesson twice) come with their exercises: of a single notebook all, of several those that
    were tried and have not passed.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    summary = Table("Submission", "Lesson", "Points", "Passed", "Badges", "Remark")
    summary.columns[0].overflow = "fold"  # names often differ at their end
    for entry in report.submissions:
        words = [
            _shortened(entry.path),
            entry.lesson or "",
            f"{entry.points} of {entry.possible}" if entry.results else "",
            _passed(entry),
            ", ".join(entry.badges),
            entry.problem
            or "; ".join(f"{r.exercise} {_first_line(r)}" for r in entry.results if r.status == "broken"),
        ]
        summary.add_row(*map(Text, words))  # Text: what learners wrote is never read as markup
    notes = [Text(note) for note in _notes(report)]
    lessons = [entry.lesson for entry in report.submissions if entry.results]
    shown = [
        result
        for entry in report.submissions
        for result in entry.results
        if len(lessons) == 1 or result.status not in ("passed", "not attempted")
    ]
    if not shown or len(set(lessons)) < len(lessons):
        return Group(summary, *notes)
    exercises = Table("Exercise", "Result", "Points", "Message", show_lines=True)
    for result in shown:
        exercises.add_row(*map(Text, (result.exercise, result.status, _points(result), result.message)))
    return Group(exercises, summary, *notes)


def _first_line(result: Result) -> str:
    return (result.message.splitlines() or [result.status])[0]


def to_json(report: Report) -> str:
    """Return the report as JSON.

    `{"version": 1, "submissions": [{"path", "lesson", "problem", "points", "possible", "badges", "notes",
    "exercises": [{"exercise", "status", "points", "possible", "message"}]}]}`; `lesson` and `problem` may be null.
    """
    submissions = []
    for submission in report.submissions:
        entry = asdict(submission)
        entry["exercises"] = entry.pop("results")
        entry |= {name: getattr(submission, name) for name in ("points", "possible", "badges")}
        submissions.append(entry)
    return json.dumps({"version": 1, "submissions": submissions}, indent=2, sort_keys=True) + "\n"


def to_csv(report: Report) -> str:
    """Return a row for each submission, as a mark book takes it (RFC 4180, UTF-8).

    The columns are `submission, lesson, points, possible, badges, problem` and one with the points of each exercise of
    the lessons that were graded, empty where a submission has no such exercise; a stretch exercise has 0.
    """
    found = {result.exercise for entry in report.submissions for result in entry.results}
    exercises = sorted(found, key=lambda exercise: [int(part) for part in exercise.split(".")])
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["submission", "lesson", "points", "possible", "badges", "problem", *exercises])
    for entry in report.submissions:
        earned = {result.exercise: result.points for result in entry.results}
        words = (entry.path, entry.lesson or "", " ".join(entry.badges), entry.problem or "")
        path, lesson, badges, problem = map(_no_formula, words)
        own = [earned.get(exercise, "") for exercise in exercises]
        rows.writerow([path, lesson, entry.points, entry.possible, badges, problem, *own])
    return text.getvalue()


def _no_formula(text: str) -> str:
    """A spreadsheet would run a name such as `=HYPERLINK(…)`; an apostrophe before it keeps it text."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def to_junit(report: Report) -> str:
    """Return the XML that test runners write: a suite for each submission, a case for each exercise.

    An exercise that failed is a failure, one that nothing could judge is an error, one that was not attempted is skipped.
    Points are properties of cases and suites.
    """
    root = ElementTree.Element("testsuites", name="lesson grade")
    for entry in report.submissions:
        results = entry.results or (Result("the file", "broken", 0, 0, entry.problem or "no exercise in it"),)
        suite = ElementTree.SubElement(root, "testsuite", name=entry.path)
        _properties(suite, {"lesson": entry.lesson or "", "points": entry.points, "possible": entry.possible})
        counts = dict.fromkeys(_JUNIT.values(), 0)
        for result in results:
            case = ElementTree.SubElement(
                suite, "testcase", classname=entry.lesson or entry.path, name=result.exercise
            )
            _properties(case, {"points": result.points, "possible": result.possible})
            if result.status != "passed":
                kind = _JUNIT[result.status]
                counts[kind] += 1
                ElementTree.SubElement(case, kind, message=_first_line(result)).text = result.message
        suite.set("tests", str(len(results)))
        suite.set("failures", str(counts["failure"]))
        suite.set("errors", str(counts["error"]))
        suite.set("skipped", str(counts["skipped"]))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


_JUNIT = {"failed": "failure", "broken": "error", "not attempted": "skipped"}


def _properties(parent: ElementTree.Element, values: Mapping[str, str | int]) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=name, value=str(value))


def to_html(report: Report) -> str:
    """Return one web page that needs no other file and no network, holds no script, and fits a telephone."""
    several = len(report.submissions) > 1
    head = f"{len(report.submissions)} submission{'s' if several else ''}"
    parts = [_submission(entry, opened=not several) for entry in report.submissions]
    notes = "".join(f"<p>{escape(note)}</p>" for note in _notes(report))
    return _PAGE.format(head=head, body="\n".join(parts), notes=notes)


def _submission(entry: Submission, *, opened: bool) -> str:
    if not entry.results:
        facts, inside = "not graded", f"<p>The file {escape(entry.problem or 'holds no exercise')}.</p>"
    else:
        facts = f"{entry.points} of {entry.possible} points"
        inside = f'<ul class="exercises">{"".join(map(_exercise, entry.results))}</ul>'
    meter = f'<meter min="0" max="{entry.possible}" value="{entry.points}">{facts}</meter>'
    return f"""\
<details{" open" if opened else ""}>
<summary><span class="name">{escape(entry.path)}</span>
<span class="facts"><b>{facts}</b>{meter if entry.possible else ""}
<span>{escape(entry.lesson or "")}</span>\
{f"<span>badges: {escape(', '.join(entry.badges))}</span>" if entry.badges else ""}</span></summary>
{inside}
</details>"""


def _exercise(result: Result) -> str:
    message = f"<pre>{escape(result.message)}</pre>" if result.message else ""
    kind = result.status.replace(" ", "-")
    return (
        f'<li class="{kind}"><span class="mark" aria-hidden="true">{_MARKS[result.status]}</span>'
        f"<b>{escape(result.exercise)}</b> {result.status}, {_points(result)}{message}</li>"
    )


_MARKS = {"passed": "✓", "failed": "✗", "broken": "!", "not attempted": "–"}

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Grades: {head}</title>
<style>
:root {{ color-scheme: light dark; --line: #8888; --good: #00693e; --bad: #a3260f; --dim: #595959; }}
@media (prefers-color-scheme: dark) {{ :root {{ --good: #5fd3a0; --bad: #ff9d85; --dim: #b3b3b3; }} }}
body {{ font: 16px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.3rem; }}
details {{ border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0; }}
summary {{ cursor: pointer; padding: .6rem .8rem; }}
.name {{ word-break: break-all; }}
.facts {{ display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: center; margin-top: .2rem; }}
.facts span {{ color: var(--dim); }}
details > p, .exercises {{ margin: 0; padding: .2rem .8rem .6rem; }}
.exercises {{ list-style: none; }}
li {{ border-top: 1px solid var(--line); padding: .5rem 0; }}
.mark {{ display: inline-block; width: 1.4em; font-weight: bold; }}
.passed .mark {{ color: var(--good); }}
.failed .mark, .broken .mark {{ color: var(--bad); }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; margin: .3rem 0 0 1.6em; }}
</style>
</head>
<body>
<h1>{head}</h1>
{body}
{notes}
</body>
</html>
"""

# How each report is called on the command line, and what makes it.
FORMATS: Mapping[str, Callable[[Report], str]] = {
    "json": to_json,
    "csv": to_csv,
    "html": to_html,
    "junit": to_junit,
}


def _passed(entry: Submission) -> str:
    """Of the exercises with points, as `lesson progress` counts them: stretch exercises are badges."""
    worth = [result for result in entry.results if result.possible]
    return f"{sum(result.status == 'passed' for result in worth)} of {len(worth)}" if worth else ""


def _points(result: Result) -> str:
    if result.possible:
        return f"{result.points} of {result.possible}"
    return "badge earned" if result.status == "passed" else "badge"


def _notes(report: Report) -> list[str]:
    return sorted({note for entry in report.submissions for note in entry.notes})


def _shortened(name: str) -> str:
    if len(name) <= NAME_CHARACTERS_MAX:
        return name
    half = NAME_CHARACTERS_MAX // 2
    return f"{name[: half - 1]}…{name[-half:]}"
