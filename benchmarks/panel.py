"""How soon does the failure lab follow? Prints a table in Markdown:

    python benchmarks/panel.py [--changes 40]

Measured in this process, inside an asyncio loop as a kernel has one, from setting a control: the median, and the
worst in brackets. The clock counts also that the panel waits for a slider to rest, and what else the machine does; the
processor's time counts neither. The way to the browser and the browser itself come on top.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lessonlib.event_driven.scenario import FANOUT, ORDERS  # noqa: E402
from lessonlib.learning import FailureLab, failure_lab  # noqa: E402

FAULTS = (
    "at 1s crash inventory for 1s",
    "1s..2s lose 30%",
    "1s..3s partition shop | broker",
    "1s..2s fail email",
)


async def follow(lab: FailureLab, change: Callable[[], None]) -> tuple[float, float, float]:
    """Return the milliseconds from a change to the new picture: of the clock, of the processor; and of the processor to
    the end of the work (verdicts, missions)."""
    drawn: list[tuple[float, float]] = []
    ended = asyncio.Event()
    lab.picture.unobserve_all()
    lab.picture.observe(lambda _: drawn.append((time.perf_counter(), time.process_time())), "value")
    lab.access.said = ""
    lab.access.unobserve_all()
    lab.access.observe(lambda _: ended.set(), "said")
    clock, processor = time.perf_counter(), time.process_time()
    change()
    await ended.wait()
    whole = time.process_time() - processor
    picture_clock, picture_processor = drawn[0] if drawn else (time.perf_counter(), time.process_time())
    return (picture_clock - clock) * 1e3, (picture_processor - processor) * 1e3, whole * 1e3


async def measure(lab: FailureLab, changes: Iterable[Callable[[], None]]) -> list[tuple[float, ...]]:
    return list(zip(*[await follow(lab, change) for change in changes], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--changes", type=int, default=40, help="how many changes of each sort are measured")
    number = parser.parse_args().changes

    def setting(control: Any, values: list[Any]) -> list[Callable[[], None]]:
        """Changes of `control` to each of the values in turn; the last of them is the one that stands there."""
        return [partial(setattr, control, "value", values[i % len(values)]) for i in range(number)]

    print(
        "| change | ms to the picture, clock | ms to the picture, processor | ms to verdicts and missions, processor |"
    )
    print("|---|---:|---:|---:|")
    for scenario, section in ((ORDERS, "2.6"), (FANOUT, "1.5")):
        lab = failure_lab(scenario, missions=section, plan="1s..2s fail email", system="pattern")
        orders = lab.params["orders"]
        faults = FAULTS if scenario is ORDERS else ("1s..2s slow-handler email by 2s", "1s..2s fail email")
        for what, changes in (
            ("a parameter, one step", setting(orders, [orders.value - 1, orders.value])),
            ("the plan, typed or pasted", setting(lab.plan, list(faults))),
            ("the system", setting(lab.system, ["textbook", "pattern"])),
        ):
            columns = asyncio.run(measure(lab, changes))
            shown = [f"{statistics.median(column):.0f} ({max(column):.0f})" for column in columns]
            print(f"| {scenario.name}: {what} | " + " | ".join(shown) + " |")


if __name__ == "__main__":
    main()
