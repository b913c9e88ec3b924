"""The manager as an engineer types it from the lesson: on a real event loop, over queues and real files."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from lessonlib.errors import LessonError
from lessonlib.high_availability import (
    Ballot,
    ClusterError,
    HighAvailabilityManager,
    NodeView,
    NotLeader,
    format_disk,
)
from lessonlib.ports import LocalHub, local_ports

ITEMS = [f"item-{number}" for number in range(6)]
# Short, so that the tests are; far longer than a step of a busy machine, so that nobody is deposed by load.
FAST = {"heartbeat_s": 0.05, "election_timeout_s": (0.5, 0.8)}


@asynccontextmanager
async def hosted(*args, **options):
    manager = HighAvailabilityManager(*args, **{**FAST, **options})
    await manager.initialize_cluster()
    try:
        yield manager
    finally:
        await manager.close()


async def until(condition):
    """Wait until it is so; pytest's own limit ends what never is."""
    while not condition():
        await asyncio.sleep(0.01)


async def write(members, key, value):
    """Write as a client does: ask around until a leader takes it."""
    while True:
        for member in members:
            try:
                return await member.write(key, value)
            except NotLeader:
                await asyncio.sleep(0.02)


def test_the_classic_interface_works_as_it_is_typed_from_the_lesson():
    async def main():
        async with hosted(3, work=ITEMS) as manager:
            leader = manager.leader
            assert leader in manager.nodes and len(manager.nodes) == 3
            await manager.write("color", "blue")
            assert await manager.read("color") == "blue"
            await until(lambda: manager.nodes[leader].work)
            assert {len(node.work) for node in manager.nodes.values()} == {2}
            assert manager.nodes[leader].state == "leader"
            assert isinstance(manager.nodes[leader], NodeView)
            assert manager.token >= 1
        assert manager.leader is None and manager.token is None
        assert {node.state for node in manager.nodes.values()} == {"stopped"}

    asyncio.run(main())


def test_a_reported_failure_moves_work_or_elects_another_leader():
    async def main():
        moves = []
        async with hosted(work=ITEMS, on_assignment=lambda *about: moves.append(about[-1])) as manager:
            await until(lambda: moves)
            follower = next(name for name in manager.nodes if name != manager.leader)
            await manager.handle_node_failure(follower)
            await until(lambda: len(moves) >= 3)
            assert moves[1:3] == [f"{follower} is suspected", f"{follower} is back"]
            term, leader = manager.token, manager.leader
            await manager.handle_node_failure(leader)  # all the others are told, so they let go of it
            await until(lambda: (manager.token or 0) > term)

    asyncio.run(main())


def test_a_cluster_of_one_leads_itself():
    async def main():
        async with hosted(1, work=["a"]) as manager:
            await manager.write("k", 1)
            assert await manager.read("k") == 1
            assert (manager.leader, manager.token) == ("node-1", 1)
            with pytest.raises(LessonError, match="cannot be dead and answer"):
                await manager.handle_node_failure("node-1")

    asyncio.run(main())


def test_members_on_real_files_elect_replicate_fail_over_and_come_back(tmp_path):
    async def main():
        async def start():
            hub = LocalHub()
            members = {}
            for number in (1, 2, 3):
                name = f"node-{number}"
                ports = local_ports(name, hub=hub, directory=tmp_path / name)
                await format_disk(ports.disk, name)
                members[name] = HighAvailabilityManager(3, ports=ports, **FAST)
            for member in members.values():
                await member.initialize_cluster()
            return members

        members = await start()
        await write(members.values(), "color", "blue")
        leader = next(name for name, member in members.items() if member.token)
        term = members[leader].token
        await members.pop(leader).close()
        await write(members.values(), "size", 7)
        assert max(member.token or 0 for member in members.values()) > term
        for member in members.values():
            await member.close()

        members = await start()  # the whole building had no power
        await write(members.values(), "last", True)
        leading = next(member for member in members.values() if member.token)
        assert [await leading.read(key) for key in ("color", "size", "last")] == ["blue", 7, True]
        for member in members.values():
            await member.close()

    asyncio.run(main())


def test_a_member_without_a_formatted_disk_starts_as_a_learner():
    async def main():
        manager = HighAvailabilityManager(3, ports=local_ports("node-1"))
        await manager.initialize_cluster()
        assert manager.nodes["node-1"].state == "learner"
        assert manager.nodes["node-2"].state == "unknown"
        await manager.close()

    asyncio.run(main())


def test_a_cluster_whose_part_fails_says_so_at_once():
    class Failing(Ballot):
        def stand(self, name):
            raise ValueError("no more terms")

    async def main():
        manager = HighAvailabilityManager(3, ballot=Failing, **FAST)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        with pytest.raises(ClusterError, match="stopped on ValueError: no more terms"):
            await manager.initialize_cluster()
        await manager.close()

    asyncio.run(main())
