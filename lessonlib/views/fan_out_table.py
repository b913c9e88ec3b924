"""The fan-out table: what became of each acknowledged order at each subscriber."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import Any

from lessonlib.lab.history import Record
from lessonlib.lab.scenario import Run
from lessonlib.views.axis import span
from lessonlib.views.marks import is_dead_letter
from lessonlib.views.picture import Table, ViewError, listing, names_of, one, several, words
from lessonlib.views.tables import bad, cell, paragraph, table

MATRIX_MAX = 30  # orders; more fit on no page
SetAside = Callable[[Record], tuple[str, Any] | None]


def dead_letter(record: Record) -> tuple[str, Any] | None:
    """Return (subscriber, order) of a record that says that an order was set aside, or None for another record.

    Knows records `dead letter` with a field `order`, and events written to the file `dead-letters`.
    """
    if not is_dead_letter(record):
        return None
    if record.kind == "dead letter":
        return record.node, record.get("order")
    letter = record.data["record"]
    data = letter["event"].get("data") if isinstance(letter["event"], dict) else None
    order = data.get("order_id", data.get("order")) if isinstance(data, dict) else None
    return str(letter.get("subscription", record.node)), order


@dataclass(frozen=True, slots=True)
class Reach:
    """What became of the acknowledged orders of a run at one subscriber.

    Attributes:
        published: the orders that the workload tried to publish, in order.
        acknowledged: those whose publish returned.
        times: how often each of all orders arrived.
        aside: orders that were set aside as dead letters and never handled.
        delays_us: for each acknowledged order that arrived, from its first publish call to its first arrival.
    """

    subscriber: str
    published: tuple[Any, ...]
    acknowledged: tuple[Any, ...]
    times: dict[Any, int]
    aside: frozenset[Any]
    delays_us: tuple[int, ...]

    @property
    def reached(self) -> int:
        return sum(order in self.times for order in self.acknowledged)

    @property
    def lost(self) -> list[Any]:
        return [order for order in self.acknowledged if order not in self.times and order not in self.aside]

    @property
    def doubled(self) -> list[Any]:
        """The orders, acknowledged or not, that arrived more than once."""
        return [order for order, times in self.times.items() if times > 1]

    @property
    def unasked(self) -> int:
        """How many orders arrived although the shop was never told that they are published."""
        known = frozenset(self.acknowledged)
        return sum(order not in known for order in self.times)


def reach(run: Run, subscribers: Iterable[str], *, op: str, arrived: str, set_aside: SetAside) -> list[Reach]:
    """Return what became of the run's orders at each subscriber."""
    published: dict[Any, int] = {}
    acknowledged: dict[Any, None] = {}
    arrivals: dict[str, dict[Any, list[int]]] = {name: {} for name in subscribers}
    asides: dict[str, set[Any]] = {}
    for record in run.history.records:
        kind = record.kind
        if kind == "invoke" and record.get("op") == op and "order" in record.data:
            published.setdefault(record.data["order"], record.t_us)
        elif kind == "ok" and record.get("op") == op and "order" in record.data:
            acknowledged.setdefault(record.data["order"])
        elif kind == arrived and "order" in record.data:
            if record.node in arrivals:
                arrivals[record.node].setdefault(record.data["order"], []).append(record.t_us)
        elif kind not in ("sent", "delivered") and (letter := set_aside(record)) is not None:
            asides.setdefault(letter[0], set()).add(letter[1])
    return [
        Reach(
            name,
            tuple(published),
            tuple(acknowledged),
            {order: len(times) for order, times in got.items()},
            frozenset(asides.get(name, ())) - got.keys(),
            tuple(got[o][0] - published.get(o, got[o][0]) for o in acknowledged if o in got),
        )
        for name, got in arrivals.items()
    ]


