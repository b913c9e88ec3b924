"""How soon does the failure lab follow? Prints a table in Markdown:

    python benchmarks/panel.py [--changes 40]

Measured in this process, inside an asyncio loop as a kernel has one: from setting a control to the new picture, to
the new verdicts, and how much of that the panel waits for a slider to rest. The way to the browser and the browser
itself come on top.
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


async def follow(lab: FailureLab, change: Callable[[], None]) -> tuple[float, float]:
    """Return the milliseconds from a change to the new picture, and to the end of the work (verdicts, missions)."""
    done: dict[str, float] = {}
    for name in ("picture", "verdicts"):
        widget = getattr(lab, name)
        widget.unobserve_all()
        widget.observe(lambda _, name=name: done.setdefault(name, time.perf_counter()), "value")
    lab.access.said = ""
    started = time.perf_counter()
    change()
    while not lab.access.said:
        await asyncio.sleep(0)
    ended = time.perf_counter()
    return (done.get("picture", ended) - started) * 1e3, (ended - started) * 1e3


async def measure(lab: FailureLab, changes: Iterable[Callable[[], None]]) -> tuple[list[float], list[float]]:
    both = [await follow(lab, change) for change in changes]
    return [picture for picture, _ in both], [all_of_it for _, all_of_it in both]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--changes", type=int, default=40, help="how many changes of each sort are measured")
    number = parser.parse_args().changes

    def setting(control: Any, values: list[Any]) -> list[Callable[[], None]]:
        """Changes of `control` to each of the values in turn; the last of them is the one that stands there."""
        return [partial(setattr, control, "value", values[i % len(values)]) for i in range(number)]

    print("| change | ms to the picture: median | worst | ms to verdicts and missions: median | worst |")
    print("|---|---:|---:|---:|---:|")
    for scenario, section in ((ORDERS, "2.6"), (FANOUT, "1.5")):
        lab = failure_lab(scenario, missions=section, plan="1s..2s fail email", system="pattern")
        orders = lab.params["orders"]
        faults = FAULTS if scenario is ORDERS else ("1s..2s slow-handler email by 2s", "1s..2s fail email")
        for what, changes in (
            ("a parameter, one step", setting(orders, [orders.value - 1, orders.value])),
            ("the plan, typed or pasted", setting(lab.plan, list(faults))),
            ("the system", setting(lab.system, ["textbook", "pattern"])),
        ):
            picture, whole = asyncio.run(measure(lab, changes))
            shown = [statistics.median(picture), max(picture), statistics.median(whole), max(whole)]
            print(f"| {scenario.name}: {what} | " + " | ".join(f"{ms:.0f}" for ms in shown) + " |")


if __name__ == "__main__":
    main()
