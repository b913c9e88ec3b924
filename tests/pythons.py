"""The Pythons at hand, for tests that compare them."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def pythons():
    """The supported Pythons at hand that work, as {version: path}: this one, those on PATH, those of pyenv."""
    candidates = [sys.executable]
    for minor in (11, 12, 13):
        candidates.append(shutil.which(f"python3.{minor}"))
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        candidates += sorted(root.glob(f"versions/3.{minor}.*/bin/python"))
    found = {}
    for candidate in candidates:
        if candidate is None:
            continue
        answer = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
        )
        if answer.returncode == 0:
            found.setdefault(answer.stdout.strip(), str(candidate))
    return found
