"""Every rule of lesson 1 has a run that keeps it, a run that breaks it, and a run that does not test it.

A rule that lacks one of these fails here, so that no rule can be added that is never put to the test.
"""

import asyncio

import pytest

from lessonlib.event_driven import log as log_module
from lessonlib.event_driven import naive, rules
from lessonlib.event_driven.scenario import FANOUT, ORDERS, OUTBOX
from lessonlib.lab.history import History, Record

SCENARIOS = {scenario.name: scenario for scenario in (FANOUT, ORDERS, OUTBOX)}

REACHES = "every acknowledged order reaches every subscriber"
WHOLE = "no order is half done"
ONCE = "an order leaves the stock once"
NEGATIVE = "the stock is never negative"
ORDER = "a customer's orders leave the stock in order"
ISOLATED = "a slow or failing subscriber delays no other, nor the shop, by more than 1 s"
POISON = "a poison order blocks nothing and ends as a dead letter"
STABLE = "an order that is published again keeps its event's id"
REPLAYS = "a subscriber can be sent back to the beginning"
CATCHES_UP = "every subscription reaches the end of the log"
UNALTERED = "every subscriber sees the event as it was published"
STORED = "an order is stored exactly when it is announced"
DIED = "no task dies unseen"


# ---- Broken parts ----------------------------------------------------------------------------------------


class Publisher:
    """A publisher in memory that only keeps its handlers; the parts below differ in `publish`."""

    def __init__(self, node):
        self.handlers = []

    def subscribe(self, event_type, handler):
        self.handlers.append(handler)


class Confident(Publisher):
    """Says that all is well whatever its handlers raise."""

    async def publish(self, event_type, data):
        await asyncio.gather(
            *(handler({"id": "1", "data": data}) for handler in self.handlers), return_exceptions=True
        )


class Careless(Publisher):
    """Starts a task for each handler and forgets it."""

    async def publish(self, event_type, data):
        for handler in self.handlers:
            asyncio.get_running_loop().create_task(handler({"id": "1", "data": data}))


class Refusing(Publisher):
    async def publish(self, event_type, data):
        raise ConnectionError("closed today")


async def backwards(log, name, deliver):
    """Handles each batch from its end."""
    offset = await log.committed(name)
    while True:
        batch = await log.read(offset, wait_s=2)
        for number, event in reversed(batch):
            await deliver(number, event)
        offset += len(batch)
        await log.commit(name, offset)


async def never_commits(log, name, deliver):
    offset = 0
    while True:
        for number, event in await log.read(offset, wait_s=2):
            await deliver(number, event)
            offset = number + 1


async def gives_up(log, name, deliver):
    raise RuntimeError("no patience")


# ---- The runs --------------------------------------------------------------------------------------------
# For each rule: arguments of a run that keeps it, of one that breaks it, and of one that does not test it.
# None: there is no such run, since the rule judges every run.

TROUBLE = "200ms..3s slow-handler email by 3s"
TEXTBOOK = {"system": "textbook"}
SHUT = {"plan": "at 0s crash shop"}

