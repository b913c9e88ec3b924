"""However often an event is delivered, it has its effect once."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from troubled_disks import ProcessDied, TroubledDisk

from lessonlib.errors import LessonError
from lessonlib.event_driven import Event, IdempotentHandler, InventoryManager, OrderProcessor
from lessonlib.lab import simulate
from lessonlib.ports import FileDisk, MemoryDisk

repeatably = settings(derandomize=True, max_examples=60, deadline=None)


class Counter(IdempotentHandler):
    """Adds up numbers."""

    def decide(self, event):
        if event["data"]["n"] < 0:
            raise ValueError("below zero")
        return {"add": event["data"]["n"]}

    def apply(self, change):
        self.state["sum"] = self.state.get("sum", 0) + change["add"]


def event(number, n=1, source="shop"):
    return Event("counted", source, {"number": number, "n": n})


def order(number, quantity=1, sku="tea"):
    return Event("order_created", "shop", {"order_id": number, "sku": sku, "quantity": quantity})


def test_an_event_counts_once_and_two_sources_count_twice():
    async def trial():
        counter = Counter()
        for one in (event(1), event(1), event(1, source="phone"), event(2), event(1)):
            await counter.handle(one)
        assert counter.state == {"sum": 3}

    simulate(trial)


def test_ten_deliveries_at_once_count_once():
    async def trial():
        counter, disk = None, TroubledDisk()
        counter = Counter(disk)
        await asyncio.gather(*(counter.handle(event(n % 2)) for n in range(10)))
        assert counter.state == {"sum": 2} and len(disk.files["effects"]) == 2

    simulate(trial)


def test_a_write_that_fails_has_no_effect_and_the_next_delivery_has_it():
    async def trial():
        counter = Counter(TroubledDisk(fail_at=[1]))
        with pytest.raises(OSError):
            await counter.handle(event(1))
        assert counter.state == {}
        await counter.handle(event(1))
        await counter.handle(event(1))
        assert counter.state == {"sum": 1}

    simulate(trial)


def test_an_event_that_makes_no_sense_changes_nothing_and_is_not_marked():
    async def trial():
        counter, disk = None, MemoryDisk()
        counter = Counter(disk)
        with pytest.raises(ValueError):
            await counter.handle(event(1, n=-1))
        assert counter.state == {} and disk.files == {}

    simulate(trial)


@pytest.mark.parametrize("moment", ["die_before", "die_after"])
@pytest.mark.parametrize("write", range(1, 16))
def test_whichever_write_the_process_dies_at_the_effect_is_there_once(moment, write):
    """With the rewriting of the file among the writes: seven records, then a snapshot."""

    async def trial():
        files = {}
        counter = Counter(TroubledDisk(files=files, **{moment: write}), remember_max=3)
        with pytest.raises(ProcessDied):
            for number in range(14):
                await counter.handle(event(number))
        again = Counter(TroubledDisk(files=files), remember_max=3)
        for late in range(max(0, number - 1), 14):  # at least once: from the last one in doubt on
            await again.handle(event(late))
        assert again.state == {"sum": 14}

    simulate(trial)


def test_after_a_restart_it_knows_what_it_did_also_from_files(tmp_path):
    async def trial():
        first = InventoryManager(FileDisk(tmp_path), {"tea": 10})
        for number in range(4):
            await first.handle(order(number))
        second = InventoryManager(FileDisk(tmp_path), {"tea": 10})
        for number in range(5):
            await second.handle(order(number))
        assert second.stock == {"tea": 5}

    asyncio.run(trial())


def test_memory_and_disk_are_bounded_and_a_restart_after_rewriting_is_the_same():
    async def trial():
        disk = MemoryDisk()
        counter = Counter(disk, remember_max=10)
        for number in range(500):
            await counter.handle(event(number))
            assert len(disk.files["effects"]) <= 21
            assert len(counter._seen) <= 10
        restarted = Counter(disk, remember_max=10)
        for number in range(490, 501):
            await restarted.handle(event(number))
        assert restarted.state == {"sum": 501}

    simulate(trial)


def test_what_is_older_than_is_remembered_counts_again():
    async def trial():
        counter = Counter(remember_max=3)
        for number in (1, 2, 3, 4, 1):
            await counter.handle(event(number))
        assert counter.state == {"sum": 5}

    simulate(trial)


def test_a_rewriting_that_fails_loses_nothing():
    async def trial():
        disk = TroubledDisk(fail_at=[8])  # 7 records for remember_max=3, then the snapshot
        counter = Counter(disk, remember_max=3)
        failures = 0
        for number in range(9):
            try:
                await counter.handle(event(number))
            except OSError:
                failures += 1
                await counter.handle(event(number))
        assert failures == 1 and counter.state == {"sum": 9}
        restarted = Counter(TroubledDisk(files=disk.files), remember_max=3)
        await restarted.handle(event(8))
        assert restarted.state == {"sum": 9}

    simulate(trial)


@repeatably
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=30))
def test_any_number_of_deliveries_and_restarts_count_each_event_once(deliveries):
    async def trial():
        disk = MemoryDisk()
        counter = Counter(disk)
        for number, restart in deliveries:
            if restart:
                counter = Counter(disk)
            await counter.handle(event(number))
        if deliveries:
            assert counter.state == {"sum": len({number for number, _ in deliveries})}

    simulate(trial)


@repeatably
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=30), st.integers(0, 20))
def test_the_stock_is_never_negative_and_adds_up(deliveries, opening):
    async def trial():
        disk = MemoryDisk()
        inventory = InventoryManager(disk, {"tea": opening})
        for number, quantity in deliveries:
            await inventory.handle(order(number, quantity))
            assert inventory.stock["tea"] >= 0
        taken = sum(record["quantity"] for record in disk.files.get("stock", []))
        assert inventory.stock["tea"] == opening - taken

    simulate(trial)


def test_an_order_for_more_than_there_is_takes_nothing_and_is_recorded():
    async def trial():
        disk = MemoryDisk()
        inventory = InventoryManager(disk, {"tea": 2})
        await inventory.handle(order(1, 3))
        await inventory.handle(order(2, 2))
        await inventory.handle(order(3, 1, sku="rum"))
        assert inventory.stock["tea"] == 0
        assert [(r["order"], r["quantity"]) for r in disk.files["stock"]] == [(1, 0), (2, 2), (3, 0)]

    simulate(trial)


@pytest.mark.parametrize("quantity", [0, -1, "2", True, None, 1.5])
def test_an_order_for_what_is_no_quantity_is_refused(quantity):
    async def trial():
        inventory = InventoryManager(stock={"tea": 2})
        with pytest.raises(
            LessonError, match=f"quantity={quantity!r} should be a whole number; give 1 or more"
        ):
            await inventory.handle(order(1, quantity))
        assert inventory.stock == {"tea": 2}

    simulate(trial)


def test_an_order_is_confirmed_once():
    async def trial():
        disk = MemoryDisk()
        processor = OrderProcessor(disk)
        for number in (1, 2, 1):
            await processor.handle(order(number))
        assert processor.state == {"1": "confirmed", "2": "confirmed"}
        assert [(r["order"], r["status"]) for r in disk.files["confirmed"]] == [
            (1, "confirmed"),
            (2, "confirmed"),
        ]

    simulate(trial)
