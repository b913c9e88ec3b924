"""The doctor: a sound environment passes, and each check can fail, with a remedy."""

import importlib.metadata
import json
import sys
from pathlib import Path

import jupyter_core.paths
import pytest

from lessonlib import cli, doctor


def examined():
    return {finding.name: finding for finding in doctor.examine()}


def kernel_of(argv, folder, monkeypatch):
    """Put a kernel of the notebooks' name where Jupyter finds it first."""
    place = folder / "kernels" / doctor.KERNEL
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "A", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(folder))


def test_this_environment_is_sound():
    assert {name: finding.seen for name, finding in examined().items() if not finding.good} == {}
    assert not any(finding.remedy for finding in examined().values())


def test_a_python_that_the_package_does_not_know_is_found(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: {"Requires-Python": ">=4.2"})
    found = doctor.python()
    assert not found.good and "is not >=4.2" in found.seen
    assert found.remedy.startswith("Install Python 3.11, 3.12 or 3.13")


def test_missing_and_outdated_packages_are_found(monkeypatch):
    wanted = ["pytest>=999", "surely-not-installed>=1", "rich", 'sphinx; extra == "docs"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    found = doctor.packages()
    assert not found.good and "make clean lab" in found.remedy
    missing = "; surely-not-installed is missing"
    assert found.seen.startswith("pytest is ") and found.seen.endswith(f", not >=999{missing}")


def test_a_kernel_of_another_python_is_found(tmp_path, monkeypatch):
    kernel_of([str(tmp_path / "bin" / "python"), "-m", "ipykernel"], tmp_path, monkeypatch)
    found = doctor.kernel()
    assert not found.good and str(tmp_path / "bin" / "python") in found.seen
    assert "ipykernel install --sys-prefix" in found.remedy


def test_a_kernel_of_another_environment_of_the_same_python_is_found(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    kernel_of([str(tmp_path / "bin" / "python"), "-m", "ipykernel"], tmp_path, monkeypatch)
    assert not doctor.kernel().good


@pytest.mark.parametrize("program", ["python", "python3", sys.executable])
def test_a_kernel_of_this_python_is_found_good(program, tmp_path, monkeypatch):
    kernel_of([program, "-m", "ipykernel"], tmp_path, monkeypatch)
    assert doctor.kernel().good


def test_a_missing_kernel_is_found(monkeypatch):
    monkeypatch.setattr(doctor, "KERNEL", "surely_not_installed")
    assert doctor.kernel().seen == "there is none named 'surely_not_installed'"


def test_a_kernel_that_does_not_start_is_found(tmp_path, monkeypatch):
    kernel_of([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, monkeypatch)
    found = doctor.a_cell()
    assert not found.good and "the kernel does not start" in found.seen and found.remedy


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("import surely_not_installed", "it fails: ModuleNotFoundError"),
        ("import time; time.sleep(60)", "it had not ended after 1 s"),
        (doctor.CELL.replace("lessonlib.__file__", "json.__file__"), "it imports "),
        (doctor.CELL.replace("3600", "3"), "an hour of virtual time took 3"),
        ("print('nothing')", "JSONDecodeError"),
    ],
)
def test_a_cell_that_does_not_do_what_it_should_is_found(cell, seen, monkeypatch):
    monkeypatch.setattr(doctor, "CELL", cell)
    monkeypatch.setattr(doctor, "CELL_S", 1 if "sleep(60)" in cell else 60)
    found = examined()["a cell"]
    assert not found.good and found.seen.startswith(seen) and found.remedy


@pytest.mark.parametrize("name", doctor.EXTENSIONS)
def test_a_missing_extension_is_found(name, tmp_path, monkeypatch):
    from jupyterlab_server.config import get_federated_extensions

    places = jupyter_core.paths.jupyter_path("labextensions")
    for other, data in get_federated_extensions(places).items():
        if other != name:
            (tmp_path / other).parent.mkdir(exist_ok=True)
            (tmp_path / other).symlink_to(data["ext_path"])
    monkeypatch.setattr(jupyter_core.paths, "jupyter_path", lambda *inner: [str(tmp_path)])
    found = doctor.extensions()
    assert not found.good and found.seen.endswith(f"does not find the extension {name}")
    assert f"--no-deps {doctor.EXTENSIONS[name]}`" in found.remedy


@pytest.mark.parametrize("entry", ["anywidget", "anywidget:plugin"])
def test_a_disabled_extension_is_found(entry, tmp_path, monkeypatch):
    (tmp_path / "labconfig").mkdir()
    (tmp_path / "labconfig" / "page_config.json").write_text(
        json.dumps({"disabledExtensions": {entry: True}})
    )
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    found = doctor.extensions()
    assert not found.good and found.seen == "the extension anywidget is disabled"
    assert "labextension enable anywidget`" in found.remedy


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(monkeypatch):
    def broken(name):
        raise RuntimeError("no metadata\nat all")

    monkeypatch.setattr(importlib.metadata, "requires", broken)
    found = examined()
    assert found["packages"].seen == "RuntimeError: no metadata" and found["packages"].remedy
    assert found["kernel"].good


@pytest.mark.parametrize("good", [True, False])
def test_the_command_says_what_was_found_and_ends_with_0_or_1(good, monkeypatch, capsys):
    findings = [
        doctor.Finding("one", True, "it is there"),
        doctor.Finding("two", good, "it is odd", "" if good else "Mend it."),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: iter(findings))
    monkeypatch.setattr(sys, "argv", ["lesson", "doctor"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code or 0) == (0 if good else 1)
    last = "ok    two: it is odd\n" if good else "FAIL  two: it is odd\n      Mend it.\n"
    assert capsys.readouterr().out == "ok    one: it is there\n" + last
