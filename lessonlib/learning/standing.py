"""`progress()`: where the learner stands. What passed, points and badges, mastery of each lesson, and the next step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from lessonlib.errors import LessonError
from lessonlib.learning import record
from lessonlib.learning.catalogue import exercises, find
from lessonlib.lessons import LESSONS, Lesson
from lessonlib.places import find_root
from lessonlib.views.picture import Table, listing, words
from lessonlib.views.tables import cell, paragraph, table

MASTERY_PERCENT = 80  # of a lesson's points
DIAGNOSE = "diagnose"  # the title of the one core exercise that builds nothing
HEAD = ("Lesson", "Passed", "Points", "Badges", "Mastery")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a learner stands in one lesson. Exercises are named by id.

    Attributes:
        passed, open: exercises that give points.
        badges, badges_open: stretch exercises.
        needed: of the open ones, those that build a piece, without which the lesson is not mastered.
        points, possible: earned, and to be had.
    """

    lesson: Lesson
    passed: tuple[str, ...]
    open: tuple[str, ...]
    badges: tuple[str, ...]
    badges_open: tuple[str, ...]
    needed: tuple[str, ...]
    points: int
    possible: int

    @property
    def points_missing(self) -> int:
        """How many points mastery still asks for."""
        return max(0, -(-self.possible * MASTERY_PERCENT // 100) - self.points)

    @property
    def mastered(self) -> bool:
        """Whether every piece is built and keeps its rules, and 80 of 100 points are earned."""
        return self.possible > 0 and not self.needed and not self.points_missing

    @property
    def mastery(self) -> str:
        """Whether the lesson is mastered, else what is missing, in a few words."""
        if self.mastered:
            return "✓ mastered"
        if not self.possible:
            return "no points to earn"
        return f"needs {listing(self.needed)}" if self.needed else f"needs {self.points_missing} points more"

    @property
    def row(self) -> tuple[str, ...]:
        """The cells under HEAD."""
        return (
            f"{self.lesson.number} {self.lesson.title}",
            f"{len(self.passed)} of {len(self.passed) + len(self.open)}",
            f"{self.points} of {self.possible}",
            listing(self.badges) or "none",
            self.mastery,
        )


def standings(passed: Mapping[str, int], lessons: Sequence[Lesson] = LESSONS) -> list[Standing]:
    """Return the standing in each lesson that has exercises, given the points of each exercise that passed."""
    found = []
    for lesson in lessons:
        known = exercises(lesson.name)
        core = {id_: e for id_, e in known.items() if e.points}
        stretch = [id_ for id_ in known if id_ not in core]
        if known:
            found.append(
                Standing(
                    lesson,
                    passed=tuple(id_ for id_ in core if id_ in passed),
                    open=tuple(id_ for id_ in core if id_ not in passed),
                    badges=tuple(id_ for id_ in stretch if id_ in passed),
                    badges_open=tuple(id_ for id_ in stretch if id_ not in passed),
                    needed=tuple(id_ for id_, e in core.items() if id_ not in passed and e.title != DIAGNOSE),
                    points=sum(min(e.points, passed.get(id_, 0)) for id_, e in core.items()),
                    possible=sum(e.points for e in core.values()),
                )
            )
    return found


def next_step(found: Sequence[Standing]) -> tuple[Lesson, str] | None:
    """Return the exercise to do next, and its lesson: what a mastery needs, then what gives points, then badges."""
    wanted: tuple[Callable[[Standing], tuple[str, ...]], ...] = (
        lambda s: () if s.mastered else s.needed or s.open,
        lambda s: s.open,
        lambda s: s.badges_open,
    )
    steps = ((s.lesson, ids[0]) for pick in wanted for s in found if (ids := pick(s)))
    return next(steps, None)


def next_words(found: Sequence[Standing]) -> str:
    """Return the next step as a sentence."""
    step = next_step(found)
    if step is None:
        return "Every exercise has passed, badges included."
    lesson, id_ = step
    return (
        f"Next: exercise {id_}, {find(id_).title}, in exercises/{lesson.stem}.ipynb; "
        f"the lesson is notebooks/{lesson.stem}.ipynb."
    )


def progress(lesson: int | str | None = None) -> Table:
    """Return what passed so far: points, badges, mastery, and the next step.

    Args:
        lesson: a lesson's number or name, to see that one only; left out, all.

    Raises LessonError when there is no such lesson.
    """
    chosen = [one for one in LESSONS if lesson in (None, one.number, one.name)]
    if not chosen or isinstance(lesson, bool):
        known = ", ".join(f"{one.number} ({one.name})" for one in LESSONS)
        raise LessonError(f"there is no lesson {lesson!r:.60}; choose from {known}, or leave it out")
    passed, said = record.passed()
    found = standings(passed, chosen)
    told = [
        f"Lesson {name}: {done} exercises passed, {points} points, badges: {badges}; mastery: {mastery}."
        for name, done, points, badges, mastery in (s.row for s in found)
    ]
    body = [
        [cell(escape(text), "td" if i else "th", scope="" if i else "row") for i, text in enumerate(s.row)]
        for s in found
    ]
    page = table("Your progress", HEAD, body) + _linked(next_words(found)) + (paragraph(said) if said else "")
    return Table("Your progress", words([*told, next_words(found), *([said] if said else [])]), page)


def _linked(sentence: str) -> str:
    """The sentence as a paragraph in which the notebooks' names are links that work from where this notebook is."""
    text = paragraph(sentence)
    try:
        up = os.path.relpath(find_root(Path.cwd()))
    except (LessonError, ValueError):
        return text
    for lesson in LESSONS:
        for folder in ("exercises", "notebooks"):
            path = f"{folder}/{lesson.stem}.ipynb"
            link = quote(Path(up, path).as_posix())
            text = text.replace(path, f'<a href="{link}" style="text-decoration: underline">{path}</a>')
    return text
