"""What makes no sense is refused with one sentence that names the argument, the value and the remedy: the small parts."""

import asyncio
import inspect
from random import Random

import pytest

from lessonlib.errors import LessonError
from lessonlib.high_availability.fenced_store import FencedStore
from lessonlib.high_availability.lease import Lease, Leases
from lessonlib.high_availability.linearizable import Operation, first_violation
from lessonlib.high_availability.rebalance import rebalance_work


class Nothing:
    """An object that can nothing."""

    def __repr__(self):
        return "Nothing()"


NAN, INF = float("nan"), float("inf")
COUNTS = [0, -1, None, "3", True, 1.5, NAN]
SECONDS = [-1, None, "1", True, NAN, INF]
TEXTS = [None, 7, "", True, ["report"]]
TOKENS = [-1, None, "34", True, 33.5, NAN]
DISKS = [7, "disk", Nothing()]


def judge(kind="write", value=1, **times):
    return first_violation([Operation(kind, value, **{"start_us": 0, "end_us": 1, **times})])


# what is called, as text → (what must be named, a call with one value, the values to refuse)
TABLE = {
    "rebalance_work(owners)": ("owners", lambda v: rebalance_work(v, ["a"]), [None, 7, "work", ["work"]]),
    "rebalance_work(owners' items)": (
        "owners",
        lambda v: rebalance_work({v: "a"}, ["a"]),
        [None, 7, "", ("w",)],
    ),
    "rebalance_work(owners' values)": ("owners", lambda v: rebalance_work({"w": v}, ["a"]), [7, True, ["a"]]),
    "rebalance_work(nodes)": (
        "nodes",
        lambda v: rebalance_work({"w": "a"}, v),
        [None, 7, "node-1", [], (), [7], [""], ["a", "a"]],
    ),
    "FencedStore(disk)": ("disk", FencedStore, DISKS),
    "FencedStore(keys_max)": ("keys_max", lambda v: FencedStore(keys_max=v), COUNTS),
    "FencedStore.write(key)": ("key", lambda v: FencedStore().write(v, 1, 1), TEXTS),
    "FencedStore.write(token)": ("token", lambda v: FencedStore().write("k", 1, v), TOKENS),
    "FencedStore.write(value)": (
        "cannot cross",
        lambda v: FencedStore().write("k", v, 1),
        [Nothing(), {1}],
    ),
    "FencedStore.read(key)": ("key", lambda v: FencedStore().read(v), TEXTS),
    "FencedStore.highest(key)": ("key", lambda v: FencedStore().highest(v), TEXTS),
    "Leases(disk)": ("disk", Leases, DISKS),
    "Leases(duration_s)": ("duration_s", lambda v: Leases(duration_s=v), [0, *SECONDS]),
    "Leases(resources_max)": ("resources_max", lambda v: Leases(resources_max=v), COUNTS),
    "Leases.grant(resource)": ("resource", lambda v: Leases().grant(v, "a"), TEXTS),
    "Leases.grant(holder)": ("holder", lambda v: Leases().grant("r", v), TEXTS),
    "Lease(name)": ("name", lambda v: Lease(v, random=Random(1)), TEXTS),
    "Lease(random)": ("random", lambda v: Lease("a", random=v), [None, 7, Random]),
    "Lease(margin_s)": ("margin_s", lambda v: Lease("a", random=Random(1), margin_s=v), SECONDS),
    "first_violation(operations)": (
        "Operation",
        lambda v: first_violation([v]),
        [None, 7, {"kind": "write"}],
    ),
    "first_violation(operations_max)": (
        "operations_max",
        lambda v: first_violation([Operation("read", None, start_us=0, end_us=1)] * 3, operations_max=v),
        [2, *COUNTS],
    ),
    "Operation(kind)": ("kind", lambda v: judge(kind=v), [None, "cas", 7]),
    "Operation(value)": ("value", lambda v: judge(value=v), [None, 1.5, [1], {"a": 1}]),
    "Operation(start_us)": ("start_us", lambda v: judge(start_us=v), [None, 0.5, "0", True, NAN]),
    "Operation(end_us)": ("end_us", lambda v: judge(end_us=v), [0.5, "0", True, -1]),
}
CASES = [
    pytest.param(named, call, value, id=f"{what}={value!r:.30}")
    for what, (named, call, values) in TABLE.items()
    for value in values
]


@pytest.mark.parametrize(("named", "call", "value"), CASES)
def test_what_makes_no_sense_is_refused_in_one_sentence(named, call, value):
    async def main():
        result = call(value)
        if inspect.isawaitable(result):
            await result

    with pytest.raises(LessonError) as refusal:
        asyncio.run(main())
    said = str(refusal.value)
    assert named in said and "\n" not in said and len(said) < 300
    assert "; " in said or ": " in said, "the remedy"


def test_a_value_that_is_written_twice_is_refused():
    with pytest.raises(LessonError, match="twice; write a different value"):
        first_violation([Operation("write", 1, start_us=n, end_us=n) for n in (0, 5)])
