"""Published results, reproduced, and what settings cost. Each function returns data; views draw it.

- `phi_curve`: phi over silence, the exact tail and Akka's approximation, beside published values.
- `detection_costs`: heartbeats a second against the time to detect a death against false suspicions.
- `figure_16`: how long a cluster is without a leader, against the election timeout (Raft, extended version, figure 16).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, inf
from random import Random
from statistics import fmean, median
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import function, seconds, whole
from lessonlib.high_availability.election import LEADER, Election
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
    _numbers("silences_ms", silences_ms, zero=True)
    _numbers("mean_ms, deviation_ms", (mean_ms, deviation_ms))
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
        messages_per_s: heartbeats a second, of all nodes: those of one, times them.
        detection_s, detection_max_s: from a death to its suspicion, in the median and at worst.
        false_per_hour: how often a node that is up and running is suspected, in an hour, of all nodes: that of one, times them.
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
    """Watch one node that never dies and count how often it is suspected; and see how soon its death would be noticed.

    Every setting meets the same network: of each interval the same heartbeats are lost, and the same are late. One
    node is watched for `hours`, and what it comes to is multiplied by `nodes`: that many times the messages and the
    false suspicions. Its death is drawn 200 times within those same hours (after the first tenth of them), each time as
    if it had lived until then. Time is not simulated but computed: suspicion only grows in a silence, so it is enough to
    ask at the end of each one.

    Args:
        intervals_s: how far apart heartbeats are, in seconds; each with every timeout and threshold.
        timeouts_s: for HeartbeatMonitor, in seconds. Those that are not longer than an interval are left out with it:
            they suspect everybody.
        thresholds: for PhiAccrualDetector, with 20 ms as the least deviation, so that the threshold decides.
        nodes: by how many to multiply.
        delay: draws how long a message is on its way, in seconds.
        loss: which share of messages is lost, from 0 to below 1.
        hours: how long the live node is watched.
        seed: fixes every draw.

    Raises LessonError for arguments that make no sense, and for more than a million heartbeats.
    """
    whole("nodes", nodes, least=1)
    whole("seed", seed, least=0)
    seconds("hours", hours, positive=True)
    function("delay", delay, example="a function that draws seconds from a Random, such as uneven_network")
    for name, values in (
        ("intervals_s", intervals_s),
        ("timeouts_s", timeouts_s),
        ("thresholds", thresholds),
    ):
        _numbers(name, values)
    if isinstance(loss, bool) or not isinstance(loss, int | float) or not 0 <= loss < 1:
        raise LessonError(f"loss={loss!r:.60} should be a share of messages; give a number from 0 to below 1")
    for interval_s in intervals_s:
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
    if not found:
        raise LessonError(
            f"timeouts_s={timeouts_s!r:.60} holds none that is longer than an interval, and there is no threshold; "
            "give a longer timeout"
        )
    return found


def _numbers(name: str, values: object, *, zero: bool = False) -> None:
    """Refuse what is no list of numbers above 0, or, with `zero`, of 0 or more."""
    if not isinstance(values, list | tuple):
        raise LessonError(f"{name}={values!r:.60} is no list of numbers; give for instance (0.5, 1.0)")
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < inf or (value == 0 and not zero):
            least = "of 0 or more" if zero else "above 0"
            raise LessonError(
                f"{name}={values!r:.60} holds {value!r:.60}, which makes no sense; give numbers {least}"
            )


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


# ---- Figure 16: without a leader -------------------------------------------------------------------------
# As in the paper's §9.3: five servers; the leader sends everybody a heartbeat and dies at a random moment within the
# heartbeat interval after it, which is half of the shortest election timeout; the logs of the others differ in length,
# so that two of the four are not eligible. A broadcast, there and back, takes about 15 ms.

MESSAGE_MS = (2.0, 4.0)  # one way
STORE_MS = 9.0  # a vote is on the disk before it is sent: 3 + 9 + 3 is the paper's 15 ms
SHORTEST_MS = 10  # below, no vote is back in time and nobody is ever elected
MOST_MS = 10_000  # an election that takes longer is given up
SPREADS = ((150, 150), (150, 151), (150, 155), (150, 175), (150, 200), (150, 300))
SHORTER = ((12, 24), (25, 50), (50, 100), (100, 200), (150, 300))
QUANTILES = (1, 25, 50, 75, 90, 100)

# What the paper says of its runs: timeout -> quantile (50: the median, 100: the longest) or "mean" -> milliseconds.
# Of 150-150 ms it says that there was no leader for over 10 s, again and again.
PUBLISHED_MS: Mapping[tuple[int, int], Mapping[int | str, float]] = {
    (150, 150): {50: MOST_MS},
    (150, 155): {50: 287},
    (150, 200): {100: 513},
    (12, 24): {"mean": 35},
}
WHY_THEY_DIFFER = (
    "The paper says that a broadcast takes about 15 ms, and not what it is made of. Ours: 2 to 4 ms for a message, 9 ms "
    "until a vote is on the disk; a candidate's own vote is written while its requests are under way. The shorter the way "
    "to the others, the fewer of them stand at the same time; these numbers were chosen so that the median of 150-155 ms "
    "comes out, and the rest follows. Which servers could win the paper does not say either; of ours two of four can. At 12-24 ms "
    "the broadcast is most of the time, so that there our guess counts most. The paper's machines had other work and "
    "timers that are a little late: randomness that nobody asked for, and that ours lack."
)


@dataclass(frozen=True, slots=True)
class Downtimes:
    """How long a cluster was without a leader, from its crash until the next one is elected.

    Attributes:
        timeout_ms: the shortest and the longest election timeout.
        times_ms: one for each election, in ascending order; MOST_MS stands for as long or longer.
    """

    timeout_ms: tuple[int, int]
    times_ms: tuple[float, ...]

    @property
    def name(self) -> str:
        """The timeout as the paper writes it."""
        return "{}-{} ms".format(*self.timeout_ms)

    @property
    def label(self) -> str:
        """The same with how many elections there were and were given up, where some were."""
        if not self.given_up:
            return self.name
        return f"{self.name} ({self.given_up} of {len(self.times_ms)} given up after {MOST_MS / 1000:g} s)"

    @property
    def mean_ms(self) -> float:
        return round(fmean(self.times_ms), 1)

    @property
    def median_ms(self) -> float:
        return self.quantile(50)

    @property
    def longest_ms(self) -> float:
        return self.times_ms[-1]

    @property
    def given_up(self) -> int:
        """How many elections took MOST_MS or longer."""
        return sum(time_ms >= MOST_MS for time_ms in self.times_ms)

    def quantile(self, percent: float) -> float:
        """Return within how many milliseconds so many of a hundred elections were over."""
        return self.times_ms[max(0, ceil(percent / 100 * len(self.times_ms)) - 1)]


def downtimes(
    shortest_ms: int,
    longest_ms: int,
    *,
    elections: int = 1_000,
    seed: int = 1,
    pre_vote: bool = False,
    store_first: bool = False,
) -> Downtimes:
    """Let the leader of five crash, again and again, and return how long there was none.

    Args:
        shortest_ms, longest_ms: the election timeout is drawn between them.
        elections: how many.
        pre_vote: whether members ask before they stand. In the paper's runs they did not; our cluster does.
        store_first: whether a candidate has its own vote on the disk before it asks for others. Our member does; the
            paper's may have asked meanwhile, which is as safe, since that vote counts for the candidate alone.
    """
    whole("shortest_ms", shortest_ms, least=SHORTEST_MS)
    whole("longest_ms", longest_ms, least=SHORTEST_MS)
    whole("elections", elections, least=1)
    whole("seed", seed, least=0)
    if longest_ms < shortest_ms:
        raise LessonError(
            f"longest_ms={longest_ms} is below shortest_ms={shortest_ms}; give {shortest_ms} or more"
        )
    random = Random(f"{seed}/{shortest_ms}-{longest_ms}/{pre_vote}/{store_first}")
    timeout_s = (shortest_ms / 1000, longest_ms / 1000)
    times = [_without_leader_s(random, timeout_s, pre_vote, store_first) for _ in range(elections)]
    return Downtimes((shortest_ms, longest_ms), tuple(sorted(round(1000 * time, 1) for time in times)))


def figure_16(
    timeouts_ms: Sequence[tuple[int, int]] = SPREADS, *, elections: int = 1_000, seed: int = 1
) -> list[Downtimes]:
    """Return the curves of one half of the figure: SPREADS is the upper one, SHORTER the lower.

    As in the paper, 150-150 ms is tried for a tenth of the elections: each takes too long. An election without a
    leader after MOST_MS is given up and counts as that long: the true value is not known.
    """
    whole("elections", elections, least=1)
    pairs = isinstance(timeouts_ms, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in timeouts_ms
    )
    if not pairs:
        raise LessonError(
            f"timeouts_ms={timeouts_ms!r:.60} should be pairs of the shortest and the longest timeout; "
            "give for instance ((150, 155), (150, 300))"
        )
    return [
        downtimes(low, high, elections=ceil(elections / 10) if low == high else elections, seed=seed)
        for low, high in timeouts_ms
    ]


def election_curves(found: Sequence[Downtimes]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return (ours, published) for `measured`: for each timeout its points (percent of elections, over within ms).

    An election that was given up stands at MOST_MS, and the line's label says how many were.
    """
    ours = {row.label: [(percent, row.quantile(percent)) for percent in QUANTILES] for row in found}
    published: dict[str, list[Any]] = {}
    for row in found:
        for q, ms in PUBLISHED_MS.get(row.timeout_ms, {}).items():
            if isinstance(q, int) and ms < MOST_MS:
                published.setdefault(row.label, []).append((q, ms))
    return ours, published


