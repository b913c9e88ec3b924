"""Questions as data: what makes sense, how an answer is judged, and where they are found."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonlib.learning.questions import (
    CONFIDENCES,
    Choice,
    Number,
    Option,
    Prediction,
    QuestionError,
    Several,
    concepts,
    find_concept,
    find_prediction,
    letter,
    predictions,
    recall_bank,
)

YES, NO, OTHER = Option("yes", "It is.", right=True), Option("no", "It is not."), Option("tea", "Tea is not.")
NUMBER = {
    "question": "How many?",
    "answer": 3,
    "tolerance": 0,
    "unit": "s",
    "feedback": "Yes.",
    "otherwise": "No.",
}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Option("", "f"), "an option's text is ''; give a text"),
        (lambda: Option(7, "f"), "an option's text is 7"),
        (lambda: Option("a", None), "the feedback of 'a' is None; give a sentence"),
        (lambda: Choice("", [YES, NO]), "the question is ''"),
        (lambda: Choice("q", [YES]), "give a list of 2 to 8"),
        (lambda: Choice("q", [YES] + [Option(str(n), "f") for n in range(8)]), "give a list of 2 to 8"),
        (lambda: Choice("q", "yes"), "give a list of 2 to 8"),
        (lambda: Choice("q", [YES, "no"]), "'no' is no option; give Option(text, feedback, right=…)"),
        (lambda: Choice("q", [YES, YES]), "the same option twice"),
        (lambda: Choice("q", [YES, Option("no", " ")]), "the option 'no' has no feedback"),
        (lambda: Choice("q", [NO, OTHER]), "'q' has 0 right options; mark exactly one"),
        (lambda: Choice("q", [YES, dataclasses.replace(NO, right=True)]), "'q' has 2 right options"),
        (lambda: Prediction("q", [NO, OTHER]), "'q' has 0 right options"),
        (lambda: Prediction("q", [YES, Option("no", "")]), "the option 'no' has no feedback"),
        (lambda: Prediction("q", [Option("yes", "", right=True), Option("no", "")]), "'yes' has no feedback"),
        (lambda: Several("q", [NO, OTHER]), "'q' has no right option; mark at least one"),
        (lambda: Number(**NUMBER | {"answer": "3"}), "the answer is '3'; give a finite number"),
        (lambda: Number(**NUMBER | {"answer": float("nan")}), "the answer is nan"),
        (lambda: Number(**NUMBER | {"tolerance": -1}), "the tolerance is -1; give 0 or more"),
        (lambda: Number(**NUMBER | {"unit": None}), "the unit is None"),
        (lambda: Number(**NUMBER | {"feedback": ""}), "the feedback is ''"),
        (lambda: Number(**NUMBER | {"otherwise": ""}), "the feedback for a wrong number (otherwise) is ''"),
        (lambda: Number(**NUMBER, mistakes=[4]), "give a dict from value to feedback"),
        (lambda: Number(**NUMBER, mistakes={4: ""}), "the feedback for 4 is ''"),
        (
            lambda: Number(**NUMBER | {"tolerance": 1}, mistakes={4: "f"}),
            "the mistake 4 is within the tolerance",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_one_sentence(make, says):
    with pytest.raises(QuestionError) as refused:
        make()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_question_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Choice("q", [YES, NO]).question = "other"
    assert Choice("q", [YES, NO]).options == (YES, NO)


def test_a_choice_gives_the_feedback_of_the_option_chosen():
    choice = Choice("q", [NO, YES])
    assert [str(r) for r in choice.judge([0])] == ["(a) is not right. It is not."]
    assert [str(r) for r in choice.judge([1])] == ["(b) is right. It is."]
    assert [r.tone for r in choice.judge([])] == ["note"]


@given(st.lists(st.booleans(), min_size=2, max_size=8).filter(any), st.data())
def test_several_are_right_exactly_when_the_right_ones_are_chosen_and_no_others(rights, data):
    several = Several("q", [Option(str(n), f"f{n}", right) for n, right in enumerate(rights)])
    chosen = data.draw(st.sets(st.integers(0, len(rights) - 1), min_size=1))
    whole, *each = several.judge(sorted(chosen))
    assert (whole.tone == "right") == (chosen == {n for n, right in enumerate(rights) if right})
    assert [r.text for r in each] == [f"f{n}" for n in range(len(rights))]
    assert [r.tone == "right" for r in each] == [right == (n in chosen) for n, right in enumerate(rights)]
    for n, remark in enumerate(each):
        assert (letter(n) in whole.text) == (remark.tone == "wrong")


@given(
    answer=st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    tolerance=st.floats(0, 100).map(lambda x: round(x, 3)),
    off=st.floats(-200, 200).map(lambda x: round(x, 3)),
)
def test_a_number_is_right_exactly_within_its_tolerance(answer, tolerance, off):
    number = Number(**NUMBER | {"answer": answer, "tolerance": tolerance})
    [remark] = number.judge(repr(answer + off))
    if abs(abs(off) - tolerance) > 0.01:  # at the very edge floats decide
        assert (remark.tone == "right") == (abs(off) < tolerance)
    assert number.judge(repr(answer))[0].tone == "right"


@pytest.mark.parametrize("typed", ["3", " 3 ", "3.0", "3 s", "3s", "+3", "3e0"])
def test_a_number_may_be_written_in_several_ways(typed):
    assert Number(**NUMBER).judge(typed)[0].tone == "right"


@pytest.mark.parametrize("typed", ["", "  ", "three", "1,5", "nan", "inf", "3 m", "s"])
def test_what_is_no_number_is_neither_right_nor_wrong(typed):
    assert Number(**NUMBER).judge(typed)[0].tone == "note"


def test_a_mistake_that_is_known_has_its_own_feedback_and_the_nearest_one_wins():
    number = Number("q", 3, 0.5, "", "Yes.", "No.", {30: "Tenths.", 30.6: "Nearly tenths.", 3000: "Milli."})
    assert number.judge("30.1")[0].text == "Tenths."
    assert number.judge("30.5")[0].text == "Nearly tenths."
    assert number.judge("3002")[0].text == "Milli."
    assert number.judge("31.2")[0].text == "No."
    assert number.judge("3.5")[0].text == "Yes."


def test_a_prediction_is_compared_with_what_happened():
    prediction = Prediction("q", [NO, YES])
    [right] = prediction.compare(1)
    assert str(right) == "You predicted (b), and that is right. It is."
    wrong, truth = prediction.compare(0)
    assert str(wrong) == "You predicted (a), and that is not what happened. It is not."
    assert str(truth) == "What happened is (b): yes. It is."
    none, truth_again = prediction.compare(None)
    assert none.head == "You made no prediction."
    assert truth_again == truth


def test_confidence_changes_what_is_said_and_never_the_verdict():
    prediction = Prediction("q", [NO, YES])
    for chosen in (0, 1):
        said = [prediction.compare(chosen, confidence) for confidence in ("", *CONFIDENCES)]
        assert len({remarks[0].tone for remarks in said}) == 1
        assert len({str(remarks[0]) for remarks in said}) == 4
    assert "You were certain" in prediction.compare(0, "certain")[0].text
    assert "You were certain" not in prediction.compare(0, "a guess")[0].text


def test_a_prediction_without_a_known_answer_leaves_the_judging_to_the_learner():
    prediction = Prediction("q", [Option("a", ""), Option("b", "")])
    assert not prediction.judged
    assert [str(r) for r in prediction.compare(1, "certain")] == [
        "You predicted (b), certain of it. Compare it with what you saw."
    ]


def test_questions_are_found_by_their_id(sample_lessons):
    one, two, three = sample_lessons
    assert find_prediction("1-1") is predictions(one)["1-1"]
    assert find_concept("1-3") is concepts(one)["1-3"]
    assert [concept.question for concept in recall_bank(two)] == ["two 0", "two 1"]
    assert recall_bank(three) == () and predictions(three) == {} and concepts(two) == {}


@pytest.mark.parametrize(
    ("question_id", "says"),
    [
        ("1-9", "lesson 1 has no concept check '1-9'; there are: 1-1, 1-2, 1-3"),
        ("3-1", "lesson 3 has no concept check '3-1'; there are: none yet"),
        ("9-1", 'write "<lesson>-<n>", such as "1-2" (there are the lessons 1, 2, 3)'),
        ("1.2", "'1.2' is no question's id"),
        ("1-", "'1-' is no question's id"),
        (11, "11 is no question's id"),
        (None, "None is no question's id"),
    ],
)
def test_an_unknown_id_is_answered_with_those_that_there_are(sample_lessons, question_id, says):
    with pytest.raises(QuestionError) as refused:
        find_concept(question_id)
    assert says in str(refused.value)


def test_a_number_may_have_commas_between_its_thousands_and_one_hour_is_no_hours() -> None:
    asked = Number("How long?", 1000, 0, "hours", "So it is.", "No.")
    assert asked.judge("1,000 hours")[0].tone == "right"
    assert asked.judge("1,00")[0].tone == "note"
    assert asked.judge("1")[0].head == "1 hour is not right."
