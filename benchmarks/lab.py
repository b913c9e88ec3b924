"""How fast is the laboratory? Prints one table in Markdown:

    python benchmarks/lab.py [--rounds 7] [--scenario lessonlib.event_driven.scenario:ORDERS]

simpy runs beside it, in the same process and by turns, so that a machine's moods hit both. Each number is the
*best* of the rounds: what disturbs a measurement only ever makes it slower. What is compared:

- *Network*: pairs of nodes play ping-pong. Ours go through `Transport.send` and `receive`: tasks on hosts that may
  crash, a copy of each message, latencies drawn per link, order kept per link, "sent" and "delivered" recorded.
  simpy's model has a Store for an inbox and draws the same latencies, keeps the same order and appends the same
  records. It copies nothing and knows no crash. A delivery is the callback of one Timeout, which is the
  cheapest way; its manual's way, a process for each message, is a row of its own.
- *Queues*: no network. A task sleeps 1 ms and puts an item, another gets it and records it; in simpy a process
  each, a Timeout and a Store.
- Garbage collection is off while simpy runs. Ours collects at counted steps and pays for it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lessonlib.lab.history import Record  # noqa: E402
from lessonlib.lab.loop import VirtualLoop  # noqa: E402
from lessonlib.lab.network import LATENCY_US  # noqa: E402
from lessonlib.lab.search import search  # noqa: E402
from lessonlib.lab.world import Node, World  # noqa: E402

PAIRS = 5
ROUND_TRIPS = 10_000  # of each pair
ITEMS = 20_000  # of each pair
PLANS = 200
ORDERS = 10_000
Row = tuple[str, str, str, str]


# ---- Network ---------------------------------------------------------------------------------------------


def our_network() -> float:
    """Return messages a second."""

    async def ping(node: Node, peer: str) -> None:
        transport = node.ports.transport
        for number in range(ROUND_TRIPS):
            transport.send(peer, {"kind": "ping", "number": number})
            await transport.receive()

    async def pong(node: Node) -> None:
        transport = node.ports.transport
        while True:
            sender, message = await transport.receive()
            transport.send(sender, {"kind": "pong", "number": message["number"]})

    loop = VirtualLoop()
    with loop.opened(1):
        world = World(loop, seed=1)
        for pair in range(PAIRS):
            world.node(f"pong-{pair}", pong)
            world.node(f"ping-{pair}", lambda node, pair=pair: ping(node, f"pong-{pair}"))  # type: ignore[misc]
        started = time.process_time()
        loop.run()
        took = time.process_time() - started
        world.finish()
    assert len(world.history.of("delivered")) == 2 * PAIRS * ROUND_TRIPS
    return 2 * PAIRS * ROUND_TRIPS / took


def simpy_network(*, process_per_message: bool) -> float:
    """Return messages a second."""
    import simpy

    env = simpy.Environment()
    history: list[Record] = []
    inboxes: dict[str, Any] = {}
    links: dict[tuple[str, str], list[Any]] = {}  # [draw a latency, when the last message arrives]
    sent = 0
    low, high = LATENCY_US

    def send(source: str, to: str, body: dict[str, Any]) -> None:
        nonlocal sent
        sent += 1
        number = sent
        history.append(Record(env.now, "sent", source, {"to": to, "message": number, "body": body}))
        link = links.get((source, to))
        if link is None:
            link = links[source, to] = [Random(f"1/latency/{source}>{to}").random, 0]
        link[1] = due = max(env.now + low + int(link[0]() * (high - low)), link[1])

        def deliver(_: Any) -> None:
            history.append(Record(env.now, "delivered", to, {"source": source, "message": number}))
            inboxes[to].put((source, body))

        def travel() -> Iterator[Any]:
            yield env.timeout(due - env.now)
            deliver(None)

        if process_per_message:
            env.process(travel())
        else:
            env.timeout(due - env.now).callbacks.append(deliver)

    def ping(name: str, peer: str) -> Iterator[Any]:
        for number in range(ROUND_TRIPS):
            send(name, peer, {"kind": "ping", "number": number})
            yield inboxes[name].get()

    def pong(name: str) -> Iterator[Any]:
        while True:
            sender, message = yield inboxes[name].get()
            send(name, sender, {"kind": "pong", "number": message["number"]})

    for pair in range(PAIRS):
        for name in (f"ping-{pair}", f"pong-{pair}"):
            inboxes[name] = simpy.Store(env)
        env.process(pong(f"pong-{pair}"))
        env.process(ping(f"ping-{pair}", f"pong-{pair}"))
    took = timed(env.run)
    assert len(history) == 4 * PAIRS * ROUND_TRIPS
    return 2 * PAIRS * ROUND_TRIPS / took


# ---- Queues ----------------------------------------------------------------------------------------------


def our_queues() -> float:
    """Return items a second."""
    loop = VirtualLoop()
    history: list[Record] = []

    async def put(queue: asyncio.Queue[int]) -> None:
        for number in range(ITEMS):
            await asyncio.sleep(0.001)
            await queue.put(number)

    async def get(queue: asyncio.Queue[int], name: str) -> None:
        for _ in range(ITEMS):
            number = await queue.get()
            history.append(Record(loop.now_us, "got", name, {"number": number}))

    with loop.opened(1):
        for pair in range(PAIRS):
            queue: asyncio.Queue[int] = asyncio.Queue()
            loop.create_task(put(queue))
            loop.create_task(get(queue, f"get-{pair}"))
        started = time.process_time()
        loop.run()
        took = time.process_time() - started
    assert len(history) == PAIRS * ITEMS
    return len(history) / took


def simpy_queues() -> float:
    """Return items a second."""
    import simpy

    env = simpy.Environment()
    history: list[Record] = []

    def put(store: Any) -> Iterator[Any]:
        for number in range(ITEMS):
            yield env.timeout(1_000)
            yield store.put(number)

    def get(store: Any, name: str) -> Iterator[Any]:
        for _ in range(ITEMS):
            number = yield store.get()
            history.append(Record(env.now, "got", name, {"number": number}))

    for pair in range(PAIRS):
        store = simpy.Store(env)
        env.process(put(store))
        env.process(get(store, f"get-{pair}"))
    took = timed(env.run)
    assert len(history) == PAIRS * ITEMS
    return len(history) / took


def timed(work: Callable[[], Any]) -> float:
    """Return how many seconds `work` takes, with no garbage collected meanwhile."""
    gc.collect()
    gc.disable()
    started = time.process_time()
    work()
    took = time.process_time() - started
    gc.enable()
    return took


# ---- Search, and a lesson's kernel -----------------------------------------------------------------------


def search_speed(path: str, rounds: int) -> Row:
    """Plans a second on the scenario at `package.module:NAME`, rules judged, pattern."""
    module, _, name = path.partition(":")
    try:
        scenario = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        return (f"fault plans/s, {name}", f"skipped: {error}", "", "")
    best, remark = 0.0, ""
    for _ in range(rounds):
        started = time.process_time()
        result = search(scenario, plans=PLANS)
        best = max(best, result.tried / (time.process_time() - started))
        if result.failure is not None:
            remark = f" (plan {result.failure.number} broke a rule; shrinking is in the time)"
    run = scenario.run(**scenario.small)
    sent = len(run.history.of("sent"))
    what = f"fault plans/s, {name}: {sent} messages and {len(run.history):,} records a run"
    return (what, f"{best:,.0f}{remark}", "–", "–")


def kernel_memory(path: str) -> list[Row]:
    """Peak memory of a real kernel: after the imports of the first notebook, and after a large run in it."""
    from jupyter_client.manager import start_new_kernel

    module, _, name = path.partition(":")
    manager, client = start_new_kernel(cwd=str(ROOT))
    rows: list[Row] = []
    try:
        pid = manager.provisioner.pid  # type: ignore[union-attr]
        for what, code in (
            ("MB, kernel with nothing imported", "pass"),
            (
                "MB, with laboratory, views and matplotlib",
                f"import {module}, lessonlib.views, matplotlib.pyplot",
            ),
            (
                f"MB, after {ORDERS:,} orders in {name}",
                f"run = {module}.{name}.run(orders={ORDERS}, rate_per_s=100)\nrun.verdicts",
            ),
        ):
            reply = client.execute_interactive(code, output_hook=lambda _: None, timeout=600)
            if reply["content"]["status"] != "ok":
                rows.append((what, f"skipped: {reply['content']['evalue']}", "", ""))
                continue
            rows.append((what, f"{peak_mb(pid):,.0f}", "–", "–"))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return rows


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has held so far (VmHWM), in MB. Linux only."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/{pid}/status has no VmHWM")


# ---- The table -------------------------------------------------------------------------------------------


def compare(what: str, ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Row:
    """Run both by turns; return the best of each and their ratio."""
    mine, peer = 0.0, 0.0
    for _ in range(rounds):
        mine, peer = max(mine, ours()), max(peer, theirs())
    return (what, f"{mine:,.0f}", f"{peer:,.0f}", f"{mine / peer:.2f}")


def machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next(
            (line.partition(":")[2].strip() for line in cpuinfo.open() if line.startswith("model name")),
            model,
        )
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the laboratory and print one table.")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured; the best counts")
    parser.add_argument("--scenario", default="lessonlib.event_driven.scenario:ORDERS", help="module:NAME")
    args = parser.parse_args()

    rows: list[Row] = []
    try:
        import simpy
    except ImportError:
        sys.exit('simpy is missing; install it with: pip install -e ".[bench]"')
    rounds = args.rounds
    rows.append(
        compare("messages/s, network", our_network, lambda: simpy_network(process_per_message=False), rounds)
    )
    rows.append(
        compare(
            "messages/s, network, simpy with a process a message",
            our_network,
            lambda: simpy_network(process_per_message=True),
            rounds,
        )
    )
    rows.append(compare("items/s, queues only", our_queues, simpy_queues, rounds))
    rows.append(search_speed(args.scenario, rounds))
    if Path("/proc/self/status").exists():
        rows += kernel_memory(args.scenario)

    print(f"{machine()}, simpy {simpy.__version__}; one core used; best of {rounds} rounds.\n")
    print("| what | laboratory | simpy | ratio |\n|---|---:|---:|---:|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
