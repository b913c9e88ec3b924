"""What must hold when a stream is processed. Each rule reads a history and nothing else.

The records that these rules read, by scenario:

BATCHES: `configured` (buffer, batch_size, window_s, work_s); `invoke`, `ok`, ... of op "process" with `number`, `key`,
`seq`, `kind` and, for a poison event, `poison`; `placed` (key, partition, incarnation); `handled` (number, key, seq);
`depth` (partition, depth); `shed` (number) for an event that was dropped on purpose; letters in "dead-letters".

WINDOWS: `configured` (size_s, delay_s, idle_s, began_s, speed, sources); `arrived` (number, key, time_s, source); `result` (key,
start_s, end_s, value); `late` (number); `watermark` (value_s); `ended`.

RESTORE: `written` to "log"; `replaced` of "checkpoint" (offsets and state), or of "state" and "offsets".

GROUP: `written` to "topic"; `replaced` of "checkpoint-N" (offset and state), or of "state-N" and "offset-N";
`assigned` (members, before, after, partitions).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise
from math import inf
from typing import Any

from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, in_order, not_exercised, rule

SETTLE_S = 15.0  # how long a run goes on after the last call and the last fault
PROMPT_S = 0.5  # how long after its window's time an event is handled by a processor that is not busy
GRACE_S = 8.0  # how long after a fault there may still be a backlog
SLACK_S = 0.3  # how long after the watermark allows it a window is reported
CONTEXT = ("topic", "offset", "error", "attempts", "first_time", "last_time")


def configured(history: History) -> Mapping[str, Any]:
    """Return how the run was set up; {} when it does not say."""
    found = history.of("configured").first()
    return found.data if found is not None else {}


def by_number(records: History) -> dict[int, Record]:
    """Return the first record of each event."""
    found: dict[int, Record] = {}
    for record in records:
        found.setdefault(record.data["number"], record)
    return found


def gone(history: History) -> set[str]:
    """Return the nodes that crashed and never came back."""
    up: dict[str, int] = {}
    for record in history.of("restart"):
        up[record.node] = up.get(record.node, 0) + 1
    for record in history.of("crash"):
        up[record.node] = up.get(record.node, 0) - 1
    return {node for node, balance in up.items() if balance < 0}


def _in_a_row(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    more = len(numbers) - 5
    return shown + (f" and {more} other{'s' * (more > 1)}" if more > 0 else "")


# ---- Keys, batches, backpressure -------------------------------------------------------------------------


def letters(history: History) -> dict[int, Record]:
    """Return the dead letter of each event that has one."""
    found: dict[int, Record] = {}
    for record in history.of("written", file="dead-letters"):
        letter = record.data["record"]
        event = letter.get("event") if isinstance(letter, dict) else None
        data = event.get("data") if isinstance(event, dict) else None
        if isinstance(data, dict) and isinstance(data.get("number"), int):
            found.setdefault(data["number"], record)
    return found


@rule("an event that is offered is taken", "liveness")
def offered_is_taken(history: History) -> Verdict:
    """Unless the processor is closed, full and told to fail, or down, whenever it is asked."""
    offered, taken = by_number(history.of("invoke", op="process")), by_number(history.of("ok", op="process"))
    refused = {
        r.data["number"]: r
        for r in history.of("failed", op="process")
        if r.get("type") not in (None, "StreamClosed", "BufferFull")
    }
    for number, record in refused.items():
        if number not in taken:
            return broken(f"Event {number} was offered, and never taken: {record.get('error')}.", record)
    if not offered:
        return not_exercised("No event was offered.")
    return holds(
        f"{len(taken)} of {len(offered)} events were taken, and none of the others was refused by an error."
    )


@rule("every event that was taken is handled or set aside", "liveness")
def handled_or_aside(history: History) -> Verdict:
    """By the end; an event that was dropped on purpose, and told, is not lost."""
    taken = by_number(history.of("ok", op="process"))
    if not taken:
        return not_exercised("No event was taken.")
    done = {*by_number(history.of("handled")), *letters(history), *by_number(history.of("shed"))}
    lost = [number for number in taken if number not in done]
    if not lost:
        return holds(f"{len(taken)} events, each handled or set aside.")
    if away := gone(history):
        return not_exercised(f"{' and '.join(sorted(away))} never came back.")
    return broken(
        f"Event {lost[0]} ({taken[lost[0]].get('kind')} of {taken[lost[0]].get('key')}) was taken at "
        f"{seconds(taken[lost[0]].t_us)} and never handled nor set aside"
        + (f"; nor were {_in_a_row(lost[1:])}." if lost[1:] else "."),
        taken[lost[0]],
    )


key_order = in_order(
    "events of one key are handled in order, across types",
    kind="handled",
    key=lambda r: r.data["key"],
    position=lambda r: r.data["seq"],
    what=lambda r: f"{r.data['key']}: {r.data['type']} ({r.data['seq']})",
)


@rule("a buffer never holds more than its bound")
def bounded(history: History) -> Verdict:
    """The source is slowed instead. Exercised when a buffer was full."""
    bound, fullest = configured(history).get("buffer"), 0
    for record in history.of("depth"):
        fullest = max(fullest, record.data["depth"])
        if bound is not None and record.data["depth"] > bound:
            return broken(
                f"{record.data['depth']} events wait for partition {record.data['partition']}; the bound is {bound}.",
                record,
            )
    if bound is None or fullest < bound:
        return not_exercised(f"No buffer was full: at most {fullest} of {bound} waited.")
    return holds(f"Buffers were full, and never held more than {bound}.")


@rule("a key keeps its partition, also after a restart")
def keeps_partition(history: History) -> Verdict:
    """Within one process and from one to the next."""
    first: dict[str, Record] = {}
    again = 0
    for record in history.of("placed"):
        before = first.setdefault(record.data["key"], record)
        again += before is not record
        if before.data["partition"] != record.data["partition"]:
            restarted = before.data["incarnation"] != record.data["incarnation"]
            return broken(
                f"{record.data['key']} went to partition {before.data['partition']}, and "
                f"{'after a restart' if restarted else 'in the same process'} to {record.data['partition']}.",
                before,
                record,
            )
    return holds(f"{len(first)} keys, {again} times again.") if again else not_exercised("No key came twice.")


@rule("no event waits longer than the window for others", "liveness")
def prompt(history: History) -> Verdict:
    """While nothing is wrong and its partition is not busy, an event is handled within the window and PROMPT_S."""
    setting = configured(history)
    if not setting:
        return not_exercised("The run does not say what its window is.")
    limit_us = round((setting["window_s"] + PROMPT_S) * 1e6)
    pause_us = round((setting["batch_size"] * setting["work_s"] + 0.02) * 1e6)
    spells = list(_faults(history))
    done = by_number(history.of("handled"))
    done.update({number: r for number, r in letters(history).items() if number not in done})
    shed = by_number(history.of("shed"))
    partition = {r.data["number"]: r.data["partition"] for r in history.of("placed")}
    busy: dict[int, list[int]] = {}
    for number, record in done.items():
        busy.setdefault(partition.get(number, -1), []).append(record.t_us)
    for times in busy.values():
        times.sort()
    judged = 0
    for number, ok in by_number(history.of("ok", op="process")).items():
        deadline = ok.t_us + limit_us
        if number in shed or any(start <= deadline and end >= ok.t_us for start, end in spells):
            continue
        times = busy.get(partition.get(number, -1), [])
        inside = [ok.t_us, *times[bisect_left(times, ok.t_us) : bisect_left(times, deadline)], deadline]
        if max(later - before for before, later in pairwise(inside)) < pause_us:
            continue  # there is more than it can handle
        judged += 1
        got = done.get(number)
        if got is None or got.t_us > deadline:
            when = "never" if got is None else f"after {seconds(got.t_us - ok.t_us)}"
            return broken(
                f"Event {number} ({ok.get('kind')} of {ok.get('key')}) was taken, nothing was wrong, and it was handled "
                f"{when}; the window is {setting['window_s']:g} s.",
                ok,
                at_us=deadline,
            )
    if not judged:
        return not_exercised("There was no calm moment.")
    return holds(f"{judged} events, each handled within its window.")


def _faults(history: History) -> Iterator[tuple[int, int]]:
    """Yield (from, to) of each fault, with the time that its backlog may take."""
    for record in history.of("fault", phase="begins"):
        plan = FaultPlan.parse(record.data["fault"])
        for fault in plan:
            length_s = plan.ends_s - fault.begins_s + getattr(fault, "by_s", 0.0) + GRACE_S
            yield record.t_us, record.t_us + round(max(length_s, GRACE_S) * 1e6)


@rule("a poison event blocks nothing and ends as a dead letter", "liveness")
def poison_is_set_aside(history: History) -> Verdict:
    """With its context; later events of its key go on."""
    taken = by_number(history.of("ok", op="process"))
    poisoned = {n: r for n, r in taken.items() if r.get("poison")}
    if not poisoned or gone(history):
        return not_exercised("No poison event got into the system, or it never came back.")
    aside, done = letters(history), by_number(history.of("handled"))
    shed = by_number(history.of("shed"))
    for number, ok in poisoned.items():
        if number in shed:
            continue
        if number not in aside:
            return broken(f"Event {number} is poison, and there is no dead letter of it.", ok)
        lacking = [name for name in CONTEXT if aside[number].data["record"].get(name) is None]
        if lacking:
            return broken(
                f"The dead letter of event {number} does not say: {', '.join(lacking)}.", ok, aside[number]
            )
        for later, record in taken.items():
            same = record.data["key"] == ok.data["key"] and later > number
            if same and later not in done and later not in aside and later not in shed:
                return broken(
                    f"Event {later} came after poison event {number} and was never handled.", ok, record
                )
    return holds(f"{len(poisoned)} poison events set aside; what came later went on.")


# ---- Event time ------------------------------------------------------------------------------------------


def final_results(history: History) -> dict[tuple[str, float, float], Record]:
    """Return the last report of each window, by (key, start, end)."""
    found: dict[tuple[str, float, float], Record] = {}
    for record in history.of("result"):
        found[record.data["key"], record.data["start_s"], record.data["end_s"]] = record
    return found


@rule("a window's result is what happened in it, whatever the order of arrival", "liveness")
def by_event_time(history: History) -> Verdict:
    """By the end, each window's last result is the number of events of its time, without those called late."""
    setting, ended = configured(history), history.of("ended").last()
    if not setting or ended is None:
        return not_exercised("The stream never came to its end.")
    late = by_number(history.of("late"))
    size = setting["size_s"]
    happened: dict[tuple[str, float, float], int] = {}
    proof: dict[tuple[str, float, float], Record] = {}
    for number, record in by_number(history.of("arrived")).items():
        if number not in late:
            start = record.data["time_s"] // size * size
            cell = (record.data["key"], start, start + size)
            happened[cell] = happened.get(cell, 0) + 1
            proof[cell] = record
    results = final_results(history)
    for cell in sorted(happened.keys() | results.keys()):
        said = results[cell].data["value"] if cell in results else 0
        if said != happened.get(cell, 0):
            key, start, end = cell
            return broken(
                f"{key}, {_clock(start)} to {_clock(end)}: {said} were counted, and {happened.get(cell, 0)} happened then "
                "and were not called late.",
                *([proof[cell]] if cell in proof else []),
                results.get(cell, ended),
            )
    if not results:
        return not_exercised("No window was reported.")
    return holds(f"{len(results)} results, each the number of events of its time.")


