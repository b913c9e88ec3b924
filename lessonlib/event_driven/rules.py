"""What must hold when a shop announces its orders. Each rule reads a history and nothing else.

The records that these rules read:
- `invoke`, `ok`, ... of op "publish", with `order`, `customer`, `attempt` and, for a poison order, `poison`;
- `handled` on the subscriber's lane, with `order`, `id`, `quantity`;
- `tampered` when a handler tried to change an event;
- `written` to the files "log" and "cursors" (broker), "stock" (inventory), "dead-letters" (subscribers).

A rule that says *in the end* asks nothing of a node that never came back, and says whom it left out; nor of one
that is still working through its backlog when the run ends: such a run does not exercise it. A node that dies of
what it handles, again and again, is not away: it is judged like one that is up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, not_exercised, rule

SUBSCRIBERS = ("orders", "inventory", "email")
PROMPT_S = 1.0  # how soon a healthy subscriber has handled an order, and how soon publish returns
SETTLE_S = 15.0  # how long a run goes on after the last call and the last fault
GRACE_S = 6.0  # how long after its trouble a node may still be catching up, backlog or not
POISON_S = 6.0  # how long a poison order may hold up its subscriber until it is set aside
BUSY_S = 2.0  # who got something new so shortly before the end had not come to rest
PAUSE_S = 0.02  # who never pauses so long between two orders works at full stretch
ANSWERS = ("ok", "failed", "unknown")
CONTEXT = ("topic", "offset", "error", "attempts", "first_time", "last_time")


def first_by_order(records: History) -> dict[int, Record]:
    """Return the first record of each order."""
    found: dict[int, Record] = {}
    for record in records:
        found.setdefault(record.data["order"], record)
    return found


def dead_letters(history: History) -> Iterator[tuple[str, int, Record]]:
    """Yield (subscription, order, record) of each dead letter."""
    for record in history.of("written", file="dead-letters"):
        letter = record.data["record"]
        order = _order_of(letter.get("event")) if isinstance(letter, dict) else None
        if order is not None:
            yield letter.get("subscription", record.node), order, record


def _order_of(event: Any) -> Any:
    """Return the order that an event's record speaks of, or None when it speaks of none."""
    data = event.get("data") if isinstance(event, dict) else None
    return data.get("order_id") if isinstance(data, dict) else None


def arrivals(history: History) -> dict[tuple[str, int], Record]:
    """Return, for (subscriber, order), the first record that shows it was handled or set aside."""
    found: dict[tuple[str, int], Record] = {}
    for record in history.of("handled"):
        found.setdefault((record.node, record.data["order"]), record)
    for subscriber, order, record in dead_letters(history):
        found.setdefault((subscriber, order), record)
    return found


def end_us(history: History) -> int:
    """Return when the run ended; nothing need have happened any more at that time."""
    calls = [history.of(kind).last() for kind in ("invoke", *ANSWERS)]
    plan = FaultPlan.parse("; ".join(r.data["fault"] for r in history.of("fault", phase="begins")))
    rest_us = max([round(plan.ends_s * 1e6), *(call.t_us for call in calls if call)])
    return max(history.end_us, rest_us + round(SETTLE_S * 1e6))


def gone(history: History) -> set[str]:
    """Return the nodes that a fault of the plan crashed and that never came back."""
    last: dict[str, Record] = {}
    for record in history.of("crash", "restart"):
        last[record.node] = record
    own = own_crashes(history)
    return {node for node, r in last.items() if r.kind == "crash" and r not in own.get(node, ())}


def own_crashes(history: History) -> dict[str, list[Record]]:
    """Return, for each node, the crashes that no fault of the plan ordered: it died of what it handled."""
    ordered: set[tuple[str | None, int]] = set()
    for record in history.of("fault", phase="begins"):
        fault = next(iter(FaultPlan.parse(record.data["fault"])))
        ordered.add((getattr(fault, "node", None), record.t_us))
    found: dict[str, list[Record]] = {}
    for record in history.of("crash"):
        if (record.node, record.t_us) not in ordered:
            found.setdefault(record.node, []).append(record)
    return found


def lasting(history: History) -> tuple[str, ...]:
    """Return the subscribers that are judged at the end: all but those that never came back."""
    away = gone(history)
    return tuple(s for s in SUBSCRIBERS if s not in away)


