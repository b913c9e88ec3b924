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
