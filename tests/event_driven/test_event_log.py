"""The log: offsets, cursors, replay, and what is left of it after a crash."""

import asyncio

import pytest
from troubled_disks import TroubledDisk

from lessonlib.event_driven import Event, EventLog, InventoryManager
from lessonlib.event_driven import log as log_module
from lessonlib.event_driven.log import LogError
from lessonlib.lab import simulate
from lessonlib.ports import FileDisk, MemoryDisk


def event(number, source="shop", **more):
    return Event("order_created", source, {"order_id": number, "sku": "tea", "quantity": 1, **more})


def run(trial):
    """Run a trial in virtual time."""
    return simulate(trial)


async def filled(count, disk=None, **options):
    log = EventLog(disk, **options)
    for number in range(count):
        await log.append(event(number))
    return log


def test_offsets_count_from_zero_and_reading_starts_anywhere():
    async def trial():
        log = await filled(5)
        assert await log.append(event(5)) == 5
        assert [offset for offset, _ in await log.read(3)] == [3, 4, 5]
        assert [e["data"]["order_id"] for _, e in await log.read(1, limit=2)] == [1, 2]
        assert await log.read(6) == []
        assert await log.end() == 6

    run(trial)


def test_reading_at_the_end_waits_for_the_next_event_but_no_longer_than_said():
    async def trial():
        log = await filled(1)
        loop = asyncio.get_running_loop()
        assert await log.read(1, wait_s=2) == []
        assert loop.time() == pytest.approx(2)
        reading = asyncio.create_task(log.read(1, wait_s=60))
        await asyncio.sleep(1)
        await log.append(event(9))
        assert [offset for offset, _ in await reading] == [1]
        assert loop.time() == pytest.approx(3)

    run(trial)


def test_an_event_appended_again_keeps_its_old_offset():
    async def trial():
        disk = MemoryDisk()
        log = await filled(3, disk)
        assert await log.append(event(1)) == 1
        assert await log.append(event(1, source="phone")) == 3, "(source, id) is the name, not id alone"
        assert len(disk.files["log"]) == 4

    run(trial)


def test_appended_at_the_same_time_an_event_is_stored_once():
    async def trial():
        disk = TroubledDisk()
        log = EventLog(disk)
        offsets = await asyncio.gather(*(log.append(event(n % 3)) for n in range(12)))
        assert offsets == [0, 1, 2] * 4
        assert len(disk.files["log"]) == 3

    run(trial)


def test_an_append_that_failed_left_nothing_and_may_be_made_again():
    async def trial():
        disk = TroubledDisk(fail_at=[2])
        log = EventLog(disk)
        await log.append(event(0))
        with pytest.raises(OSError):
            await log.append(event(1))
        assert await log.end() == 1
        assert await log.append(event(1)) == 1

    run(trial)


def test_a_commit_never_goes_back_and_a_rewind_does():
    async def trial():
        log = await filled(5)
        assert await log.committed("inventory") == 0
        await log.commit("inventory", 4)
        await log.commit("inventory", 2)
        assert await log.committed("inventory") == 4
        assert await log.committed("email") == 0, "every subscription has a cursor of its own"
        await log.rewind("inventory", 1)
        assert await log.committed("inventory") == 1
        await log.commit("inventory", 3)
        assert await log.committed("inventory") == 3

    run(trial)


def test_a_request_from_before_a_rewind_moves_nothing():
    async def trial():
        log = await filled(5)
        await log.commit("inventory", 5)
        await log.rewind("inventory", 0, rewinds=0)
        await log.commit("inventory", 5, rewinds=0)  # a copy that the network kept back
        assert await log.cursor("inventory") == (0, 1)
        await log.commit("inventory", 5, rewinds=1)
        await log.rewind("inventory", 0, rewinds=0)  # the rewind's own copy
        assert await log.cursor("inventory") == (5, 1)

    run(trial)


def test_how_often_a_cursor_was_moved_back_survives_a_restart():
    async def trial():
        disk = MemoryDisk()
        log = await filled(5, disk)
        await log.commit("inventory", 5)
        await log.rewind("inventory", 0)
        await log.commit("inventory", 2)
        restarted = EventLog(disk)
        assert await restarted.cursor("inventory") == (2, 1)
        await restarted.rewind("inventory", 0, rewinds=0)
        assert await restarted.cursor("inventory") == (2, 1)

    run(trial)


def test_no_cursor_stands_beyond_the_end():
    async def trial():
        log = await filled(2)
        for move in (log.commit, log.rewind):
            with pytest.raises(LogError, match="offset=3 is beyond the log's end; give at most 2"):
                await move("inventory", 3)

    run(trial)


def test_log_and_cursors_come_back_from_the_disk():
    async def trial():
        disk = MemoryDisk()
        log = await filled(4, disk)
        await log.commit("inventory", 3)
        restarted = EventLog(disk)
        assert await restarted.end() == 4
        assert await restarted.committed("inventory") == 3
        assert await restarted.read(0) == await log.read(0)
        assert await restarted.append(event(2)) == 2, "what it has, it knows again after a restart"

    run(trial)


def test_a_write_torn_by_a_power_cut_is_no_event(tmp_path):
    async def trial():
        log = await filled(2, FileDisk(tmp_path))
        await log.commit("inventory", 1)
        with (tmp_path / "log.jsonl").open("a") as file:
            file.write('{"type": "order_created", "sou')
        restarted = EventLog(FileDisk(tmp_path))
        assert await restarted.end() == 2
        assert await restarted.append(event(2)) == 2
        again = EventLog(FileDisk(tmp_path))
        assert [e["data"]["order_id"] for _, e in await again.read(0)] == [0, 1, 2]
        assert await again.committed("inventory") == 1

    asyncio.run(trial())


def test_replaying_from_an_offset_rebuilds_the_same_state():
    async def trial():
        log = await filled(20)
        whole = InventoryManager(stock={"tea": 100})
        half = InventoryManager(stock={"tea": 100})
        for offset, one in await log.read(0):
            await whole.handle(one)
            if offset < 10:
                await half.handle(one)
        for _, one in await log.read(10):
            await half.handle(one)
        again = InventoryManager(stock={"tea": 100})
        for _, one in [*await log.read(0), *await log.read(5)]:
            await again.handle(one)
        assert whole.stock == half.stock == again.stock == {"tea": 80}

    run(trial)


def test_cursor_records_are_rewritten_before_they_are_too_many(monkeypatch):
    monkeypatch.setattr(log_module, "CURSOR_RECORDS_MAX", 10)

    async def trial():
        disk = MemoryDisk()
        log = await filled(40, disk)
        for offset in range(1, 41):
            for name in ("inventory", "email"):
                await log.commit(name, offset)
                assert len(disk.files["cursors"]) <= 10
        await log.rewind("email", 7)
        restarted = EventLog(disk)
        assert await restarted.cursor("inventory") == (40, 0)
        assert await restarted.cursor("email") == (7, 1)

    run(trial)


def test_repetitions_are_recognised_as_far_back_as_the_log_says(monkeypatch):
    monkeypatch.setattr(log_module, "REMEMBERED_MAX", 3)

    async def trial():
        log = await filled(5)
        assert await log.append(event(2)) == 2
        assert await log.append(event(1)) == 5, "too old to be recognised: handlers must be idempotent too"

    run(trial)


def test_a_full_log_says_so_and_keeps_what_it_has():
    async def trial():
        log = await filled(3, events_max=3)
        with pytest.raises(LogError, match="full at 3 events; raise events_max"):
            await log.append(event(3))
        assert await log.append(event(1)) == 1
        assert await log.end() == 3

    run(trial)
