"""Exercise notebooks, generated from the solution notebooks.

A solution cell (`1-2-solution`) marks what the learner is to write:

    ### BEGIN SOLUTION
    ### END SOLUTION

and a check cell (`1-2-check`) holds the one line `check("1.2", OrderPublisher)`. Both carry nbgrader's metadata
(schema 3), so that an instructor who has nbgrader can use the notebooks as they are.

The text of an exercise (`1-2-goal`) ends with its hints behind folds, written from `Exercise.ladder`.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lessonlib.errors import LessonError
from lessonlib.learning.exercises import Exercise
from lessonlib.learning.ladder import folds
from lessonlib.lessons import LESSONS, Lesson
from lessonlib.places import write_atomically

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")  # nbgrader's own words
IGNORE_OUTPUT = "nbval-ignore-output"
HINTS = "<!-- What follows is written by `lesson build` from the ladder in checks.py. -->"
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
TRANSIENT_METADATA = ("ExecuteTime", "collapsed", "execution", "scrolled")

# Lenient about case and the number of signs: a marker that is misspelt must not leave its solution in the exercise.
_MARKER = re.compile(r"^(?P<indent>\s*)#+\s*(?P<which>BEGIN|END)\s+SOLUTION\b", re.IGNORECASE)
_GRADED_ID = re.compile(r"(?P<exercise>\d+-\d+)-(?P<role>solution|check)")
_GOAL_ID = re.compile(r"(\d+-\d+)-goal")
_DATED = re.compile(r"\.\d{4}-\d{2}-\d{2}_\d{2}-\d{2}-\d{2}(-\d+)?$")


def graded_role(cell: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the exercise ("1.2") and the role ("solution" or "check") of a cell, or None for any other cell."""
    found = _GRADED_ID.fullmatch(cell.get("id", "")) if cell.get("cell_type") == "code" else None
    return (found["exercise"].replace("-", "."), found["role"]) if found else None


def is_backup(path: Path) -> bool:
    """Tell whether this is an old notebook that was kept under a dated name."""
    return _DATED.search(path.stem) is not None


def points_of(lesson: Lesson) -> dict[str, int]:
    """Return the points of each exercise, from the lesson's `checks.EXERCISES`. Raises LessonError if there is none."""
    return {exercise: entry.points for exercise, entry in _exercises(lesson).items()}


def ladders_of(lesson: Lesson) -> dict[str, tuple[str, ...]]:
    """Return the hints of each exercise, from the lesson's `checks.EXERCISES`. Raises LessonError if there is none."""
    return {exercise: entry.ladder for exercise, entry in _exercises(lesson).items()}


def _exercises(lesson: Lesson) -> dict[str, Exercise]:
    module = f"lessonlib.{lesson.name}.checks"
    try:
        exercises: dict[str, Exercise] = importlib.import_module(module).EXERCISES
    except (ImportError, AttributeError) as error:
        raise LessonError(
            f"{module}.EXERCISES cannot be read ({error}): it says what each exercise is worth."
        ) from error
    return exercises


