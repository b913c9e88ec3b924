"""The clusters repeat, byte for byte: in every process, with every hash seed, on every Python."""

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
from lessonlib.high_availability.scenario import CLUSTER, CLUSTER_OF_5

TROUBLE = (
    "at 0.5s crash node-2 for 0.5s; 1s..2s partition node-1 | node-2,node-3; 1s..3s duplicate 30%; 2s..3s lose 10%; "
    "2s..3s reorder 30% by 100ms; 2.5s..4s flap-link node-3 | node-1,node-2 every 300ms; at 3s pause node-3 for 1s; "
    "2s..4s skew node-1 by 60s; 3s..4s slow-disk node-1 by 50ms; 3s..4s fail-disk node-2 30%; 4s..5s slow node-3 by 20ms; "
    "after write 3 to log crash node-1 for 1s; 4s..5s partition store > node-1; at 5s crash node-3 losing disk for 500ms"
)
print(json.dumps([
    [scenario.name, system, seed, run.history.digest(), [str(verdict) for verdict in run.verdicts]]
    for scenario in (CLUSTER, CLUSTER_OF_5)
    for system in ("textbook", "pattern")
    for seed in (1, 2)
    for run in [scenario.run(system, plan=TROUBLE, seed=seed, **scenario.small)]
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
    assert broken == {("CLUSTER", "textbook"), ("CLUSTER_OF_5", "textbook")}
