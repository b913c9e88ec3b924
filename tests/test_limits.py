"""What stops a runaway, on any thread, and that nothing of it is left once the block is over."""

import asyncio
import pickle
import random
import signal
import threading
import time

import pytest

from lessonlib.lab import simulate
from lessonlib.limits import Runaway, StepBudgetExceeded, one_simulation, simulating_elsewhere, watchdog

LIMIT_S = 0.1
AT_MOST_S = 5  # generous: the machine may be busy


def spin():
    while True:
        pass


def spin_and_catch_exceptions():
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def spin_inside_a_simulation():
    async def main():
        await asyncio.sleep(1)
        spin()

    simulate(main)


def spin_in_a_task_that_catches_exceptions():
    async def handler():
        spin_and_catch_exceptions()

    async def main():
        await asyncio.gather(asyncio.sleep(1), handler(), return_exceptions=True)

    simulate(main)


def stopped(work, limit_s=LIMIT_S):
    """Run `work` under a watchdog; return whether it was stopped, and soon."""
    begun = time.monotonic()
    try:
        with watchdog(limit_s):
            work()
    except Runaway:
        return time.monotonic() - begun < AT_MOST_S
    return False


RUNAWAYS = [spin, spin_and_catch_exceptions, spin_inside_a_simulation, spin_in_a_task_that_catches_exceptions]


@pytest.mark.parametrize("work", RUNAWAYS)
def test_code_that_never_gives_way_is_stopped(work):
    assert stopped(work)
    assert simulate(asyncio.sleep(1, "the next run works")) == "the next run works"


@pytest.mark.parametrize("work", RUNAWAYS)
def test_it_is_stopped_on_another_thread_too(work):
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(stopped(work)), daemon=True)
    thread.start()
    thread.join(AT_MOST_S)
    assert outcome == [True]


def test_code_that_catches_the_first_one_is_asked_again():
    times = 0

    def deaf():
        nonlocal times
        while True:
            try:
                spin()
            except Runaway:
                times += 1
                if times == 3:
                    raise

    assert stopped(deaf, 0.05)
    assert times == 3


def test_a_long_simulation_that_makes_progress_is_left_alone():
    patient_s = 5 * LIMIT_S  # a busy machine may keep the whole process waiting for a tenth of a second

    async def main():
        loop = asyncio.get_running_loop()
        end = time.monotonic() + 3 * patient_s
        while time.monotonic() < end:
            await asyncio.sleep(1)
        return loop.time()

    with watchdog(patient_s):
        assert simulate(main) > 100


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signal that wakes a lock")
def test_who_waits_for_a_lock_of_threads_is_woken_and_the_signal_is_as_before():
    before = signal.getsignal(signal.SIGURG)
    taken = threading.Lock()
    with taken:
        assert stopped(taken.acquire)
    assert signal.getsignal(signal.SIGURG) is before


def test_of_two_watchdogs_the_outer_one_strikes_too():
    with pytest.raises(Runaway), watchdog(LIMIT_S), watchdog(100 * AT_MOST_S):
        spin()


def test_code_that_ends_in_time_hears_nothing():
    with watchdog(LIMIT_S):
        pass
    time.sleep(2 * LIMIT_S)
    sum(range(100_000))


def test_nothing_is_delivered_after_the_block():
    """Blocks that end at the very moment when the watchdog strikes, many times over."""
    struck = 0
    for i in range(150):
        try:
            with watchdog(0.004):
                pass_time(0.004 + (i % 30) * 0.0001)
        except Runaway:
            struck += 1
        try:
            pass_time(0.0015)
        except Runaway:
            pytest.fail("a Runaway was delivered after its block was over")
    assert not [t for t in threading.enumerate() if t.name == "watchdog" and _lives_on(t)]
    assert struck  # or the test has tested nothing


def pass_time(time_s):
    end = time.perf_counter() + time_s
    while time.perf_counter() < end:
        pass


def _lives_on(thread):
    thread.join(2)
    return thread.is_alive()


def test_a_block_that_raises_passes_its_own_exception_on():
    with pytest.raises(KeyError), watchdog(LIMIT_S):
        raise KeyError


def test_an_exceeded_budget_says_what_to_do_and_can_cross_processes():
    error = StepBudgetExceeded(500, "2 s", "  'main' waits at line 3")
    assert str(error) == (
        "stopped after 500 steps, at 2 s of virtual time: does a loop run without end? Make it wait for something "
        "(`await asyncio.sleep(...)`), or give it a limit.\n  'main' waits at line 3"
    )
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# ---- One simulation at a time ----------------------------------------------------------------------------


def test_a_simulation_waits_for_that_of_another_thread_and_both_come_out_the_same() -> None:
    async def draw() -> list[float]:
        drawn = []
        for _ in range(200):
            await asyncio.sleep(0.01)
            drawn.append(random.random())
        return drawn

    alone = simulate(draw(), seed=1)
    drawn: dict[int, list[float]] = {}
    threads = [
        threading.Thread(target=lambda n=n: drawn.__setitem__(n, simulate(draw(), seed=1))) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(drawn.values()) == [alone] * 4


def test_who_waits_for_another_threads_simulation_is_not_stuck() -> None:
    held, waited = threading.Event(), threading.Event()

    def hold() -> None:
        with one_simulation():
            held.set()
            waited.wait(10)

    def wait() -> None:
        with one_simulation():
            pass

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    assert simulating_elsewhere()
    threading.Timer(0.6, waited.set).start()
    with watchdog(0.2):
        wait()
    holder.join()
    assert not simulating_elsewhere()
