"""Questions in a notebook, as the browser would drive them: by setting traits in the kernel."""

import asyncio
import html
import re
import threading

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from lessonlib.learning.asking import ask, compare, predict, recall
from lessonlib.learning.questions import Choice, Option, QuestionError

pytestmark = pytest.mark.usefixtures("sample_lessons")


def said(widget):
    """What stands in the widget's live region, as text."""
    return [f"{html.unescape(r['head'])} {html.unescape(r['text'])}".strip() for r in widget.remarks]


def outputs(panel):
    InteractiveShell.instance()
    with capture_output() as captured:
        panel._ipython_display_()
    return [output.data for output in captured.outputs]


def stored(panel):
    """The outputs as nbval compares them: without widget views."""
    return [
        {mime: text for mime, text in data.items() if "widget-view" not in mime} for data in outputs(panel)
    ]


def test_a_prediction_is_noted_with_its_confidence():
    widget = predict("1-1").widget
    assert said(widget) == []
    widget.confidence = "certain"
    assert said(widget) == ["Choose an option too."]
    widget.chosen = [1]
    assert said(widget) == ["Noted: (b), certain. Now run the next cell."]
    widget.confidence = ""
    assert said(widget) == ["Noted: (b). How sure are you?"]


def test_after_the_experiment_the_prediction_stands_beside_what_happened():
    predict("1-1").widget.chosen = [0]
    wrong, truth = said(compare("1-1").widget)
    assert wrong == "You predicted (a), and that is not what happened. It waits."
    assert truth == "What happened is (b): it waits & lets others in. So it is."


def test_who_predicts_late_sees_the_comparison_follow():
    panel = compare("1-1")
    assert said(panel.widget)[0].startswith("You made no prediction.")
    widget = predict("1-1").widget
    widget.chosen, widget.confidence = [2], "certain"
    assert said(panel.widget)[0].startswith(
        "You predicted (c), certain of it, and that is not what happened. It does not."
    )
    widget.chosen = [1]
    assert len(said(panel.widget)) == 1


def test_a_cell_that_is_run_again_shows_the_answer_that_was_given():
    predict("1-1").widget.chosen = [1]
    compare("1-1")
    assert predict("1-1").widget.chosen == [1]
    assert compare("1-1").widget is compare("1-1").widget


def test_a_question_whose_widgets_were_closed_gets_new_ones_that_follow_each_other():
    predict("1-1").widget.close()
    panel = compare("1-1")
    predict("1-1").widget.chosen = [1]
    assert said(panel.widget)[0].startswith("You predicted (b)")


def test_what_is_stored_in_the_notebook_is_the_same_whatever_was_answered():
    unanswered = [
        stored(panel) for panel in (predict("1-1"), compare("1-1"), ask("1-1"), ask("1-3"), recall(2))
    ]
    predict("1-1").widget.chosen = [0]
    ask("1-1").widget.chosen = [1]
    ask("1-1").widget.asked += 1
    ask("1-3").widget.typed = "3"
    for widget in recall(2).widgets:
        widget.chosen = [1]
    answered = [
        stored(panel) for panel in (predict("1-1"), compare("1-1"), ask("1-1"), ask("1-3"), recall(2))
    ]
    assert answered == unanswered


def test_the_static_twin_has_the_question_and_its_options_and_the_live_output_no_text():
    static, live = outputs(predict("1-1"))
    assert static["text/plain"].splitlines() == [
        "Prediction 1-1: What does `await` do?",
        "    await door()",
        "    print(1 < 2)",
        "  (a) nothing",
        "  (b) it waits & lets others in",
        "  (c) it <blocks>",
        "Choose one.",
    ]
    assert (
        "<p>What does <code>await</code> do?</p><pre>await door()\nprint(1 &lt; 2)</pre>"
        in static["text/html"]
    )
    assert "(c) it &lt;blocks&gt;" in static["text/html"]
    assert list(live) == ["application/vnd.jupyter.widget-view+json"]


def test_a_concept_check_shows_its_answers_folded_where_no_widget_lives():
    [static, _] = outputs(ask("1-3"))
    folded = re.search("<details>(.*)</details>", static["text/html"], re.S)[1]
    assert "3 s (± 0.1)" in folded and "Three it is." in folded and "30: That is in tenths." in folded
    assert "Three it is." not in static["text/plain"]


def test_a_choice_is_judged_when_it_is_checked_and_not_before():
    widget = ask("1-1").widget
    widget.asked += 1
    assert said(widget) == ["Choose an answer first."]
    widget.chosen = [1]
    assert said(widget) == []
    widget.asked += 1
    assert said(widget) == ["(b) is not right. That is <code>wrong</code>."]
    widget.chosen = [0]
    assert said(widget) == [], "what was said belonged to the other answer"
    widget.asked += 1
    assert said(widget) == ["(a) is right. Yes, this."]


def test_several_get_a_remark_each():
    widget = ask("1-2").widget
    assert widget.kind == "several"
    widget.chosen = [0, 2]
    widget.asked += 1
    assert said(widget) == [
        "Not quite. Think again about (b), (c).",
        "(a) chosen, and right. Red is one.",
        "(b) not chosen, but right. Blue is one.",
        "(c) chosen, but not right. Tea is none.",
    ]


