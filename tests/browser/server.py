"""A JupyterLab of our own, started as a learner starts it, in a place of its own: nothing of the user's is touched."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_S = 120  # on a busy machine with cold disks
STOP_S = 20  # it has kernels to shut down
ALONE_S = 300  # without anybody for so long, it ends: the last resort when whoever started it was killed


class JupyterLab:
    """`lesson lab` on copies of the notebooks, as a context manager that leaves no process behind.

    Args:
        place: an empty folder; it gets `clone/` with the notebooks, and `home/` for all that Jupyter writes.
    """

    def __init__(self, place: Path) -> None:
        self.clone = place / "clone"
        self.home = place / "home"
        self.log = place / "jupyterlab.log"
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> JupyterLab:
        for folder in ("notebooks", "exercises"):
            shutil.copytree(
                ROOT / folder, self.clone / folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints")
            )
        self.home.mkdir()
        options = [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
            f"--MappingKernelManager.cull_idle_timeout={ALONE_S}",
            f"--ServerApp.shutdown_no_activity_timeout={ALONE_S}",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lessonlib.cli", "lab", "--", *options],
                cwd=self.clone,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def ask(self, path: str, body: Any = None) -> Any:
        """Return what the server's API answers at `path`, such as "kernels"; with a body, it is posted."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def _environment(self) -> dict[str, str]:
        """The caller's, without what leads into the user's own folders."""
        foreign = ("JUPYTER", "IPYTHON", "XDG_", "LESSON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return kept | {
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            # The package under test is this checkout's; its kernel is this Python's.
            "JUPYTER_PREFER_ENV_PATH": "1",
        }

    def _wait_until_it_answers(self) -> None:
        assert self.process
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.ask("status")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start; it said:\n{self.log.read_text(errors='replace')}")

    def _stop(self) -> None:
        assert self.process
        self.process.terminate()  # it ends its kernels first, which are in sessions of their own
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # a kernel whose parent is gone ends by itself
        self.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
