"""What must hold when a shop calls services that fail. Each rule reads a history and nothing else.

A *job* is one call of `process_with_retries`; an *attempt* is one call of the service within it. The records:
- `limits` (once): `attempts`, `deadline_s`, `timeout_s`, `open_s`, `permits`, `tokens`, `token_ratio`;
- `invoke`, `ok`, `failed`, ... of op "process", with `job`, `event`, `service`, `again`; `begun` when a worker takes it;
- `attempt` and `answer` on the service's lane, with `job`, `event`, `number`; an answer has an `outcome`: "ok",
  "rejected" (never again), "timed out", "abandoned" (the caller stopped waiting before that), or the error's name;
- `served` when a worker of the service is done with a request: `event`, `took_s`, `wanted`, `ok`;
- `transition` on the shop's lane, with `breaker`, `source`, `target`;
- `written` to the files "ledger" and "dead-letters".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lessonlib.fault_tolerance.circuit_breaker import CLOSED, HALF_OPEN, OPEN, TRANSITIONS
from lessonlib.lab.faults import Burst, ClockSkew, Crash, FaultPlan, Poison
from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, not_exercised, rule

CALLER, SERVICES = "shop", ("payments", "mail")
PROMPT_S = 1.0  # how soon a job for a healthy service is done
SLOW_S = 0.5  # a request that a service held for longer was not served by a healthy one
GRACE_S = 3.0  # how long after a burst or the caller's own crash everything may still be busy
SLACK_S = 0.02  # the ledger's and the dead letters' writes, which are no part of a call
ENDS = ("ok", "failed", "unknown")
_NO_BREAKER = ("BulkheadFull", "LedgerFull", "OSError")  # refusals for other reasons
WELL_SHARE = 0.9  # of the jobs that arrive: a service that does so many has recovered
LOAD_MAX = 0.8  # above, working off a full queue takes longer than RECOVERS_S, with or without retries
RECOVERS_S = 15.0  # how long after its trigger an overload may last


def limits(history: History) -> dict[str, Any]:
    """Return the numbers that this run's system has to keep; empty when there is no record of them."""
    record = history.of("limits").first()
    return {} if record is None else record.data


def _ends(history: History) -> dict[int, Record]:
    return {r.data["job"]: r for r in history.of(*ENDS, op="process")}


def troubles(history: History, service: str) -> list[tuple[int, int, str]]:
    """Return (from, to, what) of each spell in which `service`, or all, could not do its work."""
    found = []
    for record in history.of("fault", phase="begins"):
        fault = next(iter(FaultPlan.parse(record.data["fault"])))
        if isinstance(fault, Poison | ClockSkew):
            continue  # a bad request, or a wrong calendar, does not make a service sick
        everybody = isinstance(fault, Burst | Crash) or not hasattr(fault, "target")
        if everybody or getattr(fault, "target", None) == service:
            lasts_s = fault.ends_s - fault.begins_s + (GRACE_S if everybody else 0.0)
            found.append((record.t_us, record.t_us + round(lasts_s * 1e6), str(fault)))
    for record in history.of("served", node=service):
        if record.data["took_s"] > SLOW_S:
            found.append((record.t_us - round(record.data["took_s"] * 1e6), record.t_us, "its backlog"))
    return found


def _sick(spells: list[tuple[int, int, str]], start_us: int, end_us: int) -> bool:
    return any(begin <= end_us and start_us <= end for begin, end, _ in spells)


# ---- Attempts --------------------------------------------------------------------------------------------


@rule("a job makes no more than its attempts, and none after its deadline")
def bounded(history: History) -> Verdict:
    """Attempts are counted by job. All of a job, waits included, ends by its deadline."""
    limit = limits(history)
    begun = {r.data["job"]: r for r in history.of("begun")}
    if not begun or not history.of("attempt"):
        return not_exercised("No service was called.")
    allowed_us = round((limit["deadline_s"] + SLACK_S) * 1e6)
    for attempt in history.of("attempt"):
        start = begun[attempt.data["job"]]
        if attempt.data["number"] > limit["attempts"]:
            return broken(
                f"Job {attempt.data['job']} made attempt {attempt.data['number']}, and {limit['attempts']} are "
                "all that it has.",
                start,
                attempt,
            )
        if attempt.t_us - start.t_us > allowed_us:
            return broken(
                f"Job {attempt.data['job']} made an attempt {seconds(attempt.t_us - start.t_us)} after it began; "
                f"its deadline was {limit['deadline_s']:g} s.",
                start,
                attempt,
            )
    ends, down = _ends(history), [r.t_us for r in history.of("crash", node=CALLER)]
    for job, start in begun.items():
        end = ends.get(job)
        ended_us = history.end_us if end is None else end.t_us
        crashed = any(start.t_us <= t_us <= ended_us for t_us in down)
        if ended_us - start.t_us > allowed_us and not crashed:
            how = "had not ended" if end is None else f"ended as {end.kind}"
            return broken(
                f"Job {job} {how} {seconds(ended_us - start.t_us)} after it began; its deadline was "
                f"{limit['deadline_s']:g} s.",
                start,
                at_us=start.t_us + allowed_us,
            )
    return holds(f"{len(begun)} jobs, {len(history.of('attempt'))} attempts, all within their limits.")


