"""Ordinary asyncio code does in virtual time what it does on asyncio's own loop.

Each programme below is written once and run twice: by asyncio's own loop, which here does not wait for its timers,
and by `simulate`. What it logs must be the same on both; in virtual time the moments are exact as well.
"""

import asyncio
import contextlib

import pytest
from hurried import run_on_asyncios_loop

from lessonlib.lab import simulate

PROGRAMMES = {}
HELD = []  # keeps a generator alive beyond the end of its programme


def programme(*expected):
    """Register a programme `async def p(log, s)` with what it logs: "3 text" is `text`, three units in."""

    def register(function):
        PROGRAMMES[function.__name__] = (function, list(expected))
        return function

    return register


def run_on(runner, function, unit_s):
    """Run a programme and return its log as (moment in units, text)."""
    entries = []

    async def main():
        loop = asyncio.get_running_loop()
        start = loop.time()
        await function(lambda text: entries.append(((loop.time() - start) / unit_s, str(text))), unit_s)

    runner(main())
    return entries


def test_a_programme_does_the_same_in_virtual_time_as_on_a_real_loop(name):
    function, _ = PROGRAMMES[name]
    real = run_on(run_on_asyncios_loop, function, 1)
    virtual = run_on(simulate, function, 1)
    assert [text for _, text in virtual] == [text for _, text in real]


def test_virtual_moments_are_exact(name):
    function, expected = PROGRAMMES[name]
    assert [f"{moment:g} {text}" for moment, text in run_on(simulate, function, 1)] == expected


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:  # not a decorator, since the programmes stand below the tests
        metafunc.parametrize("name", PROGRAMMES)


# ---- Sleeping and time-outs ------------------------------------------------------------------------------


@programme("0 start", "1 one", "1 zero", "3 three")
async def sleeping(log, s):
    log("start")
    log(await asyncio.sleep(1 * s, "one"))
    log(await asyncio.sleep(0, "zero"))
    log(await asyncio.sleep(2 * s, "three"))


@programme("1 a", "2 b", "3 c", "3 all")
async def sleepers_wake_by_time_not_by_order_of_start(log, s):
    async def one(name, units):
        await asyncio.sleep(units * s)
        log(name)

    await asyncio.gather(one("c", 3), one("a", 1), one("b", 2))
    log("all")


@programme("0 1", "0 2", "0 1", "0 2", "0 1", "0 2")
async def tasks_that_give_way_take_turns(log, s):
    async def one(name):
        for _ in range(3):
            log(name)
            await asyncio.sleep(0)

    await asyncio.gather(one(1), one(2))


@programme("2 TimeoutError", "2 expired True", "3 in time", "3 expired False")
async def timeout(log, s):
    try:
        async with asyncio.timeout(2 * s) as limit:
            await asyncio.sleep(9 * s)
    except TimeoutError as error:
        log(type(error).__name__)
    log(f"expired {limit.expired()}")
    async with asyncio.timeout(2 * s) as limit:
        await asyncio.sleep(1 * s)
        log("in time")
    log(f"expired {limit.expired()}")


@programme("1 inner", "3 outer")
async def nested_timeouts_each_catch_their_own(log, s):
    try:
        async with asyncio.timeout(3 * s):
            try:
                async with asyncio.timeout(1 * s):
                    await asyncio.sleep(9 * s)
            except TimeoutError:
                log("inner")
            await asyncio.sleep(9 * s)
    except TimeoutError:
        log("outer")


@programme("2 outer")
async def an_outer_timeout_passes_through_the_inner_one(log, s):
    try:
        async with asyncio.timeout(2 * s):
            try:
                async with asyncio.timeout(5 * s):
                    await asyncio.sleep(9 * s)
            except TimeoutError:
                log("inner")
    except TimeoutError:
        log("outer")


@programme("0 None", "3 still here", "5 late", "6 forever")
async def rescheduled_timeouts(log, s):
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:
            log(limit.when())
            limit.reschedule(loop.time() + 2 * s)
            limit.reschedule(loop.time() + 5 * s)
            await asyncio.sleep(3 * s)
            log("still here")
            await asyncio.sleep(9 * s)
    except TimeoutError:
        log("late")
    async with asyncio.timeout(0.5 * s) as limit:
        limit.reschedule(None)
        await asyncio.sleep(1 * s)
        log("forever")


