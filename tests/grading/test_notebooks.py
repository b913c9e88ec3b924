"""What is stored in a notebook is what every machine would print."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lessonlib.errors import LessonError
from lessonlib.grading.build import (
    NOTEBOOK_METADATA,
    exercise_from,
    notebook_text,
    points_of,
    prepared_solution,
    read_solution,
)
from lessonlib.grading.notebooks import execute, problems
from lessonlib.lessons import LESSONS

ROOT = Path(__file__).resolve().parents[2]


def written(path: Path, *sources: str) -> Path:
    cells = [new_markdown_cell("# Title", id="title")]
    cells += [new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources, start=1)]
    nbformat.write(
        new_notebook(
            cells=cells, metadata={"widgets": {}, "kernelspec": {"name": "other", "display_name": "Other"}}
        ),
        path,
    )
    return path


def test_a_notebook_is_run_in_its_folder_and_stored_in_normal_form(tmp_path):
    (tmp_path / "near.txt").write_text("beside the notebook")
    path = written(
        tmp_path / "a b.ipynb",
        "print('one'); print('two')",
        "print(open('near.txt').read())",
        "import ipywidgets; ipywidgets.IntSlider()",
        "{'seven': 7}",
        "from lessonlib.learning import predict; predict('1-1', 'What now?', ['this', 'that'])",
    )
    execute([path])
    notebook = nbformat.read(path, as_version=4)
    assert problems(notebook) == []
    assert notebook.metadata == NOTEBOOK_METADATA
    assert [cell.id for cell in notebook.cells] == ["title", "c1", "c2", "c3", "c4", "c5"]
    code = notebook.cells[1:]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert [code[0].outputs[0].text, code[1].outputs[0].text] == ["one\ntwo\n", "beside the notebook\n"]
    assert [list(cell.outputs[0].data) for cell in code[2:4]] == [["text/plain"], ["text/plain"]]
    assert [sorted(output.data) for output in code[4].outputs] == [["text/html", "text/plain"]], "no widget"
    first = path.read_bytes()
    execute([path])
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ExceptionGroup('several', [ValueError(1)])", r"in cell c2: ExceptionGroup: several"),
        ("import os; os._exit(0)", r"in cell c2: the kernel died"),
        ("object()", r"Cell c2 shows a memory address"),
    ],
)
def test_a_notebook_that_fails_or_differs_each_time_is_left_as_it_was(tmp_path, source, words):
    path = written(tmp_path / "x.ipynb", "1", source)
    before = path.read_bytes()
    with pytest.raises(LessonError, match=rf"x\.ipynb .*{words}"):
        execute([path])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"execution_count": 2}, "number 2 instead of 1"),
        ({"execution_count": None}, "number None instead of 1"),
        ({"metadata": {"execution": {"iopub.status.busy": "2026"}}}, "metadata of one run"),
        ({"outputs": [new_output("stream", name="stderr", text="beware")]}, "prints to stderr"),
        ({"outputs": [new_output("error", ename="ValueError", evalue="")]}, "shows the error ValueError"),
        ({"outputs": [new_output("stream", text="/opt/conda/x.py")]}, "a machine's path"),
        ({"outputs": [new_output("stream", text="Wall time: 3 ms")]}, "a timing"),
        ({"outputs": [new_output("display_data", {"text/html": "<A object at 0x7f0012ab>"})]}, "a memory"),
    ],
)
def test_what_keeps_a_stored_notebook_from_being_compared_is_named(change, words):
    notebook = new_notebook(
        cells=[new_code_cell("1", id="one", execution_count=1)], metadata=NOTEBOOK_METADATA
    )
    assert problems(notebook) == []
    notebook.cells[0].update(nbformat.from_dict(change))
    (problem,) = problems(notebook)
    assert problem.startswith("Cell one ") and words in problem


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("notebooks/*.ipynb")) + sorted(ROOT.glob("solutions/*.ipynb"))
)
def test_the_repositorys_notebooks_are_stored_as_they_ran(path):
    assert problems(nbformat.read(path, as_version=4)) == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_the_repositorys_exercises_are_what_their_solutions_give(lesson):
    solution = prepared_solution(read_solution(ROOT, lesson), points_of(lesson))
    stored = ROOT / "solutions" / f"{lesson.stem}.ipynb"
    assert stored.read_text(encoding="utf-8") == notebook_text(solution), "run `lesson build`"
    exercise = ROOT / "exercises" / f"{lesson.stem}.ipynb"
    assert exercise.read_text(encoding="utf-8") == notebook_text(exercise_from(solution)), (
        "run `lesson build`"
    )