@rule("what can never succeed fails at once")
def fails_at_once(history: History) -> Verdict:
    """After the service has rejected a request there is no further attempt, and the job fails without a wait."""
    rejected = {r.data["job"]: r for r in reversed(history.of("answer", outcome="rejected"))}
    if not rejected:
        return not_exercised("No request was rejected.")
    for attempt in history.of("attempt"):
        answer = rejected.get(attempt.data["job"])
        if (
            answer is not None
            and attempt.t_us >= answer.t_us
            and attempt.data["number"] > answer.data["number"]
        ):
            return broken(
                f"{answer.node} rejected the request of job {answer.data['job']} for good, and it was sent again.",
                answer,
                attempt,
            )
    ends, down = _ends(history), [r.t_us for r in history.of("crash", node=CALLER)]
    for job, answer in rejected.items():
        end = ends.get(job)
        ended_us = history.end_us if end is None else end.t_us
        late = ended_us - answer.t_us > SLACK_S * 1e6
        if late and not any(answer.t_us <= t_us <= ended_us for t_us in down):
            return broken(
                f"{answer.node} rejected the request of job {job} for good, and {seconds(ended_us - answer.t_us)} "
                "later the caller had not been told.",
                answer,
                at_us=answer.t_us + round(SLACK_S * 1e6),
            )
    return holds(f"{len(rejected)} requests rejected, each failed at once.")


@rule("retries stay within the budget")
def within_budget(history: History) -> Verdict:
    """gRPC's rule: half of the tokens, and a part of one more for each success, are all the retries there may be."""
    limit = limits(history)
    retried = {
        (r.data["job"], r.data["number"] - 1): r for r in history.of("attempt") if r.data["number"] > 1
    }
    if not retried:
        return not_exercised("Nothing was tried again.")
    half = limit["tokens"] / 2
    left = dict.fromkeys({r.node for r in retried.values()}, half)
    count = dict.fromkeys(left, 0)
    for record in history.of("answer", "crash"):
        if record.kind == "crash":
            if record.node == CALLER:  # its memory is gone, and the budget with it
                left = dict.fromkeys(left, half)
        elif record.node in left:
            if record.data["outcome"] == "ok":
                left[record.node] = min(half, left[record.node] + limit["token_ratio"])
            retry = retried.get((record.data["job"], record.data["number"]))
            if retry is not None:
                left[record.node] -= 1
                count[record.node] += 1
                if left[record.node] < -1e-6:
                    return broken(
                        f"Retry {count[record.node]} to {record.node} came when its failures had used up the budget: "
                        "the sick service gets more load than a healthy one.",
                        record,
                        retry,
                    )
    return holds(f"{sum(count.values())} retries, all paid for.")


# ---- The breaker -----------------------------------------------------------------------------------------


def _changes(history: History) -> Iterator[tuple[Record, str]]:
    """Yield each transition with the state that its breaker was in before."""
    state: dict[str, str] = {}
    for record in history.of("transition", "crash"):
        if record.kind == "crash":
            if record.node == CALLER:
                state.clear()
            continue
        name = record.data["breaker"]
        yield record, state.get(name, CLOSED)
        state[name] = record.data["target"]


