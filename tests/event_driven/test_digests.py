"""The lesson's scenarios repeat, byte for byte: in every process, with every hash seed, on every Python."""

import pytest
from repeats import ELSEWHERE, printed, printed_elsewhere

PROGRAM = """
import json
from lessonlib.event_driven.scenario import FANOUT, ORDERS, OUTBOX

TROUBLE = {
    "FANOUT": "500ms..1s fail email; 1s..2s slow-handler orders by 300ms; at 1s poison inventory; 0s..3s careless orders",
    "ORDERS": "200ms..1s lose 20%; 500ms..2s duplicate 30%; 0s..2s reorder 30% by 300ms; at 700ms crash inventory for 1s; "
    "at 900ms deadly-poison email; at 1500ms rewind orders; 1s..2s fail-disk broker 20%; after write 9 to log crash broker "
    "for 300ms; 1s..3s skew shop by 5s; at 1s pause orders for 400ms; 1s..2s slow broker by 1ms",
    "OUTBOX": "200ms..1s lose 20%; at 500ms crash shop for 500ms; 1s..2s fail-disk shop 30%; 1s..2s duplicate 50%",
}
print(json.dumps([
    [scenario.name, system, seed, run.history.digest(), [str(verdict) for verdict in run.verdicts]]
    for scenario in (FANOUT, ORDERS, OUTBOX)
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
    assert len(found) == 12
    assert len({digest for *_, digest, _ in found}) == 11, "FANOUT's pattern leaves nothing to chance"
    broken = {
        (name, system) for name, system, _, _, verdicts in found if any("broken" in v for v in verdicts)
    }
    assert broken == {("FANOUT", "textbook"), ("ORDERS", "textbook"), ("OUTBOX", "textbook")}
