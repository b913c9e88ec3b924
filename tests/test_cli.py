"""The `lesson` command: what each subcommand makes of its arguments. The work itself is tested where it is done."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lessonlib import cli
from lessonlib.errors import LessonError
from lessonlib.lessons import LESSONS

FIRST = LESSONS[0]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "a clone"
    for folder in ("notebooks", "exercises", "solutions"):
        (root / folder).mkdir(parents=True)
        (root / folder / f"{FIRST.stem}.ipynb").write_text("{}")
    monkeypatch.chdir(root / "exercises")
    return root


def replace(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Callable[..., Any]) -> None:
    """Let `module` hold nothing but these functions."""
    stand_in = ModuleType(module)
    vars(stand_in).update(functions)
    monkeypatch.setitem(sys.modules, module, stand_in)


def lesson(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["lesson", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: calls.append(arguments))
    return calls


@pytest.mark.parametrize(
    "words", [[], [str(FIRST.number)], [f"{FIRST.number:02d}"], [FIRST.name], [FIRST.stem]]
)
def test_lab_opens_the_lesson_that_is_named_and_the_first_if_none_is(
    words: list[str], root: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lesson(monkeypatch, "lab", *words) == 0
    [(program, command, env)] = started
    assert program == command[0] == sys.executable
    assert command[1:3] == ["-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={root}" in command
    assert command[-1] == str(root / "notebooks" / f"{FIRST.stem}.ipynb")
    assert env["PATH"].startswith(str(Path(sys.executable).parent))


@pytest.mark.parametrize("words", [[], [str(FIRST.number)]])
def test_lab_passes_what_stands_after_two_dashes_to_jupyter(
    words: list[str], root: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lesson(monkeypatch, "lab", *words, "--", "--no-browser", "--port", "9999") == 0
    assert "--no-browser --port 9999" in " ".join(started[0][1])


def test_jupyterlab_asks_nothing_about_news(
    root: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyterlab_server.config import get_page_config

    lesson(monkeypatch, "lab")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", started[0][2]["JUPYTER_CONFIG_PATH"])
    assert "@jupyterlab/apputils-extension:announcements" in get_page_config([])["disabledExtensions"]


def test_a_missing_notebook_is_named(
    root: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "notebooks" / f"{FIRST.stem}.ipynb").unlink()
    assert lesson(monkeypatch, "lab") == 2
    assert not started and f"{FIRST.stem}.ipynb" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["lab", "reset"])
def test_an_unknown_lesson_is_answered_with_the_known_ones(
    command: str,
    root: Path,
    started: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    replace(monkeypatch, "lessonlib.grading.build", reset_exercise=None)  # type: ignore[arg-type]
    assert lesson(monkeypatch, command, "99") == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and "'99'" in said
    assert all(known.name in said for known in LESSONS)


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The grader and its reports stood in for; the calls of the grader."""
    calls: list[Any] = []

    def grade(*given: Any, on_progress: Callable[[int, int], None]) -> str:
        calls.append(given)
        on_progress(0, 2)
        on_progress(2, 2)
        return "graded"

    formats = {name: (lambda report, name=name: f"{report} as {name}\n") for name in REPORTS}
    replace(monkeypatch, "lessonlib.grading.grade", grade=grade)
    replace(
        monkeypatch,
        "lessonlib.grading.reports",
        FORMATS=formats,  # type: ignore[arg-type]
        to_table=lambda report: "the table",
    )
    return calls


REPORTS = ("json", "csv", "html", "junit")


