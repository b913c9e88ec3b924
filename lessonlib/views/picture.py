"""What a view returns: something that shows itself in a notebook, and says the same in words.

A picture is shown as an `<img>` that carries its SVG in a `data:` address, inside text/html. Of the ways to show an
SVG in JupyterLab this is the one where a notebook that was opened and never run (so: not trusted) shows the
picture too, where the words reach a screen reader (`alt`), and where identifiers and styles inside one picture
cannot meet those of another or of the page.

A table is an HTML table: its words can be selected, copied and read aloud.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from lessonlib.errors import LessonError
from lessonlib.lab.scenario import Run

LINES_MAX = 15  # of a description: a twin that is too long to listen to is no twin
_LINE_MAX = 400  # characters


class ViewError(LessonError):
    """A view was asked for something that cannot be drawn."""


@dataclass(frozen=True, slots=True)
class View:
    """Base of what views return.

    Attributes:
        title: what is shown.
        words: the same content in sentences, one a line; what `describe` returns.
    """

    title: str
    words: tuple[str, ...]

    @property
    def html(self) -> str:
        """The view as a piece of a web page, also for the value of an `ipywidgets.HTML`."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return in words what the view shows."""
        return "\n".join(self.words)

    def __repr__(self) -> str:
        return self.describe()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.describe()}


@dataclass(frozen=True, slots=True, repr=False)
class Picture(View):
    """A drawing.

    Attributes:
        svg: the drawing as an SVG document, equal byte for byte whenever the run is.
    """

    svg: str

    @property
    def html(self) -> str:
        # What stands in an address as itself keeps the notebook's file readable; `&`, `"`, `<` and `>` do not.
        address = "data:image/svg+xml;charset=utf-8," + quote(self.svg, safe=" /:=;,'()!*?@$+")
        return f'<img alt="{escape(" ".join(self.words))}" src="{address}" style="width: 760px; max-width: 100%">'


@dataclass(frozen=True, slots=True, repr=False)
class Table(View):
    """A table.

    Attributes:
        body: the table as HTML; every piece of text in it is escaped.
    """

    body: str

    @property
    def html(self) -> str:
        return self.body


def name_of(run: Run) -> str:
    """Return how a run is called in titles: `ORDERS (textbook)`, with your own parts named."""
    mine = f" with your {' and '.join(run.parts)}" if run.parts else ""
    return f"{run.scenario.name} ({run.system}{mine})"


def names_of(runs: Iterable[Run]) -> tuple[str, ...]:
    """Return a name for each of several runs that tells them apart, as short as that allows."""
    runs = tuple(runs)
    for names in (
        tuple(name_of(run) for run in runs),
        tuple(f"{name_of(run)}, seed {run.seed}" for run in runs),
        tuple(f"{name_of(run)}, {run.plan or 'no faults'}" for run in runs),
    ):
        if len(set(names)) == len(runs):
            return names
    return tuple(f"run {number}: {name_of(run)}" for number, run in enumerate(runs, 1))


def several(run_or_runs: Any) -> tuple[Run, ...]:
    """Return the runs of a run, or of a list of runs. Raises ViewError for anything else."""
    runs = (run_or_runs,) if isinstance(run_or_runs, Run) else run_or_runs
    if not isinstance(runs, list | tuple) or not runs or not all(isinstance(run, Run) for run in runs):
        raise ViewError(
            f"a view shows a run or a list of runs, not {run_or_runs!r:.60}; give scenario.run(...)"
        )
    return tuple(runs)


def one(run: Any) -> Run:
    """Return `run` if it is one that has something to show. Raises ViewError otherwise."""
    if not isinstance(run, Run):
        raise ViewError(f"this view shows one run, not {run!r:.60}; give scenario.run(...)")
    if not run.history.records:
        raise ViewError(
            f"the run {run.replay} recorded nothing, so there is nothing to draw; check its workload"
        )
    return run


def words(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the lines of a description within its bounds, saying how many were left out."""
    kept = [" ".join(line.split()) for line in lines]
    kept = [line if len(line) <= _LINE_MAX else line[: _LINE_MAX - 1] + "…" for line in kept]
    if len(kept) > LINES_MAX:
        kept = [*kept[: LINES_MAX - 1], f"And {len(kept) - LINES_MAX + 1} lines more."]
    return tuple(kept)


def listing(items: Iterable[str], *, most: int = 6, between: str = ", ") -> str:
    """Return items as people say them: `a, b and 3 more`."""
    items = list(items)
    shown = items if len(items) <= most + 1 else items[:most]
    more = len(items) - len(shown)
    return between.join(shown) + (f" and {more} more" if more else "")
