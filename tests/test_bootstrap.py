"""Set-up by `make`: which Python is chosen, what is said when there is none, and when work is done again.

Nothing is downloaded: a fake interpreter makes fake environments and notes what it was asked to do.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

FAKE_PYTHON = """#!/bin/sh
# Answers for a Python, and runs the set-up itself in the real one.
case "$1 $2" in
  "-c "*) {probe} ;;
  "tools/bootstrap.py "*) exec '{real}' "$@" ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip") echo "$@" >> asked; if [ -e fail ]; then echo "pip says why"; exit 1; fi ;;
  *) echo "$@" >> asked ;;
esac
"""


def load() -> ModuleType:
    spec = util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bootstrap = load()


def fake_python(path: Path, version: str = "3 12 1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE_PYTHON.format(probe=f"echo {version}", real=sys.executable))
    path.chmod(0o755)
    return path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "a path with spaces"
    for name in ("Makefile", "pyproject.toml", "tools/bootstrap.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    fake_python(root / "fakes" / "python 3")
    return root


def make(root: Path, target: str = "lab", **env: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHON": str(root / "fakes" / "python 3")} | env
    return subprocess.run(["make", target], cwd=root, env=env, capture_output=True, text=True, timeout=60)


def asked(root: Path) -> list[str]:
    """What the environment's Python was asked to do since the last call."""
    note = root / "asked"
    lines = note.read_text().splitlines() if note.exists() else []
    note.unlink(missing_ok=True)
    return [re.sub(r"(-m \w+).* (\S+)$", r"\1 \2", line) if "pip" in line else line for line in lines]


def test_the_supported_range_is_that_of_pyproject() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, newest = bootstrap.OLDEST, bootstrap.NEWEST
    assert declared == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    candidates = (ROOT / "Makefile").read_text()
    assert all(f" {name} " in candidates for name in bootstrap.CANDIDATES)


def test_the_first_candidate_that_runs_and_is_suitable_is_chosen() -> None:
    found = {
        "python3.12": None,
        "python3.11": ((3, 11), False),
        "python3": ((3, 9), True),
        "python": ((3, 13), True),
    }
    assert bootstrap.choose(look=found.get) == ("python", (3, 13))


def test_a_name_on_the_path_that_fails_when_run_is_no_python(tmp_path: Path) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert bootstrap.look_at(str(shim)) is None
    assert bootstrap.look_at(str(tmp_path / "absent")) is None
    version, complete = bootstrap.look_at(sys.executable)
    assert (version, complete) == (sys.version_info[:2], True)


@pytest.mark.parametrize("version", ["2 7 1", "3 10 1", "3 14 1"])
def test_a_python_outside_the_range_is_refused_in_one_sentence(clone: Path, version: str) -> None:
    fake_python(clone / "fakes" / "python 3", version)
    said = make(clone)
    assert said.returncode != 0
    first, *rest = said.stderr.splitlines()
    assert "3.11 to 3.13 is needed" in first and "fakes/python 3" in first
    assert all(line.startswith("make") for line in rest)
    assert not (clone / ".venv").exists()


def test_without_venv_the_remedy_is_named(clone: Path) -> None:
    fake_python(clone / "fakes" / "python 3", "3 11 0")
    said = make(clone)
    assert said.returncode != 0
    assert "sudo apt install python3-venv" in said.stderr and "Traceback" not in said.stderr


def test_a_given_python_that_does_not_run_is_named(clone: Path) -> None:
    said = make(clone, PYTHON="/no/such/python")
    assert said.returncode != 0 and "'/no/such/python', which does not run" in said.stderr


def test_a_machine_without_python_is_told_so(clone: Path) -> None:
    make_itself = shutil.which("make")
    assert make_itself
    said = subprocess.run(
        [make_itself, "lab"], cwd=clone, env={"PATH": "/nowhere"}, capture_output=True, text=True, timeout=60
    )
    assert said.returncode != 0 and "no Python was found" in said.stderr


