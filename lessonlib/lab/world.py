"""The simulated world: nodes that crash, pause and restart, their disks and clocks, and the faults at work.

A node is not a task. It is a *host*: a value in a context variable that every task started on the node
inherits. So a crash need not cancel anything, which would run the `finally` blocks of the dead: the loop just
never runs the dead host's callbacks again. Memory is what only those callbacks could reach, so it is gone.
The disk belongs to the node, not to its incarnation, so it stays.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from random import Random
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.faults import (
    ClockSkew,
    Crash,
    CrashAfterWrite,
    CrashLosingDisk,
    FailingDisk,
    Fault,
    FaultPlan,
    Pause,
    Restart,
    SlowDisk,
    SlowNode,
)
from lessonlib.lab.history import History, Record
from lessonlib.lab.loop import HOST, Host, VirtualLoop, describe_error, unwrap
from lessonlib.lab.network import Network
from lessonlib.ports import Ports, plain

EPOCH_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z: the calendar at the start of every run
DISK_US = 200  # one durable write


class NodeDown(LessonError):
    """A call was made to a node that is down, or that went down before it could answer."""


class NoAnswer(LessonError):
    """A call did not return in the time that the caller gave it."""


class _Inbox:
    """Messages that have arrived and not been received yet."""

    __slots__ = ("loop", "messages", "waiters")

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.messages: deque[tuple[str, Any]] = deque()
        self.waiters: deque[asyncio.Future[None]] = deque()

    def put(self, message: tuple[str, Any]) -> None:
        self.messages.append(message)
        self._wake()

    def _wake(self) -> None:
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def get(self) -> tuple[str, Any]:
        while not self.messages:
            waiter = self.loop.create_future()
            self.waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter.done() and not waiter.cancelled() and self.messages:
                    self._wake()  # it was our turn and we cannot take it: the next one shall
                raise
        return self.messages.popleft()


class _Port:
    """A node's end of something, fenced: it belongs to one incarnation and does nothing once that is dead."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._world = node.world
        self._host = node.host

    @property
    def _dead(self) -> bool:
        return self._host.state == "dead" or self._world.over

    async def _stop_if_dead(self) -> None:
        if self._dead:
            await self._world.loop.create_future()  # for ever: a dead process does not go on


class SimClock(_Port):
    def now(self) -> float:
        skew = sum(f.offset_s for f in self._world.in_force(ClockSkew, self._node.name))
        return EPOCH_S + self._world.loop.now_us / 1e6 + skew


class SimTransport(_Port):
    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.name = node.name
        self._inbox = node.inbox

    def send(self, to: str, message: Any) -> None:
        if self._host.state != "dead" and not self._world.over:
            self._world.network.send(self.name, to, message)

    def receive(self) -> Coroutine[Any, Any, tuple[str, Any]]:
        return self._inbox.get()


class SimDisk(_Port):
    async def append(self, file: str, record: Any) -> None:
        record = plain(record)
        await self._write(file)
        self._node.files.setdefault(file, []).append(record)
        self._world.record("written", self._node.name, file=file, record=record)
        await self._after_write(file)

    async def replace(self, file: str, records: Sequence[Any]) -> None:
        fresh = [plain(record) for record in records]
        await self._write(file)
        self._node.files[file] = fresh
        self._world.record("replaced", self._node.name, file=file, records=fresh)  # which copies them
        await self._after_write(file)

    async def read(self, file: str) -> list[Any]:
        await self._stop_if_dead()
        return [plain(record) for record in self._node.files.get(file, [])]

    async def _write(self, file: str) -> None:
        """Take the time that a write takes, and fail if the disk does. Until it ends nothing is durable."""
        world, name = self._world, self._node.name
        wait_us = DISK_US + sum(round(f.by_s * 1e6) for f in world.in_force(SlowDisk, name))
        await asyncio.sleep(wait_us / 1e6)
        await self._stop_if_dead()
        if world.active(FailingDisk, name):
            world.record("write failed", name, file=file)
            raise OSError(5, f"the disk of {name} failed to write {file!r}")

    async def _after_write(self, file: str) -> None:
        self._world.count_write(self._node, file)
        await self._stop_if_dead()


