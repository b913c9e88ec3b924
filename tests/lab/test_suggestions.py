"""A misspelt name is met with the one that was probably meant, and a fault that struck nothing is pointed out."""

import pytest

from lessonlib.errors import LessonError
from lessonlib.event_driven.scenario import FANOUT, ORDERS
from lessonlib.lab.faults import Crash, FaultError, FaultPlan, Loss, Partition, clause
from lessonlib.lab.missed import missed
from lessonlib.lab.suggest import did_you_mean


@pytest.mark.parametrize(
    ("run", "meant"),
    [
        (lambda: FaultPlan.parse("at 1s crsh shop"), "'crash'"),
        (lambda: FaultPlan.parse("1s..2s slow-handlr email by 1s"), "'slow-handler'"),
        (lambda: ORDERS.run(plan="at 1s crash inventry"), "'inventory'"),
        (lambda: ORDERS.run(plan="1s..2s lose 10% to brker"), "'broker'"),
        (lambda: ORDERS.run(plan="1s..2s fail emal"), "'email'"),
        (lambda: ORDERS.run("textbok"), "'textbook'"),
        (lambda: ORDERS.run(rate_s=3), "'rate_per_s'"),
        (lambda: ORDERS.run(parts={"publishr": dict}), "'publisher'"),
    ],
)
def test_what_was_probably_meant_is_named(run, meant):
    with pytest.raises(LessonError, match=f"did you mean ({meant})\\?$"):
        run()


@pytest.mark.parametrize(
    "run", [lambda: FaultPlan.parse("at 1s xyzzy shop"), lambda: ORDERS.run(plan="at 1s crash xyzzy")]
)
def test_where_nothing_is_close_nothing_is_suggested(run):
    with pytest.raises(LessonError) as refused:
        run()
    assert "did you mean" not in str(refused.value)


def test_what_is_no_word_gets_no_suggestion():
    assert did_you_mean(3, ["three"]) == did_you_mean("", ["three"]) == ""


# ---- A fault from its fields -----------------------------------------------------------------------------


def test_a_fault_is_written_from_a_token_for_each_field():
    assert clause(Crash, {"at_s": "1s", "node": "shop"}) == "at 1s crash shop"
    assert clause(Crash, {"at_s": "1s", "node": "shop", "down_s": " 2s "}) == "at 1s crash shop for 2s"
    assert clause(Loss, {"start_s": "1s", "end_s": "2s", "probability": "5%", "to": "b", "source": " "}) == (
        "1s..2s lose 5% to b"
    )
    assert clause(Partition, {"start_s": "1s", "end_s": "2s", "left": "a,b", "right": "c"}) == (
        "1s..2s partition a,b | c"
    )


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ({"at_s": "1s"}, "crash needs 'node': a node's name"),
        ({"node": "shop"}, "crash needs 'at_s': a time such as 5s"),
        ({"at_s": "soon", "node": "shop"}, "found 'soon'"),
        ({"at_s": "1s", "node": "a b"}, "expected 'losing' or 'for' or the end|expected the end"),
    ],
)
def test_a_token_that_is_missing_or_wrong_is_named(tokens, words):
    with pytest.raises(FaultError, match=words):
        clause(Crash, tokens)


# ---- Faults that struck nothing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("at 60s crash shop for 1s", "begins at 60 s, and the last call had ended at 2."),
        (
            "after write 999 to stock crash inventory for 1s",
            "inventory never wrote a record number 999 to stock",
        ),
        ("at 1s crash shop for 1s; at 60s crash shop for 1s", "'at 60s crash shop for 1s' struck nothing"),
    ],
)
def test_a_fault_after_the_end_of_the_workload_is_pointed_out(plan, words):
    [sentence] = missed(ORDERS.run(plan=plan, orders=20))
    assert words in sentence


def test_of_two_equal_faults_both_are_looked_at():
    assert len(missed(ORDERS.run(plan="at 60s crash shop for 1s; at 60s crash shop for 1s", orders=20))) == 2


@pytest.mark.parametrize(
    "plan", ["", "at 1s crash shop for 1s", "after write 5 to stock crash inventory for 1s"]
)
def test_a_fault_that_strikes_is_not_mentioned(plan):
    assert missed(ORDERS.run(plan=plan, orders=20)) == ()


def test_a_poison_after_the_last_event_is_pointed_out_too():
    assert missed(FANOUT.run(plan="at 30s poison email", orders=20))
