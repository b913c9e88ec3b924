"""What must hold of a highly available system. Each rule reads a history and nothing else."""

from __future__ import annotations

from typing import Any

from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, not_exercised, rule

# ---- Leases ----------------------------------------------------------------------------------------------
# The records: `lease terms` (once): `duration_s`, `renew_s`, `again_s`; on the lock service's lane `granted`: `lease` (a
# number that grows when somebody else is given the lease, or the same anew), `holder`, `token`, `renewed`; on a worker's
# lane `holds` when an answer made it believe that it holds the lease: `lease`, `until_us`, by its own reckoning; and
# `acts` when it begins a piece of work in this belief; on the store's lane `stored` and `refused`: `key`, `value`,
# `token`, `by`, `lease`.

LOCK, WORKERS, LEASED_STORE = "lock", ("worker-1", "worker-2"), "store"


@rule("two workers never both believe that they hold the lease")
def one_holder(history: History) -> Verdict:
    """By their own reckoning: from an answer on until the time that they then have in mind, or their crash."""
    until: dict[str, tuple[int, Record]] = {}
    leases: set[int] = set()
    for record in history.of("holds", "acts", "crash"):
        if record.kind == "crash":
            until.pop(record.node, None)
            continue
        for other, (end_us, belief) in until.items():
            if other != record.node and record.t_us < end_us:
                return broken(
                    f"{other} believed at {seconds(belief.t_us)} that the lease was its own until {seconds(end_us)}, and "
                    f"at {seconds(record.t_us)} {record.node} believed that of itself.",
                    belief,
                    record,
                )
        leases.add(record.data["lease"])
        # Work that is begun later than the reckoning said shows that the worker has changed its mind.
        last_us = record.data["until_us"] if record.kind == "holds" else record.t_us + 1
        until[record.node] = max(
            (last_us, record), until.get(record.node, (0, record)), key=lambda pair: pair[0]
        )
    if len(leases) < 2:
        return not_exercised("The lease never passed on.")
    return holds(f"{len(leases)} leases, one after another.")


@rule("what an earlier holder writes is refused once a later one has written")
def late_writes_fenced(history: History) -> Verdict:
    """At the store, whatever the network, pauses and clocks have done to the writer."""
    latest: dict[str, Record] = {}
    late = 0
    for record in history.of("stored", "refused", node=LEASED_STORE):
        key, lease = record.data["key"], record.data.get("lease")
        if lease is None:
            continue
        last = latest.get(key)
        if last is not None and lease < last.data["lease"]:
            late += 1
            if record.kind == "stored":
                return broken(
                    f"{record.data['by']} wrote {key!r} with lease {lease} at {seconds(record.t_us)}, over what "
                    f"{last.data['by']} had written with lease {last.data['lease']}.",
                    last,
                    record,
                )
        elif record.kind == "stored":
            latest[key] = record
    return holds(f"{late} late writes, all refused.") if late else not_exercised("No write came late.")


@rule("each lease has a higher token than all before it")
def tokens_grow(history: History) -> Verdict:
    """Also after the lock service has restarted: otherwise the store cannot tell them apart."""
    last: Record | None = None
    count = 0
    for record in history.of("granted", renewed=False):
        if last is not None:
            count += 1
            if record.data["token"] <= last.data["token"]:
                return broken(
                    f"{record.data['holder']} got the lease with token {record.data['token']}, and "
                    f"{last.data['holder']} had it before with {last.data['token']}.",
                    last,
                    record,
                )
        last = record
    return (
        holds(f"{count} times higher than before.") if count else not_exercised("The lease was granted once.")
    )


@rule("somebody holds the lease again within a bound after the trouble", "liveness")
def lease_moves_on(history: History) -> Verdict:
    """An old lease ends, or the lock service that starts anew waits for that, and a request gets through."""
    terms: dict[str, Any] | None = next((r.data for r in history.of("lease terms")), None)
    begun = [r.data["fault"] for r in history.of("fault", phase="begins")]
    if terms is None:
        return not_exercised("There was no lease.")
    last_us = round(FaultPlan.parse("; ".join(begun)).ends_s * 1e6) if begun else 0
    due_us = last_us + round(terms["again_s"] * 1e6)
    down = _down_at_the_end(history)
    if LOCK in down or down.issuperset(WORKERS):
        return not_exercised("The lock service or both workers stayed down.")
    if history.end_us < due_us:
        return not_exercised(f"The run ended within {terms['again_s']:g} s after the trouble.")
    held = [r for r in history.of("holds") if last_us <= r.t_us <= due_us and r.node not in down]
    if not held:
        return broken(
            f"The trouble was over at {seconds(last_us)}, and {terms['again_s']:g} s later no worker had been given "
            "the lease.",
            at_us=due_us,
        )
    return holds(f"{held[0].node} had it {seconds(held[0].t_us - last_us)} after the trouble.")


def _down_at_the_end(history: History) -> set[str]:
    down: set[str] = set()
    for record in history.of("crash", "restart"):
        (down.add if record.kind == "crash" else down.discard)(record.node)
    return down
