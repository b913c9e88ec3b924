"""The processor: every part in its place, every end with its own error, and no event lost."""

import asyncio

import pytest

from lessonlib.event_driven import DeadLetterQueue, Event
from lessonlib.fault_tolerance import (
    Bulkhead,
    BulkheadFull,
    CallFailed,
    CircuitBreaker,
    CircuitOpen,
    Deadline,
    DeadlineExceeded,
    FaultTolerantProcessor,
    Ledger,
    LedgerFull,
    NotRetryable,
    RetriesExhausted,
    RetryBudgetSpent,
    RetryPolicy,
)
from lessonlib.lab import simulate
from lessonlib.ports import MemoryDisk, local_ports

EVENT = {"id": "7", "type": "order_created", "source": "shop", "service": "payments", "data": {"order_id": 7}}


def ids(events):
    return [event["id"] for event in events]


def ends(function, *, event=EVENT, before=None, **options):
    """Process one event; return (result or error, what is pending, what is a dead letter)."""

    async def main():
        processor = FaultTolerantProcessor(**options, ports=local_ports(seed=1))
        if before is not None:
            await before(processor)
        try:
            result = await processor.process_with_retries(function, event)
        except CallFailed as error:
            result = error
        pending = [e for e in await processor.pending() if e["id"] == event["id"]]
        letters = [x for x in await processor.dead_letters.letters() if x.event.id == event["id"]]
        return result, pending, letters

    return simulate(main())


async def charge(event):
    return event["data"]["order_id"]


async def down(event):
    raise ConnectionError("payments is down")


async def hangs(event):
    await asyncio.sleep(1_000)


async def refuses(event):
    raise ValueError("no such card")


def test_the_classic_interface_works_with_the_courses_dict_and_with_an_event():
    assert ends(charge) == (7, [], [])
    assert ends(charge, event=Event("order_created", "shop", {"order_id": 7}, id="7")) == (7, [], [])
    assert ends(charge, event={"type": "order_created", "id": "7", "data": {"order_id": 7}})[0] == 7


def test_a_passing_trouble_is_retried_and_the_function_gets_the_event_as_it_was_given():
    seen = []

    async def second_time(event):
        seen.append(event)
        if len(seen) == 1:
            raise TimeoutError
        return "ok"

    assert ends(second_time) == ("ok", [], [])
    assert seen == [EVENT, EVENT]


@pytest.mark.parametrize(
    ("function", "error", "state", "options"),
    [
        (down, RetriesExhausted, "dead letter", {}),
        (refuses, NotRetryable, "dead letter", {}),
        (hangs, DeadlineExceeded, "pending", {}),
    ],
)
def test_each_end_has_its_error_its_cause_and_leaves_the_event_in_one_place(function, error, state, options):
    result, pending, letters = ends(function, **options)
    assert type(result) is error
    assert result.__cause__ is not None
    assert (len(pending), len(letters)) == ((1, 0) if state == "pending" else (0, 1))


def test_a_dead_letter_has_its_context_and_can_be_replayed():
    async def main():
        processor = FaultTolerantProcessor(ports=local_ports(seed=1))
        with pytest.raises(RetriesExhausted):
            await processor.process_with_retries(down, EVENT)
        (letter,) = await processor.dead_letters.letters()
        assert (letter.error, letter.message, letter.attempts) == ("ConnectionError", "payments is down", 3)
        assert letter.topic == "order_created" and letter.event["data"]["order_id"] == 7
        assert letter.last_time >= letter.first_time > 0

        async def again(event):
            return await processor.process_with_retries(charge, event)

        assert await processor.dead_letters.replay(again) == (1, 0)
        assert await processor.dead_letters.letters() == []
        assert "payments" in processor._services and len(processor._services) == 1

    simulate(main())


def test_an_open_breaker_refuses_without_a_call_and_the_event_stays_pending():
    calls = []

    async def count(event):
        calls.append(event)

    async def outage(processor):
        for n in range(3):
            with pytest.raises(CallFailed):
                await processor.process_with_retries(down, {**EVENT, "id": f"before-{n}"})
        assert processor.breaker("payments").state == "open"

    result, pending, letters = ends(count, before=outage)
    assert isinstance(result, CircuitOpen) and not calls
    assert len(pending) == 1 and not letters