@pytest.mark.parametrize("name", REPORTS)
def test_grade_shows_a_table_and_writes_a_report_where_it_is_told(
    name: str,
    root: Path,
    graded: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lesson(monkeypatch, "grade", "..", ".", f"--{name}", "out") == 0
    assert graded == [([Path(".."), Path(".")], root)]
    assert capsys.readouterr() == ("the table\n", "")
    assert Path("out").read_text() == f"graded as {name}\n"


def test_grade_writes_all_reports_at_once(
    root: Path, graded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [word for name in REPORTS for word in (f"--{name}", f"out.{name}")]
    assert lesson(monkeypatch, "grade", ".", *options) == 0
    assert [Path(f"out.{name}").read_text() for name in REPORTS] == [
        f"graded as {name}\n" for name in REPORTS
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_grade_keeps_standard_output_for_one_report_when_asked(
    name: str,
    root: Path,
    graded: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lesson(monkeypatch, "grade", ".", f"--{name}", "-") == 0
    assert capsys.readouterr() == (f"graded as {name}\n", "")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["absent.ipynb"], "'absent.ipynb'"),
        ([".", "--json", "no/such/folder.json"], "'no/such/folder.json'"),
        ([".", "--html", "."], "--html"),
        ([".", "--csv", "-", "--junit", "-"], "give --junit a file"),
    ],
)
def test_grade_names_what_it_cannot_use_before_it_grades(
    words: list[str],
    named: str,
    root: Path,
    graded: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lesson(monkeypatch, "grade", *words) == 2
    said = capsys.readouterr()
    assert named in said.err and len(said.err.splitlines()) == 1
    assert (said.out, graded) == ("", [])


def test_a_report_that_cannot_be_written_is_named_after_the_points_were_shown(
    root: Path, graded: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lesson(monkeypatch, "grade", ".", "--csv", "x" * 300) == 2
    said = capsys.readouterr()
    assert said.out == "the table\n" and "--csv could not write 'xxx" in said.err


@pytest.mark.parametrize(
    ("terminal", "submissions", "shown"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
def test_a_bar_on_the_terminal_shows_how_far_many_submissions_are(
    terminal: bool,
    submissions: int,
    shown: bool,
    root: Path,
    graded: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def grade(*given: Any, on_progress: Callable[[int, int], None]) -> str:
        on_progress(0, submissions)
        return "graded"

    replace(monkeypatch, "lessonlib.grading.grade", grade=grade)
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    assert lesson(monkeypatch, "grade", ".", "--json", "-") == 0
    said = capsys.readouterr()
    assert ("Grading" in said.err) == shown
    assert said.out == "graded as json\n"


def test_build_says_what_it_wrote(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(
        monkeypatch, "lessonlib.grading.build", build_exercises=lambda root: [root / "exercises" / "x.ipynb"]
    )
    replace(
        monkeypatch, "lessonlib.grading.glossary", build_glossary=lambda root: root / "notebooks" / "g.ipynb"
    )
    assert lesson(monkeypatch, "build") == 0
    said = capsys.readouterr().out
    assert str(root / "exercises" / "x.ipynb") in said and str(root / "notebooks" / "g.ipynb") in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [f"notebooks/{FIRST.stem}.ipynb", f"solutions/{FIRST.stem}.ipynb"]),
        (["one.ipynb"], ["one.ipynb"]),
    ],
)
def test_notebooks_runs_those_that_are_named_and_all_if_none_is(
    words: list[str], expected: list[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[Path]] = []
    replace(monkeypatch, "lessonlib.grading.notebooks", execute=calls.append)
    assert lesson(monkeypatch, "notebooks", *words) == 0
    assert calls == [[root / name if not words else Path(name) for name in expected]]


@pytest.mark.parametrize("kept", [None, "old.ipynb"])
def test_reset_says_where_the_old_notebook_is(
    kept: str | None, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reset_exercise(root: Path, asked: object) -> tuple[Path, Path | None]:
        assert asked is FIRST
        return root / "new.ipynb", kept and root / kept  # type: ignore[return-value]

    replace(monkeypatch, "lessonlib.grading.build", reset_exercise=reset_exercise)
    assert lesson(monkeypatch, "reset", str(FIRST.number)) == 0
    said = capsys.readouterr().out
    assert "new.ipynb" in said and ("old.ipynb" in said) == (kept is not None)


def test_an_error_of_ours_is_one_sentence_without_a_traceback(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build_exercises(root: Path) -> list[Path]:
        raise LessonError("Cell 'a' has no end: add '### END SOLUTION'.")

    replace(monkeypatch, "lessonlib.grading.build", build_exercises=build_exercises)
    replace(monkeypatch, "lessonlib.grading.glossary", build_glossary=lambda root: root / "glossary.ipynb")
    assert lesson(monkeypatch, "build") == 2
    assert capsys.readouterr().err == "Cell 'a' has no end: add '### END SOLUTION'.\n"


def test_progress_shows_a_table_and_the_next_step(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LESSON_PIECES", str(root / "my_pieces"))
    monkeypatch.setattr("lessonlib.learning.record._here", {"1.1": 10})
    assert lesson(monkeypatch, "progress") == 0
    said = capsys.readouterr().out
    assert "10 of 100" in said and "Mastery" in said and "Next: exercise " in said


def test_progress_says_what_is_wrong_with_its_file(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LESSON_PIECES", str(root))
    (root / "progress.json").write_text("[bold]broken")
    assert lesson(monkeypatch, "progress") == 0
    assert "progress.json was broken: it is kept as progress.broken-1.json" in capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    show = "import sys, lessonlib.cli; print([m for m in ('numpy', 'matplotlib', 'nbformat', 'IPython') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
