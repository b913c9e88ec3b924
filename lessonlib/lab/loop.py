"""An asyncio event loop whose clock is virtual.

A real loop waits: when nothing is ready it sleeps until the next timer is due. This one has nothing to wait
for, since no socket and no other thread can wake it. So when nothing is ready it *moves its clock* to the
next timer. An hour of sleeping passes in a moment, and two runs of one program agree to the last step.

What makes a run repeat:
- Ready callbacks run first-in first-out. Timers run by (time, order of creation).
- Time is counted in whole microseconds, so no sum of floats decides which of two timers is first.
- asyncio keeps tasks in sets, whose order depends on the tasks' addresses in memory. Ours hash by their
  order of creation instead.
- The module `random` is seeded for the while, and garbage is collected at counted steps.

A *host* is what a callback runs on: an incarnation of a simulated node, found through a context variable that
asyncio itself carries from task to task. Before each callback the loop looks at its host. If the host is dead
the callback is dropped; if it is paused, kept for later. No code of the dead host runs on, not even `finally`.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import heapq
import inspect
import linecache
import os
import random
import re
import sys
import sysconfig
import time
import types
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from lessonlib.errors import LessonError
from lessonlib.lab.history import seconds
from lessonlib.limits import (
    MAX_STEPS,
    THREAD_LOCK,
    THREAD_START,
    StepBudgetExceeded,
    one_simulation,
    progress,
)

T = TypeVar("T")

# asyncio's base class is abstract in the types only: what it cannot do here is refused by name, further down.
_LoopBase: Any = asyncio.AbstractEventLoop

# A turn of the loop takes no virtual time, so code that spins on `sleep(0)` would hold the clock still for
# ever. On a real machine spinning takes time; from this many turns without movement on, a turn takes 1 µs.
TURNS_AT_ONE_TIME = 10_000
STEPS_BETWEEN_COLLECTIONS = 50_000
CLOSING = "close an async generator"
NEVER_US = 10**18  # 30 000 years; `sleep(inf)` is a usual way to say "until somebody cancels me"


class SimulationError(LessonError):
    """A simulation could not go on, or ended in a way that the program should not have let happen."""


class Deadlock(SimulationError):
    """Every task waits, and nothing is left that could wake one."""


class StillRunning(SimulationError):
    """The main coroutine returned while tasks that it started were still at work."""


class UnseenFailure(SimulationError):
    """A task ended with an exception and nobody ever looked."""


class Refused(SimulationError, PermissionError):
    """Something that would leave the simulation (a file, a socket, a thread, a real wait) was tried in it."""


class Host:
    """What a callback runs on. `state` is "running", "paused" or "dead"; `lag_us` delays each of its steps."""

    __slots__ = ("lag_us", "name", "parked", "special", "state")

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "running"
        self.lag_us = 0
        self.parked: list[_Handle] = []
        self.special = False  # whether the loop must look closer before it runs a callback here

    def set(self, state: str | None = None, lag_us: int | None = None) -> None:
        """Change the state or the lag."""
        self.state = state if state is not None else self.state
        self.lag_us = lag_us if lag_us is not None else self.lag_us
        self.special = self.state != "running" or self.lag_us > 0


HOST: ContextVar[Host | None] = ContextVar("host", default=None)
_INSIDE: ContextVar[bool] = ContextVar("inside_a_simulation", default=False)


class _Handle:
    """A callback that waits for its turn; what `call_soon` and `call_at` return."""

    __slots__ = ("_when_us", "args", "callback", "context", "dropped", "lagged")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, when_us: int = 0
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self._when_us = when_us
        self.dropped = False
        self.lagged = False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped

    def when(self) -> float:
        return self._when_us / 1e6


class SimTask(asyncio.Task[Any]):
    """A task that hashes by its order of creation, so that sets of tasks have the same order in every run."""

    def __init__(
        self, coro: Any, *, loop: VirtualLoop, name: str, order: int, context: Context | None
    ) -> None:
        self.order = order  # first: asyncio hashes the task while it is being made
        self.host = HOST.get() if context is None else context.get(HOST)
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.order


class SimFuture(asyncio.Future[Any]):
    """A future that hashes by its order of creation, which the loop sets."""

    order: int

    def __hash__(self) -> int:
        return self.order


class VirtualLoop(_LoopBase):
    """The event loop of a simulation. Use `simulate` or a `Scenario`; they drive it."""

    def __init__(self, *, max_steps: int = MAX_STEPS) -> None:
        self.now_us = 0
        self.steps = 0
        self.max_steps = max_steps
        self.failed: dict[SimTask, int] = {}  # task -> time of death, until somebody looks
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[int, int, _Handle]] = []
        self._timer_order = 0
        self._created = 0
        self._tasks: dict[SimTask, None] = {}
        self._turns_here = 0
        self._next_check = min(STEPS_BETWEEN_COLLECTIONS, max_steps + 1)
        self._open = False
        self._closed = False
        self._frozen = False  # whether objects were kept from garbage collection
        self.keep_going = False  # whether a broken callback of the program is kept in `broken`, not raised
        self.broken: list[tuple[int, str, BaseException]] = []  # (time, host's name, error)
        self._stray: list[BaseException] = []
        self._generators: dict[int, tuple[weakref.ref[Any], Host | None]] = {}  # by id: begun, not yet closed
        self._lab = Context()  # the laboratory's own callbacks run here: on no host
        self._lab.run(_INSIDE.set, True)

    # ---- What asyncio asks of a loop ---------------------------------------------------------------------

    def time(self) -> float:
        return self.now_us / 1e6

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = _Handle(callback, args, context if context is not None else copy_context())
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self._at(self._due(self.now_us + delay * 1e6, delay > 0), callback, args, context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self._at(self._due(when * 1e6, when > self.time()), callback, args, context)

    def _due(self, when_us: float, later: bool) -> int:
        if when_us != when_us:
            raise SimulationError(f"{when_us} is no time to wait for; give a number of seconds")
        if when_us >= NEVER_US:
            return NEVER_US
        # A wait that is positive but below our resolution still moves the clock, or a loop that waits for
        # "the little that is left" would never end.
        return max(round(when_us), self.now_us + later)

    def _at(self, when_us: int, callback: Any, args: tuple[Any, ...], context: Context | None) -> _Handle:
        handle = _Handle(callback, args, context if context is not None else copy_context(), when_us)
        if when_us < NEVER_US:
            self._timer_order += 1
            heapq.heappush(self._timers, (when_us, self._timer_order, handle))
        return handle

    def after_us(self, delay_us: int, callback: Callable[..., object], *args: Any) -> _Handle:
        """Run a callback of the laboratory itself `delay_us` from now, on no host."""
        return self._at(self.now_us + delay_us, callback, args, self._lab)

    def at_us(self, when_us: int, callback: Callable[..., object], *args: Any) -> None:
        """Run a callback of the laboratory itself at `when_us`, on no host. Nobody can cancel it."""
        self._timer_order += 1
        heapq.heappush(self._timers, (when_us, self._timer_order, _Handle(callback, args, self._lab)))

    def create_future(self) -> Any:
        self._created += 1
        future = SimFuture(loop=self)
        future.order = self._created
        return future

    def create_task(self, coro: Any, *, name: Any = None, context: Context | None = None, **_: Any) -> Any:
        _refuse_bare_as_completed()
        self._created += 1
        order = self._created
        task = SimTask(coro, loop=self, name=name or f"task {order}", order=order, context=context)
        self._tasks[task] = None  # a task that nobody holds must not vanish when garbage is collected
        task.add_done_callback(self._task_ended, context=self._lab)
        return task

    def _task_ended(self, task: Any) -> None:
        del self._tasks[task]
        if getattr(task, "_log_traceback", False):  # it holds an exception that nobody has fetched so far
            self.failed[task] = self.now_us

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._open

    def is_closed(self) -> bool:
        return self._closed

    def get_task_factory(self) -> Any:
        return None

    def get_exception_handler(self) -> Any:
        return None

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # Tasks that fail unseen are found in `failed`; what is left are broken callbacks.
        error = context.get("exception")
        if error is not None and "task" not in context and "future" not in context:
            self._stray.append(error)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        pass

    async def shutdown_asyncgens(self) -> None:
        for begun, _ in list(self._generators.values()):
            generator = begun()
            if generator is not None:
                await generator.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass

    # ---- Running -----------------------------------------------------------------------------------------

    @contextmanager
    def opened(self, seed: object = 0) -> Iterator[VirtualLoop]:
        """Make this the calling thread's running loop for a while.

        A loop that already runs here (a notebook's kernel has one) is set aside, not used: a worker thread
        instead could not be interrupted. Another simulation that runs on another thread is waited for.
        """
        if _INSIDE.get():
            raise SimulationError(
                "a simulation cannot start another one inside itself; return from this one first"
            )
        with one_simulation():
            yield from self._opened(seed)

    def _opened(self, seed: object) -> Iterator[VirtualLoop]:
        install_guard()
        outer = asyncio._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        chance = random.getstate()
        bytecode, collecting = sys.dont_write_bytecode, gc.isenabled()
        inside = _INSIDE.set(True)
        asyncio._set_running_loop(None)
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=self._generator_begins, finalizer=self._close_generator)
        random.seed(f"{seed}/module random")
        for module, name, stand_in, _ in _STAND_INS:
            setattr(module, name, stand_in)
        sys.dont_write_bytecode = True  # importing a module inside a simulation must write no file
        gc.disable()
        self._open = True
        try:
            yield self
        finally:
            self._open = False
            self._closed = True
            interrupt = self._bury()
            sys.dont_write_bytecode = bytecode
            if self._frozen:  # else leave alone what others have frozen
                gc.unfreeze()
            if collecting:
                gc.enable()
            for module, name, _, real in _STAND_INS:
                setattr(module, name, real)
            random.setstate(chance)
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(None)
            asyncio._set_running_loop(outer)
            _INSIDE.reset(inside)
            if interrupt is not None:
                raise interrupt

    def _generator_begins(self, generator: Any) -> None:
        self._generators[id(generator)] = (weakref.ref(generator), HOST.get())

    def _close_generator(self, generator: Any) -> None:
        """Let a generator that nobody holds any more run its `finally`, unless its host is dead."""
        _, host = self._generators.pop(id(generator), (None, None))
        if not self._closed and (host is None or host.state != "dead"):
            context = copy_context()
            context.run(HOST.set, host)
            self.create_task(generator.aclose(), name=CLOSING, context=context)

    def run(self, until: asyncio.Future[Any] | None = None, *, deadline_us: int | None = None) -> str:
        """Run until `until` is done ("done"), the clock passes `deadline_us` ("deadline"), or nothing is left
        to do ("idle"). Raises StepBudgetExceeded when `max_steps` callbacks have run."""
        ready, timers, host_of = self._ready, self._timers, HOST
        pop = heapq.heappop
        while True:
            if until is not None and until.done():
                return "done"
            if not ready:
                while timers and timers[0][2].dropped:
                    pop(timers)
                if not timers:
                    return "idle"
                when = timers[0][0]
                if deadline_us is not None and when > deadline_us:
                    self.now_us = max(self.now_us, deadline_us)
                    return "deadline"
                if when > self.now_us:
                    self.now_us = when
                    self._turns_here = 0
            now = self.now_us
            while timers and timers[0][0] <= now:
                ready.append(pop(timers)[2])
            turn = len(ready)
            self.steps += turn
            self._turns_here += 1
            if self._turns_here > TURNS_AT_ONE_TIME:
                self.now_us += 1
            if self.steps >= self._next_check:
                self._check()
            progress.steps += turn  # tells the watchdog that the loop is alive
            for _ in range(turn):
                handle = ready.popleft()
                if handle.dropped:
                    continue
                context = handle.context
                host = context.get(host_of)
                if host is not None and host.special and self._held(handle, host):
                    continue
                try:
                    context.run(handle.callback, *handle.args)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    self._callback_broke(error, context)
                if until is not None and until.done():
                    return "done"
            if self._stray:
                raise clean_traceback(self._stray.pop(0))

    def _check(self) -> None:
        """Do what is done every so many steps: stop a run that takes too many, and collect garbage.

        What survives a collection is mostly records, which stay to the end: later collections need not look
        at them again, or a long run would spend its time on that.
        """
        if self.steps > self.max_steps:
            raise StepBudgetExceeded(self.max_steps, seconds(self.now_us), _where_they_wait(self._tasks))
        self.failed = self.unseen()  # what was looked at meanwhile need not be kept
        gc.collect()
        gc.freeze()
        self._frozen = True
        self._next_check = min(self.steps + STEPS_BETWEEN_COLLECTIONS, self.max_steps + 1)

    def _callback_broke(self, error: BaseException, context: Context) -> None:
        """Keep what came out of a callback. (A task keeps its exception itself, and lets only exits out.)"""
        if isinstance(error, SystemExit) and not self.keep_going:
            raise error
        if self.keep_going and context is not self._lab:
            host = context.get(HOST)
            self.broken.append((self.now_us, host.name if host is not None else "", error))
        elif not isinstance(error, SystemExit):
            self._stray.append(error)

    def _held(self, handle: _Handle, host: Host) -> bool:
        """Whether the callback of a host that is not simply running must not run now."""
        if host.state == "dead":
            return True
        if host.state == "paused":
            host.parked.append(handle)
            return True
        if host.lag_us and not handle.lagged:
            handle.lagged = True
            self._timer_order += 1
            heapq.heappush(self._timers, (self.now_us + host.lag_us, self._timer_order, handle))
            return True
        return False

    def wake(self, host: Host) -> None:
        """Let a paused host go on: what it missed comes due now, in its old order."""
        host.set("running")
        self._ready.extend(host.parked)
        host.parked.clear()

    def unseen(self) -> dict[SimTask, int]:
        """Return the tasks that died with an exception that nobody has fetched, with their times of death."""
        for task in self._tasks:  # those that ended in the very last turn have not been looked at
            if task.done() and task not in self.failed:
                self.failed[task] = self.now_us
        return {task: t for task, t in self.failed.items() if getattr(task, "_log_traceback", False)}

    def waiting(self) -> list[SimTask]:
        """Return the tasks that are not done, in order of creation."""
        return [task for task in self._tasks if not task.done()]

    def _bury(self) -> KeyboardInterrupt | None:
        """End, silently and in order, whatever the simulation leaves behind.

        Returns the interrupt that came meanwhile, if one did: it has to wait until all is tidy.
        """
        interrupt: KeyboardInterrupt | None = None
        self._ready.clear()
        self._timers.clear()
        for task in list(self._tasks):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coro = task.get_coro()
            try:
                if coro is not None and hasattr(coro, "close"):
                    coro.close()
            except KeyboardInterrupt as error:
                interrupt = error
            except BaseException:
                # `while True: try: await ... except: pass` swallows this too. Python tries again when it frees
                # the coroutine; with no loop to wait on, that would spin for ever. So it is never freed.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(coro))
        self._tasks.clear()
        for dead in self.failed:
            dead._log_traceback = False
        self._ready.clear()
        return interrupt

    # ---- What a simulation refuses -----------------------------------------------------------------------

    def close(self) -> None:
        self._closed = True


def _refusal(name: str) -> Any:
    def refuse(self: VirtualLoop, *_: Any, **__: Any) -> Any:
        what = f"loop.{name}" + (" (asyncio.to_thread)" if name == "run_in_executor" else "")
        raise Refused(
            f"{what} is refused inside a simulation: it would reach the real world; "
            "use the ports (send, receive, append) or plain asyncio instead"
        )

    return refuse


for _name in [
    "run_forever",
    "run_until_complete",
    "stop",
    "run_in_executor",
    "set_default_executor",
    "getaddrinfo",
    "getnameinfo",
    "create_connection",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "create_datagram_endpoint",
    "connect_accepted_socket",
    "start_tls",
    "sendfile",
    "connect_read_pipe",
    "connect_write_pipe",
    "subprocess_shell",
    "subprocess_exec",
    "add_reader",
    "remove_reader",
    "add_writer",
    "remove_writer",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendto",
    "sock_connect",
    "sock_accept",
    "sock_sendfile",
    "add_signal_handler",
    "remove_signal_handler",
    "set_task_factory",
    "set_exception_handler",
    "set_debug",
]:
    setattr(VirtualLoop, _name, _refusal(_name))
VirtualLoop.__abstractmethods__ = frozenset()


def _refuse_bare_as_completed() -> None:
    """`as_completed` puts bare coroutines in a set, ordered by address, before it makes tasks of them."""
    frame = sys._getframe(2)
    for _ in range(5):
        if frame is None or frame.f_globals.get("__name__") != "asyncio.tasks":
            return
        if frame.f_code.co_name == "as_completed" or "_AsCompletedIterator" in frame.f_code.co_qualname:
            raise Refused(
                "asyncio.as_completed over bare coroutines starts them in an order that differs from run to "
                "run; make tasks first: as_completed([asyncio.create_task(c) for c in coroutines])"
            )
        frame = frame.f_back  # type: ignore[assignment]


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_REFUSED_EVENTS = {
    "socket.__new__": "opening a socket",
    "subprocess.Popen": "starting a process",
    "os.system": "starting a process",
    "os.exec": "starting a process",
    "os.posix_spawn": "starting a process",
    "os.fork": "starting a process",
    "os.spawn": "starting a process",
    "socket.getaddrinfo": "looking up a host",
    "sqlite3.connect": "opening a database",
    "time.sleep": "time.sleep",
    "_thread.start_new_thread": "starting a thread",
    "_thread.start_joinable_thread": "starting a thread",
    "os.remove": "deleting a file",
    "os.rename": "renaming a file",
    "os.truncate": "writing a file",
    "os.link": "linking a file",
    "os.symlink": "linking a file",
    "os.mkdir": "making a folder",
    "os.rmdir": "deleting a folder",
}
_REMEDY = {
    "_thread.start_new_thread": "use asyncio.create_task",
    "_thread.start_joinable_thread": "use asyncio.create_task",
    "open": "use `ports.disk`",
    "sqlite3.connect": "use `ports.disk`",
    "time.sleep": "use `await asyncio.sleep(...)`",
    "socket.__new__": "use `ports.transport`",
}
_guarded = False


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        if not (args[2] or 0) & _WRITING or not _INSIDE.get():
            return
        what = f"writing the file {os.path.basename(str(args[0]))!r}"
    elif event in _REFUSED_EVENTS and _INSIDE.get():
        what = _REFUSED_EVENTS[event]
    else:
        return
    remedy = _REMEDY.get(event, "do it before or after the simulation")
    raise Refused(f"{what} is refused inside a simulation; {remedy}")


_real_sleep = time.sleep
_real_all_tasks = asyncio.all_tasks


def _all_tasks(loop: Any = None) -> set[Any]:
    """`asyncio.all_tasks`; it looks through the tasks of all loops, so theirs would decide the order of ours."""
    loop = asyncio.get_running_loop() if loop is None else loop
    return set(loop.waiting()) if isinstance(loop, VirtualLoop) else _real_all_tasks(loop)


def _refuse_sleep(duration: float, /) -> None:
    if _INSIDE.get():
        raise Refused(
            "time.sleep is refused inside a simulation, since it would stop every node at once; "
            "use `await asyncio.sleep(...)`"
        )
    _real_sleep(duration)


def _refuse_thread(*args: Any) -> int:
    if _INSIDE.get():
        _guard("_thread.start_new_thread", args)
    started: int = THREAD_START[2](*args)
    return started


class _ThreadLock:
    """A `threading.Lock` that is made inside a simulation. There, to wait for it would be to wait for ever: whoever
    could free it is a task of the same thread."""

    def __init__(self) -> None:
        self._lock = THREAD_LOCK[2]()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._lock.acquire(False):
            return True
        if blocking and _INSIDE.get():
            raise Refused(
                "to wait for a threading.Lock is refused inside a simulation, since it stops the whole event loop, and with "
                "it the task that holds the lock; use `asyncio.Lock` with `async with`"
            )
        return self._lock.acquire(blocking, timeout)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


# What stands in for what while a simulation runs: (module, name, stand-in, the real one). Sleeping raises an
# audit event from Python 3.13 on, starting a thread from 3.12 on.
_STAND_INS: list[tuple[types.ModuleType, str, Any, Any]] = [
    (time, "sleep", _refuse_sleep, _real_sleep),
    (asyncio, "all_tasks", _all_tasks, _real_all_tasks),
    (*THREAD_LOCK[:2], _ThreadLock, THREAD_LOCK[2]),
]
if sys.version_info < (3, 12):
    _STAND_INS.append((*THREAD_START[:2], _refuse_thread, THREAD_START[2]))


def install_guard() -> None:
    """Install, once a process, the hook that refuses what would leave a simulation. Outside one it is idle."""
    global _guarded
    if not _guarded:
        _guarded = True
        sys.addaudithook(_guard)


# ---- Messages about tasks and tracebacks -----------------------------------------------------------------


def _innermost(coro: Any) -> types.FrameType | None:
    """The frame in which a coroutine is suspended, as deep as the program's own code goes."""
    found = None
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "ag_frame", None)
        if frame is None:
            break
        if not _is_machinery(frame.f_code.co_filename):
            found = frame
        coro = getattr(coro, "cr_await", None) or getattr(coro, "ag_await", None)
    return found


