"""A scenario for the tests of search: a client has a counter on another node incremented, and sends again until
it is answered. The textbook counter counts what comes; the pattern's keeps the numbers that it has counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from lessonlib.lab.faults import Crash, Delay, Duplication, Fault, FaultError, Loss, Partition, Pause
from lessonlib.lab.rules import Verdict, at_most_once, broken, holds, not_exercised, rule
from lessonlib.lab.scenario import Param, Parts, Scenario
from lessonlib.lab.world import Node, World

RESEND_S = 0.05


def _counter(knows: Callable[[list[Any], int], bool]) -> Callable[[Node], Coroutine[Any, Any, None]]:
    async def serve(node: Node) -> None:
        disk, transport = node.ports.disk, node.ports.transport
        counted = await disk.read("counted")
        while True:
            sender, number = await transport.receive()
            if not knows(counted, number):
                await disk.append("counted", number)
                counted.append(number)
            transport.send(sender, number)

    return serve


def _build(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    world.node("counter", parts["counter"])
    answered: dict[int, asyncio.Event] = {}

    async def client(node: Node) -> None:
        while True:
            _, number = await node.ports.transport.receive()
            answered[number].set()

    world.node("client", client)

    async def increment(number: int) -> None:
        answered[number] = asyncio.Event()
        while not answered[number].is_set():
            again = world.take(Stutter, "client") or world.take(EvenStutter)
            for _ in range(1 + (again.count if again else 0)):
                world.nodes["client"].ports.transport.send("counter", number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(answered[number].wait(), RESEND_S)
        world.record("acknowledged", "client", number=number)

    async def work() -> None:
        for number in range(params["increments"]):
            await asyncio.sleep(0.1)
            await increment(number)

    return work()


@rule("an acknowledged increment is counted", "liveness")
def counted(history: Any) -> Verdict:
    written = {r.data["record"] for r in history.of("written", file="counted")}
    for record in history.of("acknowledged"):
        if record.data["number"] not in written:
            return broken(f"Increment {record.data['number']} was never counted.", record)
    return holds("All counted.") if written else not_exercised("Nothing was counted.")


@rule("a clock is never wrong")
def nobody_looks_at_clocks(history: Any) -> Verdict:
    return not_exercised("No clock was read.")


once = at_most_once(
    "an increment counts once",
    kind="written",
    key=lambda r: r.data["record"],
    what=lambda r: f"Counting increment {r.data['record']}",
)


@dataclass(frozen=True, slots=True)
class Stutter(Fault):
    """A kind of the lesson's own: the client sends one increment `count` times more."""

    form = "at {at_s} stutter {count} [by {target}]"
    at_s: float
    count: int
    target: str | None = None


@dataclass(frozen=True, slots=True)
class EvenStutter(Fault):
    """As Stutter, but it draws itself, since it refuses most of what its fields' names allow."""

    form = "at {at_s} stutter-evenly {count} {word}"
    at_s: float
    count: int
    word: str

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if self.count % 2:
            raise FaultError(f"EvenStutter: count={self.count} is odd")

    @classmethod
    def sample(cls, random: Random, targets: Mapping[str, tuple[str, ...]], horizon_s: float) -> EvenStutter:
        return cls(at_s=random.choice((0.3, 0.7)), count=random.choice((6, 8)), word="indeed")


@dataclass(frozen=True, slots=True)
class Unreachable(Fault):
    """A kind that no search can draw here: the scenario names no file."""

    form = "at {at_s} spoil {file}"
    at_s: float
    file: str


COUNTING = Scenario(
    name="COUNTING",
    build=_build,
    systems={
        "textbook": {"counter": _counter(lambda counted, number: False)},
        "pattern": {"counter": _counter(lambda counted, number: number in counted)},
    },
    params=(Param("increments", 100, 1, 1000),),
    faults=(Crash, Pause, Loss, Delay, Duplication, Partition),
    rules=(once, counted, nobody_looks_at_clocks),
    targets={"node": ("client", "counter"), "target": ("client",)},
    settle_s=2,
    horizon_s=1,
    small={"increments": 10},
)
