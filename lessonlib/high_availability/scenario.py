"""Where the pattern meets the laboratory: clusters, and what can go wrong with them.

- `CLUSTER`: three members, a client beside each, and a store to which the leader's job writes.
- `CLUSTER_OF_5`: the same with five, which stand the loss of two.
- `HEARTBEATS`: nodes send heartbeats to a watcher, which says who is suspected.
- `ACCRUAL`: the same for a detector that learns how long an interval is.
- `LEASE`: two workers share one report through a lock service whose lock ends by itself, and write it to a store.

The parts of CLUSTER, and how each is called:

| part | call | must have |
|---|---|---|
| `detector` | `()` | `watch`, `heard`, `forget`, `suspects`, `alive`, as HeartbeatMonitor's |
| `ballot` | `(members, promise)` | `term`, `voted_for`, `promise`, `stand`, `learn`, `grant`, `count`, as Ballot's |
| `quorum` | as `commit_index` | returns up to which index the log is committed |
| `rebalance` | `(owners, nodes)` | returns the owner of each item |
| `store` | `(disk)` | `write(key, value, token)`, which raises StaleToken |
| `manager` | as HighAvailabilityManager, all by keyword but the first | what HighAvailabilityManager has |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from math import log
from typing import Any

from lessonlib.high_availability import naive, naive_lease, rules
from lessonlib.high_availability.ballot import Ballot
from lessonlib.high_availability.disk_format import format_disk
from lessonlib.high_availability.errors import StaleToken
from lessonlib.high_availability.fenced_store import STORE_FILE, FencedStore
from lessonlib.high_availability.heartbeat import HeartbeatMonitor, beat, keep_watch
from lessonlib.high_availability.lease import LEASE_FILE, Grant, Lease, LeaseHeld, Leases
from lessonlib.high_availability.manager import HighAvailabilityManager
from lessonlib.high_availability.mystery import ColleaguesBallot
from lessonlib.high_availability.phi import PhiAccrualDetector, silence_at
from lessonlib.high_availability.promises import BALLOT_FILE, LOG_FILE
from lessonlib.high_availability.rebalance import rebalance_work
from lessonlib.high_availability.replicated_log import commit_index
from lessonlib.high_availability.rules import LEASED_STORE, LOCK, STORE, WATCHER, WORKERS
from lessonlib.lab.faults import (
    ClockSkew,
    Crash,
    CrashAfterWrite,
    CrashLosingDisk,
    Delay,
    Duplication,
    FailingDisk,
    Fault,
    FlappingLink,
    Loss,
    OneWayPartition,
    Partition,
    Pause,
    Reordering,
    Restart,
    SlowDisk,
    SlowNode,
)
from lessonlib.lab.rules import nothing_died
from lessonlib.lab.scenario import Param, Parts, Run, Scenario, ScenarioError
from lessonlib.lab.world import Node, World
from lessonlib.ports import MemoryDisk, Ports

# ---- CLUSTER: votes, terms, replicas, work --------------------------------------------------------------------------------

FILES = (BALLOT_FILE, LOG_FILE, STORE_FILE)
LAST_TRIES_S = 20.0  # how long each client tries to have a last write acknowledged
JOB_WORK = 0.5  # of its period, the leader's job works between its check that it leads and its write


def _store(world: World, parts: Parts) -> None:
    """Add the node to which leaders write, with a record of what it took and what it refused."""

    async def serve(node: Node) -> None:
        store = parts["store"](node.ports.disk)
        while True:
            sender, message = await node.ports.transport.receive()
            about = {name: message[name] for name in ("key", "value", "token")} | {"by": sender}
            try:
                await store.write(message["key"], message["value"], message["token"])
            except StaleToken as stale:
                world.record("refused", STORE, **about, highest=stale.highest)
            except OSError:
                continue  # the job is fire and forget
            else:
                world.record("stored", STORE, **about)

    world.node(STORE, serve)


async def _job(world: World, node: Node, manager: Any, every_s: float) -> None:
    """What only the leader shall do, again and again: check, work for a while, write the result to the store."""
    transport, number, doing = node.ports.transport, 0, None
    while True:
        await asyncio.sleep(every_s * (1 - JOB_WORK))
        work = list(manager.nodes[node.name].work) if node.name in manager.nodes else []
        if work != doing:
            doing = work
            world.record("doing", node.name, items=work)
        if manager.leader == node.name:
            token, number = manager.token, number + 1
            await asyncio.sleep(every_s * JOB_WORK)
            result = f"{node.name}/{node.incarnation}/{number}"
            transport.send(STORE, {"type": "store", "key": "job", "value": result, "token": token})
        else:
            await asyncio.sleep(every_s * JOB_WORK)


class _Clients:
    """A client beside each member. It asks its own member first, then whom that names, then the next."""

    def __init__(self, world: World, members: tuple[str, ...], params: Mapping[str, Any]) -> None:
        self._world = world
        self._members = members
        self._timeout_s = params["timeout_s"]
        self._keys = [f"key-{number}" for number in range(1, params["keys"] + 1)]
        self._duration_s = params["duration_s"]
        self._pause_s = len(members) / params["ops_per_s"]
        self._count = 0

    async def work(self) -> None:
        """Let every client do its operations, and at the end write until one write of each is acknowledged."""
        loop = self._world.loop
        clients = [loop.create_task(self._client(home), name=f"client of {home}") for home in self._members]
        for client in clients:
            await client

    async def _client(self, home: str) -> None:
        random = self._world.random(f"client/{home}")
        await asyncio.sleep(self._pause_s * random.random())
        while self._world.now_s < self._duration_s:
            write, key = random.random() < 0.5, random.choice(self._keys)
            await self._operation(home, "write" if write else "read", key)
            await asyncio.sleep(self._pause_s * (0.5 + random.random()))
        key, until_s = random.choice(self._keys), self._world.now_s + LAST_TRIES_S
        while self._world.now_s < until_s and not await self._operation(home, "write", key):
            await asyncio.sleep(self._pause_s)
        await self._operation(home, "read", key)

    async def _operation(self, home: str, op: str, key: str) -> bool:
        """Ask one member after the other; return whether one of them did it.

        Each attempt is an operation of its own, with a value of its own: nobody knows whether an earlier one that had no
        answer took place.
        """
        member = home
        for _ in self._members:
            done, leader = await self._attempt(home, member, op, key)
            if done:
                return True
            following = self._members[(self._members.index(member) + 1) % len(self._members)]
            member = leader if leader in self._members and leader != member else following
        return False

    async def _attempt(self, home: str, member: str, op: str, key: str) -> tuple[bool, str | None]:
        """Ask one member; return whether it did it, and whom it named as the leader if it refused."""
        self._count += 1
        number = self._count
        leader: list[str | None] = [None]

        async def call(memory: dict[str, Any]) -> bool:
            manager = memory["manager"]
            try:
                if op == "write":
                    await manager.write(key, number)
                else:
                    value = await manager.read(key)
                    self._world.record("read", member, number=number, key=key, value=value)
            except Exception as error:
                leader[0] = getattr(error, "leader", None)
                raise
            return True

        about = {"client": home, "number": number, "key": key} | ({"value": number} if op == "write" else {})
        done = await self._world.invoke(member, op, call, timeout_s=self._timeout_s, **about)
        return bool(done), leader[0]


# ---- How a member is wired -------------------------------------------------------------------------------


class _Overheard:
    """A node's transport, on which somebody beside the manager notes who was heard last."""

    def __init__(self, ports: Ports) -> None:
        self.name = ports.transport.name
        self.heard_s: dict[str, float] = {}
        self._transport = ports.transport

    def send(self, to: str, message: Any) -> None:
        self._transport.send(to, message)

    async def receive(self) -> tuple[str, Any]:
        sender, message = await self._transport.receive()
        self.heard_s[sender] = asyncio.get_running_loop().time()
        return sender, message


