"""The bulkhead: only so many at a time, first come first served, and no permit is ever lost."""

import asyncio

import pytest

from lessonlib.fault_tolerance import Bulkhead, BulkheadFull
from lessonlib.lab import simulate


def test_no_more_calls_than_permits_and_the_next_is_told_at_once():
    async def main():
        bulkhead = Bulkhead(2, name="payments")
        tasks = [asyncio.create_task(bulkhead.call(asyncio.sleep, 1, n)) for n in range(2)]
        await asyncio.sleep(0.5)
        with pytest.raises(BulkheadFull, match="payments: 2 calls are in progress"):
            await bulkhead.call(asyncio.sleep, 0)
        assert bulkhead.in_progress == 2
        assert await asyncio.gather(*tasks) == [0, 1]
        assert bulkhead.in_progress == 0
        await bulkhead.call(asyncio.sleep, 0)

    simulate(main())


def test_who_may_wait_gets_a_turn_in_order_of_coming_or_gives_up():
    async def main():
        bulkhead = Bulkhead(1, wait_s=1.5)
        order = []

        async def work(n):
            order.append(n)
            await asyncio.sleep(1)

        results = await asyncio.gather(*(bulkhead.call(work, n) for n in range(4)), return_exceptions=True)
        assert order == [0, 1]
        assert [type(r) for r in results] == [type(None), type(None), BulkheadFull, BulkheadFull]
        assert asyncio.get_running_loop().time() == 2
        assert bulkhead.in_progress == bulkhead.waiting == 0
        await bulkhead.call(work, 9)

    simulate(main())


def test_the_number_of_those_who_wait_is_bounded():
    async def main():
        bulkhead = Bulkhead(1, wait_s=5, waiting_max=1)
        tasks = [asyncio.create_task(bulkhead.call(asyncio.sleep, 1)) for _ in range(3)]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(d) for d in done] == [type(None), type(None), BulkheadFull]

    simulate(main())


def test_errors_and_cancellation_give_the_permit_back():
    async def main():
        bulkhead = Bulkhead(1, wait_s=0)

        async def fail():
            raise ValueError

        with pytest.raises(ValueError):
            await bulkhead.call(fail)
        task = asyncio.create_task(bulkhead.call(asyncio.sleep, 60))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await bulkhead.call(asyncio.sleep, 0)

    simulate(main())


def test_one_that_is_cancelled_while_it_waits_takes_no_permit_even_at_the_moment_of_its_turn():
    async def main():
        bulkhead = Bulkhead(1, wait_s=60)
        first = asyncio.create_task(bulkhead.call(asyncio.sleep, 1))
        second = asyncio.create_task(bulkhead.call(asyncio.sleep, 1))
        third = asyncio.create_task(bulkhead.call(asyncio.sleep, 1))
        await asyncio.sleep(0.5)
        first.add_done_callback(lambda _: second.cancel())  # its turn and its cancellation come together
        with pytest.raises(asyncio.CancelledError):
            await second
        await asyncio.gather(first, third)
        assert bulkhead.in_progress == bulkhead.waiting == 0
        assert asyncio.get_running_loop().time() == 2

    simulate(main())


def test_a_time_out_of_the_caller_passes_through_while_waiting():
    async def main():
        bulkhead = Bulkhead(1, wait_s=60)
        task = asyncio.create_task(bulkhead.call(asyncio.sleep, 5))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await bulkhead.call(asyncio.sleep, 0)
        await task
        await bulkhead.call(asyncio.sleep, 0)

    simulate(main())
