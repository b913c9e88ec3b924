"""Passed pieces: saved as plain Python, brought back as parts of a scenario, and ours where one is missing or broken."""

import os
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from lessonlib.event_driven.scenario import FANOUT, ORDERS
from lessonlib.fault_tolerance.scenario import CALLS
from lessonlib.high_availability.scenario import CLUSTER, CLUSTER_OF_5
from lessonlib.lab.search import search
from lessonlib.learning import mine
from lessonlib.learning.pieces import PieceError, file_of, load, save

ROOT = Path(__file__).parents[2]
CONSUME = """\
import asyncio

WAIT_S = 0.5

async def consume(log, name, deliver):
    offset = await log.committed(name)
    while True:
        for number, event in await log.read(offset, wait_s=2.0):
            try:
                await deliver(number, event)
            except OSError:
                await asyncio.sleep(WAIT_S)
                offset = await log.committed(name)
                break
            await log.commit(name, number + 1)
            offset = number + 1
"""
NOTHING_YET = """\
Your pieces in ORDERS:
  subscription (1.3, acknowledge after the effect): not there yet, so ours stands in; the check of 1.3 saves yours when it passes.
  inventory (1.4, an idempotent inventory): not there yet, so ours stands in; the check of 1.4 saves yours when it passes.
  delivery (1.5, dead letters with context and replay): not there yet, so ours stands in; the check of 1.5 saves yours when it passes.
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "my_pieces"
    monkeypatch.setenv("LESSON_PIECES", str(folder))
    return folder


def notebook(*cells):
    """What stands in for IPython: cells that have run, and their names."""
    names = {"__name__": "__main__"}
    for cell in cells:
        exec(cell, names)
    return SimpleNamespace(user_ns=names, history_manager=SimpleNamespace(input_hist_parsed=["", *cells]))


def save_consumer():
    shell = notebook(CONSUME)
    return save("1.3", shell.user_ns["consume"], shell)


def test_a_saved_piece_is_plain_python_that_can_be_read(folder):
    said = save_consumer()
    assert said == f"Saved as {folder / 'exercise_1_3.py'}. mine(ORDERS) brings it back."
    text = (folder / "exercise_1_3.py").read_text()
    assert text.startswith('"""Exercise 1.3, acknowledge after the effect: your answer')
    assert (
        "\nimport asyncio\n" in text and "\nWAIT_S = 0.5\n" in text and text.endswith("\nPIECE = consume\n")
    )
    assert [path.name for path in folder.iterdir()] == ["exercise_1_3.py"]


def test_a_later_pass_replaces_it(folder):
    save_consumer()
    shell = notebook(CONSUME.replace("0.5", "0.25"))
    save("1.3", shell.user_ns["consume"], shell)
    assert load("1.3").__globals__["WAIT_S"] == 0.25


def test_a_saved_piece_runs_in_the_scenario_and_in_search(folder, capsys):
    save_consumer()
    run = ORDERS.run(parts=mine(ORDERS), plan="after write 5 to stock crash inventory for 1s", orders=20)
    assert run.parts == ("subscription",) and not run.broken
    assert "parts=mine(ORDERS), plan=" in run.replay
    assert eval(run.replay, {"ORDERS": ORDERS, "mine": mine}).history == run.history
    assert repr(search(ORDERS, parts=mine(ORDERS), plans=3)).startswith(
        "ORDERS, pattern with subscription of your own:"
    )
    assert "  subscription (1.3, acknowledge after the effect): yours.\n" in capsys.readouterr().out
    assert search(ORDERS, parts=mine(ORDERS), plans=3).tried


def test_what_its_check_adapts_is_adapted(folder, capsys):
    publisher = """\
class Publisher:
    def __init__(self):
        self.handlers = []
    def subscribe(self, event_type, handler):
        self.handlers.append(handler)
    async def publish(self, event_type, event_data):
        for handler in self.handlers:
            await handler({"id": "1", "data": event_data})
"""
    shell = notebook(publisher)
    save("1.2", shell.user_ns["Publisher"], shell)
    assert FANOUT.run(parts=mine(FANOUT)).verdict("no order is half done").status == "holds"


def test_without_any_ours_stands_in_and_that_is_said_in_the_same_words(folder, capsys):
    assert mine(ORDERS) == {}
    assert capsys.readouterr().out == NOTHING_YET
    assert mine(ORDERS) == {}
    assert capsys.readouterr().out == NOTHING_YET


