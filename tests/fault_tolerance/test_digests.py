"""The lesson's scenarios repeat, byte for byte: in every process, with every hash seed, on every Python."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pythons import pythons

ROOT = Path(__file__).parents[2]
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


@cache
def digests(python=sys.executable, hash_seed="0"):
    """Run the scenarios in a process of their own; return their digests and verdicts."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(
        [python, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_another_hash_seed_changes_nothing(hash_seed):
    assert digests(hash_seed=hash_seed) == digests()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_sees_the_same(version):
    if version not in pythons():
        pytest.skip(f"there is no Python {version} here, only {', '.join(pythons())}")
    assert digests(pythons()[version], "7") == digests()


def test_the_trial_tests_what_it_should():
    found = digests()
    assert len(found) == 8
    assert len({digest for *_, digest, _ in found}) == 8
    broken = {
        (name, system) for name, system, _, _, verdicts in found if any("broken" in v for v in verdicts)
    }
    assert broken == {("CALLS", "textbook"), ("STORM", "textbook")}
