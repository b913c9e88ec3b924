"""TEACHING.md: a page for each lesson, and every fault plan in it shows what it says that it shows."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

from lessonlib.learning.check import exercises
from lessonlib.lessons import LESSONS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
PARTS = (
    "Objectives",
    "Minutes",
    "Three fault plans worth showing live",
    "Likely wrong answers, and a question that helps",
    "Discussion",
)
EACH_LESSON = pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])


def page(lesson):
    """The lesson's page, by the titles of its parts."""
    [text] = re.findall(rf"^# Lesson {lesson.number}: {lesson.title}\n(.*?)(?=^# |\Z)", TEXT, re.M | re.S)
    titles = re.split(r"^### (.+)\n", text, flags=re.M)
    return dict(zip(titles[1::2], titles[2::2], strict=True))


@EACH_LESSON
def test_a_lesson_has_its_page_with_every_part(lesson):
    parts = page(lesson)
    assert tuple(parts) == PARTS
    assert all(part.strip() for part in parts.values())


@EACH_LESSON
def test_three_fault_plans_are_shown_and_each_shows_what_the_page_says(lesson):
    text = page(lesson)["Three fault plans worth showing live"]
    assert len(set(re.findall(r'plan="(.+?)"', text))) == 3
    names = vars(importlib.import_module(f"lessonlib.{lesson.name}.scenario")).copy()
    shown = doctest.DocTestParser().get_doctest(text, names, lesson.name, "TEACHING.md", 0)
    said = []
    results = doctest.DocTestRunner().run(shown, out=said.append)
    assert results.attempted > 3
    assert results.failed == 0, "".join(said)


@EACH_LESSON
def test_no_other_plan_stands_in_the_page_unseen(lesson):
    others = [text for title, text in page(lesson).items() if "fault plans" not in title]
    assert "plan=" not in "".join(others)


@EACH_LESSON
def test_wrong_answers_come_with_a_question_for_every_exercise(lesson):
    text = page(lesson)["Likely wrong answers, and a question that helps"]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    where, *_ = zip(*rows[2:], strict=True)
    assert set(where) == set(exercises(lesson.name))
    assert all(question.endswith("?") for _, _, question in rows[2:])


def test_the_sentence_on_further_plans_is_the_one_that_a_learner_sees():
    from event_driven.answers import FITTED

    from lessonlib.learning import CheckFailed, check

    with pytest.raises(CheckFailed) as failed:
        check("1.3", FITTED["1.3"], further=True)
    assert f"> {str(failed.value).splitlines()[0]}\n" in TEXT


def test_the_options_of_grade_are_the_commands():
    from lessonlib.grading.reports import FORMATS

    assert set(re.findall(r"^\| `--(\w+) FILE`", TEXT, re.M)) == set(FORMATS)


def test_the_number_of_further_runs_is_the_programs():
    from lessonlib.learning.further import FURTHER_RUNS

    assert FURTHER_RUNS == 8
    assert "eight times\nmore: once with another seed, and seven times" in TEXT