@programme("2 TimeoutError", "2 TimeoutError")
async def timeouts_in_the_past_expire_at_the_first_wait(log, s):
    await asyncio.sleep(2 * s)
    for when in (0, -5 * s):
        try:
            async with asyncio.timeout(when):
                await asyncio.sleep(9 * s)
        except TimeoutError:
            log("TimeoutError")


@programme("1 answer", "3 TimeoutError", "3 cancelled too", "4 zero TimeoutError", "4 ready")
async def wait_for(log, s):
    async def answer(units):
        try:
            await asyncio.sleep(units * s)
        except asyncio.CancelledError:
            log("cancelled too") if units == 9 else None
            raise
        return "answer"

    log(await asyncio.wait_for(answer(1), 2 * s))
    slow = asyncio.create_task(answer(8))
    try:
        await asyncio.wait_for(slow, 2 * s)
    except TimeoutError:
        log("TimeoutError")
    slow = asyncio.create_task(answer(9))
    await asyncio.sleep(0)
    slow.cancel()
    await asyncio.wait([slow])
    await asyncio.sleep(1 * s)
    try:
        await asyncio.wait_for(answer(1), 0)
    except TimeoutError:
        log("zero TimeoutError")
    done = asyncio.get_running_loop().create_future()
    done.set_result("ready")
    log(await asyncio.wait_for(done, 0))


# ---- Queues ----------------------------------------------------------------------------------------------


@programme("0 put 0", "0 put 1", "1 got 0", "1 put 2", "2 got 1", "2 put 3", "3 got 2", "4 got 3", "4 joined")
async def a_bounded_queue_holds_its_producer_back(log, s):
    queue = asyncio.Queue(maxsize=2)

    async def produce():
        for i in range(4):
            await queue.put(i)
            log(f"put {i}")

    async def consume():
        while True:
            await asyncio.sleep(1 * s)
            log(f"got {await queue.get()}")
            queue.task_done()

    consumer = asyncio.create_task(consume())
    await produce()
    await queue.join()
    log("joined")
    consumer.cancel()


@programme("0 1 3 2", "0 [1, 2, 3]", "0 [3, 2, 1]", "0 QueueEmpty", "0 QueueFull", "0 ValueError")
async def queues_of_each_kind(log, s):
    for kind in (asyncio.Queue, asyncio.PriorityQueue, asyncio.LifoQueue):
        queue = kind()
        for item in (1, 3, 2) if kind is not asyncio.LifoQueue else (1, 2, 3):
            queue.put_nowait(item)
        items = [queue.get_nowait() for _ in range(3)]
        log(items if kind is not asyncio.Queue else "1 3 2" if items == [1, 3, 2] else items)
    queue = asyncio.Queue(1)
    with contextlib.suppress(asyncio.QueueEmpty):
        queue.get_nowait()
        log("?")
    log("QueueEmpty")
    queue.put_nowait(1)
    try:
        queue.put_nowait(2)
    except asyncio.QueueFull:
        log("QueueFull")
    queue.task_done()
    try:
        queue.task_done()
    except ValueError:
        log("ValueError")


@programme("1 b got x")
async def a_cancelled_getter_loses_nothing(log, s):
    queue = asyncio.Queue()

    async def get(name):
        log(f"{name} got {await queue.get()}")

    a, b = asyncio.create_task(get("a")), asyncio.create_task(get("b"))
    await asyncio.sleep(1 * s)
    queue.put_nowait("x")
    a.cancel()
    await asyncio.wait([a, b])


# ---- Locks and their kin ---------------------------------------------------------------------------------


@programme("0 a in", "2 a out", "2 b in", "4 b out", "4 c in", "6 c out")
async def a_lock_is_fair(log, s):
    lock = asyncio.Lock()

    async def one(name):
        async with lock:
            log(f"{name} in")
            await asyncio.sleep(2 * s)
            log(f"{name} out")

    await asyncio.gather(*(one(name) for name in "abc"))


