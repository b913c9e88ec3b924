"""Where the pattern meets the laboratory: clusters, and what can go wrong with them.

- `HEARTBEATS`: nodes send heartbeats to a watcher, which says who is suspected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from lessonlib.high_availability import naive, rules
from lessonlib.high_availability.heartbeat import HeartbeatMonitor, beat, keep_watch
from lessonlib.high_availability.phi import PhiAccrualDetector, silence_at
from lessonlib.high_availability.rules import WATCHER
from lessonlib.lab.faults import (
    ClockSkew,
    Crash,
    Delay,
    Duplication,
    Loss,
    OneWayPartition,
    Partition,
    Pause,
    Reordering,
    SlowNode,
)
from lessonlib.lab.rules import nothing_died
from lessonlib.lab.scenario import Param, Parts, Scenario
from lessonlib.lab.world import Node, World

# ---- HEARTBEATS: who is alive? ---------------------------------------------------------------------------
# The parts, and how each is called:
#
# | part       | call                                        | must have                                              |
# |------------|---------------------------------------------|--------------------------------------------------------|
# | `detector` | `(timeout_s)`; in the system "phi"          | `watch`, `heard`, `suspects`; `level` and `silence_s`  |
# |            | `(threshold, first_interval_s=)`            | are recorded where there are any                       |
# | `wiring`   | `(parts, params)`                           | returns the detector                                   |
# | `watcher`  | as `keep_watch`                             | runs for ever                                          |
# | `promise`  | `(params)`                                  | returns `patience_s`, `detect_s`, `stretch`: see below |
#
# What a detector promises, and the rules judge: nobody is suspected who was heard within `patience_s`; whoever is
# silent is suspected within `detect_s`, or `stretch` times the longest silence that was believed before, where that
# is more, and one look.

LOOK_S = 0.05
MIN_DEVIATION_S = 0.1


def _wire_timeout(parts: Parts, params: Mapping[str, Any]) -> Any:
    return parts["detector"](params["timeout_ms"] / 1000)


def _wire_phi(parts: Parts, params: Mapping[str, Any]) -> Any:
    return parts["detector"](params["threshold"], first_interval_s=params["heartbeat_ms"] / 1000)


def timeout_promise(params: Mapping[str, Any]) -> dict[str, float]:
    """What a detector with a timeout promises: to the timeout nobody is suspected, and after it everybody."""
    timeout_s = params["timeout_ms"] / 1000
    return {"patience_s": timeout_s, "detect_s": timeout_s, "stretch": 0.0}


def phi_promise(params: Mapping[str, Any]) -> dict[str, float]:
    """What the phi detector promises, whatever it has seen.

    It suspects after the mean interval and k deviations, where phi_exact reaches the threshold at k deviations. The
    mean is 0 at least, and the deviation has a minimum m: so much it bears. If the longest interval that it has seen is
    g, the mean is g at most and the deviation g/2 (Popoviciu's inequality): so it waits for g + k·m or g·(1 + k/2).
    """
    k = silence_at(params["threshold"], 0.0, 1.0)
    stretch = 1 + k / 2
    first_s = 1.25 * params["heartbeat_ms"] / 1000  # the longer one of the two intervals it starts from
    return {
        "patience_s": k * MIN_DEVIATION_S,
        "detect_s": max((2 + k) * MIN_DEVIATION_S, stretch * first_s),  # g + k·m is less, or g is below 2m
        "stretch": stretch,
    }


def _build_heartbeats(world: World, parts: Parts, params: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
    names = [f"node-{number}" for number in range(1, params["nodes"] + 1)]
    low_us = world.network.latency_us[0]
    world.network.latency_us = (low_us, low_us + 1000 * params["jitter_ms"])
    promise = {name: round(value, 6) for name, value in parts["promise"](params).items()}
    world.record("promise", WATCHER, **promise, look_s=LOOK_S)

    def boot_watcher(node: Node) -> Any:
        detector = parts["wiring"](parts, params)
        suspected: set[str] = set()

        def on_look(now_s: float, suspects: list[str]) -> None:
            for name in names:
                if hasattr(detector, "level"):
                    world.record("level", WATCHER, about=name, phi=round(detector.level(name, now_s), 3))
                if (name in suspects) != (name in suspected):
                    suspected.symmetric_difference_update({name})
                    about: dict[str, Any] = {"about": name, "suspected": name in suspected}
                    if hasattr(detector, "silence_s"):
                        about["silence_s"] = round(detector.silence_s(name, now_s), 6)
                    world.record("suspicion", WATCHER, **about)

        world.record("watching", WATCHER, nodes=names)
        return parts["watcher"](detector, names, ports=node.ports, look_s=LOOK_S, on_look=on_look)

    world.node(WATCHER, boot_watcher)
    for name in names:
        world.node(
            name, lambda node: beat(WATCHER, interval_s=params["heartbeat_ms"] / 1000, ports=node.ports)
        )
    return _time_passes(world, params["duration_s"])


async def _time_passes(world: World, duration_s: float) -> None:
    def tick() -> None:
        world.record("tick")
        world.loop.after_us(1_000_000, tick)

    tick()
    await asyncio.sleep(duration_s)


HEARTBEATS = Scenario(
    name="HEARTBEATS",
    build=_build_heartbeats,
    systems={
        "textbook": {
            "wiring": _wire_timeout,
            "detector": naive.HeartbeatTable,
            "watcher": keep_watch,
            "promise": timeout_promise,
        },
        "timeout": {
            "wiring": _wire_timeout,
            "detector": HeartbeatMonitor,
            "watcher": keep_watch,
            "promise": timeout_promise,
        },
        "phi": {
            "wiring": _wire_phi,
            "detector": PhiAccrualDetector,
            "watcher": keep_watch,
            "promise": phi_promise,
        },
    },
    params=(
        Param("duration_s", 20.0, 1, 3600, "s", "How long the nodes are watched."),
        Param("nodes", 3, 3, 20, "nodes", "How many nodes send heartbeats."),
        Param("heartbeat_ms", 200, 10, 10_000, "ms", "How often each node sends one."),
        Param("timeout_ms", 1000, 50, 60_000, "ms", "After how long a silence a node is suspected (timeout)."),
        Param("threshold", 8.0, 0.5, 16, "phi", "From which phi on a node is suspected (phi)."),
        Param("jitter_ms", 20, 0, 5_000, "ms", "By how much the time of a message on its way varies."),
    ),
    faults=(
        Crash,
        Pause,
        Partition,
        OneWayPartition,
        Loss,
        Delay,
        Reordering,
        Duplication,
        SlowNode,
        ClockSkew,
    ),
    rules=(rules.complete, rules.accurate, rules.withdrawn, nothing_died()),
    lanes=(WATCHER, "node-1", "node-2", "node-3"),
    targets={"node": ("node-1", "node-2", "node-3", WATCHER)},
    settle_s=5,
    horizon_s=8,
    small={"duration_s": 10.0},
)
