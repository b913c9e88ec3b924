"""Every rule of every scenario has a run that keeps it, one that breaks it, and one that says nothing of it."""

import asyncio

import pytest

from lessonlib.event_driven import log as log_module
from lessonlib.event_driven import rules
from lessonlib.event_driven.scenario import FANOUT, ORDERS, OUTBOX
from lessonlib.lab import History
from lessonlib.lab.rules import nothing_died

DIED = nothing_died().name
NO_WAY_IN = "0s..400s partition shop | broker"


async def one_behind(log, name, deliver):
    """A consumer that commits the offset itself, not the next one."""
    offset = await log.committed(name)
    while True:
        for number, event in await log.read(offset, wait_s=2):
            await deliver(number, event)
            await log.commit(name, number)
            offset = number + 1


async def dies(log, name, deliver):
    await asyncio.sleep(1)
    raise RuntimeError("out of ideas")


def run(scenario, system="pattern", plan="", parts=None, **params):
    return lambda: scenario.run(system, plan=plan, parts=parts, **params).history


def nothing():
    return History()


SCENARIOS = {scenario.name: scenario for scenario in (FANOUT, ORDERS, OUTBOX)}
FAILS = "500ms..1s fail email"

# scenario → rule → runs that (keep it, break it, say nothing of it)
RUNS = {
    "FANOUT": {
        rules.isolated: (
            run(FANOUT, plan="1s..3s fail email; 1s..3s slow-handler inventory by 2s"),
            run(FANOUT, "textbook", "1s..3s slow-handler email by 3s"),
            run(FANOUT),
        ),
        rules.unaltered: (
            run(FANOUT, plan="1s..3s careless orders"),
            run(FANOUT, "textbook", "1s..3s careless orders"),
            run(FANOUT),
        ),
        rules.reaches: (
            run(FANOUT, plan="1s..3s fail email"),
            lambda: History(r for r in run(FANOUT)() if not (r.kind == "handled" and r.node == "email")),
            run(FANOUT, "textbook", "0s..9s fail email", orders=3),
        ),
        rules.whole: (
            run(FANOUT, plan="1s..3s fail email"),
            run(FANOUT, "textbook", "1s..3s fail email"),
            run(FANOUT, "textbook", "0s..9s fail email; 0s..9s fail orders; 0s..9s fail inventory", orders=3),
        ),
        rules.poison_is_set_aside: (
            run(FANOUT, plan="at 1s poison email"),
            run(FANOUT, "textbook", "at 1s poison email"),
            run(FANOUT),
        ),
        DIED: (run(FANOUT), None, nothing),
    },
    "ORDERS": {
        rules.reaches: (
            run(ORDERS, plan="at 2s crash shop for 1s"),
            run(ORDERS, "textbook", "at 2s crash shop for 1s"),
            run(ORDERS, plan=NO_WAY_IN, orders=1),
        ),
        rules.whole: (
            run(ORDERS, plan="at 1s crash email for 1s"),
            run(ORDERS, "textbook", "at 1s crash email for 1s", retries=0),
            run(ORDERS, plan=NO_WAY_IN, orders=1),
        ),
        rules.leaves_the_stock_once: (
            run(ORDERS, plan="after write 5 to stock crash inventory for 1s; at 2s rewind inventory"),
            run(ORDERS, "textbook", FAILS),
            run(ORDERS, plan=NO_WAY_IN, orders=1),
        ),
        rules.never_negative: (
            run(ORDERS, plan="after write 5 to stock crash inventory for 1s; at 2s rewind inventory"),
            run(ORDERS, "textbook", FAILS),
            run(ORDERS, plan=NO_WAY_IN, orders=1),
        ),
        rules.in_order: (
            run(ORDERS, plan="0s..5s duplicate 100%", customers=1),
            run(ORDERS, "textbook", "0s..5s duplicate 100% to inventory", customers=1),
            run(ORDERS, customers=40),
        ),
        rules.isolated: (
            run(ORDERS, plan="at 1s crash email for 2s"),
            run(ORDERS, "textbook", "at 1s crash email for 2s"),
            run(ORDERS),
        ),
        rules.poison_is_set_aside: (
            run(ORDERS, plan="at 1s poison email; at 2s deadly-poison inventory"),
            run(ORDERS, "textbook", "at 1s poison inventory"),
            run(ORDERS),
        ),
        rules.id_is_stable: (
            run(ORDERS, plan="at 2s rewind orders"),
            run(ORDERS, "textbook", FAILS),
            run(ORDERS),
        ),
        rules.replays: (
            run(ORDERS, plan="at 2s rewind orders"),
            run(ORDERS, "textbook", "at 2s rewind orders"),
            run(ORDERS),
        ),
        rules.catches_up: (
            run(ORDERS, plan="at 1s crash email for 2s"),
            run(ORDERS, parts={"subscription": one_behind}),
            run(ORDERS, "textbook"),
        ),
        DIED: (run(ORDERS), run(ORDERS, parts={"subscription": dies}), nothing),
    },
    "OUTBOX": {
        rules.stored_and_announced: (
            run(OUTBOX, plan="after write 3 to orders crash shop for 500ms"),
            run(OUTBOX, "textbook", "after write 3 to orders crash shop for 500ms"),
            run(OUTBOX, plan="at 0s crash shop for 30s", orders=3),
        ),
        DIED: (run(OUTBOX), None, nothing),
    },
}
BY_NAME = {
    (scenario, getattr(rule, "name", rule)): runs
    for scenario, table in RUNS.items()
    for rule, runs in table.items()
}
STATUSES = ("holds", "broken", "not exercised")


