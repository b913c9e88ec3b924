"""Search finds nothing against the pattern, and against the textbook version a plan that names its defect."""

import re

import pytest

from lessonlib.event_driven.scenario import FANOUT, ORDERS, OUTBOX
from lessonlib.lab.search import search

PLANS = 500


@pytest.mark.parametrize("scenario", [FANOUT, ORDERS, OUTBOX], ids=lambda s: s.name)
def test_no_fault_plan_breaks_a_rule_of_the_pattern(scenario):
    found = search(scenario, "pattern", plans=PLANS, seed=1)
    assert found.exhausted, found.describe()
    assert found.tried >= PLANS
    assert not found.left_out, "a kind of fault was never drawn"
    assert not found.not_exercised, "a rule was never put to the test"


# For each rule that the textbook version can break: what its sentence must say about the defect.
DEFECTS = [
    (
        FANOUT,
        "a slow or failing subscriber delays no other, nor the shop, by more than 1 s",
        r"publishing order \d+ was ok after",
    ),
    (FANOUT, "every subscriber sees the event as it was published", "another handler had changed it"),
    (FANOUT, "no order is half done", "never got it"),
    (FANOUT, "a poison order blocks nothing and ends as a dead letter", "there is no dead letter of it"),
    (ORDERS, "every acknowledged order reaches every subscriber", "told at .* and it never reached"),
    (ORDERS, "no order is half done", "never got it"),
    (ORDERS, "an order leaves the stock once", "taken from the stock twice"),
    (ORDERS, "the stock is never negative", "that was not there"),
    (ORDERS, "a customer's orders leave the stock in order", "was taken from the stock after order"),
    (
        ORDERS,
        "a slow or failing subscriber delays no other, nor the shop, by more than 1 s",
        "With only .* in trouble",
    ),
    (ORDERS, "a poison order blocks nothing and ends as a dead letter", "there is no dead letter of it"),
    (
        ORDERS,
        "an order that is published again keeps its event's id",
        "nobody can tell that they are the same",
    ),
    (ORDERS, "a subscriber can be sent back to the beginning", "nothing was kept"),
    (OUTBOX, "an order is stored exactly when it is announced", "nobody was ever told"),
]


@pytest.mark.parametrize(("scenario", "rule", "words"), DEFECTS, ids=lambda v: getattr(v, "name", None))
def test_the_same_search_breaks_the_textbook_version_with_a_short_plan_that_names_the_defect(
    scenario, rule, words
):
    found = search(scenario, "textbook", plans=PLANS, seed=1, rules=[rule])
    failure = found.failure
    assert failure is not None, found.describe()
    assert failure.minimal
    assert 1 <= len(failure.plan) <= 3
    assert re.search(words, failure.verdict.sentence), failure.verdict.sentence
    again = scenario.run("textbook", plan=str(failure.plan), seed=failure.run.seed, **scenario.small)
    assert again.verdict(rule) == failure.verdict


@pytest.mark.parametrize("scenario", [FANOUT, ORDERS, OUTBOX], ids=lambda s: s.name)
def test_without_asking_for_a_rule_the_textbook_version_breaks_too(scenario):
    found = search(scenario, "textbook", plans=PLANS, seed=1)
    assert found.failure is not None
    assert len(found.failure.plan) <= 3
