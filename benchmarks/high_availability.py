"""What does high availability cost? Prints tables in Markdown:

    python benchmarks/high_availability.py [--rounds 5]

In seconds of CPU time of one core, best of the rounds. Peers run in the same process and by turns. What is measured:

- *Five minutes* of virtual time of five nodes with heartbeats every 50 ms: the cluster alone; with its leader crashing
  every half a minute; the scenario CLUSTER_OF_5 with its clients, its job and all its rules.
- *Elections*: one is figure 16's, five servers whose leader has crashed, on the pure state machines.
- *Detectors*: one heartbeat noted and one look at who is suspected, of five nodes.
- *Work*: a thousand items on twenty nodes, and one node dies. Beside it the sticky assignor of kafka-python.
- *Linearizability*: a history of a register that ten clients write and read at once.
- *Writes*: three members in one process on a real loop, a thousand writes at once. Beside it pysyncobj, whose members
  speak over sockets on this machine, so that this one row compares different work. In virtual time it cannot run at
  all: it reads the machine's clock and waits for real sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from lab import machine  # noqa: E402

from lessonlib.high_availability.experiments import downtimes  # noqa: E402
from lessonlib.high_availability.heartbeat import HeartbeatMonitor  # noqa: E402
from lessonlib.high_availability.linearizable import Operation, first_violation  # noqa: E402
from lessonlib.high_availability.manager import HighAvailabilityManager  # noqa: E402
from lessonlib.high_availability.phi import PhiAccrualDetector  # noqa: E402
from lessonlib.high_availability.rebalance import rebalance_work  # noqa: E402
from lessonlib.high_availability.scenario import CLUSTER, CLUSTER_OF_5, HEARTBEATS, LEASE  # noqa: E402
from lessonlib.lab.search import search  # noqa: E402

try:
    from kafka.coordinator.assignors.sticky.sticky_assignor import (
        StickyAssignmentExecutor,
        StickyAssignorMemberMetadataV1,
    )
    from kafka.structs import TopicPartition
    from pysyncobj import SyncObj, SyncObjConf, replicated
except ImportError as missing:
    sys.exit(f'{missing.name} is missing; install the peers with: pip install -e ".[bench]"')

MINUTES_S = 300
ELECTIONS = 1_000
BEATS = 100_000
NODES, ITEMS = 20, 1_000
CLIENTS, OPERATIONS = 10, 20_000
WRITES = 1_000
PLANS = 100
PORTS = (28914, 28924, 28934)
MEMBERS = tuple(f"node-{n}" for n in range(1, 6))


def spent(work: Callable[[], Any]) -> float:
    """Return the seconds of CPU time that `work` takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


# ---- Five minutes ----------------------------------------------------------------------------------------


def five_minutes(plan: str = "", *, clients: bool = False, messages: bool = False) -> Any:
    """Run the scenario's five nodes for five minutes; without clients as good as nothing is asked of them."""
    load: dict[str, Any] = {} if clients else {"ops_per_s": 1, "job_ms": 10_000}
    run = CLUSTER_OF_5.run(duration_s=MINUTES_S, plan=plan, max_steps=10**8, messages=messages, **load)
    if run.unfinished:
        sys.exit(run.unfinished)
    return run


CRASHES = "; ".join(f"at {at}s crash node-{at // 30 % 5 + 1} for 5s" for at in range(30, MINUTES_S, 30))


def minutes(rounds: int) -> list[tuple[str, float, int]]:
    """Return (what, seconds, messages)."""
    rows = []
    for what, run in (
        ("heartbeats, and a write a second", lambda **more: five_minutes(**more)),
        ("the same, and each half a minute a node crashes", lambda **more: five_minutes(CRASHES, **more)),
        (
            "CLUSTER_OF_5 as it stands: 6 operations a second",
            lambda **more: five_minutes(clients=True, **more),
        ),
    ):
        sent = len(run(messages=True).history.of("sent"))
        rows.append((what, min(spent(run) for _ in range(rounds)), sent))
    judged = min(spent(lambda: five_minutes(clients=True, messages=True).verdicts) for _ in range(rounds))
    rows.append(("the same with every message in the history, and all rules judged", judged, rows[-1][2]))
    return rows


