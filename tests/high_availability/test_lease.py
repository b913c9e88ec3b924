"""No two hold a lease at a time by their own reckoning, tokens only grow, and the lease is free again after a while."""

import asyncio
from random import Random

import pytest

from lessonlib.high_availability.lease import LEASE_FILE, Grant, Lease, LeaseHeld, Leases, LeasesFull
from lessonlib.lab import simulate
from lessonlib.ports import FileDisk, MemoryDisk


def lease(seed=1, **options):
    return Lease("worker-1", random=Random(seed), **options)


async def refused(leases, resource, holder):
    with pytest.raises(LeaseHeld) as refusal:
        await leases.grant(resource, holder)
    return refusal.value


# ---- The grantor -----------------------------------------------------------------------------------------


def test_one_holder_at_a_time_and_the_next_one_has_a_higher_token():
    async def main():
        leases = Leases(duration_s=10)
        first = await leases.grant("report", "a")
        assert first == Grant("report", "a", 1, 10)
        await asyncio.sleep(4)
        refusal = await refused(leases, "report", "b")
        assert refusal.retry_after_s == pytest.approx(6) and "a holds 'report'" in str(refusal)
        await asyncio.sleep(refusal.retry_after_s)
        assert (await leases.grant("report", "b")).token == 2
        assert (await leases.grant("other", "a")).token == 3

    simulate(main())


def test_renewing_keeps_the_token_and_begins_the_time_anew():
    async def main():
        leases = Leases(duration_s=10)
        for _ in range(5):
            assert (await leases.grant("report", "a")).token == 1
            await asyncio.sleep(9)
            await refused(leases, "report", "b")
        await asyncio.sleep(1.001)
        assert (await leases.grant("report", "a")).token == 2, "after its end it is a new lease"

    simulate(main())


def test_a_released_lease_is_free_at_once_and_only_its_holder_can_release_it():
    async def main():
        leases = Leases(duration_s=10)
        await leases.grant("report", "a")
        await leases.release("report", "b")
        await leases.release("unknown", "b")
        await refused(leases, "report", "b")
        await leases.release("report", "a")
        assert (await leases.grant("report", "b")).token == 2

    simulate(main())


def test_a_grantor_that_starts_anew_keeps_every_lease_for_its_whole_time_and_never_gives_a_token_twice():
    async def main():
        disk = MemoryDisk()
        await Leases(disk, duration_s=10).grant("report", "a")
        await asyncio.sleep(8)
        again = Leases(disk, duration_s=10)  # it does not know how long it was away
        await refused(again, "report", "b")
        await asyncio.sleep(9.999)
        await refused(again, "report", "b")
        await asyncio.sleep(0.002)
        assert (await again.grant("report", "b")).token == 2

    simulate(main())


def test_a_grantor_that_grants_for_shorter_after_a_restart_keeps_the_promises_of_the_longer():
    async def main():
        disk = MemoryDisk()
        await Leases(disk, duration_s=10).grant("report", "a")
        again = Leases(disk, duration_s=2)
        await refused(again, "report", "b")
        await asyncio.sleep(9)
        await refused(again, "report", "b")
        await asyncio.sleep(1.001)
        assert (await again.grant("report", "b")).token == 2

    simulate(main())


def test_a_lease_that_was_kept_by_its_holder_across_a_restart_keeps_its_token():
    async def main():
        disk = MemoryDisk()
        await Leases(disk).grant("report", "a")
        assert (await Leases(disk).grant("report", "a")).token == 1

    simulate(main())


def test_a_lease_that_was_renewed_for_longer_than_it_was_granted_is_kept_for_longer_by_the_next_grantor():
    async def main():
        disk = MemoryDisk()
        await Leases(disk, duration_s=2).grant("report", "a")
        renewed = await Leases(disk, duration_s=10).grant("report", "a")
        assert (renewed.token, renewed.duration_s) == (1, 10)
        again = Leases(disk, duration_s=2)
        await refused(again, "report", "b")
        await asyncio.sleep(9.9)
        await refused(again, "report", "b")

    simulate(main())


def test_renewing_writes_nothing_to_the_disk():
    async def main():
        disk = MemoryDisk()
        leases = Leases(disk)
        for _ in range(10):
            await leases.grant("report", "a")
        assert len(await disk.read(LEASE_FILE)) == 1

    simulate(main())


class FailingDisk(MemoryDisk):
    failing = False

    async def append(self, file, record):
        if self.failing:
            raise OSError(5, "the disk failed")
        await super().append(file, record)


