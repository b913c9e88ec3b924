"""Published results come out of the model, within what chance allows."""

from collections import Counter

import pytest

from lessonlib.errors import LessonError
from lessonlib.fault_tolerance import full_jitter, no_jitter
from lessonlib.fault_tolerance.experiments import (
    PUBLISHED,
    STRATEGIES,
    a_second,
    amplification,
    comeback,
    contention,
    curves,
    probes,
    storm,
)


@pytest.fixture(scope="module")
def rows():
    return {(row.strategy, row.clients): row for row in contention(clients=(10, 100), runs=10)}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_back_off_experiment_agrees_with_its_author(rows, strategy):
    for clients in (10, 100):
        row = rows[strategy, clients]
        calls, completion_ms = PUBLISHED[strategy, clients]
        assert row.calls == pytest.approx(calls, rel=0.08)
        if completion_ms is not None:
            assert row.completion_ms == pytest.approx(completion_ms, rel=0.12)


def test_without_jitter_back_off_is_the_slowest_of_all_and_jitters_gain_is_the_servers_work(rows):
    slowest = max(STRATEGIES, key=lambda s: rows[s, 100].completion_ms)
    assert slowest == "exponential"
    for jittered in ("equal jitter", "full jitter", "decorrelated jitter"):
        assert rows[jittered, 100].calls < 0.6 * rows["exponential", 100].calls
        assert rows[jittered, 100].completion_ms > rows["none", 100].completion_ms


def test_it_repeats():
    assert contention(clients=(5,), runs=2) == contention(clients=(5,), runs=2)
    assert contention(clients=(5,), runs=2) != contention(clients=(5,), runs=2, seed=2)


def test_curves_have_ours_and_the_published_points(rows):
    ours, published = curves(list(rows.values()), "completion_ms")
    assert list(ours) == list(STRATEGIES) and all(len(points) == 2 for points in ours.values())
    assert published["none"] == [(100, 2030)]


def test_who_failed_together_comes_back_together_unless_there_is_jitter():
    crowd, spread = Counter(comeback(no_jitter)), Counter(comeback(full_jitter))
    assert crowd == {0: 100, 1: 100, 3: 100, 7: 100}
    assert spread.pop(0) == 100 and max(spread.values()) <= 2
    assert comeback(full_jitter) == comeback(full_jitter)


def test_a_half_open_breaker_lets_through_as_many_as_it_has_permits_and_no_more():
    assert (probes(50), probes(3), probes(3, clients=2)) == (50, 3, 2)


def test_three_attempts_in_each_of_five_layers_are_243_calls():
    found = {row.where: row.calls for row in amplification()}
    assert found["every layer"] == 3**5 == 243
    assert found["every layer, with a budget"] < 20
    assert found["the top layer alone"] == 3


def test_with_a_budget_many_requests_are_hardly_more_calls_than_requests():
    found = {row.where: row.calls for row in amplification(requests=100)}
    assert found["every layer"] == 24_300
    assert found["every layer, with a budget"] <= 100 + 5 * 4


def test_what_cannot_be_measured_is_refused():
    for call in (
        lambda: contention(clients=(0,)),
        lambda: contention(strategies=("hope",)),
        lambda: contention(runs=0),
        lambda: probes(3, clients=0),
        lambda: probes(0),
        lambda: amplification(layers=0),
        lambda: amplification(layers=30),
        lambda: amplification(attempts=0),
        lambda: amplification(requests=0),
    ):
        with pytest.raises(LessonError, match="; give"):
            call()


def test_the_storm_outlives_its_trigger_and_a_budget_ends_it():
    runs = storm()
    assert [bool(run.verdict("an overload ends when its cause has ended")) for run in runs.values()] == [
        False,
        True,
        True,
    ]
    before, none, turned = (
        {s: rest for s, *rest in a_second(run)}
        for run in (
            runs["budget from the beginning"],
            runs["no budget"],
            runs["budget turned on at 30 s"],
        )
    )
    arriving, offered, answered = none[5]
    assert arriving == offered == 60 and answered > 50, "a good day"
    for second in range(20, 59):
        arriving, offered, answered = none[second]
        assert answered == 0 and offered > 2 * arriving, "long after the trigger"
    assert turned[29][2] == 0 and turned[55][2] > 50
    assert all(before[second][1] <= 70 for second in before)
