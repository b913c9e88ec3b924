"""Run the laboratory's own tests on every other supported Python that this machine has.

The laboratory needs the standard library only, so pytest and hypothesis are all that is installed, into
.venv/others/<version>. A machine that has no other Python is told so; that is no failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ("3.11", "3.12", "3.13")
TESTS = ("tests/lab", "tests/test_ports.py", "tests/test_limits.py")
TOOLS = ("pytest>=8.2", "hypothesis>=6.100")


def others() -> dict[str, str]:
    """Return {version: path} of the other Pythons that run: those on the PATH, then pyenv's."""
    found: dict[str, str] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [f"python{version}" for version in SUPPORTED]
    candidates += [str(path) for path in sorted(pyenv.glob("3.*/bin/python"))]
    for candidate in candidates:
        try:
            ask = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
            answer = subprocess.run(
                [candidate, "-c", ask], capture_output=True, text=True, timeout=30, check=True
            )
        except (OSError, subprocess.SubprocessError):
            continue  # a shim that points nowhere, or a Python without venv
        version = answer.stdout.strip()
        if version in SUPPORTED and version != "%d.%d" % sys.version_info[:2]:
            found.setdefault(version, candidate)
    return found


def ready(version: str, python: str) -> Path:
    """Return an interpreter of `version` that has the tools; set it up if it is not there yet."""
    folder = ROOT / ".venv" / "others" / version
    stamp, made = folder / "ready", folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != repr(TOOLS):
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(made), "-m", "pip", "install", "--quiet", *TOOLS], check=True)
        stamp.write_text(repr(TOOLS))
    return made


def main() -> int:
    pythons = others()
    if not pythons:
        print(
            "No other Python from 3.11 to 3.13 is on this machine, so the laboratory was tested on this one alone."
        )
    for version, candidate in sorted(pythons.items()):
        print(f"Python {version}: {' '.join(TESTS)}", flush=True)
        command = [str(ready(version, candidate)), "-m", "pytest", "-q", "-c", "tools/laboratory.ini"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([*command, f"--rootdir={ROOT}", *TESTS], cwd=ROOT, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