def test_a_grant_that_is_not_on_the_disk_is_no_grant():
    async def main():
        disk = FailingDisk()
        leases = Leases(disk, duration_s=10)
        disk.failing = True
        with pytest.raises(OSError, match="disk failed"):
            await leases.grant("report", "a")
        disk.failing = False
        assert (await leases.grant("report", "b")).token == 2, "the number is used up all the same"
        assert await disk.read(LEASE_FILE) == [
            {"resource": "report", "holder": "b", "token": 2, "duration_s": 10}
        ]

    simulate(main())


class SlowDisk(MemoryDisk):
    async def append(self, file, record):
        await asyncio.sleep(3)
        await super().append(file, record)


def test_the_grantor_counts_from_when_the_grant_is_durable_and_grants_once():
    async def main():
        leases = Leases(SlowDisk(), duration_s=10)
        answers = await asyncio.gather(
            *(leases.grant("report", holder) for holder in "abc"), return_exceptions=True
        )
        assert [type(answer).__name__ for answer in answers] == ["Grant", "LeaseHeld", "LeaseHeld"]
        assert answers[1].retry_after_s == pytest.approx(10)

    simulate(main())


def test_the_file_does_not_grow_with_every_grant():
    async def main():
        disk = MemoryDisk()
        leases = Leases(disk)
        for _ in range(1_500):
            await leases.grant("report", "a")
            await leases.release("report", "a")
        assert len(await disk.read(LEASE_FILE)) <= 1_010
        assert (await Leases(disk).grant("other", "b")).token == 1_501

    simulate(main())


def test_resources_are_bounded():
    async def main():
        leases = Leases(resources_max=1)
        await leases.grant("report", "a")
        with pytest.raises(LeasesFull, match="raise resources_max"):
            await leases.grant("other", "a")

    simulate(main())


def test_it_works_on_a_real_loop_and_a_real_disk(tmp_path):
    async def main():
        grant = await Leases(FileDisk(tmp_path), duration_s=60).grant("report", "a")
        held, loop = lease(), asyncio.get_running_loop()
        request = held.ask(loop.time())
        held.granted(request, Grant("report", held.holder, grant.token, grant.duration_s))
        assert held.held(loop.time()) and held.token == 1
        await refused(Leases(FileDisk(tmp_path), duration_s=60), "report", "b")

    asyncio.run(main())


# ---- The holder ------------------------------------------------------------------------------------------


def granted(to, token, duration_s=10.0):
    return Grant("report", to.holder, token, duration_s)


def test_the_holder_counts_from_when_it_asked_not_from_the_answer_and_stops_a_margin_earlier():
    held = lease(margin_s=0.5)
    request = held.ask(100.0)
    assert not held.held(100.0) and held.token is None and held.remaining_s(100) == 0
    held.granted(request, granted(held, 7))  # the answer came at 108, which nobody needs to know
    assert held.held(108.0) and held.token == 7 and held.remaining_s(108) == pytest.approx(1.5)
    assert held.held(109.499) and not held.held(109.5)


def test_an_answer_that_took_longer_than_the_lease_gives_nothing():
    held = lease()
    request = held.ask(100.0)
    held.granted(request, granted(held, 7))
    assert not held.held(111.0)


def test_a_renewal_prolongs_and_a_late_answer_to_an_earlier_request_does_not_shorten():
    held = lease(margin_s=0)
    first, second = held.ask(100.0), held.ask(105.0)
    held.granted(second, granted(held, 7))
    held.granted(first, granted(held, 7))
    assert held.remaining_s(105) == pytest.approx(10)


def test_a_repeated_answer_an_unknown_one_and_one_for_an_earlier_life_change_nothing():
    held, earlier = lease(1), lease(2)
    assert held.holder != earlier.holder and held.holder.startswith("worker-1/")
    request = held.ask(100.0)
    held.granted(request, granted(earlier, 7))
    held.granted(99, granted(held, 7))
    assert not held.held(100.0)
    request = held.ask(100.0)
    held.granted(request, granted(held, 7))
    held.lose()
    held.granted(request, granted(held, 7))
    assert not held.held(101.0)


def test_a_late_answer_with_an_older_token_does_not_replace_the_newer():
    held = lease()
    first, second = held.ask(100.0), held.ask(120.0)
    held.granted(second, granted(held, 8))
    held.granted(first, granted(held, 7))
    assert held.token == 8 and held.held(121.0)


def test_requests_that_are_never_answered_are_not_kept_for_ever():
    held = lease()
    old = held.ask(0.0)
    for second in range(100):
        held.ask(float(second))
    held.granted(old, granted(held, 7))
    assert not held.held(1.0) and len(held._asked) <= 16
