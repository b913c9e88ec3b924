"""Predictions, concept checks and recall in the browser: answered by mouse and by keyboard, in both themes, for everybody.

The questions are lesson 1's own; what is right and what is said to it is read from them, not repeated here.
"""

import re

import pytest
from playwright.sync_api import expect

from browser.lab_page import DARK, LIGHT
from lessonlib.event_driven.questions import CONCEPTS, PREDICTIONS
from lessonlib.learning.questions import Choice, Number, Several, letter

PREDICTED = "1-1"
PREDICTION = PREDICTIONS[PREDICTED]
CHECKS = {
    kind: next(id_ for id_, concept in CONCEPTS.items() if isinstance(concept, kind))
    for kind in (Choice, Several, Number)
}
CHOICE, SEVERAL, NUMBER = (CONCEPTS[CHECKS[kind]] for kind in (Choice, Several, Number))
WRONG = next(n for n, option in enumerate(CHOICE.options) if not option.right)

CELLS = {
    "setup": "from lessonlib.learning import ask, compare, predict, recall",
    "predict": f"predict({PREDICTED!r})",
    "compare": f"compare({PREDICTED!r})",
    "choice": f"ask({CHECKS[Choice]!r})",
    "several": f"ask({CHECKS[Several]!r})",
    "number": f"ask({CHECKS[Number]!r})",
    "own": "predict('own', 'Which of the two?', ['this one', 'that one'])",
}


@pytest.fixture
def notebook(page):
    """A kernel in which nothing has been answered."""
    page.set_theme(LIGHT)
    page.open(page.write("questions", CELLS))
    page.run_all()
    assert page.error_outputs() == [] and page.not_run() == []
    yield page
    page.close()


def form(notebook, cell_id):
    return notebook.output(cell_id).locator("form")


def option(notebook, cell_id, index):
    return form(notebook, cell_id).locator("fieldset").first.locator("input").nth(index)


def remarks(notebook, cell_id):
    return notebook.output(cell_id).get_by_role("status")


def words(text):
    """A pattern for a text of a question as it reads on the page, where `code` and *stress* have lost their marks."""
    return re.compile(r"\s+".join(re.escape(word) for word in re.sub("[`*]", "", text).split()))


def check_button(notebook, cell_id):
    return form(notebook, cell_id).get_by_role("button", name="Check")


def test_a_prediction_is_noted_and_compared_with_what_happened(notebook):
    expect(remarks(notebook, "compare")).to_contain_text("You made no prediction")
    wrong = next(n for n, o in enumerate(PREDICTION.options) if not o.right)
    form(notebook, "predict").get_by_text(letter(wrong)).click()
    form(notebook, "predict").get_by_label("certain").check()
    expect(remarks(notebook, "predict")).to_contain_text(f"Noted: {letter(wrong)}, certain.")
    said = remarks(notebook, "compare")
    expect(said).to_contain_text(
        f"You predicted {letter(wrong)}, certain of it, and that is not what happened."
    )
    expect(said).to_contain_text(words(PREDICTION.options[wrong].feedback))
    [right] = PREDICTION.right
    expect(said).to_contain_text(f"What happened is {letter(right)}")
    option(notebook, "predict", right).check()
    expect(said).to_contain_text(f"You predicted {letter(right)}, certain of it, and that is right.")


def test_a_choice_is_judged_with_feedback_for_the_option_chosen(notebook):
    check_button(notebook, "choice").click()
    expect(remarks(notebook, "choice")).to_contain_text("Choose an answer first.")
    for n, chosen in enumerate(CHOICE.options):
        option(notebook, "choice", n).check()
        expect(remarks(notebook, "choice")).to_have_text("")
        check_button(notebook, "choice").click()
        verdict = "is right." if chosen.right else "is not right."
        expect(remarks(notebook, "choice")).to_contain_text(f"{letter(n)} {verdict}")
        expect(remarks(notebook, "choice")).to_contain_text(words(chosen.feedback))


