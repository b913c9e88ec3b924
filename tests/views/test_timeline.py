from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest
from view_runs import PLAN, SHOP, made_up

from lessonlib.lab.history import Record
from lessonlib.lab.rules import Rule, broken, rule
from lessonlib.views import DEFAULT_MARKS, Mark, ViewError, space_time, timeline
from lessonlib.views.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture.svg).iter(f"{SVG}text")]


def test_the_same_run_gives_the_same_bytes(faulty):
    again = SHOP.run("textbook", plan=PLAN)
    assert space_time(again).svg == space_time(faulty).svg
    assert timeline(again).describe() == timeline(faulty).describe()


def test_lanes_go_from_who_calls_over_who_carries_to_who_handles(faulty):
    assert "Lanes: shop, broker, " in timeline(faulty).describe()
    assert "Lanes: orders, shop." in timeline(faulty, lanes=["orders", "shop"]).describe()


def test_the_words_say_what_the_picture_shows(faulty):
    words = timeline(faulty).describe()
    assert re.search(r"Calls on shop: 12, of these \d+ ok, \d+ failed", words), words
    assert "1 unknown" in words
    assert "for inventory (node is down)" in words and "for broker (partition)" in words
    assert "Down: inventory from 0.6 s to 1.1 s." in words
    assert "Paused: orders from 2.2 s to 2.5 s." in words
    assert "'1s..1.6s partition shop | broker' (from 1 s to 1.6 s)" in words
    first = faulty.broken[0]
    assert f"Broken 1, at {first.at_us / 1e6:.3f}"[:-1] in words and first.sentence in words
    assert len(words.splitlines()) <= 15


def test_faults_stand_in_the_picture_with_their_text_and_spans_with_their_word(faulty):
    shown = texts(timeline(faulty))
    for fault in faulty.plan:
        assert str(fault) in shown
    assert "down" in shown and "paused" in shown


def test_a_run_without_trouble_says_so(healthy):
    words = timeline(healthy).describe()
    assert "No fault struck." in words and "No rule was broken." in words
    assert "No rule was broken." in texts(timeline(healthy))


def test_everything_drawn_has_a_legend_entry(faulty):
    shown = texts(timeline(faulty)) + texts(space_time(faulty))
    for name in (
        "call ok",
        "call failed",
        "call unknown",
        "handled",
        "handled again",
        "message lost",
        "node down",
        "node paused",
        "message",
        "message that was lost",
        "a fault's time, where it strikes",
        "rule broken (its number in the list below)",
    ):
        assert name in shown, name


def test_the_legend_names_nothing_that_is_not_there(healthy):
    shown = texts(timeline(healthy))
    assert "handled" in shown and not {"call failed", "handled again", "node down", "message"} & set(shown)


def test_each_default_mark_is_drawn_and_named():
    kinds = [mark.kinds[0] for mark in DEFAULT_MARKS]
    run = made_up([(i * 1000, kind, "a", {"error": "x"}) for i, kind in enumerate(kinds)])
    shown = texts(timeline(run))
    assert [mark.name for mark in DEFAULT_MARKS if mark.name not in shown] == []


def test_a_table_of_marks_of_ones_own():
    run = made_up([(1000, "elected", "a", {"term": 1}), (2000, "elected", "a", {"term": 1})])
    words = timeline(
        run, marks=[Mark("elected", ("elected",), "triangle", key=lambda r: r.get("term"))]
    ).describe()
    assert "Elected: a 2 (1 again)." in words


def test_names_that_look_like_markup_are_only_text(crowded):
    picture = timeline(crowded)
    assert "<b>&" in texts(picture)  # parsed back to what it was
    assert "<b>" not in picture.html and "<b>" not in picture.svg


def test_text_that_xml_cannot_hold_is_replaced():
    picture = timeline(made_up([(1000, "handled", "a\x00\ue000b", {"order": "\x1b]"})]))
    assert "a\ufffd\ufffdb" in texts(picture)


def test_ten_thousand_orders_stay_small_and_are_counted(crowded):
    picture = space_time(crowded)
    assert len(picture.svg) < 150_000 and len(picture.html) < 250_000
    words = picture.describe()
    assert "Calls on shop: 10000, of these 9000 ok, 1000 failed" in words
    assert "<b>& 9100 (100 again)" in words
    assert any("drawn: message 104 of 10000. Zoom in" in text for text in texts(picture))


def test_zooming_in_shows_single_things_again(crowded):
    picture = timeline(crowded, start_s=1, end_s=1.03)
    assert "Calls on shop: 31, of these 27 ok, 4 failed" in picture.describe()
    assert any(text.startswith("A column counts") for text in texts(timeline(crowded)))
    assert not any(text.startswith("A column counts") for text in texts(picture))


