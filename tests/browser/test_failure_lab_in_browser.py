"""The failure lab in the browser: every control by mouse and by keyboard, in both themes, for everybody.

The panel shows a function of what stands in its controls. So each test makes the same run itself and waits until the
picture and the verdicts on the page are, to the letter, those of that run.
"""

import re

import pytest
from playwright.sync_api import expect

from browser.lab_page import DARK, LIGHT
from lessonlib.event_driven.scenario import FANOUT
from lessonlib.lab.search import search
from lessonlib.learning.missions import missions
from lessonlib.views import timeline, verdicts

PLAN = "2s..3s fail email"
SECTION = "1.5"
CELLS = {
    "setup": "from lessonlib.event_driven.scenario import FANOUT\nfrom lessonlib.learning import failure_lab",
    "lab": f"lab = failure_lab(FANOUT, missions={SECTION!r})\nlab",
}


class Panel:
    """The parts of the panel on the page."""

    def __init__(self, notebook):
        self.notebook = notebook
        self.root = notebook.output("lab").locator(".failure-lab")
        self.plan = self.root.locator(".failure-lab-plan textarea")
        self.system = self.root.locator(".failure-lab-system select")
        self.seed = self.root.locator(".failure-lab-seed input")
        self.search = self.root.locator("button.failure-lab-search")
        self.cancel = self.root.locator("button.failure-lab-cancel")
        self.progress = self.root.locator(".failure-lab-progress")
        self.message = self.root.locator(".failure-lab-message")

    def slider(self, name):
        return self.root.locator(f".failure-lab-param-{name} input[type=range]")

    def shows(self, *, system="textbook", plan="", seed=1, **params):
        """Wait until the panel shows exactly this run."""
        runs = {name: FANOUT.run(name, plan=plan, seed=seed, **params) for name in FANOUT.systems}
        wanted = {"picture": timeline(runs[system]).html, "verdicts": verdicts(list(runs.values())).html}
        for part, html in wanted.items():
            self.notebook.page.wait_for_function(
                """([part, html]) => {
                    const made = document.createElement("div");
                    made.innerHTML = html;
                    const shown = document.querySelector(`.failure-lab-${part} .widget-html-content`);
                    return shown.innerHTML === made.innerHTML;
                }""",
                arg=[part, html],
            )
        return runs


@pytest.fixture
def panel(page):
    """The panel as it is at first."""
    page.set_theme(LIGHT)
    page.open(page.write("failure lab", CELLS))
    page.run_all()
    assert page.error_outputs() == [] and page.not_run() == []
    panel = Panel(page)
    panel.shows()
    yield panel
    page.close()


def test_a_slider_changes_the_picture_and_the_verdicts(panel):
    panel.plan.fill(PLAN)
    before = panel.shows(plan=PLAN)
    slider = panel.slider("orders")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    mouse = panel.notebook.page.mouse
    mouse.move(box["x"] + box["width"] / 3, middle)
    mouse.down()
    mouse.move(box["x"], middle, steps=5)
    mouse.up()
    expect(panel.root.locator(".failure-lab-param-orders input[type=number]")).to_have_value("1")
    after = panel.shows(plan=PLAN, orders=1)
    assert [v.status for v in before["textbook"].verdicts] != [v.status for v in after["textbook"].verdicts]


def test_a_number_that_is_typed_counts_with_enter(panel):
    number = panel.root.locator(".failure-lab-param-orders input[type=number]")
    number.fill("7")
    panel.shows()  # not yet: who types 70 begins with a 7
    number.press("Enter")
    panel.shows(orders=7)


def test_the_system_and_the_seed_change_the_picture(panel):
    panel.system.select_option("pattern")
    panel.shows(system="pattern")
    panel.seed.fill("7")
    panel.seed.press("Enter")
    panel.shows(system="pattern", seed=7)


def test_a_pasted_plan_is_run_and_a_bad_one_is_answered_beside_it(panel):
    panel.plan.focus()
    panel.notebook.page.keyboard.insert_text(PLAN)  # as one event, as pasting does
    panel.shows(plan=PLAN)
    panel.plan.fill("2s..3s fial email")
    expect(panel.message).to_contain_text("fial")
    expect(panel.message).to_contain_text("Below stands the last run that worked.")
    panel.shows(plan=PLAN)
    panel.plan.fill("2s..3s fail emial")
    expect(panel.message).to_contain_text("emial")
    panel.plan.fill("")
    panel.shows()
    expect(panel.message).not_to_contain_text("Below stands")


def test_a_fault_from_the_form_goes_into_the_plan(panel):
    form = panel.root.locator(".failure-lab-fault")
    form.locator(".failure-lab-fault-kind select").select_option("slow-handler")
    form.locator(".failure-lab-fault-by_s input").fill("3s")
    form.locator("button.failure-lab-add").click()
    expect(panel.plan).to_have_value(re.compile("slow-handler .* by 3s"))
    panel.shows(plan=panel.plan.input_value())


