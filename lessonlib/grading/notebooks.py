"""Running notebooks and storing what they print, in a form that is the same on every machine."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

from lessonlib.errors import LessonError
from lessonlib.grading.build import NOTEBOOK_METADATA, TRANSIENT_METADATA, notebook_text
from lessonlib.places import MINE_VARIABLE, write_atomically

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT_S = 120

# What is not the same in the next run, or on the next machine.
_UNSTABLE = {
    "a memory address": re.compile(r"\bat 0x[0-9a-f]{6,}|<[^<>]*\b0x[0-9a-f]{8,}[^<>]*>", re.IGNORECASE),
    "a machine's path": re.compile(
        r"(?<![\w./:-])/(?:home|Users|root|tmp|var|private|opt|usr|mnt|srv)/[\w.]|\b[A-Z]:\\\w|\bipykernel_\d+"
    ),
    "a timing": re.compile(r"\b(?:Wall time|CPU times): |\bper loop \(mean "),
}


def execute(paths: Sequence[Path]) -> None:
    """Run each notebook in its own folder with this environment's Python and store its outputs in it.

    Notebooks are written one by one, each only once it has run to its end and its outputs are fit to be stored.

    Raises:
        LessonError: a file is not a notebook; a cell fails, takes over CELL_TIMEOUT_S seconds or kills the kernel; an
            output could not be compared with that of another machine. The message names notebook and cell.
    """
    for path in paths:
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat raises whatever its parsers do
            raise LessonError(f"{path} is not a notebook ({type(error).__name__}): restore it.") from error
        client = _Client(
            notebook,
            timeout=CELL_TIMEOUT_S,
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.resolve().parent)}},
        )
        try:
            # stderr is the kernel's own log, not what cells print
            client.execute(stderr=subprocess.DEVNULL, env=os.environ | {MINE_VARIABLE: ""})
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise LessonError(f"{path} stopped in cell {client.running}: {_reason(error)}.") from error
        normalise(notebook)
        if found := problems(notebook):
            raise LessonError(f"{path} was not stored: {found[0]}")
        write_atomically(path, notebook_text(notebook))


class _Client(NotebookClient):
    """Runs the Python of this environment, whatever kernel the notebook names; knows which cell is running."""

    running = ""

    def create_kernel_manager(self) -> AsyncKernelManager:
        self.km = AsyncKernelManager(
            kernel_name=CURRENT_ENV_KERNEL_NAME, kernel_spec_manager=NbvalKernelspecManager()
        )
        return self.km

    async def async_execute_cell(self, cell: NotebookNode, *args: Any, **options: Any) -> NotebookNode:
        self.running = cell.id
        return await super().async_execute_cell(cell, *args, **options)


def _reason(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".strip().rstrip(".")
    if isinstance(error, CellTimeoutError):
        return f"it took over {CELL_TIMEOUT_S} s"
    return "the kernel died"


def normalise(notebook: NotebookNode) -> None:
    """Take out of a notebook, in place, what says when and where it ran but not what it said."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        for key in TRANSIENT_METADATA:
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            # Without its state a stored widget shows nothing; its text does.
            output.get("data", {}).pop(WIDGET_VIEW, None)
        if "outputs" in cell:  # an output that was a widget and nothing else
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]


def problems(notebook: NotebookNode) -> list[str]:
    """Return what keeps a stored notebook from being compared on another machine; each sentence names its cell."""
    found = []
    if notebook.metadata != NOTEBOOK_METADATA or (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        found.append("The notebook's metadata is not normalised: run `lesson notebooks`.")
    expected = 0
    for cell in notebook.cells:
        where = f"Cell {cell.get('id')}"
        if left := sorted(cell.metadata.keys() & set(TRANSIENT_METADATA)):
            found.append(f"{where} has metadata of one run ({', '.join(left)}): run `lesson notebooks`.")
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        expected += 1
        if cell.execution_count != expected:
            found.append(
                f"{where} is number {cell.execution_count} instead of {expected}: run `lesson notebooks`."
            )
        found += [f"{where} {problem}" for problem in _output_problems(cell.outputs)]
    return found


def _output_problems(outputs: Sequence[NotebookNode]) -> Iterator[str]:
    streams = [output.name for output in outputs if output.output_type == "stream"]
    if len(streams) != len(set(streams)):
        yield "has a stream in several pieces: run `lesson notebooks`."
    if "stderr" in streams:
        yield "prints to stderr: mend what it warns of."
    for output in outputs:
        if output.output_type == "error":
            yield f"shows the error {output.ename}: mend it."
        if WIDGET_VIEW in output.get("data", {}):
            yield "stores a widget without its state: run `lesson notebooks`."
        for text in _texts(output):
            for what, pattern in _UNSTABLE.items():
                if match := pattern.search(text):
                    line = text[: match.end()].splitlines()[-1].strip()
                    yield f"shows {what} ({line[-60:]}…): show something that every run and machine shares."


def _texts(output: NotebookNode) -> Iterator[str]:
    if output.output_type == "stream":
        yield output.text
    for mime, value in output.get("data", {}).items():
        if isinstance(value, str) and (mime.startswith("text/") or mime == "image/svg+xml"):
            yield value
