"""The vocabulary of faults: every plan has a line of text that parses back to it, and bad text is explained."""

import dataclasses
import types
import typing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lessonlib.lab import FaultPlan
from lessonlib.lab.faults import (
    KINDS,
    Burst,
    ClockSkew,
    Crash,
    CrashAfterWrite,
    Delay,
    Duplication,
    FailingDisk,
    Fault,
    FaultError,
    HandlerError,
    Loss,
    OneWayPartition,
    Partition,
    Pause,
    forms,
    meaning,
    read_time,
    show_time,
)

deterministic = settings(derandomize=True, deadline=None, max_examples=300)
OWN = [kind for kind in KINDS if kind.__module__ == Fault.__module__]
WRITABLE = [kind for kind in OWN if kind.form]

words = st.sampled_from(["for", "to", "from", "by", "losing", "disk", "at", "crash", "a..b", "5s", "slow"])
names = words | st.from_regex(r"[A-Za-z0-9_.:#-]{1,12}", fullmatch=True)
times = st.integers(0, 10**15).map(lambda us: us / 1e6) | st.integers(0, 10**7).map(lambda us: us / 1e6)
VALUES = {
    "probability": st.integers(1, 10_000).map(lambda n: n / 10_000),
    "count": st.integers(1, 1_000_000),
    "left": st.lists(names, min_size=1, max_size=3).map(tuple),
    "right": st.lists(names, min_size=1, max_size=3).map(tuple),
    "offset_s": times | times.map(lambda t: -t),
}


def values_of(name):
    """Any value of the field `name`, from what its name means; nothing here knows a kind of fault."""
    return VALUES.get(name, times if name.endswith("_s") else names)


@st.composite
def faults(draw, kinds=WRITABLE):
    kind = draw(st.sampled_from(kinds))
    values = {}
    for field in dataclasses.fields(kind):
        optional = types.NoneType in typing.get_args(typing.get_type_hints(kind)[field.name])
        values[field.name] = draw(st.none() | values_of(field.name) if optional else values_of(field.name))
    if "end_s" in values:
        values["start_s"], values["end_s"] = sorted((values["start_s"], values["end_s"]))
        if values["start_s"] == values["end_s"]:
            values["start_s"], values["end_s"] = 0, max(1, values["end_s"])
    if "left" in values:
        others = tuple(name for name in values["right"] if name not in values["left"])
        values["right"] = others or ("".join(values["left"]) + "-other",)
    return kind(**values)


@pytest.fixture(autouse=True)
def only_the_kinds_of_the_laboratory():
    """A lesson that another test has imported adds kinds of its own."""
    every, KINDS[:] = list(KINDS), OWN
    yield
    KINDS[:] = every


# ---- Text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITABLE)
def test_every_kind_of_fault_parses_back_to_itself(kind):
    @settings(deterministic, max_examples=100)
    @given(faults([kind]))
    def check(fault):
        assert FaultPlan.parse(str(fault)).faults == (fault,)

    check()


@settings(deterministic, max_examples=100)
@given(st.lists(faults(), max_size=4))
def test_every_plan_parses_back_to_itself(several):
    plan = FaultPlan(tuple(several))
    text = str(plan)
    assert FaultPlan.parse(text) == plan
    assert str(FaultPlan.parse(text)) == text
    assert "\n" not in text and '"' not in text


@deterministic
@given(st.integers(-(10**15), 10**15))
def test_every_time_reads_back_as_it_is_shown(us):
    assert read_time(show_time(us / 1e6)) == us / 1e6


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        ("5s", 5),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("2m", 120),
        ("1h", 3600),
        ("30us", 0.00003),
        ("-2s", -2),
        ("+2s", 2),
    ],
)
def test_times_have_units(text, time_s):
    assert read_time(text) == time_s


@pytest.mark.parametrize("text", ["5", "s", "5 s", "5sec", "1e3s", "", "5s ", "٣s", "--5s", "1.s", ".5s"])
def test_what_is_no_time(text):
    assert read_time(text) is None


