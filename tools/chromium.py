"""Find a Chromium for the browser tests, and run them.

    python tools/chromium.py --if-found    runs the tests, or says that there is no Chromium and skips them
    python tools/chromium.py               runs the tests; without a Chromium it installs Debian's package where it may

No browser is ever downloaded past the system's package manager.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bootstrap

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium")


def find() -> str | None:
    """Return the path of the first Chromium on the PATH."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Install Debian's package, or raise bootstrap.Stop with what the user can do."""
    by_hand = f"install it ('sudo {' '.join(INSTALL)}' on Debian) and try again"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise bootstrap.Stop(
            f"The browser tests need a Chromium ({', '.join(NAMES)}) on the PATH: {by_hand}."
        )
    bootstrap.say("No Chromium was found: installing Debian's package with apt-get.")
    for command in (("apt-get", "update"), INSTALL):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            command, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            sys.stderr.write(done.stdout.decode("utf-8", "replace"))
            raise bootstrap.Stop(f"'{' '.join(command)}' failed; {by_hand}.")
    if find() is None:
        raise bootstrap.Stop(f"Debian's package brought none of {', '.join(NAMES)}: {by_hand}.")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--if-found"]):
        print("usage: chromium.py [--if-found]", file=sys.stderr)
        return 2
    try:
        if find() is None:
            if arguments:
                bootstrap.say(
                    f"Skipped: no Chromium ({', '.join(NAMES)}) on the PATH; `make test-browser` says more."
                )
                return 0
            install()
        bootstrap.set_up(str(ROOT), "browser")
    except bootstrap.Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    bootstrap.say(f"With {find()}")
    # No xdist: one JupyterLab serves all of them, and a browser beside it fills two cores.
    return subprocess.call([sys.executable, "-m", "pytest", "-q", "-m", "browser", "tests/browser"], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