@programme("0 0", "0 1", "1 2", "1 3", "2 4", "3 ValueError")
async def a_semaphore_lets_two_in(log, s):
    semaphore = asyncio.BoundedSemaphore(2)

    async def one(i):
        async with semaphore:
            log(i)
            await asyncio.sleep(1 * s)

    await asyncio.gather(*(one(i) for i in range(5)))
    await asyncio.sleep(0)
    try:
        semaphore.release()
    except ValueError:
        log("ValueError")


@programme("1 one a", "2 all b", "2 all c", "3 seen 3")
async def conditions(log, s):
    condition = asyncio.Condition()
    counter = 0

    async def one(name):
        async with condition:
            await condition.wait()
            log(name)

    tasks = []
    for name in ("one a", "all b", "all c"):
        tasks.append(asyncio.create_task(one(name)))
    await asyncio.sleep(1 * s)
    async with condition:
        condition.notify()
    await asyncio.sleep(1 * s)
    async with condition:
        condition.notify_all()
    await asyncio.gather(*tasks)

    async def count():
        nonlocal counter
        for _ in range(4):
            async with condition:
                counter += 1
                condition.notify_all()
            await asyncio.sleep(0.5 * s)

    counting = asyncio.create_task(count())
    async with condition:
        await condition.wait_for(lambda: counter >= 3)
        log(f"seen {counter}")
    await counting


@programme("0 False", "1 a", "1 b", "1 True", "1 False")
async def events(log, s):
    event = asyncio.Event()
    log(event.is_set())

    async def one(name):
        await event.wait()
        log(name)

    tasks = [asyncio.create_task(one(name)) for name in "ab"]
    await asyncio.sleep(1 * s)
    event.set()
    await asyncio.gather(*tasks)
    log(await event.wait())
    event.clear()
    log(event.is_set())


@programme("3 a", "3 b", "3 c", "4 BrokenBarrierError")
async def barriers(log, s):
    barrier = asyncio.Barrier(3)
    arrived = []

    async def one(name, units):
        await asyncio.sleep(units * s)
        await barrier.wait()
        arrived.append(name)

    await asyncio.gather(one("a", 1), one("b", 2), one("c", 3))
    for name in sorted(arrived):
        log(name)
    lonely = asyncio.create_task(barrier.wait())
    await asyncio.sleep(1 * s)
    await barrier.abort()
    try:
        await lonely
    except asyncio.BrokenBarrierError:
        log("BrokenBarrierError")


# ---- Groups of tasks -------------------------------------------------------------------------------------


@programme("1 quick", "3 slow", "3 results ['quick', 'slow']")
async def a_task_group_waits_for_all(log, s):
    async def one(name, units):
        await asyncio.sleep(units * s)
        log(name)
        return name

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one("quick", 1)), group.create_task(one("slow", 3))]
    log(f"results {[t.result() for t in tasks]}")


@programme("1 fails", "1 a cancelled", "2 a cleaned up", "3 body cancelled", "3 ['ValueError']")
async def a_failure_in_a_task_group_cancels_the_others(log, s):
    async def fail():
        await asyncio.sleep(1 * s)
        log("fails")
        raise ValueError

    async def one(name):
        try:
            await asyncio.sleep(9 * s)
        except asyncio.CancelledError:
            log(f"{name} cancelled")
            await asyncio.sleep(1 * s)
            log(f"{name} cleaned up")
            raise

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(one("a"))
            try:
                await asyncio.sleep(9 * s)
            finally:
                await asyncio.sleep(2 * s)
                log("body cancelled")
    except* ValueError as errors:
        log([type(e).__name__ for e in errors.exceptions])


@programme("1 inner ends", "1 outer sibling cancelled", "1 KeyError", "1 cancelling 0")
async def nested_task_groups(log, s):
    async def fail():
        await asyncio.sleep(1 * s)
        raise KeyError

    async def sibling():
        try:
            await asyncio.sleep(9 * s)
        except asyncio.CancelledError:
            log("outer sibling cancelled")
            raise

    try:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(sibling())
            try:
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(fail())
                    await asyncio.sleep(9 * s)
            finally:
                log("inner ends")
    except ExceptionGroup as group:
        log(type(group.exceptions[0].exceptions[0]).__name__)
    log(f"cancelling {asyncio.current_task().cancelling()}")