@pytest.mark.parametrize(
    ("loose", "strict"),
    [
        ("  at   5s crash   a ", "at 5s crash a"),
        ("at 5000ms crash a;;\n; at 1m pause b for 0.5s;", "at 5s crash a; at 60s pause b for 500ms".replace("500ms", "0.5s")),
        ("1s..2s partition a , b|c", "1s..2s partition a,b | c"),
        ("1s..2s partition a>b", "1s..2s partition a > b"),
        ("1s..2s lose 100%", "1s..2s lose 100%"),
        ("1s..2s lose 0.50% to b", "1s..2s lose 0.5% to b"),
        ("", ""),
        (" ; \n", ""),
    ],
)  # fmt: skip
def test_spaces_empty_clauses_and_other_units_do_not_matter(loose, strict):
    assert str(FaultPlan.parse(loose)) == strict


def test_a_plan_may_be_given_as_a_plan():
    plan = FaultPlan.parse("at 5s crash a")
    assert FaultPlan.parse(plan) is plan
    assert FaultPlan([Crash(5, "a")]) == plan
    assert len(plan) == 1 and list(plan) == [Crash(5.0, "a")]
    assert hash(FaultPlan([Crash(5, "a")])) == hash(plan)


# ---- Bad text --------------------------------------------------------------------------------------------

