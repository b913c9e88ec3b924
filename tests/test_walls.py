"""The walls of the house that import-linter cannot express, and a proof that all of them can break.

The layers, and who may know the laboratory, are contracts in pyproject.toml. Here stand the rules about single files of
every lesson, about what comes from outside the package, and about threads and sockets.
"""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lessonlib.lessons import LESSONS, Lesson

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lessonlib"

LABORATORY_SIDE = ("rules", "scenario", "experiments", "checks", "questions", "missions")
DRAWS_WITH_MATPLOTLIB = "views.measurements"
HAS_A_THREAD = "limits"  # the watchdog
HEAVY = {"numpy", "matplotlib", "scipy", "pandas"}
THREADS_AND_SOCKETS = {
    *("threading", "_thread", "concurrent", "multiprocessing", "subprocess"),
    *("socket", "_socket", "socketserver", "select", "selectors", "ssl"),
}
HIDDEN_THREADS_AND_SOCKETS = {
    *("to_thread", "run_in_executor", "open_connection", "start_server"),
    *("open_unix_connection", "start_unix_server", "create_subprocess_exec", "create_subprocess_shell"),
}


def imports(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import anywhere in a module of `package`, relative ones resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def breaches(package: Path, lessons: Sequence[Lesson]) -> list[str]:
    """Return one line for each place where a module of `package` breaks a wall."""
    number = {lesson.name: lesson.number for lesson in lessons}
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        module = ".".join(parts)
        own, inner = parts[0], parts[1] if len(parts) > 1 else ""
        pattern = own in number and inner not in LABORATORY_SIDE
        pure = pattern or (own in ("lab", "views") and module != DRAWS_WITH_MATPLOTLIB) or len(parts) == 1
        tree = ast.parse(path.read_text(encoding="utf-8"))

        def breach(line: int, what: str, path: Path = path) -> None:
            found.append(f"{path.relative_to(package.parent)}:{line}: {what}")

        for line, name in imports(tree, [package.name, *parts[:-1]]):
            top, *rest = name.split(".")
            if top == package.name:
                target = rest[0] if rest else ""
                if target in number:
                    if own not in number:
                        breach(line, f"only lessons import lessons, not {name}")
                    elif number[target] > number[own]:
                        breach(line, f"{name} is of a later lesson")
                if pattern:
                    if target not in number and target not in ("ports", "errors"):
                        breach(line, f"a pattern imports ports, errors and patterns, not {name}")
                    if target in number and rest[1:2] and rest[1] in LABORATORY_SIDE:
                        breach(line, f"a pattern knows no rules, scenario, checks or missions: {name}")
                continue
            if top == "matplotlib" and module != DRAWS_WITH_MATPLOTLIB:
                breach(line, "only views/measurements.py draws with matplotlib")
            elif pure and top in HEAVY:
                breach(line, f"a browser has no {top} for this")
            elif pure and top in THREADS_AND_SOCKETS and module != HAS_A_THREAD:
                breach(line, f"no threads and sockets here: {name}")
            elif (pattern or own == "lab") and top not in sys.stdlib_module_names:
                breach(line, f"only the standard library here, not {name}")
            elif pure and name.startswith("asyncio.") and name.split(".")[1] in HIDDEN_THREADS_AND_SOCKETS:
                breach(line, f"no threads and sockets here: {name}")
        if pure and module != HAS_A_THREAD:
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and node.attr in HIDDEN_THREADS_AND_SOCKETS:
                    breach(node.lineno, f"no threads and sockets here: {node.attr}")
    return found


def layers() -> list[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return list(contracts[0]["layers"])


def lessons_in_the_layers() -> list[Lesson]:
    """The lessons among the layers, which have a textbook version each; also one that readers are not shown yet."""
    names = [layer for layer in reversed(layers()) if (PACKAGE / layer / "naive.py").exists()]
    return [Lesson(number, name, name) for number, name in enumerate(names)]


def test_the_house_keeps_its_walls() -> None:
    assert breaches(PACKAGE, lessons_in_the_layers()) == []


def test_every_lesson_has_its_place_in_the_layers() -> None:
    latest_first = [lesson.name for lesson in sorted(LESSONS, key=lambda lesson: -lesson.number)]
    assert [layer for layer in layers() if layer in latest_first] == latest_first
    assert set(latest_first) <= {lesson.name for lesson in lessons_in_the_layers()}


SMALL = (Lesson(1, "early", "Early"), Lesson(2, "late", "Late"))


def build(package: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


def test_a_house_in_order_breaks_nothing(tmp_path: Path) -> None:
    package = build(
        tmp_path / "house",
        {
            "limits.py": "import threading",
            "lab/loop.py": "import asyncio\nfrom house.limits import watchdog\nfrom .history import History",
            "views/measurements.py": "import matplotlib.pyplot, numpy",
            "views/panel.py": "import ipywidgets\nfrom house.lab import history",
            "early/__init__.py": "from .log import Log",
            "early/log.py": "from house.ports import Ports\nfrom ..errors import LessonError\nimport asyncio",
            "late/window.py": "from house.early.log import Log\nfrom house.early import Log",
            "late/scenario.py": "from house.lab import loop\nfrom .window import Window\nfrom house.early import scenario",
            "late/checks.py": "from . import scenario\nfrom house.lab import loop",
            "late/missions.py": "from house.learning.missions import Mission\nfrom house.lab import loop",
            "grading/run.py": "import subprocess, threading",
        },
    )
    assert breaches(package, SMALL) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("early/log.py", "from house.lab.loop import simulate"),
        ("early/log.py", "from house import views"),
        ("early/log.py", "from ..grading import run"),
        ("early/log.py", "import house.learning"),
        ("early/log.py", "def late():\n    from .scenario import run"),
        ("early/__init__.py", "from .checks import EXERCISES"),
        ("early/__init__.py", "from . import scenario"),
        ("early/log.py", "from .missions import MISSIONS"),
        ("early/log.py", "from .questions import RECALL"),
        ("early/log.py", "from .missions import MISSIONS"),
        ("late/window.py", "from house.early.scenario import run"),
        ("early/log.py", "from house.late.window import Window"),
        ("early/scenario.py", "from house.late.window import Window"),
        ("early/log.py", "import rich"),
        ("early/log.py", "import numpy as np"),
        ("early/parts/log.py", "import threading"),
        ("early/log.py", "import asyncio\nasync def f():\n    await asyncio.to_thread(print)"),
        ("early/log.py", "from asyncio import start_server"),
        ("ports.py", "import socket"),
        ("ports.py", "from house.early.log import Log"),
        ("lab/loop.py", "from house.early import Log"),
        ("lab/loop.py", "from concurrent.futures import Future"),
        ("lab/loop.py", "import simpy"),
        ("views/lanes.py", "import numpy"),
        ("views/lanes.py", "from house.early import scenario"),
        ("views/lanes.py", "from matplotlib import pyplot"),
        ("views/lanes.py", "import threading"),
        ("learning/check.py", "import matplotlib"),
        ("learning/check.py", "from house.early import checks"),
        ("grading/run.py", "import house.early.checks"),
        ("limits.py", "import numpy"),
    ],
)
def test_a_broken_wall_is_found_once_and_with_its_line(file: str, text: str, tmp_path: Path) -> None:
    [breach] = breaches(build(tmp_path / "house", {file: text}), SMALL)
    assert breach.startswith(f"house/{file}:")


@pytest.mark.parametrize(
    ("file", "text", "contract"),
    [
        ("errors.py", "import lessonlib.lab.history", "Data flows down"),
        ("lab/broken.py", "import lessonlib.views", "Data flows down"),
        ("views/broken.py", f"import lessonlib.{LESSONS[0].name}", "Data flows down"),
        (f"{LESSONS[0].name}/broken.py", "import lessonlib.lab.history", "know the laboratory"),
        (f"{LESSONS[0].name}/broken.py", "import lessonlib.grading", "taught and graded"),
        (f"{LESSONS[0].name}/scenario.py", "import lessonlib.learning", "taught and graded"),
        (f"{LESSONS[0].name}/scenario.py", "import lessonlib.views", "No lesson draws"),
    ],
)
def test_each_contract_of_import_linter_can_break(
    file: str, text: str, contract: str, tmp_path: Path
) -> None:
    shutil.copytree(PACKAGE, tmp_path / "lessonlib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "lessonlib" / file).open("a") as module:
        module.write(f"\n{text}\n")
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    said = subprocess.run(
        [sys.executable, "-c", command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    summary = " ".join(said.stdout.split())
    assert said.returncode == 1, said.stdout + said.stderr
    assert any("BROKEN" in part and contract in part for part in summary.split("KEPT")), said.stdout
