"""Each mission of lesson 2 is reached by one plan and not by another; none is reached when nothing is done."""

import pytest

from lessonlib.learning.missions import Runs, missions
from lessonlib.stream_processing.missions import MISSIONS
from lessonlib.stream_processing.scenario import BATCHES, GROUP, RESTORE, WINDOWS

SCENARIOS = {"2-1": BATCHES, "2-2": WINDOWS, "2-3": RESTORE, "2-4": GROUP}
GROUP_60 = {"flights": 60, "partitions": 4, "rate_per_s": 10}

# (set of missions, number, what reaches it, what comes close and does not): a plan and parameters each
PROOFS = [
    (
        "2-1",
        1,
        ("0s..3s hot N14228", {}),
        [("0s..50ms hot N14228", {}), ("0s..3s hot N14228; 1s..2s fail departed", {})],
    ),
    (
        "2-1",
        2,
        ("500ms..4s slow-handler departed by 2s", {}),
        [("500ms..600ms slow-handler departed by 10ms", {})],
    ),
    ("2-1", 3, ("0s..3s hot N14228", {}), [("0s..100ms hot N14228", {}), ("at 500ms burst 80", {})]),
    (
        "2-2",
        1,
        ("", {"delay_min": 180}),
        [("", {"delay_min": 60}), ("", {"delay_min": 600}), ("", {"delay_min": 180, "flights": 300})],
    ),
    (
        "2-2",
        2,
        ("1s..10s delay 3s from JFK", {}),
        [("", {"delay_min": 15}), ("1s..2s delay 100ms from JFK", {})],
    ),
    (
        "2-2",
        3,
        ("2s..8s idle LGA", {}),
        [("2s..8s idle LGA", {"idle_min": 0}), ("1s..2s delay 500ms from EWR", {})],
    ),
    (
        "2-3",
        1,
        ("after write 3 to state crash worker for 500ms", {}),
        [("at 900ms crash worker for 500ms", {}), ("1s..2s fail-disk worker 50%", {})],
    ),
    (
        "2-3",
        2,
        (
            "at 300ms crash worker for 200ms; at 900ms crash worker for 200ms; at 1500ms crash worker for 200ms",
            {},
        ),
        [("at 300ms crash worker for 200ms; at 900ms crash worker for 200ms", {})],
    ),
    (
        "2-4",
        1,
        ("500ms..1s slow-handler worker-1 by 500ms; at 800ms pause worker-1 for 8s", GROUP_60),
        [("at 2s pause worker-1 for 1s", GROUP_60), ("at 2s crash worker-1 for 8s", GROUP_60)],
    ),
    (
        "2-4",
        2,
        ("at 2s crash worker-1 for 9s; at 2s crash worker-2 for 9s", {}),
        [
            ("at 2s crash worker-1 for 9s", {}),
            ("at 2s crash worker-1 for 1s; at 2s crash worker-2 for 1s", {}),
        ],
    ),
]


def runs(name, trial):
    plan, params = trial
    return Runs(SCENARIOS[name], plan=plan, **params)


@pytest.mark.parametrize(
    ("name", "number", "reaches", "near"), PROOFS, ids=lambda v: v if isinstance(v, str | int) else ""
)
def test_a_mission_is_reached_by_what_does_it_and_by_nothing_that_comes_close(name, number, reaches, near):
    mission = MISSIONS[name][number - 1]
    assert mission.reached(runs(name, reaches))
    for other in near:
        assert not mission.reached(runs(name, other)), other


@pytest.mark.parametrize("name", MISSIONS)
def test_no_mission_is_reached_before_anything_is_done(name):
    assert [m.goal for m in MISSIONS[name] if m.reached(runs(name, ("", {})))] == []


def test_every_mission_has_such_a_proof():
    assert {(name, number) for name, number, *_ in PROOFS} == {
        (name, number) for name, some in MISSIONS.items() for number in range(1, len(some) + 1)
    }


def test_missions_are_found_by_their_name():
    assert missions("2-2") is MISSIONS["2-2"]