def test_the_breaker_sees_every_call_and_opens_after_as_many_failures_as_its_threshold():
    calls = []

    async def count(event):
        calls.append(event)
        raise ConnectionError

    async def main():
        processor = FaultTolerantProcessor(3, 0.1, 5, ports=local_ports(seed=1))
        with pytest.raises(RetriesExhausted):
            await processor.process_with_retries(count, EVENT)
        with pytest.raises((CircuitOpen, RetryBudgetSpent)):
            await processor.process_with_retries(count, {**EVENT, "id": "8"})
        return processor.breaker("payments").state

    assert simulate(main()) == "open"
    assert len(calls) == 5


def test_business_errors_do_not_open_the_breaker():
    async def main():
        processor = FaultTolerantProcessor(ports=local_ports(seed=1))
        for n in range(50):
            with pytest.raises(NotRetryable):
                await processor.process_with_retries(refuses, {**EVENT, "id": str(n)})
        return processor.breaker("payments").state

    assert simulate(main()) == "closed"


def test_the_trouble_of_one_service_is_not_that_of_another():
    async def trouble(processor):
        for n in range(9):
            with pytest.raises(CallFailed):
                await processor.process_with_retries(down, {**EVENT, "id": f"b{n}", "service": "mail"})
        assert processor.breaker("mail").state == "open"

    assert ends(charge, before=trouble) == (7, [], [])


def test_a_full_bulkhead_refuses_and_the_event_stays_pending():
    async def main():
        processor = FaultTolerantProcessor(bulkhead=lambda service: Bulkhead(1), ports=local_ports(seed=1))
        first = asyncio.create_task(processor.process_with_retries(hangs, {**EVENT, "id": "first"}))
        await asyncio.sleep(0.1)
        with pytest.raises(BulkheadFull):
            await processor.process_with_retries(charge, EVENT)
        assert ids(await processor.pending()) == ["7"], "somebody is still at the first"
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert ids(await processor.pending()) == ["first", "7"]
        assert await processor.process_with_retries(charge, EVENT) == 7
        assert ids(await processor.pending()) == ["first"]

    simulate(main())


def test_cancellation_gives_every_permit_back_and_leaves_the_event_pending():
    async def main():
        clock = asyncio.get_running_loop().time
        breaker = CircuitBreaker(minimum_calls=1, half_open_permits=1, open_s=1.0)
        bulkhead = Bulkhead(1)
        processor = FaultTolerantProcessor(
            breaker=lambda service: breaker, bulkhead=lambda service: bulkhead, ports=local_ports(seed=1)
        )
        with pytest.raises(CallFailed):
            await processor.process_with_retries(down, {**EVENT, "id": "1"})
        for _ in range(3):
            await asyncio.sleep(2)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await processor.process_with_retries(hangs, EVENT)
            assert ids(await processor.pending()) in (["7"], ["1", "7"])
        assert breaker.state == "half-open" and bulkhead.in_progress == 0 and clock() > 0
        assert await processor.process_with_retries(charge, EVENT) == 7
        assert breaker.state == "closed"

    simulate(main())


def test_after_a_crash_the_pending_events_are_still_on_the_disk():
    disk = MemoryDisk()

    async def main():
        first = FaultTolerantProcessor(ledger=Ledger(disk), ports=local_ports(seed=1))
        for n, function in enumerate((charge, hangs, refuses)):
            event = {**EVENT, "id": str(n)}
            task = asyncio.create_task(first.process_with_retries(function, event))
            await asyncio.sleep(1)
            if not task.done():
                task.cancel()
            await asyncio.wait([task])
            task.cancelled() or task.exception()
        second = FaultTolerantProcessor(ledger=Ledger(disk), ports=local_ports(seed=1))
        assert ids(await second.pending()) == ["1"]
        assert await second.process_with_retries(charge, (await second.pending())[0]) == 7
        assert await Ledger(disk).pending() == []

    simulate(main())