START = "fault 1 of the plan, {0!r}: "
THREE_SIDES = (
    "a partition has two sides; for three, write one for each pair, such as 3s..6s partition a | b,c; "
    "3s..6s partition b | c"
)
BAD = {
    "nonsense": "expected 'at' or 'after' or a span of time such as 10s..12s, found 'nonsense'",
    "at": "expected a time such as 5s, 250ms or 2m, found the end after 'at'",
    "at five crash a": "expected a time such as 5s, 250ms or 2m, found 'five' after 'at'",
    "at 5 crash a": "expected a time such as 5s, 250ms or 2m, found '5' after 'at'",
    "at 5s explode a": "expected 'crash' or 'restart' or 'pause' or 'poison' or 'burst', found 'explode' after 'at 5s'",
    "at 5s crash": "expected a node's name, found the end after 'at 5s crash'",
    "at 5s crash a for": "expected a time such as 5s, 250ms or 2m, found the end after 'at 5s crash a for'",
    "at 5s crash a during 3s": "expected the end of the fault, or ';' or 'losing', found 'during' after 'at 5s crash a'",
    "1s..2s partition a | b | c": THREE_SIDES,
    "1s..2s partition a > b | c": THREE_SIDES,
    "1s..2s partition a | b,a": "Partition: a is on both sides, and nothing cuts a node off from itself; name it on one",
    "at 5s pause a": "expected 'for', found the end after 'at 5s pause a'",
    "at 5s burst many": "expected a whole number, found 'many' after 'at 5s burst'",
    "10s..12s lose 30": "expected a percentage such as 30%, found '30' after '10s..12s lose'",
    "10s..12s lose 30% from": "expected a node's name, found the end after '10s..12s lose 30% from'",
    "10s..12s lose 30% to a from b": "expected the end of the fault, or ';', found 'from' after '10s..12s lose 30% to a'",
    "10s-12s lose 30%": "expected 'at' or 'after' or a span of time such as 10s..12s, found '10s-12s'",
    "10s..12s partition a b": "expected '|' or '>', found 'b' after '10s..12s partition a'",
    "10s..12s partition | b": "expected names separated by commas, found '|' after '10s..12s partition'",
    "10s..12s skew a by x": "expected a time such as 5s, 250ms or 2m, found 'x' after '10s..12s skew a by'",
    "12s..10s lose 30%": "Loss: end_s=10 should be after start_s=12",
    "10s..10s lose 30%": "Loss: end_s=10 should be after start_s=10",
    "1s..2s lose 0%": "Loss: probability=0.0 should be a number from 0.0001 to 1 (0.01% to 100%)",
    "1s..2s lose 101%": "Loss: probability=1.01 should be a number from 0.0001 to 1 (0.01% to 100%)",
    "1s..2s lose 0.001%": "Loss: probability=1e-05 should be a number from 0.0001 to 1 (0.01% to 100%)",
    "at -5s crash a": "Crash: at_s=-5.0 should be a number of seconds from 0 to 1e+09",
    "at 5s burst 0": "Burst: count=0 should be a whole number from 1 to 1000000",
    "at 9999999999s crash a": "Crash: at_s=9999999999.0 should be a number of seconds from 0 to 1e+09",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_bad_text_says_which_fault_what_was_expected_and_what_was_found(text):
    with pytest.raises(FaultError) as caught:
        FaultPlan.parse(text)
    assert str(caught.value) == START.format(text) + BAD[text]


def test_the_number_of_the_bad_fault_is_told():
    with pytest.raises(FaultError, match=r"^fault 3 of the plan, 'at 7s crsh a': expected 'crash'"):
        FaultPlan.parse("at 5s crash a; at 6s restart a\nat 7s crsh a; nonsense")
    with pytest.raises(FaultError, match=r"^fault 2 of the plan, '1s..2s lose 0%': Loss: probability"):
        FaultPlan.parse("at 5s crash a; 1s..2s lose 0%")


pieces = st.sampled_from(
    ["at", "5s", "1s..2s", "crash", "a", "for", "lose", "30%", "partition", "|", ">", ",", ";", "after", "write", "3", "to",
     "by", "slow", "-1s", "9" * 400, "9" * 400 + "s", "9" * 400 + "%", "9" * 5000, "0s..1e5s", "٣s", "٣", "..", "\n"]
)  # fmt: skip


@deterministic
@given(st.text() | st.lists(pieces, max_size=8).map(" ".join))
@example("at " + "9" * 5000 + "s crash a")
@example("at 5s burst " + "9" * 5000)
@example("1s..2s lose " + "9" * 5000 + "%")
@example("at 5s burst ²")
@example("at 0.0000000000000000000000000000000000001s crash a")
def test_no_text_raises_anything_but_a_fault_error(text):
    try:
        plan = FaultPlan.parse(text)
    except FaultError:
        return
    assert FaultPlan.parse(str(plan)) == plan


@pytest.mark.parametrize("thing", [5, None, ["at 5s crash a"], Crash(5, "a")])
def test_what_is_neither_text_nor_a_plan_is_refused(thing):
    with pytest.raises(FaultError, match="a plan is a line of text or a FaultPlan, not"):
        FaultPlan.parse(thing)


@pytest.mark.parametrize("thing", [["at 5s crash a"], [Crash], ["a"]])
def test_a_plan_is_made_of_faults(thing):
    with pytest.raises(FaultError, match=r"is not a fault; write Crash\(5, 'broker'\)"):
        FaultPlan(thing)


@pytest.mark.parametrize("thing", ["at 5s crash a", 5, None])
def test_a_plan_is_made_of_a_tuple(thing):
    with pytest.raises(FaultError, match="a plan is made of a tuple of faults"):
        FaultPlan(thing)


# ---- Values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Crash("5", "a"), "Crash: at_s='5' should be a number of seconds"),
        (lambda: Crash(True, "a"), "Crash: at_s=True should be a number of seconds"),
        (lambda: Crash(None, "a"), "Crash: at_s=None should be a number of seconds"),
        (lambda: Crash(-1, "a"), "Crash: at_s=-1 should be a number of seconds from 0"),
        (lambda: Crash(float("nan"), "a"), "Crash: at_s=nan should be"),
        (lambda: Crash(float("inf"), "a"), "Crash: at_s=inf should be"),
        (lambda: Crash(10**400, "a"), "Crash: at_s=1000"),
        (lambda: ClockSkew(1, 2, "a", float("inf")), "ClockSkew: offset_s=inf should be"),
        (
            lambda: ClockSkew(1, 2, "a", -2e9),
            "ClockSkew: offset_s=-2000000000.0 should be a number of seconds from -1e",
        ),
        (lambda: Crash(1, None), "Crash: node=None should be a name of letters, digits"),
        (lambda: Crash(1, "a b"), "Crash: node='a b' should be a name"),
        (lambda: Crash(1, ""), "Crash: node='' should be a name"),
        (lambda: Crash(1, "a;b"), "should be a name"),
        (lambda: Crash(1, 5), "Crash: node=5 should be a name"),
        (lambda: Loss(1, 2, 0), "Loss: probability=0 should be a number from 0.0001 to 1"),
        (lambda: Loss(1, 2, 0.00001), "Loss: probability=1e-05 should be"),
        (lambda: Loss(1, 2, 1.1), "Loss: probability=1.1 should be"),
        (lambda: Loss(1, 2, None), "Loss: probability=None should be"),
        (lambda: Loss(2, 1, 0.5), "Loss: end_s=1 should be after start_s=2"),
        (lambda: Loss(1, 1.0000001, 0.5), "Loss: end_s=1 should be after start_s=1"),
        (lambda: Burst(1, 1.5), "Burst: count=1.5 should be a whole number"),
        (lambda: Burst(1, True), "Burst: count=True should be a whole number"),
        (lambda: Burst(1, 10**9), "Burst: count=1000000000 should be a whole number from 1 to 1000000"),
        (lambda: Partition(1, 2, "a", ("b",)), "Partition: left='a' should be a tuple of node names"),
        (lambda: Partition(1, 2, (), ("b",)), r"Partition: left=\(\) should be"),
        (lambda: Partition(1, 2, {"a"}, ("b",)), "Partition: left={'a'} should be a tuple"),
        (lambda: Partition(1, 2, 5, ("b",)), "Partition: left=5 should be a tuple"),
        (lambda: Partition(1, 2, ("a,b",), ("b",)), "should be a tuple of node names"),
        (lambda: Partition(1, 2, ("a", "b"), ("b",)), "Partition: b is on both sides, .* name it on one"),
        (lambda: OneWayPartition(1, 2, ("a",), ("a",)), "OneWayPartition: a is on both sides"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(make, message):
    with pytest.raises(FaultError, match=message):
        make()


def test_times_are_whole_microseconds_and_lists_become_tuples():
    assert Crash(1.00000049, "a").at_s == 1.0
    assert Crash(0.1 + 0.2, "a") == Crash(0.3, "a")
    assert Partition(1, 2, ["a"], ["b", "c"]).right == ("b", "c")


@pytest.mark.parametrize(
    ("text", "begins_s", "ends_s"),
    [
        ("at 5s crash a", 5, 5),
        ("at 5s crash a for 3s", 5, 8),
        ("at 5s restart a", 5, 5),
        ("at 5s pause a for 3s", 5, 8),
        ("5s..9s lose 30%", 5, 9),
        ("at 5s burst 3", 5, 5),
        ("after write 3 to log crash a for 2s", 0, 2),
    ],
)
def test_when_a_fault_begins_and_ends(text, begins_s, ends_s):
    (fault,) = FaultPlan.parse(text)
    assert (fault.begins_s, fault.ends_s) == (begins_s, ends_s)


def test_a_plan_ends_with_its_last_fault():
    assert FaultPlan().ends_s == 0
    assert FaultPlan.parse("at 5s crash a for 30s; 1s..20s lose 1%").ends_s == 35


def test_whom_a_fault_hits():
    assert Crash(1, "a").hits("a") and not Crash(1, "a").hits("b")
    assert HandlerError(1, 2, "inventory").hits("inventory")
    assert Burst(1, 2).hits("anything")
    assert Loss(1, 2, 0.5, source="a").on("a", "x") and not Loss(1, 2, 0.5, source="a").on("x", "a")
    assert Delay(1, 2, 1).on("x", "y")
    assert Duplication(1, 2, 1, to="b").on("x", "b") and not Duplication(1, 2, 1, to="b").on("b", "x")


def test_every_field_has_a_meaning_in_words():
    for kind in WRITABLE:
        for field in dataclasses.fields(kind):
            assert meaning(field.name) != "a word", field.name


def test_every_kind_is_in_the_list_of_forms():
    assert len(forms().splitlines()) == len(WRITABLE) == len({kind.form for kind in WRITABLE})
    assert "at TIME crash NODE [for TIME]" in forms()
    assert "{" not in forms()


def test_a_kind_of_its_own_joins_the_vocabulary_and_may_be_defined_again():
    before = list(KINDS)
    try:
        for _ in range(2):  # as when a notebook's cell runs twice

            @dataclasses.dataclass(frozen=True, slots=True)
            class Flood(Fault):
                """The cellar is full of water."""

                form = "at {at_s} flood {node}"
                at_s: float
                node: str

        assert FaultPlan.parse("at 5s flood a").faults == (Flood(5, "a"),)
        assert [k.__name__ for k in KINDS].count("Flood") == 1
        assert "flood NODE" in forms()
    finally:
        KINDS[:] = before
    with pytest.raises(FaultError, match="found 'flood'"):
        FaultPlan.parse("at 5s flood a")


def test_faults_are_frozen_values():
    assert {Pause(1, "a", 2), Pause(1.0, "a", 2.0)} == {Pause(1, "a", 2)}
    assert FailingDisk(1, 2, "a") != FailingDisk(1, 2, "a", 0.5)
    assert CrashAfterWrite(1, "log", "a").begins_s == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        Crash(1, "a").node = "b"
