"""The stream processor alone: partitions, batches, order, bounds, dead letters, closing, checkpoints."""

import asyncio
import json
from datetime import timedelta

import pytest

from lessonlib.event_driven import DeadLetterQueue, Event, EventHandler
from lessonlib.lab import simulate
from lessonlib.ports import MemoryDisk
from lessonlib.stream_processing import (
    BufferFull,
    Checkpoint,
    StreamClosed,
    StreamProcessor,
    TumblingWindows,
    Watermark,
    WindowedAggregation,
    murmur2,
)


def event(kind="created", key="order-1", number=0):
    return Event(kind, "shop", {"number": number}, id=f"{key}/{number}", subject=key)


class Sink:
    """Remembers the batches that it was handed."""

    def __init__(self, takes_s=0.0, fails=lambda events: False):
        self.batches = []
        self.takes_s, self.fails = takes_s, fails

    async def handle(self, events):
        await asyncio.sleep(self.takes_s)
        if self.fails(events):
            raise ValueError("cannot be handled")
        self.batches.append((asyncio.get_running_loop().time(), events))

    @property
    def numbers(self):
        return [e["data"]["number"] for _, events in self.batches for e in events]


def test_it_works_on_a_real_loop_with_the_courses_dict_and_nothing_else():
    seen = []

    async def main():
        async with StreamProcessor(4, 10, timedelta(milliseconds=20)) as stream:
            stream.subscribe("order_created", seen.extend)
            for number in range(25):
                await stream.process_event(
                    {
                        "id": number,
                        "type": "order_created",
                        "key": f"order-{number % 3}",
                        "data": {"n": number},
                    }
                )
            await asyncio.sleep(0.2)
            assert len(seen) == 25, "the rest of a batch does not wait for others"

    asyncio.run(main())
    assert {e.subject for e in seen} == {"order-0", "order-1", "order-2"}
    assert seen[0]["data"]["n"] in range(25) and seen[0]["id"].isdigit()


def test_a_key_goes_where_kafka_sends_it():
    stream = StreamProcessor(1000)
    assert stream.partition_of(event(key="21")) == 340 == (murmur2("21") & 0x7FFFFFFF) % 1000
    assert stream.partition_of({"type": "t", "id": "x", "subject": "21"}) == 340


def test_a_batch_is_closed_by_its_size():
    sink = Sink()

    async def main():
        stream = StreamProcessor(1, 3, 60, handlers={"created": sink})
        for number in range(7):
            await stream.process_event(event(number=number))
        await asyncio.sleep(1)
        assert [len(b) for _, b in sink.batches] == [3, 3]
        assert stream.depths == (1,)
        await stream.close()

    simulate(main())
    assert sink.numbers == list(range(7))


def test_a_batch_is_closed_by_time_counted_from_its_first_event():
    sink = Sink()

    async def main():
        async with StreamProcessor(1, 100, timedelta(seconds=10), handlers={"created": sink}) as stream:
            await asyncio.sleep(5)
            await stream.process_event(event(number=0))
            await asyncio.sleep(9)
            await stream.process_event(event(number=1))
            await asyncio.sleep(20)
        assert sink.batches[0][0] == 15 and sink.numbers == [0, 1]

    simulate(main())


def test_order_within_a_key_holds_across_types():
    seen = []

    async def main():
        async with StreamProcessor(
            2, 50, 1, handlers={"*": lambda events: seen.append([e.type for e in events])}
        ) as s:
            for number, kind in enumerate(("created", "created", "cancelled", "created", "paid")):
                await s.process_event(event(kind, number=number))

    simulate(main())
    assert seen == [["created", "created"], ["cancelled"], ["created"], ["paid"]]


def test_partitions_do_not_wait_for_each_other():
    sink = Sink(fails=lambda events: events[0].subject == "slow")

    async def main():
        partition = {"slow": 0, "quick": 1}.get
        async with StreamProcessor(2, 1, handlers={"created": sink}, partitioner=partition) as stream:
            await stream.process_event(event(key="slow"))
            await stream.process_event(event(key="quick"))
            await asyncio.sleep(0.001)
            assert len(sink.batches) == 1

    simulate(main())


