"""What makes no sense is refused with one sentence that names the argument, the value and the remedy."""

import asyncio
import inspect
import re

import pytest

from lessonlib.errors import LessonError
from lessonlib.event_driven import (
    DeadLetterQueue,
    Delivery,
    Event,
    EventLog,
    EventPublisher,
    InventoryManager,
    LogServer,
    OrderProcessor,
    Outbox,
    RemoteEventLog,
    Subscription,
    event_id,
)
from lessonlib.ports import local_ports


class Nothing:
    """An object that can nothing."""

    def __repr__(self):
        return "Nothing()"


NOTHING = Nothing()
EVENT = Event("order_created", "shop", {"order_id": 1})
TYPES = [None, 7, "", True, b"x", ["order_created"]]
TEXTS = [None, 7, "", True, ["inventory"]]
COUNTS = [0, -1, None, "3", True, 1.5, float("nan")]
OFFSETS = [-1, None, "0", True, 1.5]
SECONDS = [-1, None, "1", True, float("nan"), float("inf")]
POSITIVE_SECONDS = [0, *SECONDS]
OBJECTS = [7, "object", NOTHING, EventLog]
FILES = [*TEXTS, "a/b", "a\\b"]


def handler(event):
    pass


async def deliver(offset, event):
    pass


def remote(**options):
    return RemoteEventLog("broker", local_ports(), **options)


def delivery(**options):
    return Delivery(handler, DeadLetterQueue(), **options)


