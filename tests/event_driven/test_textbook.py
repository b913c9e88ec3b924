"""Each defect of the textbook version is marked in its source and exposed by the laboratory."""

import inspect
import re

import pytest

from lessonlib.event_driven import naive
from lessonlib.event_driven.scenario import FANOUT, ORDERS
from lessonlib.lab import simulate


def sentence(scenario, rule, plan, seed=1):
    verdict = scenario.run("textbook", plan=plan, seed=seed, **scenario.small).verdict(rule)
    assert verdict.status == "broken", verdict
    assert scenario.run("pattern", plan=plan, seed=seed, **scenario.small).verdict(rule)
    return verdict.sentence


def publish(*handlers, **how):
    """Publish one order to handlers, in the laboratory; return what `publish` returned."""

    async def main():
        publisher = naive.EventPublisher(**how)
        for handler in handlers:
            publisher.subscribe("order_created", handler)
        return await publisher.publish("order_created", {"order_id": 1, "quantity": 2})

    return simulate(main())


def d1_one_exception_fails_publish_and_hides_the_others():
    assert "never got it" in sentence(FANOUT, "no order is half done", "0s..1s fail email")


def d2_publish_takes_as_long_as_the_slowest_handler():
    rule = "a slow or failing subscriber delays no other, nor the shop, by more than 1 s"
    assert "publishing order 5 was ok after 3.001 s (allowed: 1 s)" in sentence(
        FANOUT, rule, "450ms..1s slow-handler email by 3s"
    )


def d3_an_event_is_gone_for_a_subscriber_that_was_down():
    said = sentence(ORDERS, "no order is half done", "at 1s crash email for 5s")
    assert "email never got it" in said


def d4_a_repeated_order_cannot_be_recognised():
    plan = "at 1s crash email for 1s"
    assert "nobody can tell" in sentence(
        ORDERS, "an order that is published again keeps its event's id", plan
    )
    assert "twice" in sentence(ORDERS, "an order leaves the stock once", plan)


def d5_one_handler_changes_what_the_others_read():
    rule = "every subscriber sees the event as it was published"
    assert "another handler had changed it" in sentence(FANOUT, rule, "0s..1s careless orders")


def d6_an_event_without_a_subscriber_vanishes_and_publish_says_done():
    said = sentence(ORDERS, "every acknowledged order reaches every subscriber", "at 1s crash shop for 500ms")
    assert "never reached orders and inventory and email" in said


def d7_an_object_can_be_subscribed_and_fails_at_the_first_publish():
    with pytest.raises(TypeError, match="not callable"):
        publish(naive.InventoryManager(stock={"tea": 1}))


def d8_time_is_local_and_has_no_zone():
    assert not re.search(r"(Z|[+-]\d\d:\d\d)$", publish()["timestamp"])


def d9_nothing_can_be_read_again():
    rule = "a subscriber can be sent back to the beginning"
    assert "nothing was kept" in sentence(ORDERS, rule, "at 1s rewind email")


def d10_the_broker_is_configured_and_nobody_talks_to_it():
    run = ORDERS.run("textbook", **ORDERS.small)
    assert not run.history.of("sent", to="broker")
    assert not run.history.of("delivered", node="broker")
    publish(broker_config="nonsense")  # and nobody minds


DEFECTS = [f for name, f in list(globals().items()) if re.match(r"d\d+_", name)]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda f: f.__name__)
def test_the_laboratory_exposes(defect):
    defect()


def test_every_defect_is_marked_in_the_source_and_has_a_test():
    comments = re.findall(r"  # (D.*)", inspect.getsource(naive))
    assert all(re.fullmatch(r"D\d+(, D\d+)*", comment) for comment in comments), (
        "a mark gives its answer away"
    )
    marked = {int(n) for comment in comments for n in re.findall(r"\d+", comment)}
    assert list(naive.DEFECTS) == [f"D{n}" for n in sorted(marked)]
    tested = {int(re.match(r"d(\d+)_", f.__name__)[1]) for f in DEFECTS}
    assert marked == tested == set(range(1, 11))


def test_on_a_good_day_the_textbook_version_works():
    for scenario in (FANOUT, ORDERS):
        assert not scenario.run("textbook", **scenario.small).broken
