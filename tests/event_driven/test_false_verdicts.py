"""Systems that are right and were once called wrong, and runs that say nothing and were once called a success."""

import asyncio

import pytest

from lessonlib.event_driven import InventoryManager, rules
from lessonlib.event_driven import log as log_module
from lessonlib.event_driven.handlers import handle_with
from lessonlib.event_driven.scenario import FANOUT, ORDERS, OUTBOX
from lessonlib.lab import History


@pytest.mark.parametrize("scenario", [FANOUT, ORDERS, OUTBOX], ids=["FANOUT", "ORDERS", "OUTBOX"])
def test_an_empty_history_exercises_nothing(scenario):
    assert {rule(History()).status for rule in scenario.rules} == {"not exercised"}


def test_an_event_that_nobody_tried_to_change_is_no_proof_that_it_cannot_be_changed():
    assert FANOUT.run("textbook").verdict(rules.unaltered.name).status == "not exercised"


def test_a_run_that_falls_silent_is_judged_to_its_end():
    """The textbook's history ends with its last call; the order placed then had 15 s to arrive."""
    run = FANOUT.run("textbook", plan="3900ms..5s slow-handler email by 3s; 3900ms..5s fail inventory")
    assert run.verdict(rules.isolated.name).status == "broken"


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
    class Slow(InventoryManager):
        async def handle(self, event):
            await asyncio.sleep(0.1)
            await super().handle(event)

    run = no_rule_is_broken("", orders=300, rate_per_s=100, parts={"inventory": Slow})
    for rule in (rules.reaches, rules.whole, rules.catches_up):
        assert "inventory was still working through its backlog" in run.verdict(rule.name).sentence


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
            for record in (None, 7, "text", [], {"order": None}, {"order": 1, "sku": "tea", "quantity": 0}):
                await self.disk.append("stock", record)
            await self.disk.append("dead-letters", {"event": {"data": None}})

    run = ORDERS.run(parts={"inventory": Odd})
    assert run.verdict(rules.leaves_the_stock_once.name).status == "not exercised"
    assert run.verdict(rules.reaches.name).status == "holds"


class Uncounted:
    """Tries for ever, and counts nothing on its disk."""

    def __init__(self, handler, dead_letters, *, name, ports):
        self.handler = handler

    async def deliver(self, offset, event):
        while True:
            try:
                return await handle_with(self.handler, event)
            except Exception:
                await asyncio.sleep(0.2)


@pytest.mark.parametrize("more", ["", "; at 1s crash inventory for 100ms", "; 5s..6s fail email"])
def test_a_node_that_dies_of_each_attempt_is_not_taken_for_one_that_is_away(more):
    run = ORDERS.run(plan=f"at 500ms deadly-poison inventory{more}", parts={"delivery": Uncounted}, orders=20)
    for rule in (rules.reaches, rules.whole, rules.poison_is_set_aside, rules.catches_up):
        assert run.verdict(rule.name).status == "broken", rule.name
    deaths = len(run.history.of("crash", node="inventory"))
    assert deaths > 5
    assert (
        f"Order 5 is poison to inventory, which died {deaths} times since, and there is no dead letter"
        in run.verdict(rules.poison_is_set_aside.name).sentence
    )


def test_a_rule_that_leaves_a_node_out_says_so():
    run = no_rule_is_broken("at 500ms poison inventory; at 1500ms rewind inventory; at 2s crash inventory")
    for rule in (rules.reaches, rules.whole, rules.catches_up, rules.poison_is_set_aside, rules.replays):
        assert "inventory never came back" in run.verdict(rule.name).sentence, rule.name
    assert "each at 2 subscribers" in run.verdict(rules.whole.name).sentence


def test_a_target_that_is_away_does_not_hide_another_that_is_there():
    run = no_rule_is_broken("at 500ms poison email; at 600ms poison orders; at 1s crash email")
    assert run.verdict(rules.poison_is_set_aside.name).status == "holds"


def test_a_copy_that_the_network_made_says_nothing_about_the_id_of_what_is_published_again():
    run = ORDERS.run("textbook", plan="1s..2s duplicate 50%", orders=20)
    assert run.verdict(rules.leaves_the_stock_once.name).status == "broken"
    assert run.verdict(rules.id_is_stable.name).status == "not exercised"