# what is called, as text → (the argument that must be named, a call with one value, the values to refuse)
TABLE = {
    "event_id(event_type)": ("event_type", lambda v: event_id(v, {}), [None, 7, True]),
    "event_id(event_data)": (
        "event_data",
        lambda v: event_id("t", v),
        [{1, 2}, b"x", NOTHING, {1: 2}, {"a": {3}}],
    ),
    "Event(type)": ("type", lambda v: Event(v, "shop"), TYPES),
    "Event(source)": ("source", lambda v: Event("t", v), TEXTS),
    "Event(data)": ("event_data", lambda v: Event("t", "s", v, id="1"), [{1, 2}, NOTHING, {1: 2}, [[{4}]]]),
    "Event(id)": ("id", lambda v: Event("t", "s", id=v), [None, 7, True]),
    "Event(time)": ("time", lambda v: Event("t", "s", time=v), [None, 7, "now", "2026-01-01T00:00:00"]),
    "Event(subject)": ("subject", lambda v: Event("t", "s", subject=v), [None, 7]),
    "Event(specversion)": ("specversion", lambda v: Event("t", "s", specversion=v), [None, "0.3", 1.0]),
    "Event.from_dict": (
        "record",
        Event.from_dict,
        [None, 7, {}, {"type": "t"}, {"type": "t", "source": "s", "x": 1}],
    ),
    "EventLog(disk)": ("disk", EventLog, OBJECTS),
    "EventLog(events_max)": ("events_max", lambda v: EventLog(events_max=v), COUNTS),
    "EventLog.append": ("event", lambda v: EventLog().append(v), [None, 7, {}, EVENT.to_dict(), Event]),
    "EventLog.read(offset)": ("offset", lambda v: EventLog().read(v), OFFSETS),
    "EventLog.read(limit)": ("limit", lambda v: EventLog().read(0, limit=v), COUNTS),
    "EventLog.read(wait_s)": ("wait_s", lambda v: EventLog().read(0, wait_s=v), SECONDS),
    "EventLog.committed": ("subscription", lambda v: EventLog().committed(v), TEXTS),
    "EventLog.cursor": ("subscription", lambda v: EventLog().cursor(v), TEXTS),
    "EventLog.commit(subscription)": ("subscription", lambda v: EventLog().commit(v, 0), TEXTS),
    "EventLog.commit(offset)": ("offset", lambda v: EventLog().commit("inventory", v), [*OFFSETS, 1]),
    "EventLog.rewind(subscription)": ("subscription", lambda v: EventLog().rewind(v), TEXTS),
    "EventLog.rewind(offset)": ("offset", lambda v: EventLog().rewind("inventory", v), [*OFFSETS, 1]),
    "RemoteEventLog(address)": ("address", lambda v: RemoteEventLog(v, local_ports()), TEXTS),
    "RemoteEventLog(ports)": ("ports", lambda v: RemoteEventLog("broker", v), [None, *OBJECTS]),
    "RemoteEventLog(give_up_s)": ("give_up_s", lambda v: remote(give_up_s=v), POSITIVE_SECONDS),
    "RemoteEventLog.append": ("event", lambda v: remote().append(v), [None, 7, {}, EVENT.to_dict()]),
    "RemoteEventLog.read(offset)": ("offset", lambda v: remote().read(v), OFFSETS),
    "RemoteEventLog.read(limit)": ("limit", lambda v: remote().read(0, limit=v), COUNTS),
    "RemoteEventLog.read(wait_s)": ("wait_s", lambda v: remote().read(0, wait_s=v), SECONDS),
    "RemoteEventLog.committed": ("subscription", lambda v: remote().committed(v), TEXTS),
    "RemoteEventLog.commit(subscription)": ("subscription", lambda v: remote().commit(v, 0), TEXTS),
    "RemoteEventLog.commit(offset)": ("offset", lambda v: remote().commit("inventory", v), OFFSETS),
    "RemoteEventLog.rewind(subscription)": ("subscription", lambda v: remote().rewind(v), TEXTS),
    "RemoteEventLog.rewind(offset)": ("offset", lambda v: remote().rewind("inventory", v), OFFSETS),
    "LogServer(log)": ("log", lambda v: LogServer(v, local_ports()), [None, *OBJECTS]),
    "LogServer(ports)": ("ports", lambda v: LogServer(EventLog(), v), [None, *OBJECTS]),
    "Subscription(log)": ("log", lambda v: Subscription(v, "inventory", deliver), [None, *OBJECTS]),
    "Subscription(name)": ("name", lambda v: Subscription(EventLog(), v, deliver), FILES),
    "Subscription(deliver)": (
        "deliver",
        lambda v: Subscription(EventLog(), "inventory", v),
        [None, 7, "deliver"],
    ),
    "Subscription(event_type)": (
        "event_type",
        lambda v: Subscription(EventLog(), "inventory", deliver, event_type=v),
        TYPES,
    ),
    "Subscription.rewind": (
        "offset",
        lambda v: Subscription(EventLog(), "inventory", deliver).rewind(v),
        OFFSETS,
    ),
    "Subscription.reached": (
        "end",
        lambda v: Subscription(EventLog(), "inventory", deliver).reached(v),
        OFFSETS,
    ),
    "Delivery(handler)": (
        "handler",
        lambda v: Delivery(v, DeadLetterQueue()),
        [None, 7, "print", OrderProcessor],
    ),
    "Delivery(dead_letters)": ("dead_letters", lambda v: Delivery(handler, v), [None, 7, DeadLetterQueue]),
    "Delivery(name)": ("name", lambda v: delivery(name=v), FILES),
    "Delivery(attempts_max)": ("attempts_max", lambda v: delivery(attempts_max=v), COUNTS),
    "Delivery(retry_delay_s)": ("retry_delay_s", lambda v: delivery(retry_delay_s=v), SECONDS),
    "Delivery(handler_timeout_s)": (
        "handler_timeout_s",
        lambda v: delivery(handler_timeout_s=v),
        POSITIVE_SECONDS,
    ),
    "Delivery(ports)": ("ports", lambda v: delivery(ports=v), OBJECTS),
    "Delivery.deliver(offset)": ("offset", lambda v: delivery().deliver(v, EVENT), OFFSETS),
    "Delivery.deliver(event)": ("event", lambda v: delivery().deliver(0, v), [None, 7, {}]),
    "DeadLetterQueue(disk)": ("disk", DeadLetterQueue, OBJECTS),
    "DeadLetterQueue.put": ("letter", lambda v: DeadLetterQueue().put(v), [None, {}, EVENT]),
    "DeadLetterQueue.replay": ("handle", lambda v: DeadLetterQueue().replay(v), [None, 7, "print"]),
    "InventoryManager(disk)": ("disk", InventoryManager, OBJECTS),
    "InventoryManager(stock)": ("stock", lambda v: InventoryManager(stock=v), [7, "tea", ["tea"]]),
    "InventoryManager(stock of a sku)": (
        "stock['tea']",
        lambda v: InventoryManager(stock={"tea": v}),
        [*OFFSETS],
    ),
    "InventoryManager(sku)": ("sku", lambda v: InventoryManager(stock={v: 1}), [7, "", None]),
    "InventoryManager.handle": ("event", lambda v: InventoryManager().handle(v), [None, {}, EVENT.to_dict()]),
    "OrderProcessor(disk)": ("disk", OrderProcessor, OBJECTS),
    "OrderProcessor.handle": ("event", lambda v: OrderProcessor().handle(v), [None, {}, "order"]),
    "IdempotentHandler(file)": ("file", lambda v: _Handler(file=v), FILES),
    "IdempotentHandler(state)": ("state", lambda v: _Handler(state=v), [7, "state", []]),
    "IdempotentHandler(remember_max)": ("remember_max", lambda v: _Handler(remember_max=v), COUNTS),
    "Outbox(log)": ("log", Outbox, [None, *OBJECTS]),
    "Outbox(ports)": ("ports", lambda v: Outbox(EventLog(), ports=v), OBJECTS),
    "Outbox(source)": ("source", lambda v: Outbox(EventLog(), source=v), TEXTS),
    "Outbox.place": ("order", lambda v: Outbox(EventLog()).place(v), [None, 7, "order", []]),
    "EventPublisher(ports)": ("ports", lambda v: EventPublisher({}, ports=v), OBJECTS),
    "EventPublisher(source)": ("source", lambda v: EventPublisher(source=v), TEXTS),
    "EventPublisher(attempts_max)": ("attempts_max", lambda v: EventPublisher(attempts_max=v), COUNTS),
    "EventPublisher.subscribe(event_type)": (
        "event_type",
        lambda v: EventPublisher().subscribe(v, handler),
        TYPES,
    ),
    "EventPublisher.subscribe(handler)": (
        "handler",
        lambda v: EventPublisher().subscribe("t", v),
        [None, 7, "print", OrderProcessor],
    ),
    "EventPublisher.subscribe(name)": (
        "name",
        lambda v: EventPublisher().subscribe("t", handler, name=v),
        [v for v in FILES if v != ""],
    ),
    "EventPublisher.publish(event_type)": ("event_type", lambda v: EventPublisher().publish(v, {}), TYPES),
    "EventPublisher.publish(event_data)": (
        "event_data",
        lambda v: EventPublisher().publish("t", v),
        [{1, 2}, NOTHING, {1: 2}],
    ),
    "EventPublisher.publish(subject)": (
        "subject",
        lambda v: EventPublisher().publish("t", {}, subject=v),
        [None, 7],
    ),
    "EventPublisher.publish(event_id)": (
        "id",
        lambda v: EventPublisher().publish("t", {}, event_id=v),
        [None, 7],
    ),
}


