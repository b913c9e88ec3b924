"""Pictures of measurements, with matplotlib: one style for all, and a twin in words. Nothing else here draws so."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
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
        # JupyterLab gives an image of its own no alternative text, so it stands in a page.
        source = f"data:image/png;base64,{b64encode(self.png).decode('ascii')}"
        image = f'<img alt="{escape(" ".join(self.text.split()))}" src="{source}" style="max-width: 100%">'
        return {"text/html": image, "text/plain": self.text}


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


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: what is measured.
        x, y: what the axes say, with units.
        lines: for each curve's name its points.
        published: points that others have published, by the same names.
        log: whether the y axis is logarithmic.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    published: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    log: bool = False


_MARKERS = "osD^vP"


def measured(panels: Panel | Sequence[Panel], *, title: str) -> Described:
    """Draw what was measured, beside what others have published, and say how far apart they are.

    Args:
        panels: one, or several side by side.
        title: what the figure shows.

    Raises ViewError when there is nothing to draw.
    """
    several = (panels,) if isinstance(panels, Panel) else tuple(panels)
    if not several or not all(isinstance(panel, Panel) and panel.lines for panel in several):
        raise ViewError(
            f"measured() needs panels with lines, not {panels!r:.60}; give Panel(title, x, y, lines)"
        )
    with figure_style():
        figure = Figure(figsize=(7.6, 3.8), layout="constrained")
        figure.suptitle(title, fontsize=11, fontweight="bold")
        grid = figure.subplots(1, len(several), squeeze=False)[0]
        words, looks = [f"{title}."], list(STYLE["axes.prop_cycle"])
        names = list(dict.fromkeys(name for panel in several for name in panel.lines))
        for axes, panel in zip(grid, several, strict=True):
            for name, points in panel.lines.items():
                number = names.index(name)  # a name looks the same in every panel
                marker = _MARKERS[number % len(_MARKERS)]
                look = looks[number % len(looks)]
                axes.plot(*zip(*points, strict=True), **look, marker=marker, markersize=4, label=name)
                said = panel.published.get(name, ())
                if said:
                    axes.plot(
                        *zip(*said, strict=True),
                        linestyle="none",
                        marker=marker,
                        markersize=11,
                        markerfacecolor="none",
                        markeredgecolor=look["color"],
                    )
                words.append(_tell(panel, name, points, said))
            axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
            axes.title.set_fontsize(10)
            if panel.log:
                axes.set_yscale("log")
        handles = {
            name: handle
            for axes in reversed(grid)
            for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        labels = [handles[name] for name in names], names
        if any(panel.published for panel in several):
            (hollow,) = grid[0].plot(
                [], [], linestyle="none", marker="o", markersize=11, markerfacecolor="none", color=INK
            )
            labels = ([*labels[0], hollow], [*labels[1], "published"])
        figure.legend(*labels, loc="outside lower center", ncols=3, frameon=False)
        return described(figure, "\n".join(words))


def _tell(
    panel: Panel, name: str, points: Sequence[tuple[float, float]], said: Sequence[tuple[float, float]]
) -> str:
    """Say a curve's points, and beside those that were published, how far ours are from them."""
    ours = dict(points)
    text = f"{panel.title}, {name}: " + ", ".join(f"{y:,.5g} at {x:g}" for x, y in points) + "."
    differences = [f"{y:,.5g} at {x:g} (ours {ours[x] / y - 1:+.1%})" for x, y in said if x in ours and y]
    return text + (f" Published: {', '.join(differences)}." if differences else "")
