"""Each mission of lesson 3 is reached by one plan and not by another; none is reached when nothing is done."""

import pytest

from lessonlib.fault_tolerance.missions import MISSIONS
from lessonlib.fault_tolerance.scenario import CALLS, STORM
from lessonlib.learning.missions import Runs, missions

SETTINGS = {"3-1": (CALLS, {}), "3-2": (CALLS, {}), "3-3": (STORM, {"budget": 0, "rate_per_s": 10})}
TRIGGER = "5s..8s brown-out payments by 1s"

# (sitting, number, a plan that reaches it, plans that come close and do not)
PROOFS = [
    ("3-1", 1, "at 2s poison mail", ["3s..6s outage payments"]),
    (
        "3-1",
        2,
        "3s..6s outage payments",
        ["3s..4s outage payments", "3s..6s outage payments; at 2s poison mail"],
    ),
    ("3-1", 3, "3s..6s brown-out payments by 3s", ["3s..6s outage payments"]),
    ("3-2", 1, "3s..12s outage mail", ["3s..6s outage payments", "3s..8s flap mail every 1s"]),
    ("3-2", 2, "3s..8s flap mail every 1s", ["3s..6s outage payments", "3s..3300ms outage payments"]),
    (
        "3-2",
        3,
        "2s..8s fail-key customer-2 at payments",
        ["3s..4s fail-key customer-2 at payments", "3s..8s outage payments"],
    ),
    ("3-3", 1, TRIGGER, [f"{TRIGGER}; at 20s budget-on", "5s..7s outage payments"]),
    ("3-3", 2, f"{TRIGGER}; at 20s budget-on", [TRIGGER, f"{TRIGGER}; at 6s budget-on", "at 20s budget-on"]),
    ("3-3", 3, "5s..5200ms brown-out payments by 1s", [TRIGGER, "5s..7s outage payments"]),
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
    assert missions("3-2") is MISSIONS["3-2"]
