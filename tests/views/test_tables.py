from __future__ import annotations

from xml.etree import ElementTree

import pytest
from view_runs import SUBSCRIBERS, made_up

from lessonlib.lab.rules import not_exercised, rule
from lessonlib.views import ViewError, fan_out, verdicts


def cells(view) -> list[list[str]]:
    root = ElementTree.fromstring("<div>" + view.html.replace("&nbsp;", " ") + "</div>")
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


def order(t_us, number, *, ok=True, handled=()):
    about = {"op": "publish", "call": number, "order": number}
    yield (t_us, "invoke", "shop", about)
    yield (t_us + 5_000, "ok" if ok else "failed", "shop", about)
    for i, name in enumerate(handled, 1):
        yield (t_us + 10_000 * i, "handled", name, {"order": number})


MIXED = [
    *order(0, 1, handled=["a"]),
    *order(100_000, 2, handled=["a", "a"]),
    *order(200_000, 3),
    *order(300_000, 4, ok=False, handled=["a"]),
    *order(400_000, 5),
    *order(500_000, 6, ok=False),
    (450_000, "dead letter", "a", {"order": 5}),
]


def test_lost_doubled_set_aside_and_delay_are_counted():
    view = fan_out(made_up(MIXED), subscribers=["a", "b"])
    head, a, b = cells(view)[:3]
    assert dict(zip(head[1:], a[1:], strict=True)) == {
        "Subscriber": "a",
        "Acknowledged": "4",
        "Reached": "2",
        "Lost": "1",
        "Doubled": "1",
        "Set aside": "1",
        "Reached, not acknowledged": "1",
        "Median delay": "10 ms",
        "Worst delay": "10 ms",
    }
    assert b == ["b", "4", "0", "4", "0", "0", "0", "–", "–"]


def test_few_orders_are_shown_one_by_one():
    matrix = cells(fan_out(made_up(MIXED), subscribers=["a", "b"]))[3:]
    assert matrix == [
        ["", "1", "2", "3", "4", "5", "6"],
        ["a", "✓", "×2", "✗", "(✓)", "D", "–"],
        ["b", "✗", "✗", "✗", "–", "✗", "–"],
    ]


def test_the_words_name_the_lost_orders():
    words = fan_out(made_up(MIXED), subscribers=["a"]).describe()
    assert "a: reached 2, lost 1 (orders 3), doubled 1 (orders 2), set aside 1" in words


def test_a_dead_letter_in_a_file_is_no_loss():
    letter = {"subscription": "a", "event": {"data": {"order_id": 1}}}
    run = made_up([*order(0, 1), (9_000, "written", "a", {"file": "dead-letters", "record": letter})])
    assert "lost 0, doubled 0, set aside 1" in fan_out(run, subscribers=["a"]).describe()


def test_runs_side_by_side_have_the_same_rows(faulty, healthy):
    view = fan_out([faulty, healthy])
    assert view.html == fan_out([faulty, healthy]).html
    named = [row for row in cells(view) if "SHOP (textbook)" in row[0] or "SHOP (pattern)" in row[0]]
    assert len(named) == 2
    assert all(view.describe().count(f"\n{name}: ") == 2 for name in SUBSCRIBERS)


def test_ten_thousand_orders_are_counted_not_listed(crowded):
    view = fan_out(crowded)
    assert (
        "9000 orders acknowledged" in view.describe()
        and "doubled 100 (orders 1, 101, 201, 301, 401 and 95 more)" in view.describe()
    )
    assert len(view.html) < 5_000 and "<b>&<" not in view.html


def test_verdicts_use_words_and_symbols_and_end_with_the_replay_line(faulty):
    view = verdicts(faulty)
    rows = {row[0]: row[1] for row in cells(view)[1:]}
    assert rows["every acknowledged order reaches every subscriber"].startswith("✗ BROKEN at ")
    assert faulty.replay.replace('"', "&quot;").replace("'", "&#x27;") in view.html
    assert faulty.replay in view.describe() and "are BROKEN" in view.describe()


def test_verdicts_of_several_runs_stand_side_by_side(faulty, healthy):
    view = verdicts([faulty, healthy])
    head, first = cells(view)[:2]
    assert head == ["Rule", "SHOP (textbook)", "SHOP (pattern)"]
    assert first[1].startswith("✗ BROKEN at ") and first[2] == "✓ holds"
    assert verdicts([faulty, faulty]).describe().startswith("run 1: ")


def test_a_rule_that_was_not_put_to_the_test_says_so_and_is_only_text():
    idle = rule("<i>idle</i>")(lambda history: not_exercised("No <b>."))
    view = verdicts(made_up(MIXED, rules=(idle,)))
    assert cells(view)[1] == ["<i>idle</i>", "○ not exercised", "No <b>."]
    assert "1 not exercised" in view.describe()


def test_what_makes_no_sense_is_refused_in_a_sentence(faulty):
    with pytest.raises(ViewError, match="a run or a list of runs"):
        verdicts([])
    with pytest.raises(ViewError, match="a run or a list of runs"):
        fan_out("ORDERS")
    with pytest.raises(ViewError, match="give subscribers"):
        fan_out(faulty, arrived="nothing like it")
    with pytest.raises(ViewError, match="one name"):
        fan_out(faulty, subscribers="email")
    with pytest.raises(ViewError, match="recorded nothing"):
        fan_out(made_up([]))