class Node:
    """A machine: its name and its disk outlive crashes; `memory`, `ports` and the inbox do not.

    Attributes:
        memory: what the current incarnation holds, by name; where `boot` leaves what the workload calls.
        files: what is on the disk.
        incarnation: how often the node has started, from 1.
    """

    def __init__(self, world: World, name: str, boot: Callable[[Node], Awaitable[Any] | None]) -> None:
        self.world = world
        self.name = name
        self.boot = boot
        self.files: dict[str, list[Any]] = {}
        self.incarnation = 0
        self.up = False
        self.start()

    def start(self) -> None:
        """Start a new incarnation, with the disk as it is."""
        world = self.world
        self.incarnation += 1
        self.up = True
        self.host = Host(self.name)
        self.memory: dict[str, Any] = {}
        self.inbox = _Inbox(world.loop)
        self.calls: dict[asyncio.Future[Any], None] = {}
        self.context: Context = world.lab_context.copy()
        self.context.run(HOST.set, self.host)
        world.refresh(self)
        self.ports = Ports(
            clock=SimClock(self),
            random=Random(f"{world.seed}/node/{self.name}/{self.incarnation}"),
            transport=SimTransport(self),
            disk=SimDisk(self),
        )
        self.run(self._boot, name=self.name)

    async def _boot(self) -> None:
        result = self.boot(self)
        if inspect.isawaitable(result):
            await result

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]], *, name: str) -> Any:
        """Start a task on this node's current incarnation."""
        context = self.context.copy()
        return self.world.loop.create_task(context.run(work), name=name, context=context)


def _fail(answer: asyncio.Future[Any], error: LessonError) -> None:
    if not answer.done():
        answer.set_exception(error)


