"""The counter outside the laboratory: on a real event loop, and with what makes no sense."""

import asyncio

import pytest

from lessonlib.errors import LessonError
from lessonlib.lab import simulate
from lessonlib.start_here import Counter, clock, naive


class Store:
    """Takes a few turns of the event loop for each call."""

    def __init__(self, value=0):
        self.value = value

    async def read(self):
        value = self.value
        await asyncio.sleep(0)
        return value

    async def write(self, value):
        await asyncio.sleep(0)
        self.value = value


async def many(counter, calls=20):
    return await asyncio.gather(*(counter.add() for _ in range(calls)))


def test_on_a_real_loop_twenty_tasks_at_once_lose_nothing():
    store = Store(5)
    assert asyncio.run(many(Counter(store))) == list(range(6, 26))
    assert store.value == 25


def test_on_a_real_loop_the_textbook_version_loses_all_but_one():
    store = Store(5)
    assert asyncio.run(many(naive.Counter(store))) == [6] * 20
    assert store.value == 6


def test_a_cancelled_call_leaves_the_door_open():
    async def main():
        counter = Counter(Store())
        first, second = asyncio.create_task(counter.add()), asyncio.create_task(counter.add())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert second.result() == 1

    asyncio.run(main())
    simulate(main())


def test_a_store_that_fails_fails_the_call_and_no_later_one():
    class Failing(Store):
        failing = True

        async def write(self, value):
            if self.failing:
                raise OSError(5, "the disk is full")
            await super().write(value)

    async def main():
        store = Failing()
        counter = Counter(store)
        with pytest.raises(OSError, match="full"):
            await counter.add()
        store.failing = False
        assert await counter.add() == 1

    asyncio.run(main())


@pytest.mark.parametrize("nonsense", [None, 7, "store", {"read": 1}])
def test_what_is_no_store_is_refused_in_one_sentence(nonsense):
    with pytest.raises(LessonError) as refused:
        Counter(nonsense)
    said = str(refused.value)
    assert f"store={nonsense!r}" in said
    assert "give an object with `read` and `write`" in said


def test_the_clock_says_what_time_it_is_and_needs_a_loop():
    async def main():
        await asyncio.sleep(1.5)
        return clock()

    assert simulate(main()) == "1.5 s"
    with pytest.raises(LessonError, match="call it in a coroutine"):
        clock()
