"""Where the counter meets the laboratory: one program, three tills, and a store that takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.faults import Fault
from lessonlib.lab.history import Record
from lessonlib.lab.rules import nothing_died
from lessonlib.lab.scenario import Param, Parts, Run, Scenario
from lessonlib.lab.world import Node, World
from lessonlib.start_here import naive, rules
from lessonlib.start_here.counter import Counter

TILLS = ("till-1", "till-2", "till-3")
LANES = ("shop", *TILLS)
# How long a customer may wait, when search draws it: some leave amid the store's own 4 to 40 ms for a sale.
PATIENCE_S = (0.005, 0.01, 0.015, 0.02, 0.1, 0.5)

_till: ContextVar[str] = ContextVar("till", default="shop")  # at which till the current task serves


@dataclass(frozen=True, slots=True)
class SlowRead(Fault):
    """The store reads, and its answer takes `by_s` longer: for everybody, or for `target` alone."""

    form = "{start_s}..{end_s} slow-read by {by_s} [for {target}]"
    start_s: float
    end_s: float
    by_s: float
    target: str | None = None


@dataclass(frozen=True, slots=True)
class SlowWrite(Fault):
    """What is written reaches the store `by_s` later: for everybody, or for `target` alone."""

    form = "{start_s}..{end_s} slow-write by {by_s} [for {target}]"
    start_s: float
    end_s: float
    by_s: float
    target: str | None = None


@dataclass(frozen=True, slots=True)
class GiveUp(Fault):
    """The customer at `target` waits for `by_s` and no longer: then the call is cancelled."""

    form = "{start_s}..{end_s} give-up {target} after {by_s}"
    start_s: float
    end_s: float
    target: str
    by_s: float

    @classmethod
    def sample(cls, random: Random, targets: Mapping[str, tuple[str, ...]], horizon_s: float) -> GiveUp:
        """Draw one for a search."""
        start_s = horizon_s * random.randrange(20) / 20
        end_s = start_s + random.choice((0.1, 0.5, 1.0, 3.0))
        return cls(start_s, end_s, random.choice(targets["target"]), random.choice(PATIENCE_S))


class GaveUp(LessonError):
    """A customer did not wait for the end of a sale. Whether it was counted, nobody can say."""


class SlowStore:
    """Keeps the number. Each call takes 2 to 20 ms, half on the way there and half on the way back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._value = 0
        self._chance = world.random("store")

    async def read(self) -> int:
        till, way_s = _till.get(), self._way_s()
        slow = self._world.active(SlowRead, till)
        await asyncio.sleep(way_s)
        value = self._value
        self._world.record("read", till, value=value)
        await asyncio.sleep(way_s + (slow.by_s if slow is not None else 0))
        return value

    async def write(self, value: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"the store keeps whole numbers, not {value!r:.60}; was `await` forgotten?")
        till, way_s = _till.get(), self._way_s()
        self._world.record("writing", till, value=value)
        slow = self._world.active(SlowWrite, till)
        await asyncio.sleep(way_s + (slow.by_s if slow is not None else 0))
        self._value = value
        self._world.record("effect", till, value=value)
        await asyncio.sleep(way_s)

    def _way_s(self) -> float:
        return self._chance.randint(1_000, 10_000) / 1e6


def _build(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    def boot(node: Node) -> None:
        counter = parts["counter"](SlowStore(world))

        async def add(till: str) -> None:
            _till.set(till)
            patience = world.active(GiveUp, till)
            try:
                async with asyncio.timeout(patience.by_s if patience is not None else None):
                    await counter.add()
            except TimeoutError as error:
                raise GaveUp(f"the customer at {till} went away") from error

        node.memory["add"] = add

    world.node("shop", boot)
    return _customers(world, params)


async def _customers(world: World, params: Mapping[str, Any]) -> None:
    """Come to the tills in turn, at their rate, whatever becomes of those before."""
    served = []
    for sale in range(1, params["sales"] + 1):
        await asyncio.sleep(1 / params["rate_per_s"])
        till = TILLS[(sale - 1) % len(TILLS)]
        served.append(world.loop.create_task(_buy(world, sale, till), name=f"sale {sale} at {till}"))
    for task in served:
        await task


async def _buy(world: World, sale: int, till: str) -> None:
    await world.invoke("shop", "add", lambda memory: memory["add"](till), sale=sale, till=till)


COUNTER = Scenario(
    name="COUNTER",
    build=_build,
    systems={"textbook": {"counter": naive.Counter}, "pattern": {"counter": Counter}},
    params=(
        Param("sales", 20, 1, 100_000, "sales", "How many sales are made."),
        Param("rate_per_s", 10, 1, 1_000, "sales/s", "How many sales are made in a second."),
    ),
    faults=(SlowRead, SlowWrite, GiveUp),
    rules=(
        rules.no_write_undoes_another,
        rules.every_sale_counts,
        rules.no_sale_counts_twice,
        rules.giving_up_blocks_nobody,
        nothing_died(),
    ),
    targets={"node": ("shop",), "target": TILLS},
    lanes=LANES,
    settle_s=5,
    limit_s=300,
    horizon_s=1,
    small={"sales": 9},
)


def number_of(record: Record) -> str:
    """Return what stands beside a bar or a mark in a picture: the number read or written, or the till."""
    return str(record.get("value", record.get("till", "")))


def incident() -> Run:
    """The run that the report of exercise 0.2 is about."""
    return COUNTER.run(
        "textbook",
        plan="0.3s..0.9s slow-read by 60ms for till-1; 1.1s..1.7s slow-write by 120ms for till-3; "
        "1.3s..1.9s give-up till-2 after 8ms",
        seed=7,
        sales=24,
    )
