"""Whatever runs notebooks that are not the learner's own at work saves none of their pieces, wherever these would go."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from lessonlib.grading.grade import grade
from lessonlib.grading.notebooks import execute
from lessonlib.lessons import LESSONS

ROOT = Path(__file__).resolve().parents[2]
WHERE = "import os\nprint(repr(os.environ['LESSON_PIECES']))"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a learner has chosen for their pieces."""
    monkeypatch.setenv("LESSON_PIECES", str(tmp_path / "pieces"))
    return tmp_path / "pieces"


def test_grading_a_submission_that_passes_saves_nothing(folder: Path) -> None:
    lesson = next(lesson for lesson in LESSONS if lesson.name == "event_driven")
    report = grade([ROOT / "solutions" / f"{lesson.stem}.ipynb"], ROOT)
    assert report.submissions[0].points == 100
    assert not folder.exists()


def test_running_notebooks_to_store_their_outputs_saves_nothing(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(WHERE, id="where")]), path)
    execute([path])
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "''\n"


def test_nbval_saves_nothing(folder: Path, tmp_path: Path) -> None:
    cell = new_code_cell(WHERE, id="where", execution_count=1)
    cell.outputs = [new_output("stream", name="stdout", text="''\n")]
    path = tmp_path / "one.ipynb"
    nbformat.write(new_notebook(cells=[cell]), path)
    settings = ["-c", str(ROOT / "pyproject.toml"), "-q", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", *settings, "--nbval", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
