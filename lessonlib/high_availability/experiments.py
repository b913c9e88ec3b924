"""Published results, reproduced, and what settings cost. Each function returns data; views draw it.

- `phi_curve`: phi over silence, the exact tail and Akka's approximation, beside published values.
- `detection_costs`: heartbeats a second against the time to detect a death against false suspicions.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import seconds, whole
from lessonlib.high_availability.heartbeat import Detector, HeartbeatMonitor
from lessonlib.high_availability.phi import PhiAccrualDetector, phi_akka, phi_exact

# ---- Phi over silence ------------------------------------------------------------------------------------

EXACT, AKKA = "exact tail", "Akka's approximation"
SILENCES_MS = tuple(range(500, 1601, 100))
# Mean 1000 ms, deviation 100 ms; to ±0.1. Akka's own tests (AccrualFailureDetectorSpec) have the first three, and
# the last two say how far the approximation is from the tail itself.
TOLERANCE = 0.1
PUBLISHED_PHI: dict[str, dict[int, float]] = {
    EXACT: {1400: 4.5},
    AKKA: {500: 0.1, 1000: 0.3, 1200: 1.6, 1400: 4.7},
}


@dataclass(frozen=True, slots=True)
class PhiPoint:
    """Phi after a silence.

    Attributes:
        silence_ms: how long the silence is, in milliseconds.
        exact, akka: phi by the tail of the normal distribution, and by Akka's approximation of it.
        published_exact, published_akka: the same as published, where it was.
    """

    silence_ms: int
    exact: float
    akka: float
    published_exact: float | None
    published_akka: float | None


def phi_curve(
    silences_ms: Sequence[int] = SILENCES_MS, *, mean_ms: float = 1000, deviation_ms: float = 100
) -> list[PhiPoint]:
    """Return phi for each silence. Published values stand beside it for a mean of 1000 ms and a deviation of 100 ms."""
    usual = (mean_ms, deviation_ms) == (1000, 100)
    found = []
    for silence_ms in silences_ms:
        arguments = (silence_ms / 1000, mean_ms / 1000, deviation_ms / 1000)
        said = [PUBLISHED_PHI[name].get(silence_ms) if usual else None for name in (EXACT, AKKA)]
        found.append(
            PhiPoint(silence_ms, round(phi_exact(*arguments), 2), round(phi_akka(*arguments), 2), *said)
        )
    return found


def phi_lines(points: Sequence[PhiPoint]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return (ours, published) for a Panel of `measured`: for each function its points (silence in ms, phi).

    What was published as 0.1 is left out: that is as much as the tolerance, and a ratio to it says nothing.
    """
    ours = {EXACT: [(p.silence_ms, p.exact) for p in points], AKKA: [(p.silence_ms, p.akka) for p in points]}
    said = {
        EXACT: [(p.silence_ms, p.published_exact) for p in points],
        AKKA: [(p.silence_ms, p.published_akka) for p in points],
    }
    published = {
        name: [(at, phi) for at, phi in values if phi is not None and phi > TOLERANCE]
        for name, values in said.items()
    }
    return ours, published


# ---- What a detector's settings cost ---------------------------------------------------------------------