class World:
    """Everything that a scenario builds on and that faults act on.

    Attributes:
        loop: the virtual-time loop.
        history: what has happened so far.
        network: the links between nodes.
        nodes: the nodes by name, in order of creation.
        over: whether the run has ended; then no port does anything any more.
    """

    def __init__(self, loop: VirtualLoop, *, seed: object = 1, messages: bool = True) -> None:
        self.loop = loop
        self.seed = seed
        self.history = History()
        self.network = Network(self, recorded=messages)
        self.nodes: dict[str, Node] = {}
        self.over = False
        self.lab_context = loop._lab
        loop.keep_going = True  # what the system does is for the records
        self._in_force: list[Fault] = []
        self._instant: list[Fault] = []
        self._writes: list[tuple[CrashAfterWrite, list[int]]] = []
        self._chance: dict[str, Random] = {}
        self._calls = 0

    # ---- What a scenario builds with ---------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Virtual time in seconds since the run began."""
        return self.loop.now_us / 1e6

    def node(self, name: str, boot: Callable[[Node], Awaitable[Any] | None]) -> Node:
        """Add a node. `boot(node)` builds what runs on it from `node.ports`, at the start and after each crash;
        what it returns, if awaitable, is the node's main task."""
        if name in self.nodes:
            raise LessonError(f"the world already has a node {name!r}; give this one another name")
        self.nodes[name] = node = Node(self, name, boot)
        return node

    def record(self, kind: str, node: str = "", /, **data: Any) -> None:
        """Add a record to the history, now. For workloads, ports, hooks and sinks; not for patterns.

        The data are copied, so that the history says what was so, not what became of it. PortError when they
        are not plain.
        """
        if not self.over:
            self.history.records.append(Record(self.loop.now_us, kind, node, plain(data)))

    def random(self, purpose: str) -> Random:
        """Return the stream of chance for one purpose; the same purpose always gives the same stream."""
        stream = self._chance.get(purpose)
        if stream is None:
            stream = self._chance[purpose] = Random(f"{self.seed}/{purpose}")
        return stream

    async def invoke(
        self,
        node: str,
        op: str,
        call: Callable[[dict[str, Any]], Awaitable[Any]],
        *,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> Any:
        """Call something on a node and record how it went: the workload's one way to touch the system.

        Writes `invoke`, then `ok`, `failed` (the call raised, or the node was down: it did not happen or may
        have in part) or `unknown` (the node died, no answer came in `timeout_s`, or the caller was cancelled). Returns the call's
        result, or None when there is none.

        Args:
            node: on which node the call runs.
            op: the operation's name in the records.
            call: given the node's memory, returns the awaitable to run there.
            fields: what identifies the call in the records (a key, an order's number).
        """
        self._calls += 1
        about = {"op": op, "call": self._calls, **fields}
        self.record("invoke", node, **about)
        machine = self.nodes[node]
        if not machine.up:
            self.record("failed", node, **about, error=f"{node} is down")
            return None
        answer: asyncio.Future[Any] = self.loop.create_future()
        machine.calls[answer] = None

        async def work() -> Any:
            return await call(machine.memory)

        def answered(task: asyncio.Task[Any]) -> None:
            if answer.done():
                task.cancelled() or task.exception()
            elif task.cancelled():
                answer.set_exception(NodeDown("the call was cancelled"))
            elif (error := task.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        task = machine.run(work, name=f"{op} on {node}")
        task.add_done_callback(answered, context=self.lab_context)
        if timeout_s is not None:
            late = NoAnswer(f"no answer within {timeout_s} s")
            self.loop.after_us(round(timeout_s * 1e6), _fail, answer, late)
        try:
            result = await answer
        except asyncio.CancelledError:
            self.record("unknown", node, **about, error="the caller stopped waiting")
            raise
        except (NodeDown, NoAnswer) as error:
            self.record("unknown", node, **about, error=str(error))
        except Exception as error:
            # A call's own field of the name `type` gives way: rules read here what was raised.
            what = {"error": describe_error(error), "type": type(unwrap(error)).__name__}
            self.record("failed", node, **{**about, **what})
        else:
            self.record("ok", node, **about)
            return result
        finally:
            machine.calls.pop(answer, None)
        return None

    # ---- Faults ------------------------------------------------------------------------------------------

    def schedule(self, plan: FaultPlan) -> None:
        """Put every fault of `plan` on the clock. Call this before the nodes are built."""
        for fault in plan:
            if isinstance(fault, CrashAfterWrite):
                self._writes.append((fault, [0]))
            elif fault.begins_s == 0:  # before anything else happens, so that nothing at 0 s escapes it
                self.loop.call_soon(self._begin, fault, context=self.lab_context)
            else:
                self.loop.after_us(round(fault.begins_s * 1e6), self._begin, fault)

    def in_force(self, kind: type[Any], name: str) -> list[Any]:
        """Return the faults of `kind` that are in force now and aimed at `name`."""
        if not self._in_force:
            return []
        return [f for f in self._in_force if isinstance(f, kind) and f.hits(name)]

    def active(self, kind: type[Any], name: str) -> Any:
        """Return a fault of `kind` that strikes `name` now, or None. Draws where it has a probability."""
        for fault in self.in_force(kind, name):
            probability = getattr(fault, "probability", None)
            if probability is None or self.random(f"{kind.__name__}/{name}").random() < probability:
                return fault
        return None

    def take(self, kind: type[Any], name: str | None = None) -> Any:
        """Return, once, a fault of a single moment that is due (`Poison`, `Burst`), or None."""
        for fault in self._instant:
            if isinstance(fault, kind) and (name is None or fault.hits(name)):
                self._instant.remove(fault)
                return fault
        return None

    def _begin(self, fault: Fault) -> None:
        for field in ("node", "source", "to", "left", "right"):
            aim = getattr(fault, field, None)
            for name in aim if isinstance(aim, tuple) else (aim,):
                if name is not None and name not in self.nodes:
                    known = ", ".join(repr(node) for node in self.nodes)
                    raise LessonError(f"'{fault}': there is no node {name!r} here; choose from {known}")
        self.record("fault", getattr(fault, "node", ""), fault=str(fault), phase="begins")
        if isinstance(fault, Crash):
            self.crash(fault.node, down_s=fault.down_s)
        elif isinstance(fault, CrashLosingDisk):
            self.crash(fault.node, down_s=fault.down_s, losing_disk=True)
        elif isinstance(fault, Restart):
            self.restart(fault.node)
        elif isinstance(fault, Pause):
            self._pause(fault)
        elif hasattr(fault, "end_s"):
            self._in_force.append(fault)
            self.network.begin(fault)
            self.loop.after_us(round((fault.ends_s - fault.begins_s) * 1e6), self._end, fault)
            self._refresh_all(fault)
        else:
            self._instant.append(fault)

    def _end(self, fault: Fault) -> None:
        self.record("fault", getattr(fault, "node", ""), fault=str(fault), phase="ends")
        self._in_force = [f for f in self._in_force if f is not fault]
        self.network.end(fault)
        self._refresh_all(fault)

    def _refresh_all(self, fault: Fault) -> None:
        if isinstance(fault, SlowNode):
            self.refresh(self.nodes[fault.node])

    def refresh(self, node: Node) -> None:
        """Let the node's steps take as long as the faults in force say."""
        node.host.set(lag_us=sum(round(f.by_s * 1e6) for f in self.in_force(SlowNode, node.name)))

    def crash(self, name: str, *, down_s: float | None = None, losing_disk: bool = False) -> None:
        """Stop a node at once. Nothing of it runs on; calls in progress end as unknown."""
        node = self.nodes[name]
        if losing_disk:
            node.files.clear()
        if not node.up:
            return
        node.up = False
        node.host.set("dead")
        node.host.parked.clear()
        self.record("crash", name, losing_disk=losing_disk)
        for answer in list(node.calls):
            _fail(answer, NodeDown(f"{name} crashed before it answered"))
        if down_s is not None:
            self.loop.after_us(round(down_s * 1e6), self._come_back, node, node.incarnation)

    def _come_back(self, node: Node, incarnation: int) -> None:
        if node.incarnation == incarnation:  # nobody restarted it in the meantime
            self.restart(node.name)

    def restart(self, name: str) -> None:
        """Start a node anew; does nothing while it is up."""
        node = self.nodes[name]
        if not node.up:
            self.record("restart", name, incarnation=node.incarnation + 1)
            node.start()

    def _pause(self, fault: Pause) -> None:
        node = self.nodes[fault.node]
        if node.up and node.host.state == "running":
            node.host.set("paused")
            self.record("pause", node.name)
            self.loop.after_us(round(fault.down_s * 1e6), self._resume, node, node.host)

    def _resume(self, node: Node, host: Host) -> None:
        if host.state == "paused":
            self.record("resume", node.name)
            self.loop.wake(host)

    def count_write(self, node: Node, file: str) -> None:
        """Crash the node if a fault waits for this write."""
        for fault, count in self._writes:
            if fault.node == node.name and fault.file == file:
                count[0] += 1
                if count[0] == fault.count:
                    self.record("fault", node.name, fault=str(fault), phase="begins")
                    self.crash(node.name, down_s=fault.down_s)

    # ---- The end -----------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write down the tasks that died unseen, at their time of death, and close the history."""
        dead = [
            (t_us, task.host.name if task.host is not None else "", task.get_name(), error)
            for task, t_us in self.loop.unseen().items()
            if (error := task.exception()) is not None
        ]
        of_tasks = [error for *_, error in dead]
        dead += [
            (t_us, host, "a callback", error)
            for t_us, host, error in self.loop.broken
            if error not in of_tasks  # an exit comes out of its task's callback as well
        ]
        if dead:
            self.history.records += [
                Record(t_us, "died", host, {"task": name, "error": describe_error(error)})
                for t_us, host, name, error in dead
            ]
            self.history.records.sort(key=lambda record: record.t_us)  # stable: order within a time stays
        self.over = True
