"""`hints("1.2")`: an exercise's ladder of hints, a rung behind each fold. A failing check opens the rung that fits.

The rungs are data (`Exercise.ladder`), Markdown. `lesson build` writes them, folded, below each exercise's text, so
they can be read before anything has run. What is shown here is plain HTML in Markdown: no widget, no state.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lessonlib.errors import LessonError
from lessonlib.learning.catalogue import find
from lessonlib.learning.exercises import RUNGS


class Ladder:
    """The hints of one exercise: folded in a notebook, plain text elsewhere.

    Attributes:
        opened: the number of the rung that stands open, from 1; 0 for none.
    """

    def __init__(self, exercise_id: str, rungs: Sequence[str], *, opened: int = 0) -> None:
        self._id = exercise_id
        self._rungs = tuple(rungs)
        self.opened = opened

    def describe(self) -> str:
        """Return the open rung in words, or all of them when none is open."""
        shown = [
            f"Hint {number} of exercise {self._id}, {RUNGS[number - 1]}:\n{_plain(rung)}"
            for number, rung in enumerate(self._rungs, 1)
            if self.opened in (0, number)
        ]
        return "\n\n".join(shown) or f"Exercise {self._id} has no hints."

    def __repr__(self) -> str:
        return self.describe()

    def _repr_markdown_(self) -> str:
        return folds(self._rungs, opened=self.opened) or self.describe()


def hints(exercise_id: str) -> Ladder:
    """Return the exercise's ladder of hints: what to look at, the idea, pseudocode.

    Raises LessonError when there is no such exercise.
    """
    return Ladder(exercise_id, find(exercise_id).ladder)


def folds(rungs: Sequence[str], *, opened: int = 0) -> str:
    """Return the rungs as Markdown, each behind a fold; the one numbered `opened` stands open.

    Raises LessonError when there is no rung of that number.
    """
    if opened not in range(len(rungs) + 1):
        raise LessonError(f"there is no rung {opened!r}; give a number from 0 (none) to {len(rungs)}")
    # Markdown inside HTML needs an empty line before and after it.
    return "\n".join(
        f"<details{' open' * (number == opened)}><summary>Hint {number}: {RUNGS[number - 1]}</summary>\n\n"
        f"{rung.strip()}\n\n</details>"
        for number, rung in enumerate(rungs, 1)
    )


def _plain(markdown: str) -> str:
    """Markdown's marks for code and stress say nothing where there is neither."""
    without_fences = re.sub(r"^```.*\n?", "", markdown, flags=re.MULTILINE).strip()
    return re.sub(r"\*\*(.+?)\*\*|(?<![\w*])\*(\S[^*\n]*?)\*(?![\w*])", r"\1\2", without_fences)
