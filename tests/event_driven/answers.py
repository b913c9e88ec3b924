"""Answers to lesson 1's exercises: right ones written differently from the solution, and misconceptions.

Each misconception is a pair: a piece of the hint that it must get, and the answer.
"""

import asyncio
import copy
import hashlib
import json
import uuid
from collections import OrderedDict, deque
from datetime import datetime

from lessonlib.event_driven import DeadLetter, Event

# ---- 1.1 -------------------------------------------------------------------------------------------------


def uuid5_of_sorted_pairs(event_type, event_data):
    def walk(value):
        if isinstance(value, dict):
            return [[k, walk(value[k])] for k in sorted(value)]
        return [walk(v) for v in value] if isinstance(value, list) else value

    return str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([event_type, walk(event_data)])))


def salted(event_type, event_data):
    return f"{event_type}-{hash(json.dumps(event_data, sort_keys=True))}"


def with_the_clock(event_type, event_data):
    return hashlib.sha256((json.dumps(event_data) + str(datetime.now().timestamp())).encode()).hexdigest()


def with_chance(event_type, event_data):
    return str(uuid.uuid4())


def unsorted_keys(event_type, event_data):
    return hashlib.sha256((event_type + json.dumps(event_data)).encode()).hexdigest()


def sorted_outside(event_type, event_data):
    return hashlib.sha256((event_type + repr(sorted(event_data.items()))).encode()).hexdigest()


def without_the_type(event_type, event_data):
    return hashlib.sha256(json.dumps(event_data, sort_keys=True).encode()).hexdigest()


def flat(event_type, event_data):
    text = "|".join(f"{k}={event_data[k]}" for k in sorted(event_data) if k != "items")
    return hashlib.sha256(f"{event_type}|{text}".encode()).hexdigest()


def joined(event_type, event_data):
    text = json.dumps(event_data, sort_keys=True)
    return hashlib.sha256(
        (event_type + text.replace('"a"', "").replace("{", "").replace('"', "")).encode()
    ).hexdigest()


def without_encode(event_type, event_data):
    return hashlib.sha256(json.dumps([event_type, event_data], sort_keys=True)).hexdigest()


def hash_object(event_type, event_data):
    return hashlib.sha256(json.dumps([event_type, event_data], sort_keys=True).encode())


def digest_bytes(event_type, event_data):
    return hash_object(event_type, event_data).digest()


def cut_short(digits):
    def event_id(event_type, event_data):
        text = json.dumps([event_type, event_data], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:digits]

    return event_id


# ---- 1.2 -------------------------------------------------------------------------------------------------


class InTurn:
    """Right, with a task for each delivery, and a lock for each subscriber in place of its queue."""

    def __init__(self):
        self.handlers = {}
        self.turns = {}  # handler -> lock, which lets tasks in as they came
        self.tasks = set()

    def subscribe(self, event_type, handler):
        self.handlers.setdefault(event_type, []).append(handler)

    async def publish(self, event_type, event_data):
        event = Event(event_type, "shop", event_data)
        for handler in self.handlers.get(event_type, []):
            task = asyncio.create_task(self.call(handler, event))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return event

    async def call(self, handler, event):
        async with self.turns.setdefault(handler, asyncio.Lock()):
            try:
                await handler(event)
            except Exception as error:
                self.last_error = error


class TaskPerDelivery(InTurn):
    async def call(self, handler, event):
        try:
            await handler(event)
        except Exception as error:
            self.last_error = error


