"""What each exercise of lesson 1 must satisfy, and which misconception deserves which hint."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import inspect
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from lessonlib.event_driven import rules
from lessonlib.event_driven.dead_letters import DeadLetterQueue
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.log import EventLog
from lessonlib.event_driven.mystery import consumer
from lessonlib.event_driven.scenario import FANOUT, ORDERS, OUTBOX, mystery
from lessonlib.lab.history import History
from lessonlib.lab.loop import StillRunning, UnseenFailure, simulate
from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import Run
from lessonlib.learning.exercises import LOOK, Case, Exercise, Finding, Hint
from lessonlib.ports import MemoryDisk, Ports, local_ports

REACHES, WHOLE, ISOLATED = rules.reaches.name, rules.whole.name, rules.isolated.name
UNALTERED, ONCE, POISON = (
    rules.unaltered.name,
    rules.leaves_the_stock_once.name,
    rules.poison_is_set_aside.name,
)
CATCHES_UP, REPLAYS, STORED = rules.catches_up.name, rules.replays.name, rules.stored_and_announced.name

# ---- 1.1 A stable id -------------------------------------------------------------------------------------

ORDER = {"order_id": 7, "customer": "customer-3", "items": [{"sku": "tea", "quantity": 2}]}
ORDERS_TRIED = 10_000  # enough for two ids of 24 bits to collide
DIGITS_MIN = 16  # 64 bits; shorter digests collide among some millions


def _with_salt(salt: int, call: Callable[[], Any]) -> Any:
    """Call with a `hash` that is salted as another process's would be."""
    real = builtins.hash
    builtins.hash = lambda value: real((salt, value if isinstance(value, str | int) else repr(value)))
    try:
        return call()
    finally:
        builtins.hash = real


def _id_is_a_name(event_id: Any) -> Finding | None:
    required = "The id is a str that is not empty."
    try:
        made = event_id("order_created", ORDER)
    except TypeError as error:
        if "encoded" not in str(error):
            raise
        return Finding(
            required,
            f"TypeError: {error}.",
            hint="A digest is made of bytes, not of a str. text.encode() gives the bytes of a text.",
        )
    if isinstance(made, str) and made:
        return None
    hint = ""
    if hasattr(made, "hexdigest"):
        return Finding(
            required,
            "event_id(...) returned the hash object of hashlib.",
            hint="The object only computes the digest. Its .hexdigest() is the digest as a str.",
        )
    if isinstance(made, bytes):
        hint = "These are bytes. .hexdigest() gives the digest as a str."
    return Finding(required, f"event_id(...) returned {made!r:.60}.", hint=hint)


def _id_is_the_same_again(event_id: Any) -> Finding | None:
    required = "The same order has the same id in every process, at every time."
    look = 'event_id("order_created", order), twice, and once more after a restart of the kernel'
    if _with_salt(1, lambda: event_id("order_created", ORDER)) != _with_salt(
        2, lambda: event_id("order_created", ORDER)
    ):
        if event_id("order_created", ORDER) == event_id("order_created", ORDER):
            return Finding(
                required,
                "In a second process, with another salt, hash() gave another id.",
                look=look,
                hint="Python salts hash() of a str anew in each process. A digest from hashlib is the same everywhere.",
                rung=LOOK,
            )
        return Finding(
            required,
            "Two calls with the same order gave two ids.",
            look=look,
            hint="A clock, a counter or a random number is in it. A retry happens later, and is still the same order.",
            rung=LOOK,
        )
    return None


def _id_ignores_key_order(event_id: Any) -> Finding | None:
    if event_id("order_created", ORDER) == event_id("order_created", _turned(ORDER)):
        return None
    if event_id("order_created", ORDER) == event_id("order_created", dict(reversed(ORDER.items()))):
        return Finding(
            "The order in which the fields were written does not matter, at any depth.",
            "The same order with the fields of its items written in another order got another id.",
            hint="The dicts inside have an order too. json.dumps(..., sort_keys=True) sorts at every depth.",
        )
    return Finding(
        "The order in which the fields were written does not matter.",
        "The same order with its fields written in another order got another id.",
        hint="A dict keeps the order of insertion, and so does its text. Write the keys sorted.",
    )


def _turned(value: Any) -> Any:
    """The same value, with the fields of every dict in it written in the opposite order."""
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(value)}
    return [_turned(item) for item in value] if isinstance(value, list) else value


def _ids_differ(event_id: Any) -> Finding | None:
    required = "Two different events have different ids."
    others: list[tuple[str, str, dict[str, Any], str]] = [
        (
            "order_created and order_paid, with the same data,",
            "order_paid",
            ORDER,
            "'created' and 'paid' of one order are two events: the type belongs in the id.",
        ),
        (
            "Orders with order_id 7 and order_id 8",
            "order_created",
            {**ORDER, "order_id": 8},
            "What distinguishes two orders belongs in the id.",
        ),
        (
            "An order of 2 tea and an order of 3 tea",
            "order_created",
            {**ORDER, "items": [{"sku": "tea", "quantity": 3}]},
            "Look inside: the data may be nested, and all of it says what happened.",
        ),
        (
            "Orders with order_id 7 and order_id '7'",
            "order_created",
            {**ORDER, "order_id": "7"},
            "7 and '7' are different values; str() makes them the same.",
        ),
    ]
    for said, event_type, data, hint in others:
        if event_id(event_type, data) == event_id("order_created", ORDER):
            return Finding(required, f"{said} got one id.", hint=hint)
    if event_id("order", {"a": "x", "b": "y"}) == event_id("order", {"a": "xb", "": "y"}) or event_id(
        "ab", {"x": "c"}
    ) == event_id("a", {"bx": "c"}):
        return Finding(
            required,
            "Type 'ab' with field 'x', and type 'a' with field 'bx', got one id.",
            hint="Joined without a separator, 'ab'+'x' is 'a'+'bx'. Write it as JSON, which keeps parts apart.",
        )
    return None


