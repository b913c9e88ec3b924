"""Which questions a lesson begins with."""

from hypothesis import given
from hypothesis import strategies as st

from lessonlib.learning.recalling import choose


def banks(*sizes):
    return {number: tuple(f"{number}.{n}" for n in range(size)) for number, size in enumerate(sizes)}


def asked(number, *sizes):
    return [question for _, question in choose(number, banks(*sizes))]


def test_a_lesson_asks_about_the_last_one_two_back_and_half_way_back():
    assert asked(3, 5, 5, 5) == ["2.0", "1.1", "0.2"]
    assert asked(5, 5, 5, 5, 5, 5) == ["4.0", "3.1", "1.3"]
    assert asked(9, *[5] * 9) == ["8.0", "7.1", "3.0"]


def test_the_first_lessons_take_what_is_missing_from_the_end_of_the_nearest_bank():
    assert asked(1, 5) == ["0.0", "0.4", "0.3"]
    assert asked(2, 5, 5) == ["1.0", "0.1", "1.4"]


def test_a_lesson_without_questions_is_passed_over():
    assert asked(3, 5, 0, 5) == ["2.0", "0.2", "2.4"]
    assert asked(1, 0) == []
    assert asked(1, 2) == ["0.0", "0.1"]
    assert asked(0, 5) == []


@given(st.lists(st.integers(0, 6), min_size=1, max_size=11), st.data())
def test_nothing_is_asked_twice_or_ahead_of_its_lesson_and_three_whenever_there_are_three(sizes, data):
    number = data.draw(st.integers(0, len(sizes)))
    chosen = choose(number, banks(*sizes))
    assert len(set(chosen)) == len(chosen) == min(3, sum(sizes[:number]))
    assert all(source < number for source, _ in chosen)
    assert chosen == choose(number, dict(reversed(banks(*sizes).items())))


def test_over_the_whole_course_most_of_what_is_asked_is_new():
    everything = [question for number in range(1, 11) for question in asked(number, *[5] * 11)]
    assert len(set(everything)) >= 24