def left_out(history: History) -> str:
    """Say which subscribers are not judged; "" when all are."""
    away = gone(history) & set(SUBSCRIBERS)
    return f" {' and '.join(sorted(away))} never came back: not judged." if away else ""


def unsettled(history: History, arrived: dict[tuple[str, int], Record]) -> str:
    """Say why this run cannot tell what would have been in the end; "" when it can."""
    if "broker" in gone(history) and history.of("written", file="log"):
        return "The broker never came back."
    poisoned = [r for r in first_by_order(history.of("invoke", op="publish")).values() if r.get("poison")]
    if poisoned and poisoned[0].t_us + len(poisoned) * POISON_S * 1e6 > end_us(history):
        return f"{len(poisoned)} poison orders, one behind the other, take longer than this run."
    latest = max(arrived.values(), key=lambda r: r.t_us, default=None)
    if latest is not None and latest.t_us > end_us(history) - round(BUSY_S * 1e6):
        return f"{latest.node} was still working through its backlog when the run ended."
    return ""


@rule("every acknowledged order reaches every subscriber", "liveness")
def reaches(history: History) -> Verdict:
    """Handled or set aside as a dead letter, by the end."""
    acknowledged, subscribers = first_by_order(history.of("ok", op="publish")), lasting(history)
    if not acknowledged or not subscribers:
        return not_exercised("No order was acknowledged, or no subscriber was left.")
    arrived = arrivals(history)
    lost = [o for o in acknowledged if any((s, o) not in arrived for s in subscribers)]
    if not lost:
        return holds(
            f"{len(acknowledged)} orders, each at {len(subscribers)} subscribers.{left_out(history)}"
        )
    if why := unsettled(history, arrived):
        return not_exercised(why)
    ok = acknowledged[lost[0]]
    missing = [s for s in subscribers if (s, lost[0]) not in arrived]
    return broken(
        f"The shop was told at {seconds(ok.t_us)} that order {lost[0]} is published, and it never reached "
        f"{' and '.join(missing)}"
        + (f"; {len(lost) - 1} others are missing somewhere too." if len(lost) > 1 else "."),
        ok,
    )


@rule("no order is half done", "liveness")
def whole(history: History) -> Verdict:
    """What one subscriber has seen, all see by the end, whatever the shop was told."""
    arrived = arrivals(history)
    orders: dict[int, Record] = {}
    for (_, order), record in arrived.items():
        orders.setdefault(order, record)
    subscribers = lasting(history)
    for order, record in sorted(orders.items(), key=lambda item: item[1].t_us):
        missing = [s for s in subscribers if (s, order) not in arrived]
        if missing:
            if why := unsettled(history, arrived):
                return not_exercised(why)
            return broken(
                f"{record.node} has order {order}, but {' and '.join(missing)} never got it.", record
            )
    if not orders or not subscribers:
        return not_exercised("No order reached anybody.")
    return holds(f"{len(orders)} orders, each at {len(subscribers)} subscribers.{left_out(history)}")


@rule("an order leaves the stock once")
def leaves_the_stock_once(history: History) -> Verdict:
    """No order has two records in the file "stock"."""
    taken: dict[int, Record] = {}
    for record in stock_records(history):
        order = record.data["record"]["order"]
        earlier = taken.setdefault(order, record)
        if earlier is not record:
            return broken(
                f"Order {order} was taken from the stock twice: first at {seconds(earlier.t_us)}, again at "
                f"{seconds(record.t_us)}.",
                earlier,
                record,
            )
    return holds(f"{len(taken)} orders, each once.") if taken else not_exercised("Nothing was taken.")


def stock_records(history: History) -> list[Record]:
    """Return the `written` records of the file "stock" that take something."""
    return [
        r
        for r in history.of("written", file="stock")
        if isinstance(r.data["record"], dict)
        and r.data["record"].get("order") is not None
        and r.data["record"].get("quantity") != 0
    ]


@rule("the stock is never negative")
def never_negative(history: History) -> Verdict:
    """No SKU has more taken than was there at the beginning (record `stocked`)."""
    opening = history.of("stocked").first()
    if opening is None:
        return not_exercised("No stock was recorded.")
    left: dict[str, int] = dict(opening.data["stock"])
    taken = stock_records(history)
    for record in taken:
        change = record.data["record"]
        sku, quantity = change.get("sku"), change.get("quantity")
        if not isinstance(quantity, int):
            continue
        left[sku] = left.get(sku, 0) - quantity
        if left[sku] < 0:
            return broken(f"Order {change['order']} took {sku} that was not there: {left[sku]} left.", record)
    return holds("Nothing was taken that was not there.") if taken else not_exercised("Nothing was taken.")