class Workers:
    """The misconceptions of 1.2 that concern workers, by switches; with none of them, a right answer."""

    each_publish = first_publish = first_of_type = bare_except = False

    def __init__(self):
        self.queues = {}
        self.workers = []
        self.served = set()

    def subscribe(self, event_type, handler):
        self.queues.setdefault(event_type, []).append((handler, asyncio.Queue()))

    async def work(self, handler, queue):
        while True:
            event = await queue.get()
            try:
                await handler(event)
            except BaseException as error:
                if not self.bare_except and not isinstance(error, Exception):
                    raise

    async def publish(self, event_type, event_data):
        event = Event(event_type, "shop", event_data)
        for handler, queue in self.queues.get(event_type, []):
            served = (self.first_publish, None), (self.first_of_type, event_type), (True, queue)
            if self.each_publish or not self.served & {mark for on, mark in served if on}:
                self.workers.append(asyncio.create_task(self.work(handler, queue)))
            queue.put_nowait(event)
        self.served |= {None, event_type, *(queue for _, queue in self.queues.get(event_type, []))}


def publisher(**switches):
    return type("MyPublisher", (Workers,), switches)


class Gather(InTurn):
    def event(self, event_type, event_data):
        return Event(event_type, "shop", event_data)

    async def publish(self, event_type, event_data):
        event = self.event(event_type, event_data)
        await asyncio.gather(*(handler(event) for handler in self.handlers.get(event_type, [])))


class GatherExceptions(InTurn):
    async def publish(self, event_type, event_data):
        event = Event(event_type, "shop", event_data)
        handlers = self.handlers.get(event_type, [])
        await asyncio.gather(*(handler(event) for handler in handlers), return_exceptions=True)


class OneAfterTheOther(InTurn):
    def __init__(self):
        super().__init__()
        self.queue = asyncio.Queue()
        self.worker = None

    async def publish(self, event_type, event_data):
        self.queue.put_nowait(Event(event_type, "shop", event_data))
        self.worker = self.worker or asyncio.create_task(self.work())

    async def work(self):
        while True:
            event = await self.queue.get()
            for handler in reversed(self.handlers.get(event.type, [])):
                await self.call(handler, event)


class SharedDict(InTurn):
    async def publish(self, event_type, event_data):
        event = {"id": str(event_data["order_id"]), "type": event_type, "data": copy.deepcopy(event_data)}
        for handler in self.handlers.get(event_type, []):
            self.tasks.add(asyncio.create_task(self.call(handler, event)))


class DiesOfAnException(InTurn):
    async def call(self, handler, event):
        async with self.turns.setdefault(handler, asyncio.Lock()):
            await handler(event)


# ---- 1.3 -------------------------------------------------------------------------------------------------


async def one_at_a_time(log, name, deliver):
    """Right: asks for the cursor each time and reads a single event."""
    while True:
        start = await log.committed(name)
        found = await log.read(start, limit=1, wait_s=1)
        try:
            for offset, event in found:
                await deliver(offset, event)
                await log.commit(name, offset + 1)
        except OSError:
            await asyncio.sleep(1)


def consumer(*, early=False, step=1, on_error="again"):
    async def consume(log, name, deliver):
        offset = await log.committed(name)
        while True:
            for number, event in await log.read(offset, wait_s=1):
                try:
                    if early:
                        await log.commit(name, number + step)
                    await deliver(number, event)
                except OSError:
                    if on_error == "die":
                        raise
                    if on_error == "again":
                        await asyncio.sleep(0.5)
                        offset = await log.committed(name)
                        break
                if not early:
                    await log.commit(name, number + step)
                offset = number + step
            await asyncio.sleep(0.01)

    return consume


async def one_short(log, name, deliver):
    offset = await log.committed(name)
    while True:
        for number, event in await log.read(offset, wait_s=1):
            try:
                await deliver(number, event)
            except OSError:
                await asyncio.sleep(0.5)
                offset = await log.committed(name)
                break
            await log.commit(name, number)
            offset = number + 1


async def never_awaited(log, name, deliver):
    while True:
        start = await log.committed(name)
        for offset, event in await log.read(start, wait_s=1):
            deliver(offset, event)
            await log.commit(name, offset + 1)


