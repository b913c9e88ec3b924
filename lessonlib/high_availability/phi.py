"""How sure are we that it is dead? The phi accrual detector turns silence into a level of suspicion.

A timeout must be chosen for the worst network. This detector looks at how a node's heartbeats have come so far and
asks how likely a silence like the present one would be if the node were alive (Hayashibara and others, *The φ Accrual
Failure Detector*, 2004):

    phi = −log10(P(the next heartbeat comes even later))

At phi 1 a live node would be suspected wrongly once in 10 times, at 8 once in a hundred million, *if* the intervals
follow the normal distribution, which those of a real network do not quite.

What is kept as Akka (and Pekko) keep it: threshold 8, a deviation of 100 ms at least, a pause that is forgiven, and
a first estimate of the interval. An outage does not enter the history: as in Akka, a heartbeat that ends a suspicion
is the start of an interval, but not the end of one. Else one long silence makes the detector forgive the next.
(Cassandra reaches the same end by another way: it leaves out intervals above a fixed maximum.) The price is that a
node whose interval grows at once beyond what is tolerated is suspected again and again, and never learnt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import erfc, exp, log, log1p, log10, pi, sqrt

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import seconds, whole
from lessonlib.high_availability.heartbeat import name_and_time, not_watched

ERFC_MAX = (
    25.0  # erfc(25) is 8e-274; beyond 26.5 it has no digits left, and phi would be infinite from 308 on
)


def phi_exact(silence_s: float, mean_s: float, deviation_s: float) -> float:
    """Return phi for a silence, with the tail of the normal distribution itself.

    Args:
        silence_s: seconds since the last heartbeat.
        mean_s, deviation_s: mean and standard deviation of the intervals, in seconds.

    Far out, where the tail is smaller than the smallest float, the logarithm of its asymptotic expansion takes over
    (Abramowitz and Stegun, 7.1.23), so that phi goes on growing.
    """
    _check(silence_s, mean_s, deviation_s)
    x = (silence_s - mean_s) / (deviation_s * sqrt(2))
    if x < 0:  # 1 − a small number: keep its digits
        return -log1p(-erfc(-x) / 2) / log(10)
    if x < ERFC_MAX:
        return -log10(erfc(x) / 2)
    r = 1 / (2 * x * x)
    series = 1 - r * (1 - 3 * r * (1 - 5 * r * (1 - 7 * r)))
    return x * x / log(10) + log10(2 * x * sqrt(pi)) - log10(series)


def phi_akka(silence_s: float, mean_s: float, deviation_s: float) -> float:
    """Return phi as Akka approximates it: the logistic function instead of the normal distribution's tail.

    The same arguments as `phi_exact`. The two agree to 0.1 up to phi 3 or so; at 1400 ms, with mean 1000 and deviation
    100, Akka's says 4.7 and the exact tail 4.5.
    """
    _check(silence_s, mean_s, deviation_s)
    y = (silence_s - mean_s) / deviation_s
    a = y * (1.5976 + 0.070566 * y * y)
    # Akka's −log10(e / (1 + e)) with e = exp(−a), written so that e does not vanish.
    return (max(a, 0.0) + log1p(exp(-abs(a)))) / log(10)


def silence_at(
    threshold: float,
    mean_s: float,
    deviation_s: float,
    *,
    phi: Callable[[float, float, float], float] = phi_exact,
) -> float:
    """Return after how many seconds of silence phi reaches `threshold`, to a microsecond: what a timeout would say."""
    seconds("threshold", threshold)
    _check(0.0, mean_s, deviation_s)
    low_s, high_s = 0.0, mean_s + deviation_s
    while phi(high_s, mean_s, deviation_s) < threshold:
        low_s, high_s = high_s, 2 * high_s
    while high_s - low_s > 1e-6:
        middle_s = (low_s + high_s) / 2
        below = phi(middle_s, mean_s, deviation_s) < threshold
        low_s, high_s = (middle_s, high_s) if below else (low_s, middle_s)
    return high_s


def _check(silence_s: float, mean_s: float, deviation_s: float) -> None:
    seconds("silence_s", silence_s)
    seconds("mean_s", mean_s)
    seconds("deviation_s", deviation_s, positive=True)


class _Arrivals:
    """When a node was heard last, and its last intervals, in whole microseconds: their sums stay exact."""

    __slots__ = ("heard_s", "intervals_us", "squares", "total")

    def __init__(self, now_s: float, window: int, first_interval_s: float) -> None:
        self.heard_s = now_s
        self.intervals_us: deque[int] = deque(maxlen=window)
        self.total = self.squares = 0
        for interval_s in (0.75 * first_interval_s, 1.25 * first_interval_s):  # as Akka: a quarter either way
            self.add(interval_s)

    def add(self, interval_s: float) -> None:
        if len(self.intervals_us) == self.intervals_us.maxlen:
            oldest = self.intervals_us[0]  # which the deque drops by itself
            self.total -= oldest
            self.squares -= oldest * oldest
        interval_us = round(interval_s * 1e6)
        self.intervals_us.append(interval_us)
        self.total += interval_us
        self.squares += interval_us * interval_us

    def mean_s(self) -> float:
        return self.total / len(self.intervals_us) / 1e6

    def deviation_s(self) -> float:
        count = len(self.intervals_us)
        return sqrt(count * self.squares - self.total * self.total) / count / 1e6


class PhiAccrualDetector:
    """Suspects a watched node once its phi reaches `threshold`.

    Args:
        threshold: the phi from which a node is suspected; Akka's and Cassandra's default is 8.
        window: how many intervals of a node are kept (Akka's cluster: 1000).
        min_deviation_s: what the deviation counts for at least, in seconds: of a network that was very regular for
            a while, the first small delay is not a death.
        acceptable_pause_s: how long a pause is forgiven, in seconds: it is added to the mean.
        first_interval_s: the interval that is assumed before any was seen, in seconds; give the heartbeat interval.
        phi: `phi_exact` or `phi_akka`, or another function of silence, mean and deviation.

    Raises LessonError for arguments that make no sense.
    """

    def __init__(
        self,
        threshold: float = 8.0,
        *,
        window: int = 200,
        min_deviation_s: float = 0.1,
        acceptable_pause_s: float = 0.0,
        first_interval_s: float = 1.0,
        phi: Callable[[float, float, float], float] = phi_exact,
    ) -> None:
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold <= 300:
            raise LessonError(f"threshold={threshold!r:.60} should be a phi; give more than 0 and up to 300")
        whole("window", window, least=2)
        seconds("min_deviation_s", min_deviation_s, positive=True)
        seconds("acceptable_pause_s", acceptable_pause_s)
        seconds("first_interval_s", first_interval_s, positive=True)
        if not callable(phi):
            raise LessonError(f"phi={phi!r:.60} should be a function; give phi_exact or phi_akka")
        self.threshold = threshold
        self.window = window
        self.min_deviation_s = min_deviation_s
        self.acceptable_pause_s = acceptable_pause_s
        self.first_interval_s = first_interval_s
        self._phi = phi
        self._nodes: dict[str, _Arrivals] = {}

    def watch(self, node: str, now_s: float) -> None:
        """Begin to watch `node`, or begin anew, with the first estimate for a history. Its silence counts from now
        (Akka's detector says 0 until the first heartbeat: whoever never sends one is never suspected)."""
        name_and_time(node, now_s)
        self._nodes[node] = _Arrivals(now_s, self.window, self.first_interval_s)

    def heard(self, node: str, now_s: float) -> None:
        """A heartbeat of `node` arrived at `now_s`. One of a node that is not watched changes nothing.

        The interval that it ends enters the history, unless the node was suspected.
        """
        name_and_time(node, now_s)
        arrivals = self._nodes.get(node)
        if arrivals is None or now_s < arrivals.heard_s:
            return
        if self.level(node, now_s) < self.threshold:
            arrivals.add(now_s - arrivals.heard_s)
        arrivals.heard_s = now_s

    def forget(self, node: str) -> None:
        """Watch `node` no longer, and forget its history; nothing happens when it is not watched."""
        self._nodes.pop(node, None)

    def silence_s(self, node: str, now_s: float) -> float:
        """Return for how many seconds `node` has been silent. Raises LessonError when it is not watched."""
        name_and_time(node, now_s)
        if node not in self._nodes:
            raise LessonError(not_watched(node, self._nodes))
        return max(0.0, now_s - self._nodes[node].heard_s)

    def level(self, node: str, now_s: float) -> float:
        """Return the phi of `node`. Raises LessonError when it is not watched."""
        silence_s = self.silence_s(node, now_s)
        arrivals = self._nodes[node]
        mean_s = arrivals.mean_s() + self.acceptable_pause_s
        return self._phi(silence_s, mean_s, max(arrivals.deviation_s(), self.min_deviation_s))

    def suspects(self, now_s: float) -> list[str]:
        """Return the watched nodes whose phi has reached the threshold, sorted."""
        seconds("now_s", now_s)
        return sorted(node for node in self._nodes if self.level(node, now_s) >= self.threshold)

    def alive(self, now_s: float) -> list[str]:
        """Return the watched nodes that are not suspected, sorted."""
        return sorted(self._nodes.keys() - self.suspects(now_s))