# ---- Detectors -------------------------------------------------------------------------------------------


def beats(detector: Any) -> tuple[float, float]:
    """Return microseconds for a heartbeat noted, and for a look at who is suspected."""
    for node in MEMBERS:
        detector.watch(node, 0.0)

    def hear() -> None:
        for number in range(BEATS):
            detector.heard(MEMBERS[number % 5], number / 100)

    heard = spent(hear)
    now_s = BEATS / 100
    looked = spent(lambda: [detector.suspects(now_s) for _ in range(BEATS // 10)])
    return heard / BEATS * 1e6, looked / (BEATS // 10) * 1e6


# ---- Work ------------------------------------------------------------------------------------------------


def _owners() -> dict[str, str]:
    return {f"item-{n:04}": f"node-{n % NODES + 1:02}" for n in range(ITEMS)}


_ALIVE = [f"node-{n:02}" for n in range(2, NODES + 1)]


class _Topic:
    """As much of Kafka's cluster as its assignor asks for."""

    def topics(self) -> set[str]:
        return {"items"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(ITEMS))


def sticky() -> dict[str, str]:
    """Let kafka-python's sticky assignor do the same work."""
    held: dict[str, list[Any]] = {node: [] for node in _ALIVE}
    for number, owner in enumerate(_owners().values()):
        if owner in held:
            held[owner].append(TopicPartition("items", number))
    members = {
        node: StickyAssignorMemberMetadataV1(subscription=["items"], partitions=held[node], generation=1)
        for node in _ALIVE
    }
    executor = StickyAssignmentExecutor(_Topic(), members)
    executor.perform_initial_assignment()
    executor.balance()
    final = {node: executor.get_final_assignment(node) for node in _ALIVE}
    return {
        f"item-{partition:04}": node
        for node, topics in final.items()
        for _, partitions in topics
        for partition in partitions
    }


def quality(after: dict[str, str]) -> str:
    """Say how many items have moved from a living node, and how even the work is."""
    before, counts = _owners(), Counter(after.values())
    moved = sum(before[item] != owner and before[item] in _ALIVE for item, owner in after.items())
    return f"{len(after)} items, {moved} moved without need, {min(counts.values())} to {max(counts.values())} a node"


# ---- Linearizability -------------------------------------------------------------------------------------


def a_history() -> list[Operation]:
    """Return what ten clients see of one register that is atomic: each operation happens in the middle of its time."""
    random = Random("history")
    value: int | None = None
    operations = []
    for number in range(OPERATIONS):
        middle_us = number * 100
        start, end = middle_us - random.randrange(50 * CLIENTS), middle_us + random.randrange(50 * CLIENTS)
        if random.random() < 0.5:
            value = number
            operations.append(Operation("write", number, start_us=start, end_us=end))
        else:
            operations.append(Operation("read", value, start_us=start, end_us=end))
    return operations


# ---- Writes on a real loop -------------------------------------------------------------------------------


def our_writes() -> float:
    """Return microseconds of CPU time a write: three members, queues between them, disks in memory."""

    async def main() -> float:
        manager = HighAvailabilityManager(3, answer_s=30)
        await manager.initialize_cluster()
        started = time.process_time()
        await asyncio.gather(*(manager.write("key", number) for number in range(WRITES)))
        took = time.process_time() - started
        await manager.close()
        return took

    return asyncio.run(main()) / WRITES * 1e6


class _Keys(SyncObj):  # type: ignore[misc]
    def __init__(self, name: str, others: list[str]) -> None:
        super().__init__(name, others, SyncObjConf(autoTick=False))
        self.values: dict[str, Any] = {}

    @replicated  # type: ignore[untyped-decorator]
    def put(self, key: str, value: Any) -> None:
        self.values[key] = value


def _tick(members: list[_Keys]) -> None:
    for member in members:
        member.doTick(0.0)


class TheirWrites:
    """pysyncobj: three members, TCP between them, nothing on a disk."""

    def __init__(self) -> None:
        names = [f"127.0.0.1:{port}" for port in PORTS]
        self.members = [_Keys(name, [other for other in names if other != name]) for name in names]
        while not all(member.isReady() for member in self.members):
            _tick(self.members)
        self.leader = next(member for member in self.members if member._isLeader())

    def run(self) -> float:
        """Return microseconds of CPU time a write."""
        errors: list[Any] = []
        started = time.process_time()
        for number in range(WRITES):
            self.leader.put("key", number, callback=lambda _, error: errors.append(error))
        while len(errors) < WRITES:
            _tick(self.members)
        took = time.process_time() - started
        if any(errors):
            sys.exit("pysyncobj did not commit every write")
        return took / WRITES * 1e6

    def close(self) -> None:
        for member in self.members:
            member.destroy()
        _tick(self.members)


# ---- The tables ------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description="What high availability costs.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(machine())
    peers = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("kafka-python", "pysyncobj"))
    print(f"Peers: {peers}.\n")

    print("| five minutes of five nodes, heartbeats every 50 ms | s | messages |\n|---|---:|---:|")
    for what, took, sent in minutes(rounds):
        print(f"| {what} | {took:.2f} | {sent:,} |")

    print("\n| what | ours | peer | its | ratio |\n|---|---:|---|---:|---:|")
    for what, pre_vote in (("elections/s, timeout 150-300 ms", False), ("the same, with pre-vote", True)):
        took = min(
            spent(lambda ask=pre_vote: downtimes(150, 300, elections=ELECTIONS, pre_vote=ask))
            for _ in range(rounds)
        )
        print(f"| {what} | {ELECTIONS / took:,.0f} | – | – | – |")
    for name, make in (("HeartbeatMonitor", lambda: HeartbeatMonitor(1.0)), ("phi", PhiAccrualDetector)):
        measured = [beats(make()) for _ in range(rounds)]
        print(f"| µs a heartbeat, {name} | {min(h for h, _ in measured):.2f} | – | – | – |")
        print(f"| µs a look at five nodes, {name} | {min(look for _, look in measured):.2f} | – | – | – |")
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(spent(lambda: rebalance_work(_owners(), _ALIVE)) * 1e3)
        theirs.append(spent(sticky) * 1e3)
    print(
        f"| ms, work moved off a dead node, {ITEMS} items | {min(ours):.2f} | kafka-python, sticky | {min(theirs):.2f} | "
        f"{min(theirs) / min(ours):.0f} |"
    )
    history = a_history()
    took = min(spent(lambda: first_violation(history)) for _ in range(rounds))
    assert first_violation(history) is None
    print(
        f"| operations/s judged, {OPERATIONS:,} of {CLIENTS} clients at once | {OPERATIONS / took:,.0f} | – | – | – |"
    )
    worse = [*history, Operation("read", None, start_us=OPERATIONS * 200, end_us=OPERATIONS * 200)]
    took = min(spent(lambda: first_violation(worse)) for _ in range(rounds))
    print(
        f"| the same with one stale read at the end, found and proved | {OPERATIONS / took:,.0f} | – | – | – |"
    )
    peer = TheirWrites()
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(our_writes())
        theirs.append(peer.run())
    peer.close()
    print(
        f"| µs a write, {WRITES} at once, 3 members, real loop | {min(ours):.0f} | pysyncobj (TCP) | {min(theirs):.0f} | "
        f"{min(theirs) / min(ours):.2f} |"
    )
    for scenario in (CLUSTER, CLUSTER_OF_5, HEARTBEATS, LEASE):
        took = min(
            spent(lambda it=scenario: search(it, "pattern", plans=PLANS)) for _ in range(min(rounds, 2))
        )
        print(f"| fault plans/s, {scenario.name} | {PLANS / took:,.0f} | – | – | – |")

    print(f"\nOf {ITEMS} items on {NODES} nodes, one of which dies:\n")
    print(
        f"- ours: {quality(rebalance_work(_owners(), _ALIVE))}\n- kafka-python, sticky: {quality(sticky())}"
    )


if __name__ == "__main__":
    main()
