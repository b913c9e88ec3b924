"""Which exercises have passed, kept in `progress.json` in the learner's folder. A pass stays a pass, whatever comes later."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lessonlib.places import my_folder, short, write_atomically

FILE = "progress.json"
KEPT_MAX = 100  # broken files kept aside
_here: dict[str, int] = {}  # what passed in this process; all there is where nothing can be saved


def count(exercise_id: str, points: int) -> str:
    """Note that an exercise passed. Returns a sentence for the learner where something is wrong with the file, else ""."""
    _here[exercise_id] = max(points, _here.get(exercise_id, 0))
    folder = my_folder()
    if folder is None:
        return ""
    path = folder / FILE
    try:
        passed, said = _read(path)
        passed[exercise_id] = max(points, passed.get(exercise_id, 0))
        text = json.dumps({"version": 1, "passed": passed}, indent=2, sort_keys=True)
        write_atomically(path, text + "\n")
    except OSError as error:
        return f"{_trouble(path, error)} Until then this pass counts in this kernel only."
    return said


def passed() -> tuple[dict[str, int], str]:
    """Return the points of each exercise that has passed, by id, and a sentence where something is wrong, else ""."""
    folder = my_folder()
    saved: dict[str, int] = {}
    said = ""
    if folder is not None:
        try:
            saved, said = _read(folder / FILE)
        except OSError as error:
            said = _trouble(folder / FILE, error)
    return {id_: max(saved.get(id_, 0), _here.get(id_, 0)) for id_ in saved | _here}, said


def _trouble(path: Path, error: OSError) -> str:
    return (
        f"Your progress is kept in {short(path)}, which cannot be used ({error.strerror}): mend or remove it."
    )


def _read(path: Path) -> tuple[dict[str, int], str]:
    """Return what the file holds. One that is broken is kept aside, and the sentence says so. Raises OSError."""
    try:
        return _checked(json.loads(path.read_text(encoding="utf-8"))), ""
    except FileNotFoundError:
        return {}, ""
    except (ValueError, RecursionError):  # among them what JSON and UTF-8 raise
        kept = next(
            (
                k
                for n in range(1, KEPT_MAX)
                if not (k := path.with_name(f"progress.broken-{n}.json")).exists()
            ),
            path.with_name(f"progress.broken-{KEPT_MAX}.json"),
        )
        os.replace(path, kept)
        return {}, f"{short(path)} was broken: it is kept as {kept.name}, and a new one is begun."


def _checked(content: Any) -> dict[str, int]:
    """Return what passed. Raises ValueError for what was never written here."""
    held = content.get("passed") if isinstance(content, dict) else None
    if not isinstance(held, dict) or not all(type(points) is int and points >= 0 for points in held.values()):
        raise ValueError("no record of progress")
    return held
