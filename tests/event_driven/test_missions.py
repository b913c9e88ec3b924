"""Each mission of lesson 1 is reached by one plan and not by another; none is reached when nothing is done."""

import pytest

from lessonlib.event_driven.missions import MISSIONS, most_behind
from lessonlib.event_driven.scenario import FANOUT, ORDERS
from lessonlib.learning.missions import Runs, missions

SCENARIOS = {"1.5": FANOUT, "2.6": ORDERS, "3.6": ORDERS}

# (section, number, a plan that reaches it, plans that come close and do not)
PROOFS = [
    ("1.5", 1, "1s..1050ms fail email", ["1s..2s fail email", "at 1s poison email; at 1500ms poison email"]),
    (
        "1.5",
        2,
        "1s..2s slow-handler email by 1s",
        ["1s..2s slow-handler email by 1200ms", "1s..2s slow-handler email by 990ms"],
    ),
    (
        "1.5",
        3,
        "1s..1500ms fail email; 500ms..1s slow-handler email by 2s",
        [
            "1s..2s fail email; 1s..2s fail email",
            "1s..1500ms fail email; 500ms..1s slow-handler inventory by 2s",
            "1s..2s fail email; 1s..2s slow-handler email by 3s",  # once it has slept, nothing fails any more
        ],
    ),
    (
        "2.6",
        1,
        "at 1s crash broker for 2s",
        ["at 1s crash email for 2s", "at 1s crash broker", "at 50s crash broker for 1s"],
    ),
    (
        "2.6",
        2,
        "at 500ms crash orders for 2s",
        [
            "at 500ms crash orders for 300ms",
            "at 500ms crash email for 2s",
            "at 200ms crash broker for 2s",  # then all are behind
        ],
    ),
    ("2.6", 3, "1s..3s lose 50%", ["1s..3s lose 20%", "1s..2s lose 50%", "30s..32s lose 50%"]),
    (
        "3.6",
        1,
        "at 1s crash shop for 100ms",
        ["at 1s crash broker for 1s", "at 1s crash shop for 100ms; at 2s crash shop for 100ms"],
    ),
    ("3.6", 2, "1s..2s duplicate 50%", ["1s..2s delay 50ms", "at 1s crash broker for 1s"]),
    (
        "3.6",
        3,
        "at 500ms poison inventory; at 1500ms rewind email",
        ["at 500ms poison inventory", "at 1500ms rewind email"],
    ),
]


@pytest.mark.parametrize(
    ("section", "number", "plan", "near"), PROOFS, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_mission_is_reached_by_a_plan_that_does_it_and_by_none_that_comes_close(
    section, number, plan, near
):
    mission = MISSIONS[section][number - 1]
    assert mission.reached(Runs(SCENARIOS[section], plan=plan, orders=20))
    for other in ["", *near]:
        assert not mission.reached(Runs(SCENARIOS[section], plan=other, orders=20)), other


def test_every_mission_has_such_a_proof():
    assert {(section, number) for section, number, *_ in PROOFS} == {
        (section, number) for section, some in MISSIONS.items() for number in range(1, len(some) + 1)
    }


def test_missions_are_found_by_their_section():
    assert missions("2.6") is MISSIONS["2.6"]


def test_lag_is_counted_as_the_picture_of_it_counts():
    run = ORDERS.run(plan="at 1s crash inventory for 1s", orders=20)
    assert most_behind(run.history, "inventory") == 11
