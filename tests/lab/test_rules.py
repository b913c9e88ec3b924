"""Rules: each generic one has a history that breaks it, one that keeps it, and one that does not exercise it."""

import pytest

from lessonlib.lab.history import History, Record
from lessonlib.lab.rules import (
    Rule,
    Verdict,
    at_most_once,
    broken,
    holds,
    in_order,
    judge_all,
    not_exercised,
    nothing_died,
    rule,
)


def effects(*orders):
    return History(
        Record(i * 1_000_000, "effect", "bank", {"order": order}) for i, order in enumerate(orders)
    )


def steps(*pairs):
    return History(
        Record(i * 1_000_000, "step", "n", {"key": k, "at": int(p)}) for i, (k, p) in enumerate(pairs)
    )


ONCE = at_most_once(
    "once", kind="effect", key=lambda r: r.get("order"), what=lambda r: f"order {r.get('order')}"
)
ORDER = in_order(
    "order", kind="step", key=lambda r: r.get("key"), position=lambda r: r.get("at"),
    what=lambda r: f"{r.get('key')}{r.get('at')}",
)  # fmt: skip
ALIVE = nothing_died()
DIED = Record(2_000_000, "died", "mail", {"task": "worker", "error": "ValueError: no"})


@pytest.mark.parametrize(
    ("one", "history", "sentence", "at_us", "proof"),
    [
        (ONCE, effects(1, 2, 1, 2), "order 1 happened twice: first at 0 s, again at 2 s.", 2_000_000, [0, 2]),
        (ONCE, effects(None, None), "order None happened twice: first at 0 s, again at 1 s.", 1_000_000, [0, 1]),
        (ORDER, steps("a1", "b5", "a3", "a2"), "a2 came after a3, against the order in which they were made.", 3_000_000, [2, 3]),
        (ORDER, steps("a3", "a1", "a2"), "a1 came after a3, against the order in which they were made.", 1_000_000, [0, 1]),
        (ALIVE, History([*effects(1), DIED]), "worker on mail died: ValueError: no", 2_000_000, [1]),
        (ALIVE, History([DIED._replace(node="")]), "worker on the world died: ValueError: no", 2_000_000, [0]),
    ],
)  # fmt: skip
def test_a_history_that_breaks_it(one, history, sentence, at_us, proof):
    verdict = one(history)
    assert verdict == Verdict(one.name, "broken", sentence, at_us, tuple(history[i] for i in proof))
    assert not verdict


@pytest.mark.parametrize(
    ("one", "history", "sentence"),
    [
        (ONCE, effects(1, 2, 3), "3 times effect, each once."),
        (ONCE, effects(1, "1"), "2 times effect, each once."),
        (ORDER, steps("a1", "b1", "a2", "b2"), "2 pairs of neighbours, all in order."),
        (
            ORDER,
            steps("a1", "a2", "a1", "a3"),
            "2 pairs of neighbours, all in order.",
        ),  # a repeat is no reordering
        (ALIVE, effects(1), "Every task that failed was noticed by its owner."),
    ],
)
def test_a_history_that_keeps_it(one, history, sentence):
    assert one(history) == Verdict(one.name, "holds", sentence)
    assert one(history)


@pytest.mark.parametrize(
    ("one", "history", "sentence"),
    [
        (ONCE, steps("a1"), "No effect was recorded."),
        (ORDER, effects(1, 2), "No key had two records to compare."),
        (ORDER, steps("a1", "b1", "a1"), "No key had two records to compare."),
        (ALIVE, History(), "Nothing happened."),
    ],
)
def test_a_history_that_does_not_exercise_it(one, history, sentence):
    verdict = one(history)
    assert verdict == Verdict(one.name, "not exercised", sentence)
    assert verdict  # it is no failure


def test_a_rule_of_ones_own():
    @rule("it happens", kind="liveness")
    def happens(history):
        return holds("It did.") if history.of("it") else broken("It did not.", at_us=5)

    assert isinstance(happens, Rule) and happens.kind == "liveness"
    assert happens(History()) == Verdict("it happens", "broken", "It did not.", 5)
    assert str(happens(History())) == "it happens: broken at 0.000005 s. It did not."
    assert str(happens(History([Record(0, "it", "", {})]))) == "it happens: holds. It did."


def test_a_broken_rule_without_proof_has_no_time():
    assert broken("So it is.").at_us is None
    assert broken("So it is.", DIED).at_us == 2_000_000
    assert broken("So it is.", DIED, at_us=7).at_us == 7
    assert (
        str(Verdict("r", *[getattr(not_exercised("No."), f) for f in ("status", "sentence")]))
        == "r: not exercised. No."
    )


def test_all_rules_are_judged_in_order():
    verdicts = judge_all([ONCE, ORDER, ALIVE], effects(1, 1))
    assert [(v.rule, v.status) for v in verdicts] == [
        ("once", "broken"), ("order", "not exercised"), ("no task dies unseen", "holds")
    ]  # fmt: skip
