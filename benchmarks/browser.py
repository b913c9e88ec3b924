"""How long from a slider to the picture? Prints one table in Markdown:

    python benchmarks/browser.py [--turns 40]

It starts a JupyterLab and a Chromium as the browser tests do. In each failure lab a slider is moved by one step with an
arrow key. The page itself takes the time, from the key's `input` event until picture *and* verdicts have changed, the
image is decoded and the next frame is drawn: over the wire to the kernel, both systems run and judged, and back. The
panel waits 30 ms before it runs anything, in case the slider moves on; that is in the time too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.lab_page import LabPage, browser  # noqa: E402
from browser.server import JupyterLab  # noqa: E402

# What is shown, the cell that shows it, and the slider that is moved.
PANELS = [
    ("lesson 0, COUNTER", "lessonlib.start_here.scenario", "COUNTER", "", "sales"),
    (
        "lesson 1, FANOUT, a handler that fails",
        "lessonlib.event_driven.scenario",
        "FANOUT",
        "1s..2s fail email",
        "orders",
    ),
    ("lesson 1, ORDERS, no fault", "lessonlib.event_driven.scenario", "ORDERS", "", "orders"),
    (
        "lesson 1, ORDERS, a crash",
        "lessonlib.event_driven.scenario",
        "ORDERS",
        "at 1s crash inventory for 1s",
        "orders",
    ),
]

WATCH = """(slider) => {
    const panel = document.querySelector(".failure-lab");
    const missing = new Set(["picture", "verdicts"]);
    let from;
    slider.addEventListener("input", () => (from = performance.now()), { capture: true, once: true });
    window.moved = new Promise((done) => {
        for (const part of missing) {
            const watched = new MutationObserver(async () => {
                watched.disconnect();
                missing.delete(part);
                if (missing.size) return;
                await panel.querySelector(".failure-lab-picture img")?.decode();
                requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - from)));
            });
            watched.observe(panel.querySelector(`.failure-lab-${part}`), { childList: true, subtree: true });
        }
    });
}"""


def measure(page: LabPage, module: str, scenario: str, plan: str, param: str, turns: int) -> list[float]:
    """Return the times in ms."""
    cells = {
        "setup": f"from {module} import {scenario}\nfrom lessonlib.learning import failure_lab",
        "lab": f"failure_lab({scenario}, plan={plan!r})",
    }
    page.open(page.write(scenario, cells))
    page.run_all()
    slider = page.output("lab").locator(f".failure-lab-param-{param} input[type=range]")
    slider.focus()
    took = []
    for turn in range(turns + 3):
        slider.evaluate(WATCH)
        slider.press("ArrowRight" if turn % 2 else "ArrowLeft")
        took.append(page.page.evaluate("window.moved"))
    page.close()
    return took[3:]  # the first ones still compile


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=40)
    turns = parser.parse_args().turns
    with (
        tempfile.TemporaryDirectory() as place,
        JupyterLab(Path(place)) as lab,
        browser(lab.home) as chromium,
    ):
        page = LabPage(chromium, lab)
        print(
            f"Chromium {chromium.version}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start.\n"
        )
        print("| failure lab | fastest | median | 19 of 20 within |")
        print("|---|---:|---:|---:|")
        for name, *panel in PANELS:
            took = sorted(measure(page, *panel, turns))
            within = took[int(0.95 * (len(took) - 1))]
            print(
                f"| {name} | {took[0]:.0f} ms | {statistics.median(took):.0f} ms | {within:.0f} ms |",
                flush=True,
            )


if __name__ == "__main__":
    main()
