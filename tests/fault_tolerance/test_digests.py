"""The lesson's scenarios repeat, byte for byte: in every process, with every hash seed, on every Python."""

import pytest
from repeats import ELSEWHERE, printed, printed_elsewhere

PROGRAM = """
import json
from lessonlib.fault_tolerance.scenario import CALLS, STORM

TROUBLE = {
    "CALLS": "1s..3s outage payments; 2s..4s fail mail 30%; 1s..3s fail-key customer-2 at mail; at 2s burst 10; "
    "at 2s poison mail; 3s..5s flap payments every 500ms; 4s..6s brown-out mail by 500ms; at 3s crash shop for 500ms; "
    "2s..4s skew shop by 60s",
    "STORM": "1s..2s surge 5; 2s..3s brown-out payments by 300ms; 4s..5s flap payments every 100ms; at 6s budget-on",
}
print(json.dumps([
    [scenario.name, system, seed, run.history.digest(), [str(verdict) for verdict in run.verdicts]]
    for scenario in (CALLS, STORM)
    for system in ("textbook", "pattern")
    for seed in (1, 2)
    for run in [scenario.run(system, plan=TROUBLE[scenario.name], seed=seed, **scenario.small)]
]))
"""


@pytest.mark.parametrize("where", ELSEWHERE)
def test_elsewhere_it_is_the_same(where):
    assert printed_elsewhere(PROGRAM, where) == printed(PROGRAM)


def test_the_trial_tests_what_it_should():
    found = printed(PROGRAM)
    assert len(found) == 8
    assert len({digest for *_, digest, _ in found}) == 8
    broken = {
        (name, system) for name, system, _, _, verdicts in found if any("broken" in v for v in verdicts)
    }
    assert broken == {("CALLS", "textbook"), ("STORM", "textbook")}
