"""What must hold when a shop announces its orders. Each rule reads a history and nothing else.

The records that these rules read:
- `invoke`, `ok`, ... of op "publish", with `order`, `customer`, `attempt` and, for a poison order, `poison`;
- `handled` on the subscriber's lane, with `order`, `id`, `quantity`;
- `written` to the files "log" and "cursors" (broker), "stock" (inventory), "dead-letters" (subscribers).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from lessonlib.lab.faults import Fault, FaultPlan
from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, not_exercised, rule

SUBSCRIBERS = ("orders", "inventory", "email")
PROMPT_S = 1.0  # how soon a healthy subscriber has handled an order, and how soon publish returns
GRACE_S = 6.0  # how long after its trouble a node may still be catching up
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
        if isinstance(letter, dict) and "event" in letter:
            order = letter["event"]["data"]["order_id"]
            yield letter.get("subscription", record.node), order, record


def arrivals(history: History) -> dict[tuple[str, int], Record]:
    """Return, for (subscriber, order), the first record that shows it was handled or set aside."""
    found: dict[tuple[str, int], Record] = {}
    for record in history.of("handled"):
        found.setdefault((record.node, record.data["order"]), record)
    for subscriber, order, record in dead_letters(history):
        found.setdefault((subscriber, order), record)
    return found


def lasting(history: History) -> tuple[str, ...]:
    """Return the subscribers that are up at the end: nothing can reach one that crashed for good."""
    up = dict.fromkeys(SUBSCRIBERS, True)
    for record in history.of("crash", "restart"):
        up[record.node] = record.kind == "restart"
    return tuple(name for name in SUBSCRIBERS if up[name])


@rule("every acknowledged order reaches every subscriber", "liveness")
def reaches(history: History) -> Verdict:
    """Handled or set aside as a dead letter, by the end."""
    acknowledged = first_by_order(history.of("ok", op="publish"))
    if not acknowledged:
        return not_exercised("No order was acknowledged.")
    arrived, subscribers = arrivals(history), lasting(history)
    for order, ok in acknowledged.items():
        missing = [s for s in subscribers if (s, order) not in arrived]
        if missing:
            more = sum(any((s, o) not in arrived for s in subscribers) for o in acknowledged) - 1
            return broken(
                f"The shop was told at {seconds(ok.t_us)} that order {order} is published, and it never reached "
                f"{' and '.join(missing)}" + (f"; {more} others are missing somewhere too." if more else "."),
                ok,
            )
    return holds(f"{len(acknowledged)} orders, each at {len(subscribers)} subscribers.")


@rule("no order is half done", "liveness")
def whole(history: History) -> Verdict:
    """What one subscriber has seen, all see by the end, whatever the shop was told."""
    arrived, subscribers = arrivals(history), lasting(history)
    orders: dict[int, Record] = {}
    for (_, order), record in arrived.items():
        orders.setdefault(order, record)
    for order, record in sorted(orders.items(), key=lambda item: item[1].t_us):
        missing = [s for s in subscribers if (s, order) not in arrived]
        if missing:
            return broken(
                f"{record.node} has order {order}, but {' and '.join(missing)} never got it.", record
            )
    if not orders:
        return not_exercised("No order reached anybody.")
    return holds(f"{len(orders)} orders, each at every subscriber.")


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
        if isinstance(r.data["record"], dict) and r.data["record"].get("order") is not None
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
        sku = change["sku"]
        left[sku] = left.get(sku, 0) - change["quantity"]
        if left[sku] < 0:
            return broken(f"Order {change['order']} took {sku} that was not there: {left[sku]} left.", record)
    return holds("Nothing was taken that was not there.") if taken else not_exercised("Nothing was taken.")


@rule("a customer's orders leave the stock in order")
def in_order(history: History) -> Verdict:
    """If an order was acknowledged before the same customer placed the next, no effect of it follows the next's."""
    acknowledged = {o: r.t_us for o, r in first_by_order(history.of("ok", op="publish")).items()}
    invoked = first_by_order(history.of("invoke", op="publish"))
    latest: dict[str, tuple[int, Record]] = {}
    compared = 0
    for record in stock_records(history):
        order = record.data["record"]["order"]
        if order not in invoked:
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