@rule("a customer's orders leave the stock in order")
def in_order(history: History) -> Verdict:
    """If an order was acknowledged before the same customer placed the next, no effect of it follows the next's.

    An order that was set aside as a dead letter is out of the line: it may be taken when it is sent again.
    """
    aside = {order for subscriber, order, _ in dead_letters(history) if subscriber == "inventory"}
    acknowledged = {o: r.t_us for o, r in first_by_order(history.of("ok", op="publish")).items()}
    invoked = first_by_order(history.of("invoke", op="publish"))
    latest: dict[str, tuple[int, Record]] = {}
    compared = 0
    for record in stock_records(history):
        order = record.data["record"]["order"]
        if order not in invoked or order in aside:
            continue
        customer = invoked[order].data["customer"]
        before = latest.get(customer)
        if before is not None and before[0] != order:
            compared += 1
            if order in acknowledged and acknowledged[order] < invoked[before[0]].t_us:
                return broken(
                    f"{customer}: order {order} was taken from the stock after order {before[0]}, which was placed "
                    f"only after {order} was acknowledged.",
                    before[1],
                    record,
                )
        if before is None or invoked[order].t_us > invoked[before[0]].t_us:
            latest[customer] = (order, record)
    return (
        holds(f"{compared} pairs of orders compared.")
        if compared
        else not_exercised("No customer had two orders.")
    )


@rule(f"a slow or failing subscriber delays no other, nor the shop, by more than {PROMPT_S:g} s")
def isolated(history: History) -> Verdict:
    """While only some subscribers are in trouble, `publish` returns and the others handle, within PROMPT_S."""
    arrived = arrivals(history)
    troubles = list(_troubles(history, arrived))
    answers = {r.data["call"]: r for kind in ANSWERS for r in history.of(kind, op="publish")}
    work = {s: [r.t_us for r in history.of("handled", node=s)] for s in SUBSCRIBERS}
    prompt_us, judged, ends_us = round(PROMPT_S * 1e6), 0, end_us(history)
    for invoke in history.of("invoke", op="publish", attempt=1):
        start, deadline = invoke.t_us, invoke.t_us + prompt_us
        if ends_us < deadline:
            continue
        sick = {name for name, begin, end in troubles if begin <= deadline and start <= end}
        if not sick or not sick < set(SUBSCRIBERS):
            continue
        judged += 1
        order, whose = invoke.data["order"], " and ".join(sorted(sick))
        answer = answers.get(invoke.data["call"])
        if answer is None or answer.kind != "ok" or answer.t_us > deadline:
            how = _answered(answer, start)
            proof = (invoke,) if answer is None else (invoke, answer)
            return broken(f"With only {whose} in trouble, publishing order {order} {how}.", *proof)
        for subscriber in SUBSCRIBERS:
            if subscriber in sick:
                continue
            got = arrived.get((subscriber, order))
            if got is None or got.t_us > deadline:
                if _at_full_stretch(work[subscriber], start, deadline):
                    continue  # there are more orders than it can handle: nobody's doing but their number's
                late = "never" if got is None else f"only after {seconds(got.t_us - start)}"
                return broken(
                    f"With only {whose} in trouble, order {order} reached {subscriber} {late}.",
                    invoke,
                    at_us=deadline,
                )
    if not judged:
        return not_exercised("No order was placed while a subscriber, and nothing else, was in trouble.")
    return holds(f"{judged} orders placed while a subscriber was in trouble; all others had them promptly.")


def _answered(answer: Record | None, start: int) -> str:
    if answer is None:
        return "never returned"
    how = f"{answer.kind} after {seconds(answer.t_us - start)}"
    return f"was {how} (allowed: {PROMPT_S:g} s)" if answer.kind == "ok" else how


