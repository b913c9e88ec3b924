"""Pictures of measurements, with matplotlib: one style for all, and a twin in words. Nothing else here draws so."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from lessonlib.views.picture import ViewError
from lessonlib.views.svg import BLUE, BROWN, GREEN, GREY, INK, PURPLE, RED, RULE

STYLE: Any = {
    "figure.figsize": (7.6, 3.8),  # inches: as wide as the other views
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so the same everywhere
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": RULE,
    "lines.linewidth": 2,
    # Colour and dashes together, so that neither carries meaning alone.
    "axes.prop_cycle": cycler(color=[BLUE, RED, GREEN, PURPLE, BROWN, GREY])
    + cycler(linestyle=["-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1))]),
    "svg.hashsalt": "lessonlib",
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw what is inside the `with` in the house's style."""
    with mpl.rc_context(STYLE):
        yield


@dataclass(frozen=True, slots=True, repr=False)
class Described:
    """A figure with its content in words."""

    png: bytes
    text: str

    def describe(self) -> str:
        """Return in words what the figure shows."""
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"image/png": self.png, "text/plain": self.text}


def described(figure: Figure, text: str) -> Described:
    """Return the figure as an image that says `text` to those who cannot see it, and to nbval.

    Raises ViewError when there are no words, or no figure.
    """
    if not isinstance(figure, Figure):
        raise ViewError(f"described() needs a matplotlib Figure, not {figure!r:.60}; give fig, not its axes")
    if not isinstance(text, str) or not text.strip():
        raise ViewError(
            "a figure needs its content in words; give text='...' with what a reader should see in it"
        )
    image = io.BytesIO()
    figure.savefig(image, format="png", bbox_inches="tight", metadata={"Software": None})
    return Described(image.getvalue(), text.strip())
