"""One JupyterLab and one browser for all tests of this folder; a notebook with a kernel of its own for each file."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import chromium  # noqa: E402


def missing() -> str:
    """Say what these tests need and do not find; "" when all is there."""
    if chromium.find() is None:
        return f"no Chromium ({', '.join(chromium.NAMES)}) on the PATH"
    absent = [name for name in ("playwright", "axe_playwright_python") if find_spec(name) is None]
    return f"{', '.join(absent)} not installed: pip install -e '.[browser]'" if absent else ""


# `make test` installs no Playwright where there is no browser, and what imports it cannot even be collected.
collect_ignore_glob = ["test_*.py"] if find_spec("playwright") is None else []


def pytest_collection_modifyitems(items):
    lacking = missing()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if lacking:
                item.add_marker(pytest.mark.skip(reason=lacking))


# For the folder, not for the session: while Playwright is there, no other test in this process can run a loop of its own.
@pytest.fixture(scope="package")
def lab(tmp_path_factory):
    """A JupyterLab on copies of the notebooks."""
    from browser.server import JupyterLab

    with JupyterLab(tmp_path_factory.mktemp("jupyter lab")) as lab:
        yield lab


@pytest.fixture(scope="package")
def page(lab):
    """A tab with it."""
    from browser.lab_page import PICTURES, LabPage, browser

    for stale in PICTURES.glob("failed *"):
        stale.unlink()
    with browser(lab.home) as started:
        yield LabPage(started, lab)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep of a test that failed a picture, the log of JupyterLab and the errors on the page."""
    report = (yield).get_result()
    lab_page = getattr(item, "funcargs", {}).get("page")
    if report.failed and lab_page is not None:
        try:
            report.sections.append(("picture", str(lab_page.picture(f"failed {item.name}"))))
        except Exception as error:
            report.sections.append(("picture", f"none: {error}"))
        report.sections.append(("errors on the page", "\n".join(lab_page.errors)))
        report.sections.append(("JupyterLab's log", lab_page.lab.log.read_text(errors="replace")[-3000:]))
