"""Lag by subscription: how far each reader of a log is behind its end, over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views.picture import Picture, ViewError, one
from lessonlib.views.steps import Curve, draw_steps

LogEnd = Callable[[Record, int], int]
Committed = Callable[[Record], Mapping[str, int]]


def appended(record: Record, end: int) -> int:
    """Return the end of the log after `record`: one more for each record written to the file `log`."""
    return end + 1 if record.kind == "written" and record.get("file") == "log" else end


def commits(record: Record) -> Mapping[str, int]:
    """Return the offsets that `record` commits, by subscription; nothing for another record.

    Knows records `committed`, and what is written to the file `cursors`, with `subscription` and `offset`.
    """
    rows: Iterable[object] = ()
    if record.kind == "committed":
        rows = (record.data,)
    elif record.kind in ("written", "replaced") and record.get("file") == "cursors":
        rows = (record.get("record"),) if record.kind == "written" else record.get("records", ())
    return {
        r["subscription"]: r["offset"]
        for r in rows
        if isinstance(r, dict) and {"subscription", "offset"} <= r.keys()
    }


def curves(
    run: Run, subscriptions: Sequence[str] | None, log_end: LogEnd, committed: Committed
) -> list[Curve]:
    """Return the lag of each subscription; those not named appear with their first commit, counted from offset 0."""
    at: dict[str, int] = dict.fromkeys(subscriptions or (), 0)
    if subscriptions is None:
        for record in run.history.records:
            at.update(dict.fromkeys(committed(record), 0))
    steps: dict[str, list[tuple[int, int]]] = {name: [(0, 0)] for name in at}
    end = 0
    for record in run.history.records:
        new_end = log_end(record, end)
        moved = committed(record)
        if new_end == end and not moved:
            continue
        end = new_end
        at.update({name: offset for name, offset in moved.items() if name in at})
        for name, offset in at.items():
            lag = max(0, end - offset)
            mine = steps[name]
            if mine[-1][0] == record.t_us:
                mine[-1] = (record.t_us, lag)
            elif mine[-1][1] != lag:
                mine.append((record.t_us, lag))
    if not end:
        raise ViewError(f"nothing was written to a log in {run.replay}; lag needs a system that keeps one")
    return [Curve(name, tuple(mine)) for name, mine in steps.items()]


def lag(
    run: Run,
    *,
    subscriptions: Sequence[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    log_end: LogEnd = appended,
    committed: Committed = commits,
) -> Picture:
    """Draw how many events each subscription is behind, over virtual time.

    Lag is the log's end less the committed offset, which is the *next* offset to read (as Kafka counts it): a
    subscription that has committed everything has lag 0.

    Args:
        run: what `scenario.run(...)` returned.
        subscriptions: which to draw; left out, all that ever committed.
        start_s, end_s: the part to show, in seconds of virtual time.
        log_end: the log's end after a record, given the end before it.
        committed: the offsets that a record commits, by subscription.

    Raises ViewError for a run without a log, without subscriptions, or with too many to tell apart.
    """
    run = one(run)
    if subscriptions is not None and (isinstance(subscriptions, str) or not subscriptions):
        raise ViewError(f"subscriptions={subscriptions!r} names none; give a list, for instance ['email']")
    lines = curves(run, subscriptions, log_end, committed)
    if not lines:
        raise ViewError(
            f"no subscription committed anything in {run.replay}; give subscriptions=[...] to see their lag"
        )
    return draw_steps(
        run,
        lines,
        what="Lag by subscription",
        axis_words=("events", "behind"),
        peak_words="behind",
        note="Lag is the log's end less the committed offset, the next one to read. The number at a curve's end is its lag "
        "there.",
        choose="subscriptions=[...]",
        start_s=start_s,
        end_s=end_s,
    )
