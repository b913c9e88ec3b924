"""Where things stand on the learner's disk: the checkout, and in it the folder of what they have made."""

from __future__ import annotations

import os
from pathlib import Path

from lessonlib.errors import LessonError

# Names the folder for saved pieces and progress; empty: nothing is saved, and nothing that was saved is read.
# Whoever runs notebooks that are not the learner's own at work (grading, tests, `lesson notebooks`) sets it empty.
MINE_VARIABLE = "LESSON_PIECES"
MINE_FOLDER = "my_pieces"


def find_root(start: Path) -> Path:
    """Return the checkout: the nearest folder upwards that holds the notebooks, else that of the installed package.

    Raises:
        LessonError: there is none, as when the package was installed without its notebooks.
    """
    for folder in (start, *start.parents, Path(__file__).resolve().parents[1]):
        if (folder / "notebooks").is_dir() and (folder / "exercises").is_dir():
            return folder
    raise LessonError(
        f"No folder with notebooks/ and exercises/ at or above {str(start)!r}: go to your clone and try again."
    )


def my_folder() -> Path | None:
    """Return the folder of the learner's saved pieces and progress, which need not exist; None where nothing is saved.

    It is the one that LESSON_PIECES names, else `my_pieces` in the checkout. A run of our own solutions saves nothing.
    """
    named = os.environ.get(MINE_VARIABLE)
    if named is not None:
        return Path(named).expanduser().absolute() if named.strip() else None
    here = Path.cwd()
    try:
        root = find_root(here)
    except LessonError:
        return None
    return None if here == root / "solutions" else root / MINE_FOLDER


def short(path: Path) -> str:
    """Return how to name a file of the learner's: from the checkout where it lies in it, so the same on every machine."""
    try:
        return path.relative_to(find_root(Path.cwd())).as_posix()
    except (LessonError, ValueError):
        return str(path)


def write_atomically(path: Path, text: str) -> None:
    """Write the text beside the file and then put it in its place, so that a crash leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)
