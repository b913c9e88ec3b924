"""The lesson's scenarios repeat, byte for byte: in every process, with every hash seed, on every Python."""

import pytest
from repeats import ELSEWHERE, printed, printed_elsewhere

PROGRAM = """
import json
from lessonlib.stream_processing.scenario import BATCHES, GROUP, RESTORE, WINDOWS

TROUBLE = {
    "BATCHES": "200ms..1s fail departed 50%; 0s..1s slow-handler scheduled by 300ms; at 200ms poison departed; "
    "400ms..700ms hot N249JB; at 500ms burst 8; at 800ms deploy processor; at 300ms pause processor for 200ms",
    "WINDOWS": "0s..2s reorder 30% by 1s; 1s..2s idle JFK; at 2s pause LGA for 500ms; 1s..3s delay 1s from EWR",
    "RESTORE": "after write 2 to state crash worker for 500ms; at 900ms crash worker for 500ms; after write 9 to log crash source for 300ms; 0s..2s lose 20%; "
    "1s..2s fail-disk worker 30%; 0s..2s duplicate 30%",
    "GROUP": "at 500ms crash worker-1 for 3s; at 1s pause worker-2 for 6s; 0s..2s lose 20%; 0s..3s reorder 30% by 300ms; "
    "after write 9 to topic crash broker for 300ms; 0s..2s duplicate 30%; 1s..2s fail worker-3 50%",
}
print(json.dumps([
    [scenario.name, system, seed, run.history.digest(), [str(verdict) for verdict in run.verdicts]]
    for scenario in (BATCHES, WINDOWS, RESTORE, GROUP)
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
    assert len(found) == len({digest for *_, digest, _ in found}) == 16
    broken = {
        (name, system) for name, system, _, _, verdicts in found if any("broken" in v for v in verdicts)
    }
    assert broken == {(name, "textbook") for name in ("BATCHES", "WINDOWS", "RESTORE", "GROUP")}
