"""Each mission of lesson 4 is reached by one plan and not by another; none is reached when nothing is done."""

import pytest

from lessonlib.high_availability.missions import MISSIONS
from lessonlib.high_availability.scenario import CLUSTER, CLUSTER_OF_5, HEARTBEATS
from lessonlib.learning.missions import Runs, missions

SETTINGS = {
    "4-1": (HEARTBEATS, {"duration_s": 10.0}),
    "4-2": (CLUSTER, {"seed": 19}),
    "4-3": (CLUSTER_OF_5, {}),
}

# The watcher hears nothing while it stands still: that shows nothing about those that it watches.
STOPPED = [
    "at 3s crash watcher",
    "at 3s crash watcher for 3s",
    "at 3s pause watcher for 3s",
    "3s..8s slow watcher by 500ms",
]

# (sitting, number, a plan that reaches it, plans that come close and do not)
PROOFS = [
    (
        "4-1",
        1,
        "at 3s pause node-2 for 3s",
        ["at 3s crash node-2 for 3s", "at 3s pause node-2 for 500ms", *STOPPED],
    ),
    (
        "4-1",
        2,
        "at 3s crash node-2 for 500ms",
        ["at 3s crash node-2 for 3s", "at 3s crash node-2", "at 3s pause node-2 for 500ms", *STOPPED],
    ),
    ("4-1", 3, "0s..8s lose 20%", ["0s..1s lose 20%", "0s..8s lose 60%", *STOPPED]),
    (
        "4-2",
        1,
        "at 3s pause node-1 for 3s",
        ["3s..6s partition node-1 | node-2,node-3", "at 3s pause node-3 for 100ms"],
    ),
    (
        "4-2",
        2,
        "at 3s pause node-1 for 3s",
        ["at 3s crash node-1 for 3s", "3s..8s partition node-3 | node-1,node-2"],
    ),
    (
        "4-2",
        3,
        "3s..6s partition node-1 | node-2,node-3; 3s..6s partition node-2 | node-3",
        [
            "3s..6s partition node-1 | node-2,node-3",
            "3s..4s partition node-1 | node-2,node-3; 3s..4s partition node-2 | node-3",
        ],
    ),
    (
        "4-3",
        1,
        "3s..8s partition node-1 | node-2,node-3,node-4,node-5",
        [
            "3s..3100ms partition node-1 | node-2,node-3,node-4,node-5",
            "at 3s crash node-5",
            "at 2s pause node-5 for 2s",  # it lacks what the others have
            "at 2s crash node-1 for 1s",  # it has forgotten what the others have
        ],
    ),
    (
        "4-3",
        2,
        "at 3s crash node-1; at 5s crash node-2",
        [
            "at 3s crash node-1",
            "at 3s crash node-1; at 5s crash node-2 for 2s",
            "at 3s crash node-1; at 4s crash node-2; at 5s crash node-3",
        ],
    ),
    ("4-3", 3, "at 3s pause node-5 for 3s", ["at 3s crash node-5 for 3s", "at 3s pause node-5 for 300ms"]),
]


@pytest.mark.parametrize(
    ("sitting", "number", "plan", "near"), PROOFS, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_mission_is_reached_by_a_plan_that_does_it_and_by_none_that_comes_close(
    sitting, number, plan, near
):
    scenario, params = SETTINGS[sitting]
    mission = MISSIONS[sitting][number - 1]
    assert mission.reached(Runs(scenario, plan=plan, **params))
    for other in ["", *near]:
        assert not mission.reached(Runs(scenario, plan=other, **params)), other


def test_every_mission_has_such_a_proof():
    assert {(sitting, number) for sitting, number, *_ in PROOFS} == {
        (sitting, number) for sitting, some in MISSIONS.items() for number in range(1, len(some) + 1)
    }


def test_missions_are_found_by_their_sitting():
    assert missions("4-2") is MISSIONS["4-2"]