def test_a_number_is_judged_with_its_unit():
    widget = ask("1-3").widget
    assert (widget.kind, widget.unit) == ("number", "s")
    for typed, answer in [
        ("30", "30 s is not right. That is in tenths."),
        ("2.95", "2.95 s is right. Three it is."),
    ]:
        widget.typed = typed
        widget.asked += 1
        assert said(widget) == [answer]


@pytest.mark.parametrize("order", [("typed", "asked"), ("asked", "typed")])
def test_an_answer_and_its_check_may_come_in_one_message(order):
    widget = ask("1-3").widget
    for typed, asked, begins in [("3", 1, "3 s is right."), ("30", 2, "30 s is not right.")]:
        message = {"typed": typed, "asked": asked}
        widget.set_state({name: message[name] for name in order})
        assert said(widget)[0].startswith(begins)


def test_recall_asks_three_questions_of_earlier_lessons():
    panel = recall(3)
    assert [widget.label for widget in panel.widgets] == [
        "Recall 1, from lesson 2",
        "Recall 2, from lesson 1",
        "Recall 3, from lesson 2",
    ]
    assert [re.sub("<.*?>", "", widget.question) for widget in panel.widgets] == ["two 0", "one 1", "two 1"]
    second = panel.widgets[1]
    second.chosen = [1]
    second.asked += 1
    assert said(second) == ["(b) is not right. No."]
    assert panel.widgets[0].remarks == []


def test_the_same_question_recalled_in_two_lessons_is_answered_twice():
    recall(2).widgets[0].chosen = [1]
    assert all(widget.chosen == [] for widget in recall(3).widgets)


def test_where_nothing_can_be_recalled_yet_a_sentence_says_so():
    assert outputs(recall(1)) == [
        {
            "text/plain": "There is nothing to recall yet: no earlier lesson has questions.",
            "text/html": "<p>There is nothing to recall yet: no earlier lesson has questions.</p>",
        }
    ]


def test_a_prediction_can_be_asked_without_a_lesson():
    panel = predict("7-1", "What now?", ["this", "that"])
    panel.widget.chosen, panel.widget.confidence = [1], "a guess"
    assert said(compare("7-1").widget) == ["You predicted (b), as a guess. Compare it with what you saw."]
    assert (
        compare("7-1").describe() == "Prediction 7-1, compared: compare what you predicted with what you saw."
    )


def test_a_prediction_asked_with_other_words_starts_afresh():
    predict("7-1", "What now?", ["this", "that"]).widget.chosen = [1]
    compare("7-1")
    judged = predict("7-1", "What then?", [Option("this", "Yes.", right=True), Option("that", "No.")])
    assert judged.widget.chosen == []
    judged.widget.chosen = [0]
    assert said(compare("7-1").widget) == ["You predicted (a), and that is right. Yes."]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: predict("1-7"), "lesson 1 has no prediction '1-7'; there are: 1-1"),
        (lambda: compare("7-1"), "'7-1' is no question's id"),
        (lambda: ask("1-7"), "lesson 1 has no concept check '1-7'; there are: 1-1, 1-2, 1-3"),
        (lambda: ask(None), "None is no question's id"),
        (lambda: predict("7-1", "What?"), "needs a question and a list of options; give both"),
        (lambda: predict("7-1", options=["a", "b"]), "needs a question and a list of options; give both"),
        (lambda: predict("7-1", "What?", "ab"), "needs a question and a list of options; give both"),
        (lambda: predict("7-1", "What?", ["a"]), "give a list of 2 to 8"),
        (lambda: predict("7-1", "What?", ["a", 7]), "7 is no option"),
        (lambda: predict(7, "What?", ["a", "b"]), "the id of a prediction is 7"),
        (lambda: recall(9), "there is no lesson 9; there are 1, 2, 3"),
        (lambda: recall("1"), "there is no lesson '1'"),
        (lambda: recall(True), "there is no lesson True"),
        (lambda: recall([]), "there is no lesson []"),
    ],
)
def test_bad_input_gets_one_sentence(call, says):
    with pytest.raises(QuestionError) as refused:
        call()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_error_in_a_callback_is_shown_in_the_panel(monkeypatch):
    def fail(self, chosen):
        raise RuntimeError("out of ink")

    monkeypatch.setattr(Choice, "judge", fail)
    widget = ask("1-1").widget
    widget.asked += 1
    assert said(widget) == ["This answer could not be judged. RuntimeError: out of ink"]


def test_an_answer_that_no_browser_sends_is_refused_in_the_panel():
    widget = ask("1-1").widget
    widget.chosen = [5]
    widget.asked += 1
    assert said(widget) == [
        "This answer could not be judged. QuestionError: there is no option 5; there are 0 to 1"
    ]


def test_answers_on_many_threads_leave_prediction_and_comparison_in_step():
    predicted, compared = predict("1-1").widget, compare("1-1").widget

    def answer(index):
        for _ in range(100):
            predicted.chosen = [index]
            predicted.chosen = []

    threads = [threading.Thread(target=answer, args=[n]) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said(compared)[0].startswith("You made no prediction.")
    assert said(predicted) == []


def test_questions_can_be_asked_while_an_event_loop_runs():
    async def cell():
        widget = ask("1-1").widget
        widget.chosen = [0]
        widget.asked += 1
        return said(widget)

    assert asyncio.run(cell()) == ["(a) is right. Yes, this."]