def _ids_have_room(event_id: Any) -> Finding | None:
    required = "Ids stay different among very many events."
    hint = "A digest that is cut short has few values, and two events share one by chance. Keep it whole."
    orders: dict[str, int] = {}
    for order in range(ORDERS_TRIED):
        made = event_id("order_created", {"order_id": order})
        if made in orders:
            return Finding(
                required, f"Orders {orders[made]} and {order} both got the id {made!r:.40}.", hint=hint
            )
        orders[made] = order
    shortest = min(orders, key=len)
    if len(shortest) < DIGITS_MIN and set(shortest) <= set("0123456789abcdef"):
        return Finding(required, f"The id {shortest!r} has {len(shortest)} digits; a UUID has 32.", hint=hint)
    return None


# ---- 1.2 Isolate the subscribers -------------------------------------------------------------------------


async def _stopped() -> bool:
    """Cancel every other task; tell whether all have ended a moment later."""
    for task in (others := asyncio.all_tasks() - {asyncio.current_task()}):
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=1)
    return all(task.done() for task in others)


def _watched(trial: Callable[[], Coroutine[Any, Any, Finding | None]]) -> Finding | None:
    """Run a trial of a publisher in virtual time, and stop the tasks that it leaves behind."""
    found: list[Finding | None] = []

    async def main() -> None:
        try:
            found.append(await trial())
        finally:
            await _stopped()

    try:
        simulate(main)
    except StillRunning:  # a worker that refuses to be stopped; `_can_be_stopped` asks about that
        pass
    except UnseenFailure as died:  # what killed a worker explains all that it then failed to do
        raise died.__cause__ or died from None
    return found[0]


def _in_turn(publisher: Any) -> Finding | None:
    async def trial() -> Finding | None:
        began: list[int] = []
        busy: list[int] = []
        overtaken: list[tuple[int, int]] = []

        async def slow(event: Any) -> None:
            order = event["data"]["order_id"]
            overtaken.extend((order, other) for other in busy)
            began.append(order)
            busy.append(order)
            await asyncio.sleep(0.2)
            busy.remove(order)

        mine = publisher()
        mine.subscribe("order_created", slow)
        for order in (1, 2, 3):
            await mine.publish("order_created", {"order_id": order})
        await asyncio.sleep(3)
        required = "A handler has its events one after the other, in the order in which they were published."
        if overtaken:
            late, early = overtaken[0]
            workers = len(asyncio.all_tasks()) - 1
            return Finding(
                required,
                f"A handler that takes 0.2 s was called with order {late} while it was at order {early}.",
                hint=f"After three publishes {workers} tasks empty one queue: each publish started another worker. "
                "Start one for each queue."
                if workers > 1
                else "Each event has a task of its own, so nothing keeps the events of one handler apart. Let them "
                "wait in a queue, which one task empties.",
            )
        if began != [1, 2, 3]:
            return Finding(required, f"Orders 1, 2, 3 were published; the handler was called with {began}.")
        return None

    return _watched(trial)