def _clock(time_s: float) -> str:
    minutes = int(time_s // 60)
    return f"day {minutes // 1440 + 1} {minutes // 60 % 24:02d}:{minutes % 60:02d}"  # as the pictures have it


@rule("every event is in a result or in the side output", "liveness")
def late_is_routed(history: History) -> Verdict:
    """Counted in windows, plus called late, makes all that arrived."""
    arrived, ended = by_number(history.of("arrived")), history.of("ended").last()
    if not arrived or ended is None:
        return not_exercised("Nothing arrived, or the stream never came to its end.")
    late = by_number(history.of("late"))
    counted = sum(record.data["value"] for record in final_results(history).values())
    if counted + len(late) != len(arrived):
        return broken(
            f"{len(arrived)} events arrived; {counted} are in results and {len(late)} were called late: "
            f"{abs(len(arrived) - counted - len(late))} {'vanished' if counted + len(late) < len(arrived) else 'too many'}.",
            ended,
        )
    if not late:
        return not_exercised(f"No event was late: all {counted} are in results.")
    return holds(f"{counted} in results and {len(late)} late: all {len(arrived)}.")


@rule("an event within the promised delay is not called late")
def promise_is_kept(history: History) -> Verdict:
    """Unless its source had been idle, an event at most `delay_s` behind the latest of its source counts."""
    setting = configured(history)
    late = by_number(history.of("late"))
    latest: dict[str, float] = {}
    heard: dict[str, int] = {}
    slept: set[str] = set()
    behind = judged = 0
    if not setting:
        return not_exercised("The run does not say what delay it promises.")
    idle_us = setting["idle_s"] / setting["speed"] * 1e6
    for record in history.of("arrived"):
        source, time_s = record.data["source"], record.data["time_s"]
        if idle_us and record.t_us - heard.get(source, 0) >= idle_us:
            slept.add(source)
        heard[source] = record.t_us
        late_by_s = latest.get(source, -inf) - time_s
        behind += late_by_s > 0
        if late_by_s <= setting["delay_s"] and source not in slept:
            judged += late_by_s > 0
            if record.data["number"] in late:
                return broken(
                    f"Event {record.data['number']} from {source} was {max(late_by_s, 0) / 60:g} minutes behind its source's "
                    f"latest, within the {setting['delay_s'] / 60:g} that are allowed, and was called late.",
                    record,
                    late[record.data["number"]],
                )
        latest[source] = max(latest.get(source, -inf), time_s)
    return (
        holds(f"{judged} events behind their source's latest and within the delay; none was called late.")
        if judged
        else not_exercised(f"{behind} events were behind, none within the delay.")
    )


@rule("the watermark never goes back")
def watermark_rises(history: History) -> Verdict:
    """Not when an old event comes, nor when a source wakes up."""
    before: Record | None = None
    for record in history.of("watermark"):
        if before is not None and record.data["value_s"] < before.data["value_s"]:
            return broken(
                f"It went from {_clock(before.data['value_s'])} back to {_clock(record.data['value_s'])}.",
                before,
                record,
            )
        before = record
    return holds("It only rose.") if before is not None else not_exercised("There is no watermark.")


@rule("a window is reported as soon as the slowest source that is not idle has passed it", "liveness")
def reports_in_time(history: History) -> Verdict:
    """Within SLACK_S, whoever is silent."""
    setting, ended = configured(history), history.of("ended").last()
    if not setting or ended is None:
        return not_exercised("The stream never came to its end.")
    held = [
        (r.t_us, r.t_us + round((f.ends_s - f.begins_s + 2) * 1e6))
        for r in history.of("fault", phase="begins", node="counter")
        for f in FaultPlan.parse(r.data["fault"])
    ]
    allowed = _ideal_watermark(history, setting)
    reported: dict[tuple[str, float, float], int] = {}
    for record in history.of("result"):
        cell = (record.data["key"], record.data["start_s"], record.data["end_s"])
        reported.setdefault(cell, record.t_us)
    late = by_number(history.of("late"))
    judged = idle = 0
    size = setting["size_s"]

    def arrives_s(t_us: int) -> float:
        """The stream's own time at a moment of the run."""
        return float(setting["began_s"] + t_us / 1e6 * setting["speed"])

    for record in history.of("arrived"):
        start = record.data["time_s"] // size * size
        cell = (record.data["key"], start, start + size)
        at = bisect_left(allowed, start + size, key=lambda step: step[1])
        if at == len(allowed) or record.data["number"] in late:
            continue
        due_us, _, because_idle = allowed[at]
        limit_us = max(due_us, record.t_us) + round(SLACK_S * 1e6)
        if limit_us >= ended.t_us or any(begin <= limit_us and end >= due_us for begin, end in held):
            continue
        judged += 1
        idle += because_idle
        if reported.get(cell, ended.t_us) > limit_us:
            return broken(
                f"{cell[0]}, {_clock(start)} to {_clock(start + size)}: every source that was not idle had passed it at "
                f"{_clock(arrives_s(due_us))}, and it was reported at {_clock(arrives_s(reported.get(cell, ended.t_us)))}.",
                record,
                at_us=limit_us,
            )
    if not judged:
        return not_exercised("No window could be reported before the end of the stream.")
    return holds(
        f"{judged} events in windows that were reported in time, {idle} of them past an idle source."
    )


def _ideal_watermark(history: History, setting: Mapping[str, Any]) -> list[tuple[int, float, bool]]:
    """Return (when, watermark, whether a source was idle then) for each rise of the watermark that events allow."""
    idle_us = round(setting["idle_s"] / setting["speed"] * 1e6)
    moments: list[tuple[int, int, str, float]] = []
    for number, record in enumerate(history.of("arrived")):
        moments.append((record.t_us, number, record.data["source"], record.data["time_s"]))
        if idle_us:
            moments.append((record.t_us + idle_us, -1, "", 0))
    if idle_us:
        moments.append((idle_us, -1, "", 0))
    latest: dict[str, float] = dict.fromkeys(setting["sources"], -inf)
    heard: dict[str, int] = dict.fromkeys(setting["sources"], 0)
    steps: list[tuple[int, float, bool]] = []
    for t_us, _, source, time_s in sorted(moments):
        if source:
            latest[source], heard[source] = max(latest[source], time_s), t_us
        awake = [s for s in latest if not idle_us or t_us - heard[s] < idle_us]
        awake = awake or [s for s in latest if heard[s] == max(heard.values())]
        value = min((latest[s] for s in awake), default=-inf) - setting["delay_s"]
        if value > (steps[-1][1] if steps else -inf):
            steps.append((t_us, value, len(awake) < len(latest)))
    return steps


# ---- State and offsets -----------------------------------------------------------------------------------


def _total(state: Any) -> int:
    """Return how many events a state has counted: the sum of its counts."""
    return sum(v for v in state.values() if isinstance(v, int)) if isinstance(state, dict) else 0


def _recount(events: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in events:
        airline = event["data"]["airline"]
        counts[airline] = counts.get(airline, 0) + 1
    return counts


def _first(record: Record) -> Any:
    return next(iter(record.data["records"]), None)


@rule("every event of the log is counted once", "liveness")
def counted_once(history: History) -> Verdict:
    """By the end, the state on the disk is what a plain recount of the log gives."""
    logged = [r.data["record"] for r in history.of("written", file="log")]
    saved: Any = None
    proof = history.of("written", file="log").last()
    for record in history.of("replaced"):
        if record.data["file"] in ("checkpoint", "state"):
            kept = _first(record)
            saved = (
                kept.get("state") if record.data["file"] == "checkpoint" and isinstance(kept, dict) else kept
            )
            proof = record
    return _judge_counts(_recount(logged), saved, proof, gone(history))


def _judge_counts(expected: dict[str, int], counted: Any, proof: Record | None, away: set[str]) -> Verdict:
    if not expected or proof is None:
        return not_exercised("Nothing was logged.")
    counts = counted if isinstance(counted, dict) else {}
    wrong = [a for a in sorted(expected.keys() | counts.keys()) if expected.get(a, 0) != counts.get(a, 0)]
    if not wrong:
        return holds(f"{sum(expected.values())} events, each counted once.")
    if away:
        return not_exercised(f"{' and '.join(sorted(away))} never came back.")
    one = wrong[0]
    return broken(
        f"{one}: {counts.get(one, 0)} departures were counted, and the log has {expected.get(one, 0)}"
        + (f"; {len(wrong) - 1} other airlines are wrong too." if wrong[1:] else "."),
        proof,
    )


@rule("the state and the offset that a restart finds belong together")
def belong_together(history: History) -> Verdict:
    """Whenever the worker starts, the state has counted as many events as the offset says."""
    total, offset, restarts = 0, 0, 0
    proof: Record | None = None
    for record in history:
        if record.kind == "replaced":
            kept = _first(record)
            if record.data["file"] == "checkpoint" and isinstance(kept, dict):
                total, offset = _total(kept.get("state")), sum(kept.get("offsets", {}).values())
            elif record.data["file"] == "state":
                total = _total(kept)
            elif record.data["file"] == "offsets" and isinstance(kept, dict):
                offset = sum(kept.values())
            else:
                continue
            proof = record
        elif record.kind == "restart" and record.node == "worker":
            restarts += 1
            if total != offset:
                return broken(
                    f"The worker finds a state of {total} events and goes on reading at {offset}: "
                    f"{abs(total - offset)} will be {'counted twice' if total > offset else 'missing'}.",
                    *([proof] if proof is not None else []),
                    record,
                )
    return holds(f"{restarts} restarts.") if restarts else not_exercised("The worker never restarted.")


@rule("the worker reads to the end of the log", "liveness")
def reads_to_the_end(history: History) -> Verdict:
    """By the end, the saved offset is the log's end."""
    end, offset = len(history.of("written", file="log")), 0
    proof: Record | None = None
    for record in history.of("replaced"):
        if record.data["file"] in ("checkpoint", "offsets") and isinstance(_first(record), dict):
            kept = _first(record)
            offset = sum((kept.get("offsets", {}) if record.data["file"] == "checkpoint" else kept).values())
            proof = record
    if not end:
        return not_exercised("Nothing was logged.")
    if offset == end:
        return holds(f"It stands at {offset} of {end}.")
    if away := gone(history):
        return not_exercised(f"{' and '.join(sorted(away))} never came back.")
    return broken(f"It stands at {offset} of {end}.", proof or history.of("written", file="log")[-1])


# ---- A group ---------------------------------------------------------------------------------------------


def _kept(record: Record) -> tuple[int, int | None, int | None, Any] | None:
    """Return (partition, offset, how many events the state has, the state) of what a group has saved, or None."""
    name, _, number = record.data["file"].rpartition("-")
    if name not in ("checkpoint", "state", "offset") or not number.isdigit():
        return None
    kept = _first(record)
    if name == "checkpoint" and isinstance(kept, dict):
        state = kept.get("state")
        return int(number), kept.get("offset"), _total(state), state
    if name == "state":
        return int(number), None, _total(kept), kept
    return (int(number), kept, None, None) if isinstance(kept, int) else None


def _ends(history: History) -> dict[int, int]:
    """Return the end of each partition that has events."""
    found: dict[int, int] = {}
    for record in history.of("written", file="topic"):
        partition = record.data["record"]["partition"]
        found[partition] = found.get(partition, 0) + 1
    return found


@rule("every event of the topic is counted once", "liveness")
def group_counts_once(history: History) -> Verdict:
    """By the end, the states of all partitions together are what a plain recount of the topic gives."""
    states: dict[int, Any] = {}
    proof = history.of("written", file="topic").last()
    for record in history.of("replaced"):
        kept = _kept(record)
        if kept is not None and kept[2] is not None:
            states[kept[0]], proof = kept[3], record
    together: dict[str, int] = {}
    for state in states.values():
        for airline, count in (state if isinstance(state, dict) else {}).items():
            together[airline] = together.get(airline, 0) + count
    logged = [r.data["record"]["event"] for r in history.of("written", file="topic")]
    return _judge_counts(_recount(logged), together, proof, _nobody_left(history))


@rule("a count that was saved never goes back")
def never_back(history: History) -> Verdict:
    """Whoever writes it: neither the count of a partition nor its offset is ever lower than before."""
    before: dict[tuple[int, str], tuple[int, Record]] = {}
    compared = 0
    for record in history.of("replaced"):
        kept = _kept(record)
        if kept is None:
            continue
        partition, offset, total, _ = kept
        for what, value in (("offset", offset), ("count", total)):
            if value is None:
                continue
            earlier = before.get((partition, what))
            compared += earlier is not None
            if earlier is not None and value < earlier[0]:
                return broken(
                    f"Partition {partition}: the {what} was {earlier[0]}, and then {record.node} saved {value}.",
                    earlier[1],
                    record,
                )
            before[partition, what] = (value, record)
    return holds(f"{compared} times saved again.") if compared else not_exercised("Nothing was saved twice.")


def fewest_moves(partition_count: int, members: list[str], before: Mapping[str, list[int]]) -> int:
    """Return how many partitions must change their reader for an even spread: found by trying every spread."""
    share, more = divmod(partition_count, len(members))
    had = sum(len(partitions) for partitions in before.values())
    kept = max(
        sum(min(len(before.get(m, ())), share + (m in larger)) for m in members)
        for larger in combinations(members, more)
    )
    return had - kept


@rule("a rebalance is even and moves as few partitions as it must")
def moves_few(history: History) -> Verdict:
    """Each partition has one reader, no reader two more than another, and no spread would have moved fewer.

    While a group gathers, nothing has been read yet, and a move costs nothing: moves count from the first save on.
    """
    judged = moved = 0
    first = next((r for r in history.of("replaced") if _kept(r) is not None), None)
    for record in history.of("assigned"):
        members, count = record.data["members"], record.data["partitions"]
        before, after = record.data["before"], record.data["after"]
        given = sorted(p for m in members for p in after.get(m, ()))
        if given != list(range(count)):
            return broken(f"Of partitions 0 to {count - 1}, {given} were given out.", record)
        sizes = [len(after.get(m, ())) for m in members]
        if max(sizes) - min(sizes) > 1:
            return broken(f"The shares are uneven: {dict(zip(members, sizes, strict=True))}.", record)
        if first is None or record.t_us < first.t_us:
            continue
        reader = {p: m for m, partitions in after.items() for p in partitions}
        moves = sum(reader[p] != m for m, partitions in before.items() for p in partitions)
        must = fewest_moves(count, members, before)
        if moves > must:
            return broken(
                f"With {', '.join(members)} in the group, {moves} partitions changed their reader where {must} would do.",
                record,
            )
        judged += bool(before)
        moved += moves
    return holds(f"{judged} rebalances, {moved} moves.") if judged else not_exercised("Nobody came or went.")


@rule("every partition is read to its end", "liveness")
def group_reads_to_the_end(history: History) -> Verdict:
    """By the end, each saved offset is its partition's end, whoever has it by then."""
    offsets: dict[int, int] = {}
    for record in history.of("replaced"):
        kept = _kept(record)
        if kept is not None and kept[1] is not None:
            offsets[kept[0]] = kept[1]
    ends = _ends(history)
    behind = [p for p, end in sorted(ends.items()) if offsets.get(p, 0) < end]
    if not ends:
        return not_exercised("The topic is empty.")
    if not behind:
        return holds(f"{len(ends)} partitions, {sum(ends.values())} events.")
    if away := _nobody_left(history):
        return not_exercised(f"{' and '.join(sorted(away))} never came back.")
    p = behind[0]
    last = [r for r in history.of("written", file="topic") if r.data["record"]["partition"] == p][-1]
    return broken(f"Partition {p} stands at {offsets.get(p, 0)} of {ends[p]}.", last)


def _nobody_left(history: History) -> set[str]:
    """Return who never came back, if nobody else could do their work: the broker, or all workers."""
    away = gone(history)
    workers = {member for record in history.of("assigned") for member in record.data["members"]}
    return away if "broker" in away or workers <= away else set()