def _troubles(history: History, arrived: dict[tuple[str, int], Record]) -> Iterator[tuple[str, int, int]]:
    """Yield (name, from, to) of each spell of trouble; "*" where a fault is not confined to a subscriber.

    A spell ends GRACE_S after its fault, and not before the backlog that it left is worked off.
    """
    ends_us = end_us(history)
    late: dict[str, list[tuple[int, int]]] = {s: [] for s in SUBSCRIBERS}
    for order, ok in first_by_order(history.of("ok", op="publish")).items():
        for subscriber in SUBSCRIBERS:
            got = arrived.get((subscriber, order))
            got_us = ends_us if got is None else got.t_us
            if got_us - ok.t_us > PROMPT_S * 1e6 / 2:
                late[subscriber].append((ok.t_us, got_us))
    for record in history.of("fault", phase="begins"):
        fault = next(iter(FaultPlan.parse(record.data["fault"])))
        length_s = fault.ends_s - fault.begins_s
        until_us = record.t_us + round((length_s + GRACE_S) * 1e6)
        if getattr(fault, "down_s", 0.0) is None:
            until_us = ends_us  # it never comes back
        name: str = getattr(fault, "node", None) or getattr(fault, "target", None) or "*"
        confined = name in SUBSCRIBERS
        waits = late[name] if confined else sorted(wait for waits in late.values() for wait in waits)
        for ok_us, got_us in waits:
            if ok_us <= until_us and got_us >= record.t_us:
                until_us = max(until_us, got_us)
        yield name if confined else "*", record.t_us, until_us


def _at_full_stretch(times: list[int], start: int, end: int) -> bool:
    """Whether something was handled all the while, without a pause of PAUSE_S."""
    inside = [start, *times[bisect_left(times, start) : bisect_left(times, end)], end]
    return max(later - before for before, later in pairwise(inside)) < PAUSE_S * 1e6


@rule("a poison order blocks nothing and ends as a dead letter", "liveness")
def poison_is_set_aside(history: History) -> Verdict:
    """The dead letter has its context, and the subscriber goes on to later orders."""
    poisoned = {
        order: r for order, r in first_by_order(history.of("invoke", op="publish")).items() if r.get("poison")
    }
    letters = {(s, o): r for s, o, r in dead_letters(history)}
    arrived = arrivals(history)
    acknowledged = first_by_order(history.of("ok", op="publish"))
    judged, why, subscribers, unjudged = 0, unsettled(history, arrived), lasting(history), ""
    for order, invoke in poisoned.items():
        target = invoke.data["poison"]
        if order not in acknowledged and not any((s, order) in arrived for s in SUBSCRIBERS):
            continue  # it never got into the system
        if why or target not in subscribers:
            unjudged = why or f"{target} never came back."
            continue
        judged += 1
        letter = letters.get((target, order))
        if letter is None:
            deaths = sum(r.t_us >= invoke.t_us for r in own_crashes(history).get(target, ()))
            died = f", which died {deaths} time{'s' * (deaths > 1)} since" if deaths else ""
            return broken(
                f"Order {order} is poison to {target}{died}, and there is no dead letter of it.", invoke
            )
        lacking = [name for name in CONTEXT if letter.data["record"].get(name) is None]
        if lacking:
            return broken(
                f"The dead letter of order {order} does not say: {', '.join(lacking)}.", invoke, letter
            )
        for later, ok in acknowledged.items():
            if ok.t_us > invoke.t_us and later != order and (target, later) not in arrived:
                return broken(
                    f"Order {later} came after poison order {order} and never reached {target}.", invoke, ok
                )
    if not judged:
        return not_exercised(unjudged or "No poison order got into the system.")
    return holds(f"{judged} poison orders set aside with their context; later orders went on.")


@rule("an order that is published again keeps its event's id")
def id_is_stable(history: History) -> Verdict:
    """All deliveries of one order carry one (source, id).

    Put to the test by what the system itself delivers again: an order that was published a second time, or read a
    second time from a log. A copy that the network made of one call carries the same id whatever the system does.
    """
    ids: dict[int, Record] = {}
    seen: set[tuple[str, int]] = set()
    anew = {r.data["order"] for r in history.of("invoke", op="publish") if r.data["attempt"] > 1}
    has_log, repeated = bool(history.of("written", file="log")), 0
    for record in history.of("handled"):
        before = ids.setdefault(record.data["order"], record)
        delivery = record.node, record.data["order"]
        repeated += delivery in seen and (has_log or record.data["order"] in anew)
        seen.add(delivery)
        if before.data["id"] != record.data["id"]:
            return broken(
                f"Order {record.data['order']} came as event {before.data['id']!r:.44} and as "
                f"{record.data['id']!r:.44}: nobody can tell that they are the same.",
                before,
                record,
            )
    return (
        holds(f"{repeated} repeated deliveries, all recognisable.")
        if repeated
        else not_exercised("No order was published again, or read again from a log.")
    )


