"""The publisher: `publish` puts an event into a log, `subscribe` gives a handler its own way through it.

Nothing here calls a handler from `publish`. The publisher waits for the log and for nobody else, so it learns
nothing of its subscribers: not how many there are, not how slow, not whether they are up. That is what *loose
coupling* means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import file_name, ports_or_local, text, whole
from lessonlib.event_driven.dead_letters import DeadLetterQueue
from lessonlib.event_driven.delivery import Delivery
from lessonlib.event_driven.event import Event, rfc3339
from lessonlib.event_driven.handlers import Handler, handler_name
from lessonlib.event_driven.log import EventLog
from lessonlib.event_driven.remote import RemoteEventLog
from lessonlib.event_driven.subscription import Subscription
from lessonlib.ports import Ports


class ConfigError(LessonError):
    """`broker_config` does not say where the log is."""


class EventPublisher:
    """Publishes events and runs subscriptions.

    Args:
        broker_config: where the log is: `{"type": "memory"}`, or `{"type": "remote", "address": "broker"}`.
            `{}` and None mean memory.
        ports: the world; left out, a real one (`local_ports()`).
        source: who says what is published (CloudEvents `source`).
        attempts_max: how often a handler is tried with an event before it becomes a dead letter.

    Raises ConfigError when `broker_config` makes no sense.

        async with EventPublisher({"type": "memory"}) as publisher:
            publisher.subscribe("order_created", InventoryManager(stock={"tea": 10}))
            await publisher.publish("order_created", {"order_id": 1, "sku": "tea", "quantity": 2})
            await publisher.drain()
    """

    def __init__(
        self,
        broker_config: Mapping[str, Any] | None = None,
        *,
        ports: Ports | None = None,
        source: str = "shop",
        attempts_max: int = 5,
    ) -> None:
        text("source", source, example="shop")
        whole("attempts_max", attempts_max, least=1)
        self._ports = ports_or_local(ports)
        self.log = _open_log(broker_config, self._ports)
        self.dead_letters = DeadLetterQueue(self._ports.disk)
        self.source = source
        self._attempts_max = attempts_max
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def subscribe(self, event_type: str, handler: Handler, *, name: str = "") -> Subscription:
        """Let `handler` have every event of `event_type` ("*" for all), from the first one in the log on.

        Args:
            name: whose cursor it is; left out, the handler's own name. A name can be used once.

        Raises LessonError for a handler that is none, or a name that is taken.
        """
        self._check_open()
        text("event_type", event_type, example="order_created")
        own_name = handler_name(handler)  # refuses what is no handler
        name = own_name if name == "" else name
        file_name("name", name, example="inventory")
        if name in self._subscriptions:
            raise LessonError(
                f"name={name!r} is taken by another subscription; give this one a name of its own: name='...'"
            )
        delivery = Delivery(
            handler, self.dead_letters, name=name, attempts_max=self._attempts_max, ports=self._ports
        )
        subscription = Subscription(self.log, name, delivery.deliver, event_type=event_type)
        self._subscriptions[name] = subscription
        self._start()
        return subscription

    async def publish(
        self, event_type: str, event_data: Any, *, subject: str = "", event_id: str = ""
    ) -> Event:
        """Make an event and append it to the log; return it once it is durable there.

        Args:
            subject: what it is about: the key within which order matters.
            event_id: left out, it follows from type and data, so publishing the same again is the same event.

        Raises NotAcknowledged when a remote log does not answer, OSError when a local one cannot write.
        """
        self._check_open()
        text("event_type", event_type, example="order_created")
        self._start()
        event = Event(
            type=event_type,
            source=self.source,
            data=event_data,
            id=event_id,
            time=rfc3339(self._ports.clock.now()),
            subject=subject,
        )
        await self.log.append(event)
        return event

    async def drain(self) -> None:
        """Wait until every subscription has passed the end that the log has now. Raises what ended one."""
        self._check_open()
        self._start()
        end = await self.log.end()
        for name, subscription in self._subscriptions.items():
            reached = asyncio.create_task(subscription.reached(end), name=f"drain {name}")
            try:
                await asyncio.wait((reached, self._tasks[name]), return_when=asyncio.FIRST_COMPLETED)
                if not reached.done():
                    self._tasks[name].result()  # it runs for ever, unless an error ended it
            finally:
                reached.cancel()

    async def aclose(self) -> None:
        """Stop the subscriptions where they are. Their cursors are in the log; nothing is lost."""
        self._closed = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if isinstance(self.log, RemoteEventLog):
            await self.log.aclose()

    async def __aenter__(self) -> EventPublisher:
        self._check_open()
        self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _start(self) -> None:
        """Start the subscriptions that do not run yet. Before the event loop runs, there is nothing to start."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        for name, subscription in self._subscriptions.items():
            if name not in self._tasks:
                self._tasks[name] = loop.create_task(subscription.run(), name=f"subscription {name}")

    def _check_open(self) -> None:
        if self._closed:
            raise LessonError("this EventPublisher is closed; make a new one")


def _open_log(broker_config: Mapping[str, Any] | None, ports: Ports) -> EventLog | RemoteEventLog:
    config = dict(broker_config or {"type": "memory"}) if isinstance(broker_config, Mapping | None) else {}
    kind = config.pop("type", None)
    if kind == "memory" and not config:
        return EventLog(ports.disk)
    if kind == "remote" and list(config) == ["address"]:
        return RemoteEventLog(config["address"], ports)
    raise ConfigError(
        f"broker_config={broker_config!r} says nothing that is known; write {{'type': 'memory'}} or "
        "{'type': 'remote', 'address': 'broker'}"
    )
