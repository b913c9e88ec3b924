"""What a program prints in a process of its own: here, with another hash seed, and on another Python."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pythons import pythons

ROOT = Path(__file__).parents[1]
ELSEWHERE = ("hash seed 1", "hash seed 4242", "Python 3.11", "Python 3.12", "Python 3.13")


@cache
def printed(program, python=sys.executable, hash_seed="0"):
    """Run `program` in a process of its own; return the JSON that it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(
        [python, "-c", program], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def printed_elsewhere(program, where):
    """Return what `program` prints in one of the places of ELSEWHERE; skip the test where there is no such Python."""
    kind, _, value = where.rpartition(" ")
    if kind == "hash seed":
        return printed(program, hash_seed=value)
    if value not in pythons():
        pytest.skip(f"there is no Python {value} here, only {', '.join(pythons())}")
    return printed(program, pythons()[value], "7")
