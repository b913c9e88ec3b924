"""Grading: what a submission's solution cells are worth, whatever else the submission holds.

Of a submission only the source of its solution cells is read, found by id; all else comes from the solution notebook
of the lesson. The assembled notebook runs under nbval in a process of its own (`run.py`), with limits on time, memory
and output. Verdicts start at zero: an exercise passes when its solution cell ran and nbval reported its check as
passed. If the kernel is lost, each exercise without a verdict runs once more in a fresh one, alone.

A check that grades goes further than the learner's: it also tries plans and seeds that `check` alone does not show
(`lessonlib/learning/further.py`). That finds answers which were fitted to what the check shows, or were lucky.

What this does not do: the check runs in the same process as the code that it checks, and that process as the same
user as the grader. Code that is written to deceive can still replace `check`, look up a solution on the disk, or read
which further plans come, since they follow from a rule that stands in the package.
Verdicts from outside that process come later; until then, read what you are about to reward.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nbformat

from lessonlib.errors import LessonError
from lessonlib.grading.build import graded_role, is_backup, notebook_text, read_solution, stub_of
from lessonlib.grading.run import Limits, Run, plain, run
from lessonlib.lessons import LESSONS, Lesson

SUBMISSION_BYTES_MAX = 20_000_000
MESSAGE_CHARACTERS_MAX = 800
WORKERS_MAX = 4

Status = Literal["passed", "failed", "not attempted", "broken"]


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one exercise.

    Attributes:
        exercise: its number, as "1.2".
        status: passed; failed (its check said no); not attempted; broken (nothing that a check could judge).
        points: earned.
        possible: 0 for a stretch exercise, which earns a badge.
        message: one short remark, plain text; empty where it passed.
    """

    exercise: str
    status: Status
    points: int
    possible: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one notebook earned.

    Attributes:
        path: as it was given, or found in the folder that was given; unprintable characters escaped.
        lesson: the stem of its lesson's notebooks; None where that could not be told.
        problem: why the file as a whole could not be graded; None where it was.
        results: one for each exercise of the lesson.
        notes: limits that do not work on this system.
    """

    path: str
    lesson: str | None = None
    problem: str | None = None
    results: tuple[Result, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        return sum(result.points for result in self.results)

    @property
    def possible(self) -> int:
        return sum(result.possible for result in self.results)

    @property
    def badges(self) -> list[str]:
        """The stretch exercises that passed."""
        return [r.exercise for r in self.results if r.possible == 0 and r.status == "passed"]


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts on all submissions, in the order in which they were given."""

    submissions: tuple[Submission, ...]


def grade(
    paths: Sequence[Path],
    root: Path,
    *,
    lessons: Sequence[Lesson] = LESSONS,
    limits: Limits = Limits(),  # noqa: B008  frozen
    on_progress: Callable[[int, int], None] = lambda graded, of: None,
) -> Report:
    """Grade notebooks and folders of notebooks.

    Nothing is written beside a submission, and no submission can keep the others from being graded.

    Args:
        paths: notebooks, or folders in which every notebook counts, except hidden ones and dated older versions.
        root: the checkout, whose solutions/ say what is asked and what it is worth.
        lessons: those that can be graded.
        limits: what one submission may use.
        on_progress: called with how many submissions are graded, of how many; first with none.

    Raises:
        LessonError: a path does not exist, a folder holds no notebook, or a solution notebook is missing or not fit for
            use.
    """
    masters = {
        lesson.stem: _Master.read(root, lesson)
        for lesson in lessons
        if (root / "solutions" / f"{lesson.stem}.ipynb").is_file()
    }
    if not masters:
        raise LessonError(
            f"There is no solution notebook in {str(root / 'solutions')!r}: grading needs it; restore it."
        )
    found: dict[Path, None] = {}  # in order, each once
    for path in paths:
        notebooks = list(_notebooks(path))
        if not notebooks:
            raise LessonError(f"There is no notebook in {str(path)!r}: give a notebook or a folder of them.")
        found |= dict.fromkeys(notebooks)
    on_progress(0, len(found))
    with ThreadPoolExecutor(max_workers=min(WORKERS_MAX, os.cpu_count() or 1)) as pool:
        graded = [pool.submit(_grade_one, path, masters, limits) for path in found]
        for number, _ in enumerate(as_completed(graded), 1):
            on_progress(number, len(found))
    return Report(tuple(submission.result() for submission in graded))


