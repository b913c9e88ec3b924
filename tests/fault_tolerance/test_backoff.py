"""How long to wait before a retry."""

from random import Random

import pytest

from lessonlib.fault_tolerance import decorrelated_jitter, equal_jitter, exponential, full_jitter, no_jitter

JITTERS = [full_jitter, equal_jitter, decorrelated_jitter]


def waits(jitter, retries, *, base_s=1.0, cap_s=30.0, seed=1):
    random, wait, found = Random(seed), 0.0, []
    for retry in range(1, retries + 1):
        wait = jitter(retry, base_s, cap_s=cap_s, random=random, previous_s=wait)
        found.append(wait)
    return found


def test_the_wait_before_the_first_retry_is_the_base_and_doubles_up_to_the_cap():
    assert [exponential(n, 1.0, cap_s=10.0) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert waits(no_jitter, 6, cap_s=10.0) == [1, 2, 4, 8, 10, 10]


def test_a_thousandth_retry_waits_for_the_cap_and_does_not_overflow():
    assert exponential(10_000, 1.0, cap_s=30.0) == 30.0


@pytest.mark.parametrize("jitter", JITTERS)
def test_no_wait_is_longer_than_the_cap_or_negative(jitter):
    for seed in range(50):
        assert all(0 <= wait <= 30.0 for wait in waits(jitter, 20, seed=seed))


@pytest.mark.parametrize("jitter", JITTERS)
def test_jitter_is_there_at_the_cap_too(jitter):
    """The defect of a popular library: jitter, then cap, and from then on every client waits exactly the same."""
    at_the_cap = [waits(jitter, 12, base_s=0.1, cap_s=5.0, seed=seed)[-1] for seed in range(200)]
    assert len(set(at_the_cap)) == 200


def test_full_jitter_draws_from_all_of_the_wait_and_equal_jitter_from_its_upper_half():
    def third(jitter):
        return sorted(waits(jitter, 3, seed=seed)[-1] for seed in range(1_000))

    full, equal = third(full_jitter), third(equal_jitter)
    assert full[0] < 0.05 and full[-1] > 3.95 and 1.9 < sum(full) / 1_000 < 2.1
    assert 2 <= equal[0] < 2.05 and equal[-1] > 3.95 and 2.9 < sum(equal) / 1_000 < 3.1


def test_decorrelated_jitter_draws_from_the_base_to_three_times_the_wait_before():
    random = Random(1)
    first = [decorrelated_jitter(1, 1.0, cap_s=30.0, random=random) for _ in range(1_000)]
    later = [decorrelated_jitter(2, 1.0, cap_s=30.0, random=random, previous_s=4.0) for _ in range(1_000)]
    assert min(first) >= 1 and max(first) <= 3 and max(first) > 2.9
    assert 1 <= min(later) < 1.1 and 11.9 < max(later) <= 12


def test_a_cap_below_the_base_is_the_cap():
    assert decorrelated_jitter(1, 5.0, cap_s=2.0, random=Random(1)) == pytest.approx(2.0)
