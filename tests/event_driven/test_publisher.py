"""The classic interface, as an engineer would type it from the lesson, on a real loop and in virtual time."""

import asyncio
from datetime import datetime

import pytest
from troubled_disks import TroubledDisk

from lessonlib.errors import LessonError
from lessonlib.event_driven import (
    EventHandler,
    EventLog,
    EventPublisher,
    InventoryManager,
    LogServer,
    OrderProcessor,
)
from lessonlib.event_driven.publisher import ConfigError
from lessonlib.lab import simulate
from lessonlib.ports import LocalHub, Ports, local_ports


def on_a_real_loop(trial):
    return asyncio.run(asyncio.wait_for(trial(), 20))


both_loops = pytest.mark.parametrize("run", [on_a_real_loop, simulate], ids=["a real loop", "virtual time"])


@both_loops
@pytest.mark.parametrize("config", [{}, None, {"type": "memory"}], ids=str)
def test_the_lesson_as_it_is_typed(run, config):
    async def trial():
        seen = []

        class Email(EventHandler):
            async def handle(self, event):
                seen.append(("object", event["data"]["order_id"]))

        async def send(event):
            await asyncio.sleep(0)
            seen.append(("async", event.get("data")["order_id"]))

        def count(event):
            seen.append(("plain", event["type"]))

        publisher = EventPublisher(config)
        publisher.subscribe("order_created", Email())
        publisher.subscribe("order_created", send)
        publisher.subscribe("order_created", count)
        publisher.subscribe("*", lambda event: seen.append(("lambda", event["type"])))
        event = await publisher.publish("order_created", {"order_id": 1})
        await publisher.publish("order_paid", {"order_id": 1})
        await publisher.drain()
        assert sorted(seen) == [
            ("async", 1),
            ("lambda", "order_created"),
            ("lambda", "order_paid"),
            ("object", 1),
            ("plain", "order_created"),
        ]
        assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None
        await publisher.aclose()
        await publisher.aclose()

    run(trial)


def test_subscribing_before_the_loop_runs():
    seen = []
    publisher = EventPublisher({})
    publisher.subscribe("order_created", lambda event: seen.append(event["data"]["order_id"]))

    async def trial():
        async with publisher:
            await publisher.publish("order_created", {"order_id": 1})
            await publisher.drain()

    on_a_real_loop(trial)
    assert seen == [1]


@both_loops
def test_who_subscribes_late_gets_everything_from_the_first_event_on(run):
    async def trial():
        async with EventPublisher() as publisher:
            for number in range(5):
                await publisher.publish("order_created", {"order_id": number})
            seen = []
            publisher.subscribe("order_created", lambda event: seen.append(event["data"]["order_id"]))
            await publisher.drain()
            assert seen == [0, 1, 2, 3, 4]

    run(trial)


@both_loops
def test_publishing_without_a_subscriber_loses_nothing(run):
    async def trial():
        async with EventPublisher() as publisher:
            await publisher.drain()
            await publisher.publish("order_created", {"order_id": 1})
            assert await publisher.log.end() == 1

    run(trial)


@both_loops
def test_one_failing_and_one_slow_subscriber_disturb_neither_the_publisher_nor_the_others(run):
    async def trial():
        loop = asyncio.get_running_loop()
        seen, release = [], asyncio.Event()

        async def slow(event):
            await release.wait()

        def failing(event):
            raise ConnectionError("no database")

        async with EventPublisher(attempts_max=1) as publisher:
            publisher.subscribe("order_created", slow)
            publisher.subscribe("order_created", failing)
            good = publisher.subscribe("order_created", seen.append, name="good")
            start = loop.time()
            for number in range(3):
                await publisher.publish("order_created", {"order_id": number})
            await good.reached(3)
            assert len(seen) == 3 and loop.time() - start < 1
            release.set()
            await publisher.drain()
            letters = await publisher.dead_letters.letters()
            assert [(one.subscription, one.offset, one.error) for one in letters] == [
                ("failing", n, "ConnectionError") for n in range(3)
            ]

    run(trial)


@both_loops
def test_a_handler_cannot_change_the_event_for_the_others(run):
    async def trial():
        seen = []

        def careless(event):
            event["data"]["quantity"] = 0

        async with EventPublisher(attempts_max=1) as publisher:
            publisher.subscribe("order_created", careless)
            publisher.subscribe("order_created", lambda event: seen.append(event["data"]["quantity"]))
            await publisher.publish("order_created", {"quantity": 2})
            await publisher.drain()
            (letter,) = await publisher.dead_letters.letters()
        assert seen == [2]
        assert letter.error == "TypeError" and "change a copy: dict(event['data'])" in letter.message

    run(trial)