@rule("the breaker changes state only as its table allows")
def legal(history: History) -> Verdict:
    """Each transition is a row of the table, begins where the last one ended, and half-open waits for its time."""
    rows = {(row.source, row.target) for row in TRANSITIONS}
    opened: dict[str, Record] = {}
    count = 0
    for record, before in _changes(history):
        name, source, target = (record.data[k] for k in ("breaker", "source", "target"))
        if (source, target) not in rows:
            return broken(
                f"The breaker of {name} went from {source} to {target}: no row of the table.", record
            )
        if source != before:
            return broken(f"The breaker of {name} left {source}, but it was {before}.", record)
        if target == HALF_OPEN:
            waited_us = record.t_us - opened[name].t_us
            if waited_us < limits(history)["open_s"] * 1e6 - 1:
                return broken(
                    f"The breaker of {name} let calls through {seconds(waited_us)} after it had opened; its wait is "
                    f"{limits(history)['open_s']:g} s.",
                    opened[name],
                    record,
                )
        if target == OPEN:
            opened[name] = record
        count += 1
    return holds(f"{count} transitions.") if count else not_exercised("No breaker changed its state.")


@rule("a half-open breaker lets through no more probes than its permits")
def few_probes(history: History) -> Verdict:
    """Between half-open and what follows. A probe that was rejected or abandoned gives its permit back."""
    permits = limits(history).get("permits", 0)
    halves: dict[str, Record] = {}
    taken: dict[str, dict[tuple[int, int], Record]] = {}
    judged = 0
    for record in history.of("transition", "attempt", "answer", "crash"):
        if record.kind == "transition":
            name = record.data["breaker"]
            halves.pop(name, None)
            if record.data["target"] == HALF_OPEN:
                halves[name], taken[name] = record, {}
                judged += 1
        elif record.kind == "crash":
            if record.node == CALLER:
                halves.clear()
        elif record.node in halves:
            key = record.data["job"], record.data["number"]
            if record.kind == "attempt":
                taken[record.node][key] = record
                if len(taken[record.node]) > permits:
                    return broken(
                        f"The half-open breaker of {record.node} let through probe {len(taken[record.node])}, and it "
                        f"has {permits} permits.",
                        halves[record.node],
                        record,
                    )
            elif record.data["outcome"] in ("rejected", "abandoned"):
                taken[record.node].pop(key, None)
    return holds(f"{judged} times half-open.") if judged else not_exercised("No breaker was half-open.")


@rule("once a service is well again, its calls are let through again", "liveness")
def recovers(history: History) -> Verdict:
    """The breaker's wait, a time-out and the calls that serve as probes are all that recovery may take."""
    limit = limits(history)
    starts = history.of("begun")
    if not limit or not starts:
        return not_exercised("No job was begun.")
    tried = {r.data["job"] for r in history.of("attempt")}
    ends = _ends(history)
    judged = 0
    for service in dict.fromkeys(r.data["service"] for r in starts):
        spells = troubles(history, service)
        if not spells:
            continue
        well_us = max(end for _, end, _ in spells)
        due_us = well_us + round((limit["open_s"] + limit["timeout_s"]) * 1e6)
        later = [r for r in starts if r.data["service"] == service and r.t_us > due_us]
        if len(later) <= limit["permits"]:
            continue
        due_us = later[limit["permits"] - 1].t_us + round(limit["timeout_s"] * 1e6)
        for start in later:
            end = ends.get(start.data["job"])
            if start.t_us <= due_us or end is None:
                continue
            judged += 1
            if (
                end.kind == "failed"
                and start.data["job"] not in tried
                and end.data.get("type") not in _NO_BREAKER
            ):
                return broken(
                    f"{service} was well again at {seconds(well_us)}, and job {start.data['job']} was refused without "
                    f"a call {seconds(start.t_us - well_us)} later.",
                    start,
                    end,
                )
    return (
        holds(f"{judged} jobs after a service's trouble, none of them refused.")
        if judged
        else not_exercised("No job came long enough after a service's trouble.")
    )


# ---- The caller ------------------------------------------------------------------------------------------


@rule("a service in trouble does not take the workers that others need")
def workers_left(history: History) -> Verdict:
    """While one service is in trouble and another is well, a job for the other has a worker within PROMPT_S.

    Nor is it refused because the other service's calls have filled a bulkhead.
    """
    limit = limits(history)
    invokes = history.of("invoke", op="process", again=False)
    if not limit or not invokes:
        return not_exercised("No job was asked for.")
    spells = {service: troubles(history, service) for service in SERVICES}
    ends, begun = _ends(history), {r.data["job"]: r for r in history.of("begun")}
    judged = 0
    for invoke in invokes:
        service, deadline_us = invoke.data["service"], invoke.t_us + round(PROMPT_S * 1e6)
        others = [s for s in SERVICES if s != service and _sick(spells[s], invoke.t_us, deadline_us)]
        before_us = invoke.t_us - round(GRACE_S * 1e6)
        if not others or _sick(spells[service], before_us, deadline_us) or history.end_us < deadline_us:
            continue
        judged += 1
        whose, job = " and ".join(others), invoke.data["job"]
        start, end = begun.get(job), ends.get(job)
        if start is None or start.t_us > deadline_us:
            waited_us = (history.end_us if start is None else start.t_us) - invoke.t_us
            return broken(
                f"With only {whose} in trouble, job {job} for {service} waited {seconds(waited_us)} for a worker.",
                invoke,
                at_us=deadline_us,
            )
        if end is not None and end.data.get("type") == "BulkheadFull":
            return broken(
                f"With only {whose} in trouble, job {job} for {service} found a full bulkhead.", end
            )
    if not judged:
        return not_exercised("No job was asked of a service that was well while another was in trouble.")
    return holds(f"{judged} jobs for a service that was well, each with a worker at once.")