def old_pythons() -> list[str]:
    """Interpreters on this machine that are too old for the package, as far as names tell."""
    names = [f"python{version}" for version in ("2.7", "2", *(f"3.{minor}" for minor in range(4, 11)))]
    on_path = [path for name in names if (path := shutil.which(name))]
    managed = [str(path) for path in Path.home().glob(".pyenv/versions/*/bin/python")]
    seen = {path: bootstrap.look_at(path) for path in on_path + managed}
    return [path for path, what in seen.items() if what and what[0] < bootstrap.OLDEST]


def test_every_old_python_here_can_read_the_set_up_and_refuses_plainly() -> None:
    script = ROOT / "tools" / "bootstrap.py"
    assert not re.search(r"\bf[\"']|:=|\bnonlocal\b|\bmatch |-> ", script.read_text()), "not for Python 2.7"
    for python in old_pythons():
        said = subprocess.run(
            [python, str(script), "lab"], env={"PYTHON": python, "PATH": ""}, capture_output=True, text=True
        )
        assert said.returncode == 1 and len(said.stderr.splitlines()) == 1, (python, said.stderr)
        assert "3.11 to 3.13 is needed" in said.stderr


def test_the_first_run_installs_and_the_second_only_runs(clone: Path) -> None:
    first = make(clone)
    assert first.returncode == 0, first.stderr
    assert "Making .venv" in first.stdout and "Installing" in first.stdout
    assert asked(clone) == ["-m pip .", "-m lessonlib.cli lab --"]
    second = make(clone)
    assert "up to date" in second.stdout
    assert asked(clone) == ["-m lessonlib.cli lab --"]


def test_what_the_tests_need_is_installed_for_the_tests_alone_and_serves_the_lessons_too(clone: Path) -> None:
    make(clone)
    asked(clone)
    make(clone, "format")
    assert asked(clone)[0] == "-m pip .[test]"
    make(clone)
    assert asked(clone) == ["-m lessonlib.cli lab --"]


def test_what_the_browser_tests_need_serves_everything_else(clone: Path) -> None:
    environment = bootstrap.Environment(str(clone))
    environment.make(str(clone / "fakes" / "python 3"), (3, 12))
    environment.install("browser")
    assert asked(clone) == ["-m pip .[test,browser]"]
    assert all(environment.installed(what) for what in bootstrap.EXTRAS)


def test_a_changed_pyproject_is_installed_again(clone: Path) -> None:
    make(clone)
    asked(clone)
    with (clone / "pyproject.toml").open("a") as file:
        file.write("\n# another dependency\n")
    make(clone)
    assert asked(clone)[0] == "-m pip ."


def test_an_installation_that_failed_shows_why_and_is_tried_again(clone: Path) -> None:
    (clone / "fail").touch()
    said = make(clone)
    assert said.returncode != 0
    assert (
        "pip says why" in said.stderr
        and "installing failed" in said.stderr
        and "Traceback" not in said.stderr
    )
    (clone / "fail").unlink()
    asked(clone)
    assert make(clone).returncode == 0
    assert asked(clone)[0] == "-m pip ."


def test_an_environment_that_was_moved_or_lost_its_python_is_made_again(clone: Path) -> None:
    make(clone)
    elsewhere = clone.with_name("another place")
    clone.rename(elsewhere)
    said = make(elsewhere)
    assert said.returncode == 0 and "made for another place" in said.stdout, said.stderr
    (elsewhere / ".venv" / "bin" / "python").unlink()
    assert "its Python is gone" in make(elsewhere).stdout
    assert "up to date" in make(elsewhere).stdout


def test_asking_for_another_python_makes_the_environment_again(clone: Path) -> None:
    make(clone)
    other = fake_python(clone / "fakes" / "other", "3 13 1")
    assert "PYTHON asks for another version" in make(clone, PYTHON=str(other)).stdout


def test_bytecode_is_written_at_installation_even_where_the_machine_forbids_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    show = "import sys; sys.exit(sys.dont_write_bytecode)"
    bootstrap.call([sys.executable, "-c", show], str(ROOT), "bytecode is not written")


def test_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"\.PHONY: (.*)", text)
    assert phony
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True).stdout
    assert {f"make {target}" for target in phony[1].split() if target != "help"} <= set(
        re.findall(r"make [\w-]+", said)
    )
