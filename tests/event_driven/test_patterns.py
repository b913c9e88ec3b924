"""The pattern as an engineer would use it: on a real asyncio loop, and in virtual time."""

import asyncio
import subprocess
import sys

import pytest

from lessonlib.event_driven import (
    DeadLetterQueue,
    Delivery,
    Event,
    EventHandler,
    EventLog,
    EventPublisher,
    IdempotentHandler,
    InventoryManager,
    LogServer,
    OrderProcessor,
    Outbox,
    RemoteEventLog,
    event_id,
)
from lessonlib.event_driven.remote import NotAcknowledged
from lessonlib.lab import simulate
from lessonlib.ports import LocalHub, MemoryDisk, local_ports

both = pytest.mark.parametrize("run", [asyncio.run, simulate], ids=["real loop", "simulated"])
ORDER = {"order_id": 1, "sku": "tea", "quantity": 2}


def order(number, quantity=1):
    return Event("order_created", "shop", {"order_id": number, "sku": "tea", "quantity": quantity})


class BreakingDisk(MemoryDisk):
    """A disk whose writes with these numbers (from 1) fail."""

    def __init__(self, *fails):
        super().__init__()
        self.writes, self.fails = 0, fails

    async def _count(self):
        await asyncio.sleep(0)
        self.writes += 1
        if self.writes in self.fails:
            raise OSError(5, "the disk failed")

    async def append(self, file, record):
        await self._count()
        await super().append(file, record)

    async def replace(self, file, records):
        await self._count()
        await super().replace(file, records)


# ---- The publisher ---------------------------------------------------------------------------------------


class Keeper(EventHandler):
    def __init__(self):
        self.events = []

    async def handle(self, event):
        self.events.append(event)


@both
@pytest.mark.parametrize("config", [{}, None, {"type": "memory"}])
def test_functions_and_objects_handle_events_that_read_like_the_classic_dict(run, config):
    async def main():
        got, keeper = [], Keeper()

        def plain(event):
            got.append((event["type"], event["data"]["order_id"], event.get("nothing", "default")))

        async def coroutine(event):
            got.append((event["timestamp"] == event.time, event.get("subject"), event["id"]))

        async with EventPublisher(config) as publisher:
            for handler in (plain, coroutine, keeper):
                publisher.subscribe("order_created", handler)
            everything = Keeper()
            publisher.subscribe("*", everything, name="audit")
            event = await publisher.publish("order_created", ORDER, subject="customer-1")
            await publisher.publish("order_cancelled", ORDER)
            await publisher.drain()
        assert sorted(map(str, got)) == sorted(
            map(str, [("order_created", 1, "default"), (True, "customer-1", event.id)])
        )
        assert [e.type for e in keeper.events] == ["order_created"]
        assert [e.type for e in everything.events] == ["order_created", "order_cancelled"]

    run(main())


@both
def test_subscribing_works_before_the_loop_runs(run):
    publisher, keeper = EventPublisher(), Keeper()
    publisher.subscribe("order_created", keeper)

    async def main():
        async with publisher:
            await publisher.publish("order_created", ORDER)
            await publisher.drain()

    run(main())
    assert len(keeper.events) == 1


@both
def test_a_broker_on_another_node_serves_publishers_and_subscribers(run):
    async def main():
        hub = LocalHub()
        broker = local_ports("broker", hub=hub)
        server = asyncio.create_task(LogServer(EventLog(broker.disk), broker).run())
        config, keeper = {"type": "remote", "address": "broker"}, Keeper()
        shop = EventPublisher(config, ports=local_ports("shop", hub=hub))
        email = EventPublisher(config, ports=local_ports("email", hub=hub))
        async with shop, email:
            email.subscribe("order_created", keeper)
            await shop.publish("order_created", ORDER)
            await email.drain()
        server.cancel()
        await asyncio.wait([server])
        assert [e["data"] for e in keeper.events] == [ORDER]

    run(main())