def _latecomers(publisher: Any) -> Finding | None:
    async def trial() -> Finding | None:
        seen: dict[str, list[int]] = {"early": [], "paid": [], "late": []}

        def handler(name: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
            async def handle(event: Any) -> None:
                seen[name].append(event["data"]["order_id"])

            return handle

        mine = publisher()
        mine.subscribe("order_created", handler("early"))
        mine.subscribe("order_paid", handler("paid"))
        await mine.publish("order_created", {"order_id": 1})
        await asyncio.sleep(1)
        mine.subscribe("order_created", handler("late"))
        await mine.publish("order_paid", {"order_id": 2})
        await mine.publish("order_created", {"order_id": 3})
        await asyncio.sleep(1)
        missed = ""
        if not seen["paid"]:
            missed = "The subscriber of a second type, 'order_paid',"
        elif not seen["late"]:
            missed = "A subscriber that came after the first publish"
        if missed:
            return Finding(
                "Every subscriber has what is published from then on, whatever its type and whenever it came.",
                f"{missed} never had an event.",
                hint="Workers were started for whom an earlier publish found. At each publish, start one for each "
                "queue that has none.",
            )
        if seen != {"early": [1, 3], "paid": [2], "late": [3]}:
            return Finding(
                "A handler has each event of its type once, and no other.",
                f"Of 'order_created' 1 and 3 and 'order_paid' 2, the handlers had {seen}.",
            )
        return None

    return _watched(trial)


def _can_be_stopped(publisher: Any) -> Finding | None:
    stopped: list[bool] = []

    async def trial() -> Finding | None:
        async def slow(event: Any) -> None:
            await asyncio.sleep(5)

        mine = publisher()
        mine.subscribe("order_created", slow)
        publishing = asyncio.create_task(mine.publish("order_created", {"order_id": 1}))
        await asyncio.wait([publishing], timeout=1)
        await asyncio.sleep(0.1)
        stopped.append(await _stopped())
        return None

    _watched(trial)
    if stopped[0]:
        return None
    return Finding(
        "Who stops the program can stop its tasks.",
        "A task was cancelled while its handler was at work, and went on.",
        hint="A bare `except:` catches asyncio.CancelledError too (lesson 0). Write `except Exception:`.",
    )


# ---- 1.3 Acknowledge after the effect --------------------------------------------------------------------


def committed_too_early(history: History) -> bool:
    """Whether a cursor passed an order before its subscriber had handled or set it aside."""
    offsets = [r.data["record"]["data"]["order_id"] for r in history.of("written", file="log")]
    arrived = rules.arrivals(history)
    for record in history.of("written", file="cursors"):
        cursor = record.data["record"]
        for order in offsets[max(0, cursor["offset"] - 1) : cursor["offset"]]:
            seen = arrived.get((cursor["subscription"], order))
            if seen is None or seen.t_us > record.t_us:
                return True
    return False


def _each_once(consume: Any) -> Finding | None:
    """Run the consumer on a log of five events, on a day without trouble."""
    called: list[int] = []
    delivered: list[int] = []

    async def trial() -> None:
        log = EventLog()
        for number in range(5):
            await log.append(_event(number))

        async def effect(offset: int) -> None:
            await asyncio.sleep(0.001)
            delivered.append(offset)

        def deliver(offset: int, event: Event) -> Coroutine[Any, Any, None]:
            called.append(offset)
            return effect(offset)

        task = asyncio.create_task(consume(log, "inventory", deliver))
        await asyncio.wait([task], timeout=3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a deliver(...) that nobody awaited
        simulate(trial, max_steps=200_000)
    required = "On a good day every event is delivered once, in order."
    if called and not delivered:
        return Finding(
            required,
            "deliver(offset, event) was called and never ran.",
            hint="It is a coroutine: without `await` in front of it nothing happens.",
        )
    if delivered == list(range(5)):
        return None
    seen = f"Of a log of 5 events, offsets {delivered[:8]} were delivered" + (
        ", and so on." if len(delivered) > 8 else "."
    )
    hint = "Does the offset that you read from move on?" if len(delivered) > 5 else ""
    return Finding(required, seen, hint=hint)


def _one_behind(run: Run, verdict: Verdict) -> bool:
    ends = {
        r.data["record"]["subscription"]: r.data["record"]["offset"]
        for r in run.history.of("written", file="cursors")
    }
    return verdict.rule == CATCHES_UP and set(ends.values()) == {
        len(run.history.of("written", file="log")) - 1
    }


# ---- 1.4 Idempotent inventory ----------------------------------------------------------------------------


def _event(number: int, *, source: str = "shop", id_: str = "") -> Event:
    data = {"order_id": f"{source}-{number}", "customer": "customer-1", "sku": "tea", "quantity": 1}
    return Event("order_created", source, data, id=id_)


def _taken(records: list[Any]) -> int:
    return sum(r.get("quantity", 0) for r in records if isinstance(r, dict))


class _Disk(MemoryDisk):
    """A disk that takes its time, counts, and fails or hangs when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = self.hanging = False
        self.reads = self.writes = 0

    async def append(self, file: str, record: Any) -> None:
        await asyncio.sleep(0.001)
        if self.failing:
            raise OSError(5, "the disk failed")
        await super().append(file, record)
        await self._written()

    async def replace(self, file: str, records: Any) -> None:
        await asyncio.sleep(0.001)
        await super().replace(file, records)
        await self._written()

    async def _written(self) -> None:
        self.writes += 1
        if self.hanging:  # durable, and the process gets no further
            await asyncio.sleep(float("inf"))

    async def read(self, file: str) -> list[Any]:
        self.reads += 1
        await asyncio.sleep(0.001)
        return await super().read(file)


def _three_times(inventory: Any) -> Finding | None:
    async def trial() -> int:
        disk = _Disk()
        mine = inventory(disk, {"tea": 10})
        for _ in range(3):
            await mine.handle(_event(1))
        return _taken(await disk.read("stock"))

    taken = simulate(trial)
    if taken == 1:
        return None
    return Finding(
        "An order that is delivered three times leaves the stock once.",
        f"{taken} tea were taken for an order of 1.",
        hint="Write one record in the file 'stock', with the fields order, sku and quantity."
        if taken < 1
        else "The same event was taken again. Remember (source, id) of each, and skip what was seen.",
    )


def _crash(inventory: Any) -> Finding | None:
    """The process ends when its first write is durable; the next one gets the event again."""

    async def trial() -> tuple[int, int]:
        good = _Disk()
        await inventory(good, {"tea": 10}).handle(_event(1))
        disk = _Disk()
        disk.hanging = True
        crashed = asyncio.create_task(inventory(disk, {"tea": 10}).handle(_event(1)))
        await asyncio.sleep(1)
        disk.hanging = False
        await inventory(disk, {"tea": 10}).handle(_event(1))
        taken = _taken(await disk.read("stock"))
        crashed.cancel()
        await asyncio.wait([crashed])
        return good.writes, taken

    writes, taken = simulate(trial)
    if taken == 1:
        return None
    return Finding(
        "After a crash at any moment, an order that comes again has left the stock once.",
        f"It crashed when the first of {writes} writes was done; when the order came again, {taken} tea were taken "
        "in all."
        if writes > 1
        else f"It crashed when the record was written; when the order came again, {taken} tea were taken in all.",
        hint="Mark and effect are two writes, and a crash gets between them. Put both into one record."
        if writes > 1
        else "After the restart it had forgotten what it had seen. Read the file at the first event, and remember "
        "the (source, id) of each record.",
    )


def _two_sources(inventory: Any) -> Finding | None:
    async def trial(*events: Event) -> int:
        disk = _Disk()
        mine = inventory(disk, {"tea": 10})
        for event in events:
            await mine.handle(event)
        return _taken(await disk.read("stock"))

    required = "Two events are the same only if source and id are the same."
    shop = _event(1, source="shop", id_="0001")
    if simulate(trial(shop, _event(1, source="phone", id_="0001"))) != 2:
        return Finding(
            required,
            "An event 0001 from 'shop' and an event 0001 from 'phone' took 1 tea in all, not 2.",
            hint="Sources number their events independently. Recognise an event by (source, id), not by its id alone.",
        )
    if simulate(trial(shop, Event("order_created", "phone", shop.data, id="0002"))) != 2:
        return Finding(
            required,
            "An event 0001 from 'shop' and an event 0002 from 'phone', each about an order 'shop-1', took 1 tea in "
            "all, not 2.",
            hint="What the data says, an order's number for instance, does not name the event. Recognise it by "
            "(source, id).",
        )
    return None


def _at_once(inventory: Any) -> Finding | None:
    async def trial() -> tuple[int, int]:
        disk = _Disk()
        mine = inventory(disk, {"tea": 10})
        await asyncio.gather(mine.handle(_event(1)), mine.handle(_event(1)))
        first = _taken(await disk.read("stock"))
        again = inventory(disk, {"tea": 10})
        await asyncio.gather(again.handle(_event(1)), again.handle(_event(1)))
        return first, _taken(await disk.read("stock"))

    required = "Two deliveries of one event at the same time take the stock once."
    first, then = simulate(trial)
    if first != 1:
        return Finding(
            required,
            "Both took it: 2 tea are gone for an order of 1.",
            look="asyncio.gather(inventory.handle(event), inventory.handle(event))",
            hint="Between your look at what was seen and your write there is an await, where the other one gets in. "
            "An asyncio.Lock around both keeps it out.",
        )
    if then != 1:
        return Finding(
            required,
            f"After a restart, an order that had been taken came twice at once: {then} tea are gone for an order of 1.",
            hint="While the first delivery still read the file, the second took it for loaded. Load under the lock "
            "too, and note that it is done when it is done.",
        )
    return None


def _failed_write(inventory: Any) -> Finding | None:
    async def trial() -> int:
        disk = _Disk()
        mine = inventory(disk, {"tea": 10})
        disk.failing = True
        try:
            await mine.handle(_event(1))
        except OSError:
            disk.failing = False
        else:
            return -1
        await mine.handle(_event(1))
        return _taken(await disk.read("stock"))

    taken = simulate(trial)
    if taken == 1:
        return None
    if taken == -1:
        return Finding(
            "A write that fails is not taken for one that went well.",
            "The disk failed and handle() returned as if all were well.",
            hint="Let the OSError go up: the event will come again.",
        )
    return Finding(
        "An event whose write failed is taken when it comes again.",
        f"The disk failed once; at the second delivery {taken} tea were taken in all.",
        hint="It was marked as seen before the effect was durable, so the second try was taken for a repetition. "
        "Mark it after the write.",
    )


EVENTS, REMEMBERED, RECENT = 220, 10, 5


def _bounded(inventory: Any) -> Finding | None:
    async def trial() -> tuple[int, int, int, int, int]:
        disk = _Disk()
        mine = inventory(disk, {"tea": 100_000}, remember_max=REMEMBERED)
        for number in range(EVENTS):
            await mine.handle(_event(number))
        reads, size = disk.reads, _largest(vars(mine))
        for number in range(EVENTS - RECENT, EVENTS):
            await mine.handle(_event(number))
        again = _taken(await disk.read("stock")) - EVENTS
        fresh = inventory(disk, {"tea": 100_000}, remember_max=REMEMBERED)
        for number in range(EVENTS - RECENT, EVENTS):
            await fresh.handle(_event(number))
        return reads, size, again, _largest(vars(fresh)), _taken(await disk.read("stock")) - EVENTS - again

    reads, size, again, loaded, after = simulate(trial)
    if reads > EVENTS // 2:
        return Finding(
            "The file is read once after a start, for it grows for ever.",
            f"For {EVENTS} events the disk was read {reads} times.",
            hint="Each event reads the whole file again. Load the ids once, at the first event, and remember them.",
        )
    required = (
        f"With remember_max={REMEMBERED}, what is kept in memory does not grow with the number of events."
    )
    if size > 4 * REMEMBERED:
        return Finding(
            required,
            f"After {EVENTS} events a collection of {size} things was held.",
            hint="Forget the oldest id when there are more than remember_max, for instance with "
            "OrderedDict.popitem(last=False).",
        )
    if loaded > 4 * REMEMBERED:
        return Finding(
            required,
            f"After a restart over {EVENTS} records a collection of {loaded} things was held.",
            hint="All ids of the file were loaded. The bound holds while loading, too: forget the oldest there as well.",
        )
    if again or after:
        return Finding(
            f"With remember_max={REMEMBERED}, the {REMEMBERED} latest events are recognised.",
            f"Of the last {RECENT} of {EVENTS} events, {again or after} were taken again"
            + ("." if again else " after a restart."),
            hint="The wrong ids were forgotten. Forget the oldest, one for each that comes.",
        )
    return None


def _largest(attributes: dict[str, Any]) -> int:
    sizes = [0]
    for value in attributes.values():
        if isinstance(value, MemoryDisk):
            continue
        if isinstance(value, dict | list | set | frozenset | tuple) or hasattr(value, "popleft"):
            sizes.append(len(value))
            if isinstance(value, dict):
                sizes.append(_largest(value))
    return max(sizes)


# ---- 1.5 Dead letters ------------------------------------------------------------------------------------


def _delivery(answer: Any, failures: int) -> tuple[int, list[Any], tuple[int, int]]:
    """Deliver one event to a handler that fails so often; return (calls, letters, what a replay did)."""

    async def trial() -> tuple[int, list[Any], tuple[int, int]]:
        calls = 0

        async def handler(event: Event) -> None:
            nonlocal calls
            calls += 1
            if calls <= failures:
                raise ValueError("no delivery address")

        ports: Ports = local_ports(seed=1)
        letters = DeadLetterQueue(ports.disk)
        mine = answer(handler, letters, name="inventory", ports=ports)
        await mine.deliver(4, _event(1))
        found: list[Any] = await letters.letters()
        tried = calls
        replayed = await mine.replay()
        return tried, found, (replayed, len(await letters.letters()))

    return simulate(trial)


def _patient(answer: Any) -> Finding | None:
    calls, letters, _ = _delivery(answer, 2)
    if calls == 3 and not letters:
        return None
    return Finding(
        "A handler that fails twice and then works is given the time: no dead letter.",
        f"It was called {calls} times, and there were {len(letters)} dead letters.",
        hint="Most failures pass. Try up to five times, with a wait in between, before you give up.",
    )


def _gives_up(answer: Any) -> Finding | None:
    calls, letters, replayed = _delivery(answer, 5)
    required = "An event that fails five times becomes one dead letter that says what happened."
    if len(letters) != 1:
        return Finding(
            required,
            f"After {calls} calls there were {len(letters)} dead letters.",
            hint="One letter an event, after its last attempt, not one for each attempt.",
        )
    if calls != 5:
        return Finding(
            required,
            f"The handler was called {calls} times before the letter.",
            hint="Five attempts in all, the first among them; then the letter.",
        )
    letter = letters[0]
    wrong = [
        f"{name}={getattr(letter, name)!r}, not {right!r}"
        for name, right in {
            "subscription": "inventory",
            "topic": "order_created",
            "offset": 4,
            "error": "ValueError",
            "message": "no delivery address",
            "attempts": 5,
        }.items()
        if getattr(letter, name) != right
    ]
    if wrong:
        return Finding(
            required,
            f"The letter has {'; '.join(wrong)}.",
            hint="Whoever opens the letter has nothing else: the event's type as topic, the last exception's class and "
            "words, the true number of attempts, and where the event stood.",
        )
    if not letter.first_time < letter.last_time:
        return Finding(
            required,
            "The letter's first_time and last_time are the same, although there were waits between the attempts.",
            hint="Note the time before the first attempt, and again after the last; wait in between.",
        )
    if replayed != (1, 0):
        return Finding(
            "replay() hands every dead letter's event to the handler again and returns how many went well.",
            f"It returned {replayed[0]!r}, and {replayed[1]} letters were left.",
            hint="dead_letters.replay(handler) does the work and returns (went well, failed again). Return the first.",
        )
    return None


def _next_event(answer: Any) -> Finding | None:
    """One event fails for good; those behind it are in order."""
    calls: list[int] = []

    async def trial() -> list[Any]:
        ports = local_ports(seed=1)
        letters = DeadLetterQueue(ports.disk)

        async def handler(event: Event) -> None:
            calls.append(event["data"]["order_id"])
            if event["data"]["order_id"] == "shop-0":
                raise ValueError("no delivery address")

        mine = answer(handler, letters, name="inventory", ports=ports)
        for offset in range(8):
            await mine.deliver(offset, _event(offset))
        found: list[Any] = await letters.letters()
        return found

    aside = [letter.offset for letter in simulate(trial)]
    if aside == [0]:
        return None
    return Finding(
        "Only the event that fails is set aside.",
        f"Of eight events only the one at offset 0 fails; set aside were those at offsets {aside}.",
        hint="The attempts on the disk are of another event. If the record's offset is not this one, start from zero.",
    )


UNCOUNTED = (
    "The order killed the process again and again: no exception was raised that could be counted. Write the number of "
    "the attempt to the disk *before* the attempt, and read it when you start."
)


def _deadly(answer: Any) -> Finding | None:
    """An order kills the process at each attempt: what does its letter say?"""
    run = ORDERS.run(parts={"delivery": answer}, plan="at 500ms deadly-poison inventory", orders=20)
    if any(v.rule == "no task dies unseen" for v in run.broken):
        return None  # the cases say what broke
    required = "An order that kills the process five times becomes a dead letter that says what happened."
    letters = [letter.data["record"] for _, _, letter in rules.dead_letters(run.history)]
    crashes = len(run.history.of("crash", node="inventory"))
    if not letters:
        return Finding(
            required, f"It killed inventory {crashes} times; there is no dead letter.", hint=UNCOUNTED
        )
    letter = letters[0]
    if crashes != 5 or letter["attempts"] != 5:
        return Finding(
            required,
            f"It killed inventory {crashes} times; the letter says attempts {letter['attempts']!r}.",
            hint="Read the number of attempts when you start, and add one before each attempt.",
        )
    if letter["error"] != "ProcessDied" or not str(letter["message"]).strip() or letter["message"] == "None":
        return Finding(
            required,
            f"The letter says error {letter['error']!r}, message {letter['message']!r}.",
            hint="In the last incarnation nothing was raised, so there is no exception to describe. Start from "
            "'ProcessDied' and a sentence of your own; an exception takes their place.",
        )
    return None


# ---- 1.6 Diagnose ----------------------------------------------------------------------------------------


def _diagnosis(answer: Any) -> Finding | None:
    given = answer()
    run = mystery()
    if not (isinstance(given, tuple) and len(given) == 3):
        return Finding("diagnose() returns (rule, record, line).", f"It returned {given!r:.80}.")
    rule, number, line = given
    broken = [v.rule for v in run.broken]
    if rule not in [v.rule for v in run.verdicts]:
        return Finding("The rule is named as the verdicts name it.", f"There is no rule {rule!r:.60}.")
    if rule != REACHES:
        seen = (
            "that rule holds in this run" if rule not in broken else "that rule breaks only as a consequence"
        )
        return Finding(
            "The broken rule is named.",
            f"{rule!r}: {seen}.",
            hint="Print mystery() and read the verdicts.",
            rung=LOOK,
        )
    if isinstance(number, bool) or not isinstance(number, int):
        return Finding(
            "The record is named by its number.", f"{number!r:.60} is no int. Give one, for instance 17."
        )
    if not 0 <= number < len(run.history):
        return Finding(
            "The record is named by its number.", f"{number} is not from 0 to {len(run.history) - 1}."
        )
    record = run.history[number]
    if not (
        record.kind == "written"
        and record.get("file") == "cursors"
        and record.data["record"] == {"subscription": "inventory", "offset": 12}
    ):
        hint = "Which order is lost, and at which offset does it stand? Look for the write that moved the cursor past it."
        if record.kind in ("crash", "fault", "restart"):
            hint = (
                "Until then the order might still have been handled; but had the broker offered it again after the "
                "restart? " + hint
            )
        elif record.kind in ("sent", "delivered"):
            hint = "A message may still be lost. What made it final is a write to the broker's disk."
        elif record.kind == "ok":
            hint = "That is the promise. The question is what made it impossible to keep. " + hint
        return Finding(
            "The record is the one after which the broker would never have offered the order to inventory again.",
            f"Record {number} is: {record}",
            hint=hint,
        )
    lines, guilty = _numbered(consumer), 7
    if line != guilty:
        text = (
            lines[line - 1].strip()
            if isinstance(line, int) and 0 < line <= len(lines)
            else "not a line of it"
        )
        return Finding(
            "The guilty line is named.",
            f"Line {line!r} is: {text}",
            hint="Which line tells the broker that the event is done with? What has not happened yet when it runs?",
        )
    return None


def _numbered(function: Callable[..., Coroutine[Any, Any, None]]) -> list[str]:
    return inspect.getsource(function).splitlines()


# ---- The exercises ---------------------------------------------------------------------------------------

EXERCISES: dict[str, Exercise] = {
    "1.1": Exercise(
        title="a stable event id",
        points=10,
        ladder=(
            "Run `event_id(...)` twice; restart the kernel and run it once more. Which of `hash()`, "
            "`datetime.now()`, `uuid4()` and `hashlib.sha256(...)` gives the same each time?",
            "Write type and data down in one fixed way, then take a digest of the text: whole, and as a str.",
            "```\n"
            "text = JSON of [type, data], keys sorted\n"
            "return the hexadecimal SHA-256 of the text's bytes\n"
            "```",
        ),
        probes=(
            ("the id is a name", _id_is_a_name),
            ("the same order again, in another process, later", _id_is_the_same_again),
            ("the same order with its fields in another order", _id_ignores_key_order),
            ("other orders, other types, nested data", _ids_differ),
            ("ten thousand orders", _ids_have_room),
        ),
        forbids=("event_id", "Event"),
        untested="ids that you choose yourself, and data that is not plain JSON.",
    ),
    "1.2": Exercise(
        title="isolate the subscribers",
        points=15,
        ladder=(
            '`FANOUT.run("textbook", plan="1s..3s fail email")`: which call failed, and who has order 10 '
            "all the same?",
            "`publish` puts the event into each subscriber's queue and returns. One task for each "
            "subscriber takes events out of its queue and calls the handler. What the handler raises ends "
            "there.",
            "```\n"
            "worker, for ever:\n"
            "    event = await queue.get()\n"
            "    try: await handler(event)\n"
            "    except Exception: pass  (in production: log it; never a bare except)\n"
            "\n"
            "publish:\n"
            "    make one frozen Event\n"
            "    for each (handler, queue) of this type:\n"
            "        start a worker if this queue has none\n"
            "        put the event\n"
            "```",
        ),
        scenario=FANOUT,
        part="publisher",
        adapt=lambda answer: lambda node: answer(),
        probes=(
            ("three events in a row for one slow handler", _in_turn),
            ("a second type, and a subscriber that comes later", _latecomers),
            ("a worker that is cancelled", _can_be_stopped),
        ),
        cases=(
            Case("a good day", rules=(REACHES, WHOLE)),
            Case("email fails for 2 s", "1s..3s fail email", rules=(ISOLATED,)),
            Case("orders, the first subscriber, fails for 2 s", "1s..3s fail orders", rules=(ISOLATED,)),
            Case(
                "email takes 3 s for each order", "1s..3s slow-handler email by 3s", rules=(ISOLATED, WHOLE)
            ),
            Case("orders changes the event it is given", "1s..3s careless orders", rules=(UNALTERED,)),
        ),
        hints=(
            Hint(
                "one exception fails publish",
                lambda run, verdict: verdict.rule == ISOLATED and "failed after" in verdict.sentence,
                "An exception of a handler came out of publish. Who has to know of it: the shop, or the handler's owner?",
            ),
            Hint(
                "publish waits for the slowest",
                lambda run, verdict: verdict.rule == ISOLATED and "ok after" in verdict.sentence,
                "publish waits until the slowest handler is done. Hand the event over (a queue for each subscriber) "
                "and return.",
            ),
            Hint(
                "one after the other",
                lambda run, verdict: verdict.rule == ISOLATED and "reached" in verdict.sentence,
                "The handlers are called one after the other, so one in trouble holds up the next. Give each its own "
                "task.",
            ),
            Hint(
                "one event for all",
                lambda run, verdict: verdict.rule == UNALTERED,
                "All handlers hold the same dict. Give each a copy (copy.deepcopy), or one that cannot be changed.",
            ),
            Hint(
                "a task that stops at the first exception",
                lambda run, verdict: verdict.rule == "no task dies unseen",
                "A handler's exception ended a background task. Catch it where the handler is called, and go on with "
                "the next event.",
            ),
        ),
        forbids=("EventPublisher", "Subscription", "EventLog", "Delivery"),
        untested="what happens to an event whose handler failed: it is gone. That is the next sitting.",
    ),
    "1.3": Exercise(
        title="acknowledge after the effect",
        points=15,
        ladder=(
            "`mystery()` is a run with a consumer that gets it wrong. When did the cursor pass the order "
            "that was lost?",
            "The commit is the promise never to ask for the event again. Promise it when the effect is "
            "durable. If `deliver` raises, promise nothing: wait a moment and go on from the last "
            "promise.",
            "```\n"
            "try: deliver\n"
            "on OSError:\n"
            "    sleep half a second\n"
            "    offset = committed\n"
            "    leave the inner loop\n"
            "commit number + 1\n"
            "offset = number + 1\n"
            "```",
        ),
        scenario=ORDERS,
        part="subscription",
        probes=(("each event once, on a good day", _each_once),),
        cases=(
            Case("a good day", rules=(REACHES, CATCHES_UP), params={"orders": 20}),
            Case(
                "inventory crashes when it has begun an order",
                "after write 5 to attempts-inventory crash inventory for 1s",
                rules=(REACHES, ONCE, CATCHES_UP),
                params={"orders": 20},
            ),
            Case(
                "inventory crashes when the effect is on its disk",
                "after write 5 to stock crash inventory for 1s",
                rules=(REACHES, ONCE, CATCHES_UP),
                params={"orders": 20},
            ),
            Case(
                "the disk of inventory fails half of the time",
                "500ms..2s fail-disk inventory 50%",
                rules=(REACHES, CATCHES_UP),
                params={"orders": 20},
            ),
        ),
        hints=(
            Hint(
                "commit the offset itself",
                _one_behind,
                "Every cursor stands one short of the end. The committed offset is the *next* one to read: "
                "offset + 1.",
            ),
            Hint(
                "an exception ends the consumer",
                lambda run, verdict: verdict.rule == "no task dies unseen" and "OSError" in verdict.sentence,
                "deliver raised and the consumer ended. Catch OSError, wait a moment, and go on from the committed "
                "offset.",
            ),
            Hint(
                "commit in spite of a failure",
                lambda run, verdict: verdict.rule == REACHES and len(run.history.of("write failed")) > 0,
                "deliver raised OSError, so the event was not handled, and a commit passed it all the same: its own, or "
                "that of the next event. Stop the batch and read again from the last commit.",
            ),
            Hint(
                "acknowledge before the effect",
                lambda run, verdict: verdict.rule == REACHES and committed_too_early(run.history),
                "The cursor moved past the order before it was handled. A crash in between loses it: commit after "
                "deliver has returned.",
            ),
        ),
        forbids=("Subscription", "EventPublisher", "consumer"),
        untested="moving a cursor back while the consumer runs (rewind).",
    ),
    "1.4": Exercise(
        title="an idempotent inventory",
        points=20,
        ladder=(
            '`ORDERS.run("textbook", plan="1s..3s duplicate 50%")`: the same order, twice in the file '
            '"stock".',
            "The record of the effect can carry the mark as well: put source and id into it. After a "
            "restart, the file tells you what was seen. One lock around looking, writing and remembering "
            "keeps a second delivery out.",
            "```\n"
            "under the lock:\n"
            "    load the ids from the file, once\n"
            "    if (source, id) is known: return\n"
            "    append the record, with source and id in it\n"
            "    remember (source, id)\n"
            "    forget the oldest beyond remember_max\n"
            "```",
        ),
        scenario=ORDERS,
        part="inventory",
        probes=(
            ("the same order three times", _three_times),
            ("a crash when the first write is done", _crash),
            ("two sources that use the same ids, or the same orders", _two_sources),
            ("two deliveries at the same time, on a fresh start and after a restart", _at_once),
            ("a write that fails", _failed_write),
            (f"{EVENTS} events with memory for {REMEMBERED}", _bounded),
        ),
        cases=(
            Case("a good day", rules=(REACHES, ONCE), params={"orders": 20}),
            Case(
                "inventory crashes when the effect is on its disk",
                "after write 5 to stock crash inventory for 1s",
                rules=(REACHES, ONCE),
                params={"orders": 20},
            ),
            Case(
                "inventory has to read the whole log again",
                "at 1500ms rewind inventory",
                rules=(REACHES, ONCE, REPLAYS),
                params={"orders": 20},
            ),
        ),
        hints=(
            Hint(
                "seen only in memory",
                lambda run, verdict: verdict.rule == ONCE and len(run.history.of("crash")) > 0,
                "After the restart it had forgotten what it had seen. Read the file at the first event, and remember "
                "the (source, id) of each record.",
            ),
            Hint(
                "no memory at all",
                lambda run, verdict: verdict.rule == ONCE,
                "The same event was delivered again and taken again. Remember (source, id), and skip what was seen.",
            ),
        ),
        forbids=("InventoryManager", "IdempotentHandler", "OrderProcessor"),
        untested="a repetition that comes later than remember_max events: it would be taken again.",
    ),
    "1.5": Exercise(
        title="dead letters with context and replay",
        points=20,
        ladder=(
            "Run the check and look at the crashes in the replayed run. How would the fourth incarnation "
            "know that there were three before it?",
            "Write the number of the attempt to the disk *before* the attempt. One record is enough: "
            "which offset, how many attempts, since when. For `replay`, the dead-letter queue does the work; "
            "you return how many went well.",
            "```\n"
            "read the record; if it is of another offset, start from zero\n"
            "while attempts < 5:\n"
            "    attempts += 1; note the first time\n"
            "    replace the record\n"
            "    try the handler, and return\n"
            "    on an exception: remember it, and sleep\n"
            "put the letter\n"
            "\n"
            "replay:\n"
            "    ask dead_letters to replay; return the first of the two numbers\n"
            "```",
        ),
        scenario=ORDERS,
        part="delivery",
        probes=(
            ("a handler that fails twice", _patient),
            ("a handler that fails five times, then a replay", _gives_up),
            ("seven healthy events behind one that fails", _next_event),
            ("the letter of an order that kills the process", _deadly),
        ),
        cases=(
            Case(
                "a poison order", "at 500ms poison inventory", rules=(POISON, REACHES), params={"orders": 20}
            ),
            Case(
                "a poison order that kills the process",
                "at 500ms deadly-poison inventory",
                rules=(POISON, REACHES),
                params={"orders": 20},
            ),
        ),
        hints=(
            Hint(
                "a crash is not counted",
                lambda run, verdict: len(run.history.of("crash")) > 5,
                UNCOUNTED,
            ),
            Hint(
                "the poison blocks",
                lambda run, verdict: (
                    verdict.rule in (POISON, REACHES) and "never reached" in verdict.sentence
                ),
                "Orders behind the poison one never got through. Give up after five attempts.",
            ),
            Hint(
                "given up without a letter",
                lambda run, verdict: verdict.rule == POISON and "no dead letter" in verdict.sentence,
                "The event was given up and is nowhere. Put a DeadLetter before you return.",
            ),
        ),
        forbids=("Delivery",),
        untested="a disk that fails while the letter is written.",
    ),
    "1.6": Exercise(
        title="diagnose",
        points=20,
        ladder=(
            "Which order is missing where? The verdicts name it, `timeline(run)` draws it. The first order "
            "stands at offset 0. `for n, r in enumerate(run.history): ...` and print what concerns the order: "
            "`print(n, r)` cuts long fields, `r.data` has them whole.",
            "An order is lost for a subscriber when that subscriber's cursor has passed it and it was not "
            'handled. The broker keeps cursors in its file "cursors": '
            '`run.history.of("written", file="cursors")` are the records that move them.',
            'the first record with kind "written", file "cursors", of that subscription, whose offset is '
            "greater than the lost order's",
        ),
        probes=(("the rule, the record and the line", _diagnosis),),
    ),
    "1.7": Exercise(
        title="a transactional outbox",
        points=0,
        ladder=(
            '`OUTBOX.run("textbook", plan="after write 5 to orders crash shop for 500ms")`',
            "One record holds the order and the event that announces it. What is not in `sent` yet is "
            "still to be sent.",
            "```\n"
            "place:\n"
            "    make the event\n"
            '    append {order, event} to "orders"\n'
            "\n"
            "relay, for ever:\n"
            '    for each record of "orders" beyond the length of "sent":\n'
            "        append its event to the log\n"
            '        append a mark to "sent"\n'
            "    sleep a little\n"
            "```",
        ),
        scenario=OUTBOX,
        part="shop",
        cases=(
            Case("a good day", rules=(STORED,), params={"orders": 15}),
            Case(
                "the shop crashes when the order is stored",
                "after write 5 to orders crash shop for 500ms",
                rules=(STORED,),
                params={"orders": 15},
            ),
            Case(
                "the shop crashes when an event is marked as sent",
                "after write 5 to sent crash shop for 500ms",
                rules=(STORED,),
                params={"orders": 15},
            ),
            Case(
                "the shop crashes while its slow disk stores an order",
                "0s..2s slow-disk shop by 50ms; at 530ms crash shop for 500ms",
                rules=(STORED,),
                params={"orders": 15},
            ),
            Case(
                "the shop crashes while its slow disk marks an event",
                "0s..2s slow-disk shop by 50ms; at 580ms crash shop for 500ms",
                rules=(STORED,),
                params={"orders": 15},
            ),
            Case(
                "the broker crashes for 2 s",
                "at 500ms crash broker for 2s",
                rules=(STORED,),
                params={"orders": 15},
            ),
            Case(
                "the shop crashes while the broker cannot be reached",
                "400ms..2s partition shop | broker; at 1s crash shop for 500ms",
                rules=(STORED,),
                params={"orders": 15},
            ),
        ),
        hints=(
            Hint(
                "announce first",
                lambda run, verdict: "the shop does not have it" in verdict.sentence,
                "The event went out before the order was stored. Store first, and let the relay announce.",
            ),
            Hint(
                "a new event at each try",
                lambda run, verdict: "announced twice" in verdict.sentence,
                "The relay made a new event when it tried again. Store the event with the order, and send that one.",
            ),
            Hint(
                "marked before it was sent",
                lambda run, verdict: (
                    "nobody was ever told" in verdict.sentence
                    and any(r.data["file"] == "sent" for r in run.history.of("written", node="shop"))
                ),
                "It was marked as sent before the log had it. Mark it when append has returned.",
            ),
            Hint(
                "two writes",
                lambda run, verdict: "nobody was ever told" in verdict.sentence,
                "The shop crashed between the two writes. Put order and event into one record; after a restart, "
                "relay() reads what has not been sent.",
            ),
        ),
        forbids=("Outbox", "DualWriteShop"),
        untested="orders that are placed twice.",
    ),
}
