"""The counter's histories repeat, byte for byte: in every process, with every hash seed, on every Python."""

import pytest
from repeats import ELSEWHERE, printed, printed_elsewhere

PROGRAM = """
import json
from lessonlib.lab import simulate
from lessonlib.start_here import morning
from lessonlib.start_here.scenario import COUNTER, incident

PLAN = "0s..1s slow-read by 100ms for till-1; 500ms..1s slow-write by 500ms; 500ms..1500ms give-up till-2 after 30ms"
runs = [COUNTER.run(system, plan=PLAN, seed=seed) for system in ("textbook", "pattern") for seed in (1, 2)]
letters = []
simulate(morning(letters.append))
print(json.dumps([letters, *([run.history.digest(), run.describe()] for run in (*runs, incident()))]))
"""


@pytest.mark.parametrize("where", ELSEWHERE)
def test_elsewhere_it_is_the_same(where):
    assert printed_elsewhere(PROGRAM, where) == printed(PROGRAM)


def test_another_seed_is_another_run():
    assert len({digest for digest, _ in printed(PROGRAM)[1:]}) == 5