@rule("a slow or failing subscriber delays no other, nor the shop")
def isolated(history: History) -> Verdict:
    """While only some subscribers are in trouble, `publish` returns and the others handle, within PROMPT_S.

    A subscriber that was a quarter as late before the trouble began is too slow for the load by itself.
    """
    troubles = list(_troubles(history))
    answers = {r.data["call"]: r for r in history.of("ok", "failed", "unknown", op="publish")}
    arrived = arrivals(history)
    prompt_us, judged = round(PROMPT_S * 1e6), 0
    invokes = history.of("invoke", op="publish", attempt=1).records
    times = [r.t_us for r in invokes]

    @cache
    def behind(subscriber: str, t_us: int) -> bool:
        """Whether the last order that `subscriber` should have had by then was late."""
        last = bisect_right(times, t_us - prompt_us // 4) - 1
        if last < 0:
            return False
        got = arrived.get((subscriber, invokes[last].data["order"]))
        return got is None or got.t_us > times[last] + prompt_us // 4

    for invoke in invokes:
        start, deadline = invoke.t_us, invoke.t_us + prompt_us
        if history.end_us < deadline:
            continue
        spells = [(name, begin) for name, begin, end in troubles if begin <= deadline and start <= end]
        sick = {name for name, _ in spells}
        if not sick or not sick < set(SUBSCRIBERS):
            continue
        judged += 1
        began = min(begin for _, begin in spells)
        order, whose = invoke.data["order"], " and ".join(sorted(sick))
        answer = answers.get(invoke.data["call"])
        if answer is None or answer.kind != "ok" or answer.t_us > deadline:
            how = (
                "never returned" if answer is None else f"{answer.kind} after {seconds(answer.t_us - start)}"
            )
            proof = (invoke,) if answer is None else (invoke, answer)
            return broken(f"With only {whose} in trouble, publishing order {order} {how}.", *proof)
        for subscriber in SUBSCRIBERS:
            if subscriber in sick or behind(subscriber, began):
                continue
            got = arrived.get((subscriber, order))
            if got is None or got.t_us > deadline:
                late = "never" if got is None else f"only after {seconds(got.t_us - start)}"
                return broken(
                    f"With only {whose} in trouble, order {order} reached {subscriber} {late}.",
                    invoke,
                    at_us=deadline,
                )
    if not judged:
        return not_exercised("No order was placed while a subscriber, and nothing else, was in trouble.")
    return holds(f"{judged} orders placed while a subscriber was in trouble; all others had them promptly.")


def _troubles(history: History) -> Iterator[tuple[str, int, int]]:
    """Yield (name, from, to) of each spell of trouble; "*" where a fault is not confined to a node."""
    for record in history.of("fault", phase="begins"):
        fault = next(iter(FaultPlan.parse(record.data["fault"])))
        length_s = fault.ends_s - fault.begins_s
        if hasattr(fault, "target") and not hasattr(fault, "end_s"):
            length_s = (
                GRACE_S  # it strikes an order that is yet to come, and that order is tried several times
            )
        end_us = record.t_us + round((length_s + GRACE_S) * 1e6)
        if hasattr(fault, "down_s") and fault.down_s is None:
            end_us = history.end_us  # a node that stays down
        for name in _confined_to(fault):
            yield name, record.t_us, end_us


def _confined_to(fault: Fault) -> tuple[str, ...]:
    name = getattr(fault, "node", None) or getattr(fault, "target", None)
    return (name,) if name in SUBSCRIBERS else ("*",)


@rule("a poison order blocks nothing and ends as a dead letter", "liveness")
def poison_is_set_aside(history: History) -> Verdict:
    """The dead letter has its context, and the subscriber goes on to later orders."""
    poisoned = {
        order: r for order, r in first_by_order(history.of("invoke", op="publish")).items() if r.get("poison")
    }
    letters = {(s, o): r for s, o, r in dead_letters(history)}
    arrived = arrivals(history)
    acknowledged = first_by_order(history.of("ok", op="publish"))
    judged = 0
    for order, invoke in poisoned.items():
        target = invoke.data["poison"]
        if order not in acknowledged and not any((s, order) in arrived for s in SUBSCRIBERS):
            continue  # it never got into the system
        judged += 1
        letter = letters.get((target, order))
        if letter is None:
            return broken(f"Order {order} is poison to {target}, and there is no dead letter of it.", invoke)
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
        return not_exercised("No poison order got into the system.")
    return holds(f"{judged} poison orders set aside with their context; later orders went on.")


@rule("an order that is published again keeps its event's id")
def id_is_stable(history: History) -> Verdict:
    """All deliveries of one order carry one (source, id)."""
    ids: dict[int, Record] = {}
    seen: set[tuple[str, int]] = set()
    handled = history.of("handled")
    for record in handled:
        before = ids.setdefault(record.data["order"], record)
        seen.add((record.node, record.data["order"]))
        if before.data["id"] != record.data["id"]:
            return broken(
                f"Order {record.data['order']} came as event {before.data['id']!r:.44} and as "
                f"{record.data['id']!r:.44}: nobody can tell that they are the same.",
                before,
                record,
            )
    repeated = len(handled) - len(seen)
    return (
        holds(f"{repeated} repeated deliveries, all recognisable.")
        if repeated
        else not_exercised("No order was handled twice by one subscriber.")
    )


@rule("a subscriber can be sent back to the beginning", "liveness")
def replays(history: History) -> Verdict:
    """After a `rewind`, the subscriber handles again every order that had been acknowledged by then."""
    for failed in history.of("failed", op="rewind", type="NothingKept"):
        return broken(
            f"{failed.node} should read everything again, and nothing was kept that it could read.", failed
        )
    acknowledged = first_by_order(history.of("ok", op="publish"))
    judged = 0
    for done in history.of("ok", op="rewind"):
        again = {r.data["order"] for r in history.of("handled", node=done.node) if r.t_us >= done.t_us}
        again |= {order for subscriber, order, _ in dead_letters(history) if subscriber == done.node}
        judged += 1
        for order, ok in acknowledged.items():
            if ok.t_us < done.t_us and order not in again:
                return broken(
                    f"{done.node} was sent back to the beginning and never came by order {order} again.", done
                )
    return (
        holds("All that was acknowledged came again.") if judged else not_exercised("Nobody was sent back.")
    )


@rule("every subscription reaches the end of the log", "liveness")
def catches_up(history: History) -> Verdict:
    """By the end, each committed offset is the log's end: lag is 0."""
    log = history.of("written", file="log")
    cursors: dict[str, tuple[int, Record]] = {}
    for record in history.of("written", "replaced", file="cursors"):  # replaced: rewritten as one each
        for cursor in record.data.get("records") or (record.data["record"],):
            cursors[cursor["subscription"]] = cursor["offset"], record
    newest = log.last()
    if newest is None:
        return not_exercised("There is no log, so there are no cursors.")
    end = len(log)
    for subscriber in lasting(history):
        offset, proof = cursors.get(subscriber, (0, newest))
        if offset != end:
            return broken(f"{subscriber} stands at offset {offset} of {end}: {end - offset} behind.", proof)
    return holds(f"All stand at offset {end}.")


@rule("every subscriber sees the event as it was published")
def unaltered(history: History) -> Verdict:
    """No handler's changes are seen by another."""
    said = {r.data["order"]: r for r in history.of("invoke", op="publish")}
    seen = history.of("handled")
    for record in seen:
        published = said[record.data["order"]]
        if record.data["quantity"] != published.data["quantity"]:
            return broken(
                f"Order {record.data['order']} was for {published.data['quantity']}, and {record.node} read "
                f"{record.data['quantity']}: another handler had changed it.",
                published,
                record,
            )
    return (
        holds(f"{len(seen)} deliveries, all as published.")
        if len(seen)
        else not_exercised("Nothing was handled.")
    )


@rule("an order is stored exactly when it is announced", "liveness")
def stored_and_announced(history: History) -> Verdict:
    """By the end, the shop's database and the log name the same orders."""
    stored = {r.data["record"]["order"]["order_id"]: r for r in history.of("written", file="orders")}
    announced: dict[int, Record] = {}
    for record in history.of("written", file="log"):
        order = record.data["record"]["data"]["order_id"]
        if order in announced:
            return broken(f"Order {order} was announced twice, as two events.", announced[order], record)
        announced[order] = record
    for order, record in stored.items():
        if order not in announced:
            return broken(f"Order {order} is in the shop's database, and nobody was ever told.", record)
    for order, record in announced.items():
        if order not in stored:
            return broken(f"Order {order} was announced to everybody, and the shop does not have it.", record)
    if not stored:
        return not_exercised("No order was stored.")
    return holds(f"{len(stored)} orders, stored and announced.")
