"""Who is alive? A node that keeps silent for longer than a timeout is suspected.

A failure detector cannot know. A node that is dead, one that is slow and one that is cut off look the same from
here: silent. So it *suspects*, and takes the suspicion back when it hears from the node again. Two things are asked
of it (Chandra and Toueg, *Unreliable Failure Detectors for Reliable Distributed Systems*, 1996):

- *completeness*: a dead node is suspected, here once it has been silent for `timeout_s`;
- *accuracy*: a live, connected node is not, here while its heartbeats are never further apart than that.

A longer timeout buys accuracy with time to detect, a shorter interval buys it with messages.

Time is an argument, in seconds of a clock that never jumps: `loop.time()`. The calendar does jump, when an operator
or a time server sets it, and then everyone is dead, or nobody for an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import seconds, text
from lessonlib.ports import Ports


class Detector(Protocol):
    """What a cluster needs of a failure detector; `HeartbeatMonitor` and `PhiAccrualDetector` are two."""

    def watch(self, node: str, now_s: float) -> None:
        """Begin to watch `node`."""

    def heard(self, node: str, now_s: float) -> None:
        """A heartbeat of `node` arrived."""

    def forget(self, node: str) -> None:
        """Watch `node` no longer."""

    def suspects(self, now_s: float) -> list[str]:
        """Return the watched nodes that are suspected, sorted."""

    def alive(self, now_s: float) -> list[str]:
        """Return the watched nodes that are not suspected, sorted."""


class HeartbeatMonitor:
    """Suspects a watched node that was not heard of for longer than `timeout_s`.

    Args:
        timeout_s: how long a node may keep silent, in seconds. Several heartbeats should fit, since single ones are
            lost: Raft's election timeout, for one, is an order of magnitude above the time of a message (§5.6).

    Raises LessonError for a timeout that is not a number of seconds above 0.
    """

    def __init__(self, timeout_s: float) -> None:
        seconds("timeout_s", timeout_s, positive=True)
        self.timeout_s = timeout_s
        self._heard_s: dict[str, float] = {}

    def watch(self, node: str, now_s: float) -> None:
        """Begin to watch `node`, or begin anew. Its silence counts from now: a node that is never heard of is
        suspected like any other."""
        name_and_time(node, now_s)
        self._heard_s[node] = now_s

    def heard(self, node: str, now_s: float) -> None:
        """A heartbeat of `node` arrived at `now_s`; a suspicion ends.

        One of a node that is not watched changes nothing: a message that was long on its way must not bring back
        what was forgotten.
        """
        name_and_time(node, now_s)
        if node in self._heard_s:
            self._heard_s[node] = max(now_s, self._heard_s[node])

    def forget(self, node: str) -> None:
        """Watch `node` no longer; nothing happens when it is not watched."""
        self._heard_s.pop(node, None)

    def silence_s(self, node: str, now_s: float) -> float:
        """Return for how many seconds `node` has been silent. Raises LessonError when it is not watched."""
        name_and_time(node, now_s)
        if node not in self._heard_s:
            raise LessonError(not_watched(node, self._heard_s))
        return max(0.0, now_s - self._heard_s[node])

    def suspects(self, now_s: float) -> list[str]:
        """Return the watched nodes that have been silent for longer than the timeout, sorted."""
        seconds("now_s", now_s)
        return sorted(node for node in self._heard_s if self.silence_s(node, now_s) > self.timeout_s)

    def alive(self, now_s: float) -> list[str]:
        """Return the watched nodes that are not suspected, sorted."""
        return sorted(self._heard_s.keys() - self.suspects(now_s))


async def beat(to: str, *, interval_s: float, ports: Ports) -> NoReturn:
    """Send a heartbeat to the node `to` every `interval_s` seconds, for ever, the first one at once."""
    text("to", to, example="watcher")
    seconds("interval_s", interval_s, positive=True)
    while True:
        ports.transport.send(to, {"type": "heartbeat"})
        await asyncio.sleep(interval_s)


async def keep_watch(
    detector: Detector,
    nodes: Iterable[str],
    *,
    ports: Ports,
    look_s: float = 0.05,
    on_look: Callable[[float, list[str]], None] | None = None,
) -> NoReturn:
    """Watch `nodes`: hand the heartbeats that arrive to `detector`, and ask it every `look_s` whom it suspects.

    Args:
        detector: a HeartbeatMonitor, say.
        nodes: whom to watch, by name.
        ports: where messages come from.
        look_s: how often to look, in seconds: so much later than at once a suspicion is seen.
        on_look: told at each look the time and who is suspected.
    """
    seconds("look_s", look_s, positive=True)
    for method in ("heard", "watch", "suspects"):
        if not callable(getattr(detector, method, None)):
            raise LessonError(
                f"detector={detector!r:.60} has no {method}; give for instance HeartbeatMonitor(1.0)"
            )
    if isinstance(nodes, str):
        raise LessonError(f"nodes={nodes!r:.60} is one name; write [{nodes!r:.60}]")
    loop = asyncio.get_running_loop()
    for node in nodes:
        detector.watch(node, loop.time())

    async def listen() -> None:
        while True:
            sender, message = await ports.transport.receive()
            if message.get("type") == "heartbeat":
                detector.heard(sender, loop.time())

    async def look() -> None:
        while True:
            asked_s = loop.time()
            await asyncio.sleep(look_s)
            now_s = loop.time()
            if now_s - asked_s > 2 * look_s:
                continue  # it was we who stood still: read first what has arrived meanwhile
            suspected = detector.suspects(now_s)
            if on_look is not None:
                on_look(now_s, suspected)

    async with asyncio.TaskGroup() as group:
        group.create_task(listen(), name="listens for heartbeats")
        group.create_task(look(), name="looks who is silent")
    raise AssertionError("both tasks go on for ever")


def name_and_time(node: str, now_s: float) -> None:
    """Refuse a node without a name and a time that is none."""
    text("node", node, example="node-1")
    seconds("now_s", now_s)


def not_watched(node: str, watched: object) -> str:
    """Return the sentence that refuses to speak of a node that is not watched."""
    names = ", ".join(sorted(watched)) or "nobody"  # type: ignore[call-overload]
    return f"node={node!r:.60} is not watched, {names} is; call watch(node, now_s) first"
