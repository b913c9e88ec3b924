"""Plans that once showed something wrong with the pattern or with a rule, each with what it was."""

import pytest

from lessonlib.fault_tolerance.scenario import CALLS

ONCE_WRONG = [
    # A job whose request mail rejects for good was called one that payments had kept from its worker.
    ("1s..4s fail payments; at 3s poison mail", 29),
    # A bad request counted as trouble of its service, for which all others then were judged.
    ("at 2s poison mail", 1),
]


@pytest.mark.parametrize(("plan", "seed"), ONCE_WRONG)
def test_a_plan_that_once_broke_a_rule_breaks_none(plan, seed):
    run = CALLS.run("pattern", plan=plan, seed=seed, **CALLS.small)
    assert not run.broken, run.describe()


def test_a_brown_out_opens_the_breaker():
    """The time-out stood outside the breaker, which saw cancelled calls, made nothing of them and never opened."""
    run = CALLS.run("pattern", plan="3s..8s brown-out payments by 3s")
    assert "open" in [r.data["target"] for r in run.history.of("transition")]
    assert run.verdict("once a service is well again, its calls are let through again").status == "holds"
