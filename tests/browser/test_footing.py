"""What the other tests here stand on: a plain widget lives, axe-core sees what is amiss, nothing outlives the tests."""

import time

import psutil
import pytest
from playwright.sync_api import expect

from browser.lab_page import DARK, LIGHT
from browser.server import START_S, STOP_S, JupyterLab

CELLS = {
    "slider": """
import ipywidgets
slider, words = ipywidgets.IntSlider(description="speed"), ipywidgets.Label()
slider.observe(lambda change: setattr(words, "value", f"now {change.new}"), "value")
ipywidgets.VBox([slider, words])
""",
    "amiss": """
from IPython.display import HTML
HTML('<input type="text"><p style="color: #aaa; background: #fff">pale</p>')
""",
    "fine": 'HTML(\'<label>name <input type="text"></label><p style="color: #000; background: #fff">clear</p>\')',
    "fails": "1 / 0",
    "after": "1",
}


@pytest.fixture(scope="module")
def notebook(page):
    page.open(page.write("footing", CELLS))
    page.run_all()
    yield page
    page.close()


def test_a_widget_lives_in_the_kernel_and_on_the_page(notebook):
    notebook.output("slider").get_by_role("slider").press("ArrowRight")
    expect(notebook.output("slider")).to_contain_text("now 1")
    assert notebook.errors == []


def test_an_error_in_a_cell_and_what_it_kept_from_running_are_found(notebook):
    assert notebook.error_outputs() == ["fails: ZeroDivisionError"]
    assert notebook.not_run() == ["after"]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_axe_core_sees_what_is_amiss_and_nothing_else(notebook, theme):
    notebook.set_theme(theme)
    assert {line.partition(" ")[0] for line in notebook.violations("amiss")} == {"label", "color-contrast"}
    assert notebook.violations("fine") == []


def test_a_test_that_fails_leaves_neither_a_server_nor_a_kernel_behind(tmp_path):
    def alive(processes):
        # A child of a container's first process may stay as a zombie, which runs no more.
        return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    def family(pid):
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]

    def words_of(process):
        try:
            return process.cmdline()
        except psutil.Error:  # it has ended meanwhile, as what a server asks the system at its start does
            return []

    with pytest.raises(ZeroDivisionError), JupyterLab(tmp_path) as lab:
        lab.ask("kernels", {"name": "python3"})
        processes = family(lab.process.pid)
        deadline = time.monotonic() + START_S
        while not any("ipykernel" in word for process in processes for word in words_of(process)):
            assert time.monotonic() < deadline, "no kernel has come to life"
            time.sleep(0.1)
            processes = family(lab.process.pid)
        raise ZeroDivisionError
    deadline = time.monotonic() + STOP_S
    while alive(processes) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(processes) == []
