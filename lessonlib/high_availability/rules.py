"""What must hold of a cluster. Each rule reads a history and nothing else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from lessonlib.lab.faults import (
    ClockSkew,
    Crash,
    Duplication,
    Fault,
    FaultPlan,
    OneWayPartition,
    Partition,
    SlowNode,
    _LinkFault,
)
from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, not_exercised, rule

# ---- Heartbeats ------------------------------------------------------------------------------------------
# Of a run of HEARTBEATS. Its records:
# - `promise` (once): `patience_s`, `detect_s`, `stretch`, `look_s`: what the detector promises (see `Silences.bound_us`);
# - `watching` on the watcher's lane, when it starts: `nodes`;
# - `suspicion` there, when one begins or ends: `about`, `suspected`, `silence_s`; `level`: `about`, `phi`;
# - `delivered` there: the heartbeats; `tick` every second, so that the history says how long the run was.
#
# A detector can only judge what reaches it. So the rules count a node's silence from the last heartbeat that was
# *delivered*, and whoever caused the silence (a crash, a pause, a partition, a loss) makes no difference to them.
# They do not judge while the watcher is down, stands still, or is slowed: it cannot tell its own trouble from others'.

WATCHER = "watcher"
SLACK_US = 1_000
CALM_US = 1_000_000  # how long after the last fault on its way a node should be heard as if there had been none


@dataclass
class Silences:
    """One node, as the watcher could hear it.

    Attributes:
        heard: when the watcher could hear it last, in microseconds, in order; the start of watching is one of them.
        starts: those of `heard` that are a start of watching.
        states: when a suspicion began (the record) or ended (None), in order.
    """

    heard: list[int] = field(default_factory=list)
    starts: set[int] = field(default_factory=set)
    states: list[tuple[int, Record | None]] = field(default_factory=list)

    def suspicion(self, t_us: int) -> Record | None:
        """Return the suspicion that is in force at `t_us`."""
        before = [suspicion for at_us, suspicion in self.states if at_us <= t_us]
        return before[-1] if before else None

    def last_heard(self, t_us: int) -> int | None:
        """Return when it was heard last before `t_us`."""
        at = bisect_left(self.heard, t_us)
        return self.heard[at - 1] if at else None


class Watch:
    """What a watcher could know, read from a history."""

    def __init__(self, history: History) -> None:
        record = history.of("promise").first()
        self.promise: dict[str, Any] = {} if record is None else record.data
        self.usable = record is not None and bool(history.of("sent").records)
        self.end_us = history.end_us
        self.blind = _blind(history)
        self.faults = list(_faults(history))
        self.nodes: dict[str, Silences] = {}
        if self.usable:
            self._read(history)

    def _read(self, history: History) -> None:
        pauses = [(start, end) for start, end, kind in self.blind if kind == "pause"]
        for record in history.of("watching", "delivered", "suspicion", node=WATCHER):
            t_us = record.t_us
            if record.kind == "watching":
                for name in record.data["nodes"]:
                    node = self.nodes.setdefault(name, Silences())
                    node.heard.append(t_us)
                    node.starts.add(t_us)
                    node.states.append((t_us, None))
            elif record.kind == "delivered":
                for start, end in pauses:
                    if start <= t_us < end:
                        t_us = int(min(end, self.end_us))  # it lay unread until then
                if record.data["source"] in self.nodes:
                    self.nodes[record.data["source"]].heard.append(t_us)
            else:
                suspicion = record if record.data["suspected"] else None
                self.nodes[record.data["about"]].states.append((t_us, suspicion))

    def us(self, name: str) -> int:
        """Return a time of the promise in microseconds."""
        return round(self.promise[name] * 1e6)

    def sees(self, start_us: int, end_us: int) -> bool:
        """Whether the watcher was well from `start_us` to `end_us`."""
        settled = 3 * self.us("look_s")
        return all(end + settled <= start_us or end_us < start for start, end, _ in self.blind)

    def disturbed(self, name: str, t_us: int) -> bool:
        """Whether a fault hindered the heartbeats of `name`, at `t_us` or shortly before."""
        calm_us = CALM_US + self.us("patience_s")
        return any(
            start <= t_us <= end + calm_us for start, end, fault in self.faults if _hinders(fault, name)
        )


def _faults(history: History) -> Iterator[tuple[int, float, Fault]]:
    """Yield (from, to, fault) for each that began, in microseconds."""
    for record in history.of("fault", phase="begins"):
        fault = next(iter(FaultPlan.parse(record.data["fault"])))
        lasts_us = round((fault.ends_s - fault.begins_s) * 1e6)
        forever = isinstance(fault, Crash) and fault.down_s is None
        yield record.t_us, inf if forever else record.t_us + lasts_us, fault


def _hinders(fault: Fault, name: str) -> bool:
    """Whether a fault can keep the heartbeats of `name` from coming in time. A wrong calendar, or a copy, cannot."""
    if isinstance(fault, ClockSkew | Duplication):
        return False
    if isinstance(fault, Partition | OneWayPartition):
        return fault.cuts(name, WATCHER)
    if isinstance(fault, _LinkFault):
        return fault.on(name, WATCHER)
    return getattr(fault, "node", None) == name


def _blind(history: History) -> list[tuple[int, float, str]]:
    """Return (from, to, why) for each spell in which the watcher could not do its work."""
    found: list[tuple[int, float, str]] = []
    for start, _, fault in _faults(history):
        if isinstance(fault, SlowNode) and fault.node == WATCHER:
            found.append((start, inf, "slow"))  # nobody knows when it has caught up
    for begins, ends in (("crash", "restart"), ("pause", "resume")):
        for record in history.of(begins, node=WATCHER):
            # A paused node may crash, and a crashed one restarts.
            over = [r.t_us for r in history.of(ends, "restart", node=WATCHER) if r.t_us >= record.t_us]
            found.append((record.t_us, over[0] if over else inf, begins))
    return found


_NO_MESSAGES = "No heartbeat was recorded: without messages nobody can say who was silent."


@rule("a silent node is suspected within the bound", kind="liveness")
def complete(history: History) -> Verdict:
    """Completeness. The bound is `detect_s` after the last heartbeat, and one look; for a detector that learns,
    `stretch` times the longest silence that it was right to believe in, where that is more."""
    watch = Watch(history)
    if not watch.usable:
        return not_exercised(_NO_MESSAGES)
    judged, latest = 0, 0
    for name, node in watch.nodes.items():
        believed_us = 0
        for start, end in zip(node.heard, [*node.heard[1:], watch.end_us], strict=True):
            allowed_us = max(watch.us("detect_s"), round(watch.promise["stretch"] * believed_us))
            due = start + allowed_us + watch.us("look_s") + SLACK_US
            if end > due and watch.sees(start, due):
                judged += 1
                latest = max(latest, due - start)
                if node.suspicion(due) is None:
                    cause = _cause(history, name, start, due)
                    return broken(
                        f"{name} was heard last at {seconds(start)}, and at {seconds(due)} it is still not suspected.",
                        *cause,
                        at_us=due,
                    )
            if end not in node.starts and node.suspicion(end - 1) is None:
                believed_us = max(believed_us, end - start)
    if not judged:
        return not_exercised("No node was silent for longer than the bound.")
    return holds(f"{judged} long silences, each suspected within {seconds(latest)}.")


def _cause(history: History, name: str, start: int, end: int) -> list[Record]:
    """Return the crash or pause of `name` that a silence began with, to show."""
    return [r for r in history.of("crash", "pause", node=name) if start - CALM_US <= r.t_us <= end][:1]


@rule("a live, connected node is not suspected")
def accurate(history: History) -> Verdict:
    """Accuracy. A node that was heard within `patience_s` is not suspected; nor is one that no fault hindered."""
    watch = Watch(history)
    if not watch.usable:
        return not_exercised(_NO_MESSAGES)
    for name, node in watch.nodes.items():
        for t_us, record in node.states:
            heard = node.last_heard(t_us)
            if record is None or heard is None or not watch.sees(heard, t_us):
                continue
            silence = f"{name} is suspected after {seconds(t_us - heard)} of silence"
            if t_us - heard < watch.us("patience_s"):
                return broken(
                    f"{silence}; the detector promises to bear {watch.promise['patience_s']:.4g} s.", record
                )
            if not watch.disturbed(name, t_us):
                return broken(f"{silence}, and nothing hindered it or its heartbeats.", record)
    count = sum(len(node.heard) - len(node.starts) for node in watch.nodes.values())
    if not count:
        return not_exercised("No heartbeat arrived.")
    return holds(f"{count} heartbeats arrived, and nobody was suspected who had just been heard.")


@rule("a suspicion ends when the node is heard again", kind="liveness")
def withdrawn(history: History) -> Verdict:
    """A suspicion is withdrawn at the next look after a heartbeat, two more for good measure."""
    watch = Watch(history)
    if not watch.usable:
        return not_exercised(_NO_MESSAGES)
    judged = 0
    for name, node in watch.nodes.items():
        for number, (t_us, record) in enumerate(node.states):
            if record is None:
                continue
            heard = next((h for h in node.heard[bisect_left(node.heard, t_us) :] if h >= t_us), None)
            ended_us = next((at_us for at_us, state in node.states[number + 1 :] if state is None), inf)
            if heard is None:
                continue
            due = heard + 3 * watch.us("look_s") + SLACK_US
            if due > watch.end_us or not watch.sees(heard, due):
                continue
            judged += 1
            if ended_us > due:
                return broken(
                    f"{name}, suspected since {seconds(t_us)}, was heard at {seconds(heard)} and is suspected still.",
                    record,
                    at_us=due,
                )
    if not judged:
        return not_exercised("Nobody who was suspected was heard again.")
    return holds(f"{judged} suspicions, each withdrawn at once when the node was heard again.")
