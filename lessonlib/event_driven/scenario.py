"""Where the pattern meets the laboratory: a shop, a broker, three subscribers, and what can go wrong.

- `FANOUT`: all in one process. A publisher and three handlers; handlers fail and dawdle.
- `ORDERS`: a node each for the shop, the broker with its log on disk, and every subscriber.
- `OUTBOX`: the shop's own database and the log, and a crash between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven import naive, rules
from lessonlib.event_driven.dead_letters import DeadLetterQueue
from lessonlib.event_driven.delivery import Delivery
from lessonlib.event_driven.handlers import handle_with
from lessonlib.event_driven.log import EventLog
from lessonlib.event_driven.mystery import consumer
from lessonlib.event_driven.outbox import Outbox
from lessonlib.event_driven.publisher import EventPublisher
from lessonlib.event_driven.remote import LogServer, RemoteEventLog
from lessonlib.event_driven.rules import SUBSCRIBERS
from lessonlib.event_driven.shop import InventoryManager, OrderProcessor
from lessonlib.event_driven.subscription import Subscription
from lessonlib.lab.faults import (
    ClockSkew,
    Crash,
    CrashAfterWrite,
    Delay,
    Duplication,
    FailingDisk,
    Fault,
    HandlerError,
    Loss,
    OneWayPartition,
    Partition,
    Pause,
    Poison,
    Reordering,
    SlowDisk,
    SlowHandler,
    SlowNode,
)
from lessonlib.lab.rules import nothing_died
from lessonlib.lab.scenario import Param, Parts, Run, Scenario
from lessonlib.lab.world import Node, World

ORDER_CREATED = "order_created"
LANES = ("shop", "broker", *SUBSCRIBERS)  # from top to bottom in pictures
SKUS = ("coffee", "tea", "mate")
PATIENCE_S = 30.0  # how long a customer waits for an answer
SECOND_TRY_S = 1.0  # and then, or after a refusal, before trying again


@dataclass(frozen=True, slots=True)
class DeadlyPoison(Fault):
    """The first order made at or after `at_s` crashes the node of `target` each time it is handled."""

    form = "at {at_s} deadly-poison {target}"
    at_s: float
    target: str


@dataclass(frozen=True, slots=True)
class Rewind(Fault):
    """An operator moves the cursor of `target` back to offset 0: it reads the whole log again."""

    form = "at {at_s} rewind {target}"
    at_s: float
    target: str


@dataclass(frozen=True, slots=True)
class CarelessHandler(Fault):
    """The handler of `target` uses up the event that it was given: it sets the quantity to 0 as it goes."""

    form = "{start_s}..{end_s} careless {target}"
    start_s: float
    end_s: float
    target: str


class NothingKept(LessonError):
    """A system was asked to read again what it has not kept."""


PARAMS = (
    Param("orders", 40, 1, 100_000, "orders", "How many orders are placed."),
    Param("rate_per_s", 10, 1, 1_000, "orders/s", "How many orders are placed in a second."),
    Param("customers", 5, 1, 1_000, "customers", "Among how many customers the orders go round."),
    Param("retries", 2, 0, 20, "times", "How often a customer tries again when placing an order fails."),
)


# ---- The workload ----------------------------------------------------------------------------------------


def _order(world: World, number: int, params: Mapping[str, Any]) -> dict[str, Any]:
    order: dict[str, Any] = {
        "order_id": number,
        "customer": f"customer-{number % params['customers'] + 1}",
        "sku": SKUS[number % len(SKUS)],
        "quantity": 1 + number % 3,
    }
    for kind in (Poison, DeadlyPoison):
        if (fault := world.take(kind)) is not None:
            order |= {"poison": fault.target, "deadly": kind is DeadlyPoison}
    return order


def _stock(params: Mapping[str, Any]) -> dict[str, int]:
    """Just enough for the orders that are planned, so that taking one twice shows."""
    stock = dict.fromkeys(SKUS, 0)
    for number in range(1, params["orders"] + 1):
        stock[SKUS[number % len(SKUS)]] += 1 + number % 3
    return stock


async def _customers(world: World, params: Mapping[str, Any], op: str = "publish") -> None:
    """Place the orders at their rate, whatever becomes of the ones before."""
    loop = world.loop

    async def place(order: dict[str, Any]) -> None:
        about = {k: order[k] for k in ("customer", "quantity", "poison") if k in order}
        for attempt in range(1, params["retries"] + 2):
            done = await world.invoke(
                "shop",
                op,
                lambda memory: memory[op](order),
                timeout_s=PATIENCE_S,
                order=order["order_id"],
                attempt=attempt,
                **about,
            )
            if done is not None:
                return
            await asyncio.sleep(SECOND_TRY_S)

    placing: list[asyncio.Task[None]] = []
    for number in range(1, params["orders"] + 1):
        await asyncio.sleep(1 / params["rate_per_s"])
        order = _order(world, number, params)
        placing.append(loop.create_task(place(order), name=f"customer with order {number}"))
        while (rewind := world.take(Rewind)) is not None:
            placing.append(loop.create_task(_rewind(world, rewind.target), name="operator"))
    for task in placing:
        await task


async def _rewind(world: World, subscriber: str) -> None:
    async def call(memory: dict[str, Any]) -> None:
        if "rewind" not in memory:
            raise NothingKept("there is no log, so there is nothing to read again")
        await memory["rewind"]()

    await world.invoke(subscriber, "rewind", call, timeout_s=PATIENCE_S)


def _observed(world: World, name: str, handler: Any) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Wrap a handler: faults that are aimed at it strike, and what it has handled is recorded."""

    async def handle(event: Any) -> None:
        order = event["data"]
        slow = world.active(SlowHandler, name)
        if slow is not None:
            await asyncio.sleep(slow.by_s)
        if order.get("poison") == name:
            if order.get("deadly") and name in world.nodes:
                world.crash(name, down_s=0.5)
                await world.loop.create_future()
            raise ValueError(f"order {order['order_id']} has no delivery address")
        if world.active(HandlerError, name) is not None:
            raise ConnectionError(f"the database of {name} refuses connections")
        quantity = order.get("quantity")
        if world.active(CarelessHandler, name) is not None:
            world.record("tampered", name, order=order["order_id"])
            with contextlib.suppress(TypeError):  # a frozen event does not let itself be changed
                event["data"]["quantity"] = 0
        await handle_with(handler, event)
        world.record("handled", name, order=order["order_id"], id=str(event["id"]), quantity=quantity)

    return handle


