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
