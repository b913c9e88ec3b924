"""A subscription's way through the log: commit after the effect, and what trouble does to it."""

import asyncio

import pytest

from lessonlib.event_driven import Event, EventLog, Subscription
from lessonlib.event_driven.remote import NotAcknowledged
from lessonlib.lab import simulate


def event(number, kind="order_created"):
    return Event(kind, "shop", {"order_id": number})


async def running(log, deliver, **options):
    subscription = Subscription(log, "inventory", deliver, **options)
    return subscription, asyncio.create_task(subscription.run())


async def end(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def filled(count, log=None):
    log = log or EventLog()
    for number in range(count):
        await log.append(event(number))
    return log


def test_the_cursor_moves_after_the_effect_and_to_the_next_offset():
    async def trial():
        log, seen = await filled(3), []

        async def deliver(offset, event):
            seen.append((offset, await log.committed("inventory")))

        subscription, task = await running(log, deliver)
        await subscription.reached(3)
        assert seen == [(0, 0), (1, 1), (2, 2)]
        assert await log.committed("inventory") == 3
        await end(task)

    simulate(trial)


def test_a_second_incarnation_goes_on_where_the_first_one_committed():
    async def trial():
        log, seen = await filled(5), []

        async def deliver(offset, event):
            if offset == 3 and 3 not in seen:
                seen.append(3)
                await asyncio.get_running_loop().create_future()  # it hangs, and is ended
            seen.append(offset)

        subscription, task = await running(log, deliver)
        await asyncio.sleep(1)
        await end(task)
        subscription, task = await running(log, deliver)
        await subscription.reached(5)
        await end(task)
        assert seen == [0, 1, 2, 3, 3, 4]

    simulate(trial)


def test_it_passes_over_events_of_other_types():
    async def trial():
        log, seen = await filled(2), []
        await log.append(event(2, "order_paid"))

        async def deliver(offset, event):
            seen.append(offset)

        subscription, task = await running(log, deliver, event_type="order_paid")
        await subscription.reached(3)
        assert seen == [2] and await log.committed("inventory") == 3
        await end(task)

    simulate(trial)


@pytest.mark.parametrize("trouble", [OSError(5, "the disk failed"), NotAcknowledged("the broker is silent")])
@pytest.mark.parametrize("where", ["read", "commit", "committed", "deliver"])
def test_trouble_is_waited_out_and_nothing_is_left_out(trouble, where):
    async def trial():
        class Troubled(EventLog):
            left = 3

            def stumble(self, here):
                if here == where and self.left:
                    self.left -= 1
                    raise trouble

            async def read(self, *args, **options):
                self.stumble("read")
                return await super().read(*args, **options)

            async def commit(self, *args, **options):
                self.stumble("commit")
                await super().commit(*args, **options)

            async def committed(self, *args):
                self.stumble("committed")
                return await super().committed(*args)

        log, seen = await filled(4, Troubled()), []

        async def deliver(offset, event):
            log.stumble("deliver")
            seen.append(offset)

        subscription, task = await running(log, deliver)
        await subscription.reached(4)
        await end(task)
        assert list(dict.fromkeys(seen)) == [0, 1, 2, 3]
        assert log.left == 0 and await log.committed("inventory") == 4
        assert asyncio.get_running_loop().time() == pytest.approx(1.5)

    simulate(trial)


def test_after_a_rewind_everything_comes_again_even_in_the_middle_of_a_delivery():
    async def trial():
        log, seen = await filled(6), []

        async def deliver(offset, event):
            await asyncio.sleep(1)
            seen.append(offset)

        subscription, task = await running(log, deliver)
        await asyncio.sleep(3.5)  # offset 3 is being delivered
        await subscription.rewind(1)
        await subscription.reached(6)
        await end(task)
        assert seen == [0, 1, 2, 3, 1, 2, 3, 4, 5]
        assert await log.cursor("inventory") == (6, 1)

    simulate(trial)


def test_a_rewind_is_not_undone_by_an_answer_from_before_it():
    """The subscription has asked where it stands; the answer comes after the rewind, and is out of date."""

    async def trial():
        class Slow(EventLog):
            async def committed(self, subscription):
                found = await super().committed(subscription)
                await asyncio.sleep(1)
                return found

        log, seen = await filled(4, Slow()), []
        await log.commit("inventory", 4)

        async def deliver(offset, event):
            seen.append(offset)

        subscription, task = await running(log, deliver)
        await asyncio.sleep(0.5)
        await subscription.rewind()
        await subscription.reached(4)
        await end(task)
        assert seen == [0, 1, 2, 3]

    simulate(trial)


def test_an_idle_subscription_notices_that_somebody_else_moved_its_cursor_back():
    async def trial():
        log, seen = await filled(3), []

        async def deliver(offset, event):
            seen.append(offset)

        _, task = await running(log, deliver)
        await asyncio.sleep(1)
        await log.rewind("inventory", 1)
        await asyncio.sleep(5)
        await end(task)
        assert seen == [0, 1, 2, 1, 2]

    simulate(trial)


def test_who_waits_for_an_offset_is_woken_also_when_nothing_new_comes():
    async def trial():
        log = await filled(3)

        async def deliver(offset, event):
            pass

        subscription, task = await running(log, deliver)
        for _ in range(30):  # it asks again now and then where it stands: not a moment to miss
            await subscription.reached(3)
            await asyncio.sleep(0.3)
        await end(task)

    simulate(trial)