def test_several_are_judged_one_by_one(notebook):
    option(notebook, "several", 0).check()
    check_button(notebook, "several").click()
    for n, one in enumerate(SEVERAL.options):
        expect(remarks(notebook, "several")).to_contain_text(words(one.feedback))
        option(notebook, "several", n).set_checked(one.right)
    check_button(notebook, "several").click()
    expect(remarks(notebook, "several")).to_contain_text("All as it should be.")


def test_a_number_is_judged(notebook):
    cases = {
        "": "Type a number first.",
        "a lot": "“a lot” cannot be read as a number.",
        "-12345": NUMBER.otherwise,
        **{f"{value:g}": feedback for value, feedback in NUMBER.mistakes.items()},
        f"{NUMBER.answer:g}": NUMBER.feedback,
        f"{NUMBER.answer:g} {NUMBER.unit}": NUMBER.feedback,
    }
    for typed, said in cases.items():
        form(notebook, "number").get_by_role("textbox").fill(typed)
        check_button(notebook, "number").click()
        expect(remarks(notebook, "number")).to_contain_text(words(said))


def test_a_prediction_without_an_answer_key_leaves_the_judging_to_the_learner(notebook):
    option(notebook, "own", 1).check()
    expect(remarks(notebook, "own")).to_contain_text("Noted: (b).")


def test_everything_is_answered_by_keyboard_alone(notebook):
    press = notebook.page.keyboard.press

    notebook.go_to("predict")
    notebook.tab_to(option(notebook, "predict", 0))
    press("Space")
    press("ArrowDown")
    expect(option(notebook, "predict", 1)).to_be_checked()
    press("Tab")
    press("Space")
    expect(remarks(notebook, "predict")).to_contain_text("Noted: (b), a guess.")
    expect(remarks(notebook, "compare")).to_contain_text("You predicted (b), as a guess")

    notebook.tab_to(option(notebook, "choice", 0))
    press("Space")
    for _ in range(WRONG):
        press("ArrowDown")
    notebook.tab_to(check_button(notebook, "choice"))
    press("Enter")
    expect(remarks(notebook, "choice")).to_contain_text(f"{letter(WRONG)} is not right.")

    for n, one in enumerate(SEVERAL.options):
        notebook.tab_to(option(notebook, "several", n))
        if one.right:
            press("Space")
    notebook.tab_to(check_button(notebook, "several"))
    press("Space")
    expect(remarks(notebook, "several")).to_contain_text("All as it should be.")

    notebook.tab_to(form(notebook, "number").get_by_role("textbox"))
    notebook.page.keyboard.type(f"{NUMBER.answer:g}")
    press("Enter")
    expect(remarks(notebook, "number")).to_contain_text(words(NUMBER.feedback))
    assert notebook.errors == []


def test_an_answer_outlives_the_output_of_its_cell(notebook):
    option(notebook, "predict", 1).check()
    expect(remarks(notebook, "predict")).to_contain_text("Noted: (b).")
    notebook.run_all()
    expect(option(notebook, "predict", 1)).to_be_checked()
    expect(remarks(notebook, "compare")).to_contain_text("You predicted (b)")


def test_the_static_twin_is_hidden_where_the_widget_lives(notebook):
    expect(notebook.output("choice").locator(".lesson-static")).to_be_hidden()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_questions_are_for_everybody_in_both_themes(notebook, theme):
    notebook.set_theme(theme)
    option(notebook, "predict", 0).check()
    form(notebook, "predict").get_by_label("certain").check()
    option(notebook, "choice", WRONG).check()
    option(notebook, "several", 0).check()
    form(notebook, "number").get_by_role("textbox").fill("1")
    for cell_id in ("choice", "several", "number"):
        check_button(notebook, cell_id).click()
        expect(remarks(notebook, cell_id)).not_to_have_text("")
    for cell_id in ("predict", "compare", "choice", "several", "number"):
        notebook.picture(f"question {cell_id}, {theme}", form(notebook, cell_id))
    assert notebook.violations() == []
    expect(form(notebook, "choice").get_by_role("group")).to_have_accessible_name(words(CHOICE.question))
    expect(form(notebook, "number").get_by_role("textbox")).to_have_accessible_name(words(NUMBER.question))
