"""What to bring about in the failure labs of this lesson, "<lesson>-<n>". Each mission reads runs under one plan."""

from __future__ import annotations

from lessonlib.lab.faults import Crash, CrashAfterWrite, Pause
from lessonlib.lab.scenario import Run
from lessonlib.learning.missions import Mission, Runs
from lessonlib.stream_processing import rules
from lessonlib.stream_processing.scenario import HotKey, IdleSource

LATE_SHARE_MAX = 0.01
HOT_FAIR = 2.0  # times a fair share
VANISHED_MIN = 0.22


def _status(run: Run, rule: str) -> str:
    return next((verdict.status for verdict in run.verdicts if verdict.rule == rule), "no such rule")


def _keeps_everything(run: Run) -> bool:
    return not run.broken


# ---- 2-1 -------------------------------------------------------------------------------------------------


def _order_lost_by_one_fault(runs: Runs) -> bool:
    return (
        len(runs.plan) == 1
        and _status(runs["textbook"], rules.key_order.name) == "broken"
        and _status(runs["pattern"], rules.key_order.name) == "holds"
    )


def _slowed(runs: Runs) -> bool:
    run = runs["pattern"]
    return (
        _status(runs["textbook"], rules.bounded.name) == "broken"
        and _status(run, rules.bounded.name) == "holds"
        and _keeps_everything(run)
    )


def _one_partition_has_it_all(runs: Runs) -> bool:
    run = runs["pattern"]
    if not any(isinstance(fault, HotKey) for fault in runs.plan):
        return False
    counts: dict[int, int] = {}
    for record in run.history.of("placed"):
        counts[record.data["partition"]] = counts.get(record.data["partition"], 0) + 1
    fair = sum(counts.values()) / max(1, run.values["partitions"])
    return bool(counts) and max(counts.values()) >= HOT_FAIR * fair and _keeps_everything(run)


# ---- 2-2 -------------------------------------------------------------------------------------------------


def _late_share(run: Run) -> float:
    return len(run.history.of("late")) / max(1, len(run.history.of("arrived")))


def _few_late(runs: Runs) -> bool:
    run = runs["pattern"]
    return (
        0 < _late_share(run) <= LATE_SHARE_MAX
        and not len(runs.plan)
        and len(run.history.of("arrived")) >= 900
    )


def _vanished(runs: Runs) -> bool:
    textbook = runs["textbook"]
    arrived = len(textbook.history.of("arrived"))
    counted = sum(record.data["value"] for record in rules.final_results(textbook.history).values())
    return (
        len(runs.plan) == 1
        and arrived - counted >= VANISHED_MIN * arrived > 0
        and _status(runs["pattern"], rules.late_is_routed.name) == "holds"
    )


def _past_an_idle_source(runs: Runs) -> bool:
    run = runs["pattern"]
    verdict = run.verdict(rules.reports_in_time.name)
    idle = any(isinstance(fault, IdleSource) for fault in runs.plan)
    return (
        idle
        and verdict.status == "holds"
        and not verdict.sentence.endswith(", 0 of them past an idle source.")
    )


# ---- 2-3 -------------------------------------------------------------------------------------------------


def _between_two_writes(runs: Runs) -> bool:
    one = [fault for fault in runs.plan if isinstance(fault, Crash | CrashAfterWrite)]
    return (
        len(runs.plan) == len(one) == 1
        and _status(runs["textbook"], rules.counted_once.name) == "broken"
        and _keeps_everything(runs["pattern"])
    )


def _three_crashes(runs: Runs) -> bool:
    run = runs["pattern"]
    crashes = len(run.history.of("crash", node="worker"))
    return crashes >= 3 and _status(run, rules.counted_once.name) == "holds" and _keeps_everything(run)


# ---- 2-4 -------------------------------------------------------------------------------------------------


def thrown_back(run: Run) -> list[str]:
    """Return the partitions of the textbook whose saved offset was once lower than before."""
    latest: dict[str, int] = {}
    found = []
    for record in run.history.of("replaced"):
        name, _, partition = record.data["file"].partition("-")
        if name == "offset":
            (offset,) = record.data["records"]
            if offset < latest.get(partition, 0):
                found.append(partition)
            latest[partition] = offset
    return found


def _zombie(runs: Runs) -> bool:
    paused = any(isinstance(fault, Pause) and fault.node.startswith("worker") for fault in runs.plan)
    crashed = any(isinstance(fault, Crash | CrashAfterWrite) for fault in runs.plan)
    return (
        paused and not crashed and bool(thrown_back(runs["textbook"])) and _keeps_everything(runs["pattern"])
    )


def _alone(runs: Runs) -> bool:
    """At one moment one worker reads everything, and in the end all is counted."""
    run = runs["pattern"]
    return any(len(r.data["members"]) == 1 for r in list(run.history.of("assigned"))[1:]) and (
        _status(run, rules.group_counts_once.name) == "holds" and _keeps_everything(run)
    )


MISSIONS: dict[str, tuple[Mission, ...]] = {
    "2-1": (
        Mission(
            "With one fault, let the textbook handle the events of a key out of order, while the pattern keeps them in order.",
            _order_lost_by_one_fault,
            "Scattered over partitions (D2), each partition goes at its own pace; in a batch, types are torn apart (D3).",
        ),
        Mission(
            "Fill the buffers: the textbook passes its bound, the pattern never does, and loses nothing.",
            _slowed,
            "The producer waits: look at how much longer the pattern's run takes. That is backpressure.",
        ),
        Mission(
            f"Make one key so hot that in the pattern its partition gets at least {HOT_FAIR:g} times its fair share.",
            _one_partition_has_it_all,
            "No rule of the pattern breaks, and the other workers have little to do. More partitions would not help: a key has one. The textbook's load is even, since it scatters the key.",
        ),
    ),
    "2-2": (
        Mission(
            f"Without any fault, choose a delay with which at most {LATE_SHARE_MAX:.0%} of at least 900 departures are late, but not none.",
            _few_late,
            "Look at how long its results were waited for. This is the trade, and there is no setting that has both.",
        ),
        Mission(
            f"With one fault of the network, let at least {VANISHED_MIN:.0%} of all events vanish in the textbook, where the pattern "
            "accounts for every one.",
            _vanished,
            "It closes a window when any event from anywhere is past it (D11), and what comes later vanishes (D12).",
        ),
        Mission(
            "Let an airport fall silent, and have the others' windows reported all the same.",
            _past_an_idle_source,
            "After a while of silence a source is idle and no longer counts for the minimum. With idle_min at 0 you "
            "have seen the other side: everything waits.",
        ),
    ),
    "2-3": (
        Mission(
            "With one crash, make the textbook's count wrong and the pattern's right.",
            _between_two_writes,
            "The crash fell between the two writes (D13). At any other moment the textbook is right as well, which is why "
            "such a defect lives long.",
        ),
        Mission(
            "Crash the pattern's worker three times, at moments of your choice, and let the counts agree with a recount of the log.",
            _three_crashes,
            "It is the same record each time: counts and offset, both old or both new.",
        ),
    ),
    "2-4": (
        Mission(
            "Without any crash, let a paused worker of the textbook throw a saved offset back, while the pattern keeps all its rules.",
            _zombie,
            "Who is paused in the middle of a batch does not know it, and commits when it wakes (D16). The pattern's "
            "coordinator refuses it by its epoch.",
        ),
        Mission(
            "Leave one worker to read all partitions for a while; in the end every event of the pattern is counted once.",
            _alone,
            "State and offset of a partition are kept by the coordinator, so they go where the partition goes.",
        ),
    ),
}
