"""A notebook in JupyterLab in a browser: open it, run it, look at a cell's output. What a person does stays with the tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from browser.server import ROOT, JupyterLab

sys.path.append(str(ROOT / "tools"))
import chromium

PATIENCE_MS = 60_000  # for a busy machine; nothing here measures time
expect.set_options(timeout=PATIENCE_MS)  # it does not follow the page's own
WIDTH, HEIGHT = 1440, 900
PICTURES = ROOT / "build" / "browser"
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
IN_FRONT = ".jp-NotebookPanel:not(.lm-mod-hidden)"

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    # Whatever is not on this machine cannot be reached, so that a page that needs the network fails here.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# The standards that axe-core's rules are tagged with: WCAG A and AA. Its "best-practice" rules speak of whole pages.
STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@contextmanager
def browser(home: Path) -> Iterator[Browser]:
    """The Chromium of this machine, without a window; what it writes goes to `home`."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium.find(),
            args=list(FLAGS),
            chromium_sandbox=os.geteuid() != 0,  # which root cannot have
            env={**os.environ, "HOME": str(home)},
        )
        try:
            yield started
        finally:
            started.close()


class LabPage:
    """One tab with JupyterLab.

    Attributes:
        page: Playwright's page, for keys and mouse.
        errors: uncaught errors of scripts on the page.
    """

    def __init__(self, browser: Browser, lab: JupyterLab) -> None:
        self.lab = lab
        self.page: Page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{lab.url}/lab?token={lab.token}&reset")
        self.page.wait_for_function("window.jupyterapp && window.jupyterapp.restored.then(() => true)")
        # JupyterLab's body is 0 high and hides what overflows, so axe-core would take everything for hidden.
        self.page.add_style_tag(content="body { min-height: 100vh }")
        self.set_theme(LIGHT)

    def command(self, name: str, **arguments: Any) -> None:
        """Run one of JupyterLab's commands and wait for its end."""
        # Its result is JupyterLab's own object, which cannot travel.
        self.page.evaluate(
            "async ([name, arguments]) => { await window.jupyterapp.commands.execute(name, arguments) }",
            [name, arguments],
        )

    def set_theme(self, theme: str) -> None:
        self.command("apputils:change-theme", theme=theme)
        self.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
        # A screen is laid over the page for the while.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def write(self, name: str, cells: Mapping[str, str]) -> str:
        """Make a notebook of code cells, by id, and return its path."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source, id=cell_id) for cell_id, source in cells.items()],
            metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        )
        path = f"{name}.ipynb"
        nbformat.write(notebook, self.lab.clone / path)
        return path

    def open(self, path: str) -> None:
        """Open a notebook with a kernel of its own, and give each cell's node its id."""
        self.command("docmanager:open", path=path)
        self.page.evaluate(
            """async () => {
                const panel = window.jupyterapp.shell.currentWidget;
                await panel.revealed;
                await panel.sessionContext.ready;
                await panel.sessionContext.session.kernel.info;
                for (const cell of panel.content.widgets) cell.node.dataset.cellId = cell.model.id;
            }"""
        )

    def run_all(self) -> None:
        """Run the cells from top to bottom, as Run ▸ Run All Cells does; an error stops it and is in the outputs."""
        self.command("notebook:run-all-cells")

    def close(self) -> None:
        """Close the notebook and end its kernel."""
        self.page.evaluate(
            """async () => {
                const panel = window.jupyterapp.shell.currentWidget;
                if (!panel || !panel.sessionContext) return;
                await panel.context.save();
                await panel.sessionContext.shutdown();
                panel.dispose();
            }"""
        )

    def cell(self, cell_id: str) -> Locator:
        return self.page.locator(f'{IN_FRONT} .jp-Cell[data-cell-id="{cell_id}"]')

    def output(self, cell_id: str) -> Locator:
        """What stands below a cell, brought into view: JupyterLab does not lay out what is far away."""
        output = self.cell(cell_id).locator(".jp-Cell-outputWrapper")
        output.scroll_into_view_if_needed()
        return output

    def unfold(self) -> None:
        """Open all folds, for what is folded is hidden, from axe-core too."""
        self.page.locator(f"{IN_FRONT} details").evaluate_all(
            "(all) => all.forEach((one) => (one.open = true))"
        )

    def go_to(self, cell_id: str) -> None:
        """Go by the arrow keys to a cell, from the cell that has the focus."""
        here = "document.activeElement.closest('.jp-Cell')?.dataset.cellId"
        self.page.keyboard.press("Escape")
        for key in ("ArrowUp", "ArrowDown"):
            for _ in range(self.page.locator(f"{IN_FRONT} .jp-Cell").count()):
                if self.page.evaluate(here) == cell_id:
                    return
                self.page.keyboard.press(key)
        raise AssertionError(f"the arrow keys do not lead to {cell_id}, only to {self.page.evaluate(here)}")

    def tab_to(self, control: Locator) -> None:
        """Press the Tab key until a control has the focus."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if control.evaluate("(node) => node === document.activeElement"):
                return
        raise AssertionError(f"the Tab key does not lead to {control}")

    def error_outputs(self) -> list[str]:
        """The cells that failed, each with what it said."""
        found: list[str] = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter((cell) => cell.model.type === "code")
                .flatMap((cell) => cell.model.outputs.toJSON()
                    .filter((output) => output.output_type === "error" || output.name === "stderr")
                    .map((output) => `${cell.model.id}: ${output.ename || output.text}`))"""
        )
        return found

    def not_run(self) -> list[str]:
        """The code cells without an execution count."""
        found: list[str] = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter((cell) => cell.model.type === "code" && !cell.model.executionCount)
                .map((cell) => cell.model.id)"""
        )
        return found

    def picture(self, name: str, part: Locator | None = None) -> Path:
        """Keep a picture of the page, or of a part of it."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        if part is None:
            self.page.screenshot(path=path, animations="disabled")
        else:
            with self._all_in_view():
                part.screenshot(path=path, animations="disabled")
        return path

    def violations(self, cell_id: str | None = None, *, without: tuple[str, ...] = ()) -> list[str]:
        """What axe-core has against the output of a cell, or of all cells; JupyterLab's own page does not count.

        What it could not decide counts too: "overlapped by another element" would otherwise pass for a good contrast.

        Args:
            without: rules to leave out; whoever names one says why.
        """
        which = f'[data-cell-id="{cell_id}"]' if cell_id else ""
        options = {
            "runOnly": {"type": "tag", "values": list(STANDARDS)},
            "rules": {rule: {"enabled": False} for rule in without},
            "resultTypes": ["violations", "incomplete"],  # of all else one example, which is enough here
        }
        with self._all_in_view():
            answer = (
                Axe()
                .run(self.page, f"{IN_FRONT} .jp-CodeCell{which} .jp-OutputArea-output", options)
                .response
            )
            # Asked while the window is still as it was when axe-core looked.
            broken = {
                selector
                for found in answer["incomplete"]
                for node in found["nodes"]
                for selector in node["target"]
                if self.page.evaluate(
                    "(s) => document.querySelector(s)?.getClientRects().length > 1", selector
                )
            }
        if not any(
            found["id"] == "color-contrast"
            for kind in ("violations", "incomplete", "passes")
            for found in answer[kind]
        ):
            raise AssertionError("axe-core saw no text at all: what it says about the rest means nothing")
        return [
            f"{found['id']} ({kind}): {node['html']:.300}: {' '.join(node['failureSummary'].split())}"
            for kind in ("violations", "incomplete")
            for found in answer[kind]
            for node in found["nodes"]
            if not _is_undecided_for_a_reason(node, broken_over_lines=not broken.isdisjoint(node["target"]))
        ]

    @contextmanager
    def _all_in_view(self) -> Iterator[None]:
        """A window as high as the notebook: axe-core takes what is scrolled out of view for hidden, and so for good."""
        notebook = f"{IN_FRONT} .jp-WindowedPanel"
        for _ in range(5):  # a cell's height is a guess until it has been in view
            high = self.page.evaluate(f"document.querySelector('{notebook}-inner').offsetHeight") + HEIGHT
            if self.page.viewport_size == {"width": WIDTH, "height": high}:
                break
            self.page.set_viewport_size({"width": WIDTH, "height": high})
            self.page.evaluate(f"document.querySelector('{notebook}-outer').scrollTop = 0")
            self.page.evaluate(
                "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
        try:
            yield
        finally:
            self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def _is_undecided_for_a_reason(node: dict[str, Any], *, broken_over_lines: bool) -> bool:
    """Whether axe-core leaves the contrast open where nothing is hidden from the eye.

    - There is a sign such as ✓ and no letter.
    - A head that spans rows is "overlapped" by the rows after its first.
    - Words within a line that break over two are, as a rectangle, larger than their letters and "partially overlap"
      their neighbours.
    """
    reasons = [reason["data"] for reason in node["any"]]
    keys = {reason.get("messageKey") for reason in reasons if isinstance(reason, dict)}
    return (
        "nonBmp" in keys
        or ("bgOverlap" in keys and "rowspan" in node["html"])
        or ("elmPartiallyObscuring" in keys and broken_over_lines)
    )
