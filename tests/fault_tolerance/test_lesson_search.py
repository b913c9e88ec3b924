"""Search finds nothing against the pattern, and against the textbook version a plan that names its defect."""

import re

import pytest

from lessonlib.fault_tolerance.scenario import CALLS, STORM
from lessonlib.lab.search import search

PLANS = 500


@pytest.mark.parametrize("scenario", [CALLS, STORM], ids=lambda s: s.name)
def test_no_fault_plan_breaks_a_rule_of_the_pattern(scenario):
    found = search(scenario, "pattern", plans=PLANS, seed=1)
    assert found.exhausted, found.describe()
    assert found.tried >= PLANS
    assert not found.left_out, "a kind of fault was never drawn"
    assert not found.not_exercised, "a rule was never put to the test"


# For each rule that the textbook version can break: what its sentence must say about the defect.
DEFECTS = [
    (CALLS, "a job makes no more than its attempts, and none after its deadline", "its deadline was 3 s"),
    (CALLS, "what can never succeed fails at once", "rejected .* for good, and it was sent again"),
    (
        CALLS,
        "once a service is well again, its calls are let through again",
        "well again .* refused without a call",
    ),
    (CALLS, "a service in trouble does not take the workers that others need", "waited .* for a worker"),
    (CALLS, "retries stay within the budget", "used up the budget"),
    (
        CALLS,
        "no event is lost: it is processed, a dead letter, or pending",
        "failed with Exception, .* it is lost",
    ),
    (STORM, "an overload ends when its cause has ended", "The overload feeds itself"),
    (STORM, "retries stay within the budget", "used up the budget"),
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


@pytest.mark.parametrize("scenario", [CALLS, STORM], ids=lambda s: s.name)
def test_without_asking_for_a_rule_the_textbook_version_breaks_too(scenario):
    found = search(scenario, "textbook", plans=PLANS, seed=1)
    assert found.failure is not None
    assert len(found.failure.plan) <= 3
