"""Probes that are made of examples: what they try is what they show, and each wrong answer gets its own hint."""

import asyncio
import datetime
import time

import pytest

from lessonlib.errors import LessonError
from lessonlib.learning.exercises import IDEA, LOOK, Exercise, judge
from lessonlib.learning.probing import GIVEN_TIME, Example, Name, by_example, reads_a_clock

REQUIRED = "Twice is twice."


def judged(answer, *examples, **options):
    return judge(
        Exercise("a trial", 1, probes=(("it", by_example("twice", REQUIRED, *examples, **options)),)), answer
    )


def test_an_answer_that_gives_what_every_example_expects_passes():
    assert judged(lambda x: 2 * x, Example("", "twice(2)", 4), Example("x = 3", "twice(x)", 6)) is None


def test_the_first_example_that_fails_is_shown_as_it_can_be_typed():
    finding = judged(
        lambda x: x + 2, Example("", "twice(2)", 4), Example("x = 3; y = x", "twice(y)", 6, "Not plus.")
    )
    assert (finding.requirement, finding.seen) == (REQUIRED, "twice(y) gave 5 in place of 6.")
    assert (finding.look, finding.hint, finding.opens) == ("x = 3; y = x; twice(y)", "Not plus.", IDEA)


def test_a_hint_may_depend_on_what_came():
    example = Example("", "twice([1])", [1, 1], (([2], "Of the list."), (None, "Return it."), (..., "Else.")))
    hints = [judged(lambda x, made=made: made, example).hint for made in ([2], None, [7])]
    assert hints == ["Of the list.", "Return it.", "Else."]


def test_where_no_hint_fits_what_to_look_at_opens():
    finding = judged(lambda x: 9, Example("", "twice(2)", 4, ((5, "Not plus."),)))
    assert (finding.hint, finding.opens) == ("", LOOK)


def test_an_exception_may_be_what_is_expected_and_another_is_shown_with_its_line():
    def refuses(x):
        raise ValueError("not I")

    assert judged(refuses, Example("", "twice(2)", ValueError)) is None
    assert "gave 4 in place of ValueError" in judged(lambda x: 4, Example("", "twice(2)", ValueError)).seen
    seen = judged(refuses, Example("", "twice(2)", KeyError)).seen
    assert seen.startswith("twice(2) raised ValueError: not I (line ")
    assert "of refuses in test_probing.py" in seen


def test_what_goes_wrong_on_the_way_is_told_by_the_line_where_it_does():
    finding = judged(lambda x: x / 0, Example("a = twice(1); b = 2", "b", 2))
    assert finding.seen.startswith("a = twice(1) raised ZeroDivisionError: division by zero")
    assert "in place of" not in finding.seen
    early = Example("a = twice(1)", "twice(2)", ZeroDivisionError)
    assert judged(lambda x: x / 0, early) is not None, "expected of the last line alone"


def test_an_error_of_this_package_is_shown_by_its_name():
    def refuses(x):
        raise LessonError("x makes no sense")

    assert (
        judged(refuses, Example("", "twice(2)", 4)).seen
        == "twice(2) raised LessonError (x makes no sense) in place of 4."
    )


def test_examples_may_await_in_virtual_time():
    async def twice(x):
        await asyncio.sleep(3600)
        return 2 * x

    assert judged(twice, Example("a = await twice(1)", "await twice(a)", 4)) is None


def test_each_example_has_names_of_its_own():
    assert judged(lambda x: x, Example("x = 1", "twice(x)", 1), Example("", "'x' in dir()", False)) is None


def test_a_piece_that_is_not_written_is_told_as_such():
    def stub(x):
        raise NotImplementedError

    assert judged(stub, Example("", "twice(2)", 4)).unwritten


def test_true_is_not_one_and_floats_may_differ_in_the_last_digits():
    assert judged(lambda x: 1, Example("", "twice(2)", True)).seen == "twice(2) gave 1 in place of True."
    assert judged(lambda x: 0.1 + 0.2, Example("", "twice(2)", 0.3)) is None


class Strange:
    def __eq__(self, other):
        raise ZeroDivisionError

    def __repr__(self):
        raise ZeroDivisionError


def test_what_can_neither_be_compared_nor_shown_is_wrong_and_named():
    assert (
        judged(lambda x: Strange(), Example("", "twice(2)", 4)).seen
        == "twice(2) gave a Strange in place of 4."
    )


def test_an_endless_example_ends():
    async def twice(x):
        while True:
            await asyncio.sleep(0)

    seen = judged(twice, Example("", "await twice(2)", 4)).seen
    assert seen.startswith("await twice(2) raised StepBudgetExceeded (stopped after 200000 steps")


class ByTheClock:
    def now(self, now_s):
        return time.monotonic()


class ByTheCalendar:
    @property
    def today(self):
        return datetime.datetime.now()


class OfATimeOfItsOwn:
    def __init__(self):
        self.time = self.monotonic = 0.0

    def now(self, now_s):
        self.time = now_s
        return self.time


@pytest.mark.parametrize(
    ("piece", "reads"),
    [
        (ByTheClock, True),
        (type("Heir", (ByTheClock,), {}), True),
        (ByTheCalendar, True),
        (OfATimeOfItsOwn, False),
        (7, False),
    ],
)
def test_a_piece_that_reads_a_clock_is_known_by_the_module_that_it_uses(piece, reads):
    assert reads_a_clock(piece) is reads


def test_the_hint_on_clocks_comes_before_others_and_only_where_an_answer_is_wrong():
    example = Example("", "twice().now(3.0)", 3.0, "Other.")
    finding = judged(ByTheClock, example, time_is_given=True)
    assert finding.hint == GIVEN_TIME
    assert finding.seen == "twice().now(3.0) gave what its clock says in place of 3.", (
        "the same words each time"
    )
    assert judged(ByTheClock, example).hint == "Other."
    assert judged(OfATimeOfItsOwn, example, time_is_given=True) is None
    assert judged(ByTheClock, Example("", "1", 1), time_is_given=True) is None


def test_an_exception_and_a_value_of_another_kind_get_no_hint_about_the_subject():
    example = Example("", "twice([1])", [2], "Of the subject.")
    assert judged(lambda x: [3], example).hint == "Of the subject."
    assert judged(lambda x: (2,), example).hint == "A tuple came back, where a list is asked for."
    assert judged(lambda x: None, example).hint == "Nothing came back: is a `return` missing?"
    assert "the traceback shows" in judged(lambda x: x["a"], example).hint
    named = Example("", "twice([1])", [2], ((TypeError, "Of this exception."), (..., "Of the subject.")))
    assert judged(lambda x: x["a"], named).hint == "Of this exception."


def test_another_exception_than_the_one_that_is_asked_for_is_named():
    def twice(x):
        raise KeyError(x)

    assert judged(twice, Example("", "twice(1)", ValueError, "No.")).hint.startswith("ValueError is what")


def test_a_clock_may_be_imported_within_a_method():
    def now():
        import time

        return time.time()

    assert reads_a_clock(now)


def test_the_hash_of_a_name_depends_on_its_salt_alone():
    assert Name("a") == "a" == Name.of("a", 3)
    assert hash(Name("node-1")) == hash(Name.of("node-1", 0)) == 2372012148
    assert hash(Name.of("node-1", 3)) != hash(Name("node-1"))
    assert Name.bare({Name("a"): Name("b"), 1: None}) == {"a": "b", 1: None}
