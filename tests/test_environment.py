"""environment.yml and pyproject.toml must not disagree: the one names Python, the other everything else."""

import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]


def pinned_and_pip() -> tuple[dict[str, str], list[str]]:
    """The conda packages with their pins, and the lines under pip."""
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = [line for entry in dependencies if isinstance(entry, dict) for line in entry["pip"]]
    return dict((entry + "=").split("=")[:2] for entry in dependencies if isinstance(entry, str)), pip


def test_condas_python_is_one_that_the_package_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert SpecifierSet(project["requires-python"]).contains(pinned_and_pip()[0]["python"])


def test_conda_brings_python_and_pip_and_nothing_else() -> None:
    assert set(pinned_and_pip()[0]) == {"python", "pip"}


def test_pip_installs_the_checkout_and_lists_nothing_that_pyproject_does_not() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = pinned_and_pip()[1]
    assert "-e ." in lines
    declared = {Requirement(line).name for line in project["dependencies"]}
    assert {Requirement(line).name for line in lines if line != "-e ."} <= declared