def test_where_nothing_is_saved_nothing_is_read_either(folder, monkeypatch, capsys):
    save_consumer()
    monkeypatch.setenv("LESSON_PIECES", "")
    assert mine(ORDERS) == {}
    assert capsys.readouterr().out == NOTHING_YET
    assert save_consumer() == ""


def test_single_exercises_can_be_picked(folder, capsys):
    save_consumer()
    assert list(mine(ORDERS, "1.3")) == ["subscription"]
    assert mine(ORDERS, "1.4", "1.5") == {}
    said = capsys.readouterr().out
    assert said.count("1.3") == 1 and said.count("so ours stands in") == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def f(:\n", "line 1: "),
        ("import no_such_module\nPIECE = 1\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def consume(): pass\n", "it no longer sets PIECE"),
        ("None.x\n", "'NoneType' object has no attribute 'x'"),
        ("raise SystemExit\n", "SystemExit"),
        ("open('no such file')\n", "it reads a file that is not there"),
        ("PIECE = 7\n", "PIECE is 7, not a class or a function"),
        ("\0", "null bytes"),
        (b"\xff\xfe\x00\x01", "UnicodeDecodeError"),
    ],
)
def test_a_piece_that_no_longer_loads_is_one_sentence_and_ours_stands_in(folder, text, why, capsys):
    folder.mkdir()
    path = folder / file_of("1.3")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert mine(ORDERS, "1.3") == {}
    [_, line] = capsys.readouterr().out.splitlines()
    assert line.startswith(
        f"  subscription (1.3, acknowledge after the effect): ours stands in: {path} does not load ("
    )
    assert why in line and line.endswith("; mend it, or run the check of 1.3 again.")


def test_a_piece_that_never_ends_is_stopped(folder, monkeypatch, capsys):
    monkeypatch.setattr("lessonlib.learning.pieces.STUCK_S", 0.2)
    folder.mkdir()
    (folder / file_of("1.3")).write_text("while True: pass\n")
    assert mine(ORDERS, "1.3") == {}
    assert "it ran for 0.2 s without an end" in capsys.readouterr().out


def test_a_dataclass_and_a_change_within_the_same_second_load(folder):
    folder.mkdir()
    path = folder / file_of("1.4")
    for number in (1, 2):
        path.write_text(
            "from __future__ import annotations\nfrom dataclasses import dataclass\n\n\n"
            f"@dataclass\nclass Mine:\n    disk: object = {number}\n\n\nPIECE = Mine\n"
        )
        assert load("1.4")().disk == number


@pytest.mark.parametrize(
    ("scenario", "ids", "words"),
    [
        ("ORDERS", (), "'ORDERS' is no scenario; write for instance mine.ORDERS"),
        (None, (), "None is no scenario"),
        (ORDERS, ("1.2",), 'exercise \'1.2\' has no part in ORDERS; those that have: "1.3", "1.4", "1.5"'),
        (ORDERS, ("9.9",), "exercise '9.9' has no part in ORDERS"),
        (ORDERS, (1.3,), "exercise 1.3 has no part in ORDERS"),
        (ORDERS, (["1.3"],), r"exercise \['1.3'\] has no part in ORDERS"),
    ],
)
def test_bad_arguments_are_named(folder, scenario, ids, words):
    with pytest.raises(PieceError, match=words):
        mine(scenario, *ids)


def test_a_piece_without_a_name_or_with_a_stranger_in_it_is_not_saved_and_why_is_said(folder):
    shell = notebook(CONSUME)
    assert "not saved: it has no name in this notebook" in save("1.3", lambda log, name, deliver: None, shell)
    shell.user_ns["asyncio2"] = os
    shell.history_manager.input_hist_parsed = [CONSUME.replace("asyncio.sleep", "asyncio2.sleep")]
    assert "`consume` uses `asyncio2`, which no cell defines" in save("1.3", shell.user_ns["consume"], shell)
    shell.history_manager.input_hist_parsed = [CONSUME.replace("WAIT_S = 0.5", "WAIT_S = await once()")]
    assert "could not be saved" in save("1.3", shell.user_ns["consume"], shell)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_costs_a_sentence(folder):
    folder.write_text("a file stands in its place")
    said = save_consumer()
    assert said.startswith(f"Your piece could not be saved as {folder / 'exercise_1_3.py'} (")
    assert said.endswith("mend that and run the check again.")


