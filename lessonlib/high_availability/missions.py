"""What to bring about in the failure labs of this lesson, by sitting. Each mission reads runs under one plan."""

from __future__ import annotations

from lessonlib.high_availability import rules
from lessonlib.high_availability.election import LEADER
from lessonlib.lab.faults import Crash, CrashAfterWrite, CrashLosingDisk, Delay, Fault, Pause, SlowNode
from lessonlib.lab.rules import Rule
from lessonlib.lab.scenario import Run
from lessonlib.learning.missions import Mission, Runs

HEARTBEATS_LOST = 20
WITHOUT_A_LEADER_S = 2.0
CRASHES: tuple[type[Fault], ...] = (Crash, CrashLosingDisk, CrashAfterWrite)


def _breaks(run: Run, rule: Rule) -> bool:
    return any(verdict.rule == rule.name for verdict in run.broken)


def _crashes(runs: Runs) -> bool:
    return any(isinstance(fault, CRASHES) for fault in runs.plan)


def _spares_the_watcher(runs: Runs) -> bool:
    """Whether no fault stops or slows the watcher itself: then what it does not hear says nothing about the others."""
    return all(getattr(fault, "node", None) != rules.WATCHER for fault in runs.plan)


# ---- Sitting 1 -------------------------------------------------------------------------------------------


def _suspects_the_living(runs: Runs) -> bool:
    suspected = runs["pattern"].history.of("suspicion", suspected=True)
    return len(runs.plan) == 1 and not _crashes(runs) and _spares_the_watcher(runs) and bool(suspected)


def _back_before_anybody_knows(runs: Runs) -> bool:
    history = runs["pattern"].history
    back = history.of("restart").last()
    heard = back is not None and any(
        record.t_us > back.t_us for record in history.of("delivered", node=rules.WATCHER, source=back.node)
    )
    return heard and _spares_the_watcher(runs) and not history.of("suspicion")


def _losses_are_no_death(runs: Runs) -> bool:
    history = runs["pattern"].history
    lost = len(history.of("dropped", node=rules.WATCHER))
    return lost >= HEARTBEATS_LOST and _spares_the_watcher(runs) and not history.of("suspicion")


# ---- Sitting 2 -------------------------------------------------------------------------------------------


def _two_leaders_without_a_cut(runs: Runs) -> bool:
    harmless = all(isinstance(fault, Pause | SlowNode | Delay) for fault in runs.plan)
    return (
        bool(runs.plan)
        and harmless
        and _breaks(runs["textbook"], rules.one_leader_a_term)
        and not runs["pattern"].broken
    )


def _fenced_off(runs: Runs) -> bool:
    return bool(runs["pattern"].history.of("refused"))


def _nobody_leads(runs: Runs) -> bool:
    return not _crashes(runs) and _longest_without_a_leader_s(runs["pattern"]) >= WITHOUT_A_LEADER_S


def _longest_without_a_leader_s(run: Run) -> float:
    """Return how long nobody led at a stretch, once somebody had; nodes that crash are not looked at."""
    leading: set[str] = set()
    longest_s, since_s = 0.0, None
    for record in run.history.of("transition"):
        before = bool(leading)
        (leading.add if record.data["target"] == LEADER else leading.discard)(record.node)
        if leading and since_s is not None:
            longest_s, since_s = max(longest_s, record.t_s - since_s), None
        elif before and not leading:
            since_s = record.t_s
    return longest_s


# ---- Sitting 3 -------------------------------------------------------------------------------------------


def _lost_by_one_fault(runs: Runs) -> bool:
    return len(runs.plan) == 1 and _one_node_had_it(runs["textbook"]) and not runs["pattern"].broken


def _one_node_had_it(run: Run) -> bool:
    """Whether a write that a later leader lacks was never on any node but the one that had acknowledged it.

    A leader that lacks what others have is another failure (D1, D6): it was asleep, or has forgotten.
    """
    for verdict in run.broken:
        if verdict.rule == rules.writes_survive.name:
            write = verdict.records[0]
            holders = {
                record.node
                for record in run.history.of("applied")
                if record.data["command"].get("value") == write.data["value"]
            }
            return holders == {write.node}
    return False


def _two_of_five(runs: Runs) -> bool:
    run = runs["pattern"]
    dead = {record.node: record.t_s for record in run.history.of("crash")}
    for record in run.history.of("restart"):
        dead.pop(record.node, None)
    members = [node for node in dead if node.startswith("node-")]
    if len(members) != 2 or run.broken:
        return False
    last_s = max(dead[node] for node in members)
    return any(record.t_s > last_s + 1 for record in run.history.of("ok", op="write"))


def _work_of_the_living(runs: Runs) -> bool:
    decided = runs["pattern"].history.of("assignment")
    return not _crashes(runs) and any("suspected" in r.data["reason"] and r.data["moved"] for r in decided)


MISSIONS: dict[str, tuple[Mission, ...]] = {
    "4-1": (
        Mission(
            "Make the pattern suspect a node that is not dead, with a single fault.",
            _suspects_the_living,
            "Paused, cut off, slow, or its heartbeats lost: to the watcher all of it is silence. A suspicion says nothing more.",
        ),
        Mission(
            "Let a node that is watched crash and start anew so quickly that nobody ever suspects it.",
            _back_before_anybody_knows,
            "A detector watches for silence, not for crashes. What the node forgot when it died, nobody was told.",
        ),
        Mission(
            f"Lose {HEARTBEATS_LOST} heartbeats or more on the way, and let nobody be suspected.",
            _losses_are_no_death,
            "Five heartbeats fit into the timeout, so a few lost ones are no death. Such losses cost patience, not correctness.",
        ),
    ),
    "4-2": (
        Mission(
            "Give the textbook two leaders though no link is cut and no message lost, and let the pattern keep all rules.",
            _two_leaders_without_a_cut,
            "Who sleeps or is slow is silent. When it is heard again it still leads, as far as it knows (D1), and nobody stops it.",
        ),
        Mission(
            "Make the store refuse a write of the pattern.",
            _fenced_off,
            "A leader that does not know yet of its successor. It is not the cluster that stops it, but the store.",
        ),
        Mission(
            f"Leave the pattern without a leader for {WITHOUT_A_LEADER_S:g} s or longer, though no node crashes.",
            _nobody_leads,
            "No majority could talk with each other in time, so nobody may lead. The price of one leader is, at times, none.",
        ),
    ),
    "4-3": (
        Mission(
            "Lose a write that the textbook has acknowledged, with a single fault; the pattern breaks no rule.",
            _lost_by_one_fault,
            "One node had it when the client was told ok, and no other ever got it (D7). Of a majority, one is always left.",
        ),
        Mission(
            "Take two of the five members away for good, and let the pattern go on writing and keep all rules.",
            _two_of_five,
            "Three of five are a majority. With the third one gone all writes would stop, and none would be lost.",
        ),
        Mission(
            "Make the pattern move work off a node that has not crashed.",
            _work_of_the_living,
            "A suspicion moves work, and a suspicion may be wrong. So for a moment two nodes may do one item: what it writes "
            "must be fenced, or bear to be done twice.",
        ),
    ),
}