_MACHINERY = {os.path.dirname(f) for f in (__file__, asyncio.__file__, os.path.dirname(__file__))}
_STDLIB = sysconfig.get_path("stdlib") + os.sep


def _is_machinery(filename: str) -> bool:
    """Whether a file is the laboratory's, the seam's or asyncio's."""
    return os.path.dirname(filename) in _MACHINERY


def _is_library(filename: str) -> bool:
    """Whether a file comes with Python. Its line numbers differ between versions: no record may hold one."""
    return filename.startswith("<frozen ") or (
        filename.startswith(_STDLIB) and f"{os.sep}site-packages{os.sep}" not in filename
    )


def _place(filename: str, line: int, function: str) -> str:
    source = linecache.getline(filename, line).strip()
    where = (
        "this notebook" if "ipykernel" in filename or filename.startswith("<") else os.path.basename(filename)
    )
    return f"line {line} of {function} in {where}" + (f": {source}" if source else "")


def _where_they_wait(tasks: Any) -> str:
    lines = []
    for task in tasks:
        if task.done():
            continue
        frame = _innermost(task.get_coro())
        place = (
            _place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) if frame else "its start"
        )
        lines.append(f"  {task.get_name()!r} waits at {place}")
    more = len(lines) - 10
    return "\n".join(lines[:10] + ([f"  and {more} more"] if more > 0 else []))