def test_a_directory_survives_a_restart(tmp_path):
    async def day(orders):
        inventory = InventoryManager(local_ports(directory=tmp_path).disk, {"tea": 10})
        async with EventPublisher(ports=local_ports(directory=tmp_path)) as publisher:
            publisher.subscribe("order_created", inventory)
            for number in orders:
                await publisher.publish("order_created", {"order_id": number, "sku": "tea", "quantity": 1})
            await publisher.drain()
            return inventory.stock["tea"], await publisher.log.end()

    assert asyncio.run(day([1, 2])) == (8, 2)
    assert asyncio.run(day([2, 3])) == (7, 3)


# ---- Events ----------------------------------------------------------------------------------------------


def test_an_event_cannot_be_changed_and_comes_back_from_plain_data():
    event = Event("order_created", "shop", {"order_id": 1, "lines": [{"sku": "tea"}]})
    for change in (
        lambda: event["data"].update(order_id=2),
        lambda: event["data"].pop("order_id"),
        lambda: event["data"]["lines"][0].__setitem__("sku", "mate"),
        lambda: setattr(event, "type", "x"),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
    assert Event.from_dict(event.to_dict()) == event
    assert Event.from_dict(event.to_dict()).key == event.key


def test_an_id_is_the_same_in_every_process():
    code = "from lessonlib.event_driven import event_id; print(event_id('order_created', {'a': 1, 'b': [2, 'x']}))"
    ids = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for salt in ("0", "1", "77")
    }
    assert ids == {event_id("order_created", {"b": (2, "x"), "a": 1})}


# ---- The log ---------------------------------------------------------------------------------------------


@both
def test_the_log_gives_offsets_recognises_events_and_keeps_cursors_on_disk(run):
    async def main():
        disk = MemoryDisk()
        log = EventLog(disk)
        offsets = await asyncio.gather(*(log.append(order(n)) for n in (1, 2, 1, 2, 3)))
        assert offsets == [0, 1, 0, 1, 2]
        await log.commit("a", 2)
        await log.commit("a", 1)
        assert await log.committed("a") == 2
        again = EventLog(disk)
        assert [await again.committed("a"), await again.committed("b"), await again.end()] == [2, 0, 3]
        assert [n for n, _ in await again.read(1)] == [1, 2]
        assert await again.read(3) == []
        await again.rewind("a")
        assert await EventLog(disk).committed("a") == 0

    run(main())


def test_cursor_records_are_rewritten_before_they_are_too_many(monkeypatch):
    monkeypatch.setattr("lessonlib.event_driven.log.CURSOR_RECORDS_MAX", 5)

    async def main():
        disk = MemoryDisk()
        log = EventLog(disk)
        for n in range(20):
            await log.append(order(n))
            await log.commit("a", n + 1)
            await log.commit("b", n)
            assert len(disk.files["cursors"]) <= 5
        assert [await EventLog(disk).committed(name) for name in "ab"] == [20, 19]

    simulate(main())


def test_a_reader_that_waits_is_woken_by_the_next_event():
    async def main():
        loop, log = asyncio.get_running_loop(), EventLog()
        reader = asyncio.create_task(log.read(0, wait_s=5))
        await asyncio.sleep(1)
        await log.append(order(1))
        assert [n for n, _ in await reader] == [0]
        assert loop.time() == 1
        assert await log.read(1, wait_s=2) == []
        assert loop.time() == 3

    simulate(main())


def test_a_request_that_nobody_answers_ends_after_give_up_s():
    async def main():
        loop = asyncio.get_running_loop()
        log = RemoteEventLog("nobody", local_ports(), give_up_s=3)
        with pytest.raises(NotAcknowledged, match="'nobody' did not answer 'append' within 3 s"):
            await log.append(order(1))
        assert loop.time() == 3
        await log.aclose()

    simulate(main())


# ---- Delivery and dead letters ---------------------------------------------------------------------------


