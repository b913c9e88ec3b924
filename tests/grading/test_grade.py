"""Submissions of every kind, graded together: none harms another, and nothing but solution cells counts."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from rich.console import Console

from lessonlib.errors import LessonError
from lessonlib.grading.grade import Report, Submission, grade
from lessonlib.grading.reports import to_json, to_table
from lessonlib.grading.run import Limits

from .conftest import MINI, solution

LIMITS = Limits(cell_s=4, total_s=90)


def answer(notebook: NotebookNode, number: int, source: str) -> None:
    next(cell for cell in notebook.cells if cell.id == f"90-{number}-solution").source = source


def replaced(number: int, body: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: answer(notebook, number, solution(number, body))


def before(number: int, statement: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: answer(
        notebook, number, f"{statement}\n{solution(number, f'return {number} * x')}"
    )


def without_a_cell_and_with_one_twice(notebook: NotebookNode) -> None:
    cells = [cell for cell in notebook.cells if cell.id != "90-1-solution"]
    twin = deepcopy(next(cell for cell in cells if cell.id == "90-2-solution"))
    twin.id = "pasted"
    notebook.cells = [*cells, twin]


def split(notebook: NotebookNode) -> None:
    index = next(i for i, cell in enumerate(notebook.cells) if cell.id == "90-2-solution")
    half = deepcopy(notebook.cells[index])
    notebook.cells[index].source, half.source = "def times_2(x):", "    return 2 * x"
    half.id = "other-half"
    notebook.cells.insert(index + 1, half)


def forged(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata["tags"] = ["nbval-skip", "skip-execution", "raises-exception"]
        if cell.id.endswith("-check"):
            cell.source = "print('right')"
            cell.execution_count = 1
            cell.outputs = [new_output("stream", name="stdout", text="90.1 is right.\n")]
            cell.metadata.nbgrader.points = 1000
        if cell.id.endswith("-solution"):
            cell.source = f"# NBVAL_SKIP\n# NBVAL_RAISES_EXCEPTION\n{solution(int(cell.id[3]), 'return 0')}"


def noisy(notebook: NotebookNode) -> None:
    notebook.cells.insert(0, new_code_cell("raise SystemExit", id="mine"))
    before(1, "import warnings; warnings.warn('beware'); print('hello')")(notebook)


def strange_answers(notebook: NotebookNode) -> None:
    notebook.cells.insert(2, new_code_cell("def helper(x): return x", id="helper"))
    replaced(1, "return helper(x)")(notebook)
    answer(notebook, 2, "")
    answer(notebook, 3, "'\ud800\x00'\n" + solution(3, "return 3 * x"))  # no text file can hold this


MISDEEDS = {
    "right": lambda notebook: None,
    "wrong": replaced(2, "return 'x' * 5_000"),
    "lucky": replaced(2, "return 6"),
    "cells": without_a_cell_and_with_one_twice,
    "split": split,
    "does_not_run": lambda notebook: answer(notebook, 2, "def times_2(x:"),
    "forged": forged,
    "noisy": noisy,
    "strange": strange_answers,
    "dead": before(4, "import os; os._exit(0)"),
    "killed": replaced(4, "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"),
    "loop": replaced(
        4, "\n        while True:\n            try: pass\n            except BaseException: pass"
    ),
    "flood": replaced(1, "print('x' * 1_000_000_000)"),
    "endless_flood": replaced(
        5,
        "\n        while True:\n            try: print('x' * 10_000)\n            except BaseException: pass",
    ),
    "greedy": replaced(1, "return len(bytearray(30_000_000_000))"),
    "file": replaced(4, "open('big', 'wb').write(bytes(200_000_000))"),
}
BROKEN_FILES: dict[str, bytes] = {
    "invalid_json": b'{"cells": [',
    "empty": b"",
    "not_text": b"\xff\xfe\x00",
    "a_list": b"[1, 2]",
    "deep": b"[" * 100_000,
    "future": b'{"nbformat": 99, "cells": []}',
    "ancient": b'{"nbformat": 1, "worksheets": 3}',
    "no_cells": b'{"nbformat": 4, "cells": 3}',
}


@pytest.fixture(scope="module")
def solved(mini_root: Path) -> NotebookNode:
    """The exercise notebook, every answer right."""
    notebook = nbformat.read(mini_root / "exercises" / f"{MINI.stem}.ipynb", as_version=4)
    for number in range(1, 6):
        answer(notebook, number, solution(number, f"return x * {number}"))
    return notebook


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, solved: NotebookNode) -> Path:
    folder = tmp_path_factory.mktemp("class")
    for name, spoil in MISDEEDS.items():
        notebook = deepcopy(solved)
        spoil(notebook)
        (folder / f"{name}_{MINI.stem}.ipynb").write_text(json.dumps(notebook))  # nbformat would refuse some
    for name, content in BROKEN_FILES.items():
        (folder / f"{name}_{MINI.stem}.ipynb").write_bytes(content)
    nbformat.write(nbformat.convert(solved, 3), folder / f"version_3_{MINI.stem}.ipynb")
    (folder / f"renamed[red]\n{'n' * 150}.ipynb").write_text(json.dumps(solved))
    (folder / "unrelated.ipynb").write_text(json.dumps(nbformat.v4.new_notebook()))
    (folder / "directory.ipynb").mkdir()
    (folder / "dangling.ipynb").symlink_to("nowhere")
    (folder / "device.ipynb").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / f"{MINI.stem}.ipynb").write_text("{}")
    (folder / f"{MINI.stem}.2026-01-31_12-00-00.ipynb").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def report(folder: Path, mini_root: Path) -> Report:
    return grade([folder], mini_root, lessons=[MINI], limits=LIMITS)


@pytest.fixture(scope="module")
def of(report: Report) -> Callable[[str], Submission]:
    return lambda name: next(s for s in report.submissions if Path(s.path).name.startswith(name))


def statuses(submission: Submission) -> list[str]:
    return [result.status for result in submission.results]


def only(number: int, status: str) -> list[str]:
    return [status if n == number else "passed" for n in range(1, 6)]


def test_right_answers_earn_all_points_and_the_badge(of):
    right = of("right")
    assert (right.points, right.possible, right.badges, right.problem) == (100, 100, ["90.5"], None)
    assert right.lesson == "90_mini"


def test_a_wrong_answer_costs_its_own_points_and_shows_the_checks_words_alone(of):
    assert of("wrong").points == 80
    message = of("wrong").results[1].message
    assert message.startswith("Not yet: answer(3) is xxx") and len(message) <= 800


def test_an_answer_that_only_fits_what_the_check_shows_earns_nothing(of):
    assert statuses(of("lucky")) == only(2, "failed")
    assert of("lucky").results[1].message == "Not yet: answer(7) is 6, not 14."


def test_a_missing_and_a_doubled_cell_each_cost_one_exercise(of):
    cells = of("cells")
    assert statuses(cells) == ["broken", "broken", "passed", "passed", "passed"]
    assert "90-1-solution is missing: `lesson reset 90`" in cells.results[0].message
    assert "90-2-solution occurs 2 times" in cells.results[1].message


def test_a_split_cell_costs_one_exercise(of):
    assert statuses(of("split")) == only(2, "broken")


def test_a_cell_that_does_not_run_costs_one_exercise(of):
    assert statuses(of("does_not_run")) == only(2, "broken")
    assert "SyntaxError" in of("does_not_run").results[1].message


def test_forged_outputs_edited_checks_tags_and_markers_count_for_nothing(of):
    assert statuses(of("forged")) == ["failed"] * 5
    assert (of("forged").points, of("forged").possible) == (0, 100)


def test_warnings_prints_and_cells_of_ones_own_cost_nothing(of):
    assert of("noisy").points == 100


def test_a_helper_outside_the_solution_cell_is_explained(of):
    assert statuses(of("strange"))[0] == "failed"
    assert "must stand in the solution cell" in of("strange").results[0].message


def test_an_empty_answer_is_not_filled_from_the_solution(of):
    assert statuses(of("strange"))[1] == "failed"


def test_text_that_no_file_can_hold_costs_one_exercise(of):
    assert statuses(of("strange"))[2:] == ["broken", "passed", "passed"]


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("dead", 4, "kernel died"),
        ("killed", 4, "process that runs the cells died"),
        ("loop", 4, "longer than 4 s"),
        ("endless_flood", 5, "printed more than"),
    ],
)
def test_trouble_costs_the_exercise_that_made_it(of, name, number, words):
    assert statuses(of(name)) == only(number, "broken")
    assert words in of(name).results[number - 1].message


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [("flood", 1, "printed more than"), ("greedy", 1, "MemoryError"), ("file", 4, "File too large")],
)
def test_what_exceeds_a_limit_costs_one_exercise(of, name, number, words):
    assert statuses(of(name)) == only(number, "failed")
    assert words in of(name).results[number - 1].message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("invalid_json", "is not valid JSON (line 1"),
        ("empty_90", "is empty"),
        ("not_text", "is not UTF-8 text"),
        ("a_list", "is JSON but not a notebook"),
        ("deep", "is not valid JSON"),
        ("future", "is of format 99, newer"),
        ("ancient", "is of format 1 and cannot be converted"),
        ("no_cells", "is JSON but not a notebook"),
        ("unrelated", "is not an exercise notebook"),
        ("dangling", "cannot be read (No such file or directory)"),
        ("device", "is not a file"),
        ("pipe", "is not a file"),
    ],
)
def test_a_broken_file_is_reported_plainly(of, name, words):
    assert of(name).problem.startswith(words)
    assert of(name).results == ()


def test_an_older_format_is_converted(of):
    assert of("version_3").points == 100


def test_a_renamed_notebook_is_known_by_its_cells(of):
    assert of("renamed").points == 100


def test_older_versions_checkpoints_and_directories_are_left_alone(report, folder):
    graded = {Path(submission.path).name for submission in report.submissions}
    assert len(graded) == len(MISDEEDS) + len(BROKEN_FILES) + 6
    assert not graded & {"directory.ipynb", f"{MINI.stem}.ipynb", f"{MINI.stem}.2026-01-31_12-00-00.ipynb"}


def test_nothing_is_written_beside_the_submissions(report, folder):
    assert len(list(folder.iterdir())) == len(report.submissions) + 3


def test_the_report_is_json_in_the_order_of_the_names(report):
    entries = json.loads(to_json(report))["submissions"]
    names = [entry["path"] for entry in entries]
    assert names == sorted(names)
    right = next(entry for entry in entries if "right" in entry["path"])
    assert right["exercises"][0] == {
        "exercise": "90.1", "status": "passed", "points": 10, "possible": 10, "message": ""
    }  # fmt: skip


def printed(report: Report) -> str:
    console = Console(width=200, record=True, file=open(os.devnull, "w"))
    console.print(to_table(report))
    return console.export_text()


def test_the_table_shows_names_as_they_are_and_not_as_markup(of):
    text = printed(Report((replace(of("right"), path="[red]anna[/] \\n.ipynb"), of("empty_90"))))
    assert "[red]anna[/] \\n.ipynb" in text
    assert "100 of 100" in text
    assert "is empty" in text


def test_unprintable_characters_in_names_are_escaped(of):
    assert "renamed[red]\\nnn" in of("renamed").path


def test_the_table_of_a_single_submission_shows_each_exercise(of):
    text = printed(Report((of("wrong"),)))
    assert "Not yet: answer(3) is" in text
    assert "badge earned" in text
    assert "80 of 100" in text


def test_a_fresh_notebook_earns_nothing_and_says_why(mini_root):
    report = grade([mini_root / "exercises"], mini_root, lessons=[MINI], limits=LIMITS)
    assert statuses(report.submissions[0]) == ["not attempted"] * 5
    assert report.submissions[0].points == 0


def test_a_submission_may_not_take_longer_than_its_time_in_all(folder, mini_root):
    limits = Limits(cell_s=60, total_s=3)
    report = grade([folder / f"loop_{MINI.stem}.ipynb"], mini_root, lessons=[MINI], limits=limits)
    assert statuses(report.submissions[0])[3:] == ["broken"] * 2
    assert "may take 3 s in all" in report.submissions[0].results[3].message


def test_progress_is_told_from_none_to_all(mini_root, folder):
    told = []
    paths = [folder / f"{name}_{MINI.stem}.ipynb" for name in ("empty", "deep", "a_list")]
    grade(paths, mini_root, lessons=[MINI], on_progress=lambda graded, of: told.append((graded, of)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_path_without_a_notebook_is_refused(mini_root, tmp_path):
    with pytest.raises(LessonError, match="There is no notebook in"):
        grade([tmp_path], mini_root, lessons=[MINI])
    with pytest.raises(LessonError, match="There is nothing at"):
        grade([tmp_path / "absent.ipynb"], mini_root, lessons=[MINI])


def test_without_solutions_there_is_nothing_to_grade_against(mini_root, tmp_path):
    with pytest.raises(LessonError, match=r"no solution notebook in .*: grading needs it"):
        grade([mini_root / "exercises"], tmp_path, lessons=[MINI])