def test_the_ledger_is_bounded_and_says_that_the_event_is_still_the_callers():
    async def main():
        processor = FaultTolerantProcessor(ledger=Ledger(pending_max=1), ports=local_ports(seed=1))
        task = asyncio.create_task(processor.process_with_retries(hangs, {**EVENT, "id": "1"}))
        await asyncio.sleep(1)
        with pytest.raises(LedgerFull, match="1 events are pending, as many as may be"):
            await processor.process_with_retries(charge, EVENT)
        task.cancel()
        await asyncio.wait([task])

    simulate(main())


def test_the_ledgers_file_does_not_grow_with_what_is_settled():
    disk = MemoryDisk()

    async def main():
        ledger = Ledger(disk)
        await ledger.accept(("shop", "stays"), EVENT)
        for n in range(3_000):
            await ledger.accept(("shop", str(n)), EVENT)
            await ledger.settle(("shop", str(n)), "processed")
        assert len(disk.files["ledger"]) < 1_100
        assert [key for key, _ in await Ledger(disk).pending()] == [("shop", "stays")]

    simulate(main())


class SlowDisk(MemoryDisk):
    """Takes a moment for each write, as a real one does."""

    async def append(self, file, record):
        await asyncio.sleep(0.001)
        await super().append(file, record)

    async def replace(self, file, records):
        records = list(records)
        await asyncio.sleep(0.05)
        await super().replace(file, records)


def test_what_is_accepted_while_the_ledgers_file_is_rewritten_is_not_lost():
    disk = SlowDisk()

    async def main():
        ledger = Ledger(disk)
        for n in range(500):
            await ledger.accept(("shop", str(n)), EVENT)
            await ledger.settle(("shop", str(n)), "processed")
        await ledger.accept(("shop", "last"), EVENT)
        settling = asyncio.create_task(ledger.settle(("shop", "last"), "processed"))  # and rewrites the file
        await asyncio.sleep(0.01)
        await ledger.accept(("shop", "meanwhile"), EVENT)
        await settling
        assert len(disk.files["ledger"]) <= 2, "it was rewritten"
        assert [key for key, _ in await Ledger(disk).pending()] == [("shop", "meanwhile")]

    simulate(main())


def test_an_event_is_not_pending_for_others_while_it_is_being_accepted():
    async def main():
        processor = FaultTolerantProcessor(ledger=Ledger(SlowDisk()), ports=local_ports(seed=1))
        task = asyncio.create_task(processor.process_with_retries(hangs, EVENT))
        for _ in range(5):
            await asyncio.sleep(0.0005)
            assert await processor.pending() == []
        task.cancel()
        await asyncio.wait([task])
        assert ids(await processor.pending()) == ["7"]

    simulate(main())


def test_it_works_on_a_real_loop_outside_of_the_laboratory():
    calls = []

    async def flaky(event):
        calls.append(event)
        await asyncio.sleep(0.001)
        if len(calls) < 3:
            raise ConnectionError("not yet")
        return "charged"

    async def main():
        async with asyncio.timeout(30):
            processor = FaultTolerantProcessor(max_retries=3, retry_delay=0.01, circuit_breaker_threshold=5)
            assert await processor.process_with_retries(flaky, EVENT) == "charged"
            assert processor.breaker("payments").state == "closed"
            policy = RetryPolicy(attempts_max=2, base_s=0.01, timeout_s=0.05, deadline_s=5)
            with pytest.raises(RetriesExhausted):
                await policy.call(asyncio.sleep, 10)
            with pytest.raises(DeadlineExceeded):
                await Deadline(0.01).call(asyncio.sleep, 10)

    asyncio.run(main())
    assert len(calls) == 3


def test_the_queue_of_dead_letters_can_be_given():
    queue = DeadLetterQueue()

    async def main():
        processor = FaultTolerantProcessor(dead_letters=queue, ports=local_ports(seed=1))
        with pytest.raises(NotRetryable):
            await processor.process_with_retries(refuses, EVENT)
        return await queue.letters()

    assert len(simulate(main())) == 1