@rule("no event is lost: it is processed, a dead letter, or pending", "liveness")
def never_lost(history: History) -> Verdict:
    """Of every event of which the caller was told something, good or bad."""
    done = {r.data["event"] for r in history.of("served") if r.data["ok"]}
    aside, pending = _kept(history)
    told: dict[int, Record] = {}
    for record in history.of("ok", "failed", op="process"):
        if (
            record.kind == "ok" or "type" in record.data
        ):  # else the caller itself was down: nothing was accepted
            told[record.data["event"]] = record
    if not told:
        return not_exercised("Nobody was told anything.")
    for event, record in told.items():
        if record.kind == "ok" and event not in done:
            return broken(
                f"Event {event} is said to be processed, and {record.data['service']} never did it.", record
            )
        if event not in done and event not in aside and event not in pending:
            return broken(
                f"Event {event} failed with {record.data['type']}, and it is neither processed, nor a dead letter, nor "
                "pending: it is lost.",
                record,
            )
    return holds(
        f"{len(told)} events: {len(done & told.keys())} processed, {len(aside & told.keys())} dead letters, "
        f"{len((pending - done - aside) & told.keys())} pending."
    )


def _kept(history: History) -> tuple[set[int], set[int]]:
    """Return the numbers of the events that are dead letters, and of those that are pending."""
    aside = {
        number
        for r in history.of("written", file="dead-letters")
        if isinstance(letter := r.data["record"].get("event"), dict)
        and (number := _number(letter)) is not None
    }
    pending: dict[str, int] = {}
    for record in history.of("written", "replaced", file="ledger"):
        for entry in record.data["records"] if record.kind == "replaced" else (record.data["record"],):
            if "accepted" in entry and (number := _number(entry["event"])) is not None:
                pending[str(entry["accepted"])] = number
            elif "settled" in entry:
                pending.pop(str(entry["settled"]), None)
    return aside, set(pending.values())


def _number(event: dict[str, Any]) -> int | None:
    data = event.get("data")
    return data.get("order_id") if isinstance(data, dict) else None


# ---- Overload --------------------------------------------------------------------------------------------


@rule("an overload ends when its cause has ended", "liveness")
def overload_ends(history: History) -> Verdict:
    """RECOVERS_S after the last trouble, at least WELL_SHARE of the jobs that arrive are done."""
    limit = limits(history)
    faults = history.of("fault", phase="begins")
    if not limit or not faults:
        return not_exercised("There was no trouble.")
    if limit["load"] > LOAD_MAX:
        return not_exercised(
            f"The load is {limit['load']:.0%} of the capacity: it leaves too little to catch up."
        )
    over_us = round(FaultPlan.parse("; ".join(r.data["fault"] for r in faults)).ends_s * 1e6)
    from_us = over_us + round(RECOVERS_S * 1e6)
    ends = _ends(history)
    late = [r for r in history.of("invoke", op="process") if r.t_us > from_us and r.data["job"] in ends]
    if len(late) < 10:
        return not_exercised(f"No {RECOVERS_S:g} s passed between the last trouble and the last jobs.")
    done = sum(ends[r.data["job"]].kind == "ok" for r in late)
    if done < WELL_SHARE * len(late):
        failed = next(r for r in late if ends[r.data["job"]].kind != "ok")
        return broken(
            f"The trouble was over at {seconds(over_us)}; of the {len(late)} jobs that came more than {RECOVERS_S:g} s "
            f"later, {done} were done. The overload feeds itself.",
            failed,
            ends[failed.data["job"]],
        )
    return holds(f"Of the {len(late)} jobs that came later, {done} were done.")
