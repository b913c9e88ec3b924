"""The `lesson` command. Each subcommand is thin and imports its work when it is called, so `--help` is quick."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lessonlib.errors import LessonError
from lessonlib.lessons import LESSONS, Lesson
from lessonlib.places import find_root

app = typer.Typer(
    help="Lessons on streaming system design: open them, grade exercises, start one afresh.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

LessonName = Annotated[
    str, typer.Argument(metavar="NN", help="The lesson's number or name: 1, 01, event_driven.")
]


def _report_option(form: str) -> Any:
    return typer.Option(metavar="FILE", help=f"Also write the report {form}; - for standard output only.")


# Read by JupyterLab beside the user's own: no question about news and no look for updates, so no network.
JUPYTER_CONFIG = Path(__file__).resolve().parent / "jupyter"


def find_lesson(name: str) -> Lesson:
    """Return the lesson of that number or name.

    Raises:
        LessonError: there is no such lesson; the message lists those that there are.
    """
    for lesson in LESSONS:
        if name in (lesson.name, lesson.stem) or (name.isdecimal() and int(name) == lesson.number):
            return lesson
    known = ", ".join(f"{lesson.number:02d} ({lesson.name})" for lesson in LESSONS)
    raise LessonError(f"There is no lesson {name!r}: the lessons are {known}.")


@app.command()
def lab(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="NN [-- OPTIONS]", help="The lesson, the first if left out."),
    ] = None,
) -> None:
    """Open JupyterLab on a lesson; options after -- are passed on to it."""
    words = words or []
    lesson = find_lesson(words.pop(0)) if words and not words[0].startswith("-") else LESSONS[0]
    root = find_root(Path.cwd())
    notebook = root / "notebooks" / f"{lesson.stem}.ipynb"
    if not notebook.is_file():
        raise LessonError(
            f"The notebook of lesson {lesson.number:02d} is missing: restore {str(notebook)!r}."
        )
    prefixes = {
        "JUPYTER_CONFIG_PATH": str(JUPYTER_CONFIG),
        # The terminal in JupyterLab and `!` in a cell should find the same environment.
        "PATH": str(Path(sys.executable).parent),
    }
    paths = {
        name: os.pathsep.join(filter(None, (prefix, os.environ.get(name))))
        for name, prefix in prefixes.items()
    }
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", *words, str(notebook)]
    # In place of this process, so that Ctrl-C is JupyterLab's to answer.
    os.execve(sys.executable, command, os.environ | paths)


@app.command()
def grade(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Exercise notebooks, or folders of them.")
    ],
    json: Annotated[str | None, _report_option("as JSON")] = None,
    csv: Annotated[str | None, _report_option("as a table for a mark book")] = None,
    html: Annotated[str | None, _report_option("as one web page")] = None,
    junit: Annotated[str | None, _report_option("as JUnit's XML")] = None,
) -> None:
    """Grade exercises and show the points."""
    from rich.console import Console
    from rich.progress import Progress

    from lessonlib.grading.grade import grade as grade_submissions
    from lessonlib.grading.reports import FORMATS, to_table

    for path in paths:
        if not path.exists():
            raise LessonError(
                f"There is nothing to grade at {str(path)!r}: give a notebook or a folder of them."
            )
    wanted = {name: file for name, file in locals().items() if name in FORMATS and file is not None}
    to_files = {name: Path(file) for name, file in wanted.items() if file != "-"}
    to_stdout = [name for name, file in wanted.items() if file == "-"]
    if len(to_stdout) > 1:
        raise LessonError(
            f"Only one report can go to standard output, not {len(to_stdout)}: give --{to_stdout[1]} a file."
        )
    for name, file in to_files.items():  # before the work, which may take an hour
        if os.path.isdir(file) or not os.path.isdir(file.absolute().parent):
            raise LessonError(
                f"--{name} {str(file)!r} cannot be written: give a file in a folder that exists."
            )
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("Grading", visible=False)
        report = grade_submissions(
            paths,
            find_root(Path.cwd()),
            on_progress=lambda graded, of: bar.update(task, completed=graded, total=of, visible=of > 1),
        )
    if to_stdout:
        typer.echo(FORMATS[to_stdout[0]](report), nl=False)
    else:
        Console().print(to_table(report))
    for name, file in to_files.items():
        try:
            file.write_text(FORMATS[name](report), encoding="utf-8", newline="")
        except OSError as error:
            raise LessonError(
                f"--{name} could not write {str(file)!r} ({error.strerror}): give another file."
            ) from error


@app.command()
def progress() -> None:
    """Show what has passed, the points, mastery of each lesson, and the next step."""
    from rich.console import Console
    from rich.table import Table

    from lessonlib.learning import record
    from lessonlib.learning.standing import HEAD, next_words, standings

    find_root(Path.cwd())
    passed, said = record.passed()
    found = standings(passed)
    table = Table(*HEAD)
    for standing in found:
        table.add_row(*standing.row)
    console = Console()
    console.print(table)
    for line in filter(None, (next_words(found), said)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def build() -> None:
    """Write the exercise notebooks from the solutions, and the glossary from the lessons."""
    from lessonlib.grading.build import build_exercises
    from lessonlib.grading.glossary import build_glossary

    root = find_root(Path.cwd())
    for path in (*build_exercises(root), build_glossary(root)):
        typer.echo(f"Wrote {path}")


@app.command()
def notebooks(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Notebooks; all of notebooks/ and solutions/ if left out."),
    ] = None,
) -> None:
    """Run notebooks again and store their outputs."""
    from lessonlib.grading.notebooks import execute

    if not paths:
        root = find_root(Path.cwd())
        paths = [
            path for folder in ("notebooks", "solutions") for path in sorted((root / folder).glob("*.ipynb"))
        ]
    execute(paths)


@app.command()
def doctor() -> None:
    """Try what the lessons need; say what to do where something fails."""
    from lessonlib.doctor import examine

    healthy = True
    for finding in examine():
        healthy = healthy and finding.good
        typer.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.name}: {finding.seen}")
        if finding.remedy:
            typer.echo(f"      {finding.remedy}")
    if not healthy:
        raise typer.Exit(1)


@app.command()
def reset(name: LessonName) -> None:
    """Start a lesson's exercises afresh; your old notebook is kept beside the new one."""
    from lessonlib.grading.build import reset_exercise

    lesson = find_lesson(name)
    fresh, kept = reset_exercise(find_root(Path.cwd()), lesson)
    typer.echo(f"Wrote {fresh}")
    if kept is not None:
        typer.echo(f"Your old one is {kept}")


def main() -> None:
    """Run the command; an error of ours becomes one sentence and exit code 2."""
    try:
        app(prog_name="lesson")
    except LessonError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
