"""Exercises come from solutions, the same each time, and no learner's work is ever lost."""

from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from lessonlib.errors import LessonError
from lessonlib.grading.build import (
    build_exercises,
    exercise_from,
    is_backup,
    notebook_text,
    prepared_solution,
    reset_exercise,
    stub_of,
)

from .conftest import MINI, POINTS, solution_notebook

NOON = datetime(2026, 1, 31, 12, 0, 0)


LADDERS = {"90.2": ("Look at **x**.", "Add `x` to itself.", "```\nreturn x + x\n```")}


def build(root: Path, ladders: dict[str, tuple[str, ...]] = LADDERS) -> Path:
    (target,) = build_exercises(
        root, lessons=[MINI], points=lambda _: POINTS, ladders=lambda _: ladders, now=lambda: NOON
    )
    return target


def cell(notebook: NotebookNode, id: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if cell.id == id)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "solutions").mkdir()
    notebook = solution_notebook()
    cell(notebook, "90-1-check").outputs = [new_output("stream", name="stdout", text="90.1 is right.\n")]
    nbformat.write(notebook, tmp_path / "solutions" / f"{MINI.stem}.ipynb")
    return tmp_path


def test_regions_become_nbgraders_stub_with_their_indentation():
    source = "class A:\n    def f(self):\n        ### BEGIN SOLUTION\n        x = 1\n        return x\n        ### END SOLUTION\n    def g(self):\n        ### BEGIN SOLUTION\n        pass\n        ### END SOLUTION"
    stub = "        # YOUR CODE HERE\n        raise NotImplementedError()"
    assert stub_of(source) == f"class A:\n    def f(self):\n{stub}\n    def g(self):\n{stub}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f():\n    ### BEGIN SOLUTION\n    pass", "has no ### END SOLUTION"),
        ("def f():\n    pass\n    ### END SOLUTION", "END SOLUTION without its counterpart"),
        ("def f():\n    ### BEGIN SOLUTION\n    # begin solution\n    pass", "BEGIN SOLUTION without its counterpart"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "is not indented"),
        ("def f(): pass", "no ### BEGIN SOLUTION"),
        ("if 1:\n    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\n  y = 2", "line 4 is not Python"),
    ],
)  # fmt: skip
def test_a_faulty_region_is_named_with_file_and_cell(source, words):
    notebook = solution_notebook()
    cell(notebook, "90-2-solution").source = source
    prepared = prepared_solution(notebook, POINTS)
    with pytest.raises(LessonError, match=rf"^solutions/x\.ipynb, cell 90-2-solution: .*{words}"):
        exercise_from(prepared, name="solutions/x.ipynb")


def test_a_region_outside_a_solution_cell_would_show_the_solution_and_is_refused():
    notebook = solution_notebook()
    notebook.cells.append(new_code_cell("def f():\n    # Begin Solution\n    pass", id="extra"))
    with pytest.raises(LessonError, match="cell extra: a solution region outside a solution cell"):
        exercise_from(prepared_solution(notebook, POINTS))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda nb: cell(nb, "90-1-check").update(id="90-9-check"), "no entry '90.9'"),
        (lambda nb: cell(nb, "90-1-check").update(id="title"), "'title' occurs twice"),
        (lambda nb: cell(nb, "90-1-check").update(source='check("90.2", times_1)'), "holds the one line"),
        (lambda nb: nb.cells.remove(cell(nb, "90-1-solution")), "no cell 90-1-solution"),
    ],
)
def test_an_exercise_with_a_part_missing_or_misnamed_is_refused(change, words):
    notebook = solution_notebook()
    change(notebook)
    with pytest.raises(LessonError, match=words):
        prepared_solution(notebook, POINTS)


def test_the_exercise_has_no_solution_text_no_outputs_and_the_tag(root):
    text = build(root).read_text()
    exercise = nbformat.reads(text, as_version=4)
    assert "result = " not in text and "is right." not in text.replace("{exercise} is right.", "")
    for code in (cell for cell in exercise.cells if cell.cell_type == "code"):
        assert (code.outputs, code.execution_count, code.metadata.tags) == ([], None, ["nbval-ignore-output"])