# ---- In real kernels -------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "a clone"
    for name in ("exercises", "notebooks", "solutions"):
        (root / name).mkdir(parents=True)
    return root


def run(folder, *cells):
    """Run cells in a kernel of their own, started in `folder` as JupyterLab does; return their outputs."""
    environment = {name: value for name, value in os.environ.items() if name != "LESSON_PIECES"}
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment)
    return [cell.outputs for cell in cells]


def text(outputs):
    return "".join(output.get("text", "") for output in outputs)


def shipped(folder, *ids):
    path = ROOT / folder / "01_event_driven.ipynb"
    cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
    return [cells[id_] for id_ in ids]


def test_in_a_notebook_a_failure_opens_its_rung_and_a_passed_piece_comes_back_in_another_kernel(root):
    set_up, check_it = shipped("exercises", "setup", "1-2-check")
    [answer] = shipped("solutions", "1-2-solution")
    salted = "def event_id(event_type, event_data):\n    return str(hash(json.dumps(event_data)))"
    [id_check] = shipped("exercises", "1-1-check")
    *_, wrong, _, right, standing = run(
        root / "exercises", set_up, salted, id_check, answer, check_it, "progress(1)"
    )
    failed, ladder = wrong
    assert failed.output_type == "error" and 'hint 1 of hints("1.1")' in failed.traceback[-1]
    assert ladder.data["text/markdown"].startswith("<details open><summary>Hint 1: what to look at</summary>")
    assert ladder.data["text/plain"].startswith("Hint 1 of exercise 1.1, what to look at:")
    assert "Exercise 1.2 passed" in text(right)
    assert "Saved as my_pieces/exercise_1_2.py. mine(FANOUT) brings it back." in text(right)
    assert standing[0].data["text/plain"].splitlines() == [
        "Lesson 1 Event-driven architecture: 1 of 6 exercises passed, 15 of 100 points, badges: none; "
        "mastery: needs 1.1, 1.3, 1.4, 1.5.",
        "Next: exercise 1.1, a stable event id, in exercises/01_event_driven.ipynb; "
        "the lesson is notebooks/01_event_driven.ipynb.",
    ]
    assert 'href="../exercises/01_event_driven.ipynb"' in standing[0].data["text/html"]
    assert sorted(path.name for path in (root / "my_pieces").iterdir()) == [
        "exercise_1_2.py",
        "progress.json",
    ]

    again = run(
        root / "notebooks",
        "from lessonlib.learning import mine\nfrom lessonlib.event_driven.scenario import FANOUT",
        'print(FANOUT.run(parts=mine(FANOUT), plan="1s..3s slow-handler email by 3s").broken)',
    )
    assert (
        text(again[1]) == "Your pieces in FANOUT:\n  publisher (1.2, isolate the subscribers): yours.\n()\n"
    )


def test_our_own_solutions_are_never_saved_as_the_learners(root):
    [_, _, said] = run(root / "solutions", *shipped("solutions", "setup", "1-1-solution", "1-1-check"))
    assert "Exercise 1.1 passed" in text(said) and "Saved" not in text(said)
    assert not (root / "my_pieces").exists()


def test_a_piece_stands_also_in_a_scenario_that_is_made_of_the_same_parts(folder, capsys):
    piece = "class MyBallot:\n    def __init__(self, members, promise=None):\n        self.members = members"
    shell = notebook(piece)
    save("4.2", shell.user_ns["MyBallot"], shell)
    for scenario in (CLUSTER, CLUSTER_OF_5):
        assert list(mine(scenario)) == ["ballot"]
        said = capsys.readouterr().out
        assert [line.split("(")[1][:3] for line in said.splitlines()[1:]] == ["4.2", "4.3", "4.4", "4.5"]
    assert list(mine(CLUSTER_OF_5, "4.2")) == ["ballot"]
    with pytest.raises(PieceError, match=r"4\.1.* has no part in CLUSTER_OF_5"):
        mine(CLUSTER_OF_5, "4.1")


def test_a_piece_of_the_same_name_in_a_scenario_of_other_parts_is_none_of_it(folder):
    with pytest.raises(PieceError, match=r"3\.7.* has no part in CALLS"):
        mine(CALLS, "3.7")
