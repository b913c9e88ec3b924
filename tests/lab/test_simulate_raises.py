"""What `simulate` refuses, what it reports, and that it leaves the process as it found it."""

import asyncio
import contextlib
import gc
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

import pytest

from lessonlib.lab import simulate
from lessonlib.lab.loop import Deadlock, Refused, SimulationError, StillRunning, UnseenFailure
from lessonlib.limits import StepBudgetExceeded


def line_of(text):
    """The number of the one line of this file that ends in the comment `# text`."""
    with open(__file__, encoding="utf-8") as source:
        return next(n for n, line in enumerate(source, 1) if line.rstrip().endswith(f"# {text}"))


# ---- How a run may end -----------------------------------------------------------------------------------


def test_a_deadlock_names_each_waiting_task_and_its_line():
    async def waits_for(queue):
        await queue.get()  # the waiting line

    async def main():
        await asyncio.sleep(2.5)
        other = asyncio.create_task(waits_for(asyncio.Queue()), name="reader")
        await other

    with pytest.raises(Deadlock) as caught:
        simulate(main)
    message = str(caught.value)
    assert message.startswith("deadlock at 2.5 s: every task waits and no timer is left.")
    assert "'main' waits at line" in message
    assert (
        f"'reader' waits at line {line_of('the waiting line')} of waits_for in {os.path.basename(__file__)}"
        in message
    )


def test_a_deadlock_after_a_death_names_the_dead():
    async def producer():
        await asyncio.sleep(1)
        raise ValueError("out of stock")

    async def main():
        queue = asyncio.Queue()
        keep = asyncio.create_task(producer(), name="producer")
        await queue.get()
        await keep

    with pytest.raises(Deadlock, match="'producer' had died at 1 s: ValueError: out of stock"):
        simulate(main)


def test_a_long_list_of_waiting_tasks_is_cut():
    async def main():
        await asyncio.gather(*(asyncio.Event().wait() for _ in range(50)))

    with pytest.raises(Deadlock, match="and 41 more"):
        simulate(main)


def test_a_failure_that_nobody_looked_at_is_reported_with_its_time_of_death():
    async def dies():
        await asyncio.sleep(3)
        raise KeyError("order 7")

    async def main():
        task = asyncio.create_task(dies(), name="courier")
        await asyncio.sleep(10)
        assert task.done()

    with pytest.raises(
        UnseenFailure,
        match=r"'courier' died at 3 s and nobody looked: KeyError: 'order 7' \(line \d+ of dies",
    ) as caught:
        simulate(main)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_failure_in_the_very_last_turn_is_seen_too():
    async def dies():
        raise KeyError("last")

    async def main():
        task = asyncio.create_task(dies())
        await asyncio.sleep(0)
        assert task.done()

    with pytest.raises(UnseenFailure, match="last"):
        simulate(main)


def test_a_failure_that_somebody_looked_at_is_none_of_ours():
    async def dies():
        raise KeyError

    async def main():
        task = asyncio.create_task(dies())
        await asyncio.wait([task])
        return type(task.exception()).__name__

    assert simulate(main) == "KeyError"


def test_a_callback_that_breaks_ends_the_run():
    async def main():
        asyncio.get_running_loop().call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    with pytest.raises(ZeroDivisionError):
        simulate(main)


def test_a_task_still_at_work_at_the_end_is_named():
    async def main():
        asyncio.get_running_loop().forgotten = asyncio.create_task(asyncio.sleep(60), name="forgotten")
        await asyncio.sleep(1)

    with pytest.raises(
        StillRunning,
        match=r"main returned at 1 s while 1 task\(s\) were still at work(.|\n)*'forgotten' waits",
    ):
        simulate(main)


def test_the_budget_of_steps_stops_a_loop_that_awaits_for_ever():
    async def main():
        while True:
            await asyncio.sleep(1)

    with pytest.raises(
        StepBudgetExceeded, match=r"stopped after 1000 steps, at \d+ s of virtual time"
    ) as caught:
        simulate(main, max_steps=1_000)
    assert "waits at" in str(caught.value) and "of main in" in str(caught.value)


def test_an_exit_passes_through():
    async def main():
        await asyncio.sleep(1)
        sys.exit(3)

    with pytest.raises(SystemExit):
        simulate(main)


def test_being_cancelled_is_told_as_what_it_is():
    async def main():
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    with pytest.raises(asyncio.CancelledError):
        simulate(main)


# ---- Tracebacks ------------------------------------------------------------------------------------------


