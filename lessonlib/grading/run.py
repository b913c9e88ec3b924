"""One run of one notebook under nbval, in a process of its own with limits. Nothing here decides on points.

The grader starts this file as a process and reads, line by line from a pipe that only this process inherits, what
happens: which cell starts, how it ended, and which process group runs the cells, so that it can always end them all.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pluggy import HookimplMarker

from lessonlib.places import MINE_VARIABLE

hookimpl = HookimplMarker("pytest")

STARTS_MAX = 3  # kernels take their ports by luck: two that start together may want the same one
LINE_BYTES_MAX = 200_000
MESSAGE_CHARACTERS_MAX = 2_000
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07?|\x1b.")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one submission may use.

    Attributes:
        cell_s: wall-clock seconds for one cell.
        total_s: wall-clock seconds for everything, runs of single exercises included.
        memory_mb: address space of each process, in megabytes.
        file_mb: size of each file written, in megabytes.
    """

    cell_s: float = 60
    total_s: float = 600
    memory_mb: int = 4096
    file_mb: int = 64


@dataclass(frozen=True, slots=True)
class CellEnd:
    """How a cell ended.

    Attributes:
        passed: nbval reported it as passed.
        error: the name of the exception, empty where there was none.
        message: what it said, short and plain.
        trouble: why no later cell can be run in this kernel; None while one can.
    """

    passed: bool
    error: str = ""
    message: str = ""
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """How one run ended.

    Attributes:
        cells: how each cell that was started ended, by its id.
        lost: why cells are missing from these; empty if none is.
        notes: limits that do not work on this system.
        begun: whether there was a kernel to run cells in.
    """

    cells: Mapping[str, CellEnd]
    lost: str
    notes: tuple[str, ...]
    begun: bool = True


def run(notebook: Path, limits: Limits, seconds_left: float) -> Run:
    """Run a notebook in its folder, in a process of its own, and end that process with all that it started.

    A kernel that does not start has run nothing of the learner's, so it is tried again.
    """
    deadline = time.monotonic() + max(seconds_left, 0)
    for _ in range(STARTS_MAX):
        result = _run_once(notebook, limits, deadline)
        if result.begun:
            break
    return result


def _run_once(notebook: Path, limits: Limits, deadline: float) -> Run:
    reading, writing = os.pipe()
    log = notebook.with_suffix(".log")
    command = [
        sys.executable,
        "-m",
        "lessonlib.grading.run",
        str(notebook),
        str(writing),
        json.dumps(asdict(limits)),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=notebook.parent,
            env=_environment(notebook.parent),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
        )
    os.close(writing)
    groups = {process.pid}
    ends: dict[str, CellEnd] = {}
    notes: list[str] = []
    running: str | None = None
    why, begun = "The process that runs the cells died.", True
    try:
        for event in _events(reading, deadline):
            if event is None:
                why = f"A submission may take {limits.total_s:g} s in all, and these were over."
                break
            match event:
                case {"kernel": int(pid)}:
                    groups.add(pid)
                case {"note": str(note)}:
                    notes.append(note)
                case {"not begun": str(reason)}:
                    why, begun = f"The run could not begin: {reason}", False
                case {"start": str(cell)}:
                    running = cell
                case {"end": str(cell), "passed": bool(), "error": str(), "message": str()}:
                    ends[cell] = CellEnd(
                        event["passed"], event["error"], event["message"], event.get("trouble")
                    )
                    running = None
    finally:
        os.close(reading)
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        process.wait()
    if running is not None:
        ends[running] = CellEnd(False, "", why, trouble=why)
    lost = next((end.trouble for end in ends.values() if end.trouble), "")
    if not ends:
        lost = why
    return Run(ends, lost, tuple(notes), begun or bool(ends))


