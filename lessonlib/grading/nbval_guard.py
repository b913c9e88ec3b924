"""A pytest plugin that closes nbval's blind spots.

nbval runs a notebook's cells as tests and compares their outputs. Left alone it lets these pass, or wait for ever:

- a kernel that died is noticed only at the time-out of the cell, which is 2000 s (here 60 s, set in pyproject.toml);
- a cell whose error reaches no output: an ExceptionGroup or an unknown %magic under IPython 9;
- a task that failed in the background and that nobody awaited;
- a notebook stored without having been run: nothing is compared;
- a cell that swallows the interrupt at its time-out: it passes, or nbval reads for ever what it goes on printing;
- a cell that prints without end, or a gigabyte at once: nbval keeps all of it in memory.

A cell of an exercise is tagged `nbval-ignore-output`; such cells need not be stored with outputs.
Loaded with `-p` before nbval, the plugin also spares each process what `lessonlib.grading` says.
"""

from __future__ import annotations

import ast
import os
import time
from collections import deque
from collections.abc import Generator
from queue import Empty
from typing import Any, NoReturn

import nbval.plugin
import pytest
import zmq
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

from lessonlib.places import MINE_VARIABLE

OUTPUT_CHARACTERS_MAX = 5_000_000  # of one cell, which ends with an exception
OUTPUT_CHARACTERS_KILL = (
    2 * OUTPUT_CHARACTERS_MAX
)  # of one cell that goes on regardless; its kernel is killed
INTERRUPT_GRACE_S = 5.0
ALIVE_EVERY_MS = 200

# Runs inside the kernel, in a module of its own, so that the notebook's names and outputs stay as they are.
_WATCH = """
import asyncio, gc, sys, threading

died = []

def describe(future, error):
    where = ""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is not None:
        where = f" at line {traceback.tb_lineno} of {traceback.tb_frame.f_code.co_name}"
    coroutine = getattr(future, "get_coro", lambda: None)()
    name = getattr(coroutine, "__qualname__", "a future")
    return f"{name} raised {type(error).__name__}: {error}{where}"

def handle(loop, context):
    error = context.get("exception")
    if isinstance(error, Exception):
        died.append(describe(context.get("task") or context.get("future"), error))
    (previous or type(loop).default_exception_handler)(loop, context)

def report(last_cell):
    gc.collect()
    if last_cell:  # nobody can await these any more
        for thing in gc.get_objects():
            # type, not isinstance: that asks the object, and some proxies answer with an exception
            if issubclass(type(thing), asyncio.Task) and thing.done() and thing.get_loop() is loop:
                if thing._log_traceback and isinstance(thing._exception, Exception):
                    died.append(describe(thing, thing._exception))
    found, died[:] = list(died), []
    return found

loop = asyncio.get_running_loop()
previous = loop.get_exception_handler()
loop.set_exception_handler(handle)

class TooMuchOutput(KeyboardInterrupt):
    "Ends a cell at once: `except Exception` and asyncio let it through."

printed = 0

def limited(write):
    def write_limited(text):
        global printed
        if threading.current_thread() is threading.main_thread():
            printed += len(text)
            if printed > most:
                printed = 0
                raise TooMuchOutput(f"This cell printed more than {most} characters.")
        return write(text)
    return write_limited

def start_cell(*_):
    global printed
    printed = 0

def limit_streams():
    for stream in (sys.stdout, sys.stderr):
        stream.write = limited(stream.write)

loop.call_soon(limit_streams)  # not now: IPython puts back the streams as it found them when a cell ends
get_ipython().events.register("pre_run_cell", start_cell)
"""
_INSTALL = f"""
__import__("sys").modules["_nbval_guard"] = type(__import__("sys"))("_nbval_guard")
__import__("sys").modules["_nbval_guard"].__dict__.update(get_ipython=get_ipython, most={OUTPUT_CHARACTERS_MAX})
exec({_WATCH!r}, __import__("sys").modules["_nbval_guard"].__dict__)
"""
_REPORT = "__import__('sys').modules['_nbval_guard'].report({last_cell})"


class Trouble(Exception):
    """The kernel is lost, and with it whatever the notebook's later cells need."""