def _who_died(loop: VirtualLoop) -> str:
    return "".join(
        f"\n  {task.get_name()!r} had died at {seconds(t_us)}: {describe_error(error)}"
        for task, t_us in loop.unseen().items()
        if (error := task.exception()) is not None
    )


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>"}  # functions of their own until Python 3.12


def describe_error(error: BaseException) -> str:
    """Return `TypeName: message (line 3 of handle in shop.py: code)`, the last line of the program's own.

    The text goes into histories, so nothing in it may differ from run to run or between versions of Python.
    """
    error = unwrap(error)
    try:
        message = _ADDRESS.sub("", str(error))
    except Exception as broken:
        message = f"(its message cannot be shown: {type(broken).__name__})"
    place, function = "", ""
    for frame, line in _frames(error.__traceback__):
        code = frame.f_code
        if not _is_machinery(code.co_filename) and not _is_library(code.co_filename):
            function = function if code.co_name in _COMPREHENSIONS else code.co_name
            place = f" ({_place(code.co_filename, line, function)})"
    return f"{type(error).__name__}: {message}{place}"


def _frames(traceback: types.TracebackType | None) -> Iterator[tuple[types.FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def unwrap(error: BaseException) -> BaseException:
    """Return the one exception inside a group of one (however deep), or the error itself."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def clean_traceback(error: BaseException) -> BaseException:
    """Unwrap a group of one, and leave only the program's own lines in its traceback and its causes'."""
    error = unwrap(error)
    todo, seen = [error], set()
    while todo:
        one = todo.pop()
        if id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = _own_lines(one.__traceback__)
            todo += [e for e in (one.__cause__, one.__context__) if e is not None]
            todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return error


def _own_lines(traceback: types.TracebackType | None) -> types.TracebackType | None:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    kept: types.TracebackType | None = None
    for entry in reversed(entries):
        if not _is_machinery(entry.tb_frame.f_code.co_filename):
            kept = types.TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return kept


def simulate(
    main: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]],
    *,
    seed: object = 0,
    max_steps: int = MAX_STEPS,
) -> T:
    """Run a coroutine to its end in virtual time and return its result.

    As `asyncio.run` does, it waits for tasks that have been cancelled and closes what async generators are left.

    Args:
        main: a coroutine, or a function of no arguments that returns one.
        seed: fixes the module `random` for the while.
        max_steps: how many callbacks may run before the run is stopped.

    Raises Deadlock, StillRunning, UnseenFailure, StepBudgetExceeded, or what `main` itself raised.
    """
    try:
        return _simulate(main, seed, max_steps)
    except BaseException as error:
        # A bare `raise` adds no line of this frame, so what the reader sees begins at their own call.
        clean_traceback(error)
        raise


def _simulate(
    main: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]], seed: object, max_steps: int
) -> T:
    coro = main() if callable(main) else main
    if not inspect.iscoroutine(coro):
        raise SimulationError(
            f"simulate takes a coroutine or a coroutine function, not {coro!r:.60}; write `async def`"
        )
    loop = VirtualLoop(max_steps=max_steps)
    try:
        opened = loop.opened(seed)
        opened.__enter__()
    except BaseException:
        coro.close()
        raise
    try:
        task = loop.create_task(coro, name="main", context=copy_context())
        if loop.run(task) == "idle":
            raise Deadlock(
                f"deadlock at {seconds(loop.now_us)}: every task waits and no timer is left.\n"
                + _where_they_wait(loop._tasks)
                + _who_died(loop)
            )
        error = None if task.cancelled() else task.exception()
        if error is not None:
            raise clean_traceback(error)
        for ending in [t for t in loop.waiting() if t.cancelling() or t.get_name() == CLOSING]:
            loop.run(ending)
        left = loop.waiting()
        if not left:
            loop.run(loop.create_task(loop.shutdown_asyncgens(), name=CLOSING))
        for dead, t_us in loop.unseen().items():
            failure = dead.exception()
            assert failure is not None
            raise UnseenFailure(
                f"{dead.get_name()!r} died at {seconds(t_us)} and nobody looked: {describe_error(failure)}. "
                "Await the task, or keep it in a TaskGroup."
            ) from clean_traceback(failure)
        if left:
            raise StillRunning(
                f"main returned at {seconds(loop.now_us)} while {len(left)} task(s) were still at work; await "
                f"or cancel them first.\n{_where_they_wait(left)}"
            )
        result: T = task.result()
        return result
    finally:
        opened.__exit__(None, None, None)