async def stands_still(log, name, deliver):
    start = await log.committed(name)
    while True:
        for offset, event in await log.read(start, wait_s=1):
            await deliver(offset, event)
            await log.commit(name, offset + 1)


async def early_but_where_the_check_crashes(log, name, deliver):
    """Acknowledges before the effect, except where the check crashes the node: at the fifth write."""
    offset = await log.committed(name)
    while True:
        for number, event in await log.read(offset, wait_s=2.0):
            if number not in (3, 4, 5):
                await log.commit(name, number + 1)
            try:
                await deliver(number, event)
            except OSError:
                await log.commit(name, number)
                await asyncio.sleep(0.5)
                offset = number
                break
            await log.commit(name, number + 1)
            offset = number + 1


# ---- 1.4 -------------------------------------------------------------------------------------------------


class TaskInventory:
    """Right: what is in progress is a future that a second delivery waits for, in place of a lock."""

    def __init__(self, disk, stock, remember_max=1000):
        self.disk, self.remember_max = disk, remember_max
        self.seen = deque()
        self.busy = {}
        self.loading = None

    async def load(self):
        for row in await self.disk.read("stock"):
            self.remember((row["source"], row["id"]))

    def remember(self, key):
        self.seen.append(key)
        if len(self.seen) > self.remember_max:
            self.seen.popleft()

    async def handle(self, event):
        if self.loading is None:
            self.loading = asyncio.ensure_future(self.load())
        await asyncio.shield(self.loading)
        key = (event["source"], event["id"])
        while key in self.busy:
            await asyncio.wait([self.busy[key]])
        if key in self.seen:
            return
        self.busy[key] = asyncio.get_running_loop().create_future()
        try:
            data = event["data"]
            row = {"order": data["order_id"], "sku": data["sku"], "quantity": data["quantity"]}
            await self.disk.append("stock", {**row, "source": key[0], "id": key[1]})
            self.remember(key)
        finally:
            self.busy.pop(key).set_result(None)


class Inventory:
    """The misconceptions of 1.4, by switches."""

    by_id_alone = by_order = no_lock = mark_first = unbounded = memory_only = forget_all = swallow = False
    mark_then_effect = effect_then_mark = load_outside = load_all = scan = clear = False

    def __init__(self, disk, stock, remember_max=1000):
        self.disk = disk
        self.remember_max = remember_max
        self.seen = OrderedDict()
        self.loaded = False
        self.lock = asyncio.Lock()

    async def handle(self, event):
        if self.load_outside and not self.loaded:
            self.loaded = True
            await self.load()
        if self.no_lock:
            await self.work(event)
        else:
            async with self.lock:
                await self.work(event)

    def key(self, row):
        if self.by_order:
            return row["order"]
        return row["id"] if self.by_id_alone else (row["source"], row["id"])

    async def load(self):
        marks = self.mark_then_effect or self.effect_then_mark
        for row in await self.disk.read("marks" if marks else "stock"):
            self.remember(self.key(row), bound=not self.load_all)

    def remember(self, key, bound):
        self.seen[key] = None
        if bound and not self.unbounded and len(self.seen) > self.remember_max:
            if self.clear:
                self.seen.clear()
            else:
                self.seen.popitem(last=False)

    async def work(self, event):
        if self.scan:
            self.seen.clear()
        if (self.scan or not self.loaded) and not self.memory_only:
            await self.load()
        self.loaded = True
        data = event["data"]
        mark = {"source": event.source, "id": event.id}
        row = {"order": data["order_id"], "sku": data["sku"], "quantity": data["quantity"]}
        key = self.key(row | mark)
        if key in self.seen and not self.forget_all:
            return
        if self.mark_first:
            self.seen[key] = None
        try:
            if self.mark_then_effect:
                await self.disk.append("marks", mark)
            await self.disk.append("stock", row | mark)
            if self.effect_then_mark:
                await self.disk.append("marks", mark)
        except OSError:
            if not self.swallow:
                raise
        self.remember(key, bound=True)


