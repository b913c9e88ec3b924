"""Dead letters: one for each (subscription, offset), kept until a replay goes well."""

import asyncio
from dataclasses import replace

import pytest
from troubled_disks import ProcessDied, TroubledDisk

from lessonlib.event_driven import DeadLetter, DeadLetterQueue, Event
from lessonlib.lab import simulate
from lessonlib.ports import FileDisk, MemoryDisk


def letter(number, subscription="inventory"):
    event = Event("order_created", "shop", {"order_id": number, "items": [{"sku": "tea"}]})
    return DeadLetter(
        event, subscription, "order_created", number, "ValueError", "no address", 5, 1000.0, 1003.0
    )


def test_a_letter_comes_back_whole_also_from_a_file(tmp_path):
    async def trial():
        await DeadLetterQueue(FileDisk(tmp_path)).put(letter(1))
        assert await DeadLetterQueue(FileDisk(tmp_path)).letters() == [letter(1)]

    asyncio.run(trial())


def test_a_letter_put_twice_is_one_letter_and_two_subscriptions_have_two():
    async def trial():
        queue = DeadLetterQueue()
        for one in (letter(1), letter(1), letter(1, "email"), letter(2), replace(letter(1), attempts=9)):
            await queue.put(one)
        assert await queue.letters() == [letter(1), letter(1, "email"), letter(2)]

    simulate(trial)


def test_what_was_replayed_with_success_is_gone_and_the_rest_stays():
    async def trial():
        queue, calls = DeadLetterQueue(), []

        async def handle(event):
            calls.append(event["data"]["order_id"])
            if event["data"]["order_id"] == 2:
                raise ValueError("still no address")

        for number in (1, 2, 3):
            await queue.put(letter(number))
        assert await queue.replay(handle) == (2, 1)
        assert await queue.letters() == [letter(2)]
        assert await queue.replay(handle) == (0, 1)
        assert calls == [1, 2, 3, 2]

    simulate(trial)


def test_a_letter_that_comes_back_after_its_replay_is_there_again():
    async def trial():
        async def handle(event):
            pass

        queue = DeadLetterQueue()
        await queue.put(letter(1))
        await queue.replay(handle)
        await queue.put(letter(1))
        assert await queue.letters() == [letter(1)]

    simulate(trial)


@pytest.mark.parametrize("moment", ["die_before", "die_after"])
def test_a_crash_in_the_middle_of_a_replay_loses_no_letter(moment):
    async def trial():
        handled, files = [], {}

        async def handle(event):
            handled.append(event["data"]["order_id"])

        queue = DeadLetterQueue(MemoryDisk())
        queue = DeadLetterQueue(TroubledDisk(files=files))
        for number in (1, 2, 3):
            await queue.put(letter(number))
        with pytest.raises(ProcessDied):
            await DeadLetterQueue(TroubledDisk(files=files, **{moment: 2})).replay(handle)
        await DeadLetterQueue(TroubledDisk(files=files)).replay(handle)
        assert sorted(set(handled)) == [1, 2, 3] and len(handled) <= 4
        assert await DeadLetterQueue(TroubledDisk(files=files)).letters() == []

    simulate(trial)
