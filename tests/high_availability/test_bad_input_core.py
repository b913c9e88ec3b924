"""What makes no sense is refused with one sentence that names the argument, the value and the remedy."""

import asyncio
import inspect
import re
from random import Random
from types import MappingProxyType

import pytest

from lessonlib.errors import LessonError
from lessonlib.high_availability import (
    Ballot,
    Election,
    Entry,
    HighAvailabilityManager,
    ReplicatedLog,
    commit_index,
    format_disk,
)
from lessonlib.ports import MemoryDisk, local_ports

THREE = ("node-1", "node-2", "node-3")
NODE_1 = local_ports("node-1")
COUNTS = [0, -1, None, "3", True, 1.5, float("nan")]
SECONDS = [0, -1, None, "1", True, float("nan"), float("inf")]
SPANS = [None, 0.3, (0.3, 0.15), (0, 0.3), (0.15,), ("a", "b"), (0.1, float("inf")), (True, 2)]
NAMES = [None, 7, "item", ["a", "a"], [""], [7]]
FUNCTIONS = [None, 7, "majority"]
HOOKS = [7, "print"]
POSITIONS = [0, None, (1,), ("1", 2), (1, -1), "12", (True, 1)]
BAD_PROMISES = [
    7,
    {},
    *({"term": term, "voted_for": None} for term in ("x", "7", -1, True, None)),
    {"term": 1, "voted_for": 3},
]


def manager(**options):
    return HighAvailabilityManager(**options)


def election(**options):
    return Election("node-1", THREE, random=Random(1), **options)


def grant(term=1, its_log=(0, 0), my_log=(0, 0)):
    return Ballot(THREE).grant("node-2", term, its_log=its_log, my_log=my_log)


def quorum(matched=MappingProxyType({"node-1": 1}), members=THREE, term=1, committed=0):
    return commit_index(matched, members, lambda index: 1, term=term, committed=committed)


def log():
    held = ReplicatedLog()
    held.take(1, [Entry(1, "a"), Entry(1, "b")])
    held.commit(1)
    return held


async def member(method, *arguments, begun=True, closed=False):
    running = HighAvailabilityManager(3, ports=local_ports("node-1"))
    if begun:
        await running.initialize_cluster()
    if closed:
        await running.close()
    try:
        return await getattr(running, method)(*arguments)
    finally:
        await running.close()


# what is called, as text → (the argument that must be named, a call with one value, the values to refuse)
CALLS = {
    "manager node_count": ("node_count", lambda v: manager(node_count=v), [*COUNTS, 100, 10**9]),
    "manager ports": ("ports", lambda v: manager(ports=v), [7, "node-1"]),
    "manager ports' name": ("name", lambda v: manager(ports=local_ports(v)), ["node-4", "local"]),
    "manager heartbeat_s": ("heartbeat_s", lambda v: manager(heartbeat_s=v), [*SECONDS, 0.15, 9]),
    "manager timeouts": ("election_timeout_s", lambda v: manager(election_timeout_s=v), SPANS),
    "manager answer_s": ("answer_s", lambda v: manager(answer_s=v), SECONDS),
    "manager max_entries": ("max_entries", lambda v: manager(max_entries=v), COUNTS),
    "manager work": ("work", lambda v: manager(work=v), NAMES),
    "manager ballot": ("ballot", lambda v: manager(ballot=v), FUNCTIONS),
    "manager quorum": ("quorum", lambda v: manager(quorum=v), FUNCTIONS),
    "manager rebalance": ("rebalance", lambda v: manager(rebalance=v), FUNCTIONS),
    "manager detector": ("detector", lambda v: manager(detector=v), HOOKS),
    "manager on_transition": ("on_transition", lambda v: manager(on_transition=v), HOOKS),
    "manager on_applied": ("on_applied", lambda v: manager(on_applied=v), HOOKS),
    "manager on_assignment": ("on_assignment", lambda v: manager(on_assignment=v), HOOKS),
    "a failure": ("node_id", lambda v: member("handle_node_failure", v), ["node-4", None, 7, "node-1", []]),
    "a write's key": ("key", lambda v: member("write", v, 1), [None, "", 7]),
    "a write's value": ("plain data", lambda v: member("write", "k", v), [..., {1}]),
    "a read's key": ("key", lambda v: member("read", v), [None, "", 7]),
    "a disk": ("disk", lambda v: format_disk(v, "node-1"), [None, MemoryDisk, "disk"]),
    "a disk's name": ("name", lambda v: format_disk(MemoryDisk(), v), [None, "", 7]),
    "ballot members": ("members", Ballot, ["node-1", (), ("a", "a"), [1, 2], 5]),
    "ballot promise": ("promise", lambda v: Ballot(THREE, v), BAD_PROMISES),
    "ballot learn": ("term", lambda v: Ballot(THREE).learn(v), [None, "1", -1, True, 1.5]),
    "ballot its term": ("term", lambda v: grant(term=v), [None, "1", -1, True, 1.5]),
    "ballot its log": ("its_log", lambda v: grant(its_log=v), POSITIONS),
    "ballot my log": ("my_log", lambda v: grant(my_log=v), POSITIONS),
    "ballot votes": ("votes", lambda v: Ballot(THREE).count(v), [None, 3, ["node-1"], "node-1"]),
    "quorum matched": (
        "matched",
        lambda v: quorum(matched=v),
        [None, "x", [1], {"node-1": "1"}, {"node-1": -1}],
    ),
    "quorum members": ("members", lambda v: quorum(members=v), [None, "node-1", [], 3]),
    "quorum term": ("term", lambda v: quorum(term=v), [None, "1", -1]),
    "quorum committed": ("committed", lambda v: quorum(committed=v), [None, "1", -1]),
    "election name": ("name", lambda v: Election(v, THREE, random=Random(1)), ["node-4", None]),
    "election timeouts": ("timeout_s", lambda v: election(timeout_s=v), SPANS),
    "log max_entries": ("max_entries", lambda v: ReplicatedLog(max_entries=v), COUNTS),
    "log entry": ("index", lambda v: log().entry(v), [0, 3, -1]),
    "log commit": ("index", lambda v: log().commit(v), [3, None, "2", 1.5]),
    "log take": ("first", lambda v: log().take(v, [Entry(2, "c")]), [0, 1, 4]),
}


