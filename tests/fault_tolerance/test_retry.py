"""Retrying: what, how often, how long, and what becomes of the error."""

import asyncio
from random import Random

import pytest

from lessonlib.fault_tolerance import (
    CallFailed,
    CircuitBreaker,
    CircuitOpen,
    Deadline,
    DeadlineExceeded,
    NotRetryable,
    RetriesExhausted,
    RetryBudget,
    RetryBudgetSpent,
    RetryPolicy,
    no_jitter,
)
from lessonlib.lab import simulate


class Service:
    """Answers as it is told to, one word a call, and remembers when it was called."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.times = []

    async def __call__(self, *args):
        self.times.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, int | float):
            await asyncio.sleep(answer)
            return args
        raise answer


def attempt(policy, service, **how):
    """Return what a call came to, and when."""

    async def main():
        try:
            result = await policy.call(service, "x", random=Random(1), **{k: v() for k, v in how.items()})
        except CallFailed as error:
            result = error
        return result, asyncio.get_running_loop().time()

    return simulate(main())


PLAIN = RetryPolicy(jitter=no_jitter)


def test_three_attempts_are_three_calls_and_there_is_no_wait_after_the_last():
    service = Service(ConnectionError("down"))
    error, at_s = attempt(PLAIN, service)
    assert isinstance(error, RetriesExhausted)
    assert service.times == [0, 1, 3] and at_s == 3
    assert error.attempts == 3
    assert isinstance(error.__cause__, ConnectionError)
    assert str(error) == "all 3 attempts failed, the last with ConnectionError: down; try later"


def test_the_first_success_ends_it():
    service = Service(TimeoutError(), 0)
    assert attempt(PLAIN, service) == (("x",), 1)
    assert len(service.times) == 2


def test_what_cannot_succeed_is_not_tried_again():
    service = Service(ValueError("no address"))
    error, at_s = attempt(PLAIN, service)
    assert isinstance(error, NotRetryable) and at_s == 0 and error.attempts == 1
    assert isinstance(error.__cause__, ValueError)


def test_what_is_retried_can_be_classes_or_a_function():
    for retryable in (ValueError, (ValueError, KeyError), lambda error: "no" in str(error)):
        service = Service(ValueError("no address"), 0)
        assert attempt(RetryPolicy(jitter=no_jitter, retryable=retryable), service)[0] == ("x",)


def test_an_attempt_that_takes_too_long_has_failed_and_is_cancelled():
    service = Service(60, 0)
    assert attempt(RetryPolicy(jitter=no_jitter, timeout_s=2.0), service) == (("x",), 3)


def test_the_deadline_is_over_all_attempts_and_waits():
    service = Service(60)
    error, at_s = attempt(RetryPolicy(jitter=no_jitter, timeout_s=2.0, deadline_s=4.5), service)
    assert isinstance(error, DeadlineExceeded) and at_s == 4.5
    assert service.times == [0, 3] and error.attempts == 2
    assert isinstance(error.__cause__, TimeoutError)


def test_there_is_no_wait_that_leaves_no_time_for_an_attempt():
    error, at_s = attempt(
        RetryPolicy(jitter=no_jitter, attempts_max=9, deadline_s=6.0), Service(ConnectionError("down"))
    )
    assert isinstance(error, DeadlineExceeded)
    assert at_s == 3, "the wait of 4 s would have ended after 6 s"
    assert isinstance(error.__cause__, ConnectionError) and error.attempts == 3


def test_a_deadline_that_began_earlier_can_be_handed_in():
    error, at_s = attempt(PLAIN, Service(60), deadline=lambda: Deadline(1.5))
    assert isinstance(error, DeadlineExceeded) and at_s == 1.5


def test_a_time_out_of_the_function_itself_is_not_taken_for_ours():
    service = Service(TimeoutError("of the database"))
    error, _ = attempt(RetryPolicy(jitter=no_jitter, timeout_s=5, deadline_s=50), service)
    assert isinstance(error, RetriesExhausted) and str(error.__cause__) == "of the database"


def test_without_budget_there_is_no_retry_and_the_cause_is_kept():
    budget = RetryBudget()
    for _ in range(4):
        budget.on_failure()
    service = Service(ConnectionError("down"))
    error, _ = attempt(PLAIN, service, budget=lambda: budget)
    assert isinstance(error, RetryBudgetSpent) and len(service.times) == 1
    assert isinstance(error.__cause__, ConnectionError)


def test_the_budget_counts_successes_and_retryable_failures_alone():
    budget = RetryBudget()
    attempt(PLAIN, Service(ValueError()), budget=lambda: budget)
    assert budget.tokens == 10
    attempt(PLAIN, Service(ConnectionError(), 0), budget=lambda: budget)
    assert budget.tokens == 9.1


def test_a_breaker_that_opens_between_attempts_ends_it_with_both_errors():
    service = Service(ConnectionError("down"))

    async def main():
        breaker = CircuitBreaker(minimum_calls=2)
        with pytest.raises(CircuitOpen) as refused:
            await PLAIN.call(breaker.call, service)
        return refused.value

    error = simulate(main())
    assert error.attempts == 2 == len(service.times)
    assert isinstance(error.__cause__, ConnectionError)


def test_cancellation_is_never_retried_nor_swallowed():
    service = Service(60)

    async def main():
        task = asyncio.create_task(RetryPolicy(retryable=lambda error: True).call(service))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    simulate(main())
    assert len(service.times) == 1


def test_cancellation_during_a_wait_ends_it_too():
    service = Service(ConnectionError())

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await PLAIN.call(service)

    simulate(main())
    assert len(service.times) == 1


def test_waits_are_one_fewer_than_attempts():
    assert list(RetryPolicy(attempts_max=5, jitter=no_jitter, cap_s=3, base_s=1).waits(Random(1))) == [
        1,
        2,
        3,
        3,
    ]
    assert list(RetryPolicy(attempts_max=1).waits(Random(1))) == []


def test_a_deadline_can_be_used_alone():
    async def main():
        deadline = Deadline(2.0)
        with pytest.raises(TimeoutError):
            await deadline.call(asyncio.sleep, 60, timeout_s=0.5)
        assert deadline.remaining_s == 1.5 and not deadline.expired
        with pytest.raises(DeadlineExceeded, match="the deadline of 2 s has passed; try later"):
            await deadline.call(asyncio.sleep, 60, timeout_s=5)
        assert deadline.expired and deadline.remaining_s == 0
        with pytest.raises(DeadlineExceeded):
            await deadline.call(asyncio.sleep, 0)

    simulate(main())
