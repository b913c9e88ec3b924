"""The same scenario, faults and seed: the same history, in every process, on every Python."""

import asyncio
import json
import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pythons import pythons
from worlds import TROUBLE, digests, gossip_scenario, orders_by_address

from lessonlib.lab import FaultPlan, simulate

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def digests_of(python, hash_seed):
    """Run `worlds.py` in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(
        [python, str(HERE / "worlds.py")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@cache
def here():
    return json.loads(json.dumps(digests()))


@pytest.mark.parametrize("hash_seed", [0, 1, 4242])
def test_another_process_with_another_hash_seed_sees_the_same(hash_seed):
    assert digests_of(sys.executable, hash_seed) == here()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_sees_the_same(version):
    if version not in pythons():
        pytest.skip(f"there is no Python {version} here, only {', '.join(pythons())}")
    assert digests_of(pythons()[version], 7) == here()


def test_the_trial_tests_what_it_should():
    """Under trouble each kind of record occurs; else equal digests would say little."""
    history = gossip_scenario().run(plan=TROUBLE).history
    kinds = {record.kind for record in history}
    assert kinds >= {
        "sent", "delivered", "dropped", "written", "write failed", "crash", "restart", "pause", "resume", "fault",
        "gave up", "invoke", "ok", "failed", "unknown",
    }  # fmt: skip
    assert {r.get("reason") for r in history.of("dropped")} == {"loss", "partition", "node is down"}


def test_the_same_seed_gives_the_same_history_again_in_one_process():
    runs = [gossip_scenario().run(plan=TROUBLE, seed=5) for _ in range(2)]
    assert runs[0].history == runs[1].history
    assert runs[0].history.digest() == runs[1].history.digest()


def test_different_seeds_differ():
    assert len({gossip_scenario().run(seed=seed).history.digest() for seed in range(5)}) == 5


def test_what_asyncio_orders_by_address_repeats():
    first = simulate(orders_by_address)
    waste = [object() for _ in range(10_000)]
    assert simulate(orders_by_address) == first
    del waste


def test_on_a_real_loop_it_does_not_or_the_test_above_tests_nothing():
    """200 tasks cancelled in order of creation by chance alone: it would take a miracle."""
    orders = set()
    for salt in range(5):
        waste = [bytearray(n % 999) for n in range(salt * 1000)]

        async def main():
            seen = []

            async def one(i):
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    seen.append(i)
                    raise

            tasks = [asyncio.create_task(one(i)) for i in range(200)]
            await asyncio.sleep(0)
            for task in set(tasks):
                task.cancel()
            await asyncio.wait(tasks)
            return tuple(seen)

        orders.add(asyncio.run(main()))
        del waste
    assert orders != {tuple(range(200))}


def test_the_tasks_of_an_outer_loop_do_not_disturb_the_order():
    """In a notebook the kernel's own tasks live in the same sets as ours."""
    alone = simulate(orders_by_address)

    async def kernel():
        others = [asyncio.create_task(asyncio.sleep(60)) for _ in range(37)]
        await asyncio.sleep(0)
        found = simulate(orders_by_address)
        for task in others:
            task.cancel()
        return found

    assert asyncio.run(kernel()) == alone


def draws_of_link(history, source, to):
    """How long each message of a link took, in order."""
    sent = {r.get("message"): r.t_us for r in history.of("sent", node=source, to=to)}
    return [r.t_us - sent[r.get("message")] for r in history.of("delivered", node=to, source=source)]


def steady(world, parts, params):
    """Links a>b and c>d carry a message every 10 ms, whatever happens."""
    for name in "abcd":
        world.node(name, lambda node: None)

    async def workload():
        for i in range(100):
            world.nodes["a"].ports.transport.send("b", i)
            world.nodes["c"].ports.transport.send("d", i)
            await asyncio.sleep(0.01)

    return workload()


@pytest.mark.parametrize(
    "fault",
    [
        "0s..1s lose 30% from c",
        "0s..1s duplicate 50% from c to d",
        "0s..1s reorder 50% by 100ms to d",
        "0s..1s delay 5ms from c",
        "at 0.5s crash d for 100ms",
        "0s..1s partition c | d",
    ],
)
def test_a_fault_does_not_change_the_draws_of_an_unrelated_link(fault):
    from worlds import scenario

    calm, troubled = (scenario(steady).run(plan=plan).history for plan in ("", fault))
    assert draws_of_link(calm, "c", "d") != draws_of_link(troubled, "c", "d")
    assert draws_of_link(calm, "a", "b") == draws_of_link(troubled, "a", "b")


def test_a_second_fault_does_not_change_what_the_first_one_strikes():
    from worlds import scenario

    def lost(plan):
        run = scenario(steady).run(plan=plan)
        return [r.t_us for r in run.history.of("dropped", source="a", reason="loss")]

    one = "0s..1s lose 30% from a"
    assert lost(one)
    assert lost(one) == lost(
        f"{one}; 0s..1s lose 30% from c; 0s..1s duplicate 30%; at 0.2s crash c for 100ms"
    )


def test_the_module_random_is_seeded_inside_and_restored_outside():
    async def draw():
        await asyncio.sleep(1)
        return [random.random() for _ in range(3)]

    random.seed(99)
    expected = [random.random() for _ in range(4)]
    random.seed(99)
    outside = [random.random(), random.random()]
    inside = simulate(draw, seed=1)
    outside += [random.random(), random.random()]
    assert outside == expected
    assert simulate(draw, seed=1) == inside
    assert simulate(draw, seed=2) != inside


def test_no_time_in_a_record_has_a_fraction_of_a_microsecond():
    history = gossip_scenario().run(plan=TROUBLE).history
    assert all(type(record.t_us) is int for record in history)
    assert [r.t_us for r in history] == sorted(r.t_us for r in history)


def test_a_plan_and_its_text_give_the_same_run():
    by_text = gossip_scenario().run(plan=TROUBLE).history
    assert gossip_scenario().run(plan=FaultPlan.parse(TROUBLE)).history == by_text