def fan_out(
    run_or_runs: Run | Sequence[Run],
    *,
    subscribers: Sequence[str] | None = None,
    op: str = "publish",
    arrived: str = "handled",
    set_aside: SetAside = dead_letter,
) -> Table:
    """Count, for each subscriber, which acknowledged orders reached it, were lost, or came more than once.

    With few orders a second table shows each of them. Several runs stand beneath each other, to compare.

    Args:
        run_or_runs: what `scenario.run(...)` returned, or a list of such.
        subscribers: the rows; left out, the nodes at which something arrived in any of the runs. Name them, so that one which got
            nothing is listed too.
        op: the workload's operation that publishes; its records have a field `order`.
        arrived: the kind of record, with a field `order`, by which a subscriber's node shows that it has it.
        set_aside: says of a record which subscriber gave up which order: that is not lost.

    Raises ViewError for what is no run, for a run without records, and when no subscriber is known.
    """
    runs = tuple(one(run) for run in several(run_or_runs))
    if subscribers is not None and isinstance(subscribers, str):
        raise ViewError(
            f"subscribers={subscribers!r} is one name; give a list, for instance ['email', 'inventory']"
        )
    if subscribers is None:  # those of any run, so that one run's loser is listed by the other's
        subscribers = tuple(
            dict.fromkeys(r.node for run in runs for r in run.history.of(arrived) if "order" in r.data)
        )
    if not subscribers:
        raise ViewError(
            f"no record of kind {arrived!r} names a subscriber in {runs[0].replay}; give subscribers=[...], "
            "so that those which got nothing are listed"
        )
    names = names_of(runs)
    found = [reach(run, subscribers, op=op, arrived=arrived, set_aside=set_aside) for run in runs]
    everything = [each for reaches in found for each in reaches]
    aside, unasked = any(r.aside for r in everything), any(r.unasked for r in everything)
    head = ["Run", "Subscriber", "Acknowledged", "Reached", "Lost", "Doubled"]
    head += ["Set aside"] * aside + ["Reached, not acknowledged"] * unasked + ["Median delay", "Worst delay"]
    body = []
    for name, reaches in zip(names, found, strict=True):
        for i, each in enumerate(reaches):
            row = [cell(escape(name), "th", scope="rowgroup", rows=len(reaches))] if i == 0 else []
            row.append(cell(escape(each.subscriber), "th", scope="row"))
            row += [cell(str(len(each.acknowledged))), cell(str(each.reached))]
            row += [cell(bad(str(len(each.lost))) if each.lost else "0")]
            row += [cell(bad(str(len(each.doubled))) if each.doubled else "0")]
            row += [cell(str(len(each.aside)))] * aside + [cell(str(each.unasked))] * unasked
            row += [cell(text.replace(" ", "&nbsp;")) for text in _delays(each)]
            body.append(row)
    parts = [table("Where the acknowledged orders arrived", head, body)]
    parts += [_matrix(name, reaches) for name, reaches in zip(names, found, strict=True)]
    if any(parts[1:]):
        parts.append(
            paragraph(
                "✓ reached once · ✗ acknowledged and lost · ×2 reached twice · D set aside as a dead letter · "
                "(✓) reached, but never acknowledged · – neither"
            )
        )
    parts.append(paragraph("A delay runs from the first call to publish an order until it is first handled."))
    return Table("Fan-out", words(_tell(names, found)), "".join(parts))


def _delays(each: Reach) -> tuple[str, str]:
    if not each.delays_us:
        return "–", "–"
    return span(median(each.delays_us)), span(max(each.delays_us))


def _matrix(name: str, reaches: list[Reach]) -> str:
    orders = list(
        dict.fromkeys(order for each in reaches for order in (*each.published, *each.times, *each.aside))
    )
    if not orders or len(orders) > MATRIX_MAX:
        return ""
    orders = _in_order(orders)
    rows: Iterable[list[str]] = (
        [
            cell(escape(each.subscriber), "th", scope="row"),
            *(cell(_mark(each, o), tight=True) for o in orders),
        ]
        for each in reaches
    )
    return table(f"Order by order: {name}", ["", *(str(order) for order in orders)], rows, tight=True)


def _mark(each: Reach, order: Any) -> str:
    times, known = each.times.get(order, 0), order in each.acknowledged
    if times == 0:
        return "D" if order in each.aside else bad("✗") if known else "–"
    text = "✓" if times == 1 else f"×{times}"
    return bad(text) if times > 1 else text if known else f"({text})"


def _tell(names: Sequence[str], found: list[list[Reach]]) -> list[str]:
    lines = []
    for name, reaches in zip(names, found, strict=True):
        lines.append(f"{name}: {len(reaches[0].acknowledged)} orders acknowledged.")
        for each in reaches:
            parts = [f"reached {each.reached}", _named("lost", each.lost), _named("doubled", each.doubled)]
            parts += [f"set aside {len(each.aside)}"] if each.aside else []
            parts += [f"reached though not acknowledged {each.unasked}"] if each.unasked else []
            if each.delays_us:
                parts.append("delay {} (median), {} (worst)".format(*_delays(each)))
            lines.append(f"{each.subscriber}: {', '.join(parts)}.")
    return lines


def _in_order(orders: list[Any]) -> list[Any]:
    """Numbers by size; anything else as it came."""
    return sorted(orders) if all(isinstance(order, int) for order in orders) else orders


def _named(what: str, orders: list[Any]) -> str:
    some = f" (orders {listing(map(str, _in_order(orders)), most=5)})" if orders else ""
    return f"{what} {len(orders)}{some}"
