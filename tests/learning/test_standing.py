"""Where a learner stands: mastery as the course defines it, the next step, and a table with its twin in words."""

import pytest

from lessonlib.errors import LessonError
from lessonlib.learning import progress, record, standing
from lessonlib.learning.exercises import Exercise
from lessonlib.learning.standing import next_step, next_words, standings
from lessonlib.lessons import LESSONS, Lesson

ZERO, FIRST, BARE = Lesson(0, "zero", "Nought"), Lesson(1, "first", "One & two"), Lesson(9, "bare", "Bare")
EXERCISES = {
    "zero": {"0.1": Exercise("look", 0), "0.2": Exercise("mend", 10)},
    "first": {
        "1.1": Exercise("build", 40),
        "1.2": Exercise("build more", 40),
        "1.3": Exercise("diagnose", 20),
        "1.4": Exercise("stretch", 0),
    },
    "bare": {},
}
BOTH = (ZERO, FIRST, BARE)


@pytest.fixture
def course(monkeypatch):
    """A course of three lessons, of which one has no exercises; and what has passed in it."""
    monkeypatch.setenv("LESSON_PIECES", "")
    monkeypatch.setattr(record, "_here", passed := {})
    monkeypatch.setattr(standing, "LESSONS", BOTH)
    monkeypatch.setattr(standing, "exercises", EXERCISES.__getitem__)
    monkeypatch.setattr(
        standing, "find", lambda id_: {k: v for e in EXERCISES.values() for k, v in e.items()}[id_]
    )
    return passed


@pytest.mark.parametrize(
    ("passed", "mastery"),
    [
        ((), "needs 1.1, 1.2"),
        (("1.1", "1.3"), "needs 1.2"),
        (("1.1", "1.2"), "✓ mastered"),
        (("1.1", "1.2", "1.3", "1.4"), "✓ mastered"),
        (("1.4",), "needs 1.1, 1.2"),
    ],
)
def test_a_lesson_is_mastered_when_every_piece_is_built_and_80_points_are_earned(passed, mastery, course):
    [_, found] = standings({id_: EXERCISES["first"][id_].points for id_ in passed}, BOTH)
    assert found.mastery == mastery


def test_points_alone_are_not_enough_nor_is_every_piece_without_the_points(course, monkeypatch):
    [_, found] = standings({"1.1": 40, "1.2": 30}, BOTH)  # earned under an older version, say
    assert not found.mastered and found.mastery == "needs 10 points more"
    monkeypatch.setitem(EXERCISES, "first", {**EXERCISES["first"], "1.5": Exercise("one more", 5)})
    [_, found] = standings({"1.1": 40, "1.2": 40, "1.3": 20}, BOTH)
    assert found.points == 100 and found.mastery == "needs 1.5"


def test_unknown_exercises_and_too_many_points_count_for_nothing(course):
    [zero, first] = standings({"1.1": 4000, "7.7": 5}, BOTH)
    assert (zero.points, first.points) == (0, 40)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        ({}, "0.2"),
        ({"0.2": 10}, "1.1"),
        ({"0.2": 10, "1.1": 40}, "1.2"),
        ({"1.1": 40, "1.2": 40}, "0.2"),
        ({"0.2": 10, "1.1": 40, "1.2": 40}, "1.3"),
        ({"0.2": 10, "1.1": 40, "1.2": 40, "1.3": 20}, "0.1"),
        ({"0.1": 0, "0.2": 10, "1.1": 40, "1.2": 40, "1.3": 20}, "1.4"),
    ],
)
def test_the_next_step_is_what_mastery_needs_then_points_then_badges(passed, expected, course):
    step = next_step(standings(passed, BOTH))
    assert step is not None and step[1] == expected


def test_when_all_has_passed_there_is_no_next_step(course):
    everything = {id_: e.points for known in EXERCISES.values() for id_, e in known.items()}
    assert next_step(standings(everything, BOTH)) is None
    assert "Every exercise has passed" in next_words(standings(everything, BOTH))


def test_the_table_and_its_twin_say_the_same(course):
    course.update({"0.2": 10, "1.1": 40, "1.4": 0})
    shown = progress()
    assert shown.describe() == (
        "Lesson 0 Nought: 1 of 1 exercises passed, 10 of 10 points, badges: none; mastery: ✓ mastered.\n"
        "Lesson 1 One & two: 1 of 3 exercises passed, 40 of 100 points, badges: 1.4; mastery: needs 1.2.\n"
        "Next: exercise 1.2, build more, in exercises/01_first.ipynb; the lesson is notebooks/01_first.ipynb."
    )
    assert "One &amp; two" in shown.html
    for words in ("40 of 100", "needs 1.2", "✓ mastered", "1.4", 'scope="row"'):
        assert words in shown.html


def test_the_next_step_is_a_link_from_where_the_notebook_is(course, monkeypatch, tmp_path):
    for folder in ("notebooks", "exercises"):
        (tmp_path / folder).mkdir()
    for folder, link in (("exercises", "../exercises/00_zero.ipynb"), (".", "exercises/00_zero.ipynb")):
        monkeypatch.chdir(tmp_path / folder)
        assert (
            f'<a href="{link}" style="text-decoration: underline">exercises/00_zero.ipynb</a>'
            in progress().html
        )


def test_a_broken_file_is_told_in_the_table_and_in_words(course, monkeypatch, tmp_path):
    monkeypatch.setenv("LESSON_PIECES", str(tmp_path))
    (tmp_path / "progress.json").write_text("<broken>")
    shown = progress()
    assert "was broken" in shown.html and "was broken" in shown.describe()


@pytest.mark.parametrize("lesson", [1, "first"])
def test_one_lesson_can_be_shown_alone(lesson, course):
    words = progress(lesson).describe()
    assert "Nought" not in words and "One & two" in words and "Next: exercise 1.1" in words


@pytest.mark.parametrize("lesson", [7, "seven", True, 1.5, ["first"]])
def test_an_unknown_lesson_is_answered_with_the_known_ones(lesson, course):
    with pytest.raises(LessonError, match=r"there is no lesson .*; choose from 0 \(zero\), 1 \(first\)"):
        progress(lesson)


def test_the_real_course_can_be_shown():
    words = progress().describe()
    assert all(lesson.title in words for lesson in LESSONS if standing.exercises(lesson.name))
