"""A lesson in miniature: five exercises whose checks are plain assertions."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lessonlib.grading.build import build_exercises
from lessonlib.lessons import Lesson

MINI = Lesson(90, "mini", "A lesson in miniature")
POINTS = {"90.1": 10, "90.2": 20, "90.3": 30, "90.4": 40, "90.5": 0}

SET_UP = """\
class CheckFailed(Exception):
    def _render_traceback_(self):
        return [f"\\x1b[31mNot yet:\\x1b[0m {self}"]

def check(exercise, answer, further=False):
    for x in (3, 7) if further else (3,):
        got, expected = answer(x), int(exercise.split(".")[1]) * x
        if got != expected:
            raise CheckFailed(f"answer({x}) is {got}, not {expected}.")
    print(f"{exercise} is right.")"""


def solution(number: int, body: str | None = None) -> str:
    """The source of a solution cell; without a body, as its author wrote it."""
    marked = f"    ### BEGIN SOLUTION\n    result = {number} * x\n    return result\n    ### END SOLUTION"
    return f"def times_{number}(x):\n{marked if body is None else '    ' + body}"


def solution_notebook() -> NotebookNode:
    cells = [
        new_markdown_cell("# Exercises", id="title"),
        new_code_cell(SET_UP, id="set-up", execution_count=1),
    ]
    for number in range(1, 6):
        cells += [
            new_markdown_cell(f"Multiply by {number}.", id=f"90-{number}-goal"),
            new_code_cell(solution(number), id=f"90-{number}-solution"),
            new_code_cell(f'check("90.{number}", times_{number})', id=f"90-{number}-check"),
        ]
    return new_notebook(cells=cells)


@pytest.fixture(scope="session")
def mini_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the miniature lesson alone, its exercises built."""
    root = tmp_path_factory.mktemp("a checkout")
    (root / "solutions").mkdir()
    nbformat.write(solution_notebook(), root / "solutions" / f"{MINI.stem}.ipynb")
    build_exercises(root, lessons=[MINI], points=lambda _: POINTS, ladders=lambda _: {})
    return root