def refusal(call, value):
    async def run():
        result = call(value)
        return await result if inspect.isawaitable(result) else result

    with pytest.raises(LessonError) as raised:
        asyncio.run(run())
    return str(raised.value)


@pytest.mark.parametrize(
    ("argument", "call", "value"),
    [(name, call, value) for name, call, values in CALLS.values() for value in values],
    ids=[f"{what} = {value!r:.30}" for what, (_, _, values) in CALLS.items() for value in values],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(argument, call, value):
    message = refusal(call, value)
    assert argument in message
    assert re.search(r"[;:] ?(give|name|start|tell|look|write|send)|give |make |await ", message), message
    assert "\n" not in message and len(message) < 300


@pytest.mark.parametrize("method", ["write", "read", "handle_node_failure"])
@pytest.mark.parametrize(
    ("state", "says"), [({"begun": False}, "has not been started"), ({"closed": True}, "is closed")]
)
def test_a_cluster_that_does_not_run_says_so(method, state, says):
    arguments = {"write": ("k", 1), "read": ("k",), "handle_node_failure": ("node-2",)}[method]
    assert says in refusal(lambda _: member(method, *arguments, **state), None)


def test_a_cluster_is_initialised_once_and_closed_as_often_as_you_like():
    async def main():
        running = HighAvailabilityManager(3, ports=local_ports("node-1"))
        await running.initialize_cluster()
        with pytest.raises(LessonError, match="initialised already; make a new"):
            await running.initialize_cluster()
        await running.close()
        await running.close()

    asyncio.run(main())


def test_a_disk_of_another_member_is_refused():
    async def main():
        disk = MemoryDisk()
        await format_disk(disk, "node-2")
        await format_disk(disk, "node-2")  # which changes nothing
        with pytest.raises(LessonError, match="formatted for 'node-2'; give each member its own"):
            await format_disk(disk, "node-1")

    asyncio.run(main())


def test_a_log_with_a_gap_on_the_disk_is_refused():
    async def main():
        ports = local_ports("node-1")
        await format_disk(ports.disk, "node-1")
        await ports.disk.append("log", {"from": 3, "entries": [{"term": 1, "command": {"op": "noop"}}]})
        with pytest.raises(LessonError, match="first=3 would leave a gap"):
            await HighAvailabilityManager(3, ports=ports).initialize_cluster()

    asyncio.run(main())
