"""A member of a consumer group: reads the partitions that it is given, one batch after the other.

    poll → handle → save state and offset together → poll

It holds what the coordinator says, and nothing else. Work on a partition that it lost in the meantime is refused when
it is saved, and thrown away: whoever has the partition now does it again, from the same checkpoint.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import function, ports_or_local, seconds, text
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.remote import NotAcknowledged
from lessonlib.ports import Ports
from lessonlib.stream_processing.requests import Client

POLL_WAIT_S = 1.5
HEARTBEAT_S = 1.0
TROUBLE_WAIT_S = 0.5

Handle = Callable[[int, tuple[Event, ...], Any], Awaitable[Any] | Any]


@dataclass(slots=True)
class _Held:
    epoch: int
    offset: int
    state: Any


class ConsumerGroup:
    """One worker's membership of a group.

    Args:
        address: the coordinator's name on the network.
        handle: called with (partition, events, state), one batch at a time; changes `state` in place. What it does
            besides may happen twice. If it raises, the batch comes again after TROUBLE_WAIT_S.
        ports: this node's ports; the transport's name is the member's name.
        initial: makes the state of a partition that nobody has read yet; plain data.
        poll_wait_s: how long a poll waits for news.
    """

    def __init__(
        self,
        address: str,
        handle: Handle,
        *,
        ports: Ports | None = None,
        initial: Callable[[], Any] = dict,
        poll_wait_s: float = POLL_WAIT_S,
    ) -> None:
        text("address", address, example="broker")
        function("handle", handle, example="a function of (partition, events, state)")
        function("initial", initial, example="a function that makes an empty state, such as dict")
        seconds("poll_wait_s", poll_wait_s, positive=True)
        ports = ports_or_local(ports)
        self.name = ports.transport.name
        self._client = Client(address, ports)
        self._handle = handle
        self._initial = initial
        self._poll_wait_s = poll_wait_s
        self._held: dict[int, _Held] = {}
        self._released: list[list[int]] = []

    @property
    def partitions(self) -> tuple[int, ...]:
        """What this member reads now, as far as it knows."""
        return tuple(sorted(self._held))

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                try:
                    await self._turn()
                except NotAcknowledged:
                    continue
        finally:
            await self._client.aclose()

    async def _turn(self) -> None:
        released = self._released
        news = await self._client.ask(
            "poll",
            patience_s=self._poll_wait_s,
            member=self.name,
            incarnation=self._client.incarnation,
            holding={str(p): [held.epoch, held.offset] for p, held in self._held.items()},
            released=released,
            wait_s=self._poll_wait_s,
        )
        self._released = []
        for p, epoch in news["drop"]:
            self._held.pop(p, None)
            self._released.append([p, epoch])
        for p, given in news["hold"].items():
            state = self._initial() if given["state"] is None else given["state"]
            self._held[int(p)] = _Held(given["epoch"], given["offset"], state)
        for p, events in news["events"].items():
            await self._work(int(p), [(offset, Event.from_dict(event)) for offset, event in events])

    async def _work(self, partition: int, events: list[tuple[int, Event]]) -> None:
        held = self._held.get(partition)
        if held is None or held.offset != events[0][0]:
            return
        state = copy.deepcopy(held.state)  # until it is saved, it has not happened
        beat = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            result = self._handle(partition, tuple(event for _, event in events), state)
            if inspect.isawaitable(result):
                await result
        except Exception:
            await asyncio.sleep(TROUBLE_WAIT_S)
            return
        finally:
            beat.cancel()
        offset = events[-1][0] + 1
        try:
            kept = await self._client.ask(
                "save", partition=partition, epoch=held.epoch, offset=offset, state=state
            )
        except LessonError:
            kept = False  # nobody knows whether it was kept; whoever asks next will see
        if kept:
            held.offset, held.state = offset, state
        else:
            self._held.pop(partition, None)

    async def _beat(self) -> None:
        """Say that we live, while a batch takes its time."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._client.tell("heartbeat", member=self.name, incarnation=self._client.incarnation)
