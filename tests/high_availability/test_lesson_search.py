"""Search finds nothing against the pattern, and against the textbook version a plan that names its defect."""

import re

import pytest

from lessonlib.high_availability.scenario import CLUSTER, CLUSTER_OF_5
from lessonlib.lab.search import search

# Several searches, each with a seed of its own, so that workers can share them: 2 100 plans in all.
SEARCHES = [
    (CLUSTER, 700, 10_000),
    (CLUSTER, 700, 20_000),
    (CLUSTER_OF_5, 350, 30_000),
    (CLUSTER_OF_5, 350, 40_000),
]


def test_there_are_enough_plans():
    assert sum(plans for _, plans, _ in SEARCHES) >= 2_000


@pytest.mark.parametrize(("scenario", "plans", "seed"), SEARCHES, ids=lambda v: getattr(v, "name", str(v)))
def test_no_fault_plan_breaks_a_rule_of_the_pattern(scenario, plans, seed):
    found = search(scenario, "pattern", plans=plans, seed=seed, faults_max=4)
    assert found.exhausted, found.describe()
    assert found.tried >= plans
    assert not found.left_out, "a kind of fault was never drawn"
    assert not found.not_exercised, "a rule was never put to the test"


# For each rule that the textbook version can break: what its sentence must say about the defect.
DEFECTS = [
    ("at most one leader a term", "both lead .* there are no terms"),
    ("a leader that has been replaced is fenced off", "had been replaced: .* as its successor"),
    ("an acknowledged write survives the loss of any minority", "acknowledged .* does not have it"),
    ("all replicas apply the same prefix", "Entry .* is .* on node-. and .* on node-."),
    ("a register is linearizable", "was .*"),
    ("a leader that hears from no majority steps down in time, and refuses", "still led .* from no majority"),
    ("no work stays on a dead node, and each item is done by one", "is done by node-. and node-."),
]


@pytest.mark.parametrize("scenario", [CLUSTER, CLUSTER_OF_5], ids=lambda s: s.name)
@pytest.mark.parametrize(("rule", "words"), DEFECTS)
def test_the_same_search_breaks_the_textbook_version_with_a_short_plan_that_names_the_defect(
    scenario, rule, words
):
    found = search(scenario, "textbook", plans=100, seed=1, rules=[rule])
    failure = found.failure
    assert failure is not None, found.describe()
    assert failure.minimal
    assert 1 <= len(failure.plan) <= 3
    assert re.search(words, failure.verdict.sentence), failure.verdict.sentence
    again = scenario.run("textbook", plan=str(failure.plan), seed=failure.run.seed, **scenario.small)
    assert again.verdict(rule) == failure.verdict


@pytest.mark.parametrize("scenario", [CLUSTER, CLUSTER_OF_5], ids=lambda s: s.name)
def test_without_asking_for_a_rule_the_textbook_version_breaks_too(scenario):
    found = search(scenario, "textbook", plans=100, seed=1)
    assert found.failure is not None
    assert len(found.failure.plan) <= 3
