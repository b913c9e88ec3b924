"""The space-time diagram and the leader timeline, on a made-up cluster, so that nothing here knows a lesson."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from view_runs import PLAN, SHOP, cluster, made_up

from lessonlib.views import Bands, ViewError, leaders, space_time, timeline
from lessonlib.views.arrows import type_of
from lessonlib.views.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def split():
    return cluster()


@pytest.fixture(scope="module")
def calm():
    return cluster(split=False)


def texts(picture) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture.svg).iter(f"{SVG}text")]


def turn(t_s, node, target, term, source="follower"):
    return (round(t_s * 1e6), "transition", node, {"source": source, "target": target, "term": term})


@pytest.mark.parametrize("view", [space_time, leaders])
def test_the_same_run_gives_the_same_bytes_and_all_of_it_is_on_the_sheet(split, view):
    picture = view(split)
    assert picture.svg == view(cluster()).svg
    root = ElementTree.fromstring(picture.svg)
    height = float(root.attrib["viewBox"].split()[3])
    for element in root.iter():
        for name, most in (("x", WIDTH), ("y", height)):
            assert 0 <= float(element.attrib.get(name, 0)) <= most, element.attrib
    assert len(picture.describe().splitlines()) <= 15


def test_roles_stand_on_the_lanes_with_their_terms(split):
    for picture in (space_time(split), leaders(split)):
        assert {"leader, term 1", "leader, term 2", "follower, term 2"} <= set(texts(picture))


def test_leaders_of_different_terms_have_different_colours(split):
    fills = re.findall(r'fill="(#[0-9a-f]{6})" stroke="\1" stroke-width="0.8"', leaders(split).svg)
    assert len(set(fills)) == 2


def test_two_leaders_at_a_time_are_pointed_out_and_one_alone_is_not(split, calm):
    assert "2 leaders, terms 1 and 2" in texts(space_time(split))
    said = "2 leaders: node-1 (term 1) does not know yet of node-2 (term 2)."
    assert said in space_time(split).describe() and said in leaders(split).describe()
    for picture in (space_time(calm), leaders(calm)):
        assert not any("2 leaders" in text for text in (*texts(picture), picture.describe()))
    assert "Never two leaders at a time." in leaders(calm).describe()


def test_two_leaders_of_one_term_or_without_terms_are_told_apart_from_an_old_one():
    same = made_up([turn(1, "a", "leader", 3), turn(2, "b", "leader", 3), turn(4, "b", "follower", 3)])
    assert "2 leaders OF ONE TERM: a (term 3) and b (term 3)" in leaders(same).describe()
    none = made_up([turn(1, "a", "leader", 0), turn(2, "b", "leader", 0), turn(4, "b", "follower", 0)])
    assert "2 leaders, and no terms: a and b" in leaders(none).describe()


def test_the_longest_time_without_a_leader_is_measured():
    run = made_up([turn(1, "a", "leader", 1), turn(3, "a", "follower", 2), turn(3.25, "b", "leader", 2)])
    words = leaders(run, start_s=0.5).describe()
    assert "750 ms in 2 parts; the longest lasted 500 ms, from 0.5 s to 1 s" in words
    assert "There was a leader all the time." in leaders(run, start_s=1, end_s=2).describe()


def test_a_crash_ends_a_reign_and_a_pause_does_not():
    ends = made_up(
        [turn(1, "a", "leader", 1), (2_000_000, "crash", "a", {}), (3_000_000, "restart", "a", {})]
    )
    assert "a believed itself leader: term 1 from 1 s to 2 s." in leaders(ends).describe()
    goes_on = made_up(
        [turn(1, "a", "leader", 1), (2_000_000, "pause", "a", {}), (3_000_000, "resume", "a", {})]
    )
    assert "a believed itself leader: term 1 from 1 s to 4 s." in leaders(goes_on).describe()


def test_a_follower_that_learns_a_term_without_a_transition_shows_it():
    answer = {"to": "a", "message": 1, "body": {"type": "append reply", "term": 2}}
    run = made_up(
        [turn(0.5, "b", "follower", 1), (2_000_000, "sent", "b", answer), turn(3, "a", "leader", 2)]
    )
    assert {"follower, term 1", "follower, term 2"} <= set(texts(leaders(run)))


def test_who_is_cut_off_from_whom_stands_in_each_lane(split):
    shown = texts(space_time(split))
    assert "cut off from node-2, node-3" in shown and shown.count("cut off from node-1") == 2
    assert "node-1 cut off from node-2, node-3 from 1 s to 2.5 s" in space_time(split).describe()


def test_a_one_way_partition_says_which_way():
    sent = [(t, "sent", n, {"to": "c", "message": t, "body": {}}) for t, n in ((1, "a"), (2, "b"), (3, "c"))]
    words = space_time(
        made_up(sent, plan="0s..1s partition a > b"), end_s=2, lanes=["a", "b", "c"]
    ).describe()
    assert "a is not heard by b from 0 s to 1 s" in words and "b does not hear a from 0 s to 1 s" in words


def test_a_link_that_flaps_is_cut_now_and_then_and_partitions_that_follow_each_other_are_one_bar():
    sent = [(t, "sent", n, {"to": "a", "message": t, "body": {}}) for t, n in ((1, "a"), (2, "b"))]
    flaps = space_time(made_up(sent, plan="0s..1s flap-link a | b every 200ms"), end_s=2)
    assert "a cut off now and then from b from 0 s to 1 s" in flaps.describe()
    twice = space_time(made_up(sent, plan="0s..1s partition a | b; 1s..2s partition b | a"), end_s=3)
    assert "a cut off from b from 0 s to 2 s" in twice.describe()


def test_messages_wear_their_type_and_an_empty_append_is_a_heartbeat(split):
    shown = texts(space_time(split, start_s=1.2, end_s=1.35))
    assert {"vote request", "vote", "heartbeat", "message that was lost"} <= set(shown)
    assert type_of({"type": "append", "entries": [1]}) == "append" and type_of(7) == "message"


def test_only_the_chosen_types_are_drawn(split):
    words = space_time(split, types=["vote", "vote request"]).describe()
    assert "Messages between the lanes: vote request 4 (1 lost), vote 3." in words
    assert "heartbeat" not in words
    assert "none" in space_time(split, types=[]).describe()


def test_frequent_messages_are_thinned_and_the_picture_says_so(split):
    picture = space_time(split)
    said = re.search(r"Not every message is drawn: heartbeat (\d+) of 198", picture.describe())
    assert said and int(said[1]) < 198
    assert "heartbeat (some of 198)" in texts(picture)
    assert "Not every" not in space_time(split, start_s=1.2, end_s=1.35).describe()


def test_a_picture_without_roles_has_none(split):
    assert not any("leader" in text for text in texts(space_time(split, bands=None)))


def test_states_of_other_machines_can_be_bands():
    run = made_up(
        [(1_000_000, "turned", "n1", {"target": "open"}), (2_000_000, "turned", "n2", {"target": "open"})]
    )
    bands = Bands(kind="turned", initial="closed", strong=(), number="")
    assert {"closed", "open"} <= set(texts(space_time(run, bands=bands)))
    assert (
        "2 opens" in leaders(run, bands=Bands(kind="turned", initial="closed", strong=("open",))).describe()
    )


def test_what_a_timeline_shows_it_shows_too(split):
    words = space_time(split).describe()
    assert "Calls on node-1: 2, of these 1 ok, 1 unknown" in words and "Stored: store 10." in words
    assert "Down: node-1" in words and "Paused: node-3" in words
    assert "Calls" not in space_time(split, ops=["read"]).describe()
    faulty = SHOP.run("textbook", plan=PLAN)
    assert set(timeline(faulty).describe().splitlines()[2:6]) & set(
        space_time(faulty).describe().splitlines()
    )


def test_a_run_without_recorded_messages_says_so():
    assert "recorded no messages" in space_time(SHOP.run("pattern", messages=False)).describe()


def test_hostile_names_are_escaped():
    sent = {"to": "<b>&", "message": 1, "body": {"type": "<i>", "term": 1}}
    run = made_up(
        [turn(1, "<b>&", "<leader>", 1), (1_500_000, "sent", "a\x00", sent), turn(2, "a\x00", "leader", 1)]
    )
    for picture in (space_time(run), leaders(run)):
        ElementTree.fromstring(picture.svg)
        assert "<b>" not in picture.html


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda run: space_time(run, types=["gossip"]),
            "no message of type 'gossip' in this run; choose from 'vote",
        ),
        (lambda run: space_time(run, types="vote"), "types='vote' is one word"),
        (lambda run: space_time(run, ops="read"), "ops='read' is one word"),
        (lambda run: space_time(run, lanes=["moon"]), "no lane 'moon'"),
        (lambda run: leaders(run, nodes=["moon"]), "choose from 'node-1', 'node-2', 'node-3'"),
        (lambda run: leaders(run, nodes="node-1"), "choose from"),
        (lambda run: leaders(run, bands=Bands(kind="none")), "nobody changed its role"),
        (lambda run: leaders(run, start_s=99), "start_s=99 is after"),
        (lambda run: space_time(run, start_s=300, end_s=400), "start_s=300 is not before the run's end, at"),
        (lambda run: leaders("run"), "shows one run"),
        (lambda run: Bands(strong="leader"), "strong='leader' is one word"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(split, call, words):
    with pytest.raises(ViewError, match=re.escape(words)):
        call(split)