async def _health_check(
    manager: Any, overheard: _Overheard, others: tuple[str, ...], patience_s: float
) -> None:
    """What a deployment adds to the textbook version: tell it, once, of each node that has fallen silent."""
    loop, began_s = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    reports: dict[str, asyncio.Task[None]] = {}
    while True:
        await asyncio.sleep(patience_s / 4)
        for name in others:
            silent_s = loop.time() - overheard.heard_s.get(name, began_s)
            if silent_s > patience_s and name not in reports:
                reports[name] = asyncio.create_task(manager.handle_node_failure(name))


def _wire_textbook(
    node: Node, parts: Parts, params: Mapping[str, Any], members: tuple[str, ...], **given: Any
) -> Any:
    overheard = _Overheard(node.ports)
    manager = parts["manager"](
        len(members),
        ports=replace(node.ports, transport=overheard),
        heartbeat_s=params["heartbeat_ms"] / 1000,
        **given,
    )
    others = tuple(name for name in members if name != node.name)
    node.memory["health check"] = asyncio.create_task(
        _health_check(manager, overheard, others, params["election_high_ms"] / 1000)
    )
    return manager


def _wire_pattern(
    node: Node, parts: Parts, params: Mapping[str, Any], members: tuple[str, ...], **given: Any
) -> Any:
    high_s = params["election_high_ms"] / 1000
    return parts["manager"](
        len(members),
        ports=node.ports,
        heartbeat_s=params["heartbeat_ms"] / 1000,
        election_timeout_s=(params["election_low_ms"] / 1000, high_s),
        detector=lambda: parts["detector"](DEAD_AFTER * high_s),
        ballot=parts["ballot"],
        quorum=parts["quorum"],
        rebalance=parts["rebalance"],
        answer_s=params["timeout_s"],
        **given,
    )