def _events(pipe: int, deadline: float) -> Iterator[dict[str, Any] | None]:
    """Yield what the process reports until it ends; None when the deadline comes first."""
    unread = b""
    while (seconds := deadline - time.monotonic()) > 0:
        if not select.select([pipe], [], [], seconds)[0]:
            break
        chunk = os.read(pipe, 65536)
        if not chunk:
            return
        *lines, unread = (unread + chunk).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event
        unread = unread[:LINE_BYTES_MAX]
    yield None


def _environment(scratch: Path) -> dict[str, str]:
    """The learner's own IPython profile and start-up files do not count; libraries do not reserve a heap per core."""
    dropped = ("PYTHONSTARTUP", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONINSPECT")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {
        "IPYTHONDIR": str(scratch / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        MINE_VARIABLE: "",
        "LESSON_GRADING": "1",
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


# From here on: what happens in the process with limits.


def main(notebook: str, pipe: int, limits: Limits) -> None:
    """Set the limits, which the kernel inherits, and run the notebook under nbval and the guard."""
    os.set_inheritable(pipe, False)  # the kernel must not be able to write verdicts
    reporter = _Reporter(pipe)
    for note in _set_limits(limits):
        reporter.send(note=note)

    import pytest

    arguments = f"-c {os.devnull} --rootdir=. --noconftest -p no:cacheprovider --color=no --tb=no -q"
    arguments += " -p lessonlib.grading.nbval_guard -p nbval.plugin --nbval --nbval-current-env"
    pytest.main([*arguments.split(), f"--nbval-cell-timeout={limits.cell_s}", notebook], plugins=[reporter])


def _set_limits(limits: Limits) -> Iterator[str]:
    import resource

    megabyte = 1024 * 1024
    for what, name, most in (
        ("memory", "RLIMIT_AS", limits.memory_mb * megabyte),
        ("size of files", "RLIMIT_FSIZE", limits.file_mb * megabyte),
        ("processor time", "RLIMIT_CPU", int(limits.total_s) + 60),  # for what escapes the end of its group
        ("size of core dumps", "RLIMIT_CORE", 0),
    ):
        try:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
        except (AttributeError, ValueError, OSError):
            yield f"The {what} of a submission cannot be limited on this system."


class _Reporter:
    """A pytest plugin that tells the grader of each cell; markers in cells do not count."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def send(self, **event: object) -> None:
        os.write(self._pipe, json.dumps(event).encode() + b"\n")

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for item in items:
            item.options = defaultdict(bool, ignore_dead_tasks=True)

    @hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: Any) -> None:
        self.send(kernel=item.parent.kernel.pid)
        self.send(start=item.cell.id)

    @hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, Any]:
        report = yield
        if call.when == "setup" and report.failed:
            self.send(**{"not begun": plain(str(call.excinfo.value))[:MESSAGE_CHARACTERS_MAX]})
            item.session.shouldstop = "no kernel"
        if call.when == "call":
            kernel = item.parent.kernel
            reply = kernel.reply or {}
            trouble = kernel.trouble or (
                None if kernel.is_alive() else "The kernel died while this cell ran."
            )
            self.send(
                end=item.cell.id,
                passed=report.outcome == "passed"
                and not hasattr(report, "wasxfail")
                and reply.get("status") == "ok",
                error=plain(reply.get("ename", ""))[:100],
                message=plain(trouble or _said(reply))[:MESSAGE_CHARACTERS_MAX],
                trouble=trouble,
            )
            if trouble:
                item.session.shouldstop = trouble
        return report


def _said(reply: dict[str, Any]) -> str:
    """An exception that draws itself is shown as it does; of any other, its name and what it says."""
    drawn = plain("\n".join(reply.get("traceback") or ()))
    name, said = reply.get("ename", ""), reply.get("evalue", "")
    if drawn and "Traceback (most recent call last)" not in drawn:
        return drawn
    return said if name == "AssertionError" and said else f"{name}: {said}".strip(": ")


def plain(text: str) -> str:
    """Return the text without colours and control characters, fit for a terminal and for JSON."""
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\t", "    ")
    text = "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)
    return text.strip()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Limits(**json.loads(sys.argv[3])))