@pytest.mark.parametrize("scenario", list(SCENARIOS.values()), ids=SCENARIOS)
def test_no_rule_is_left_out_of_this_table(scenario):
    assert {name for name_of, name in BY_NAME if name_of == scenario.name} == {r.name for r in scenario.rules}


@pytest.mark.parametrize(("scenario", "rule"), list(BY_NAME))
@pytest.mark.parametrize("status", STATUSES)
def test_the_rule_has_a_run_that_it(scenario, rule, status):
    history = BY_NAME[scenario, rule][STATUSES.index(status)]
    if history is None:  # a rule that all scenarios share: broken where parts can be given that break it
        history = BY_NAME["ORDERS", rule][1]
    (judge,) = [r for r in SCENARIOS[scenario].rules if r.name == rule]
    verdict = judge(history())
    assert verdict.status == status, verdict
    assert verdict.sentence.endswith(".") or ":" in verdict.sentence
    if status == "broken":
        assert verdict.at_us is not None or not verdict.records


@pytest.mark.parametrize("scenario", list(SCENARIOS.values()), ids=SCENARIOS)
def test_an_empty_history_exercises_nothing(scenario):
    assert {rule(History()).status for rule in scenario.rules} == {"not exercised"}


def no_rule_is_broken(plan, scenario=ORDERS, **params):
    run = scenario.run(plan=plan, **params)
    assert not run.broken, run
    return run


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        ("email", rules.reaches),
        ("email", rules.whole),
        ("email", rules.catches_up),
        ("broker", rules.reaches),
        ("shop", rules.reaches),
    ],
    ids=lambda x: getattr(x, "name", x),
)
def test_nothing_is_asked_of_a_node_that_never_comes_back(node, rule):
    run = no_rule_is_broken(f"at 1s crash {node}")
    assert run.verdict(rule.name).status in ("holds", "not exercised")


def test_an_outbox_that_never_comes_back_is_not_judged():
    run = no_rule_is_broken("after write 3 to orders crash shop", OUTBOX)
    assert run.verdict(rules.stored_and_announced.name).status == "not exercised"


def test_who_never_came_back_is_not_judged_as_healthy_when_another_is_in_trouble():
    no_rule_is_broken("at 1s crash email; 4s..6s fail inventory", orders=120)


def test_trouble_lasts_until_its_backlog_is_worked_off():
    no_rule_is_broken("1s..2s slow-handler email by 60s; 20s..21s fail inventory", orders=300)
    five = "; ".join(["at 1s poison email"] * 5)
    no_rule_is_broken(f"{five}; 14s..15s fail inventory", orders=200)


def test_more_orders_than_a_subscriber_can_handle_are_nobody_s_fault():
    run = no_rule_is_broken("1s..4s fail orders", orders=1000, rate_per_s=200)
    assert run.verdict(rules.isolated.name).status == "holds"


def test_a_subscriber_at_its_backlog_when_the_run_ends_is_not_judged():
    run = no_rule_is_broken("", orders=3000, rate_per_s=1000)
    assert "still working through its backlog" in run.verdict(rules.reaches.name).sentence


def test_many_poison_orders_in_a_row_are_given_the_time_that_they_take():
    no_rule_is_broken("; ".join(["at 1s deadly-poison inventory"] * 4))


def test_an_order_that_was_set_aside_and_taken_later_is_out_of_the_line():
    run = no_rule_is_broken("0s..4s fail inventory; at 5500ms rewind inventory", orders=80)
    assert run.verdict(rules.in_order.name).status == "holds"


def test_a_cursor_file_that_was_rewritten_counts(monkeypatch):
    monkeypatch.setattr(log_module, "CURSOR_RECORDS_MAX", 3)
    run = no_rule_is_broken("at 2s rewind email")
    assert (
        run.history.of("replaced", file="cursors").last().t_us
        > run.history.of("written", file="cursors").last().t_us
    )
    assert run.verdict(rules.catches_up.name).status == "holds"


def test_what_held_messages_back_may_end_long_after_the_fault():
    for plan in ("1s..2s delay 30s", "1s..2s slow-disk email by 20s", "1s..2s slow-handler email by 60s"):
        no_rule_is_broken(plan)


def test_records_of_another_shape_do_not_break_a_rule():
    """A learner's own pieces write what they like."""

    class Odd:
        def __init__(self, disk, stock):
            self.disk = disk

        async def handle(self, event):
            for record in (None, 7, "text", [], {"order": 1}, {"order": 1, "sku": "tea", "quantity": 0}):
                await self.disk.append("stock", record)
            await self.disk.append("dead-letters", {"event": {"data": None}})

    run = ORDERS.run(parts={"inventory": Odd})
    assert run.verdict(rules.leaves_the_stock_once.name).status == "not exercised"
    assert run.verdict(rules.reaches.name).status == "holds"