RUNS = {
    ("FANOUT", ISOLATED): ({"plan": TROUBLE}, {**TEXTBOOK, "plan": TROUBLE}, {}),
    ("FANOUT", UNALTERED): (
        {"plan": "0s..2s careless orders"},
        {**TEXTBOOK, "plan": "0s..2s careless orders"},
        {"parts": {"publisher": Refusing}},
    ),
    ("FANOUT", REACHES): (
        {"plan": "0s..2s fail email"},
        {"parts": {"publisher": Confident}, "plan": "0s..2s fail email"},
        {"parts": {"publisher": Refusing}},
    ),
    ("FANOUT", WHOLE): (
        {"plan": "0s..2s fail email"},
        {**TEXTBOOK, "plan": "0s..2s fail email"},
        {"parts": {"publisher": Refusing}},
    ),
    ("FANOUT", POISON): (
        {"plan": "at 500ms poison inventory"},
        {**TEXTBOOK, "plan": "at 500ms poison inventory"},
        {},
    ),
    ("FANOUT", DIED): (
        {"plan": "0s..2s fail email"},
        {"parts": {"publisher": Careless}, "plan": "0s..2s fail email"},
        None,
    ),
    ("ORDERS", REACHES): (
        {"plan": "at 1s crash shop for 500ms"},
        {**TEXTBOOK, "plan": "at 1s crash shop for 500ms"},
        SHUT,
    ),
    ("ORDERS", WHOLE): (
        {"plan": "at 1s crash email for 5s"},
        {**TEXTBOOK, "plan": "at 1s crash email for 5s"},
        SHUT,
    ),
    ("ORDERS", ONCE): (
        {"plan": "after write 3 to stock crash inventory for 500ms"},
        {**TEXTBOOK, "plan": "1s..2s fail email"},
        SHUT,
    ),
    ("ORDERS", NEGATIVE): (
        {"plan": "1s..2s duplicate 50%"},
        {**TEXTBOOK, "plan": "1s..2s duplicate 50%"},
        SHUT,
    ),
    ("ORDERS", ORDER): (
        {"plan": "at 500ms crash inventory for 2s"},
        {"parts": {"subscription": backwards}, "plan": "at 500ms crash inventory for 2s"},
        {"orders": 1},
    ),
    ("ORDERS", ISOLATED): ({"plan": TROUBLE}, {**TEXTBOOK, "plan": TROUBLE}, {}),
    ("ORDERS", POISON): (
        {"plan": "at 500ms poison inventory"},
        {**TEXTBOOK, "plan": "at 500ms poison inventory"},
        {},
    ),
    ("ORDERS", STABLE): (
        {"plan": "at 1500ms rewind email"},
        {**TEXTBOOK, "plan": "1s..2s fail email"},
        {},
    ),
    ("ORDERS", REPLAYS): (
        {"plan": "at 1500ms rewind email"},
        {**TEXTBOOK, "plan": "at 1500ms rewind email"},
        {},
    ),
    ("ORDERS", CATCHES_UP): (
        {"plan": "at 1s crash broker for 1s"},
        {"parts": {"subscription": never_commits}},
        TEXTBOOK,
    ),
    ("ORDERS", DIED): (
        {"plan": "1s..2s fail-disk inventory"},
        {"parts": {"subscription": gives_up}},
        None,
    ),
    ("OUTBOX", STORED): (
        {"plan": "after write 3 to orders crash shop for 500ms"},
        {**TEXTBOOK, "plan": "after write 3 to orders crash shop for 500ms"},
        SHUT,
    ),
    ("OUTBOX", DIED): (
        {"plan": "1s..2s fail-disk shop"},
        {"parts": {"shop": lambda log, ports: Impatient(log, ports=ports)}},
        None,
    ),
}


class Impatient(naive.DualWriteShop):
    async def relay(self):
        raise RuntimeError("no patience")


def run(scenario_name, arguments):
    scenario = SCENARIOS[scenario_name]
    return scenario.run(**{**scenario.small, **arguments})


def test_every_rule_has_its_runs_and_no_rule_is_forgotten():
    there = {(s.name, rule.name) for s in SCENARIOS.values() for rule in s.rules}
    assert set(RUNS) == there
    without = {rule for (_, rule), (_, _, untested) in RUNS.items() if untested is None}
    assert without == {DIED}


@pytest.mark.parametrize(("scenario", "rule"), RUNS)
class TestARule:
    def test_is_kept_by_the_pattern(self, scenario, rule):
        kept = run(scenario, RUNS[scenario, rule][0])
        assert kept.verdict(rule).status == "holds", kept.describe()
        assert not kept.broken, kept.describe()

    def test_is_broken_by_a_defect_and_says_when_and_by_what(self, scenario, rule):
        bad = run(scenario, RUNS[scenario, rule][1])
        verdict = bad.verdict(rule)
        assert verdict.status == "broken", bad.describe()
        assert verdict.at_us is not None
        assert verdict.records
        assert all(record in bad.history for record in verdict.records)

    def test_says_so_when_it_is_not_put_to_the_test(self, scenario, rule):
        arguments = RUNS[scenario, rule][2]
        if arguments is None:
            return
        untested = run(scenario, arguments)
        assert untested.verdict(rule).status == "not exercised", untested.describe()


def test_on_a_quiet_day_no_rule_is_broken_by_the_pattern():
    for name in SCENARIOS:
        assert not run(name, {}).broken


# ---- False verdicts --------------------------------------------------------------------------------------


def test_a_cursor_file_that_is_rewritten_at_the_last_commit_counts_as_that_commit(monkeypatch):
    monkeypatch.setattr(log_module, "CURSOR_RECORDS_MAX", 59)  # 3 subscriptions, 20 orders: 60 commits
    run_ = ORDERS.run("pattern", orders=20)
    assert len(run_.history.of("replaced", file="cursors")) == 1
    assert run_.history.of("written", "replaced", file="cursors").last().kind == "replaced"
    assert run_.verdict(CATCHES_UP).status == "holds"