async def _send_email(event: Any) -> None:
    """An effect in the outside world: it takes a moment and cannot be taken back."""
    await asyncio.sleep(0.001)


def _textbook_publisher(node: Node) -> dict[str, Any]:
    """The node's own salted hash and its own calendar, as a fresh Python process would have."""
    salt = f"{node.world.seed}/{node.name}/{node.incarnation}"

    def salted(value: Any) -> int:
        return int.from_bytes(hashlib.sha256(f"{salt}/{value}".encode()).digest()[:6], "big")

    def now() -> datetime:
        return datetime.fromtimestamp(node.ports.clock.now(), UTC).replace(tzinfo=None)

    return {"hash_function": salted, "now": now}


# ---- All in one process ----------------------------------------------------------------------------------


def _build_fanout(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    def boot(node: Node) -> None:
        publisher = parts["publisher"](node)
        for name in SUBSCRIBERS:
            publisher.subscribe(ORDER_CREATED, _named(name, _observed(world, name, _send_email)))
        node.memory["publish"] = lambda order: _acknowledged(publisher.publish(ORDER_CREATED, dict(order)))

    world.node("shop", boot)
    return _customers(world, params)


async def _acknowledged(publish: Awaitable[Any]) -> bool:
    await publish
    return True


def _named(name: str, handler: Any) -> Any:
    handler.__name__ = name
    return handler


FANOUT = Scenario(
    name="FANOUT",
    build=_build_fanout,
    systems={
        "textbook": {"publisher": lambda node: naive.EventPublisher({}, **_textbook_publisher(node))},
        "pattern": {"publisher": lambda node: EventPublisher({"type": "memory"}, ports=node.ports)},
    },
    params=(*PARAMS[:3], Param("retries", 0, 0, 20, "times", PARAMS[3].help)),
    faults=(HandlerError, SlowHandler, CarelessHandler, Poison),
    rules=(
        rules.isolated,
        rules.unaltered,
        rules.reaches,
        rules.whole,
        rules.poison_is_set_aside,
        nothing_died(),
    ),
    targets={"node": ("shop",), "target": SUBSCRIBERS},
    settle_s=rules.SETTLE_S,
    horizon_s=4,
    small={"orders": 20},
    lanes=("shop", *SUBSCRIBERS),
)


# ---- A node each -----------------------------------------------------------------------------------------


def _build_orders(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    stock = _stock(params)
    world.record("stocked", "inventory", stock=dict(stock))
    handlers: dict[str, Callable[[Node], Any]] = {
        "orders": lambda node: parts["orders"](node.ports.disk),
        "inventory": lambda node: parts["inventory"](node.ports.disk, dict(stock)),
        "email": lambda node: _send_email,
    }
    parts["wiring"](world, parts, handlers)
    return _customers(world, params)


def _wire_textbook(world: World, parts: Parts, handlers: Mapping[str, Callable[[Node], Any]]) -> None:
    """The shop calls every subscriber itself. The broker is configured, and nobody talks to it."""

    async def shop(node: Node) -> None:
        publisher = parts["publisher"]({"address": "broker"}, ports=node.ports, **_textbook_publisher(node))
        caller = naive.Caller(node.ports.transport)
        node.memory["publish"] = lambda order: publisher.publish(ORDER_CREATED, order)
        known: set[str] = set()

        def register(event_type: str, address: str) -> None:
            if address not in known:  # a subscriber that has restarted registers again
                known.add(address)
                publisher.subscribe(event_type, caller.to(address))

        await caller.run(register)

    def subscriber(name: str) -> Callable[[Node], Awaitable[None]]:
        def boot(node: Node) -> Awaitable[None]:
            handler = _observed(world, name, handlers[name](node))
            return naive.answer(handler, node.ports.transport, publisher="shop", event_type=ORDER_CREATED)

        return boot

    world.node("shop", shop)
    world.node("broker", lambda node: None)
    for name in SUBSCRIBERS:
        world.node(name, subscriber(name))


def _wire_pattern(world: World, parts: Parts, handlers: Mapping[str, Callable[[Node], Any]]) -> None:
    """The shop appends to the broker's log; every subscriber reads it at its own pace."""

    def shop(node: Node) -> None:
        publisher = parts["publisher"]({"type": "remote", "address": "broker"}, ports=node.ports)
        node.memory["publish"] = lambda order: publisher.publish(
            ORDER_CREATED, order, subject=order["customer"]
        )

    def subscriber(name: str) -> Callable[[Node], Awaitable[None]]:
        def boot(node: Node) -> Awaitable[None]:
            handler = _observed(world, name, handlers[name](node))
            log = RemoteEventLog("broker", node.ports)
            delivery = parts["delivery"](
                handler, DeadLetterQueue(node.ports.disk), name=name, ports=node.ports
            )
            subscription = parts["subscription"](log, name, delivery.deliver)
            if isinstance(subscription, Coroutine):  # a coroutine function was given in place of the class
                node.memory["rewind"] = lambda: log.rewind(name)  # the operator asks the broker instead
                return subscription
            node.memory["rewind"] = subscription.rewind
            work: Awaitable[None] = subscription.run()
            return work

        return boot

    world.node("broker", lambda node: LogServer(EventLog(node.ports.disk), node.ports).run())
    world.node("shop", shop)
    for name in SUBSCRIBERS:
        world.node(name, subscriber(name))


ORDERS = Scenario(
    name="ORDERS",
    build=_build_orders,
    systems={
        "textbook": {
            "wiring": _wire_textbook,
            "publisher": naive.EventPublisher,
            "orders": naive.OrderProcessor,
            "inventory": naive.InventoryManager,
        },
        "pattern": {
            "wiring": _wire_pattern,
            "publisher": EventPublisher,
            "subscription": Subscription,
            "delivery": Delivery,
            "orders": OrderProcessor,
            "inventory": InventoryManager,
        },
    },
    params=PARAMS,
    faults=(
        Crash,
        CrashAfterWrite,
        Pause,
        SlowNode,
        ClockSkew,
        Loss,
        Delay,
        Duplication,
        Reordering,
        Partition,
        OneWayPartition,
        SlowDisk,
        FailingDisk,
        HandlerError,
        SlowHandler,
        Poison,
        DeadlyPoison,
        Rewind,
    ),
    rules=(
        rules.reaches,
        rules.whole,
        rules.leaves_the_stock_once,
        rules.never_negative,
        rules.in_order,
        rules.isolated,
        rules.poison_is_set_aside,
        rules.id_is_stable,
        rules.replays,
        rules.catches_up,
        nothing_died(),
    ),
    targets={
        "node": ("shop", "broker", *SUBSCRIBERS),
        "target": SUBSCRIBERS,
        "file": ("log", "cursors", "stock", "confirmed", "attempts-inventory"),
    },
    settle_s=rules.SETTLE_S,
    horizon_s=2.4,
    small={"orders": 8, "rate_per_s": 4, "customers": 2, "retries": 1},
    lanes=LANES,
)


def mystery() -> Run:
    """The run of the diagnose exercise: our system, with the consumer of `mystery.py` in it."""
    return ORDERS.run(
        parts={"subscription": consumer},
        plan="after write 12 to attempts-inventory crash inventory for 1s",
        orders=20,
    )


# ---- The outbox ------------------------------------------------------------------------------------------


def _build_outbox(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    def boot(node: Node) -> Awaitable[None] | None:
        shop = parts["shop"](RemoteEventLog("broker", node.ports), ports=node.ports)
        node.memory["place"] = lambda order: _acknowledged(shop.place(order))
        relay = getattr(shop, "relay", None)
        return relay() if relay is not None else None

    world.node("broker", lambda node: LogServer(EventLog(node.ports.disk), node.ports).run())
    world.node("shop", boot)
    return _customers(world, params, op="place")


OUTBOX = Scenario(
    name="OUTBOX",
    build=_build_outbox,
    systems={"textbook": {"shop": naive.DualWriteShop}, "pattern": {"shop": Outbox}},
    params=(*PARAMS[:3], Param("retries", 0, 0, 20, "times", PARAMS[3].help)),
    faults=(
        Crash,
        CrashAfterWrite,
        Pause,
        SlowNode,
        Loss,
        Delay,
        Duplication,
        Partition,
        SlowDisk,
        FailingDisk,
    ),
    rules=(rules.stored_and_announced, nothing_died()),
    targets={"node": ("shop", "broker"), "file": ("orders", "sent", "log")},
    settle_s=rules.SETTLE_S,
    horizon_s=3,
    small={"orders": 15},
    lanes=("shop", "broker"),
)