def test_a_repeat_is_one_even_where_the_first_is_off_the_picture():
    run = made_up([(0, "handled", "a", {"order": 1}), (1_000_000, "handled", "a", {"order": 1})])
    assert "Handled: a 1 (1 again)." in timeline(run, start_s=0.5, end_s=2).describe()


def test_identifiers_differ_between_pictures_and_are_unique_in_each(faulty, healthy):
    def ids(picture):
        return re.findall(r'\bid="([^"]+)"', picture.svg)

    first, second = ids(timeline(faulty)), ids(timeline(healthy))
    assert len(first) == len(set(first)) and not set(first) & set(second)
    used = set(re.findall(r"url\(#([^)]+)\)", timeline(faulty).svg))
    assert used and used <= set(first)


def test_nothing_is_drawn_outside_the_sheet(faulty, crowded):
    for run in (faulty, crowded):
        root = ElementTree.fromstring(timeline(run).svg)
        height = float(root.attrib["viewBox"].split()[3])
        for element in root.iter():
            for name, most in (("x", WIDTH), ("y", height)):
                assert 0 <= float(element.attrib.get(name, 0)) <= most, element.attrib


def test_flags_of_rules_that_break_together_do_not_cover_each_other():
    def break_at(name: str) -> Rule:
        return rule(name)(lambda history: broken("So it was.", history[0]))

    run = made_up(
        [(5_000, "handled", "a", {"order": 1})], rules=tuple(break_at(f"rule {i}") for i in range(12))
    )
    root = ElementTree.fromstring(timeline(run).svg)
    xs = [
        float(e.attrib["x"])
        for e in root.iter(f"{SVG}text")
        if (e.text or "").isdigit() and e.attrib.get("y") == "38.5"
    ]
    assert len(xs) == 12 and all(b - a >= 15 for a, b in itertools.pairwise(xs))
    assert "and 4 more" in texts(timeline(run))


def test_a_call_without_an_end_is_drawn_as_one_without_an_answer():
    run = made_up(
        [(1_000, "invoke", "shop", {"op": "publish", "call": 1}), (9_000, "handled", "a", {"order": 1})]
    )
    assert "1 no answer (made at 0.001 s)" in timeline(run).describe()
    assert "call no answer" in texts(timeline(run))


def test_a_crash_for_good_lasts_to_the_end():
    run = SHOP.run("textbook", plan="at 1s crash broker")
    assert "Down: broker from 1 s to the end." in timeline(run).describe()


def test_the_bundle_carries_the_picture_and_the_words(faulty):
    picture = timeline(faulty)
    bundle = picture._repr_mimebundle_()
    assert bundle["text/plain"] == picture.describe() == repr(picture)
    assert bundle["text/html"].startswith('<img alt="Timeline of SHOP (textbook)')
    assert 'role="img"' in picture.svg and "<title" in picture.svg and "<desc" in picture.svg


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"lanes": ["shop", "moon"]}, "no lane 'moon'"),
        ({"lanes": []}, "names no lanes"),
        ({"lanes": "shop"}, "give a list of nodes"),
        ({"start_s": 3, "end_s": 2}, "start_s=3 is not before end_s=2"),
        ({"start_s": 2, "end_s": 2}, "swap"),
        ({"start_s": 900}, "after the last thing"),
        ({"start_s": -1}, "start_s=-1 is not a time"),
        ({"end_s": "2"}, "end_s='2' is not a time"),
        ({"end_s": float("inf")}, "finite"),
        ({"end_s": float("nan")}, "finite"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(faulty, arguments, said):
    with pytest.raises(ViewError, match=re.escape(said)):
        timeline(faulty, **arguments)


def test_a_run_without_records_and_what_is_no_run_are_refused():
    with pytest.raises(ViewError, match="recorded nothing"):
        timeline(made_up([]))
    with pytest.raises(ViewError, match="no lanes"):
        timeline(made_up([(0, "fault", "", {"fault": "x", "phase": "begins"})]))
    with pytest.raises(ViewError, match="not Record"):
        timeline(Record(0, "a", "b", {}))
    with pytest.raises(ViewError, match="shape 'star'"):
        Mark("x", ("x",), "star")
    with pytest.raises(ViewError, match="tuple"):
        Mark("x", "handled")


def test_a_message_that_ends_off_the_picture_keeps_its_slope():
    sent = (0, "sent", "a", {"to": "b", "message": 1})
    run = made_up([sent, (2_000_000, "delivered", "b", {"source": "a", "message": 1})])
    whole, half = (
        re.search(
            r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)" stroke="#0067a5"',
            space_time(run, end_s=s).svg,
        )
        for s in (2, 1)
    )
    rise = [float(found[4]) - float(found[2]) for found in (whole, half)]
    assert rise[1] == pytest.approx(rise[0] / 2, abs=0.2)