def beside_the_paper(found: Sequence[Downtimes]) -> list[tuple[str, str, str, str]]:
    """Return rows (timeout, what, ours, published) for every figure that the paper's text names."""
    rows = []
    for row in found:
        for what, said_ms in PUBLISHED_MS.get(row.timeout_ms, {}).items():
            if said_ms == MOST_MS:
                ours = f"over {MOST_MS / 1000:g} s in {row.given_up} of {len(row.times_ms)}"
                rows.append((row.name, "without a leader", ours, f"over {MOST_MS / 1000:g} s"))
            else:
                word = {50: "median", 100: "longest"}.get(what, str(what)) if isinstance(what, int) else what
                value = row.mean_ms if what == "mean" else row.quantile(float(what))
                rows.append((row.name, word, f"{value:.0f} ms", f"{said_ms:g} ms"))
    return rows


_MEMBERS = tuple(f"node-{n}" for n in range(1, 6))
_OLD_LEADER, _SURVIVORS = _MEMBERS[0], _MEMBERS[1:]


def _without_leader_s(
    random: Random, timeout_s: tuple[float, float], pre_vote: bool, store_first: bool
) -> float:
    """Run one election on the pure state machines, over a queue of events; return how long it took, in seconds."""
    uniform = random.uniform
    fastest_s, slowest_s = MESSAGE_MS[0] / 1000, MESSAGE_MS[1] / 1000
    crash_s = uniform(0, timeout_s[0] / 2)
    give_up_s = crash_s + MOST_MS / 1000
    events: list[
        tuple[float, int, str, str, Any]
    ] = []  # when, in order of creation, at whom, from whom, what
    count = 0

    def at(time_s: float, name: str, sender: str = "", message: Any = None) -> None:
        nonlocal count
        count += 1
        heappush(events, (time_s, count, name, sender, message))

    lengths = random.sample(range(1, len(_SURVIVORS) + 1), len(_SURVIVORS))
    logs = {name: (1, length) for name, length in zip(_SURVIVORS, lengths, strict=True)}
    members: dict[str, Election] = {}
    looks_s: dict[str, float] = {}  # when each member's timer is set for
    for name in _SURVIVORS:
        promise = {"term": 1, "voted_for": _OLD_LEADER}
        member = Election(
            name, _MEMBERS, random=random, timeout_s=timeout_s, promise=promise, pre_vote=pre_vote
        )
        member.start(0.0)
        member.hear_leader(_OLD_LEADER, 1, uniform(fastest_s, slowest_s))
        members[name], looks_s[name] = member, member.deadline_s
        at(member.deadline_s, name)

    while True:
        now_s, _, name, sender, message = heappop(events)
        if now_s >= give_up_s:
            return MOST_MS / 1000
        member, ballot = members[name], members[name].ballot
        promised = ballot.term, ballot.voted_for
        if sender:
            out = member.receive(sender, message, now_s=now_s, my_log=logs[name])
        elif now_s < member.deadline_s:  # the timer was set anew in the meantime
            out = []
        else:
            out = member.tick(now_s, logs[name])
        if member.role == LEADER:
            return now_s - crash_s
        # Whatever rests on a new promise leaves once that is on the disk.
        stored = (ballot.term, ballot.voted_for) == promised or not (store_first or sender)
        leaves_s = now_s if stored else now_s + STORE_MS / 1000
        for to, body in out:
            if to != _OLD_LEADER:
                at(leaves_s + uniform(fastest_s, slowest_s), to, name, body)
        if member.deadline_s != looks_s[name] or not sender:
            looks_s[name] = member.deadline_s
            at(member.deadline_s, name)
