"""Small scenarios that the tests of this folder run. Standard library only: also run by bare Pythons.

As a script it prints one line of JSON: the digest of each scenario under each seed.
"""

import asyncio
import json
import random
import sys

from lessonlib.lab import FaultPlan, Scenario, simulate
from lessonlib.lab.faults import KINDS
from lessonlib.lab.rules import nothing_died

TROUBLE = (
    "0.2s..0.6s lose 30%; 0.3s..1s duplicate 20% from a to b; 0.1s..1s reorder 40% by 200ms; at 0.4s crash b for 300ms; "
    "at 0.9s pause c for 100ms; 0.5s..0.8s slow a by 2ms; 1s..1.2s partition a | b,c; 1s..2s skew c by -5s; "
    "0.1s..2s fail-disk c 20%; after write 9 to log crash a for 200ms"
)


def gossip(world, parts, params):
    """Three nodes that send each other numbers, keep some, count on chance, and have their troubles."""
    names = ("a", "b", "c")

    def boot(node):
        ports = node.ports
        node.memory["seen"] = seen = {}

        async def talk():
            while True:
                await asyncio.sleep(0.02 + ports.random.random() / 100)
                to = ports.random.choice([n for n in names if n != node.name])
                ports.transport.send(
                    to, {"n": len(seen), "at": ports.clock.now(), "bag": list(set("xyz"))[:0]}
                )

        async def listen():
            while True:
                sender, message = await ports.transport.receive()
                seen[sender] = message["n"]
                async with asyncio.TaskGroup() as group:
                    group.create_task(keep(sender, message))
                    group.create_task(asyncio.sleep(0.001))

        async def keep(sender, message):
            try:
                await ports.disk.append("log", [sender, message])
            except OSError:
                world.record("gave up", node.name, sender=sender)

        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(talk())
                group.create_task(listen())

        return main()

    for name in names:
        world.node(name, boot)

    async def workload():
        for i in range(params["calls"]):
            await world.invoke(
                names[i % 3],
                "look",
                lambda memory: asyncio.sleep(0.06, dict(memory["seen"])),
                timeout_s=0.1 - i % 2 * 0.05,
                i=i,
            )
            await asyncio.sleep(random.random() / 10)

    return workload()


def scenario(build, *, params=(), targets=None, rules=(), parts=None, **more):
    """A scenario of one system, for tests."""
    return Scenario(
        name="TRIAL",
        build=build,
        systems={"pattern": parts or {}},
        params=tuple(params),
        faults=tuple(KINDS),
        rules=tuple(rules) or (nothing_died(),),
        targets=targets or {},
        **{"settle_s": 1, **more},
    )


def gossip_scenario():
    from lessonlib.lab import Param

    return scenario(gossip, params=(Param("calls", 20, 1, 100),))


async def orders_by_address():
    """What asyncio keeps in sets: the order shows in what is returned, and in who is cancelled first."""
    seen = []

    async def one(i):
        try:
            await asyncio.sleep(100 + i % 7)
        except asyncio.CancelledError:
            seen.append(i)
            raise
        return i

    async def fail():
        await asyncio.sleep(1)
        raise KeyError

    try:
        async with asyncio.TaskGroup() as group:
            for i in range(200):
                group.create_task(one(i))
            group.create_task(fail())
    except ExceptionGroup:
        pass
    tasks = [asyncio.create_task(one(i), name=f"t{i}") for i in range(200)]
    futures = [asyncio.get_running_loop().create_future() for _ in range(100)]
    for future in futures:
        future.set_result(None)
    order = {f: i for i, f in enumerate([*tasks, *futures])}
    seen.append([t.get_name() for t in asyncio.all_tasks() if t.get_name() != "main"])
    done, pending = await asyncio.wait([*tasks, *futures], return_when=asyncio.FIRST_COMPLETED)
    seen.append([order[f] for f in done] + [order[f] for f in pending])
    done, pending = await asyncio.wait(tasks, timeout=103)
    seen.append([t.result() for t in done] + [t.get_name() for t in pending])
    for next_one in asyncio.as_completed(tasks):
        seen.append(await next_one)
    return seen


def digests():
    """The digest of every scenario here under every seed."""
    found = {
        f"{name} {seed}": gossip_scenario().run(plan=plan, seed=seed).history.digest()
        for name, plan in (("calm", ""), ("trouble", FaultPlan.parse(TROUBLE)))
        for seed in (1, 2)
    }
    found["by address"] = simulate(orders_by_address)
    return found


if __name__ == "__main__":
    waste = [
        bytearray(len(sys.argv) + n % 777) for n in range(hash("salt") % 5000)
    ]  # other addresses each time
    print(json.dumps(digests()))  # noqa: T201
