"""Delivery: a few attempts, counted before they are made, then a dead letter."""

import asyncio
from itertools import pairwise

import pytest
from troubled_disks import ProcessDied, TroubledDisk

from lessonlib.event_driven import DeadLetterQueue, Delivery, Event
from lessonlib.lab import simulate
from lessonlib.ports import MemoryDisk, Ports, local_ports

EVENT = Event("order_created", "shop", {"order_id": 7})


class Calendar:
    """A calendar that starts at 1000 and moves with the loop."""

    def now(self):
        return 1000 + asyncio.get_running_loop().time()


def ports_on(disk):
    local = local_ports(seed=1)
    return Ports(Calendar(), local.random, local.transport, disk)


def delivery(handler, disk, **options):
    return Delivery(handler, DeadLetterQueue(disk), name="inventory", ports=ports_on(disk), **options)


def failing(times, calls):
    def handle(event):
        calls.append(asyncio.get_running_loop().time())
        if len(calls) <= times:
            raise ValueError(f"no address, {len(calls)}")

    return handle


def test_the_waits_between_attempts_double():
    async def trial():
        calls, disk = [], MemoryDisk()
        await delivery(failing(4, calls), disk).deliver(3, EVENT)
        assert calls == pytest.approx([0, 0.2, 0.6, 1.4, 3.0])
        assert await DeadLetterQueue(disk).letters() == []

    simulate(trial)


def test_waits_are_as_they_were_configured_and_end_doubling_at_a_minute():
    async def trial():
        calls = []
        await delivery(failing(8, calls), MemoryDisk(), attempts_max=9, retry_delay_s=1).deliver(3, EVENT)
        waits = [later - before for before, later in pairwise(calls)]
        assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])

    simulate(trial)


def test_the_dead_letter_says_all_that_is_known():
    async def trial():
        calls, disk = [], MemoryDisk()
        await delivery(failing(9, calls), disk, attempts_max=3).deliver(3, EVENT)
        (letter,) = await DeadLetterQueue(disk).letters()
        assert len(calls) == 3
        assert (letter.event, letter.subscription, letter.topic) == (EVENT, "inventory", "order_created")
        assert (letter.offset, letter.attempts) == (3, 3)
        assert (letter.error, letter.message) == ("ValueError", "no address, 3")
        assert (letter.first_time, letter.last_time) == (1000, pytest.approx(1000.6))

    simulate(trial)


def test_a_handler_that_takes_too_long_has_failed_and_the_letter_says_so():
    async def trial():
        async def slow(event):
            await asyncio.sleep(3600)

        disk = MemoryDisk()
        await delivery(slow, disk, attempts_max=2, handler_timeout_s=5).deliver(0, EVENT)
        (letter,) = await DeadLetterQueue(disk).letters()
        assert asyncio.get_running_loop().time() == pytest.approx(10.2)
        assert letter.error == "TimeoutError" and letter.message == "the handler took longer than 5 s"

    simulate(trial)


def test_a_handler_s_own_time_out_keeps_its_own_words():
    async def trial():
        def handle(event):
            raise TimeoutError("the bank did not answer")

        disk = MemoryDisk()
        await delivery(handle, disk, attempts_max=1).deliver(0, EVENT)
        (letter,) = await DeadLetterQueue(disk).letters()
        assert letter.message == "the bank did not answer"

    simulate(trial)


def test_attempts_that_killed_the_process_count():
    async def trial():
        disk, calls = MemoryDisk(), []

        def deadly(event):
            calls.append(event)
            raise ProcessDied

        for _ in range(5):
            with pytest.raises(ProcessDied):
                await delivery(deadly, disk).deliver(3, EVENT)
        await delivery(deadly, disk).deliver(3, EVENT)
        assert len(calls) == 5
        (letter,) = await DeadLetterQueue(disk).letters()
        assert (letter.error, letter.attempts) == ("ProcessDied", 5)
        assert letter.first_time == 1000

    simulate(trial)


def test_crashes_and_errors_are_counted_together():
    async def trial():
        disk, calls = MemoryDisk(), []

        def handle(event):
            calls.append(event)
            raise ProcessDied if len(calls) == 2 else ValueError("no address")

        with pytest.raises(ProcessDied):
            await delivery(handle, disk).deliver(3, EVENT)
        await delivery(handle, disk).deliver(3, EVENT)
        assert len(calls) == 5

    simulate(trial)


def test_an_event_whose_handling_the_process_survived_leaves_nothing_to_the_next_event():
    async def trial():
        disk, calls = MemoryDisk(), []
        mine = delivery(failing(4, calls), disk)
        await mine.deliver(3, EVENT)
        await mine.deliver(4, EVENT)
        assert len(calls) == 6
        assert disk.files["attempts-inventory"][0]["attempts"] == 1

    simulate(trial)


@pytest.mark.parametrize("fails", [False, True], ids=["handled", "set aside"])
def test_an_event_that_is_sent_again_has_all_its_attempts_again(fails):
    """The last event of the log comes again after each rewind: that alone must not make a dead letter of it."""

    async def trial():
        disk, calls = MemoryDisk(), []

        def handle(event):
            calls.append(event)
            if fails:
                raise ValueError("no address")

        mine = delivery(handle, disk)
        for _ in range(7):
            await mine.deliver(3, EVENT)
        assert len(calls) == 7 * (5 if fails else 1)
        await delivery(handle, disk).deliver(3, EVENT)  # after a restart
        assert len(calls) == 8 * (5 if fails else 1)
        assert len(await DeadLetterQueue(disk).letters()) == fails, "one letter for each offset"

    simulate(trial)


@pytest.mark.parametrize("write", range(1, 8))
def test_a_failing_disk_is_the_caller_s_business_and_loses_no_attempt(write):
    """Whichever write fails, the subscription delivers again, and in the end there is one letter."""

    async def trial():
        disk, calls = TroubledDisk(fail_at=[write]), []
        mine = delivery(failing(99, calls), disk)
        for _ in range(3):
            try:
                await mine.deliver(3, EVENT)
            except OSError:
                continue
            break
        (letter,) = await DeadLetterQueue(disk).letters()
        assert letter.attempts == 5
        assert len(calls) == 5

    simulate(trial)


@pytest.mark.parametrize("moment", ["die_before", "die_after"])
@pytest.mark.parametrize("write", range(1, 8))
def test_whichever_write_the_process_dies_at_there_is_one_letter_in_the_end(moment, write):
    async def trial():
        calls, files = [], {}
        with pytest.raises(ProcessDied):
            await delivery(failing(99, calls), TroubledDisk(files=files, **{moment: write})).deliver(3, EVENT)
        await delivery(failing(99, calls), TroubledDisk(files=files)).deliver(3, EVENT)
        (letter,) = await DeadLetterQueue(TroubledDisk(files=files)).letters()
        assert letter.offset == 3 and letter.attempts == 5

    simulate(trial)
