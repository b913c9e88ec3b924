"""What does lesson 2's pattern cost? Prints one table in Markdown:

    pip install -e ".[bench]"
    python benchmarks/streams.py [--events 1000000] [--rounds 3]

Every measurement is a process of its own, so that none inherits another's memory; the best of the rounds counts. What
is compared:

- *Counting by key and window*: events of 1,000 keys, 100 a second of event time, up to 4 s out of order, in windows of
  a minute, with a watermark 5 s behind. bytewax does the same with its own windows (`count_window`, EventClock). streamz has
  no event time: it accumulates into a dict by (key, minute), keeps all of it and reports nothing. The floor is that
  dict in a loop.
- *Hashing and rings*: keys such as "N12345".
- *Through a StreamProcessor*: in at `process_event`, out at a handler that does nothing, on a real event loop.
  Beside it an `asyncio.Queue` with one worker, which keeps no order by key, forms no batch and sets nothing aside.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

KEYS = 1_000
SIZE_S, DELAY_S, SPREAD_S = 60, 5, 4
LOOKUPS = 200_000


def events(count: int, keys: int = KEYS) -> Iterator[tuple[str, float]]:
    """Yield (key, event time), 100 a second, up to SPREAD_S out of order; made one by one, kept nowhere."""
    random = Random(1).random
    names = [f"N{number:05d}" for number in range(keys)]
    for number in range(count):
        yield names[int(random() * keys)], number / 100 - random() * SPREAD_S


# ---- Measurements: each returns (operations, seconds, remark) ----------------------------------------------


def nothing(count: int) -> tuple[int, float, str]:
    """Only make the events: what all others pay too."""
    started = time.process_time()
    for _ in events(count):
        pass
    return count, time.process_time() - started, ""


def ours(count: int, keys: int = KEYS) -> tuple[int, float, str]:
    from lessonlib.stream_processing import TumblingWindows, Watermark, WindowedAggregation

    counts = WindowedAggregation(TumblingWindows(SIZE_S), Watermark(DELAY_S))
    total, cells = 0, 0
    started = time.process_time()
    for number, (key, time_s) in enumerate(events(count, keys)):
        for result in counts.process(key, time_s):
            total += result.value
        if number % 100 == 0:
            cells = max(cells, counts.open_cells)
    total += sum(result.value for result in counts.end())
    took = time.process_time() - started
    assert total == count and counts.late == 0
    return count, took, f"at most {cells:,} counts open"


def dict_in_a_loop(count: int) -> tuple[int, float, str]:
    totals: dict[tuple[str, float], int] = {}
    started = time.process_time()
    for key, time_s in events(count):
        cell = key, time_s // SIZE_S
        totals[cell] = totals.get(cell, 0) + 1
    took = time.process_time() - started
    assert sum(totals.values()) == count
    return count, took, f"{len(totals):,} counts kept for ever"


def bytewax(count: int) -> tuple[int, float, str]:
    from datetime import UTC, datetime

    import bytewax.operators as op
    import bytewax.operators.windowing as win
    from bytewax.dataflow import Dataflow
    from bytewax.operators.windowing import EventClock, TumblingWindower
    from bytewax.testing import TestingSink, TestingSource, run_main

    class Sum(list[Any]):
        """A list that keeps only the sum of what it is given, as ours does."""

        total = 0

        def __iadd__(self, items: Any) -> Any:
            self.total += sum(n for _, (_, n) in items)
            return self

        def extend(self, items: Any) -> None:
            self += items

    epoch = datetime(2026, 1, 1, tzinfo=UTC)
    out = Sum()
    source = ((key, epoch + timedelta(seconds=time_s)) for key, time_s in events(count))
    flow = Dataflow("count")
    stream = op.input("in", flow, TestingSource(source, batch_size=1000))
    clock = EventClock(ts_getter=lambda item: item[1], wait_for_system_duration=timedelta(seconds=DELAY_S))
    windower = TumblingWindower(length=timedelta(seconds=SIZE_S), align_to=epoch)
    counted = win.count_window("count", stream, clock, windower, key=lambda item: item[0])
    op.output("out", counted.down, TestingSink(out))
    started = time.process_time()
    run_main(flow)
    took = time.process_time() - started
    assert not len(out)
    return count, took, "" if out.total == count else f"{count - out.total:,} called late"


def streamz(count: int) -> tuple[int, float, str]:
    from streamz import Stream

    def add(totals: dict[tuple[str, float], int], event: tuple[str, float]) -> dict[tuple[str, float], int]:
        cell = event[0], event[1] // SIZE_S
        totals[cell] = totals.get(cell, 0) + 1
        return totals

    source = Stream()
    last: list[Any] = [None]
    source.accumulate(add, start={}).sink(lambda totals: last.__setitem__(0, totals))
    started = time.process_time()
    for event in events(count):
        source.emit(event)
    took = time.process_time() - started
    assert sum(last[0].values()) == count
    return count, took, f"{len(last[0]):,} counts kept for ever"


def _keys() -> list[str]:
    return [f"N{number:05d}" for number in range(LOOKUPS)]


def _timed(call: Callable[[str], Any], convert: Callable[[str], Any] = str) -> tuple[int, float, str]:
    keys = [convert(key) for key in _keys()]
    started = time.process_time()
    for key in keys:
        call(key)
    return LOOKUPS, time.process_time() - started, ""


def murmur2_ours(_: int) -> tuple[int, float, str]:
    from lessonlib.stream_processing import murmur2

    return _timed(murmur2)


def murmur2_kafka_python(_: int) -> tuple[int, float, str]:
    try:
        from kafka.partitioner.default import murmur2
    except ImportError:
        from kafka.producer.partitioner import murmur2  # type: ignore[no-redef]

    return _timed(murmur2, convert=str.encode)


def _ring_nodes() -> list[str]:
    return [f"node-{number}" for number in range(20)]


def ring_ours(_: int) -> tuple[int, float, str]:
    from lessonlib.stream_processing import ConsistentHashRing

    ring = ConsistentHashRing(_ring_nodes(), virtual_nodes=160)
    return _timed(ring.node)


def ring_uhashring(_: int) -> tuple[int, float, str]:
    from uhashring import HashRing

    ring = HashRing(nodes=_ring_nodes(), vnodes=160)
    return _timed(ring.get_node)


def jump_ours(_: int) -> tuple[int, float, str]:
    from lessonlib.stream_processing import jump_hash

    return _timed(lambda key: jump_hash(key, 20))


def processor_ours(count: int) -> tuple[int, float, str]:
    from lessonlib.event_driven import Event
    from lessonlib.stream_processing import StreamProcessor

    count //= 10
    made = [
        Event("departed", "JFK", {"n": n}, id=str(n), subject=key) for n, (key, _) in enumerate(events(count))
    ]
    seen = [0]

    def handle(batch: tuple[Event, ...]) -> None:
        seen[0] += len(batch)

    async def main() -> float:
        started = time.process_time()
        async with StreamProcessor(8, handlers={"departed": handle}) as stream:
            for event in made:
                await stream.process_event(event)
        return time.process_time() - started

    took = asyncio.run(main())
    assert seen[0] == count
    return count, took, ""


def queue(count: int) -> tuple[int, float, str]:
    from lessonlib.event_driven import Event

    count //= 10
    made = [
        Event("departed", "JFK", {"n": n}, id=str(n), subject=key) for n, (key, _) in enumerate(events(count))
    ]

    async def main() -> float:
        waiting: asyncio.Queue[Event] = asyncio.Queue(2000)

        async def work() -> None:
            for _ in range(count):
                await waiting.get()

        started = time.process_time()
        worker = asyncio.create_task(work())
        for event in made:
            await waiting.put(event)
        await worker
        return time.process_time() - started

    return count, asyncio.run(main()), ""


def plans(name: str) -> Callable[[int], tuple[int, float, str]]:
    def measure(_: int) -> tuple[int, float, str]:
        from lessonlib.lab.search import search
        from lessonlib.stream_processing import scenario

        started = time.process_time()
        found = search(getattr(scenario, name), plans=200)
        return found.tried, time.process_time() - started, "" if found.failure is None else "a rule broke"

    return measure


MEASURES: dict[str, Callable[[int], tuple[int, float, str]]] = {
    "nothing": nothing,
    "ours": ours,
    "ours/tenth": lambda count: ours(count // 10),
    "ours/keys": lambda count: ours(count, 10 * KEYS),
    "dict": dict_in_a_loop,
    "bytewax": bytewax,
    "streamz": streamz,
    "murmur2": murmur2_ours,
    "murmur2/kafka-python": murmur2_kafka_python,
    "ring": ring_ours,
    "ring/uhashring": ring_uhashring,
    "jump": jump_ours,
    "processor": processor_ours,
    "queue": queue,
    **{f"plans/{name}": plans(name) for name in ("BATCHES", "WINDOWS", "RESTORE", "GROUP")},
}


# ---- The table -------------------------------------------------------------------------------------------


def measure(name: str, count: int, rounds: int) -> dict[str, Any]:
    """Run one measurement in processes of its own; return the best: operations a second, MB, remark."""
    best: dict[str, Any] = {}
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, __file__, "--one", name, "--events", str(count)], capture_output=True, text=True
        )
        if done.returncode:
            return {
                "rate": 0.0,
                "mb": 0.0,
                "remark": "skipped: " + (done.stderr.strip().splitlines() or ["?"])[-1][:80],
            }
        found = json.loads(done.stdout.splitlines()[-1])
        if not best or found["rate"] > best["rate"]:
            best = found
    return best


def one(name: str, count: int) -> None:
    """Measure, and print the result for the parent."""
    if name.startswith("bytewax"):
        import bytewax.operators.windowing  # noqa: F401 - its own size is not what we measure
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    operations, took, remark = MEASURES[name](count)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": operations / took, "mb": after - before, "remark": remark}))


ROWS = (
    ("events/s, counted by key and window", "ours", ("bytewax", "streamz", "dict"), True),
    ("the same, a tenth of the events", "ours/tenth", (), True),
    ("the same, ten times the keys", "ours/keys", (), True),
    ("events/s, only made", "nothing", (), True),
    ("keys/s, murmur2", "murmur2", ("murmur2/kafka-python",), False),
    ("lookups/s, ring of 20 nodes × 160 points", "ring", ("ring/uhashring",), False),
    ("lookups/s, jump hash over 20", "jump", (), False),
    ("events/s, through a processor of 8 partitions", "processor", ("queue",), False),
    ("fault plans/s, BATCHES", "plans/BATCHES", (), False),
    ("fault plans/s, WINDOWS", "plans/WINDOWS", (), False),
    ("fault plans/s, RESTORE", "plans/RESTORE", (), False),
    ("fault plans/s, GROUP", "plans/GROUP", (), False),
)
PEERS = {"dict": "a dict in a loop", "queue": "asyncio.Queue"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure lesson 2's pattern beside its peers.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.events)
        return
    print(
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; one core used; "
        f"{args.events:,} events; best of {args.rounds} rounds.\n"
    )
    print("| what | ours | MB more | peer | its | MB more | ratio |\n|---|---:|---:|---|---:|---:|---:|")
    for what, name, peers, memory in ROWS:
        mine = measure(name, args.events, args.rounds)
        mb = f"{mine['mb']:.1f}" if memory else "–"
        note = f" ({mine['remark']})" if mine["remark"] else ""
        first = f"| {what}{note} | {mine['rate']:,.0f} | {mb} |"
        if not peers:
            print(f"{first} – | – | – | – |", flush=True)
        for peer in peers:
            theirs = measure(peer, args.events, args.rounds)
            called = PEERS.get(peer, peer.rpartition("/")[2])
            remark = f" ({theirs['remark']})" if theirs["remark"] else ""
            its = f"{theirs['rate']:,.0f}" if theirs["rate"] else "–"
            ratio = f"{mine['rate'] / theirs['rate']:.2f}" if theirs["rate"] else "–"
            its_mb = f"{theirs['mb']:.1f}" if memory and theirs["rate"] else "–"
            print(f"{first} {called}{remark} | {its} | {its_mb} | {ratio} |", flush=True)
            first = "| | | |"


if __name__ == "__main__":
    main()
