"""The notebooks in the repository: in step with each other, normalised, and failing only where they should."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest

from lessonlib.grading.build import (
    exercise_from,
    ladders_of,
    notebook_text,
    points_of,
    prepared_solution,
)
from lessonlib.grading.notebooks import problems
from lessonlib.learning.check import exercises
from lessonlib.lessons import LESSONS

ROOT = Path(__file__).parents[1]
EACH_LESSON = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)


def notebook(folder, lesson):
    return nbformat.read(ROOT / folder / f"{lesson.stem}.ipynb", as_version=4)


@EACH_LESSON
def test_the_exercises_are_what_the_solutions_generate(lesson):
    shipped = (ROOT / "exercises" / f"{lesson.stem}.ipynb").read_text(encoding="utf-8")
    assert shipped == notebook_text(exercise_from(notebook("solutions", lesson))), "run `make build`"


@EACH_LESSON
def test_hints_and_points_in_the_solutions_are_those_of_the_checks(lesson):
    stored = notebook("solutions", lesson)
    prepared = prepared_solution(stored, points_of(lesson), ladders_of(lesson))
    assert notebook_text(prepared) == notebook_text(stored), "run `make build`"


@EACH_LESSON
@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_a_committed_notebook_is_executed_in_order_and_normalised(folder, lesson):
    assert problems(notebook(folder, lesson)) == []


@EACH_LESSON
def test_every_exercise_has_its_cells_and_the_lesson_points_to_it(lesson):
    ids = {cell["id"] for cell in notebook("solutions", lesson).cells}
    text = "\n".join(cell.source for cell in notebook("notebooks", lesson).cells)
    for exercise_id in exercises(lesson.name):
        stem = exercise_id.replace(".", "-")
        assert {f"{stem}-goal", f"{stem}-solution", f"{stem}-check"} <= ids
        assert f"exercise {exercise_id}" in text or f"({exercise_id})" in text


@EACH_LESSON
def test_build_points_are_80_and_diagnose_points_20(lesson):
    points = {id_: exercise.points for id_, exercise in exercises(lesson.name).items()}
    diagnose = [id_ for id_, exercise in exercises(lesson.name).items() if exercise.title == "diagnose"]
    assert len(diagnose) == 1
    assert points.pop(diagnose[0]) == 20
    assert sum(points.values()) == 80


@EACH_LESSON
def test_the_shipped_exercises_fail_at_their_graded_cells_and_nowhere_else(lesson, tmp_path):
    report = tmp_path / "report.xml"
    path = ROOT / "exercises" / f"{lesson.stem}.ipynb"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            str(path),
            "-q",
            f"--junitxml={report}",
            "-p",
            "no:xdist",
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    failed = {
        int(case.get("name").removeprefix("Cell "))
        for case in ElementTree.parse(report).iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    }
    code = [cell for cell in notebook("exercises", lesson).cells if cell.cell_type == "code"]
    assert failed == {n for n, cell in enumerate(code) if cell["id"].endswith("-check")}