def test_attempts_wait_twice_as_long_each_time_and_then_the_event_is_set_aside():
    async def main():
        loop, times, queue = asyncio.get_running_loop(), [], DeadLetterQueue()

        async def fails(event):
            times.append(loop.time())
            raise ValueError("no address")

        await Delivery(fails, queue, name="email", attempts_max=4).deliver(7, order(1))
        assert times == pytest.approx([0, 0.2, 0.6, 1.4])
        (letter,) = await queue.letters()
        assert (letter.subscription, letter.topic, letter.offset) == ("email", "order_created", 7)
        assert (letter.error, letter.message, letter.attempts) == ("ValueError", "no address", 4)
        assert letter.event == order(1)
        assert await queue.replay(fails) == (0, 1)
        assert await queue.replay(Keeper().handle) == (1, 0)
        assert await queue.letters() == []

    simulate(main())


def test_an_attempt_that_takes_too_long_has_failed():
    async def main():
        loop, queue = asyncio.get_running_loop(), DeadLetterQueue()

        async def hangs(event):
            await asyncio.sleep(1_000)

        await Delivery(hangs, queue, attempts_max=2, handler_timeout_s=3, retry_delay_s=1).deliver(
            0, order(1)
        )
        assert loop.time() == 7
        assert (await queue.letters())[0].error == "TimeoutError"

    simulate(main())


# ---- Effects ---------------------------------------------------------------------------------------------


@both
def test_two_deliveries_at_once_have_one_effect_and_stock_is_never_below_zero(run):
    async def main():
        disk = BreakingDisk()
        inventory = InventoryManager(disk, {"tea": 5})
        await asyncio.gather(*(inventory.handle(order(n, 2)) for n in (1, 1, 2, 2, 3, 1)))
        assert inventory.stock == {"tea": 1}
        assert [r["quantity"] for r in disk.files["stock"]] == [2, 2, 0]
        orders = OrderProcessor(disk)
        await asyncio.gather(orders.handle(order(1)), orders.handle(order(1)))
        assert len(disk.files["confirmed"]) == 1

    run(main())


def test_an_effect_that_was_not_written_did_not_happen_and_can_be_tried_again():
    async def main():
        inventory = InventoryManager(BreakingDisk(1), {"tea": 5})
        with pytest.raises(OSError, match="failed"):
            await inventory.handle(order(1))
        assert inventory.stock == {"tea": 5}
        await inventory.handle(order(1))
        assert inventory.stock == {"tea": 4}

    simulate(main())


class Counter(IdempotentHandler):
    def decide(self, event):
        return {"by": event["data"]["quantity"]}

    def apply(self, change):
        self.state["sum"] = self.state.get("sum", 0) + change["by"]


@pytest.mark.parametrize("failing", [(), tuple(range(5, 400, 5))])
def test_memory_and_file_stay_bounded_and_a_restart_finds_the_same_state(failing):
    async def main():
        disk = BreakingDisk(*failing)
        counter = Counter(disk, remember_max=10)
        for n in range(100):
            for _ in range(3):
                try:
                    await counter.handle(order(n))
                    break
                except OSError:
                    pass
            assert len(disk.files["effects"]) <= 22
        assert counter.state == {"sum": 100}
        again = Counter(disk, remember_max=10)
        await again.handle(order(99))
        assert again.state == {"sum": 100}

    simulate(main())


# ---- The outbox ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [(), (1,), (2,), (3,), (4,), (2, 3, 4)])
def test_a_stored_order_is_announced_once_whichever_write_fails(failing):
    async def main():
        log, ports = EventLog(), local_ports()
        object.__setattr__(ports, "disk", BreakingDisk(*failing))
        shop = Outbox(log, ports=ports)
        relay = asyncio.create_task(shop.relay())
        stored = []
        for number in (1, 2):
            try:
                stored.append(await shop.place({"order_id": number}))
            except OSError:
                continue
        relay.cancel()
        relay = asyncio.create_task(Outbox(log, ports=ports).relay())  # a restart in between
        await asyncio.sleep(10)
        relay.cancel()
        assert [event.id for _, event in await log.read(0)] == [event.id for event in stored]

    simulate(main())
