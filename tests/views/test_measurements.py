from __future__ import annotations

import subprocess
import sys

import pytest

from lessonlib.views import ViewError


def test_a_figure_carries_its_words_and_repeats():
    from matplotlib.figure import Figure

    from lessonlib.views.measurements import described, figure_style

    def draw():
        with figure_style():
            figure = Figure()
            figure.add_subplot().plot([1, 2, 3], label="a")
            return described(figure, "It goes up & up.")

    one, two = draw(), draw()
    assert one.png.startswith(b"\x89PNG") and one.png == two.png
    shown = one._repr_mimebundle_()
    assert shown["text/plain"] == one.describe() == "It goes up & up."
    assert shown["text/html"].startswith('<img alt="It goes up &amp; up." src="data:image/png;base64,iVBOR')
    with pytest.raises(ViewError, match="in words"):
        described(Figure(), " ")
    with pytest.raises(ViewError, match="not its axes"):
        described(Figure().add_subplot(), "x")


def test_the_views_of_a_run_need_neither_numpy_nor_matplotlib():
    code = "import sys, lessonlib.views; sys.exit(bool({'numpy', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_measured_curves_stand_beside_published_points_and_the_difference_is_said():
    from lessonlib.views.measurements import Panel, measured

    panel = Panel("Calls", "clients", "calls", {"a": [(1, 10), (2, 22)], "b": [(1, 3)]}, {"a": [(2, 20)]})
    picture = measured(
        [panel, Panel("Time", "clients", "ms", {"a": [(1, 5.0)]}, log=True)], title="An experiment"
    )
    assert picture.png.startswith(b"\x89PNG")
    assert picture.describe().splitlines() == [
        "An experiment.",
        "Calls, a: 10 at 1, 22 at 2. Published: 20 at 2 (ours +10.0%).",
        "Calls, b: 3 at 1.",
        "Time, a: 5 at 1.",
    ]
    assert (
        picture.png
        == measured(
            [panel, Panel("Time", "clients", "ms", {"a": [(1, 5.0)]}, log=True)], title="An experiment"
        ).png
    )
    with pytest.raises(ViewError, match="panels with lines"):
        measured([], title="x")
    with pytest.raises(ViewError, match="panels with lines"):
        measured(Panel("x", "x", "y", {}), title="x")