@both_loops
def test_publishing_the_same_again_is_the_same_event(run):
    async def trial():
        async with EventPublisher() as publisher:
            first = await publisher.publish("order_created", {"order_id": 1, "sku": "tea"})
            again = await publisher.publish("order_created", {"sku": "tea", "order_id": 1})
            other = await publisher.publish("order_created", {"order_id": 1, "sku": "tea"}, event_id="mine")
            assert first.id == again.id and other.id == "mine"
            assert await publisher.log.end() == 2

    run(trial)


@both_loops
def test_over_a_broker_publishers_and_subscribers_are_apart(run):
    async def trial():
        hub = LocalHub()
        broker = local_ports("broker", hub=hub)
        server = asyncio.create_task(LogServer(EventLog(broker.disk), broker).run())
        config = {"type": "remote", "address": "broker"}
        inventory = InventoryManager(stock={"tea": 10})
        async with (
            EventPublisher(config, ports=local_ports("shop", hub=hub)) as shop,
            EventPublisher(config, ports=local_ports("warehouse", hub=hub)) as warehouse,
        ):
            warehouse.subscribe("order_created", inventory)
            for number in range(3):
                await shop.publish("order_created", {"order_id": number, "sku": "tea", "quantity": 2})
            await warehouse.drain()
        assert inventory.stock == {"tea": 4}
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)

    run(trial)


def test_on_files_everything_goes_on_after_a_restart(tmp_path):
    """Three processes, one after the other, on one folder."""
    orders = [{"order_id": n, "sku": "tea", "quantity": 1} for n in range(6)]

    async def first():
        ports = local_ports(directory=tmp_path)
        async with EventPublisher(ports=ports) as publisher:
            publisher.subscribe("order_created", InventoryManager(ports.disk, {"tea": 10}))
            publisher.subscribe("order_created", OrderProcessor(ports.disk))
            for order in orders[:3]:
                await publisher.publish("order_created", order)
            await publisher.drain()

    async def second():  # nobody subscribes: the warehouse is closed
        async with EventPublisher(ports=local_ports(directory=tmp_path)) as publisher:
            for order in orders[2:]:  # one of them once more
                await publisher.publish("order_created", order)

    async def third():
        ports = local_ports(directory=tmp_path)
        inventory, processor = InventoryManager(ports.disk, {"tea": 10}), OrderProcessor(ports.disk)
        async with EventPublisher(ports=ports) as publisher:
            subscription = publisher.subscribe("order_created", inventory)
            publisher.subscribe("order_created", processor)
            await publisher.drain()
            assert inventory.stock == {"tea": 4}
            assert processor.state == {str(n): "confirmed" for n in range(6)}
            assert await publisher.dead_letters.letters() == []
            await subscription.rewind()
            await publisher.drain()
            assert inventory.stock == {"tea": 4}

    for process in (first, second, third):
        on_a_real_loop(process)
    assert (tmp_path / "stock.jsonl").read_text().count("\n") == 6


def test_publish_tells_when_a_local_disk_cannot_write():
    async def trial():
        local = local_ports()
        ports = Ports(local.clock, local.random, local.transport, TroubledDisk(fail_at=[1]))
        async with EventPublisher(ports=ports) as publisher:
            with pytest.raises(OSError):
                await publisher.publish("order_created", {"order_id": 1})
            await publisher.publish("order_created", {"order_id": 1})
            assert await publisher.log.end() == 1

    simulate(trial)


def test_drain_raises_what_ended_a_subscription_instead_of_waiting_for_ever():
    async def trial():
        class Broken(EventLog):
            async def commit(self, subscription, offset, **_):
                raise LessonError("this log keeps no cursors")

        publisher = EventPublisher()
        publisher.log = Broken()
        publisher.subscribe("order_created", lambda event: None)
        await publisher.publish("order_created", {})
        with pytest.raises(LessonError, match="keeps no cursors"):
            await publisher.drain()
        await publisher.aclose()

    simulate(trial)


@pytest.mark.parametrize(
    "config",
    [
        {"type": "kafka"},
        {"type": "remote"},
        {"type": "remote", "address": ""},
        {"type": "remote", "address": 7},
        {"type": "memory", "address": "broker"},
        {"address": "broker"},
        "memory",
        7,
        ["memory"],
    ],
    ids=str,
)
def test_a_broker_config_that_says_nothing_known_is_refused(config):
    with pytest.raises(LessonError) as refused:
        EventPublisher(config)
    assert isinstance(refused.value, ConfigError) or "address=" in str(refused.value)
    if isinstance(refused.value, ConfigError):
        assert repr(config) in str(refused.value) and "write {'type': 'memory'}" in str(refused.value)


def test_a_closed_publisher_refuses_everything():
    async def trial():
        publisher = EventPublisher()
        await publisher.aclose()
        closed = pytest.raises(LessonError, match="this EventPublisher is closed; make a new one")
        with closed:
            publisher.subscribe("order_created", print)
        with closed:
            await publisher.publish("order_created", {})
        with closed:
            await publisher.drain()
        with closed:
            async with publisher:
                pass

    on_a_real_loop(trial)