HOUR_S = 3600.0
INTERVALS_S = (0.1, 0.2, 0.5, 1.0)
TIMEOUTS_S = (0.25, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
THRESHOLDS = (1.0, 3.0, 5.0, 8.0, 12.0)
DEATHS = 200
HEARTBEATS_MAX = 1_000_000
IN_FLIGHT_MAX = 1000  # heartbeats of a node that may be on their way at once
NODE = "node-1"


def uneven_network(random: Random) -> float:
    """Return how long a message is on its way, in seconds: half of them 20 ms or less, one in a thousand over 0.4 s.

    Log-normal, as delays in real networks nearly are: most are short, and a few are very long.
    """
    return random.lognormvariate(-3.912, 1.0)  # e to the −3.912 is 0.02


@dataclass(frozen=True, slots=True)
class DetectionCost:
    """What one setting of a detector costs and gives.

    Attributes:
        detector: "timeout" or "phi".
        interval_s: seconds between two heartbeats.
        setting: the timeout in seconds, or the threshold.
        messages_per_s: heartbeats a second, of all nodes.
        detection_s, detection_max_s: from a death to its suspicion, in the median and at worst.
        false_per_hour: how often a live node is suspected, in an hour, among all nodes.
    """

    detector: str
    interval_s: float
    setting: float
    messages_per_s: float
    detection_s: float
    detection_max_s: float
    false_per_hour: float


def detection_costs(
    *,
    intervals_s: Sequence[float] = INTERVALS_S,
    timeouts_s: Sequence[float] = TIMEOUTS_S,
    thresholds: Sequence[float] = THRESHOLDS,
    nodes: int = 5,
    delay: Callable[[Random], float] = uneven_network,
    loss: float = 0.01,
    hours: float = 1.0,
    seed: int = 1,
) -> list[DetectionCost]:
    """Watch nodes that never die and count who is suspected; then let one die and see how soon that is noticed.

    Every setting meets the same network: of each interval the same heartbeats are lost, and the same are late. One
    node is watched for `hours`; of `nodes` the messages and the false suspicions are as many times more. Time is not
    simulated but computed: suspicion only grows in a silence, so it is enough to ask at the end of each one.

    Args:
        intervals_s: how far apart heartbeats are, in seconds; each with every timeout and threshold.
        timeouts_s: for HeartbeatMonitor, in seconds. Those below the interval are left out: they suspect everybody.
        thresholds: for PhiAccrualDetector, with 20 ms as the least deviation, so that the threshold decides.
        nodes: how many are watched.
        delay: draws how long a message is on its way, in seconds.
        loss: which share of messages is lost, from 0 to below 1.
        hours: how long a live node is watched.
        seed: fixes every draw.

    Raises LessonError for arguments that make no sense, and for more than a million heartbeats.
    """
    whole("nodes", nodes, least=1)
    seconds("hours", hours, positive=True)
    if isinstance(loss, bool) or not isinstance(loss, int | float) or not 0 <= loss < 1:
        raise LessonError(f"loss={loss!r:.60} should be a share of messages; give a number from 0 to below 1")
    for interval_s in intervals_s:
        seconds("intervals_s", interval_s, positive=True)
        if hours * HOUR_S / interval_s > HEARTBEATS_MAX:
            raise LessonError(
                f"hours={hours!r} at an interval of {interval_s} s is over a million heartbeats; give fewer"
            )
    found = []
    for interval_s in intervals_s:
        arrivals = _arrivals(interval_s, hours * HOUR_S, delay, loss, seed)
        random = Random(f"{seed}/deaths/{interval_s}")
        deaths = sorted(random.uniform(hours * HOUR_S / 10, hours * HOUR_S) for _ in range(DEATHS))
        for kind, setting, detector in _settings(interval_s, timeouts_s, thresholds):
            wrong = _suspected_alive(copy.deepcopy(detector), arrivals)
            waits = _waits(detector, arrivals, deaths)
            found.append(
                DetectionCost(
                    detector=kind,
                    interval_s=interval_s,
                    setting=setting,
                    messages_per_s=round(nodes / interval_s, 3),
                    detection_s=round(median(waits), 3),
                    detection_max_s=round(max(waits), 3),
                    false_per_hour=round(wrong * nodes / hours, 2),
                )
            )
    return found


def _settings(
    interval_s: float, timeouts_s: Sequence[float], thresholds: Sequence[float]
) -> Iterator[tuple[str, float, Detector]]:
    for timeout_s in timeouts_s:
        if timeout_s > interval_s:
            yield "timeout", timeout_s, HeartbeatMonitor(timeout_s)
    for threshold in thresholds:
        yield (
            "phi",
            threshold,
            PhiAccrualDetector(threshold, min_deviation_s=0.02, first_interval_s=interval_s),
        )


def _arrivals(
    interval_s: float, until_s: float, delay: Callable[[Random], float], loss: float, seed: int
) -> list[tuple[float, float]]:
    """Return (arrives, sent) of each heartbeat that is not lost, in the order of arrival."""
    lost, late = (Random(f"{seed}/{purpose}/{interval_s}") for purpose in ("loss", "delay"))
    found = []
    for number in range(int(until_s / interval_s)):
        sent_s, took_s = number * interval_s, round(delay(late), 6)
        if lost.random() >= loss:
            found.append((round(sent_s + took_s, 6), sent_s))
    return sorted(found)


def _suspected_alive(detector: Detector, arrivals: Sequence[tuple[float, float]]) -> int:
    """Return how often a node that lives is suspected: in how many of its silences."""
    detector.watch(NODE, 0.0)
    wrong = 0
    for arrives_s, _ in arrivals:
        wrong += bool(detector.suspects(arrives_s))
        detector.heard(NODE, arrives_s)
    return wrong


def _waits(
    detector: Detector, arrivals: Sequence[tuple[float, float]], deaths_s: Sequence[float]
) -> list[float]:
    """Return for each of `deaths_s`, in order, how long after it the node is suspected for good, had it died then."""
    detector.watch(NODE, 0.0)
    at, found = 0, []
    for death_s in deaths_s:
        while at < len(arrivals) and arrivals[at][0] <= death_s:
            detector.heard(NODE, arrivals[at][0])
            at += 1
        widow = copy.deepcopy(detector)  # this one never hears what would have been sent after the death
        latest_s = death_s
        for arrives_s, sent_s in arrivals[at : at + IN_FLIGHT_MAX]:
            if sent_s <= death_s:
                widow.heard(NODE, arrives_s)
                latest_s = arrives_s
        found.append(_until_suspected(widow, latest_s) - death_s)
    return found


def _until_suspected(detector: Detector, now_s: float) -> float:
    """Return when a node that is silent from `now_s` on is suspected, to a millisecond."""
    low_s, high_s = now_s, now_s + 0.001
    while not detector.suspects(high_s):
        low_s, high_s = high_s, high_s + 2 * (high_s - now_s)
    while high_s - low_s > 0.001:
        middle_s = (low_s + high_s) / 2
        low_s, high_s = (low_s, middle_s) if detector.suspects(middle_s) else (middle_s, high_s)
    return high_s


def cost_lines(
    costs: Sequence[DetectionCost], detector: str, x: str = "detection_s", y: str = "false_per_hour"
) -> dict[str, list[tuple[float, float]]]:
    """Return for a Panel of `measured` the points (x, y) of one detector, a line for each interval.

    `x` and `y` are fields of DetectionCost; false suspicions ask for a logarithmic axis (`log=True`), below which a
    setting falls that has none. The left and low end is where everyone wants to be; a shorter interval
    brings one there, for more messages a second.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for cost in costs:
        if cost.detector == detector:
            name = f"{cost.messages_per_s:g} messages/s"
            lines.setdefault(name, []).append((getattr(cost, x), getattr(cost, y)))
    return lines


def cost_table(costs: Sequence[DetectionCost]) -> str:
    """Return the costs as text, one setting a line."""
    rows = ["detector  every    setting      messages/s  detected (worst)    false/hour"]
    for cost in costs:
        setting = f"{cost.setting:g} s" if cost.detector == "timeout" else f"phi {cost.setting:g}"
        rows.append(
            f"{cost.detector:<8}  {cost.interval_s:>4g} s  {setting:<11}  {cost.messages_per_s:>10g}  "
            f"{cost.detection_s:>6.2f} s ({cost.detection_max_s:.2f} s)  {cost.false_per_hour:>12,.1f}"
        )
    return "\n".join(rows)
