"""The retry budget, as gRPC's retry throttling (gRFC A6): 10 tokens, -1 a failure, +0.1 a success, half is the limit."""

import pytest

from lessonlib.fault_tolerance import RetryBudget


def test_at_half_of_the_tokens_or_less_nobody_retries():
    budget = RetryBudget()
    allowed = []
    for _ in range(6):
        budget.on_failure()
        allowed.append(budget.allows_retry)
    assert allowed == [True, True, True, True, False, False]
    assert budget.tokens == 4


def test_a_success_gives_a_tenth_of_a_token_and_ten_are_exactly_one():
    budget = RetryBudget()
    for _ in range(5):
        budget.on_failure()
    assert not budget.allows_retry
    budget.on_success()
    assert budget.tokens == 5.1 and budget.allows_retry
    for _ in range(9):
        budget.on_success()
    assert budget.tokens == 6


def test_tokens_stay_between_nothing_and_the_most():
    budget = RetryBudget(3, 0.5)
    budget.on_success()
    assert budget.tokens == 3
    for _ in range(9):
        budget.on_failure()
    assert budget.tokens == 0
    budget.on_success()
    assert budget.tokens == 0.5


@pytest.mark.parametrize(("successes_per_failure", "low", "high"), [(10, 100, 100), (9, 30, 50), (1, 4, 5)])
def test_retries_are_at_most_a_tenth_of_the_successes_after_the_first_four(successes_per_failure, low, high):
    """Where one call in eleven fails, every failure is retried; where more do, soon none."""
    budget, retries = RetryBudget(), 0
    for _ in range(100):
        for _ in range(successes_per_failure):
            budget.on_success()
        budget.on_failure()
        retries += budget.allows_retry
    assert low <= retries <= high
    assert retries <= 5 + 0.1 * successes_per_failure * 100