class _Handler(OrderProcessor):
    def __init__(self, **options):
        super(OrderProcessor, self).__init__(**options)


def cases():
    found = []
    for what, (name, call, values) in TABLE.items():
        for value in values:
            found.append(pytest.param(name, call, value, id=f"{what} of {value!r:.30}"))
    return found


@pytest.mark.parametrize(("name", "call", "value"), cases())
def test_it_is_refused_in_one_sentence(name, call, value):
    async def trial():
        result = call(value)
        if inspect.isawaitable(result):
            await asyncio.wait_for(result, 5)

    with pytest.raises(LessonError) as refused:
        asyncio.run(trial())
    sentence = str(refused.value)
    assert re.search(rf"(^|\W){re.escape(name)}\b" if name[-1].isalpha() else re.escape(name), sentence), (
        sentence
    )
    shown = value.__name__ if isinstance(value, type) else repr(value)[:20]
    inside = value if isinstance(value, list | set | dict) else []
    assert shown in sentence or any(repr(part) in sentence for part in [*inside, 3, 4]), sentence
    assert re.search(r"; (give|write|use|make|and|else)|, so |is empty; |only \w", sentence), (
        f"no remedy: {sentence}"
    )
    assert "\n" not in sentence and sentence.count(". ") == 0, sentence
    assert len(sentence) < 200, sentence


def test_data_that_contains_itself_is_refused():
    endless = {"a": []}
    endless["a"].append(endless)
    for call in (lambda: event_id("t", endless), lambda: Event("t", "s", endless, id="1")):
        with pytest.raises(LessonError, match="event_data contains itself; use dicts and lists that end"):
            call()


def test_a_subscription_name_that_is_taken_is_refused():
    publisher = EventPublisher()
    publisher.subscribe("t", handler)
    with pytest.raises(
        LessonError, match="name='handler' is taken by another subscription; give this one a name"
    ):
        publisher.subscribe("t", handler)