@pytest.mark.parametrize("producers", [1, 5])
def test_a_full_buffer_slows_the_producers_and_keeps_their_order(producers):
    sink = Sink(takes_s=1)

    async def main():
        stream = StreamProcessor(1, 2, 60, buffer_max=4, handlers={"created": sink})

        async def produce(who):
            for number in range(who, 40, producers):
                await stream.process_event(event(number=number))
                assert max(stream.depths) <= 4

        async with asyncio.TaskGroup() as group:
            for who in range(producers):
                group.create_task(produce(who))
        assert asyncio.get_running_loop().time() >= (40 - 4 - 2) / 2 - 1
        await stream.close()

    simulate(main())
    assert sorted(sink.numbers) == list(range(40))
    for who in range(producers):
        mine = [n for n in sink.numbers if n % producers == who]
        assert mine == sorted(mine)


def overflowing(overflow, events=10):
    sink, dropped = Sink(takes_s=100), []

    async def main():
        stream = StreamProcessor(
            1,
            2,
            60,
            overflow=overflow,
            handlers={"created": sink},
            on_drop=lambda e, partition: dropped.append((e["data"]["number"], partition)),
        )
        taken = []
        for number in range(events):
            taken.append(await stream.process_event(event(number=number)))
            await asyncio.sleep(1)
        assert stream.dropped == len(dropped)
        await stream.close()
        return taken

    return simulate(main()), dropped, sink.numbers


def test_the_newest_can_be_dropped():
    taken, dropped, handled = overflowing("drop_newest")
    assert handled == [0, 1, 2, 3, 4, 5] and dropped == [(n, 0) for n in (6, 7, 8, 9)]
    assert taken == [True] * 6 + [False] * 4


def test_the_oldest_can_be_dropped():
    taken, dropped, handled = overflowing("drop_oldest")
    assert handled == [0, 1, 6, 7, 8, 9] and dropped == [(n, 0) for n in (2, 3, 4, 5)]
    assert all(taken)


def test_the_producer_can_be_told():
    with pytest.raises(BufferFull, match="holds 4 events and is full; wait"):
        overflowing("fail")


def test_an_event_that_cannot_be_handled_is_set_aside_and_its_neighbours_are_not():
    letters = DeadLetterQueue()
    sink = Sink(fails=lambda events: any(e["data"]["number"] == 3 for e in events))

    async def main():
        async with StreamProcessor(
            1, 6, 1, attempts_max=3, dead_letters=letters, handlers={"created": sink}
        ) as s:
            for number in range(12):
                await s.process_event(event(number=number), source="orders", offset=100 + number)
        return await letters.letters()

    (letter,) = simulate(main())
    assert sink.numbers == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert (letter.event["data"]["number"], letter.offset, letter.attempts) == (3, 103, 3)
    assert (letter.error, letter.message, letter.topic) == ("ValueError", "cannot be handled", "created")


def test_a_failing_group_does_not_take_the_later_groups_with_it():
    letters, sink = DeadLetterQueue(), Sink()

    def refuse(events):
        raise ConnectionError("down")

    async def main():
        async with StreamProcessor(
            1, 4, 1, attempts_max=2, dead_letters=letters, handlers={"created": refuse, "*": sink}
        ) as stream:
            for number, kind in enumerate(("created", "paid", "created", "paid")):
                await stream.process_event(event(kind, number=number))
        return [letter.attempts for letter in await letters.letters()]

    assert simulate(main()) == [2, 2]
    assert sink.numbers == [1, 3]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_no_event_is_handed_over_more_often_than_stated(attempts):
    handed = []

    def refuse(events):
        handed.extend(e["data"]["number"] for e in events)
        raise ValueError("no")

    async def main():
        async with StreamProcessor(1, 3, 1, attempts_max=attempts, handlers={"created": refuse}) as stream:
            for number in range(4):
                await stream.process_event(event(number=number))

    simulate(main())
    assert {n: handed.count(n) for n in range(4)} == dict.fromkeys(range(4), attempts)


def test_an_event_that_nobody_handles_is_set_aside_too():
    letters = DeadLetterQueue()

    async def main():
        async with StreamProcessor(1, dead_letters=letters) as stream:
            await stream.process_event(event("cancelled"))
        return await letters.letters()

    (letter,) = simulate(main())
    assert letter.error == "NoHandler" and "subscribe('cancelled', ...)" in letter.message


def test_close_drains_tells_waiting_producers_and_takes_no_more():
    sink = Sink(takes_s=1)

    async def main():
        stream = StreamProcessor(1, 2, 60, handlers={"created": sink})
        taken, refused = [], []

        async def produce(number):
            try:
                await stream.process_event(event(number=number))
                taken.append(number)
            except StreamClosed:
                refused.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(produce(number))
            await asyncio.sleep(0.5)
            await stream.close()
        await stream.close()
        with pytest.raises(StreamClosed, match="is closed; make a new one"):
            await stream.process_event(event(number=99))
        assert taken == sink.numbers == [0, 1, 2, 3, 4, 5] and refused == [6, 7, 8, 9]

    simulate(main())


