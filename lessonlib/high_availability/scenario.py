"""Where the pattern meets the laboratory.

- `LEASE`: two workers share one report through a lock service whose lock ends by itself, and write it to a store.

The parts of the pattern in LEASE, and how each is called:

| part | call | must have |
|---|---|---|
| `grantor` | `(node, duration_s=)` | `grant(resource, holder)`: returns a Grant or raises LeaseHeld |
| `holder` | `(node, margin_s=)` | `holder`, `token`; `ask(now_s)`, `granted(request, grant)`, `remaining_s(now_s)` |
| `store` | `(disk)` | `write(key, value, token)`, which may raise StaleToken |
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import asdict
from typing import Any

from lessonlib.high_availability import naive_lease, rules
from lessonlib.high_availability.errors import StaleToken
from lessonlib.high_availability.fenced_store import FencedStore
from lessonlib.high_availability.lease import Grant, Lease, LeaseHeld, Leases
from lessonlib.high_availability.rules import LEASED_STORE, LOCK, WORKERS
from lessonlib.lab.faults import (
    ClockSkew,
    Crash,
    Delay,
    Duplication,
    Loss,
    OneWayPartition,
    Partition,
    Pause,
    Reordering,
)
from lessonlib.lab.rules import nothing_died
from lessonlib.lab.scenario import Param, Parts, Scenario
from lessonlib.lab.world import Node, World

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
        Param("margin_ms", 100, 0, 1_000, "ms", "How much earlier the holder stops (pattern only)."),
        Param("work_ms", 200, 1, 1_000, "ms", "How long a page of the report takes."),
    ),
    faults=(Pause, ClockSkew, Delay, Duplication, Reordering, Loss, Crash, Partition, OneWayPartition),
    rules=(
        rules.one_holder,
        rules.late_writes_fenced,
        rules.tokens_grow,
        rules.lease_moves_on,
        nothing_died(),
    ),
    lanes=(LOCK, *WORKERS, LEASED_STORE),
    targets={"node": (LOCK, *WORKERS, LEASED_STORE)},
    settle_s=12,
    horizon_s=6,
    small={"duration_s": 6, "lease_ms": LEASE_SMALL_MS},
)
