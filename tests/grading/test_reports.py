"""Reports: the same points in each, and what learners wrote is text in all of them."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from lessonlib.grading.grade import Report, Result, Submission
from lessonlib.grading.reports import FORMATS, to_csv, to_html, to_json, to_junit, to_table

NASTY = """<script>alert("x")</script> & 'y' ]]> {braces} %s"""

REPORT = Report(
    (
        Submission(
            "class/anna.ipynb",
            "01_event_driven",
            results=(
                Result("1.1", "passed", 10, 10),
                Result("1.2", "failed", 0, 15, "Not there yet.\n  Hint: look."),
                Result("1.3", "broken", 0, 15, NASTY),
                Result("1.4", "not attempted", 0, 20, "Not attempted yet."),
                Result("1.7", "passed", 0, 0),
            ),
            notes=("The memory of a submission cannot be limited on this system.",),
        ),
        Submission(f"={NASTY}.ipynb", "02_other", results=(Result("2.1", "passed", 30, 30),)),
        Submission("class/broken.ipynb", None, f"is not valid JSON ({NASTY})"),
    )
)
POINTS = {"class/anna.ipynb": 10, f"={NASTY}.ipynb": 30, "class/broken.ipynb": 0}


class Page(HTMLParser):
    """What a browser makes of a page: its tags, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def points_by_json(report):
    return {entry["path"]: entry["points"] for entry in json.loads(to_json(report))["submissions"]}


def points_by_csv(report):
    rows = csv.DictReader(io.StringIO(to_csv(report), newline=""))
    return {row["submission"].removeprefix("'"): int(row["points"]) for row in rows}


def points_by_junit(report):
    suites = ElementTree.fromstring(to_junit(report)).iter("testsuite")
    return {
        suite.get("name"): int(suite.find("properties/property[@name='points']").get("value"))
        for suite in suites
    }


def points_by_html(report):
    text = Page(to_html(report)).text
    return {
        path: int(found[1] or 0)
        for path in POINTS
        if (found := re.search(re.escape(path) + r"\s+(?:(\d+) of \d+ points|not graded)", text))
    }


@pytest.mark.parametrize("read", [points_by_json, points_by_csv, points_by_junit, points_by_html])
def test_every_report_shows_the_same_points(read):
    assert read(REPORT) == POINTS


def test_the_points_of_single_exercises_are_the_same_too():
    expected = {"1.1": 10, "1.2": 0, "1.3": 0, "1.4": 0, "1.7": 0}
    anna = json.loads(to_json(REPORT))["submissions"][0]
    assert {e["exercise"]: e["points"] for e in anna["exercises"]} == expected
    row = next(csv.DictReader(io.StringIO(to_csv(REPORT), newline="")))
    assert {exercise: int(row[exercise]) for exercise in expected} == expected
    suite = next(ElementTree.fromstring(to_junit(REPORT)).iter("testsuite"))
    points = "properties/property[@name='points']"
    assert {
        case.get("name"): int(case.find(points).get("value")) for case in suite.iter("testcase")
    } == expected
    text = Page(to_html(REPORT)).text
    assert (
        "1.1 passed, 10 of 10" in text
        and "1.2 failed, 0 of 15" in text
        and "1.7 passed, badge earned" in text
    )


def test_a_row_of_the_csv_has_no_points_for_exercises_of_another_lesson():
    header, anna, other, broken = csv.reader(io.StringIO(to_csv(REPORT), newline=""))
    assert header[6:] == ["1.1", "1.2", "1.3", "1.4", "1.7", "2.1"]
    assert (anna[-1], other[6:11], broken[6:]) == ("", [""] * 5, [""] * 6)


def test_the_columns_of_the_csv_stand_in_the_order_of_the_course_whoever_handed_in_first():
    results = [Result(number, "passed", 1, 1) for number in ("10.1", "2.10", "2.9", "0.1")]
    report = Report(tuple(Submission(result.exercise, results=(result,)) for result in results))
    assert to_csv(report).splitlines()[0].endswith("problem,0.1,2.9,2.10,10.1")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@"])
def test_a_spreadsheet_finds_no_formula_in_the_csv(sign):
    submission = Submission(f"{sign}1+1", None, f"{sign}2")
    for value in next(csv.DictReader(io.StringIO(to_csv(Report((submission,))), newline=""))).values():
        assert not value.startswith(sign)


def test_the_page_has_no_tags_but_its_own_and_shows_names_and_messages_as_they_are():
    page = Page(to_html(REPORT))
    assert {"script", "img", "iframe", "object", "link"}.isdisjoint(page.tags)
    assert page.text.count(NASTY) == 3


def test_the_page_needs_nothing_from_elsewhere():
    text = to_html(REPORT)
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    assert not {"src", "href"} & {name for name, _ in Page(text).attributes}
    assert "default-src 'none'" in text


def test_the_page_fits_a_telephone():
    text = to_html(REPORT)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "table" not in Page(text).tags  # a table of messages would scroll sideways


def test_the_page_of_one_submission_is_unfolded_and_that_of_several_is_not():
    assert "<details>" in to_html(REPORT) and "<details open>" not in to_html(REPORT)
    assert "<details open>" in to_html(Report(REPORT.submissions[:1]))


def test_junit_counts_what_failed_what_could_not_be_judged_and_what_was_not_attempted():
    anna, other, broken = ElementTree.fromstring(to_junit(REPORT)).iter("testsuite")
    count = lambda suite: [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]  # noqa: E731
    assert (count(anna), count(other), count(broken)) == (
        ["5", "1", "1", "1"],
        ["1", "0", "0", "0"],
        ["1", "0", "1", "0"],
    )
    assert anna.find("testcase/failure").text == "Not there yet.\n  Hint: look."
    assert NASTY in broken.find("testcase/error").text


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_a_report_is_the_same_each_time_and_says_nothing_of_when_or_where(write):
    assert write(REPORT) == write(REPORT)
    assert not re.search(r"\b20\d\d-|\d\d:\d\d|timestamp|hostname", write(REPORT))


@pytest.mark.parametrize("write", [*FORMATS.values(), to_table])
def test_a_report_of_nothing_is_no_error(write):
    assert write(Report(()))


def printed(report):
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=120, force_terminal=False).print(to_table(report))
    return text.getvalue()


def lesson(name, *results):
    return Submission(f"exercises/{name}.ipynb", name, None, results)


FAILED = Result("0.1", "failed", 0, 25, "Seen: something else.")
PASSED = Result("1.1", "passed", 10, 10)
BADGE = Result("1.7", "passed", 0, 0)


def test_of_one_learners_lessons_the_table_says_what_did_not_pass_and_why():
    text = printed(Report((lesson("00_a", FAILED), lesson("01_b", PASSED, BADGE))))
    assert "Seen: something else." in text
    assert "1 of 1" in text  # a badge is no point
    assert "badge earned" not in text


def test_of_a_class_the_table_is_a_line_for_each_submission():
    text = printed(Report((lesson("00_a", FAILED), lesson("00_a", FAILED))))
    assert "Seen: something else." not in text
    assert text.count("0 of 25") == 2