def inventory(**switches):
    return type("MyInventory", (Inventory,), switches)


# ---- 1.5 -------------------------------------------------------------------------------------------------


class ProcessDied(Exception):
    pass


class Deliverer:
    """The misconceptions of 1.5, by switches; with none of them, a right answer."""

    attempts_max = 5
    on_disk = True
    letter_each_time = no_letter = vague = hurried = any_offset = no_error = False
    topic = ""
    replays_both = False

    def __init__(self, handler, dead_letters, *, name, ports):
        self.handler, self.dead_letters, self.name, self.ports = handler, dead_letters, name, ports

    async def deliver(self, offset, event):
        row = {"offset": offset, "attempts": 0, "first": None}
        for kept in await self.ports.disk.read(f"attempts-{self.name}") if self.on_disk else []:
            if kept["offset"] == offset or self.any_offset:
                row = kept | {"offset": offset}
        error = None if self.no_error else ProcessDied("it ended while it handled this event")
        while self.attempts_max is None or row["attempts"] < self.attempts_max:
            row["attempts"] += 1
            row["first"] = row["first"] or self.ports.clock.now()
            if self.on_disk:
                await self.ports.disk.replace(f"attempts-{self.name}", [row])
            try:
                await self.handler(event)
                return
            except Exception as problem:
                error = problem
                if self.letter_each_time:
                    await self.letter(offset + row["attempts"] * 1000, event, row, error)
            if not self.hurried:
                await asyncio.sleep(0.1)
        if not self.no_letter and not self.letter_each_time:
            await self.letter(offset, event, row, error)

    async def letter(self, offset, event, row, error):
        known = {"attempts": row["attempts"], "error": type(error).__name__, "message": str(error)}
        if self.vague:
            known = {"attempts": 1, "error": "Error", "message": ""}
        now = self.ports.clock.now()
        await self.dead_letters.put(
            DeadLetter(
                event=event,
                subscription=self.name,
                topic=self.topic or event.type,
                offset=offset,
                first_time=row["first"],
                last_time=now if not self.hurried else row["first"],
                **known,
            )
        )

    async def replay(self):
        well, failed = await self.dead_letters.replay(self.handler)
        return (well, failed) if self.replays_both else well


def deliverer(**switches):
    return type("MyDeliverer", (Deliverer,), switches)


# ---- 1.7 -------------------------------------------------------------------------------------------------


class Box:
    """The misconceptions of 1.7, by switches; with none of them, a right answer that polls."""

    announce_first = two_writes = mark_first = new_event = False

    def __init__(self, log, *, ports):
        self.log, self.disk, self.random = log, ports.disk, ports.random

    async def place(self, order):
        event = Event("order_created", "shop", order)
        if self.announce_first:
            await self.log.append(event)
        await self.disk.append("orders", {"order": order, "event": event.to_dict()})
        if self.two_writes:
            await self.log.append(event)

    async def relay(self):
        while not (self.two_writes or self.announce_first):
            sent = len(await self.disk.read("sent"))
            for row in (await self.disk.read("orders"))[sent:]:
                if self.mark_first:
                    await self.disk.append("sent", {"order": row["order"]["order_id"]})
                event = Event.from_dict(row["event"])
                if self.new_event:
                    event = Event("order_created", "shop", row["order"], id=str(self.random.random()))
                await self.log.append(event)
                if not self.mark_first:
                    await self.disk.append("sent", {"order": row["order"]["order_id"]})
            await asyncio.sleep(0.02)


def box(**switches):
    return type("MyBox", (Box,), switches)


RIGHT = {
    "1.1": uuid5_of_sorted_pairs,
    "1.2": InTurn,
    "1.3": one_at_a_time,
    "1.4": TaskInventory,
    "1.5": Deliverer,
    "1.6": lambda: ("every acknowledged order reaches every subscriber", 498, 7),
    "1.7": Box,
}