def test_a_subscriber_that_never_comes_back_is_in_trouble_to_the_end():
    run_ = ORDERS.run("pattern", plan="at 0s crash email; 8s..9s fail inventory", orders=100)
    assert run_.verdict(ISOLATED).status == "holds"
    assert run_.verdict(REACHES).status == "holds"  # nothing can be asked of it


def test_an_order_that_kills_its_subscriber_is_trouble_from_the_order_on_not_from_the_fault():
    run_ = ORDERS.run(
        "pattern", plan="at 100ms deadly-poison inventory; 7s..9s fail email", orders=10, rate_per_s=1
    )
    assert not run_.broken, run_.describe()


def test_a_subscriber_that_is_too_slow_for_the_load_is_not_delayed_by_another():
    rate = {"orders": 1_000, "rate_per_s": 1_000}
    run_ = ORDERS.run("pattern", plan="900ms..1s slow-handler inventory by 10ms", **rate)
    late = [r for r in run_.history.of("handled", node="email") if r.t_s > 2]
    assert late
    assert not run_.broken, run_.describe()


def test_a_repeated_delivery_to_the_second_subscriber_counts_as_one_too():
    def handled(node, id_):
        return Record(0, "handled", node, {"order": 1, "id": id_})

    once = [invoked(0, 1, attempt=2), handled("orders", "a"), handled("email", "a")]
    assert rules.id_is_stable(History(once)).status == "not exercised"
    assert rules.id_is_stable(History([*once, handled("email", "a")])).status == "holds"
    assert rules.id_is_stable(History([*once, handled("email", "b")])).status == "broken"


def invoked(t_us, order, **more):
    data = {"op": "publish", "call": order, "order": order, "customer": "a", "attempt": 1, **more}
    return Record(t_us, "invoke", "shop", data)


def acknowledged(t_us, order):
    return Record(t_us, "ok", "shop", {"op": "publish", "call": order, "order": order, "customer": "a"})


def taken(t_us, order):
    return Record(t_us, "written", "inventory", {"file": "stock", "record": {"order": order}})


def test_orders_that_were_under_way_together_may_leave_the_stock_in_any_order():
    together = History([invoked(0, 1), invoked(1, 2), acknowledged(2, 1), taken(3, 2), taken(4, 1)])
    one_by_one = History([invoked(0, 1), acknowledged(1, 1), invoked(2, 2), taken(3, 2), taken(4, 1)])
    assert rules.in_order(together).status == "holds"
    assert rules.in_order(one_by_one).status == "broken"


def test_an_order_that_nobody_was_promised_may_be_missing_everywhere_but_not_at_some():
    nowhere = History([invoked(0, 1)])
    somewhere = History([invoked(0, 1), Record(1, "handled", "email", {"order": 1, "id": "x"})])
    assert rules.reaches(nowhere).status == rules.whole(nowhere).status == "not exercised"
    assert rules.reaches(somewhere).status == "not exercised"
    assert rules.whole(somewhere).status == "broken"


def test_a_dead_letter_without_its_context_does_not_count():
    event = {"data": {"order_id": 1}}
    letter = {"subscription": "email", "event": event, "error": "ValueError"}
    history = History(
        [
            invoked(0, 1, poison="email"),
            acknowledged(1, 1),
            Record(2, "written", "email", {"file": "dead-letters", "record": letter}),
        ]
    )
    verdict = rules.poison_is_set_aside(history)
    assert verdict.status == "broken"
    assert "topic, offset, attempts, first_time, last_time" in verdict.sentence


def test_an_announcement_of_an_order_that_was_never_stored_breaks_the_outbox_rule():
    def announced(t_us, order):
        record = {"data": {"order_id": order}}
        return Record(t_us, "written", "broker", {"file": "log", "record": record})

    def stored(t_us, order):
        return Record(t_us, "written", "shop", {"file": "orders", "record": {"order": {"order_id": order}}})

    assert rules.stored_and_announced(History([stored(0, 1), announced(1, 1)])).status == "holds"
    assert "does not have it" in rules.stored_and_announced(History([announced(1, 1)])).sentence
    assert "nobody was ever told" in rules.stored_and_announced(History([stored(1, 1)])).sentence
    twice = History([stored(0, 1), announced(1, 1), announced(2, 1)])
    assert "announced twice" in rules.stored_and_announced(twice).sentence