def test_a_search_finds_a_plan_and_loads_it_into_the_panel(panel):
    failure = search(FANOUT, "textbook").failure
    assert failure is not None
    panel.search.click()
    expect(panel.progress).to_contain_text("It stands in the panel now")
    expect(panel.search).to_be_enabled()
    expect(panel.cancel).to_be_disabled()
    expect(panel.plan).to_have_value(str(failure.run.plan))
    runs = panel.shows(plan=str(failure.run.plan), seed=failure.run.seed, **failure.run.params)
    assert runs["textbook"].broken


def test_a_search_shows_its_progress_and_is_cancelled(panel):
    panel.system.select_option("pattern")  # which survives, so that the search would go on to its end
    panel.shows(system="pattern")
    plans = panel.root.locator(".failure-lab-plans input")
    plans.fill("5000")
    plans.press("Enter")
    panel.search.click()
    expect(panel.progress).to_contain_text(re.compile(r"[1-9]\d* of 5000 plans tried on pattern"))
    expect(panel.search).to_be_disabled()
    panel.cancel.click()
    expect(panel.search).to_be_enabled()
    expect(panel.cancel).to_be_disabled()
    expect(panel.progress.locator("progress")).to_have_count(0)
    panel.system.select_option("textbook")
    panel.shows()


def test_a_mission_is_recognised_when_it_is_reached(panel):
    listed = panel.root.locator(".failure-lab-missions li")
    goals = missions(SECTION)
    expect(listed).to_have_count(len(goals))
    expect(listed.first).to_contain_text("open:")
    panel.plan.fill("at 1s poison email")
    panel.shows(plan="at 1s poison email")
    expect(listed.first).to_contain_text("✓ reached")
    expect(listed.first).to_contain_text(re.compile(r"\s+".join(map(re.escape, goals[0].shown.split()))))


def test_no_part_of_the_panel_has_a_scrollbar_that_it_does_not_need(panel):
    scrolling = panel.root.evaluate(
        """root => [root, ...root.querySelectorAll("*")]
            .filter(e => e.scrollWidth > e.clientWidth && /auto|scroll/.test(getComputedStyle(e).overflowX))
            .map(e => `${e.className}: ${e.scrollWidth} in ${e.clientWidth}`)"""
    )
    assert scrolling == []
    assert panel.plan.bounding_box()["width"] > 0.8 * panel.root.bounding_box()["width"]


def test_the_whole_panel_is_used_by_keyboard_alone(panel):
    press, page = panel.notebook.page.keyboard.press, panel.notebook
    page.go_to("lab")
    page.tab_to(panel.system)
    press("ArrowDown")
    panel.shows(system="pattern")
    page.tab_to(panel.slider("orders"))
    press("Home")
    panel.shows(system="pattern", orders=1)
    page.tab_to(panel.slider("customers"))
    for _ in range(3):
        press("ArrowRight")
    customers = panel.root.locator(".failure-lab-param-customers input[type=number]").input_value()
    assert int(customers) > 5
    panel.shows(system="pattern", orders=1, customers=int(customers))
    page.tab_to(panel.root.locator("button.failure-lab-add"))
    press("Enter")
    expect(panel.plan).not_to_have_value("")
    page.tab_to(panel.plan)
    press("Control+a")
    page.page.keyboard.type(PLAN)
    panel.shows(system="pattern", plan=PLAN, orders=1, customers=int(customers))
    page.tab_to(panel.search)
    press("Space")
    expect(panel.cancel).to_be_enabled()
    page.tab_to(panel.cancel)
    press("Enter")
    expect(panel.search).to_be_enabled()
    assert page.errors == []


def test_what_changed_is_said_to_those_who_cannot_see_it(panel):
    panel.plan.fill(PLAN)
    runs = panel.shows(plan=PLAN)
    said = panel.root.get_by_role("status")
    expect(said).to_contain_text(f"textbook: {len(runs['textbook'].broken)} rules broken.")
    expect(panel.root.locator(".failure-lab-picture").get_by_role("img")).to_have_accessible_name(
        re.compile("Timeline of FANOUT")
    )


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_panel_is_for_everybody_in_both_themes(panel, theme):
    panel.notebook.set_theme(theme)
    panel.plan.fill(PLAN)
    panel.shows(plan=PLAN)
    panel.notebook.picture(f"failure lab, {theme}", panel.root)
    assert panel.notebook.violations("lab") == []
    panel.plan.fill("2s..3s fial email")
    expect(panel.message).to_contain_text("fial")
    panel.notebook.picture(f"failure lab with a bad plan, {theme}", panel.root)
    assert panel.notebook.violations("lab") == []
