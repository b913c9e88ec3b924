"""How a panel takes its time: it waits until a slider rests, and does long work in slices.

Callbacks of widgets run in an asyncio loop: the kernel's own, or that of a thread which JupyterLab keeps for
widgets. Work that is put on that loop in slices lets in, between two slices, the message that cancels it; a
thread of our own would need locks around everything. Without a loop (a script, a test) all is done at once.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from lessonlib.limits import simulating_elsewhere

SLICE_S = 0.05  # of work, and then others have their turn
BREATH_S = 0.005  # in which they have it
WAIT_S = 0.1  # and so long until we look again whether a cell still simulates


def later(delay_s: float, call: Callable[[], None]) -> bool:
    """Put `call` on the running loop and return True; call it at once and return False when there is none."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        call()
        return False
    loop.call_later(delay_s, call)
    return True


class Latest:
    """Calls `work` once nobody has asked for it for a while: of a slider's many changes the last one counts.

    Args:
        work: what to do. It should not raise.
        waiting: called when another thread's simulation has to be waited for.
    """

    def __init__(self, work: Callable[[], None], waiting: Callable[[], None] = lambda: None) -> None:
        self._work = work
        self._waiting = waiting
        self._lock = threading.Lock()
        self._asked = 0

    def ask(self, quiet_s: float) -> None:
        """Ask for the work to be done, unless somebody asks again within `quiet_s` seconds."""
        with self._lock:
            self._asked += 1
            mine = self._asked
        later(quiet_s, lambda: self._due(mine))

    def _due(self, mine: int) -> None:
        if mine != self._asked:
            return
        if simulating_elsewhere():
            self._waiting()
            if _looping():
                later(WAIT_S, lambda: self._due(mine))
                return
        self._work()


class Slices:
    """Runs a generator slice by slice.

    Args:
        work: the generator. `send(False)` must make it return soon.
        tick: called after each slice with what was yielded last.
        done: called with what it returned.
        failed: called with what it raised, Runaway included.
        step: makes one step of `work`: `step(work, answer)`.
        waiting: called when another thread's simulation has to be waited for.
    """

    def __init__(
        self,
        work: Generator[Any, bool | None, Any],
        *,
        tick: Callable[[Any], None],
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        step: Callable[[Generator[Any, bool | None, Any], bool | None], Any],
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._waiting = waiting
        self._work, self._tick, self._done, self._failed, self._step = work, tick, done, failed, step
        self._cancelled = False

    def start(self) -> None:
        later(0, self._slice)

    def cancel(self) -> None:
        """Ask the work to end. It does, with what it has, at its next step."""
        self._cancelled = True

    def _slice(self) -> None:
        over = time.monotonic() + SLICE_S
        while True:
            if _looping() and simulating_elsewhere() and not self._cancelled:
                self._waiting()
                later(WAIT_S, self._slice)
                return
            try:
                if self._cancelled and not self._begun():
                    next(self._work)  # a generator that has not begun takes no answer yet
                seen = self._step(self._work, False if self._cancelled else None)
            except StopIteration as end:
                self._done(end.value)
                return
            except (Exception, KeyboardInterrupt) as error:
                self._failed(error)
                return
            if time.monotonic() >= over:
                self._tick(seen)
                if _looping():
                    later(BREATH_S, self._slice)
                    return
                over = time.monotonic() + SLICE_S

    def _begun(self) -> bool:
        return inspect.getgeneratorstate(self._work) != inspect.GEN_CREATED


def _looping() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
