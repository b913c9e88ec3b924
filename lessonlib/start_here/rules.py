"""What must hold of the counter, whatever happens.

Read in a history: `invoke`, `ok`, `failed` of the operation `add`; `read` (a value was taken from the store),
`writing` (a write was asked for) and `effect` (it is in the store), each with its `value`.
"""

from __future__ import annotations

from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, not_exercised, rule


@rule("no write undoes another")
def no_write_undoes_another(history: History) -> Verdict:
    """Each write leaves a greater number in the store than it found there."""
    before: Record | None = None
    written = history.of("effect")
    for record in written:
        if before is not None and record.data["value"] <= before.data["value"]:
            return broken(
                f"{before.node} had written {before.data['value']}; then {record.node} wrote "
                f"{record.data['value']}, counted on from what it had read before.",
                before,
                record,
            )
        before = record
    return (
        holds(f"{len(written)} writes, each a step up.") if written else not_exercised("Nothing was written.")
    )


@rule("every acknowledged sale is in the counter")
def every_sale_counts(history: History) -> Verdict:
    """Whenever a call of `add` returns, the number is at least that of the calls that have returned."""
    value, acknowledged = 0, 0
    last: Record | None = None
    for record in history.of("effect", "ok"):
        if record.kind == "effect":
            value, last = record.data["value"], record
            continue
        acknowledged += 1
        if value < acknowledged:
            return broken(
                f"{acknowledged} sales were acknowledged, and the counter stands at {value}.",
                *((last,) if last is not None else ()),
                record,
            )
    return (
        holds(f"{acknowledged} sales, all in the counter.")
        if acknowledged
        else not_exercised("No sale was acknowledged.")
    )


@rule("no sale is counted twice")
def no_sale_counts_twice(history: History) -> Verdict:
    """The number is never greater than that of the calls of `add` that were made."""
    made = 0
    for record in history.of("invoke", "effect"):
        if record.kind == "invoke":
            made += 1
        elif record.data["value"] > made:
            return broken(
                f"{made} sales were made, and the counter stands at {record.data['value']}.", record
            )
    written = len(history.of("effect"))
    return (
        holds(f"{made} sales made, never more counted.") if written else not_exercised("Nothing was written.")
    )


@rule("a till that gives up blocks nobody", "liveness")
def giving_up_blocks_nobody(history: History) -> Verdict:
    """After a till has given up waiting, every other sale is acknowledged in the end."""
    gave_up = history.of("failed", type="GaveUp")
    first = gave_up.first()
    if first is None:
        return not_exercised("No till gave up.")
    answered = {r.data["call"] for r in history.of("ok", "failed")}
    waiting = [r for r in history.of("invoke") if r.data["call"] not in answered]
    if waiting:
        return broken(
            f"{first.data['till']} gave up at {seconds(first.t_us)}, and {waiting[0].data['till']}, which came with "
            f"sale {waiting[0].data['sale']} at {seconds(waiting[0].t_us)}, waits for ever.",
            first,
            waiting[0],
        )
    return holds(f"{len(gave_up)} times a till gave up; every other sale had its answer.")
