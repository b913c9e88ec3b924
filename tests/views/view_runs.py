"""Runs to look at: real ones of a small shop, and made-up ones for what a real one seldom shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from lessonlib.lab.faults import Crash, Duplication, FaultPlan, Loss, Partition, Pause
from lessonlib.lab.history import History, Record
from lessonlib.lab.rules import Rule, at_most_once, broken, holds, rule
from lessonlib.lab.scenario import Param, Run, Scenario

SUBSCRIBERS = ("email", "inventory", "orders")


@rule("every acknowledged order reaches every subscriber", "liveness")
def reaches(history):
    got = {(r.node, r.data["order"]) for r in history.of("handled")}
    for ok in history.of("ok", op="publish"):
        missing = [s for s in SUBSCRIBERS if (s, ok.data["order"]) not in got]
        if missing:
            return broken(f"Order {ok.data['order']} never reached {' and '.join(missing)}.", ok)
    return holds("All there.")


once = at_most_once(
    "an order is handled once",
    kind="handled",
    key=lambda r: (r.node, r.data["order"]),
    what=lambda r: f"Order {r.data['order']} at {r.node}",
)


def _build(world, parts, params):
    """A shop that tells a broker, which tells its subscribers at once and keeps nothing for later."""

    async def shop(node):
        answers = node.memory["answers"] = {}

        async def publish(order):
            answers[order] = asyncio.get_running_loop().create_future()
            node.ports.transport.send("broker", {"order": order})
            await asyncio.wait_for(answers[order], 0.3)

        node.memory["publish"] = publish
        while True:
            _, message = await node.ports.transport.receive()
            if not answers[message["order"]].done():
                answers[message["order"]].set_result(None)

    async def broker(node):
        while True:
            _, message = await node.ports.transport.receive()
            await node.ports.disk.append("log", message)
            for name in SUBSCRIBERS:
                node.ports.transport.send(name, message)
            node.ports.transport.send("shop", message)

    def subscriber(name):
        async def boot(node):
            offset = 0
            while True:
                _, message = await node.ports.transport.receive()
                world.record("handled", name, order=message["order"])
                offset += 1
                world.record("committed", name, subscription=name, offset=offset)

        return boot

    world.node("shop", shop)
    world.node("broker", broker)
    for name in SUBSCRIBERS:
        world.node(name, subscriber(name))

    async def workload():
        for order in range(1, params["orders"] + 1):
            await asyncio.sleep(0.25)
            await world.invoke(
                "shop",
                "publish",
                lambda m, o=order: m["publish"](o),
                timeout_s=0.2 if order == 5 else 1,
                order=order,
            )

    return workload()


SHOP = Scenario(
    name="SHOP",
    build=_build,
    systems={"textbook": {}, "pattern": {}},
    params=(Param("orders", 12, 1, 100),),
    faults=(Crash, Pause, Partition, Duplication, Loss),
    rules=(reaches, once),
    targets={"node": ("shop", "broker", *SUBSCRIBERS)},
    settle_s=2,
)
PLAN = (
    "at 0.6s crash inventory for 500ms; 1s..1.6s partition shop | broker; 2s..2.6s duplicate 80% to email; "
    "at 2.2s pause orders for 300ms"
)


def made_up(
    records: Iterable[tuple[int, str, str, dict[str, Any]]], *, rules: tuple[Rule, ...] = (), plan=""
) -> Run:
    """A run with this history, as if it had come from a scenario."""
    history = History(Record(*fields) for fields in records)
    scenario = Scenario("MADE_UP", _build, {"pattern": {}}, (), (Crash,), rules)
    return Run(
        scenario, "pattern", (), FaultPlan.parse(plan), 1, {}, {}, history, history.end_us + 1_000_000, 1
    )


def ten_thousand_orders() -> Run:
    """Ten thousand orders: one in ten refused, one in a hundred handled twice by the subscriber of a hostile name."""
    records: list[tuple[int, str, str, dict[str, Any]]] = []
    for order in range(10_000):
        t_us = order * 1_000
        about = {"op": "publish", "call": order, "order": order}
        records.append((t_us, "invoke", "shop", about))
        records.append((t_us + 300, "sent", "shop", {"to": "<b>&", "message": order}))
        if order % 10 == 0:
            records.append(
                (t_us + 400, "dropped", "<b>&", {"source": "shop", "message": order, "reason": "loss"})
            )
            records.append((t_us + 500, "failed", "shop", about))
            continue
        records.append((t_us + 400, "delivered", "<b>&", {"source": "shop", "message": order}))
        records += [(t_us + 400, "handled", "<b>&", {"order": order})] * (2 if order % 100 == 1 else 1)
        records.append((t_us + 450, "written", "broker", {"file": "log", "record": {}}))
        records.append((t_us + 480, "committed", "<b>&", {"subscription": "<b>&", "offset": order}))
        records.append((t_us + 500, "ok", "shop", about))
    return made_up(records)


def cluster(*, split: bool = True) -> Run:
    """Three members and a store: heartbeats, a partition that leaves two leaders for a while, a pause, a crash."""
    records: list[tuple[int, str, str, dict[str, Any]]] = []
    numbers = iter(range(1, 100_000))
    nodes = ("node-1", "node-2", "node-3")

    def cut(a: str, b: str, t_us: int) -> bool:
        return split and 1_000_000 <= t_us < 2_500_000 and "node-1" in (a, b) and "store" not in (a, b)

    def send(t_us: int, source: str, to: str, **body: Any) -> None:
        number = next(numbers)
        records.append((t_us, "sent", source, {"to": to, "message": number, "body": body}))
        if cut(source, to, t_us):
            lost = {"source": source, "message": number, "reason": "partition"}
            records.append((t_us, "dropped", to, lost))
        else:
            records.append((t_us + 1_000, "delivered", to, {"source": source, "message": number}))

    def beat(leader: str, term: int, start_us: int, end_us: int) -> None:
        for t_us in range(start_us, end_us, 50_000):
            for other in nodes:
                if other != leader:
                    send(t_us, leader, other, type="append", term=term, entries=[])
                    if not cut(leader, other, t_us):
                        send(t_us + 1_100, other, leader, type="append reply", term=term)
            if t_us % 500_000 == 0:
                send(t_us + 2_000, leader, "store", type="store", key="x", value=t_us // 1000, token=term)
                about = {"key": "x", "value": t_us // 1000, "token": term, "by": leader}
                records.append((t_us + 3_000, "stored", "store", about))

    def turn(t_us: int, node: str, source: str, target: str, term: int) -> None:
        about = {"source": source, "target": target, "term": term}
        records.append((t_us, "transition", node, about))

    def write(t_us: int, node: str, number: int, end: str) -> None:
        about = {"op": "write", "call": number, "key": "x", "value": number}
        records.append((t_us, "invoke", node, about))
        records.append((t_us + 4_000, end, node, about))

    def elect(t_us: int, node: str, term: int) -> None:
        turn(t_us, node, "follower", "candidate", term)
        for other in nodes:
            if other != node:
                send(t_us, node, other, type="vote request", term=term)
                if not cut(node, other, t_us):
                    turn(t_us + 1_000, other, "follower", "follower", term)
                    send(t_us + 1_100, other, node, type="vote", term=term)
        turn(t_us + 2_300, node, "candidate", "leader", term)

    elect(200_000, "node-1", 1)
    beat("node-1", 1, 250_000, 2_540_000 if split else 3_000_000)
    if split:
        elect(1_240_000, "node-2", 2)
        beat("node-2", 2, 1_250_000, 4_000_000)
        turn(2_551_000, "node-1", "leader", "follower", 2)
    for number, (t_us, node, end) in enumerate(
        [(600_000, "node-1", "ok"), (1_500_000, "node-1", "unknown"), (1_700_000, "node-2", "ok")], 1
    ):
        write(t_us, node, number, end)
    records.append((3_000_000, "pause", "node-3", {}))
    records.append((3_400_000, "resume", "node-3", {}))
    records.append((3_500_000, "crash", "node-1", {}))
    records.append((3_800_000, "restart", "node-1", {}))
    plan = "1s..2.5s partition node-1 | node-2,node-3; at 3s pause node-3 for 400ms; at 3.5s crash node-1 for 300ms"
    return made_up(sorted(records, key=lambda record: record[0]), plan=plan if split else "")


def watched() -> Run:
    """A watcher and three nodes: one crashes, one is paused for a little, one is suspected though it is well."""
    records: list[tuple[int, str, str, dict[str, Any]]] = [
        (0, "watching", "watcher", {"nodes": ["node-1", "node-2", "node-3"]}),
        (2_000_000, "crash", "node-1", {}),
        (6_000_000, "restart", "node-1", {}),
        (5_000_000, "pause", "node-2", {}),
        (5_200_000, "resume", "node-2", {}),
    ]
    for t_us in range(0, 10_000_000, 100_000):
        for name, out, slow in (("node-1", 2_000_000, 0), ("node-2", -1, 0), ("node-3", -1, 7_000_000)):
            silent = t_us - out if 0 <= out <= t_us < 6_000_000 else 100_000 * (t_us // 100_000 % 3)
            silent = t_us - slow if slow and slow <= t_us < slow + 600_000 else silent
            records.append((t_us, "level", "watcher", {"about": name, "phi": round(silent / 50_000, 3)}))
    for t_us, name, suspected, silence_s in (
        (2_400_000, "node-1", True, 0.4),
        (6_100_000, "node-1", False, 0.0),
        (7_400_000, "node-3", True, 0.4),
        (7_600_000, "node-3", False, 0.0),
    ):
        about = {"about": name, "suspected": suspected, "silence_s": silence_s}
        records.append((t_us, "suspicion", "watcher", about))
    plan = "at 2s crash node-1 for 4s; at 5s pause node-2 for 200ms"
    return made_up(sorted(records, key=lambda record: record[0]), plan=plan)


def working() -> Run:
    """Ten items of work on three nodes: node-3 dies, its work moves evenly; it comes back, and too much moves."""
    nodes = ["node-1", "node-2", "node-3"]
    items = [f"item-{n}" for n in range(1, 11)]
    first = {item: nodes[i % 3] for i, item in enumerate(items)}
    dead = {
        item: owner if owner != "node-3" else nodes[i % 2] for i, (item, owner) in enumerate(first.items())
    }
    back = {item: nodes[(i + 1) % 3] for i, item in enumerate(items)}
    steps = [
        (100_000, first, nodes, "placed"),
        (2_000_000, first, nodes[:2], "node-3 is suspected"),
        (2_500_000, dead, nodes[:2], "node-3 is suspected"),
        (5_000_000, back, nodes, "node-3 is back"),
    ]
    return made_up(
        (t_us, "assignment", "node-1", {"number": n, "owners": o, "nodes": alive, "moved": [], "reason": why})
        for n, (t_us, o, alive, why) in enumerate(steps, 1)
    )
