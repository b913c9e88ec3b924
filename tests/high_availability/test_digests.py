"""The lesson's scenarios repeat, byte for byte: in every process, with every hash seed, on every Python."""

import pytest
from repeats import ELSEWHERE, printed, printed_elsewhere

PROGRAM = """
import json
from lessonlib.high_availability.scenario import CLUSTER, CLUSTER_OF_5, HEARTBEATS, LEASE

TROUBLE = (
    "at 0.5s crash node-2 for 0.5s; 1s..2s partition node-1 | node-2,node-3; 1s..3s duplicate 30%; 2s..3s lose 10%; "
    "2s..3s reorder 30% by 100ms; 2.5s..4s flap-link node-3 | node-1,node-2 every 300ms; at 3s pause node-3 for 1s; "
    "2s..4s skew node-1 by 60s; 3s..4s slow-disk node-1 by 50ms; 3s..4s fail-disk node-2 30%; 4s..5s slow node-3 by 20ms; "
    "after write 3 to log crash node-1 for 1s; 4s..5s partition store > node-1; at 5s crash node-3 losing disk for 500ms"
)
LEASED = (
    "at 1s pause worker-1 for 2s; 2s..4s skew lock by 2s; 3s..4s duplicate 50%; 4s..5s delay 500ms from lock to worker-2; "
    "at 5s crash lock for 300ms; 5s..6s fail-disk store 50%; after write 3 to leases crash lock for 100ms"
)
BEATS = "at 2s crash node-2 for 2s; 1s..3s lose 20%; at 4s pause node-3 for 2s; 5s..6s delay 300ms"
print(json.dumps([
    [scenario.name, system, seed, run.history.digest(), [str(verdict) for verdict in run.verdicts]]
    for plan, scenarios in ((TROUBLE, (CLUSTER, CLUSTER_OF_5)), (LEASED, (LEASE,)), (BEATS, (HEARTBEATS,)))
    for scenario in scenarios
    for system in scenario.systems
    for seed in (1, 2)
    for run in [scenario.run(system, plan=plan, seed=seed, **scenario.small)]
]))
"""


@pytest.mark.parametrize("where", ELSEWHERE)
def test_elsewhere_it_is_the_same(where):
    assert printed_elsewhere(PROGRAM, where) == printed(PROGRAM)


def test_the_trial_tests_what_it_should():
    found = printed(PROGRAM)
    assert len(found) == 18
    assert len({digest for *_, digest, _ in found}) == 18
    broken = {
        (name, system) for name, system, _, _, verdicts in found if any("broken" in v for v in verdicts)
    }
    assert broken == {(name, "textbook") for name in ("CLUSTER", "CLUSTER_OF_5", "LEASE", "HEARTBEATS")}