def _deployed(name: str) -> dict[str, list[Any]]:
    """Return the files of a member's disk as whoever deploys the cluster leaves it."""
    disk = MemoryDisk()
    work = format_disk(disk, name)
    with suppress(StopIteration):  # a disk in memory never waits
        work.send(None)
    return disk.files


def _build(
    members: tuple[str, ...],
) -> Callable[[World, Parts, Mapping[str, Any]], Coroutine[Any, Any, None]]:
    def build(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
        beat, low, high = (params[name] for name in ("heartbeat_ms", "election_low_ms", "election_high_ms"))
        if not beat < low <= high:
            raise ScenarioError(
                f"heartbeat_ms={beat}, election_low_ms={low}, election_high_ms={high} make no sense; "
                "give each no more than the next, and the first less than the second"
            )
        names = ("heartbeat_ms", "election_low_ms", "election_high_ms", "timeout_s")
        world.record("limits", members=members, **{name: params[name] for name in names})
        items = [f"item-{number}" for number in range(1, params["work_items"] + 1)]

        def on_transition(node: str, source: str, target: str, term: int) -> None:
            world.record("transition", node, source=source, target=target, term=term)

        def on_applied(node: str, index: int, term: int, command: Any) -> None:
            world.record("applied", node, index=index, term=term, command=command)

        def on_assignment(node: str, number: int, owners: Any, nodes: Any, moved: Any, reason: str) -> None:
            world.record(
                "assignment", node, number=number, owners=owners, nodes=nodes, moved=moved, reason=reason
            )

        async def boot(node: Node) -> None:
            manager = parts["wiring"](
                node,
                parts,
                params,
                members,
                work=items,
                on_transition=on_transition,
                on_applied=on_applied,
                on_assignment=on_assignment,
            )
            await manager.initialize_cluster()
            node.memory["manager"] = manager
            await _job(world, node, manager, params["job_ms"] / 1000)

        _store(world, parts)
        for name in members:
            world.node(name, boot).files.update(_deployed(name))
        return _Clients(world, members, params).work()

    return build


DEAD_AFTER = (
    3  # times the longest election timeout: when the leader takes a member for dead, and moves its work
)

TEXTBOOK: Parts = {
    "wiring": _wire_textbook,
    "manager": naive.HighAvailabilityManager,
    "store": naive.Store,
}
PATTERN: Parts = {
    "wiring": _wire_pattern,
    "manager": HighAvailabilityManager,
    "detector": HeartbeatMonitor,
    "ballot": Ballot,
    "quorum": commit_index,
    "rebalance": rebalance_work,
    "store": FencedStore,
}
PARAMS = (
    Param("duration_s", 10, 1, 600, "s", "How long clients write and read."),
    Param("ops_per_s", 6, 1, 100, "operations/s", "How many operations all clients do in a second."),
    Param("keys", 2, 1, 100, "keys", "Among how many keys the operations go."),
    Param("work_items", 6, 0, 100, "items", "How many pieces of work the cluster has."),
    Param("heartbeat_ms", 50, 10, 1000, "ms", "How often the leader is heard."),
    Param("election_low_ms", 150, 20, 10_000, "ms", "The shortest election timeout."),
    Param("election_high_ms", 300, 20, 10_000, "ms", "The longest election timeout."),
    Param("job_ms", 200, 20, 10_000, "ms", "How often the leader writes to the store."),
    Param("timeout_s", 1.0, 0.1, 10, "s", "How long a client waits for an answer."),
)
FAULTS: tuple[type[Fault], ...] = (
    Crash,
    CrashLosingDisk,
    CrashAfterWrite,
    Restart,
    Pause,
    Partition,
    OneWayPartition,
    FlappingLink,
    Loss,
    Delay,
    Duplication,
    Reordering,
    ClockSkew,
    SlowNode,
    SlowDisk,
    FailingDisk,
)
SMALL = {
    "duration_s": 4,
    "ops_per_s": 4,
    "heartbeat_ms": 100,
    "election_low_ms": 250,
    "election_high_ms": 500,
    "job_ms": 400,
    "timeout_s": 0.5,
}


def _cluster(name: str, count: int) -> Scenario:
    members = tuple(f"node-{number}" for number in range(1, count + 1))
    return Scenario(
        name=name,
        build=_build(members),
        systems={"textbook": TEXTBOOK, "pattern": PATTERN},
        params=PARAMS,
        faults=FAULTS,
        rules=(*rules.CLUSTER, nothing_died()),
        lanes=(*members, STORE),
        targets={"node": (*members, STORE), "file": FILES},
        settle_s=4,
        horizon_s=4,
        small=SMALL,
    )


CLUSTER = _cluster("CLUSTER", 3)
CLUSTER_OF_5 = _cluster("CLUSTER_OF_5", 5)

# Trouble for CLUSTER with this seed, where node-1 leads at 3 s in both systems.
CLUSTER_SEED = 13
SPLIT = "3s..6s partition node-1 | node-2,node-3"
LONG_PAUSE = "at 3.15s pause node-1 for 10s"  # between its job's check that it leads and the job's write
DEAD_NODE = "at 3s crash node-3 for 5s"


# ---- Leases ----------------------------------------------------------------------------------------------

REPORT = "report"  # what is leased, and the key under which it is stored
RENEWALS = 3  # how often the lease is asked for in its time
LEASE_MS_DEFAULT, LEASE_SMALL_MS = 3_000, 1_000


def _lock_service(world: World, parts: Parts, params: Mapping[str, Any]) -> None:
    """Add the node that gives the lease to one worker at a time."""
    last: dict[str, Any] = {"lease": 0, "whose": None}  # the observer's count of leases: outlives the node

    def boot(node: Node) -> Coroutine[Any, Any, None]:
        leases = parts["grantor"](node, duration_s=params["lease_ms"] / 1000)
        transport = node.ports.transport

        async def serve() -> None:
            while True:
                sender, asked = await transport.receive()
                try:
                    grant = await leases.grant(REPORT, asked["holder"])
                except LeaseHeld as held:
                    answer = {
                        "type": "held",
                        "request": asked["request"],
                        "retry_after_s": held.retry_after_s,
                    }
                    transport.send(sender, answer)
                    continue
                except OSError:
                    continue  # nothing was granted
                whose = [grant.holder, grant.token]
                renewed = whose == last["whose"]
                last["lease"], last["whose"] = last["lease"] + (not renewed), whose
                about = {"holder": sender, "token": grant.token, "lease": last["lease"]}
                world.record("granted", LOCK, **about, renewed=renewed)
                answer = {"type": "granted", "request": asked["request"], "lease": last["lease"]}
                transport.send(sender, {**answer, "grant": asdict(grant)})

        return serve()

    world.node(LOCK, boot)


def _leased_worker(world: World, name: str, parts: Parts, params: Mapping[str, Any]) -> None:
    """Add a worker that writes the report for as long as it believes to hold the lease."""
    work_s = params["work_ms"] / 1000
    renew_s = params["lease_ms"] / 1000 / RENEWALS

    def boot(node: Node) -> Coroutine[Any, Any, None]:
        transport, loop = node.ports.transport, world.loop
        lease = parts["holder"](node, margin_s=params["margin_ms"] / 1000)
        lease_of: dict[Any, int] = {}  # by token: for the records

        async def keep_asking() -> None:
            while True:
                ask = {"type": "ask", "request": lease.ask(loop.time()), "holder": lease.holder}
                transport.send(LOCK, ask)
                await asyncio.sleep(renew_s)

        async def listen() -> None:
            while True:
                _, said = await transport.receive()
                if said["type"] != "granted":
                    continue
                grant = Grant(**said["grant"])
                lease_of[grant.token] = said["lease"]
                lease.granted(said["request"], grant)
                left_s = lease.remaining_s(loop.time())
                if left_s > 0 and lease.token == grant.token:
                    until_us = loop.now_us + round(left_s * 1e6)
                    world.record("holds", name, lease=said["lease"], until_us=until_us)

        async def work() -> None:
            pages = 0
            while True:
                if lease.remaining_s(loop.time()) <= work_s:  # it would not be done in time
                    await asyncio.sleep(work_s / 4)
                    continue
                pages, token = pages + 1, lease.token
                world.record("acts", name, lease=lease_of[token])
                await asyncio.sleep(
                    work_s
                )  # a pause in here, and the belief on which it rests is long out of date
                page = {"key": REPORT, "value": f"{name}, page {pages}", "token": token}
                transport.send(LEASED_STORE, {"type": "store", "lease": lease_of[token], **page})

        async def both() -> None:
            await asyncio.gather(keep_asking(), listen(), work())

        return both()

    world.node(name, boot)


def _leased_store(world: World, parts: Parts) -> None:
    """Add the node on which the report is kept."""

    def boot(node: Node) -> Coroutine[Any, Any, None]:
        store = parts["store"](node.ports.disk)

        async def serve() -> None:
            while True:
                sender, asked = await node.ports.transport.receive()
                about = {name: asked[name] for name in ("key", "value", "token", "lease")}
                try:
                    await store.write(asked["key"], asked["value"], asked["token"])
                except OSError:
                    continue  # nothing was acknowledged
                except StaleToken as stale:
                    world.record("refused", LEASED_STORE, **about, by=sender, highest=stale.highest)
                else:
                    world.record("stored", LEASED_STORE, **about, by=sender)

        return serve()

    world.node(LEASED_STORE, boot)


def _build_lease(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    duration_s = params["lease_ms"] / 1000
    # The old lease ends; a lock service that starts anew counts it again, from its first request on.
    again_s = 2 * duration_s + 2 * duration_s / RENEWALS
    world.record("lease terms", duration_s=duration_s, renew_s=duration_s / RENEWALS, again_s=again_s)
    _lock_service(world, parts, params)
    for name in WORKERS:
        _leased_worker(world, name, parts, params)
    _leased_store(world, parts)

    async def time_passes() -> None:
        await asyncio.sleep(params["duration_s"])

    return time_passes()


def _naive_grantor(node: Node, *, duration_s: float) -> naive_lease.LockService:
    return naive_lease.LockService(node.ports.clock, duration_s=duration_s)


def _naive_holder(node: Node, *, margin_s: float) -> naive_lease.LockHolder:
    return naive_lease.LockHolder(node.name, node.ports.clock)


def _naive_store(disk: Any) -> naive_lease.Store:
    return naive_lease.Store()


def _grantor(node: Node, *, duration_s: float) -> Leases:
    return Leases(node.ports.disk, duration_s=duration_s)


def _holder(node: Node, *, margin_s: float) -> Lease:
    return Lease(node.name, random=node.ports.random, margin_s=margin_s)


LEASE = Scenario(
    name="LEASE",
    build=_build_lease,
    systems={
        "textbook": {"grantor": _naive_grantor, "holder": _naive_holder, "store": _naive_store},
        "pattern": {"grantor": _grantor, "holder": _holder, "store": FencedStore},
    },
    params=(
        Param("duration_s", 20, 1, 600, "s", "How long the workers work."),
        Param("lease_ms", LEASE_MS_DEFAULT, 300, 60_000, "ms", "For how long a lease is granted."),
        Param("margin_ms", 100, 0, 250, "ms", "How much earlier the holder stops (pattern only)."),
        Param("work_ms", 200, 1, 1_000, "ms", "How long a page of the report takes."),
    ),
    faults=(
        Pause,
        ClockSkew,
        Delay,
        Duplication,
        Reordering,
        Loss,
        Partition,
        OneWayPartition,
        Crash,
        CrashAfterWrite,
        FailingDisk,
    ),
    rules=(
        rules.one_holder,
        rules.late_writes_fenced,
        rules.tokens_grow,
        rules.lease_moves_on,
        nothing_died(),
    ),
    lanes=(LOCK, *WORKERS, LEASED_STORE),
    targets={"node": (LOCK, *WORKERS, LEASED_STORE), "file": (LEASE_FILE, STORE_FILE)},
    settle_s=12,
    horizon_s=6,
    small={"duration_s": 6, "lease_ms": LEASE_SMALL_MS},
)


# ---- HEARTBEATS: who is alive? ---------------------------------------------------------------------------
# The parts, and how each is called:
#
# | part       | call                                  | must have                                                    |
# |------------|---------------------------------------|--------------------------------------------------------------|
# | `detector` | `(timeout_s)`; in ACCRUAL and "phi"   | `watch`, `heard`, `suspects`; what `level` and `silence_s`   |
# |            | `(threshold, window=, longest_s=,     | say is recorded                                              |
# |            | first_interval_s=)`                   |                                                              |
# | `wiring`   | `(parts, params)`                     | returns the detector                                         |
# | `watcher`  | as `keep_watch`                       | runs for ever                                                |
# | `promise`  | `(params)`                            | returns what the rules hold the detector to:                 |
#
# Nobody is suspected who was heard within `patience_s`. Whoever is silent is suspected within `detect_s`, or within
# `stretch` times the longest interval that a detector can have learnt, where that is more; one look comes on top.
# Silences above `learns_s` are not learnt, nor those in which the node was suspected.

LOOK_S = 0.05
WINDOW = 50  # intervals of each node
FOREVER_S = 1e9
MIN_DEVIATION_S = 0.1


def _wire_timeout(parts: Parts, params: Mapping[str, Any]) -> Any:
    return parts["detector"](params["timeout_ms"] / 1000)


def _wire_phi(parts: Parts, params: Mapping[str, Any]) -> Any:
    return parts["detector"](
        params["threshold"],
        window=WINDOW,
        longest_s=longest_s(params),
        first_interval_s=params["heartbeat_ms"] / 1000,
    )


def phi_detector(
    threshold: float, *, window: int, longest_s: float, first_interval_s: float
) -> PhiAccrualDetector:
    """Our phi detector, as a part: it needs no `longest_s`, since it leaves out whatever ends a suspicion."""
    return PhiAccrualDetector(threshold, window=window, first_interval_s=first_interval_s)


def longest_s(params: Mapping[str, Any]) -> float:
    """Return which intervals are outages to a detector that tells them by their length: five heartbeats."""
    return float(5 * params["heartbeat_ms"] / 1000)


def timeout_promise(params: Mapping[str, Any]) -> dict[str, float]:
    """What a detector with a timeout promises: up to the timeout nobody is suspected, and then everybody."""
    timeout_s = params["timeout_ms"] / 1000
    return {"patience_s": timeout_s, "detect_s": timeout_s, "stretch": 0.0, "learns_s": 0.0}


def phi_promise(params: Mapping[str, Any]) -> dict[str, float]:
    """What the phi detector promises, whatever it has seen.

    It suspects after the mean interval and k deviations, where phi_exact reaches the threshold at k deviations. The
    mean is 0 at least, and the deviation has a minimum m: so much it bears. If the longest interval that it has seen is
    g, the mean is g at most and the deviation g/2 (Popoviciu's inequality): so it waits for g + k·m or g·(1 + k/2).
    """
    k = silence_at(params["threshold"], 0.0, 1.0)
    stretch = 1 + k / 2
    first_s = 1.25 * params["heartbeat_ms"] / 1000  # the longer one of the two intervals it starts from
    return {
        "patience_s": k * MIN_DEVIATION_S,
        "detect_s": max((2 + k) * MIN_DEVIATION_S, stretch * first_s),  # g + k·m is less, or g is below 2m
        "stretch": stretch,
        "learns_s": FOREVER_S,
    }


def accrual_promise(params: Mapping[str, Any]) -> dict[str, float]:
    """What ACCRUAL holds a detector to: a promise that one with the exponential distribution can keep as well.

    That one suspects after `threshold` · ln 10 mean intervals, of which none is above `longest_s`.
    """
    means = params["threshold"] * log(10)
    return {
        "patience_s": min(phi_promise(params)["patience_s"], 3 * params["heartbeat_ms"] / 1000),
        "detect_s": max(phi_promise(params)["detect_s"], 1.25 * means * params["heartbeat_ms"] / 1000),
        "stretch": max(phi_promise(params)["stretch"], means),
        "learns_s": longest_s(params),
    }


def _build_heartbeats(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    names = [f"node-{number}" for number in range(1, params["nodes"] + 1)]
    low_us = world.network.latency_us[0]
    world.network.latency_us = (low_us, low_us + 1000 * params["jitter_ms"])
    promise = {name: round(value, 6) for name, value in parts["promise"](params).items()}
    world.record("promise", WATCHER, **promise, look_s=LOOK_S)

    def boot_watcher(node: Node) -> Any:
        detector = parts["wiring"](parts, params)
        suspected: set[str] = set()

        def on_look(now_s: float, suspects: list[str]) -> None:
            for name in names:
                if hasattr(detector, "level"):
                    world.record("level", WATCHER, about=name, phi=round(detector.level(name, now_s), 3))
                if (name in suspects) != (name in suspected):
                    suspected.symmetric_difference_update({name})
                    about: dict[str, Any] = {"about": name, "suspected": name in suspected}
                    if hasattr(detector, "silence_s"):
                        about["silence_s"] = round(detector.silence_s(name, now_s), 6)
                    world.record("suspicion", WATCHER, **about)

        world.record("watching", WATCHER, nodes=names)
        return parts["watcher"](detector, names, ports=node.ports, look_s=LOOK_S, on_look=on_look)

    world.node(WATCHER, boot_watcher)
    for name in names:
        world.node(
            name, lambda node: beat(WATCHER, interval_s=params["heartbeat_ms"] / 1000, ports=node.ports)
        )
    return _time_passes(world, params["duration_s"])


async def _time_passes(world: World, duration_s: float) -> None:
    def tick() -> None:
        world.record("tick")
        world.loop.after_us(1_000_000, tick)

    tick()
    await asyncio.sleep(duration_s)


HEARTBEATS = Scenario(
    name="HEARTBEATS",
    build=_build_heartbeats,
    systems={
        "textbook": {
            "wiring": _wire_timeout,
            "detector": naive.HeartbeatTable,
            "watcher": keep_watch,
            "promise": timeout_promise,
        },
        "pattern": {
            "wiring": _wire_timeout,
            "detector": HeartbeatMonitor,
            "watcher": keep_watch,
            "promise": timeout_promise,
        },
        "phi": {
            "wiring": _wire_phi,
            "detector": phi_detector,
            "watcher": keep_watch,
            "promise": phi_promise,
        },
    },
    params=(
        Param("duration_s", 20.0, 1, 3600, "s", "How long the nodes are watched."),
        Param("nodes", 3, 3, 20, "nodes", "How many nodes send heartbeats."),
        Param("heartbeat_ms", 200, 10, 10_000, "ms", "How often each node sends one."),
        Param(
            "timeout_ms", 1000, 50, 60_000, "ms", "After how long a silence a node is suspected (timeout)."
        ),
        Param("threshold", 8.0, 0.5, 16, "phi", "From which phi on a node is suspected (phi)."),
        Param("jitter_ms", 20, 0, 5_000, "ms", "By how much the time of a message on its way varies."),
    ),
    faults=(
        Crash,
        Pause,
        Partition,
        OneWayPartition,
        Loss,
        Delay,
        Reordering,
        Duplication,
        SlowNode,
        ClockSkew,
    ),
    rules=(rules.complete, rules.accurate, rules.withdrawn, nothing_died()),
    lanes=(WATCHER, "node-1", "node-2", "node-3"),
    targets={"node": ("node-1", "node-2", "node-3", WATCHER)},
    settle_s=5,
    horizon_s=8,
    small={"duration_s": 10.0},
)

ACCRUAL = replace(
    HEARTBEATS,
    name="ACCRUAL",
    systems={
        "textbook": HEARTBEATS.systems["textbook"],
        "pattern": {**HEARTBEATS.systems["phi"], "promise": accrual_promise},
    },
    params=HEARTBEATS.params,
)


def mystery() -> Run:
    """The run of the diagnose exercise: our cluster, with the ballot of `mystery.py` in it. Its leader crashes."""
    return CLUSTER.run(
        parts={"ballot": ColleaguesBallot}, plan="at 1500ms crash node-1 for 1s", seed=147, **CLUSTER.small
    )
