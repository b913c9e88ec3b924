"""The judge of linearizability is right about published examples, and agrees with one that tries every order."""

from itertools import permutations
from math import inf

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lessonlib.high_availability.linearizable import Operation, first_violation


def write(value, start, end, **more):
    return Operation("write", value, start_us=start, end_us=end, **more)


def read(value, start, end, **more):
    return Operation("read", value, start_us=start, end_us=end, **more)


def linearizable(*operations):
    return first_violation(operations) is None


def by_trying_every_order(operations):
    """Whether some order explains the history of one register, by the definition."""
    certain = [o for o in operations if o.end_us is not None]
    unknown = [o for o in operations if o.end_us is None and o.kind == "write"]
    for chosen in range(2 ** len(unknown)):  # each unknown write happened, or it did not
        happened = certain + [o for bit, o in enumerate(unknown) if chosen >> bit & 1]
        for order in permutations(happened):
            ends = [inf if o.end_us is None else o.end_us for o in order]
            in_time = all(
                ends[later] >= o.start_us for n, o in enumerate(order) for later in range(n + 1, len(order))
            )
            if in_time and _explains(order):
                return True
    return False


def _explains(order):
    value = None
    for operation in order:
        if operation.kind == "write":
            value = operation.value
        elif operation.value != value:
            return False
    return True


@st.composite
def histories(draw):
    """Small histories with many overlaps; reads mostly of values that are written."""
    writes, operations = draw(st.integers(0, 4)), []
    for value in range(1, writes + 1):
        start = draw(st.integers(0, 12))
        end = draw(st.one_of(st.none(), st.integers(start, start + 6)))
        operations.append(write(value, start, end))
    for _ in range(draw(st.integers(0, 6 - writes))):
        start = draw(st.integers(0, 14))
        value = draw(
            st.sampled_from([None, *range(1, writes + 1), *([9] if draw(st.integers(0, 9)) == 0 else [])])
        )
        operations.append(read(value, start, draw(st.one_of(st.integers(start, start + 6), st.none()))))
    return draw(st.permutations(operations))


@settings(max_examples=2_000, deadline=None)
@given(histories())
@example([write(1, 0, 0), read(None, 0, 0)])
@example([write(1, 0, None), read(1, 5, 6), read(None, 7, 8)])
def test_it_agrees_with_trying_every_order(operations):
    violation = first_violation(operations)
    assert (violation is None) == by_trying_every_order(operations)
    if violation is not None:
        # Its operations prove it; what else the history holds does not matter.
        proof = list(violation.operations)
        needed = [o for o in operations if o.kind == "write" and o not in proof]
        late = [write(o.value, o.start_us, None) for o in needed]
        assert not by_trying_every_order(proof + late)
        # And it is the first: a moment earlier all could be explained.
        before = [
            o
            if o.end_us is not None and o.end_us < violation.at_us
            else type(o)(o.kind, o.value, start_us=o.start_us, end_us=None)
            for o in operations
            if o.start_us < violation.at_us
        ]
        assert by_trying_every_order(before)


def test_the_examples_of_mits_quiz_that_porcupine_is_tested_with():
    # MIT 6.824, quiz 2 of 2017, section VII; also with operations that begin and end at one moment.
    assert linearizable(write(100, 0, 100), read(100, 25, 75), read(None, 30, 60))
    assert not linearizable(write(200, 0, 100), read(200, 10, 30), read(None, 40, 90))
    assert linearizable(write(100, 0, 100), read(100, 25, 75), read(None, 30, 30), read(None, 30, 30))
    assert not linearizable(write(200, 0, 100), read(200, 10, 10), read(200, 10, 10), read(None, 40, 90))


def test_what_a_regular_register_may_do_an_atomic_one_may_not():
    # Lamport, On Interprocess Communication, 1986: a read that overlaps a write sees the old value or the new ...
    assert linearizable(write(0, 0, 1), write(1, 2, 6), read(0, 3, 4))
    assert linearizable(write(0, 0, 1), write(1, 2, 6), read(1, 3, 4))
    # ... and a regular register may let one see the new value and a later one the old. What is linearizable may not.
    assert not linearizable(write(0, 0, 1), write(1, 2, 9), read(1, 3, 4), read(0, 5, 6))
    assert linearizable(write(0, 0, 1), write(1, 2, 9), read(1, 3, 5), read(0, 4, 6))


def test_a_stale_read_after_a_write_was_acknowledged():
    violation = first_violation([write(1, 0, 10), write(2, 20, 30), read(1, 40, 50)])
    assert violation.at_us == 50
    assert violation.text.startswith("register was 1 before it was 2 (write 1 (0 s to 0.00001 s)")


def test_a_write_whose_answer_never_came_happens_once_or_never():
    assert linearizable(write("a", 0, 10), read(None, 1, 3), read("a", 4, 6))
    assert not linearizable(write("a", 0, 3), read(None, 4, 6))
    assert not linearizable(write("a", 0, 10), read("a", 1, 3), read(None, 4, 6))
    # A crashed write may take effect long after, once ...
    assert linearizable(write("a", 0, 1), write("b", 2, None), read("a", 10, 11), read("b", 20, 21))
    # ... or never ...
    assert linearizable(write("a", 0, 1), write("b", 2, None), read("a", 10, 11), read("a", 20, 21))
    # ... but not twice, and not be undone.
    assert not linearizable(write("a", 0, 1), write("b", 2, None), read("b", 10, 11), read("a", 20, 21))


def test_a_value_that_nobody_wrote_and_one_that_is_written_later():
    assert "nobody had written" in first_violation([read(7, 0, 1)]).text
    assert "nobody had written" in first_violation([read(7, 0, 1), write(7, 2, 3)]).text
    assert linearizable(read(7, 0, 2), write(7, 2, 3)), "at the same microsecond they overlap"


def test_a_read_without_an_answer_says_nothing():
    assert linearizable(write(1, 0, 1), read(99, 2, None))


def test_keys_are_judged_apart_and_the_violation_that_is_complete_first_is_told():
    early = [write(1, 0, 1, key="a"), read(None, 4, 5, key="a")]
    late = [write(1, 0, 1, key="b"), read(None, 6, 7, key="b")]
    fine = [write(1, 0, 1, key="c"), read(1, 2, 3, key="c")]
    assert first_violation(fine) is None
    violation = first_violation([*late, *early, *fine])
    assert violation.at_us == 5 and {o.key for o in violation.operations} == {"a"}


def test_1_and_true_are_different_values():
    assert not linearizable(write(1, 0, 1), read(True, 2, 3))
    assert linearizable(write(1, 0, 1), write(True, 2, 3), read(True, 4, 5))


def test_who_asked_stands_in_the_proof():
    violation = first_violation(
        [write(1, 0, 1_000_000, by="client-1"), read(None, 2_000_000, 3_500_000, by="client-2")]
    )
    assert violation.text == (
        "register was 1 already (write 1 by client-1 (0 s to 1 s)), and then empty again: "
        "read None by client-2 (2 s to 3.5 s)."
    )


def test_it_repeats():
    operations = [write(n, 10 * n, 10 * n + 25) for n in range(50)] + [
        read(n, 10 * n + 5, 10 * n + 40) for n in range(49)
    ]
    assert first_violation(operations) == first_violation(operations[::-1])