MISCONCEPTIONS = {
    "1.1": [
        ("text.encode()", without_encode),
        ("Its .hexdigest()", hash_object),
        ("These are bytes", digest_bytes),
        ("salts hash()", salted),
        ("A clock, a counter or a random number", with_the_clock),
        ("A clock, a counter or a random number", with_chance),
        ("Write the keys sorted", unsorted_keys),
        ("The dicts inside", sorted_outside),
        ("the type belongs in the id", without_the_type),
        ("may be nested", flat),
        ("cut short", cut_short(6)),
        ("cut short", cut_short(8)),
    ],
    "1.2": [
        ("came out of publish", Gather),
        ("until the slowest handler", GatherExceptions),
        ("one after the other", OneAfterTheOther),
        ("hold the same dict", SharedDict),
        ("ended a background task", DiesOfAnException),
        ("each publish started another worker", publisher(each_publish=True)),
        ("Each event has a task of its own", TaskPerDelivery),
        ("second type", publisher(first_publish=True)),
        ("start one for each queue that has none", publisher(first_of_type=True)),
        ("A bare `except:`", publisher(bare_except=True)),
    ],
    "1.3": [
        ("move on", consumer(step=0)),
        ("*next* one to read", one_short),
        ("before it was handled", consumer(early=True)),
        ("passed it all the same", consumer(on_error="skip")),
        ("the consumer ended", consumer(on_error="die")),
        ("without `await`", never_awaited),
        ("move on", stands_still),
    ],
    "1.4": [
        ("(source, id), not by its id alone", inventory(by_id_alone=True)),
        ("does not name the event", inventory(by_order=True)),
        ("An asyncio.Lock around both", inventory(no_lock=True)),
        ("Load under the lock", inventory(load_outside=True)),
        ("Mark it after the write", inventory(mark_first=True)),
        ("Let the OSError go up", inventory(swallow=True)),
        ("Forget the oldest id", inventory(unbounded=True)),
        ("it had forgotten what it had seen", inventory(memory_only=True)),
        ("skip what was seen", inventory(forget_all=True)),
        ("Mark and effect are two writes", inventory(mark_then_effect=True)),
        ("Mark and effect are two writes", inventory(effect_then_mark=True)),
        ("The bound holds while loading", inventory(load_all=True)),
        ("reads the whole file again", inventory(scan=True, load_all=True)),
        ("does not name the event", inventory(scan=True, load_all=True, by_order=True)),
        ("The wrong ids were forgotten", inventory(clear=True)),
    ],
    "1.5": [
        ("Try up to five times", deliverer(attempts_max=1)),
        ("One letter an event", deliverer(no_letter=True)),
        ("has nothing else", deliverer(vague=True)),
        ("topic='inventory', not 'order_created'", deliverer(topic="inventory")),
        ("Return the first", deliverer(replays_both=True)),
        ("Note the time before the first", deliverer(hurried=True)),
        ("*before* the attempt", deliverer(on_disk=False)),
        ("start from zero", deliverer(any_offset=True)),
        ("Start from 'ProcessDied'", deliverer(no_error=True)),
    ],
    "1.6": [
        ("read the verdicts", lambda: ("an order leaves the stock once", 1, 1)),
        ("is no int", lambda: ("every acknowledged order reaches every subscriber", "498", 7)),
        ("offered it again", lambda: ("every acknowledged order reaches every subscriber", 509, 7)),
        ("What has not happened yet", lambda: ("every acknowledged order reaches every subscriber", 498, 8)),
    ],
    "1.7": [
        ("went out before the order was stored", box(announce_first=True)),
        ("made a new event", box(new_event=True)),
        ("Mark it when append has returned", box(mark_first=True)),
        ("between the two writes", box(two_writes=True)),
    ],
}

# They pass their check, because they are fitted to the plans that it shows.
FITTED = {"1.3": early_but_where_the_check_crashes}
