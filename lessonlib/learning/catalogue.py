"""All exercises of all lessons, by id."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from lessonlib.errors import LessonError
from lessonlib.learning.exercises import Exercise
from lessonlib.lessons import LESSONS, Lesson


def exercises(lesson_name: str) -> dict[str, Exercise]:
    """Return a lesson's exercises by id; none for a lesson without a `checks.py`."""
    name = f"lessonlib.{lesson_name}.checks"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return {}
    found: dict[str, Exercise] = module.EXERCISES
    return found


def everything() -> Iterator[tuple[Lesson, str, Exercise]]:
    """Yield every exercise with its lesson and its id, in the order of the course."""
    for lesson in LESSONS:
        for exercise_id, exercise in exercises(lesson.name).items():
            yield lesson, exercise_id, exercise


def find(exercise_id: str) -> Exercise:
    """Return the exercise "1.2". Raises LessonError naming those that there are."""
    known = {id_: exercise for _, id_, exercise in everything()}
    if not isinstance(exercise_id, str) or exercise_id not in known:
        names = ", ".join(f'"{id_}"' for id_ in known)
        raise LessonError(f"there is no exercise {exercise_id!r:.60}; choose from {names}")
    return known[exercise_id]
