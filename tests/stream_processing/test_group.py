"""A consumer group on a real event loop, and its pieces alone."""

import asyncio

import pytest

from lessonlib.errors import LessonError
from lessonlib.event_driven import Event
from lessonlib.lab import simulate
from lessonlib.ports import LocalHub, MemoryDisk, local_ports
from lessonlib.stream_processing import ConsumerGroup, GroupCoordinator, Topic


def event(number):
    return Event("departed", "JFK", {"number": number}, id=str(number), subject=f"N{number % 7}")


async def count(partition, events, state):
    state["n"] = state.get("n", 0) + len(events)
    state["last"] = events[-1]["data"]["number"]


def test_a_group_works_on_a_real_loop_and_its_checkpoints_survive_on_disk(tmp_path):
    async def serve(numbers):
        hub = LocalHub()
        ports = local_ports("broker", hub=hub, directory=tmp_path)
        topic = Topic(4, ports.disk)
        coordinator = GroupCoordinator(topic, ports, session_s=0.5)
        members = [
            ConsumerGroup("broker", count, ports=local_ports(f"worker-{i}", hub=hub), poll_wait_s=0.05)
            for i in (1, 2)
        ]
        tasks = [asyncio.create_task(one.run()) for one in (coordinator, *members)]
        for number in numbers:
            await topic.append(number % 4, event(number))
        coordinator.grown()
        await asyncio.sleep(0.6)
        held = [member.partitions for member in members]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        saved = [(await ports.disk.read(f"checkpoint-{p}"))[0] for p in range(4)]
        return held, [s["state"]["n"] for s in saved]

    held, counts = asyncio.run(serve(range(20)))
    assert sorted(p for ps in held for p in ps) == [0, 1, 2, 3] and {len(ps) for ps in held} == {2}
    assert counts == [5, 5, 5, 5]
    _, counts = asyncio.run(serve(range(40)))
    assert counts == [10, 10, 10, 10], "the second life goes on where the first one stopped"


class Asker:
    """Speaks to a coordinator as a member would, without a network."""

    def __init__(self, coordinator, name, incarnation="1"):
        self.coordinator, self.name, self.incarnation = coordinator, name, incarnation

    async def poll(self, holding=None, released=(), wait_s=0):
        return await self.coordinator.answer(
            "poll",
            {
                "member": self.name,
                "incarnation": self.incarnation,
                "holding": holding or {},
                "released": [list(r) for r in released],
                "wait_s": wait_s,
            },
        )

    async def save(self, partition, epoch, offset, state):
        return await self.coordinator.answer(
            "save", {"partition": partition, "epoch": epoch, "offset": offset, "state": state}
        )


def group(partitions=2, disk=None):
    ports = local_ports("broker")
    return GroupCoordinator(Topic(partitions), ports, session_s=4)


def test_a_partition_moves_only_when_its_reader_has_let_go_and_its_epoch_is_over_then():
    async def main():
        coordinator = group()
        a, b = Asker(coordinator, "a"), Asker(coordinator, "b")
        assert (await a.poll())["hold"].keys() == {"0", "1"}
        assert await a.save(1, 1, 5, {"n": 5})
        assert (await b.poll())["hold"] == {}, "a is not done yet"
        news = await a.poll({"0": [1, 0], "1": [1, 5]})
        assert news["drop"] == [[1, 1]]
        assert await a.save(1, 1, 6, {"n": 6}), "what it has in work it may finish"
        assert (await b.poll())["hold"] == {}
        await a.poll({"0": [1, 0]}, released=[(1, 1)])
        assert (await b.poll())["hold"] == {"1": {"epoch": 2, "offset": 6, "state": {"n": 6}}}
        assert not await a.save(1, 1, 7, {"n": 7}), "its epoch is over"
        assert await b.save(1, 2, 7, {"n": 7})

    simulate(main())


def test_who_is_silent_for_a_session_is_replaced_and_fenced_off():
    async def main():
        coordinator = group()
        a, b = Asker(coordinator, "a"), Asker(coordinator, "b")
        await a.poll()
        await asyncio.sleep(4.1)
        assert (await b.poll())["hold"].keys() == {"0", "1"}
        assert not await a.save(0, 1, 9, {})
        news = await a.poll({"0": [1, 9], "1": [1, 0]})
        assert [0, 1] in news["drop"] and [1, 1] in news["drop"]

    simulate(main())


def test_a_member_that_restarts_gets_its_partitions_with_a_new_epoch_and_its_ghost_is_ignored():
    async def main():
        coordinator = group()
        old, new = Asker(coordinator, "a", "1"), Asker(coordinator, "a", "2")
        await old.poll()
        assert (await new.poll())["hold"]["0"]["epoch"] == 2
        assert not await old.save(0, 1, 3, {})
        assert (await old.poll({"0": [1, 0]}))["drop"] == [[0, 1]]
        assert (await new.poll({"0": [2, 0], "1": [2, 0]})) == {"hold": {}, "drop": [], "events": {}}

    simulate(main())


def test_a_request_that_comes_twice_or_late_does_no_harm():
    async def main():
        coordinator = group()
        a = Asker(coordinator, "a")
        await a.poll()
        assert await a.save(0, 1, 5, {"n": 5})
        assert await a.save(0, 1, 5, {"n": 5})
        assert not await a.save(0, 1, 3, {"n": 3})
        assert (await Asker(coordinator, "a", "2").poll())["hold"]["0"]["offset"] == 5

    simulate(main())


def test_a_coordinator_that_restarts_knows_owners_epochs_and_checkpoints():
    async def main():
        ports = local_ports("broker")
        first = GroupCoordinator(Topic(2, ports.disk), ports)
        a = Asker(first, "a")
        await a.poll()
        await a.save(0, 1, 5, {"n": 5})
        second = GroupCoordinator(Topic(2, ports.disk), ports)
        a.coordinator = second
        assert await a.save(0, 1, 6, {"n": 6})
        assert (await a.poll())["hold"]["0"] == {"epoch": 1, "offset": 6, "state": {"n": 6}}
        assert (await Asker(second, "b").poll())["hold"] == {}, "a may be alive"

    simulate(main())


def test_a_request_that_nobody_knows_is_refused():
    async def main():
        with pytest.raises(LessonError, match="knows no request 'dance'; ask to poll"):
            await group().answer("dance", {})

    simulate(main())


def test_a_topic_keeps_order_within_a_partition_recognises_repeats_and_survives():
    async def main():
        disk = MemoryDisk()
        topic = Topic(2, disk)
        for number in range(6):
            assert await topic.append(number % 2, event(number)) == number // 2
        assert await topic.append(0, event(2)) == 1
        again = Topic(2, disk)
        assert await again.ends() == [3, 3]
        assert [e["data"]["number"] for _, e in await again.read(1, 1)] == [3, 5]
        assert await again.read(0, 3) == []
        assert await again.append(0, event(4)) == 2

    simulate(main())