def prepared_solution(
    solution: NotebookNode,
    points: Mapping[str, int],
    ladders: Mapping[str, Sequence[str]] | None = None,
    *,
    name: str = "The solution",
) -> NotebookNode:
    """Return the solution notebook with ids checked, nbgrader's metadata and hints written anew; its outputs stay.

    Without `ladders` the hints stay as well.

    Raises:
        LessonError: an id occurs twice, an exercise lacks its solution, its check or its points, or a check cell is
            not the one line that it must be; the message names file and cell.
    """
    notebook = deepcopy(solution)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    seen: set[str] = set()
    roles: dict[str, set[str]] = {exercise: set() for exercise in points}
    for cell in notebook.cells:
        if not cell.get("id") or cell.id in seen:
            raise LessonError(
                f"{name}: the cell id {cell.get('id')!r} occurs twice or is empty: give each cell its own."
            )
        seen.add(cell.id)
        for key in TRANSIENT_METADATA:
            cell.metadata.pop(key, None)
        if ladders is not None and (goal := _GOAL_ID.fullmatch(cell.id)):
            rungs = ladders.get(goal[1].replace("-", "."), ())
            cell.source = cell.source.split(HINTS)[0].rstrip()
            if rungs:
                cell.source += f"\n\n{HINTS}\n{folds(rungs)}"
        graded = graded_role(cell)
        if graded is None:
            continue
        exercise, role = graded
        if exercise not in points:
            raise LessonError(
                f"{name}, cell {cell.id}: EXERCISES has no entry {exercise!r}: add it, or rename the cell."
            )
        roles[exercise].add(role)
        if role == "check" and not re.fullmatch(rf'check\("{re.escape(exercise)}", .+\)', cell.source):
            raise LessonError(
                f'{name}, cell {cell.id}: a check cell holds the one line check("{exercise}", …).'
            )
        cell.metadata.nbgrader = _nbgrader(cell.id, points[exercise] if role == "check" else None)
        if role == "check":
            cell.metadata.update(deletable=False, editable=False)
    for exercise, found in roles.items():
        for role in sorted({"solution", "check"} - found):
            raise LessonError(
                f"{name}: exercise {exercise} has no cell {exercise.replace('.', '-')}-{role}: add it."
            )
    return notebook


def _nbgrader(grade_id: str, points: int | None) -> NotebookNode:
    is_check = points is not None
    metadata = {"grade": is_check, "grade_id": grade_id, "locked": is_check, "schema_version": 3}
    metadata |= {"solution": not is_check, "task": False}
    return nbformat.from_dict(metadata | ({"points": points} if is_check else {}))


def exercise_from(solution: NotebookNode, *, name: str = "The solution") -> NotebookNode:
    """Return the learner's notebook: the same cells without solutions and outputs.

    Args:
        solution: a solution notebook that `prepared_solution` has returned; it is left as it is.
        name: what to call it in messages.

    Raises:
        LessonError: a solution region is not closed, not indented or stands in another kind of cell, or what is
            left without it is not Python; the message names file and cell.
    """
    notebook = deepcopy(solution)
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        where = f"{name}, cell {cell.get('id')}"
        graded = graded_role(cell)
        if graded and graded[1] == "solution":
            cell.source = stub_of(cell.source, where=where)
        elif any(_MARKER.match(line) for line in cell.source.splitlines()):
            raise LessonError(
                f"{where}: a solution region outside a solution cell: give the cell an id such as 1-2-solution."
            )
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
            cell.metadata.tags = sorted({*cell.metadata.get("tags", []), IGNORE_OUTPUT})
    notebook.metadata["lesson"] = {"generated": _fingerprint(notebook)}
    return notebook


def stub_of(source: str, *, where: str = "The solution cell") -> str:
    """Return a solution cell's source with nbgrader's stub, equally indented, in place of each region.

    Raises:
        LessonError: as `exercise_from` does.
    """
    lines: list[str] = []
    inside, regions = False, 0
    for line in source.splitlines():
        marker = _MARKER.match(line)
        if marker is None:
            if not inside:
                lines.append(line)
            continue
        which, indent = marker["which"].upper(), marker["indent"]
        if (which == "BEGIN") == inside:
            raise LessonError(
                f"{where}: ### {which} SOLUTION without its counterpart: each BEGIN needs one END after it."
            )
        inside = which == "BEGIN"
        if inside:
            regions += 1
            if not indent:
                raise LessonError(
                    f"{where}: ### BEGIN SOLUTION is not indented: a region stands inside a function's body."
                )
            lines += [indent + stub for stub in STUB]
    if inside:
        raise LessonError(f"{where}: ### BEGIN SOLUTION has no ### END SOLUTION after it: add it.")
    if not regions:
        raise LessonError(f"{where}: no ### BEGIN SOLUTION: mark what the learner is to write.")
    stub = "\n".join(lines)
    try:
        compile(stub, "<stub>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        raise LessonError(
            f"{where}: without its solution, line {error.lineno} is not Python: {error.msg}."
        ) from error
    return stub


