"""Each blind spot of nbval has a notebook here that slips through without the guard."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

CELL_TIMEOUT_S = 2
IGNORED = "nbval-ignore-output"
FAILING = "import asyncio\nasync def fetch():\n    await asyncio.sleep(0)\n    raise ValueError('lost')"
HTML_OUTPUT = '<img alt="{}" src="data:image/png;base64,{}">'
IMAGE = 'from IPython.display import HTML\nHTML(\'<img alt="{}" src="data:image/png;base64,{}">\')'
NOTEBOOKS = {
    "dead_kernel": ["import os; os._exit(0)"],
    "exception_group": ["raise ExceptionGroup('several', [ValueError(1)])"],
    "unknown_magic": ["%badmagic"],
    "dead_task_still_held": [FAILING, "task = asyncio.create_task(fetch())", "pass"],
    "dead_task_forgotten": [FAILING, "asyncio.create_task(fetch()); pass", "await asyncio.sleep(0.05)"],
    "swallowed_interrupt": [
        "import time\nend = time.monotonic() + 4\nwhile time.monotonic() < end:\n"
        "    try: time.sleep(.1)\n    except KeyboardInterrupt: pass"
    ],
    "never_run": ["print('anything')"],
    "another_image": ["image = 1", IMAGE.format("It rises.", "iVBOnew=")],
    "another_text": ["image = 1", IMAGE.format("It rises.", "iVBOnew=")],
    "sound": [
        FAILING,
        "task = asyncio.create_task(fetch())",
        "try:\n    await task\nexcept ValueError: pass",
        "1",
    ],
}
STORED = {  # what the last cell showed when the notebook was stored
    "another_image": HTML_OUTPUT.format("It rises.", "iVBOlD=="),
    "another_text": HTML_OUTPUT.format("It falls.", "iVBOlD=="),
}
TAGGED = {"exception_group", "unknown_magic"}  # only an output that is compared shows these
GUARDED_ONLY = {  # nbval alone would never end
    "flood": ["while True: print('x' * 10_000)"],
    "prints_through_the_interrupt": [
        "import time\nwhile True:\n    try:\n        print('on'); time.sleep(.1)\n    except KeyboardInterrupt: pass"
    ],
}


def write(folder: Path, name: str, sources: list[str]) -> None:
    notebook = new_notebook()
    for number, source in enumerate(sources, start=1):
        cell = new_code_cell(source, id=f"c{number}", execution_count=None if name == "never_run" else number)
        if name in TAGGED:
            cell.metadata.tags = [IGNORED]
        if source == "1":
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "1"}, execution_count=4)]
        if name in STORED and number == len(sources):
            shown = {"text/plain": "<IPython.core.display.HTML object>", "text/html": STORED[name]}
            cell.outputs = [nbformat.v4.new_output("execute_result", shown, execution_count=number)]
        notebook.cells.append(cell)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pytest", "-c", "empty.ini", "-p", "no:cacheprovider", *options]
    command += ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}", "."]
    command += ["--junitxml=report.xml", "--color=no"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def failures(folder: Path) -> dict[str, str]:
    """The text of each notebook's first failure; empty where all its cells passed."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        failed = case.find("failure")
        failed = case.find("error") if failed is None else failed
        name = case.attrib["classname"].split(".")[-2]  # name.ipynb
        found[name] = found.get(name) or ("" if failed is None else failed.text or "failed")
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    """What fails in the same notebooks without the guard, and with it."""
    plain, guarded = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("guarded")
    for folder in (plain, guarded):
        (folder / "empty.ini").write_text("[pytest]\n")
        for name, sources in (NOTEBOOKS | (GUARDED_ONLY if folder is guarded else {})).items():
            write(folder, name, sources)
    processes = [start(plain), start(guarded, "-p", "lessonlib.grading.nbval_guard")]
    for process in processes:
        sys.stdout.write(process.communicate(timeout=120)[0])
    return failures(plain), failures(guarded)


@pytest.mark.parametrize(
    "name",
    [
        "exception_group",
        "unknown_magic",
        "dead_task_still_held",
        "dead_task_forgotten",
        "swallowed_interrupt",
    ],
)
def test_what_slips_through_nbval_alone_fails_under_the_guard(runs, name):
    plain, guarded = runs
    assert plain[name] == ""
    assert guarded[name] != ""


def test_a_dead_task_is_named_with_its_error(runs):
    assert "fetch raised ValueError: lost at line 4 of fetch" in runs[1]["dead_task_still_held"]
    assert "fetch raised ValueError: lost at line 4 of fetch" in runs[1]["dead_task_forgotten"]


def test_a_dead_kernel_fails_at_once_and_not_at_the_time_out(runs):
    plain, guarded = runs
    assert "Timeout" in plain["dead_kernel"]
    assert "The kernel died while this cell ran." in guarded["dead_kernel"]


def test_a_notebook_stored_without_having_been_run_fails(runs):
    plain, guarded = runs
    assert plain["never_run"] == ""
    assert "Stored without having been run" in guarded["never_run"]


def test_a_cell_that_swallows_the_interrupt_has_still_taken_too_long(runs):
    assert f"longer than {CELL_TIMEOUT_S} s" in runs[1]["swallowed_interrupt"]


def test_a_cell_that_prints_through_the_interrupt_ends(runs):
    assert "Failed to interrupt kernel" in runs[1]["prints_through_the_interrupt"]


def test_a_flood_of_output_ends_with_its_cell(runs):
    assert "printed more than" in runs[1]["flood"]


def test_a_sound_notebook_passes_with_and_without_the_guard(runs):
    assert [run["sound"] for run in runs] == ["", ""]


def test_of_an_image_in_a_page_the_words_are_compared_and_not_the_bytes(runs):
    plain, guarded = runs
    assert plain["another_image"] != "" and plain["another_text"] != ""
    assert guarded["another_image"] == ""
    assert "It falls." in guarded["another_text"]


def test_validation_of_notebooks_works_without_the_slow_parser():
    code = (
        "import sys, lessonlib.grading, nbformat\n"
        "assert sys.modules['rfc3987_syntax'] is None\n"
        "notebook = nbformat.v4.new_notebook(); nbformat.validate(notebook)\n"
        "notebook.cells.append(nbformat.from_dict({'cell_type': 'code', 'id': 'a'}))\n"
        "try: nbformat.validate(notebook)\n"
        "except nbformat.ValidationError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr


def test_this_project_runs_notebooks_under_the_guard(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("lessonlib.grading.nbval_guard")
    assert pytestconfig.getoption("nbval_cell_timeout") == 60
    assert pytestconfig.getoption("nbval_current_env")
