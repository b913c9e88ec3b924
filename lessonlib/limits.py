"""What stops a runaway: a budget of steps for code that awaits for ever, a watchdog for code that never does.

`while True: await asyncio.sleep(0)` comes back to the event loop, which counts its steps and stops.
`while True: pass` never comes back: only another thread can stop it, by raising an exception in it.
"""

from __future__ import annotations

import _thread
import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lessonlib.errors import LessonError

MAX_STEPS = 20_000_000
WATCHDOG_S = 5.0
# Where every thread starts (module, name, function), for a simulation that refuses threads.
THREAD_START = (threading, "_start_new_thread", _thread.start_new_thread)
# And where programs get a lock of threads, for a simulation that refuses to wait for one.
THREAD_LOCK = (threading, "Lock", threading.Lock)


class StepBudgetExceeded(LessonError):
    """A simulation ran more callbacks than it may."""

    def __init__(self, max_steps: int, when: str, waiting: str = "") -> None:
        super().__init__(
            f"stopped after {max_steps} steps, at {when} of virtual time: does a loop run without end? "
            "Make it wait for something (`await asyncio.sleep(...)`), or give it a limit."
            + (f"\n{waiting}" if waiting else "")
        )
        self.when = when

    def __reduce__(self) -> tuple[object, ...]:
        return (LessonError, self.args)


class Runaway(KeyboardInterrupt):
    """Raised inside code that never gives way. Derived from KeyboardInterrupt, since `except Exception` and
    asyncio both let that through."""


_simulating = threading.RLock()
_running: list[int] = []  # the threads that simulate: at most one
_waiting: set[int] = set()  # the threads that wait until they may


@contextmanager
def one_simulation() -> Iterator[None]:
    """Wait until no other thread simulates, then keep the others waiting.

    A panel's callbacks may run on another thread than the cells, and a simulation lends itself what all threads
    share (the seed of `random`, stand-ins for `time.sleep`, the garbage collector). Who waits here is not stuck.
    """
    me = threading.get_ident()
    _waiting.add(me)
    try:
        with _simulating:
            _waiting.discard(me)
            _running.append(me)
            try:
                yield
            finally:
                _running.remove(me)
    finally:
        _waiting.discard(me)


def simulating_elsewhere() -> bool:
    """Whether another thread simulates just now."""
    return any(thread != threading.get_ident() for thread in tuple(_running))


class _Progress:
    """A count that moves as long as an event loop gets its turn."""

    steps = 0


progress = _Progress()


@contextmanager
def watchdog(limit_s: float = WATCHDOG_S) -> Iterator[None]:
    """Raise Runaway in the calling thread once it has made no progress for `limit_s` seconds of real time.

    Progress is a turn of a simulation's event loop; a whole simulation may take longer. Works on any thread.
    Code that catches even KeyboardInterrupt is asked again every `limit_s`; only a process limit stops that.
    On the main thread the exception comes by a signal, which also wakes what waits for a lock of threads (not on
    Windows, which has no signal for that).

    Call the code to be watched, do not write it into the block: CPython 3.13 covers the jump back of a `while`
    by no handler, so what strikes there passes by the `with` and the `except` of the same function.
    """
    target = threading.get_ident()
    lock = _thread.allocate_lock()
    over = threading.Event()
    fired = False
    on_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "pthread_kill")
    # SIGURG, since nobody minds one too many: it is ignored wherever it is not asked for.
    before = signal.getsignal(signal.SIGURG) if on_main else None
    by_signal = before is not None  # None: there is a handler that is not Python's, and could not be put back
    due = False

    def strike() -> None:
        nonlocal due
        if by_signal:
            due = True
            signal.pthread_kill(target, signal.SIGURG)
        else:
            _raise_in(target, Runaway)

    def struck(number: int, frame: FrameType | None) -> None:
        nonlocal due
        if due and not over.is_set():
            due = False
            raise Runaway
        if callable(before):  # an outer watchdog's
            before(number, frame)

    def watch() -> None:
        nonlocal fired
        seen, since = progress.steps, time.monotonic()
        while not over.wait(min(0.1, limit_s / 4)):
            if progress.steps != seen or target in _waiting:
                seen, since = progress.steps, time.monotonic()
            elif time.monotonic() - since > limit_s:
                with lock:
                    if not over.is_set():
                        fired = True
                        strike()
                since = time.monotonic()

    try:
        if by_signal:
            signal.signal(signal.SIGURG, struck)
        threading.Thread(target=watch, name="watchdog", daemon=True).start()
        yield
    finally:
        # The exception may be delivered at any call, these here among them; then once more, or the watch would
        # go on for ever. So nothing that calls may stand outside the `try`.
        late: Runaway | None = None
        while True:
            try:
                with lock:
                    over.set()
                    if fired and not by_signal:
                        _raise_in(target, None)  # take back an exception that has not been delivered yet
                if by_signal:
                    signal.signal(signal.SIGURG, before)
                break
            except Runaway as error:
                late = error
        if late is not None:
            raise late


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(error) if error else None
    )