def notebook_text(notebook: NotebookNode) -> str:
    """Return a notebook's text as it is stored: the same for the same notebook, byte for byte."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def read_solution(root: Path, lesson: Lesson) -> NotebookNode:
    """Read the lesson's solution notebook.

    Raises:
        LessonError: it is missing or is not a notebook.
    """
    path = root / "solutions" / f"{lesson.stem}.ipynb"
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise LessonError(f"{path} is missing: restore it, exercises are made from it.") from None
    except Exception as error:  # nbformat raises whatever its parsers do
        raise LessonError(f"{path} is not a notebook ({_first_line(error)}): restore it.") from error


def build_exercises(
    root: Path,
    *,
    lessons: Sequence[Lesson] = LESSONS,
    points: Callable[[Lesson], Mapping[str, int]] = points_of,
    ladders: Callable[[Lesson], Mapping[str, Sequence[str]]] = ladders_of,
    now: Callable[[], datetime] = datetime.now,
) -> list[Path]:
    """Write the exercise notebook of each lesson that has a solution notebook; return their paths.

    The metadata and the hints in the solution notebook are brought up to date too. An exercise notebook that someone has worked in
    is kept beside the new one under a dated name.

    Raises:
        LessonError: as `read_solution`, `prepared_solution` and `exercise_from` do.
    """
    written = []
    for lesson in lessons:
        source = root / "solutions" / f"{lesson.stem}.ipynb"
        if not source.is_file():
            continue
        name = f"solutions/{source.name}"
        solution = prepared_solution(read_solution(root, lesson), points(lesson), ladders(lesson), name=name)
        text = notebook_text(exercise_from(solution, name=name))
        if source.read_text(encoding="utf-8") != notebook_text(solution):
            write_atomically(source, notebook_text(solution))
        target = root / "exercises" / source.name
        if target.exists() and not _is_generated(target):
            _keep(target, now())
        write_atomically(target, text)
        written.append(target)
    return written


def reset_exercise(
    root: Path, lesson: Lesson, *, now: Callable[[], datetime] = datetime.now
) -> tuple[Path, Path | None]:
    """Write a fresh exercise notebook; return its path and that of the old one, kept beside it under a dated name.

    The second is None where there was no old one or nothing had changed in it.

    Raises:
        LessonError: as `read_solution` and `exercise_from` do.
    """
    text = notebook_text(exercise_from(read_solution(root, lesson), name=f"solutions/{lesson.stem}.ipynb"))
    target = root / "exercises" / f"{lesson.stem}.ipynb"
    changed = target.exists() and target.read_bytes() != text.encode()
    kept = _keep(target, now()) if changed else None
    write_atomically(target, text)
    return target, kept


def _keep(path: Path, now: datetime) -> Path:
    content = path.read_bytes()
    for attempt in range(1, 1000):
        suffix = f"-{attempt}" if attempt > 1 else ""
        kept = path.with_name(f"{path.stem}.{now:%Y-%m-%d_%H-%M-%S}{suffix}{path.suffix}")
        try:
            with kept.open("xb") as file:  # x: an earlier one is never overwritten
                file.write(content)
        except FileExistsError:
            continue
        return kept
    raise LessonError(f"{path} could not be kept under a dated name: move some of its older versions away.")


def _is_generated(path: Path) -> bool:
    """Tell whether nothing but outputs has changed since this notebook was generated."""
    try:
        notebook = nbformat.read(path, as_version=4)
        return bool(notebook.metadata["lesson"]["generated"] == _fingerprint(notebook))
    except Exception:  # not a notebook, or not one of ours: whatever it is, someone wrote it
        return False


def _fingerprint(notebook: NotebookNode) -> str:
    cells = [(cell.get("id"), cell.cell_type, cell.source) for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
