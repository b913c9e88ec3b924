"""Histories: questions, digests, JSON."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessonlib.errors import LessonError
from lessonlib.lab.history import History, Record, seconds

deterministic = settings(derandomize=True, deadline=None, max_examples=60)

plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
records = st.builds(
    Record,
    st.integers(0, 10**12),
    st.text(min_size=1),
    st.text(),
    st.dictionaries(st.text(), plain_data, max_size=3),
)
histories = st.lists(records, max_size=8).map(History)

SHOP = History(
    [
        Record(0, "sent", "shop", {"to": "broker", "message": 1}),
        Record(1_000_000, "delivered", "broker", {"source": "shop", "message": 1}),
        Record(1_500_000, "sent", "broker", {"to": "mail", "message": 2}),
        Record(2_000_000, "dropped", "mail", {"source": "broker", "message": 2, "reason": None}),
    ]
)


def numbers(history):
    return [r.t_us // 500_000 for r in history]


def test_questions():
    assert numbers(SHOP.of()) == [0, 2, 3, 4]
    assert numbers(SHOP.of("sent")) == [0, 3]
    assert numbers(SHOP.of("sent", "dropped")) == [0, 3, 4]
    assert numbers(SHOP.of("sent", node="broker")) == [3]
    assert numbers(SHOP.of(message=1)) == [0, 2]
    assert numbers(SHOP.of("sent", node="shop", to="broker", message=1)) == [0]
    assert numbers(SHOP.of("sent", to="nobody")) == []
    assert numbers(SHOP.of(reason=None)) == [4]  # a field that is missing is not a field that is None
    assert numbers(SHOP.where(lambda r: r.t_us > 0)) == [2, 3, 4]
    assert numbers(SHOP.between(1, 2)) == [2, 3]  # the start is in, the end is not
    assert numbers(SHOP.of("sent").between(1, 2).of(message=2)) == [3]


def test_first_last_length_and_slices():
    assert SHOP.first() is SHOP[0] and SHOP.last() is SHOP[-1]
    assert History().first() is None and History().last() is None
    assert len(SHOP) == 4 and numbers(SHOP[1:3]) == [2, 3] and isinstance(SHOP[1:3], History)
    assert SHOP.end_us == 2_000_000 and History().end_us == 0


def test_groups_keep_the_order_of_appearance():
    groups = SHOP.groups(lambda r: r.get("message"))
    assert {key: numbers(found) for key, found in groups.items()} == {1: [0, 2], 2: [3, 4]}
    assert list(SHOP.groups(lambda r: r.kind)) == ["sent", "delivered", "dropped"]


def test_a_record_reads_as_a_line():
    assert str(SHOP[0]) == "0 s shop sent: to=broker, message=1"
    assert str(Record(1, "fault", "", {"long": "x" * 99})) == f"0.000001 s world fault: long={'x' * 77}..."
    assert SHOP[1].t_s == 1.0 and SHOP[1].get("nothing", 7) == 7


@pytest.mark.parametrize(
    ("t_us", "text"),
    [(0, "0 s"), (1, "0.000001 s"), (2_500_000, "2.5 s"), (10_000_000, "10 s"), (100, "0.0001 s")],
)
def test_times_read_as_people_write_them(t_us, text):
    assert seconds(t_us) == text


@deterministic
@given(histories)
def test_a_history_comes_back_from_json(history):
    again = History.from_json(history.to_json())
    assert again == history
    assert again.digest() == history.digest()
    assert again.to_json() == history.to_json()


@deterministic
@given(histories, histories)
def test_digests_are_equal_exactly_when_the_lines_are(one, other):
    assert (one.digest() == other.digest()) == (list(one.lines()) == list(other.lines()))


@deterministic
@given(histories, st.data())
def test_any_change_changes_the_digest(history, data):
    if not history.records:
        return
    i = data.draw(st.integers(0, len(history) - 1))
    r = history[i]
    changed = data.draw(
        st.sampled_from([r._replace(t_us=r.t_us + 1), r._replace(kind=r.kind + "x"), r._replace(node=r.node + "x"),
                         r._replace(data={**r.data, "another": 1})])
    )  # fmt: skip
    others = [*history.records[:i], changed, *history.records[i + 1 :]]
    if changed != r:
        assert History(others).digest() != history.digest()
    assert History(history.records[:-1]).digest() != history.digest()


def test_the_order_of_fields_does_not_matter_and_the_order_of_records_does():
    a, b = Record(0, "k", "", {"x": 1, "y": 2}), Record(0, "k", "", {"y": 2, "x": 1})
    assert History([a]).digest() == History([b]).digest()
    c = Record(0, "other", "", {})
    assert History([a, c]).digest() != History([c, a]).digest()


def test_a_digest_is_sixteen_hex_digits_and_never_changes_between_releases():
    assert SHOP.digest() == "c9dc326eaf1b2d4c"


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "[]", "[1, 2]", '["0", "kind", "node", {}]', '[0, 5, "node", {}]', '[0, "kind", null, {}]',
     '[0, "kind", "node", 5]', '[0, "kind", "node", []]', '[0, "kind", "node", [["a", 1]]]', '[0, "kind", "node", {}, 1]',
     '[0.5, "kind", "node", {}]', '[true, "kind", "node", {}]', "null", "7", '{"t_us": 0}', "[" * 100_000],
)  # fmt: skip
def test_a_bad_line_is_named(line):
    good = '[0,"kind","node",{}]'
    with pytest.raises(LessonError, match=r"^line 2 is not a record of a history \(\[microseconds, "):
        History.from_json(f"{good}\n{line}\n{good}\n")


def test_a_history_is_compared_by_its_records_and_cannot_be_a_key():
    assert History(SHOP.records) == SHOP and SHOP[1:] != SHOP and SHOP.records != SHOP
    with pytest.raises(TypeError):
        hash(SHOP)
    assert repr(SHOP) == "<History of 4 records, 2 s>"