@programme("2 [1, ValueError(2), 3]", "3 ValueError", "4 the others go on", "4 [0, 1, 2]")
async def gather(log, s):
    async def one(i, units=1):
        await asyncio.sleep(units * s)
        if i == 2:
            raise ValueError(i)
        if i == 7:
            log("the others go on")
        return i

    log(await asyncio.gather(one(1, 2), one(2), one(3), return_exceptions=True))
    other = asyncio.create_task(one(7, 2))
    try:
        await asyncio.gather(one(2), other)
    except ValueError as error:
        log(type(error).__name__)
    await other
    log(await asyncio.gather(*(asyncio.sleep(0, i) for i in range(3))))


@programme("1 a cancelled", "1 b cancelled", "1 gather cancelled")
async def cancelling_a_gather_cancels_its_parts(log, s):
    async def one(name):
        try:
            await asyncio.sleep(9 * s)
        except asyncio.CancelledError:
            log(f"{name} cancelled")
            raise

    both = asyncio.gather(one("a"), one("b"))
    await asyncio.sleep(1 * s)
    both.cancel()
    try:
        await both
    except asyncio.CancelledError:
        log("gather cancelled")


@programme(
    "1 FIRST_COMPLETED ['a'] ['b', 'c']",
    "2 FIRST_EXCEPTION ['a', 'b'] ['c']",
    "2.5 timeout ['a', 'b'] ['c']",
    "3 ALL_COMPLETED ['a', 'b', 'c'] []",
)
async def wait(log, s):
    async def one(name, units):
        await asyncio.sleep(units * s)
        if name == "b":
            raise ValueError

    tasks = [asyncio.create_task(one(n, i), name=n) for i, n in enumerate("abc", 1)]

    def show(title, sets):
        log(" ".join([title, *(str(sorted(t.get_name() for t in one)) for one in sets)]))

    for when in ("FIRST_COMPLETED", "FIRST_EXCEPTION"):
        pending = tasks
        show(when, await asyncio.wait(pending, return_when=getattr(asyncio, when)))
    show("timeout", await asyncio.wait(tasks, timeout=0.5 * s))
    show("ALL_COMPLETED", await asyncio.wait(tasks))
    tasks[1].exception()


@programme("1 a", "2 b", "3 c", "4 TimeoutError")
async def as_completed_over_tasks(log, s):
    async def one(name, units):
        await asyncio.sleep(units * s)
        return name

    tasks = [asyncio.create_task(one(*pair)) for pair in (("c", 3), ("a", 1), ("b", 2))]
    for following in asyncio.as_completed(tasks):
        log(await following)
    late = asyncio.create_task(one("late", 9))
    try:
        for following in asyncio.as_completed([late], timeout=1 * s):
            await following
    except TimeoutError:
        log("TimeoutError")
    late.cancel()


# ---- Cancellation ----------------------------------------------------------------------------------------


@programme("1 inner cancelled? False", "3 done inside", "3 result")
async def shield(log, s):
    async def inner():
        await asyncio.sleep(3 * s)
        log("done inside")
        return "result"

    task = asyncio.create_task(inner())

    async def outer():
        await asyncio.shield(task)

    waiter = asyncio.create_task(outer())
    await asyncio.sleep(1 * s)
    waiter.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiter
    log(f"inner cancelled? {task.cancelled()}")
    log(await task)


@programme("1 caught because", "2 went on", "2 cancelling 1", "2 uncancelled 0", "2 result done")
async def a_task_may_survive_its_cancellation(log, s):
    async def stubborn():
        try:
            await asyncio.sleep(9 * s)
        except asyncio.CancelledError as error:
            log(f"caught {error.args[0]}")
        await asyncio.sleep(1 * s)
        log("went on")
        log(f"cancelling {asyncio.current_task().cancelling()}")
        log(f"uncancelled {asyncio.current_task().uncancel()}")
        return "done"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(1 * s)
    task.cancel("because")
    log(f"result {await task}")


