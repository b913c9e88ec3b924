"""The counter's histories repeat, byte for byte: in every process, with every hash seed, on every Python."""

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
from lessonlib.lab import simulate
from lessonlib.start_here import morning
from lessonlib.start_here.scenario import COUNTER, incident

PLAN = "0s..1s slow-read by 100ms for till-1; 500ms..1s slow-write by 500ms; 500ms..1500ms give-up till-2 after 30ms"
runs = [COUNTER.run(system, plan=PLAN, seed=seed) for system in ("textbook", "pattern") for seed in (1, 2)]
letters = []
simulate(morning(letters.append))
print(json.dumps([letters, *([run.history.digest(), run.describe()] for run in (*runs, incident()))]))
"""


@cache
def seen(python=sys.executable, hash_seed="0"):
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
    assert seen(hash_seed=hash_seed) == seen()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_sees_the_same(version):
    if version not in pythons():
        pytest.skip(f"there is no Python {version} here, only {', '.join(pythons())}")
    assert seen(pythons()[version], "7") == seen()


def test_another_seed_is_another_run():
    assert len({digest for digest, _ in seen()[1:]}) == 5