class GuardedKernel(RunningKernel):
    """nbval's kernel, which notices at once when it dies and when a cell prints without end.

    Attributes:
        reply: what the kernel answered to the last cell; None if it did not.
        trouble: why the kernel is lost, in words; None while it is well.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self.reply: dict[str, Any] | None = None
        self.trouble: str | None = None
        self._pending: deque[dict[str, Any]] = deque()
        self._printed = 0
        self._give_up_at: float | None = None
        super().__init__(*args, **options)
        self._ask(_INSTALL)

    @property
    def pid(self) -> int:
        """The process that runs the cells."""
        return int(self.km.provisioner.pid)

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        self.reply, self._printed, self._give_up_at = None, 0, None
        self._pending.clear()
        return str(super().execute_cell_input(cell_input, allow_stdin=allow_stdin))

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the reply, reading what the cell prints in the meantime.

        Raises:
            Empty: there is no reply within `timeout` seconds.
            Trouble: the kernel died, or the cell printed more than OUTPUT_CHARACTERS_KILL.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        shell, iopub = self.kc.shell_channel, self.kc.iopub_channel
        poller = zmq.Poller()
        for channel in (shell, iopub):
            poller.register(channel.socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(ALIVE_EVERY_MS))
            if iopub.socket in ready:
                self._pending.append(self._read_iopub(0))
            if shell.socket in ready:
                message = self.kc.get_shell_msg(timeout=0)
                if message["parent_header"].get("msg_id") == msg_id:
                    self.reply = message["content"]
                    return
            if not ready and not self.is_alive():
                self.lose("The kernel died while this cell ran.")
            if deadline is not None and time.monotonic() > deadline:
                self.trouble = f"This cell took longer than {timeout:g} s."
                raise Empty

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        """As nbval's, but gives up INTERRUPT_GRACE_S after an interrupt, however much the cell still prints."""
        if stream != "iopub":
            return dict(super().get_message(stream, timeout=timeout))
        if self._give_up_at is not None:
            timeout = min(timeout or INTERRUPT_GRACE_S, self._give_up_at - time.monotonic())
            if timeout <= 0:
                raise Empty
        try:
            return self._pending.popleft() if self._pending else self._read_iopub(timeout)
        except Empty:
            if not self.is_alive():
                self.lose("The kernel died while this cell ran.")
            raise

    def interrupt(self) -> None:
        self._give_up_at = time.monotonic() + INTERRUPT_GRACE_S
        super().interrupt()

    def dead_tasks(self, *, last_cell: bool) -> list[str]:
        """Return a line for each task that failed without anyone having asked for its result."""
        return list(ast.literal_eval(self._ask("", _REPORT.format(last_cell=last_cell))))

    def lose(self, why: str) -> NoReturn:
        """Stop the kernel with all its processes and raise Trouble."""
        self.trouble = why
        if hasattr(self, "km"):
            self.stop()
        raise Trouble(why)

    def _read_iopub(self, timeout: float | None) -> dict[str, Any]:
        flood = f"This cell printed more than {OUTPUT_CHARACTERS_KILL} characters."
        try:
            message: dict[str, Any] = self.kc.get_iopub_msg(timeout=timeout)
        except MemoryError:
            self.lose(flood)
        if message["msg_type"] == "stream":
            self._printed += len(message["content"]["text"])
        elif message["msg_type"] in ("display_data", "execute_result"):
            self._printed += sum(len(str(value)) for value in message["content"]["data"].values())
        if self._printed > OUTPUT_CHARACTERS_KILL:
            self.lose(flood)
        return message

    def _ask(self, code: str, expression: str = "None") -> str:
        """Run code without a trace in outputs or execution counts; return the value of the expression, in words."""
        of_the_cell, self.reply = self.reply, None
        options: dict[str, Any] = {"silent": True, "store_history": False, "allow_stdin": False}
        try:
            self.await_reply(self.kc.execute(code, user_expressions={"value": expression}, **options), 30)
            assert self.reply is not None
            return str(self.reply["user_expressions"]["value"]["data"]["text/plain"])
        except Empty:
            self.lose("The kernel did not answer after this cell.")
        except KeyError:
            answer: dict[str, Any] = self.reply or {}
            said = answer.get("evalue") or "its answer has no value"
            raise RuntimeError(f"The guard does not work in this kernel: {said}") from None
        finally:
            self.reply = of_the_cell


def pytest_configure() -> None:
    """Make nbval start guarded kernels, in which a passed check saves nothing as the learner's own."""
    os.environ[MINE_VARIABLE] = ""
    nbval.plugin.RunningKernel = GuardedKernel


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the cells that nbval alone lets pass."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    never_run = item.cell.execution_count is None and item.cell.source.strip()
    if never_run and item.options["check"] and not item.options["skip"]:
        item.raise_cell_error(
            "Stored without having been run: `lesson notebooks` runs it and stores its outputs"
        )
    # nbval compares no image of its own; one that stands in a page, with words for who cannot see it, is as much the
    # drawing library's. Its words are compared.
    item.parent.sanitize_patterns[r"data:image/png;base64,[\w+/=]+"] = "an image"
    try:
        result = yield
        _require_a_good_end(item)
    except Trouble as trouble:
        item.raise_cell_error(str(trouble))
    return result


def _require_a_good_end(item: IPyNbCell) -> None:
    kernel = item.parent.kernel
    if kernel.trouble:
        raise Trouble(kernel.trouble)
    reply = kernel.reply or {}
    if reply.get("status") != "ok" and not item.options["check_exception"]:
        item.raise_cell_error("Cell execution caused an exception", "\n".join(reply.get("traceback", ())))
    if item.options["ignore_dead_tasks"]:
        return
    last_cell = [cell for cell in item.parent.nb.cells if cell.cell_type == "code"][-1]
    if dead := kernel.dead_tasks(last_cell=item.cell is last_cell):
        item.raise_cell_error("A task failed in the background and nobody awaited it: " + "; ".join(dead))