def test_both_notebooks_carry_nbgraders_metadata_and_the_solution_keeps_its_outputs(root):
    target = build(root)
    for path in (target, root / "solutions" / target.name):
        notebook = nbformat.read(path, as_version=4)
        assert cell(notebook, "90-2-solution").metadata.nbgrader == {
            "grade": False, "grade_id": "90-2-solution", "locked": False,
            "schema_version": 3, "solution": True, "task": False,
        }  # fmt: skip
        check = cell(notebook, "90-2-check").metadata
        assert check.nbgrader == {
            "grade": True, "grade_id": "90-2-check", "locked": True, "points": 20,
            "schema_version": 3, "solution": False, "task": False,
        }  # fmt: skip
        assert (check.deletable, check.editable) == (False, False)
    assert cell(notebook, "90-1-check").outputs[0].text == "90.1 is right.\n"


def test_hints_stand_behind_folds_below_the_text_of_their_exercise(root):
    target = build(root)
    for path in (target, root / "solutions" / target.name):
        notebook = nbformat.read(path, as_version=4)
        text = cell(notebook, "90-2-goal").source
        assert text.startswith("Multiply by 2.\n\n<!-- ") and text.endswith("</details>")
        assert text.count("<details><summary>Hint ") == 3 and "\n\nAdd `x` to itself.\n\n" in text
        assert cell(notebook, "90-1-goal").source == "Multiply by 1."


def test_hints_that_change_replace_the_old_ones(root):
    build(root)
    target = build(root, {"90.2": ("one", "two", "three")})
    text = cell(nbformat.read(target, as_version=4), "90-2-goal").source
    assert "three" in text and "itself" not in text and text.count("<!--") == 1
    target = build(root, {})
    assert cell(nbformat.read(target, as_version=4), "90-2-goal").source == "Multiply by 2."


def test_building_twice_gives_the_same_bytes_and_keeps_nothing(root):
    first = build(root).read_bytes()
    source = (root / "solutions" / f"{MINI.stem}.ipynb").read_bytes()
    target = build(root)
    assert target.read_bytes() == first and first.endswith(b"}\n") and not first.endswith(b"\n\n")
    assert (root / "solutions" / f"{MINI.stem}.ipynb").read_bytes() == source
    assert list(target.parent.iterdir()) == [target]


def test_a_changed_solution_replaces_an_untouched_exercise_and_keeps_one_with_work_in_it(root):
    target = build(root)
    source = root / "solutions" / target.name
    source.write_text(source.read_text().replace("Multiply by 1.", "Times 1."))
    build(root)
    assert list(target.parent.iterdir()) == [target]

    worked = target.read_text().replace("raise NotImplementedError()", "return 7")
    target.write_text(worked)
    build(root)
    (kept,) = set(target.parent.iterdir()) - {target}
    assert kept.name == "90_mini.2026-01-31_12-00-00.ipynb" and is_backup(kept)
    assert kept.read_text() == worked
    assert "return 7" not in target.read_text()


def test_reset_keeps_every_older_version_even_within_one_second(root):
    target = build(root)
    assert reset_exercise(root, MINI, now=lambda: NOON) == (target, None)
    kept = []
    for work in ("first", "not a notebook"):
        target.write_text(work)
        kept.append(reset_exercise(root, MINI, now=lambda: NOON)[1])
    assert [path.read_text() for path in kept] == ["first", "not a notebook"]
    assert kept[1].name == "90_mini.2026-01-31_12-00-00-2.ipynb" and is_backup(kept[1])
    assert "YOUR CODE HERE" in target.read_text()


def test_reset_without_a_solution_notebook_says_so(tmp_path):
    with pytest.raises(LessonError, match=r"90_mini\.ipynb is missing"):
        reset_exercise(tmp_path, MINI)


def test_the_solution_that_is_given_stays_as_it_is():
    prepared = prepared_solution(solution_notebook(), POINTS)
    before = notebook_text(prepared)
    exercise_from(prepared)
    assert notebook_text(prepared) == before