@rule("a subscriber can be sent back to the beginning", "liveness")
def replays(history: History) -> Verdict:
    """After a `rewind`, the subscriber handles again every order that had been acknowledged by then."""
    for failed in history.of("failed", op="rewind", type="NothingKept"):
        return broken(
            f"{failed.node} should read everything again, and nothing was kept that it could read.", failed
        )
    acknowledged = first_by_order(history.of("ok", op="publish"))
    asked = {r.data["call"]: r.t_us for r in history.of("invoke", op="rewind")}
    judged, why, subscribers, unjudged = 0, unsettled(history, arrivals(history)), lasting(history), ""
    for done in history.of("ok", op="rewind"):
        since = asked[done.data["call"]]
        again = {r.data["order"] for r in history.of("handled", node=done.node) if r.t_us >= since}
        again |= {o for s, o, r in dead_letters(history) if s == done.node and r.t_us >= since}
        if why or done.node not in subscribers:
            unjudged = why or f"{done.node} never came back."
            continue
        judged += 1
        for order, ok in acknowledged.items():
            if ok.t_us < done.t_us and order not in again:
                return broken(
                    f"{done.node} was sent back to the beginning and never came by order {order} again.", done
                )
    return (
        holds("All that was acknowledged came again.")
        if judged
        else not_exercised(unjudged or "Nobody was sent back.")
    )


@rule("every subscription reaches the end of the log", "liveness")
def catches_up(history: History) -> Verdict:
    """By the end, each committed offset is the log's end: lag is 0."""
    log = history.of("written", file="log")
    cursors: dict[str, tuple[int, Record]] = {}
    for record in history.of("written", "replaced", file="cursors"):  # replaced: rewritten as one each
        for cursor in record.data.get("records") or (record.data["record"],):
            cursors[cursor["subscription"]] = cursor["offset"], record
    newest, end, subscribers = log.last(), len(log), lasting(history)
    if newest is None or not subscribers:
        return not_exercised("There is no log, so there are no cursors, or no subscriber was left.")
    for subscriber in subscribers:
        offset, proof = cursors.get(subscriber, (0, newest))
        if offset != end:
            if why := unsettled(history, arrivals(history)):
                return not_exercised(why)
            return broken(f"{subscriber} stands at offset {offset} of {end}: {end - offset} behind.", proof)
    return holds(f"All stand at offset {end}.{left_out(history)}")


@rule("every subscriber sees the event as it was published")
def unaltered(history: History) -> Verdict:
    """No handler's changes are seen by another."""
    said = first_by_order(history.of("invoke", op="publish"))
    seen = history.of("handled")
    if not history.of("tampered"):
        return not_exercised("No handler tried to change its event.")
    for record in seen:
        published = said[record.data["order"]]
        if record.data["quantity"] != published.data["quantity"]:
            return broken(
                f"Order {record.data['order']} was for {published.data['quantity']}, and {record.node} read "
                f"{record.data['quantity']}: another handler had changed it.",
                published,
                record,
            )
    return holds(f"{len(seen)} deliveries, all as published.")


@rule("an order is stored exactly when it is announced", "liveness")
def stored_and_announced(history: History) -> Verdict:
    """By the end, the shop's database and the log name the same orders."""
    stored: dict[int, Record] = {}
    for record in history.of("written", file="orders"):
        row = record.data["record"]
        if isinstance(row, dict) and (order := _order_of({"data": row.get("order")})) is not None:
            stored.setdefault(order, record)
    announced: dict[int, Record] = {}
    for record in history.of("written", file="log"):
        if (order := _order_of(record.data["record"])) is None:
            continue
        if order in announced:
            return broken(f"Order {order} was announced twice, as two events.", announced[order], record)
        announced[order] = record
    for order, record in announced.items():
        if order not in stored:
            return broken(f"Order {order} was announced to everybody, and the shop does not have it.", record)
    for order, record in stored.items():
        if order not in announced:
            if away := gone(history):
                return not_exercised(f"{' and '.join(sorted(away))} never came back.")
            return broken(f"Order {order} is in the shop's database, and nobody was ever told.", record)
    if not stored:
        return not_exercised("No order was stored.")
    return holds(f"{len(stored)} orders, stored and announced.")
