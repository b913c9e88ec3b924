"""Which Chromium the browser tests take, and what is said and done where there is none. Nothing is installed here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tools"))
import bootstrap  # noqa: E402
import chromium  # noqa: E402


def program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is run as the tests: nothing."""
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "set_up", lambda root, what: commands.append([what]))
    monkeypatch.setattr(subprocess, "call", lambda command, cwd: commands.append(command) or 0)
    return commands


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)


def apt_get(bin: Path, text: str) -> None:
    for tool in ("cp", "echo"):
        os.symlink(shutil.which(tool, path="/usr/bin:/bin"), bin / tool)
    program(bin / "apt-get", f'echo "$@" >> {bin.parent / "asked"}\n{text}')


@pytest.mark.parametrize("name", chromium.NAMES)
def test_a_chromium_on_the_path_is_taken_by_each_of_its_names(name, bin, ran, capsys):
    found = program(bin / name)
    assert chromium.main([]) == 0
    assert ran[0] == ["browser"] and "pytest" in ran[1]
    assert str(found) in capsys.readouterr().out


def test_where_there_is_none_make_test_says_so_and_skips_just_these(bin, ran, capsys):
    assert chromium.main(["--if-found"]) == 0
    assert ran == []
    assert "Skipped: no Chromium" in capsys.readouterr().out


def test_where_nothing_may_be_installed_the_remedy_is_named(bin, ran, capsys, monkeypatch):
    as_user(monkeypatch, 1000)
    apt_get(bin, "exit 0")
    assert chromium.main([]) == 1
    said = capsys.readouterr().err
    assert "sudo apt-get install" in said and len(said.splitlines()) == 1
    assert ran == [] and not (bin.parent / "asked").exists()


def test_without_apt_get_root_is_told_the_same(bin, ran, capsys, monkeypatch):
    as_user(monkeypatch, 0)
    assert chromium.main([]) == 1
    assert "on the PATH: install it" in capsys.readouterr().err


def test_root_on_debian_gets_the_package_installed_and_the_tests_run(bin, ran, capsys, monkeypatch):
    as_user(monkeypatch, 0)
    apt_get(bin, f"cp '{program(bin.parent / 'browser')}' '{bin}/chromium'")
    assert chromium.main([]) == 0
    assert (bin.parent / "asked").read_text().splitlines() == ["update", " ".join(chromium.INSTALL[1:])]
    assert "installing Debian's package" in capsys.readouterr().out
    assert ran[0] == ["browser"]


def test_an_installation_that_fails_shows_why(bin, ran, capsys, monkeypatch):
    as_user(monkeypatch, 0)
    apt_get(bin, "echo no space left; exit 100")
    assert chromium.main([]) == 1
    said = capsys.readouterr().err
    assert "no space left" in said and "'apt-get update' failed" in said and ran == []


def test_a_package_that_brings_no_chromium_is_no_success(bin, ran, capsys, monkeypatch):
    as_user(monkeypatch, 0)
    apt_get(bin, "exit 0")
    assert chromium.main([]) == 1
    assert "brought none of" in capsys.readouterr().err


def test_make_runs_the_browser_tests_once_when_asked_for_both():
    def plan(*targets: str) -> list[str]:
        said = subprocess.run(
            ["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True
        ).stdout
        return [line.strip() for line in said.splitlines() if "tools/chromium.py" in line]

    assert plan("test") == [".venv/bin/python tools/chromium.py --if-found"]
    assert plan("test", "test-browser") == plan("test-browser") == [".venv/bin/python tools/chromium.py"]
