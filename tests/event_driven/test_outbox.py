"""The outbox: an order is stored and announced, or neither."""

import asyncio

import pytest
from troubled_disks import ProcessDied, TroubledDisk

from lessonlib.event_driven import EventLog, Outbox
from lessonlib.event_driven.remote import NotAcknowledged
from lessonlib.lab import simulate
from lessonlib.ports import FileDisk, Ports, local_ports


def ports_on(disk):
    local = local_ports(seed=1)
    return Ports(local.clock, local.random, local.transport, disk)


async def end(task):
    task.cancel()
    return (await asyncio.gather(task, return_exceptions=True))[0]


async def shop(disk, log, orders, seconds=60):
    """One incarnation: the relay runs while orders are placed. It may die, with the process."""
    outbox = Outbox(log, ports=ports_on(disk))
    relay = asyncio.create_task(outbox.relay())

    async def place():
        for number in orders:
            await outbox.place({"order_id": number})
            await asyncio.sleep(0.01)
        await asyncio.sleep(seconds)

    placing = asyncio.create_task(place())
    try:
        await asyncio.wait((relay, placing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        results = [await end(relay), await end(placing)]
    return [r for r in results if isinstance(r, BaseException) and not isinstance(r, asyncio.CancelledError)]


def stored(disk):
    return [row["order"]["order_id"] for row in disk.files.get("orders", [])]


async def announced(log):
    return [event["data"]["order_id"] for _, event in await log.read(0, limit=1000)]


def test_on_a_good_day_everything_is_announced_in_order():
    async def trial():
        disk, log = TroubledDisk(), EventLog()
        assert await shop(disk, log, range(10)) == []
        assert stored(disk) == await announced(log) == list(range(10))
        assert len(disk.files["sent"]) == 10

    simulate(trial)


@pytest.mark.parametrize("moment", ["die_before", "die_after"])
@pytest.mark.parametrize("write", range(1, 13))
def test_whichever_write_the_shop_dies_at_no_order_is_lost_or_doubled(moment, write):
    async def trial():
        files, log = {}, EventLog()
        died = await shop(TroubledDisk(files=files, **{moment: write}), log, range(6))
        assert any(isinstance(error, ProcessDied) for error in died)
        before = stored(TroubledDisk(files=files))
        after = TroubledDisk(files=files)
        assert await shop(after, log, range(6, 9)) == []
        assert stored(after)[: len(before)] == before
        assert await announced(log) == stored(after)
        assert len(files["sent"]) == len(files["orders"])

    simulate(trial)


def test_a_crash_between_the_announcement_and_its_mark_announces_once():
    """The log has it, the mark is missing: the relay sends it again, and the log recognises it."""

    async def trial():
        files, log = {}, EventLog()
        await shop(TroubledDisk(files=files, die_before=2), log, [1])
        assert await announced(log) == [1] and "sent" not in files
        await shop(TroubledDisk(files=files), log, [])
        assert await announced(log) == [1] and len(files["sent"]) == 1

    simulate(trial)


@pytest.mark.parametrize("write", range(1, 10))
def test_the_relay_outlives_a_disk_that_fails(write):
    async def trial():
        disk, log = TroubledDisk(fail_at=[write]), EventLog()
        outbox = Outbox(log, ports=ports_on(disk))
        relay = asyncio.create_task(outbox.relay())
        told = []
        for number in range(5):
            try:
                await outbox.place({"order_id": number})
                told.append(number)
            except OSError:
                pass
        await asyncio.sleep(5)
        assert not relay.done()
        assert stored(disk) == told == await announced(log)
        await end(relay)

    simulate(trial)


def test_the_relay_outlives_a_broker_that_does_not_answer():
    async def trial():
        class Silent(EventLog):
            silent = True

            async def append(self, event):
                if self.silent:
                    raise NotAcknowledged("nobody there")
                return await super().append(event)

        disk, log = TroubledDisk(), Silent()
        outbox = Outbox(log, ports=ports_on(disk))
        relay = asyncio.create_task(outbox.relay())
        await outbox.place({"order_id": 1})
        await asyncio.sleep(3)
        assert await announced(log) == []
        log.silent = False
        await asyncio.sleep(1)
        assert await announced(log) == [1]
        await end(relay)

    simulate(trial)


def test_on_files_and_a_real_loop_a_restart_announces_what_was_left(tmp_path):
    async def trial():
        log = EventLog()
        await Outbox(log, ports=ports_on(FileDisk(tmp_path))).place({"order_id": 1})  # and the process ends
        relay = asyncio.create_task(Outbox(log, ports=ports_on(FileDisk(tmp_path))).relay())
        await asyncio.sleep(0.1)
        assert await announced(log) == [1]
        await end(relay)

    asyncio.run(trial())
