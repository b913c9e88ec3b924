"""Is this environment fit for the lessons? Each thing that they need is tried, and what fails says its remedy.

Nothing is mended here, and the network is not asked. A check whose ground is missing (a kernel without its packages) fails
in its own words; it does not hide behind the first one.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = "lessonlib"
KERNEL = "python3"  # which the notebooks name
KERNEL_START_S = 60
CELL_S = 60
INSTALL_AGAIN = "Run `make clean lab` in your clone, which makes .venv anew (with conda: `conda env update -f environment.yml`)"
# What JupyterLab needs in the browser to show widgets: the name of its extension, and the package that brings it.
EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "anywidget": "anywidget",
}
# Ends with the Python that ran it and the place of the package, as JSON in the last line.
CELL = """\
import json, sys
import ipywidgets, lessonlib
from lessonlib.lab.loop import simulate
import asyncio
async def wait():
    await asyncio.sleep(3600)
    return asyncio.get_running_loop().time()
print(json.dumps({"python": sys.executable, "package": lessonlib.__file__, "virtual_s": simulate(wait)}))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        name: what was looked at.
        good: whether it is as it must be.
        seen: what was found, in a few words.
        remedy: what to do about it, one sentence; "" when it is good.
    """

    name: str
    good: bool
    seen: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Yield what each check finds, in the order in which things depend on each other. Never raises."""
    for name, check in (
        ("Python", python),
        ("packages", packages),
        ("kernel", kernel),
        ("a cell", a_cell),
        ("widgets in the browser", extensions),
    ):
        try:
            yield check()
        except Exception as error:  # a broken environment can break anywhere
            said = (str(error).splitlines() or [""])[0]
            yield Finding(name, False, f"{type(error).__name__}: {said}", f"{INSTALL_AGAIN}.")


def python() -> Finding:
    """Is this Python one that the package says it works on?"""
    from packaging.specifiers import SpecifierSet

    version = ".".join(map(str, sys.version_info[:3]))
    wanted = importlib.metadata.metadata(PACKAGE)["Requires-Python"]
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return Finding("Python", True, f"{version} ({sys.executable})")
    return Finding(
        "Python",
        False,
        f"{version} is not {wanted} ({sys.executable})",
        "Install Python 3.11, 3.12 or 3.13, then `PYTHON=python3.13 make clean lab`.",
    )


def packages() -> Finding:
    """Is everything installed that the package names, in a version that it allows?"""
    from packaging.requirements import Requirement

    wrong, count = [], 0
    for line in importlib.metadata.requires(PACKAGE) or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} is {version}, not {wanted.specifier}")
    if not wrong:
        return Finding("packages", True, f"all {count} are there")
    return Finding("packages", False, "; ".join(wrong), f"{INSTALL_AGAIN}.")


def kernel() -> Finding:
    """Does the kernel that notebooks name start this very Python?"""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    again = f"Run `{sys.executable} -m ipykernel install --sys-prefix`"
    try:
        spec = KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        return Finding("kernel", False, f"there is none named {KERNEL!r}", f"{again}.")
    program = spec.argv[0] if spec.argv else ""
    # jupyter_client runs the Python that it runs on itself in place of these names.
    named = program in ("python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    if named or _same_program(program, sys.executable):
        return Finding("kernel", True, f"{KERNEL!r} starts this Python")
    where = f" (it stands in {spec.resource_dir})" if spec.resource_dir else ""
    return Finding(
        "kernel",
        False,
        f"{KERNEL!r} starts {program}, not {sys.executable}{where}",
        f"{again}; if that changes nothing, remove the folder that is named.",
    )


def _same_program(one: str, other: str) -> bool:
    """Two paths of one program. The last link is not followed: two environments may link to one Python."""
    first, second = (Path(os.path.abspath(path)) for path in (one, other))
    return first.parent.resolve() == second.parent.resolve() and first.resolve() == second.resolve()


def a_cell() -> Finding:
    """Run a cell as JupyterLab would, without a browser: in a kernel of its own, an hour of virtual time."""
    from jupyter_client.manager import start_new_kernel

    printed: list[str] = []

    def listen(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            printed.append(message["content"]["text"])

    remedy = f"{INSTALL_AGAIN}."
    try:
        # The kernel's own words at its death would only hide ours.
        with open(os.devnull, "w") as nowhere:
            manager, client = start_new_kernel(
                kernel_name=KERNEL, startup_timeout=KERNEL_START_S, stdout=nowhere, stderr=nowhere
            )
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return Finding("a cell", False, f"the kernel does not start ({said})", remedy)
    try:
        reply = client.execute_interactive(CELL, timeout=CELL_S, output_hook=listen, allow_stdin=False)
        content = reply["content"]
    except TimeoutError:
        return Finding("a cell", False, f"it had not ended after {CELL_S} s", remedy)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if content["status"] != "ok":
        return Finding("a cell", False, f"it fails: {content['ename']}: {content['evalue']}", remedy)
    told = json.loads("".join(printed).splitlines()[-1])
    here = Path(__file__).parent / "__init__.py"
    if not os.path.samefile(told["package"], here):
        return Finding(
            "a cell",
            False,
            f"it imports {told['package']}, not {here}",
            "Close other clones and notebooks, and start `lesson lab` from the clone that you mean.",
        )
    if told["virtual_s"] != 3600:
        return Finding("a cell", False, f"an hour of virtual time took {told['virtual_s']} s", remedy)
    return Finding("a cell", True, "an hour of virtual time passed in it")


def extensions() -> Finding:
    """Does JupyterLab find, and not disable, what shows widgets in the browser?"""
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.config import get_federated_extensions, get_page_config

    places = jupyter_path("labextensions")
    there = get_federated_extensions(places)
    disabled = get_page_config(places).get("disabledExtensions", {})
    for name, package in EXTENSIONS.items():
        if name not in there:
            return Finding(
                "widgets in the browser",
                False,
                f"JupyterLab does not find the extension {name}",
                f"Run `{sys.executable} -m pip install --force-reinstall --no-deps {package}`, then reload the page.",
            )
        if _is_disabled(name, disabled):
            return Finding(
                "widgets in the browser",
                False,
                f"the extension {name} is disabled",
                f"Run `{sys.executable} -m jupyter labextension enable {name}`, then reload the page.",
            )
    return Finding("widgets in the browser", True, f"{' and '.join(EXTENSIONS)} are there")


def _is_disabled(name: str, disabled: Any) -> bool:
    """JupyterLab disables an extension by its name, or a plugin of it by `name:plugin`."""
    entries = [entry for entry, on in disabled.items() if on] if isinstance(disabled, dict) else disabled
    return any(str(entry).split(":")[0] == name for entry in entries)