def _notebooks(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        if not path.exists():
            raise LessonError(f"There is nothing at {str(path)!r}: give a notebook or a folder of them.")
        yield path
        return
    for inner in sorted(path.rglob("*.ipynb"), key=lambda inner: inner.as_posix()):
        hidden = any(part.startswith(".") for part in inner.relative_to(path).parts)
        if not hidden and not is_backup(inner) and (inner.is_symlink() or not inner.is_dir()):
            yield inner


@dataclass(frozen=True, slots=True)
class _Exercise:
    number: str
    points: int
    solution_id: str
    check_id: str
    stub: str


@dataclass(frozen=True, slots=True)
class _Master:
    """A lesson as its author wrote it: code cells in order, and its exercises."""

    stem: str
    cells: tuple[tuple[str, str], ...]
    exercises: tuple[_Exercise, ...]

    @classmethod
    def read(cls, root: Path, lesson: Lesson) -> _Master:
        notebook = read_solution(root, lesson)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        graded = {part: cell for cell in code if (part := graded_role(cell))}
        exercises = []
        for (number, role), check in graded.items():
            if role != "check":
                continue
            try:
                solution, points = graded[number, "solution"], check.metadata.nbgrader.points
            except (KeyError, AttributeError):
                raise LessonError(
                    f"solutions/{lesson.stem}.ipynb, cell {check.id}: no points or no solution cell: run `lesson build`."
                ) from None
            exercises.append(_Exercise(number, points, solution.id, check.id, stub_of(solution.source)))
        checks = {exercise.check_id for exercise in exercises}
        cells = ((cell.id, _further(cell.source) if cell.id in checks else cell.source) for cell in code)
        return cls(lesson.stem, tuple(cells), tuple(exercises))

    def notebook(self, sources: Mapping[str, str]) -> str:
        """The text of a notebook with these exercises, and all cells that belong to none."""
        answers = {e.solution_id: sources[e.number] for e in self.exercises if e.number in sources}
        left_out = {
            id for e in self.exercises if e.number not in sources for id in (e.solution_id, e.check_id)
        }
        notebook = nbformat.v4.new_notebook()
        for id, source in self.cells:
            if id not in left_out:
                notebook.cells.append(nbformat.v4.new_code_cell(answers.get(id, source), id=id))
        return notebook_text(notebook)


def _further(check: str) -> str:
    """The check's one line, with the plans and seeds that only grading tries."""
    return f"{check.rstrip().removesuffix(')')}, further=True)"


class _Unreadable(Exception):
    """Why a file cannot be graded at all, in words for the learner."""


def _grade_one(path: Path, masters: Mapping[str, _Master], limits: Limits) -> Submission:
    name = plain(path.as_posix()).replace("\n", "\\n")
    stem = None
    try:
        cells = _code_cells(_content(path))
        stem = _stem_by_name(path, masters) or _stem_by_cells(cells, masters)
        if stem is None:
            raise _Unreadable("is not an exercise notebook of this workbook: keep the name that it had")
        master = masters[stem]
        results, notes = _judge(master, _Solutions(cells, master), limits)
    except _Unreadable as problem:
        return Submission(name, stem or _stem_by_name(path, masters), str(problem))
    except Exception as error:  # whatever one submission does, the others are graded
        return Submission(
            name, stem, f"could not be graded ({type(error).__name__}: {plain(str(error))[:200]})"
        )
    return Submission(name, stem, None, results, notes)


def _stem_by_name(path: Path, masters: Mapping[str, _Master]) -> str | None:
    for stem in sorted(masters, key=len, reverse=True):
        if re.search(rf"(?<![^\W_]){re.escape(stem)}(?![^\W_])", path.stem):
            return stem
    return None


def _stem_by_cells(cells: Sequence[tuple[str, str]], masters: Mapping[str, _Master]) -> str | None:
    ids = {id for id, _ in cells}
    shared = {stem: sum(e.solution_id in ids for e in master.exercises) for stem, master in masters.items()}
    best = max(shared, key=lambda stem: shared[stem], default=None)
    return best if best is not None and shared[best] else None


def _content(path: Path) -> dict[str, Any]:
    """Read a file that may be anything: a pipe, a device, a link, a gigabyte, bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _Unreadable("is not a file")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(SUBMISSION_BYTES_MAX + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _Unreadable(f"cannot be read ({error.strerror})") from error
    if len(content) > SUBMISSION_BYTES_MAX:
        raise _Unreadable(f"is larger than {SUBMISSION_BYTES_MAX // 1_000_000} MB: clear its outputs")
    if not content.strip():
        raise _Unreadable("is empty")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _Unreadable("is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise _Unreadable(f"is not valid JSON (line {error.lineno}: {error.msg})") from None
    except (ValueError, RecursionError):
        raise _Unreadable("is not valid JSON") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat"), int):
        raise _Unreadable("is JSON but not a notebook")
    if notebook["nbformat"] < 4:
        try:
            return dict(nbformat.reads(json.dumps(notebook), as_version=4))
        except Exception:  # nbformat's converters raise whatever a strange notebook makes them
            raise _Unreadable(
                f"is of format {notebook['nbformat']} and cannot be converted: open and save it in JupyterLab"
            ) from None
    if notebook["nbformat"] > 4:
        raise _Unreadable(f"is of format {notebook['nbformat']}, newer than the 4 that is known here")
    return notebook


def _code_cells(notebook: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return id and source of each code cell; nbgrader's id counts before the cell's own."""
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise _Unreadable("is JSON but not a notebook")
    found = []
    for cell in cells:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        metadata = cell.get("metadata")
        nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
        source = cell.get("source", "")
        if isinstance(source, list):
            source = "".join(line for line in source if isinstance(line, str))
        if isinstance(source, str):
            # Half a character cannot be written to a file.
            found.append((str(id or cell.get("id")), source.encode("utf-8", "replace").decode("utf-8")))
    return found


class _Solutions:
    """The submission's answers: the source of each exercise that has exactly one cell, and a remark on the others."""

    def __init__(self, cells: Sequence[tuple[str, str]], master: _Master) -> None:
        self.sources: dict[str, str] = {}
        self.remarks: dict[str, str] = {}
        for exercise in master.exercises:
            id = exercise.solution_id
            sources = [source for other, source in cells if other == id]
            if len(sources) == 1:
                self.sources[exercise.number] = sources[0]
            elif sources:
                self.remarks[exercise.number] = (
                    f"Solution cell {id} occurs {len(sources)} times (copied, or split?): "
                    "put your answer into one and delete the others."
                )
            else:
                self.remarks[exercise.number] = (
                    f"Solution cell {id} is missing: `lesson reset {master.stem[:2]}` gives a fresh notebook, "
                    "and keeps this one to copy from."
                )


def _judge(
    master: _Master, solutions: _Solutions, limits: Limits
) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """Run all answers in one kernel, then alone those that trouble has left without a verdict."""
    results = []
    deadline = time.monotonic() + limits.total_s
    with tempfile.TemporaryDirectory(prefix="lesson-grade-", ignore_cleanup_errors=True) as scratch:

        def run_in_scratch(sources: Mapping[str, str]) -> Run:
            folder = Path(tempfile.mkdtemp(dir=scratch))
            (folder / "submission.ipynb").write_text(master.notebook(sources), encoding="utf-8")
            return run(folder / "submission.ipynb", limits, deadline - time.monotonic())

        together = run_in_scratch(solutions.sources)
        for exercise in master.exercises:
            if (source := solutions.sources.get(exercise.number)) is None:
                message = solutions.remarks[exercise.number]
                results.append(Result(exercise.number, "broken", 0, exercise.points, message))
                continue
            judged = together
            if _lost_among_others(exercise, together, master):
                judged = run_in_scratch({exercise.number: source})
            results.append(_verdict(exercise, source, judged))
    return tuple(results), together.notes


def _lost_among_others(exercise: _Exercise, run: Run, master: _Master) -> bool:
    """Tell whether an exercise has no verdict for a reason that may be another's."""
    end = run.cells.get(exercise.check_id)
    if not run.cells or (end and not end.trouble):
        return False
    others = {e.solution_id for e in master.exercises} - {exercise.solution_id}
    is_first = exercise.solution_id in run.cells and not others & run.cells.keys()
    return len(others) > 0 and not is_first


def _verdict(exercise: _Exercise, source: str, run: Run) -> Result:
    solution, check = run.cells.get(exercise.solution_id), run.cells.get(exercise.check_id)
    status: Status
    if solution and check and solution.passed and check.passed:
        return Result(exercise.number, "passed", exercise.points, exercise.points)
    if solution is None or check is None or check.trouble:
        status, message = "broken", run.lost or "The check did not run."
    elif source.strip() == exercise.stub.strip() or check.error == "NotImplementedError":
        status, message = "not attempted", "Not attempted yet."
    elif not solution.passed:
        status, message = "broken", f"The solution cell does not run: {solution.message}"
    else:
        status, message = "failed", check.message
    if "NameError" in message:
        message += "\nA helper of your own must stand in the solution cell: other cells are not graded."
    if len(message) > MESSAGE_CHARACTERS_MAX:
        message = message[: MESSAGE_CHARACTERS_MAX - 1] + "…"
    return Result(exercise.number, status, 0, exercise.points, message)