@programme("0 True", "0 never started", "0 False")
async def a_task_cancelled_before_its_first_step_never_starts(log, s):
    async def one():
        log("?")

    task = asyncio.create_task(one())
    log(task.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await task
    log("never started")
    log(task.cancel())


@programme("1 cleaning", "2 cleaned", "2 outcome cancelled")
async def finally_may_wait_while_cancelled(log, s):
    async def one():
        try:
            await asyncio.sleep(9 * s)
        finally:
            log("cleaning")
            await asyncio.sleep(1 * s)
            log("cleaned")

    task = asyncio.create_task(one())
    await asyncio.sleep(1 * s)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    log(f"outcome {'cancelled' if task.cancelled() else 'ended'}")


# ---- Generators and context managers ---------------------------------------------------------------------


async def ticks(log, s):
    try:
        for i in range(9):
            await asyncio.sleep(1 * s)
            yield i
    finally:
        await asyncio.sleep(0)
        log("closed")


@programme("1 0", "2 1", "2 left", "2 closed")
async def an_abandoned_generator_is_closed(log, s):
    async for i in ticks(log, s):
        log(i)
        if i == 1:
            break
    log("left")
    await asyncio.sleep(1 * s)


@programme("1 0", "1 leaving", "1 closed")
async def a_generator_still_held_as_the_programme_ends_is_closed(log, s):
    HELD.append(held := ticks(log, s))
    async for i in held:
        log(i)
        break
    log("leaving")


@programme("1 0", "1 closed", "1 after")
async def a_generator_closed_by_hand(log, s):
    generator = ticks(log, s)
    async with contextlib.aclosing(generator):
        async for i in generator:
            log(i)
            break
    log("after")


@programme("0 start", "1 sent 5", "1 threw", "1 StopAsyncIteration")
async def generators_take_values_and_exceptions(log, s):
    async def one():
        log("start")
        try:
            log(f"sent {(yield 1)}")
            yield 2
        except KeyError:
            log("threw")

    generator = one()
    await generator.asend(None)
    await asyncio.sleep(1 * s)
    await generator.asend(5)
    try:
        await generator.athrow(KeyError())
    except StopAsyncIteration:
        log("StopAsyncIteration")


@programme("1 in", "2 body", "3 out ValueError", "3 swallowed", "4 stack b", "5 stack a")
async def context_managers(log, s):
    @contextlib.asynccontextmanager
    async def resource():
        await asyncio.sleep(1 * s)
        log("in")
        try:
            yield
        except ValueError as error:
            await asyncio.sleep(1 * s)
            log(f"out {type(error).__name__}")

    async with resource():
        await asyncio.sleep(1 * s)
        log("body")
        raise ValueError
    log("swallowed")

    async def leave(name):
        await asyncio.sleep(1 * s)
        log(f"stack {name}")

    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(leave, "a")
        stack.push_async_callback(leave, "b")


# ---- The loop itself -------------------------------------------------------------------------------------


@programme("0 soon 1", "0 soon 2", "1 later", "2 at", "3 True")
async def callbacks_and_timers(log, s):
    loop = asyncio.get_running_loop()
    loop.call_at(loop.time() + 2 * s, log, "at")
    loop.call_later(1 * s, log, "later")
    loop.call_soon(log, "soon 1")
    loop.call_soon_threadsafe(log, "soon 2")
    loop.call_soon(log, "?").cancel()
    loop.call_later(0.5 * s, log, "?").cancel()
    await asyncio.sleep(3 * s)
    log(asyncio.get_running_loop() is loop and asyncio.get_event_loop() is loop)


@programme("1 in time", "1 still pending")
async def waiting_without_end_beside_something_that_ends(log, s):
    forever = asyncio.create_task(asyncio.sleep(float("inf")))
    async with asyncio.timeout(float("inf")):
        await asyncio.sleep(1 * s)
    log("in time")
    log("done" if forever.done() else "still pending")
    forever.cancel()


def test_a_generator_abandoned_by_the_last_statement_is_closed_too():
    """asyncio.run forgets this one: it cancels the closing before it begins."""
    entries = []

    async def main():
        async for i in ticks(entries.append, 1):
            entries.append(i)
            break

    simulate(main)
    assert entries == [0, "closed"]


# ---- What only virtual time can promise ------------------------------------------------------------------


def test_what_comes_due_at_one_instant_runs_in_order_of_its_making():
    order = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_at(3, order.append, "made first, for 3")
        await asyncio.sleep(1)
        loop.call_later(2, order.append, "made later, for 3")
        loop.call_at(3, order.append, "made last, for 3")
        await asyncio.sleep(5)

    simulate(main)
    assert order == ["made first, for 3", "made later, for 3", "made last, for 3"]


def test_a_timeout_that_expires_as_the_work_ends_goes_to_whoever_set_its_timer_first():
    async def main(work_s, limit_s):
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.sleep(work_s)
                return "ended"
        except TimeoutError:
            return "expired"

    assert simulate(main(1, 2)) == "ended"
    assert simulate(main(2, 1)) == "expired"
    assert {simulate(main(1, 1)) for _ in range(20)} == {"expired"}  # the time-out's timer was set first


def test_a_year_passes_in_a_moment_and_to_the_microsecond():
    async def main():
        for _ in range(365):
            await asyncio.sleep(86_400)
        await asyncio.sleep(0.000_001)
        return asyncio.get_running_loop().time()

    assert simulate(main) == 365 * 86_400 + 0.000_001


def test_many_small_waits_add_up_without_drift():
    async def main():
        for _ in range(10_000):
            await asyncio.sleep(0.1)
        return asyncio.get_running_loop().time()

    assert simulate(main) == 1_000


def test_a_wait_below_the_resolution_still_moves_the_clock():
    async def main():
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.000_005
        turns = 0
        while loop.time() < end:
            await asyncio.sleep((end - loop.time()) / 4)
            turns += 1
        return turns

    assert simulate(main) <= 5


def test_spinning_does_not_hold_the_clock_still_for_ever():
    async def main():
        loop = asyncio.get_running_loop()
        while loop.time() < 0.001:
            await asyncio.sleep(0)
        return loop.time()

    assert simulate(main) == 0.001


def test_a_time_that_is_no_number_is_refused():
    async def main():
        asyncio.get_running_loop().call_later(float("nan"), print)

    with pytest.raises(Exception, match="nan"):
        simulate(main)


# ---- Inside a running loop -------------------------------------------------------------------------------


def test_simulate_works_inside_a_running_loop_and_leaves_it_as_it_was():
    """As in a notebook: the cell is ordinary code, called from a task of the kernel's own loop."""

    async def inner():
        await asyncio.sleep(3600)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
        return asyncio.get_running_loop().time(), asyncio.current_task().get_name()

    async def kernel():
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        heard = []
        beside = asyncio.create_task(asyncio.sleep(0.01, "beside"))
        generator = numbers()
        first = await anext(generator)
        assert simulate(inner) == (7200, "main")
        with pytest.raises(ZeroDivisionError):
            simulate(failing)
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        assert asyncio.all_tasks() == {task, beside}
        async with asyncio.timeout(5):
            heard.append(await beside)
        heard += [first, *[n async for n in generator]]
        return heard

    async def numbers():
        yield 1
        await asyncio.sleep(0.001)
        yield 2

    async def failing():
        await asyncio.sleep(1)
        return 1 / 0

    assert asyncio.run(kernel()) == ["beside", 1, 2]


def test_no_loop_runs_after_simulate_where_none_ran_before():
    simulate(asyncio.sleep(1))
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def test_a_simulation_inside_a_simulation_is_refused():
    async def main():
        await asyncio.sleep(1)
        simulate(asyncio.sleep(1))

    with pytest.raises(Exception, match="a simulation cannot start another one inside itself"):
        simulate(main)
    assert simulate(asyncio.sleep(1, "the next one works")) == "the next one works"


@pytest.mark.parametrize("nothing", [5, None, asyncio.sleep, lambda: 3])
def test_simulate_says_what_it_takes(nothing):
    if nothing is asyncio.sleep:
        nothing = [asyncio.sleep]
    with pytest.raises(Exception, match=r"simulate takes a coroutine .*async def"):
        simulate(nothing)
