"""Each defect of the textbook version is marked in its source, and the laboratory exposes it."""

import asyncio
import inspect
import re
from datetime import datetime

import pytest

from lessonlib.event_driven import EventPublisher, naive, rules
from lessonlib.event_driven.scenario import FANOUT, ORDERS
from lessonlib.lab import simulate


def verdict(scenario, rule, plan, system="textbook", **params):
    return scenario.run(system, plan=plan, **params).verdict(rule.name)


def broken(scenario, rule, plan, **params):
    """The textbook's verdict, which is broken; the pattern's is not."""
    assert verdict(scenario, rule, plan, "pattern", **params).status == "holds"
    found = verdict(scenario, rule, plan, **params)
    assert found.status == "broken"
    return found


def test_every_defect_is_marked_where_it_stands():
    marks = re.findall(r"\bD(\d+)\b", inspect.getsource(naive).split('"""', 2)[2])
    assert sorted({int(mark) for mark in marks}) == list(range(1, 11))


def test_every_defect_has_a_test_here():
    names = " ".join(name for name in globals() if name.startswith("test_D"))
    assert sorted({int(number) for number in re.findall(r"_D(\d+)_", names)}) == list(range(1, 11))


def test_on_a_good_day_it_works():
    for scenario in (FANOUT, ORDERS):
        run = scenario.run("textbook")
        assert not run.broken, run
        assert run.verdict(rules.reaches.name).status == "holds"


def test_D1_one_exception_fails_publish():
    found = broken(FANOUT, rules.isolated, "1s..3s fail email")
    assert re.search("With only email in trouble, publishing order 10 failed after", found.sentence)
    assert "email refuses connections" in found.records[-1].get("error")


def test_D1_and_hides_what_became_of_the_others():
    """The shop is told that it failed; two of the three have the order."""
    run = ORDERS.run("textbook", plan="1s..10s fail email", orders=12, retries=0)
    assert run.verdict(rules.whole.name).status == "broken"
    assert (
        ORDERS.run(plan="1s..10s fail email", orders=12, retries=0).verdict(rules.whole.name).status
        == "holds"
    )


def test_D2_publish_is_as_slow_as_the_slowest():
    found = broken(FANOUT, rules.isolated, "1s..3s slow-handler email by 3s")
    invoke, ok = found.records
    assert ok.kind == "ok" and ok.t_us - invoke.t_us >= 3_000_000


def test_D3_who_was_down_has_missed_it():
    found = broken(ORDERS, rules.reaches, "at 2s crash shop for 1s")
    assert "never reached orders and inventory and email" in found.sentence, (
        "all had registered in memory only"
    )


def test_D3_and_a_subscriber_that_was_down_stays_without_it():
    plan = "at 1s crash email for 1s"
    assert verdict(ORDERS, rules.whole, plan, retries=0).status == "broken"
    assert verdict(ORDERS, rules.whole, plan, "pattern", retries=0).status == "holds"


def test_D4_a_retry_is_another_event_and_is_done_twice():
    plan = "500ms..1s fail email; at 1500ms rewind orders"
    found = broken(ORDERS, rules.id_is_stable, plan)
    assert "nobody can tell that they are the same" in found.sentence
    found = broken(ORDERS, rules.leaves_the_stock_once, plan)
    assert "happened twice" in found.sentence


def test_D4_after_a_restart_even_the_same_moment_gives_another_id():
    def published(salt):
        publisher = naive.EventPublisher(
            hash_function=lambda v: hash((salt, v)), now=lambda: datetime(2026, 1, 1)
        )
        return simulate(lambda: publisher.publish("order_created", {"order_id": 1}))["id"]

    assert published(1) == published(1) != published(2)


def test_D5_one_handler_s_change_is_seen_by_the_others():
    found = broken(FANOUT, rules.unaltered, "1s..3s careless orders")
    assert "another handler had changed it" in found.sentence


def test_D6_an_event_without_a_subscriber_vanishes():
    async def trial(publisher):
        seen = []

        async def late(event):
            seen.append(event["data"]["order_id"])

        await publisher.publish("order_created", {"order_id": 1})
        publisher.subscribe("order_created", late)
        await publisher.publish("order_created", {"order_id": 2})
        if isinstance(publisher, EventPublisher):
            await publisher.drain()
            await publisher.aclose()
        return seen

    assert simulate(lambda: trial(naive.EventPublisher())) == [2]
    assert simulate(lambda: trial(EventPublisher())) == [1, 2]


def test_D7_an_event_handler_object_goes_in_and_fails_at_publish():
    async def trial():
        publisher = naive.EventPublisher()
        publisher.subscribe("order_created", naive.OrderProcessor())
        with pytest.raises(TypeError, match="not callable"):
            await publisher.publish("order_created", {"order_id": 1})

    simulate(trial)


def test_D8_its_time_has_no_zone():
    async def trial(publisher):
        event = await publisher.publish("order_created", {"order_id": 1})
        return datetime.fromisoformat(event["timestamp"])

    assert asyncio.run(trial(naive.EventPublisher())).tzinfo is None
    assert asyncio.run(trial(EventPublisher())).tzinfo is not None


def test_D9_nothing_can_be_read_again():
    found = broken(ORDERS, rules.replays, "at 2s rewind inventory")
    assert "nothing was kept that it could read" in found.sentence


def test_D10_nobody_looks_at_the_broker_config():
    assert naive.EventPublisher({"type": "no such thing"}).subscribers == {}
    run = ORDERS.run("textbook", plan="at 0s crash broker")
    assert not run.history.of("sent", to="broker") and not run.history.of("written", file="log")
    assert not run.broken, "it is configured with a broker, and does not notice that there is none"