def test_flush_waits_for_what_was_taken_before_it_and_not_for_the_window():
    sink = Sink(takes_s=1)

    async def main():
        stream = StreamProcessor(3, 100, 3600, handlers={"created": sink})
        await stream.flush()
        for number in range(9):
            await stream.process_event(event(key=f"order-{number}", number=number))
        await stream.flush()
        assert sorted(sink.numbers) == list(range(9))
        assert asyncio.get_running_loop().time() == 1
        await stream.close()

    simulate(main())


def test_a_worker_that_dies_is_noticed():
    class Broken:
        async def put(self, letter):
            raise RuntimeError("the queue is gone")

    async def main():
        stream = StreamProcessor(1, 1, dead_letters=Broken(), attempts_max=1)
        await stream.process_event(event())
        with pytest.raises(RuntimeError, match="the queue is gone"):
            await stream.flush()
        with pytest.raises(RuntimeError, match="the queue is gone"):
            await stream.process_event(event())

    simulate(main())


def test_a_disk_that_fails_for_a_while_loses_no_dead_letter():
    class Stubborn(DeadLetterQueue):
        tries = 0

        async def put(self, letter):
            self.tries += 1
            if self.tries < 3:
                raise OSError("disk")
            await super().put(letter)

    letters = Stubborn()

    async def main():
        async with StreamProcessor(1, dead_letters=letters) as stream:
            await stream.process_event(event())
        return len(await letters.letters())

    assert simulate(main()) == 1


# ---- Checkpoints -----------------------------------------------------------------------------------------


def counting(disk):
    counts = WindowedAggregation(TumblingWindows(10), Watermark(5))

    def handle(events):
        for e in events:
            counts.process(e.subject, e["data"]["number"])

    return counts, StreamProcessor(
        3, 4, 1, handlers={"created": handle}, state=counts, checkpoint=Checkpoint(disk)
    )


@pytest.mark.parametrize("crash_at", range(0, 60, 7))
def test_state_and_offsets_are_restored_together(crash_at):
    """Whenever the process dies, and whatever it had handled since: nothing is lost or counted twice."""
    events = [event(key=f"order-{n % 5}", number=n) for n in range(60)]

    async def read(stream, offsets, until):
        for offset, one in enumerate(events[:until]):
            if offset >= offsets.get("orders", 0):
                await stream.process_event(one, source="orders", offset=offset)
                if offset % 10 == 9:
                    await stream.save()

    async def main():
        disk = MemoryDisk()
        _, dies = counting(disk)
        await read(dies, await dies.restore(), crash_at)
        await asyncio.sleep(5)  # some more is handled, and then lost with the memory
        for partition in dies._partitions:
            await partition.stop()
        counts, lives = counting(disk)
        offsets = await lives.restore()
        assert offsets == ({"orders": crash_at // 10 * 10} if crash_at >= 10 else {})
        await read(lives, offsets, None)
        await lives.save()
        await lives.close()
        once, whole = counting(MemoryDisk())
        await read(whole, {}, None)
        await whole.close()
        assert json.dumps(sorted(counts.snapshot()["cells"])) == json.dumps(sorted(once.snapshot()["cells"]))

    simulate(main())


def test_a_checkpoint_has_no_event_whose_effect_is_not_in_it():
    """Producers that wait for room while a checkpoint is taken are either in both or in neither."""
    disk = MemoryDisk()

    class Sum:
        total = 0

        async def handle(self, events):
            await asyncio.sleep(0.3)
            self.total += len(events)

        def snapshot(self):
            return self.total

        def restore(self, snapshot):
            self.total = snapshot

    async def main():
        state = Sum()
        stream = StreamProcessor(
            1, 2, 60, handlers={"created": state}, state=state, checkpoint=Checkpoint(disk)
        )

        async def produce():
            for number in range(40):
                await stream.process_event(event(number=number), source="orders", offset=number)

        async def save():
            for _ in range(12):
                await asyncio.sleep(0.37)
                await stream.save()
                (saved,) = await disk.read("checkpoint")
                assert saved["offsets"]["orders"] == saved["state"]

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            group.create_task(save())
        await stream.close()

    simulate(main())


def test_a_handler_may_be_an_object():
    seen = []

    class Count(EventHandler):
        async def handle(self, events):
            seen.append(len(events))

    async def main():
        async with StreamProcessor(1, 5, handlers={"created": Count()}) as stream:
            await stream.process_event(event())

    simulate(main())
    assert seen == [1]
