"""What an exercise shows in the browser: hints behind folds, the rung that fits a failure, progress; for everybody."""

import pytest
from playwright.sync_api import expect

from browser.lab_page import DARK, LIGHT
from lessonlib.learning.ladder import hints

CELLS = {
    "setup": "import json\nfrom lessonlib.event_driven import event_id\nfrom lessonlib.learning import check, hints, progress, show",
    "show": "show(event_id, folded=True, numbered=True)",
    "hints": 'hints("1.1")',
    "right": "def right(event_type, event_data):\n    return event_type + json.dumps(event_data, sort_keys=True)",
    "passes": 'check("1.1", right)',
    "progress": "progress()",
    "fails": 'check("1.1", lambda event_type, event_data: event_type + json.dumps(event_data))',
}


@pytest.fixture(scope="module")
def notebook(page):
    page.set_theme(LIGHT)
    page.open(page.write("exercise", CELLS))
    page.run_all()
    yield page
    page.close()


def test_a_failing_check_says_what_was_broken_and_opens_the_hint_that_fits(notebook):
    assert [line.partition(":")[0] for line in notebook.error_outputs()] == ["fails"]
    output = notebook.output("fails")
    expect(output.locator("details[open]")).to_have_count(1)
    expect(output.locator("details[open]")).to_contain_text("Hint")
    expect(output).not_to_contain_text("Traceback")


def test_a_piece_that_passed_is_saved_and_counts_in_the_progress(notebook):
    expect(notebook.output("passes")).to_contain_text("passed")
    assert list((notebook.lab.clone / "my_pieces").rglob("*"))
    row = notebook.output("progress").get_by_role("row").filter(has_text="Event-driven")
    expect(row).to_contain_text("10 of")


def test_hints_and_source_stay_folded_until_they_are_opened_by_keyboard(notebook):
    for cell_id, folds in (("hints", len(hints("1.1").describe().split("\n\nHint"))), ("show", 1)):
        details = notebook.output(cell_id).locator("details")
        expect(details).to_have_count(folds)
        summary = details.first.locator("summary")
        expect(details.first).not_to_have_attribute("open", "")
        summary.focus()
        notebook.page.keyboard.press("Enter")
        expect(details.first).to_have_attribute("open", "")


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_what_an_exercise_shows_is_for_everybody_in_both_themes(notebook, theme):
    notebook.set_theme(theme)
    notebook.unfold()
    for cell_id in ("show", "hints", "passes", "progress", "fails"):
        notebook.picture(f"exercise {cell_id}, {theme}", notebook.output(cell_id))
    assert notebook.violations() == []
