"""The simulated network: it delays, loses, repeats and reorders messages, and says so in the history.

Without faults a link is like a TCP connection: it delivers in order, after a small random latency. Each link
draws from streams of its own, one for each purpose, so that a fault added to one does not reshuffle others.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from lessonlib.lab.faults import (
    Delay,
    Duplication,
    Fault,
    FlappingLink,
    Loss,
    OneWayPartition,
    Partition,
    Reordering,
    _LinkFault,
)
from lessonlib.lab.history import Record
from lessonlib.ports import PortError, plain

if TYPE_CHECKING:
    from lessonlib.lab.world import World

LATENCY_US = (500, 1_500)  # one way, within one data centre
COPY_US_MAX = 1_000_000  # how much later than the original a duplicate may come
INBOX_MAX = 100_000  # messages that a node may leave unread before the rest is dropped


class _Link:
    """One direction between two nodes."""

    __slots__ = ("latency", "latest_us", "source", "to")

    def __init__(self, source: str, to: str, seed: object) -> None:
        self.source = source
        self.to = to
        self.latest_us = 0  # when the last message arrives: the next one arrives no sooner
        self.latency = Random(f"{seed}/latency/{source}>{to}").random


class Network:
    """All links of a world."""

    def __init__(
        self, world: World, latency_us: tuple[int, int] = LATENCY_US, *, recorded: bool = True
    ) -> None:
        self._world = world
        self.latency_us = latency_us
        self._recorded = recorded  # whether sent and delivered messages go into the history
        self._links: dict[tuple[str, str], _Link] = {}
        self._sent = 0
        self._faults: list[_LinkFault] = []
        self._cuts: list[Partition | OneWayPartition | FlappingLink] = []
        self._chance: dict[str, Random] = {}

    def begin(self, fault: Fault) -> None:
        """Put a fault of links into force."""
        if isinstance(fault, _LinkFault):
            self._faults.append(fault)
        elif isinstance(fault, Partition | OneWayPartition | FlappingLink):
            self._cuts.append(fault)

    def end(self, fault: Fault) -> None:
        """Take a fault of links out of force."""
        self._faults = [f for f in self._faults if f is not fault]
        self._cuts = [f for f in self._cuts if f is not fault]

    def send(self, source: str, to: str, message: Any) -> None:
        """Take a message. Whether and when it arrives, the sender never learns."""
        world = self._world
        loop = world.loop
        if type(to) is not str:
            raise PortError(f"send(to, message) takes the name of a node, not {to!r:.60}")
        body = plain(message)
        self._sent += 1
        number = self._sent
        if self._recorded:
            world.history.records.append(
                Record(loop.now_us, "sent", source, {"to": to, "message": number, "body": body})
            )
        link = self._links.get((source, to))
        if link is None:
            link = self._links[source, to] = _Link(source, to, world.seed)
        low, high = self.latency_us
        due_us = loop.now_us + low + int(link.latency() * (high - low))
        if self._faults or self._cuts:
            self._send_under_faults(link, number, body, due_us)
            return
        if due_us < link.latest_us:
            due_us = link.latest_us
        link.latest_us = due_us
        loop.at_us(due_us, self._deliver, link, number, body)

    def _send_under_faults(self, link: _Link, number: int, body: Any, due_us: int) -> None:
        loop = self._world.loop
        if self._is_cut(link):
            self._drop(link, number, "partition")
            return
        copies, overtaken = 1, False
        copier: Duplication | None = None
        for fault in self._faults:
            if not fault.on(link.source, link.to):
                continue
            if isinstance(fault, Delay):
                due_us += round(fault.by_s * 1e6)
            elif not self._strikes(fault, link):
                continue
            elif isinstance(fault, Loss):
                self._drop(link, number, "loss")
                return
            elif isinstance(fault, Duplication):
                copies, copier = copies + 1, fault
            elif isinstance(fault, Reordering):
                due_us += int(self._stream(fault, link, "by").random() * fault.by_s * 1e6)
                overtaken = True
        if not overtaken:
            due_us = link.latest_us = max(due_us, link.latest_us)
        for copy in range(copies):
            later_us = (
                int(self._stream(copier, link, "later").random() * COPY_US_MAX) if copier and copy else 0
            )
            loop.at_us(due_us + later_us, self._deliver, link, number, body)

    def _is_cut(self, link: _Link) -> bool:
        now_us = self._world.loop.now_us
        return any(
            cut.cuts(link.source, link.to) and (not isinstance(cut, FlappingLink) or cut.is_cut(now_us))
            for cut in self._cuts
        )

    def _strikes(self, fault: _LinkFault, link: _Link) -> bool:
        probability: float = getattr(fault, "probability", 1.0)
        return self._stream(fault, link, "whether").random() < probability

    def _stream(self, fault: Fault, link: _Link, purpose: str) -> Random:
        name = f"{self._world.seed}/{type(fault).__name__}/{purpose}/{link.source}>{link.to}"
        stream = self._chance.get(name)
        if stream is None:
            stream = self._chance[name] = Random(name)
        return stream

    def _drop(self, link: _Link, number: int, reason: str) -> None:
        self._world.record("dropped", link.to, source=link.source, message=number, reason=reason)

    def _deliver(self, link: _Link, number: int, body: Any) -> None:
        world = self._world
        node = world.nodes.get(link.to)
        if node is None:
            self._drop(link, number, "no such node")
        elif not node.up:
            self._drop(link, number, "node is down")
        elif self._cuts and self._is_cut(link):
            self._drop(link, number, "partition")
        elif len(node.inbox.messages) >= INBOX_MAX:
            self._drop(link, number, "inbox full")
        else:
            if self._recorded:
                world.history.records.append(
                    Record(
                        world.loop.now_us, "delivered", link.to, {"source": link.source, "message": number}
                    )
                )
            # A copy of its own: the record of the sending, and a duplicate, must not see what the receiver does.
            node.inbox.put((link.source, plain(body)))
