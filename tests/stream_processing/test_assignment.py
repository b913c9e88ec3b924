"""Assignment: even, agreed upon, and with as few moves as an even spread allows."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonlib.stream_processing import assign_partitions, moves

members = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)


def test_range_is_kafkas_for_one_topic():
    assert assign_partitions(7, ["c2", "c1", "c3"]) == {"c1": (0, 1, 2), "c2": (3, 4), "c3": (5, 6)}
    assert assign_partitions(2, ["a", "b", "c"]) == {"a": (0,), "b": (1,), "c": ()}
    assert assign_partitions(3, []) == {}


def test_sticky_gives_a_newcomer_a_share_and_leaves_the_rest():
    before = assign_partitions(6, ["a", "b"], strategy="sticky")
    after = assign_partitions(6, ["a", "b", "c"], strategy="sticky", previous=before)
    assert before == {"a": (0, 1, 2), "b": (3, 4, 5)}
    assert after == {"a": (0, 1), "b": (3, 4), "c": (2, 5)}
    assert moves(before, after) == (2, 5)
    assert len(moves(before, assign_partitions(6, ["a", "b", "c"]))) == 3, "range moves more"


def fewest_moves(count, before, present):
    """Try every even spread of the partitions that have a reader: the most that can stay where they are."""
    share, more = divmod(count, len(present))
    held = [len(before.get(m, ())) for m in present]
    stay = max(
        sum(min(h, share + x) for h, x in zip(held, extra, strict=True))
        for extra in product((0, 1), repeat=len(present))
        if sum(extra) == more
    )
    return sum(map(len, before.values())) - stay


@given(st.integers(1, 20), members, members)
def test_sticky_moves_as_few_as_an_even_spread_allows(count, old, new):
    before = assign_partitions(count, old)
    after = assign_partitions(count, new, strategy="sticky", previous=before)
    assert sorted(p for ps in after.values() for p in ps) == list(range(count))
    sizes = [len(ps) for ps in after.values()]
    assert max(sizes) - min(sizes) <= 1
    assert len(moves(before, after)) == fewest_moves(count, before, sorted(new))


@given(st.integers(1, 20), members, st.sampled_from(["range", "sticky"]))
def test_the_order_of_the_members_does_not_matter(count, present, strategy):
    one = assign_partitions(count, present, strategy=strategy)
    other = assign_partitions(count, present[::-1], strategy=strategy)
    assert one == other and list(one) == sorted(present)


def test_what_is_claimed_twice_or_does_not_exist_is_sorted_out():
    previous = {"a": (0, 1, 99), "b": (1, 2, 3), "gone": (4,)}
    after = assign_partitions(5, ["b", "a"], strategy="sticky", previous=previous)
    assert after == {"a": (0, 1, 4), "b": (2, 3)} or after == {"a": (0, 1), "b": (2, 3, 4)}
    assert moves({"a": (1,)}, {}) == (1,)


@pytest.mark.parametrize("strategy", ["range", "sticky"])
def test_one_member_has_all(strategy):
    assert assign_partitions(3, ["a"], strategy=strategy) == {"a": (0, 1, 2)}
