"""Search finds nothing against the counter with a lock, and a short plan against the textbook version's."""

import pytest

from lessonlib.lab.search import search
from lessonlib.start_here.scenario import COUNTER

PLANS = 600


@pytest.mark.parametrize("seed", [1, 2])
def test_no_fault_plan_breaks_a_rule_of_the_pattern(seed):
    found = search(COUNTER, "pattern", plans=PLANS, seed=seed)
    assert found.exhausted, found.describe()
    assert not found.left_out, "a kind of fault was never drawn"
    assert not found.not_exercised, "a rule was never put to the test"


def test_nor_do_more_customers():
    for rate in (40, 200, 1_000):
        for seed in range(1, 21):
            assert not COUNTER.run("pattern", rate_per_s=rate, seed=seed).broken


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("rule", ["no write undoes another", "every acknowledged sale is in the counter"])
def test_the_same_search_breaks_the_textbook_version_with_one_slow_answer_or_write(rule, seed):
    failure = search(COUNTER, "textbook", plans=PLANS, seed=seed, rules=[rule]).failure
    assert failure is not None
    assert failure.minimal
    assert len(failure.plan) == 1
    assert "slow-" in str(failure.plan)
    again = COUNTER.run("textbook", plan=str(failure.plan), seed=failure.run.seed, **COUNTER.small)
    assert again.verdict(rule) == failure.verdict
