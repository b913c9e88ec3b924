"""The textbook version: what a course prints on one page, with the same interface as the pattern.

It is short, it is plausible, and on a good day it works. Each defect is marked where it stands, as D1 to D10, and
`DEFECTS` says what it is: apart, so that who reads the source can still predict what it will do.
`Caller` and `answer` are the usual way to spread it over machines: one remote call for each subscriber.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from lessonlib.event_driven.event import Event
from lessonlib.ports import Disk, Ports, Transport, local_ports

EventDict = dict[str, Any]

DEFECTS = {
    "D1": "one exception fails publish, and nobody learns what became of the others",
    "D2": "publish returns when the slowest handler does",
    "D3": "the subscribers are in memory only: after a restart the list is empty, and nobody will fill it again",
    "D4": "hash() of a str is salted anew in each process, and the clock moves: a retry gets a new id, "
    "and no handler could recognise it",
    "D5": "all handlers share one dict",
    "D6": "with no subscriber the event vanishes, and publish says that it is done",
    "D7": "an EventHandler object goes in without a word and fails at the first publish: it is not callable",
    "D8": "local time without a zone",
    "D9": "the event is kept nowhere, so whoever was down has missed it and nothing can be replayed",
    "D10": "nobody looks at broker_config; there is no broker, and so no log",
}


class EventPublisher:
    """Keeps a list of handlers and calls them.

    `ports`, `hash_function` and `now` are there for the laboratory, which simulates network, salt and clock.
    """

    def __init__(
        self,
        broker_config: Any = None,  # D10
        *,
        ports: Ports | None = None,
        hash_function: Callable[[Any], int] = hash,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.broker_config = broker_config
        self.subscribers: dict[str, list[Callable[[EventDict], Awaitable[Any]]]] = {}  # D3
        self._hash = hash_function
        self._now = now

    def subscribe(self, event_type: str, handler: Callable[[EventDict], Awaitable[Any]]) -> None:
        self.subscribers.setdefault(event_type, []).append(handler)  # D7

    async def publish(self, event_type: str, event_data: EventDict) -> EventDict:
        now = self._now()  # D8
        event = {
            "id": f"{self._hash(event_type + str(event_data))}-{now.isoformat()}",  # D4
            "type": event_type,
            "data": event_data,
            "timestamp": now.isoformat(),
        }
        handlers = self.subscribers.get(event_type, [])  # D6
        await asyncio.gather(*(handler(event) for handler in handlers))  # D1, D2, D5
        return event  # D9


class EventHandler(ABC):
    @abstractmethod
    async def handle(self, event: EventDict) -> Any: ...


class OrderProcessor(EventHandler):
    """Confirms orders."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk if disk is not None else local_ports().disk

    async def handle(self, event: EventDict) -> None:
        await self.disk.append("confirmed", {"order": event["data"]["order_id"], "status": "confirmed"})


class InventoryManager(EventHandler):
    """Takes what was ordered from the stock, each time it is told to."""

    def __init__(self, disk: Disk | None = None, stock: dict[str, int] | None = None) -> None:
        self.disk = disk if disk is not None else local_ports().disk
        self.stock = dict(stock or {})  # in memory: after a restart it is the first day again

    async def handle(self, event: EventDict) -> None:
        order = event["data"]
        self.stock[order["sku"]] = self.stock.get(order["sku"], 0) - order["quantity"]  # D4
        await self.disk.append(
            "stock", {"order": order["order_id"], "sku": order["sku"], "quantity": order["quantity"]}
        )


class Caller:
    """Calls handlers on other machines, as an HTTP client would: one request, one answer, one time-out."""

    def __init__(self, transport: Transport, *, timeout_s: float = 1.0) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._count = 0

    def to(self, address: str) -> Callable[[EventDict], Awaitable[None]]:
        """Return a handler that hands the event to the handler at `address`. Raises what that one raised."""

        async def call(event: EventDict) -> None:
            self._count += 1
            number = self._count
            answer = self._answers[number] = asyncio.get_running_loop().create_future()
            self._transport.send(address, {"call": number, "event": event})
            try:
                async with asyncio.timeout(self._timeout_s):
                    error = await answer
            except TimeoutError:
                raise ConnectionError(f"{address} did not answer within {self._timeout_s:g} s") from None
            finally:
                del self._answers[number]
            if error is not None:
                raise RuntimeError(f"{address}: {error}")

        return call

    async def run(self, on_register: Callable[[str, str], None]) -> None:
        """Receive answers, and registrations of subscribers, for ever."""
        while True:
            sender, message = await self._transport.receive()
            if "register" in message:
                on_register(message["register"], sender)  # D3
            elif (answer := self._answers.get(message["answers"])) is not None and not answer.done():
                answer.set_result(message["error"])


async def answer(
    handler: Callable[[EventDict], Awaitable[Any]], transport: Transport, *, publisher: str, event_type: str
) -> None:
    """A subscriber's main task: register with the publisher once, then handle what comes."""
    transport.send(publisher, {"register": event_type})
    tasks: set[asyncio.Task[None]] = set()

    async def serve(message: Any) -> None:
        error = None
        try:
            await handler(message["event"])
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        transport.send(publisher, {"answers": message["call"], "error": error})

    while True:
        _, message = await transport.receive()
        task = asyncio.create_task(serve(message), name="handle a call")
        tasks.add(task)
        task.add_done_callback(tasks.discard)


class DualWriteShop:
    """Stores an order, then announces it: two writes, and a crash fits between them."""

    def __init__(self, log: Any, *, ports: Ports | None = None) -> None:
        self._log = log
        self._ports = ports if ports is not None else local_ports()

    async def place(self, order: dict[str, Any]) -> None:
        await self._ports.disk.append("orders", {"order": order})
        await self._log.append(Event("order_created", "shop", order))
