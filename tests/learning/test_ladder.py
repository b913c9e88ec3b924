"""The ladder of hints: data, folded in a notebook, and opened by a failing check at the rung that fits."""

import asyncio

import pytest

from lessonlib.errors import LessonError
from lessonlib.event_driven.scenario import ORDERS
from lessonlib.learning import CheckFailed, check, hints
from lessonlib.learning.catalogue import everything
from lessonlib.learning.exercises import (
    IDEA,
    LOOK,
    PSEUDOCODE,
    RUNGS,
    Case,
    Exercise,
    Finding,
    Hint,
    judge,
)
from lessonlib.learning.ladder import Ladder, folds

RUNG_TEXTS = ("Look at `run()`.", "Keep **one** *promise*.", "```\nwhile a * b * c:\n    wait\n```")


@pytest.mark.parametrize(("id_", "exercise"), [(id_, exercise) for _, id_, exercise in everything()])
def test_every_exercise_has_a_ladder_of_three_rungs(id_, exercise):
    assert len(exercise.ladder) == len(RUNGS) == 3
    assert all(rung.strip() for rung in exercise.ladder)


def test_every_rung_stands_behind_a_fold_that_is_closed():
    page = hints("1.2")._repr_markdown_()
    assert page.count("<details><summary>Hint ") == page.count("</details>") == 3
    assert "<details open>" not in page
    assert all(f"Hint {number}: {name}</summary>\n\n" in page for number, name in enumerate(RUNGS, 1))


def test_the_text_twin_says_all_rungs_without_marks_and_leaves_code_as_it_is():
    words = Ladder("9.9", RUNG_TEXTS).describe()
    assert words == (
        "Hint 1 of exercise 9.9, what to look at:\nLook at `run()`.\n\n"
        "Hint 2 of exercise 9.9, the idea:\nKeep one promise.\n\n"
        "Hint 3 of exercise 9.9, pseudocode:\nwhile a * b * c:\n    wait"
    )


def test_one_rung_can_stand_open_and_its_twin_says_that_one_alone():
    ladder = Ladder("9.9", RUNG_TEXTS, opened=2)
    page = ladder._repr_markdown_()
    assert page.count("<details open>") == 1
    assert page.index("<details open>") == page.index("<details open><summary>Hint 2")
    assert ladder.describe() == "Hint 2 of exercise 9.9, the idea:\nKeep one promise."


def test_an_exercise_without_hints_says_so():
    ladder = Ladder("9.9", ())
    assert repr(ladder) == ladder._repr_markdown_() == "Exercise 9.9 has no hints."


@pytest.mark.parametrize("opened", [4, -1, "two", None])
def test_a_rung_that_does_not_exist_is_refused(opened):
    with pytest.raises(LessonError, match=r"give a number from 0 \(none\) to 3"):
        folds(RUNG_TEXTS, opened=opened)


@pytest.mark.parametrize("nonsense", ["9.9", "", 1.1, None, ["1.1"]])
def test_an_unknown_exercise_is_answered_with_the_known_ones(nonsense):
    with pytest.raises(LessonError, match=r'there is no exercise .*; choose from .*"1\.1"'):
        hints(nonsense)
    with pytest.raises(LessonError, match="there is no exercise"):
        check(nonsense, print)


@pytest.mark.parametrize("ladder", [("one",), ["a", "b", "c"], ("a", "b", 3), "abc"])
def test_a_ladder_that_has_not_three_texts_is_refused(ladder):
    with pytest.raises(
        LessonError, match="give a tuple of three texts: what to look at, the idea, pseudocode"
    ):
        Exercise(title="x", points=1, ladder=ladder)


def test_what_was_seen_implies_its_rung_unless_it_names_one():
    assert Finding("required", "seen").opens == LOOK
    assert Finding("required", "seen", hint="a misconception").opens == IDEA
    assert Finding("required", "seen", hint="a misconception", rung=PSEUDOCODE).opens == PSEUDOCODE
    assert Finding("required", "seen", unwritten=True).opens == 0


def failure(exercise_id, answer):
    with pytest.raises(CheckFailed) as failed:
        check(exercise_id, answer)
    return str(failed.value)


def test_a_failing_check_names_the_rung_of_the_earliest_broken_requirement():
    salted = lambda event_type, event_data: f"{event_type}-{hash(str(event_data))}"  # noqa: E731
    unsorted = lambda event_type, event_data: f"{event_type} {event_data}"  # noqa: E731
    assert 'hint 1 of hints("1.1"), what to look at' in failure("1.1", salted)
    assert 'hint 2 of hints("1.1"), the idea' in failure("1.1", unsorted)


@pytest.mark.parametrize("rung", [LOOK, IDEA, PSEUDOCODE])
def test_a_hint_of_a_case_names_its_rung_too(rung):
    async def asleep(log, name, deliver):
        await asyncio.sleep(3600)

    rule = "every acknowledged order reaches every subscriber"
    hint = Hint("asleep", lambda run, verdict: verdict.rule == rule, "It sleeps.", rung=rung)
    cases = (Case("a good day", rules=(rule,), params={"orders": 5}),)
    exercise = Exercise("a trial", 1, ORDERS, "subscription", cases=cases, hints=(hint,))
    assert judge(exercise, asleep).opens == rung


def test_a_recognised_misconception_opens_the_idea_and_not_the_pseudocode():
    async def stops_at_an_error(log, name, deliver):
        offset = await log.committed(name)
        while True:
            for number, event in await log.read(offset, wait_s=2.0):
                await deliver(number, event)
                await log.commit(name, number + 1)
                offset = number + 1

    said = failure("1.3", stops_at_an_error)
    assert "the consumer ended" in said and 'hint 2 of hints("1.3"), the idea' in said


def test_an_answer_that_is_not_begun_opens_no_rung():
    def event_id(event_type, event_data):
        raise NotImplementedError

    assert "hint" not in failure("1.1", event_id)


@pytest.mark.parametrize("exercise_id", ["1.2", "4.1", "4.4", "4.6"])
@pytest.mark.parametrize("answer", [3, None, "MyMonitor"])
def test_an_answer_that_is_no_class_and_no_function_opens_no_rung(exercise_id, answer):
    said = failure(exercise_id, answer)
    assert f"given {answer!r}, which is neither; give the name of what you have defined" in said
    assert "hint" not in said.casefold()
