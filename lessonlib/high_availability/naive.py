"""The textbook version: what a course prints on one page, with the same interface as the pattern.

It is short, it is plausible, and on a good day it works. Each defect is marked where it stands, as D1 to D8, and
`DEFECTS` says what it is: apart, so that who reads the source can still predict what it will do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lessonlib.ports import Disk, LocalHub, MemoryDisk, Ports, local_ports

DEFECTS = {
    "D1": "the lowest id leads without any vote: who cannot see a lower one leads, and a partition has two leaders",
    "D2": "heartbeats are written down, and nobody ever looks",
    "D3": "the dead node's state is read from the dead node, which never answers",
    "D4": "work that moves is not removed where it was: two nodes do it, should the first not be dead",
    "D5": "with no survivor the dead leader stays leader",
    "D6": "a node that returns is unknown: nothing it says is heard, nothing is sent to it, and it starts from nothing",
    "D7": "a write is acknowledged before anyone else has it",
    "D8": "the store takes what it is given, also from a leader that has been replaced",
}


class HeartbeatTable:
    """Keeps of every node when it was heard last, and its status. As long as nobody sets it, it is healthy."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.nodes: dict[str, dict[str, object]] = {}

    def watch(self, node: str, now_s: float) -> None:
        self.nodes[node] = {"status": "healthy", "last_heartbeat_s": now_s}

    def heard(self, node: str, now_s: float) -> None:
        self.nodes[node]["last_heartbeat_s"] = now_s

    def forget(self, node: str) -> None:
        del self.nodes[node]

    def suspects(self, now_s: float) -> list[str]:
        return sorted(name for name, node in self.nodes.items() if node["status"] == "failed")  # D2

    def alive(self, now_s: float) -> list[str]:
        return sorted(name for name, node in self.nodes.items() if node["status"] == "healthy")


class Store:
    """Where the leader writes what it has done: keeps the last value of each key."""

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._values: dict[str, Any] = {}

    async def write(self, key: str, value: Any, token: int | None) -> None:
        await self._disk.append("store", {"key": key, "value": value})
        self._values[key] = value  # D8

    async def read(self, key: str) -> Any:
        return self._values.get(key)


@dataclass
class Node:
    """What a member believes of a node."""

    state: str
    work: list[str]
    last_heartbeat_s: float | None = None


class HighAvailabilityManager:
    """One member of a cluster, `ports.transport.name` of node-1, node-2, ...; without ports, all of them."""

    def __init__(
        self,
        node_count: int = 3,
        *,
        ports: Ports | None = None,
        heartbeat_s: float = 0.05,
        work: Sequence[str] = (),
        on_transition: Callable[..., object] | None = None,
        on_applied: Callable[..., object] | None = None,
        on_assignment: Callable[..., object] | None = None,
    ) -> None:
        self._names = [f"node-{number}" for number in range(1, node_count + 1)]
        self._others: list[HighAvailabilityManager] = []
        if ports is None:
            hub = LocalHub()
            ports = local_ports(self._names[0], hub=hub)
            self._others = [
                HighAvailabilityManager(
                    node_count, ports=local_ports(name, hub=hub), heartbeat_s=heartbeat_s, work=work
                )
                for name in self._names[1:]
            ]
        self.name = ports.transport.name
        self.leader: str | None = None
        self.token = None
        self.nodes: dict[str, Node] = {}
        self._transport = ports.transport
        self._heartbeat_s = heartbeat_s
        self._work = list(work)
        self._values: dict[str, Any] = {}
        self._applied = 0
        self._decisions = 0
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._on_transition = on_transition  # not in the course; the pictures need the hooks
        self._on_applied = on_applied
        self._on_assignment = on_assignment

    async def initialize_cluster(self) -> None:
        for number, name in enumerate(self._names):
            self.nodes[name] = Node("active", self._work[number :: len(self._names)])
        self._elect_leader()
        self._decided(list(self._work), "the cluster starts")
        self._tasks = [asyncio.create_task(self._serve()), asyncio.create_task(self._beat())]
        for other in self._others:
            await other.initialize_cluster()

    async def handle_node_failure(self, node_id: str) -> None:
        del self.nodes[node_id]  # D6
        if node_id == self.leader:
            self._elect_leader()
        if self.leader == self.name:
            await self._take_over(node_id)

    async def write(self, key: str, value: Any) -> None:
        self._check_leader()
        self._apply(key, value)
        self._send_to_all({"type": "replicate", "key": key, "value": value})  # D7

    async def read(self, key: str) -> Any:
        self._check_leader()
        return self._values.get(key)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for other in self._others:
            await other.close()

    def _elect_leader(self) -> None:
        before = self.leader
        if self.nodes:  # D5
            self.leader = min(self.nodes)  # D1
        if self.leader == self.name != before and self._on_transition is not None:
            self._on_transition(self.name, "follower", "leader", 0)

    def _check_leader(self) -> None:
        if self.leader != self.name:
            raise Exception(f"{self.name} is not the leader, {self.leader} is")

    async def _take_over(self, node_id: str) -> None:
        state = await self._ask(node_id)  # D3
        self._values = {**state["values"], **self._values}
        for item in state["work"]:
            idlest = min(self.nodes, key=lambda name: len(self.nodes[name].work))
            self.nodes[idlest].work.append(item)
            self._transport.send(idlest, {"type": "assign", "item": item})  # D4
        self._decided(state["work"], f"{node_id} failed")

    async def _ask(self, node_id: str) -> Any:
        self._answers[node_id] = asyncio.get_running_loop().create_future()
        self._transport.send(node_id, {"type": "state request"})
        return await self._answers[node_id]

    async def _beat(self) -> None:
        while True:
            self._send_to_all({"type": "heartbeat"})
            await asyncio.sleep(self._heartbeat_s)

    async def _serve(self) -> None:
        while True:
            sender, message = await self._transport.receive()
            if message["type"] == "state request":
                state = {"values": self._values, "work": self.nodes[self.name].work}
                self._transport.send(sender, {"type": "state", **state})
            elif message["type"] == "state":
                answer = self._answers.pop(sender, None)
                if answer is not None:
                    answer.set_result(message)
            elif sender in self.nodes:
                if message["type"] == "heartbeat":
                    self.nodes[sender].last_heartbeat_s = asyncio.get_running_loop().time()  # D2
                elif message["type"] == "replicate":
                    self._apply(message["key"], message["value"])
                elif sender != self.name:
                    self.nodes[self.name].work.append(message["item"])

    def _send_to_all(self, message: dict[str, Any]) -> None:
        for name in self.nodes:
            if name != self.name:
                self._transport.send(name, message)

    def _apply(self, key: str, value: Any) -> None:
        self._values[key] = value
        self._applied += 1
        if self._on_applied is not None:
            self._on_applied(self.name, self._applied, 0, {"op": "write", "key": key, "value": value})

    def _decided(self, moved: list[str], reason: str) -> None:
        self._decisions += 1
        if self.leader == self.name and self._on_assignment is not None:
            owners = {item: name for name, node in self.nodes.items() for item in node.work}
            self._on_assignment(self.name, self._decisions, owners, list(self.nodes), moved, reason)