def frames(error):
    return [(os.path.basename(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]


def assert_only_own_lines(error):
    names = {name for name, _ in frames(error)}
    assert names <= {os.path.basename(__file__)}, names


def test_a_traceback_goes_from_the_readers_call_to_the_readers_line():
    async def helper():
        await asyncio.sleep(1)
        raise ValueError("here")  # the broken line

    async def main():
        async with asyncio.timeout(5):
            await helper()

    with pytest.raises(ValueError) as caught:
        simulate(main)  # the call
    assert_only_own_lines(caught.value)
    lines = [line for _, line in frames(caught.value)]
    assert lines[0] == line_of("the call") and lines[-1] == line_of("the broken line")


@pytest.mark.parametrize("kind", ["deadlock", "still running", "budget", "not a coroutine", "refused"])
def test_what_the_laboratory_raises_shows_none_of_its_frames(kind):
    async def main():
        if kind == "still running":
            asyncio.create_task(asyncio.sleep(9), name="left")
        while kind == "budget":
            await asyncio.sleep(1)
        if kind == "refused":
            open("never.txt", "w")
        await (asyncio.Event().wait() if kind == "deadlock" else asyncio.sleep(1))

    with pytest.raises(Exception) as caught:
        simulate(main if kind != "not a coroutine" else 5, max_steps=500)
    assert_only_own_lines(caught.value)


def test_a_group_of_one_is_unwrapped_and_a_group_of_two_is_not():
    async def fail(error, after_s=1):
        await asyncio.sleep(after_s)
        raise error

    async def main(*errors):
        async with asyncio.TaskGroup() as outer:
            async with asyncio.TaskGroup() as inner:
                for error in errors:
                    inner.create_task(fail(error))
            outer.create_task(asyncio.sleep(0))

    with pytest.raises(KeyError) as caught:
        simulate(main(KeyError("one")))
    assert_only_own_lines(caught.value)
    with pytest.raises(ExceptionGroup) as group:
        simulate(main(KeyError("one"), ValueError("two")))
    assert_only_own_lines(group.value)


def test_causes_show_only_own_lines_too():
    async def main():
        try:
            await asyncio.wait_for(asyncio.sleep(5), 1)
        except TimeoutError as error:
            raise RuntimeError("no answer") from error

    with pytest.raises(RuntimeError) as caught:
        simulate(main)
    error = caught.value
    while error is not None:
        assert_only_own_lines(error)
        error = error.__cause__ or error.__context__


# ---- What is refused, by name ----------------------------------------------------------------------------


async def _to_thread():
    await asyncio.to_thread(print)


async def _executor():
    await asyncio.get_running_loop().run_in_executor(None, print)


async def _subprocess():
    await asyncio.create_subprocess_exec(sys.executable, "-V")


async def _connection():
    await asyncio.open_connection("127.0.0.1", 9)


async def _bare_as_completed():
    waiting = [asyncio.sleep(1), asyncio.sleep(2)]
    try:
        for one in asyncio.as_completed(waiting):
            await one
    finally:
        for coroutine in waiting:
            coroutine.close()


def a_plain(function):
    async def main():
        function()

    return main


REFUSED = {
    "opening a file for writing": (a_plain(lambda: open("never.txt", "w")), "writing the file 'never.txt' is refused"),
    "opening a file for appending": (a_plain(lambda: open("never.txt", "ab")), "writing the file 'never.txt'"),
    "opening a file for updating": (a_plain(lambda: open(__file__, "r+")), "writing the file"),
    "a low-level write": (a_plain(lambda: os.open("never.txt", os.O_CREAT | os.O_WRONLY)), "writing the file"),
    "deleting a file": (a_plain(lambda: os.remove("never.txt")), "deleting a file is refused"),
    "renaming a file": (a_plain(lambda: os.replace("never.txt", "ever.txt")), "renaming a file is refused"),
    "making a folder": (a_plain(lambda: os.mkdir("never")), "making a folder is refused"),
    "a socket": (a_plain(lambda: socket.socket()), "opening a socket is refused.*ports.transport"),
    "a thread": (a_plain(lambda: threading.Thread(target=print).start()), "starting a thread is refused.*create_task"),
    "to_thread": (_to_thread, "asyncio.to_thread"),
    "run_in_executor": (_executor, "loop.run_in_executor"),
    "a subprocess": (a_plain(lambda: subprocess.run([sys.executable, "-V"])), "starting a process is refused"),
    "an asyncio subprocess": (_subprocess, "loop.subprocess_exec is refused"),
    "os.system": (a_plain(lambda: os.system("true")), "starting a process is refused"),
    "a connection": (_connection, "loop.create_connection is refused"),
    "time.sleep": (a_plain(lambda: time.sleep(1)), "time.sleep is refused.*asyncio.sleep"),
    "bare as_completed": (_bare_as_completed, "as_completed over bare coroutines.*create_task"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_leave_the_simulation_is_refused_by_name(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main, expected = REFUSED[what]
    with pytest.raises(Refused, match=expected):
        simulate(main)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.version_info < (3, 13), reason="time.sleep raises an audit event from 3.13 on")
def test_time_sleep_imported_by_name_is_refused_where_python_tells():
    from time import sleep

    with pytest.raises(Refused, match=r"time\.sleep"):
        simulate(a_plain(lambda: sleep(0.001)))


def test_to_wait_for_a_lock_of_threads_is_refused_and_to_take_a_free_one_is_not():
    async def hold(lock):
        with lock:
            await asyncio.sleep(1)
        return lock.locked(), lock.acquire(False)

    async def main(callers):
        lock = threading.Lock()
        return [await task for task in [asyncio.create_task(hold(lock)) for _ in range(callers)]]

    assert simulate(main(1)) == [(False, True)]
    with pytest.raises(Refused, match=r"threading\.Lock is refused.*asyncio\.Lock"):
        simulate(main(2))


def test_a_loop_inside_a_simulation_is_refused_by_name():
    async def main():
        coroutine = asyncio.sleep(1)
        try:
            asyncio.run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match=re.escape("asyncio.run()")):
        simulate(main)


def test_the_same_things_are_allowed_once_it_is_over(tmp_path):
    with pytest.raises(Refused):
        simulate(a_plain(lambda: open("never.txt", "w")))
    (tmp_path / "a.txt").write_text("written")
    thread = threading.Thread(target=time.sleep, args=(0.001,))
    thread.start()
    thread.join()
    socket.socket().close()
    assert asyncio.run(asyncio.sleep(0, "real")) == "real"


def test_another_thread_may_write_and_sleep_meanwhile(tmp_path):
    """A kernel's own threads go on while a cell simulates."""
    begun, errors = threading.Event(), []
    stop = threading.Event()

    def work():
        try:
            while not stop.is_set():
                (tmp_path / "a.txt").write_text("written")
                time.sleep(0.0001)
                begun.set()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()

    async def main():
        for _ in range(20_000):
            await asyncio.sleep(0.1)

    simulate(main)
    stop.set()
    thread.join()
    assert errors == []


def test_reading_a_file_is_allowed():
    async def main():
        with open(__file__, encoding="utf-8") as source:
            return source.readline()

    assert "simulate" in simulate(main)


def test_importing_a_module_is_allowed_and_leaves_no_bytecode(tmp_path, monkeypatch):
    (tmp_path / "fresh_module.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def main():
        import fresh_module

        return fresh_module.answer

    assert simulate(main) == 42
    assert [p.name for p in tmp_path.iterdir()] == ["fresh_module.py"]
    del sys.modules["fresh_module"]


# ---- The process afterwards ------------------------------------------------------------------------------


def the_process():
    """What a simulation changes for its while."""
    return (
        asyncio._get_running_loop(),
        sys.get_asyncgen_hooks(),
        random.getstate(),
        gc.isenabled(),
        time.sleep,
        threading._start_new_thread if sys.version_info < (3, 12) else None,
        asyncio.all_tasks,
        sys.dont_write_bytecode,
        sys.unraisablehook,
    )


async def _fails():
    await asyncio.sleep(1)
    random.random()
    raise ValueError


async def _hangs():
    await asyncio.Event().wait()


async def _interrupted():
    await asyncio.sleep(1)
    raise KeyboardInterrupt


async def _interrupted_while_it_is_put_away():
    try:
        await asyncio.Event().wait()
    finally:
        raise KeyboardInterrupt


async def _stubborn():
    while True:
        with contextlib.suppress(BaseException):
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("main", "error"),
    [
        (lambda: asyncio.sleep(1), None),
        (_fails, ValueError),
        (_hangs, Deadlock),
        (_interrupted, KeyboardInterrupt),
        (_interrupted_while_it_is_put_away, KeyboardInterrupt),
        (_stubborn, Deadlock),
        (5, SimulationError),
    ],
)
@pytest.mark.parametrize("collecting", [True, False])
def test_however_it_ends_the_process_is_as_it_was(main, error, collecting, capsys):
    random.seed(7)
    gc.enable() if collecting else gc.disable()
    try:
        before = the_process()
        with pytest.raises(error) if error else contextlib.nullcontext():
            simulate(main)
        assert the_process() == before
    finally:
        gc.enable()
    gc.collect()
    assert capsys.readouterr().err == ""


def test_the_interrupt_key_stops_a_run():
    """A real signal, as the stop button of a notebook sends."""

    async def main():
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        while True:
            await asyncio.sleep(1)

    def interrupt(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    random.seed(7)
    before = the_process()
    try:
        with pytest.raises(KeyboardInterrupt):
            simulate(main, max_steps=10**12)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert the_process() == before
    assert simulate(asyncio.sleep(1, "the next run works")) == "the next run works"


def test_what_is_left_behind_is_put_away_without_a_word(capfd):
    """No "Task was destroyed but it is pending", no "was never awaited", no "never retrieved"."""

    async def waits():
        await asyncio.Event().wait()

    async def counts():
        try:
            while True:
                yield 1
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(1)

    async def consumes():
        async for _ in counts():
            pass

    async def main():
        loop = asyncio.get_running_loop()
        loop.create_future().set_exception(ValueError("unseen"))
        for work in (waits(), waits(), consumes(), _stubborn()):
            asyncio.create_task(work)
        await asyncio.sleep(3)

    with pytest.raises(StillRunning):
        simulate(main)
    gc.collect()
    assert capfd.readouterr().err == ""
