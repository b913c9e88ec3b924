"""Suspicion over time and work that moves, on made-up runs, so that nothing here knows a lesson."""

from __future__ import annotations

from itertools import product
from xml.etree import ElementTree

import pytest
from view_runs import SHOP, made_up, watched, working

from lessonlib.views import ViewError, suspicion, work
from lessonlib.views.work_table import least_moves

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture.svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(("view", "run"), [(suspicion, watched), (work, working)])
def test_the_same_run_gives_the_same_bytes(view, run):
    assert view(run()).svg == view(run()).svg


def test_a_dead_node_was_suspected_after_so_long_and_a_live_one_falsely():
    picture = suspicion(watched())
    words = picture.describe()
    assert "node-1: down from 2 s to 6 s: suspected after 400 ms, withdrawn at 6.1 s." in words
    assert "node-2: paused from 5 s to 5.2 s: never suspected." in words
    assert (
        "node-3: SUSPECTED THOUGH REACHABLE, 1 in all: 7.4 s to 7.6 s. Highest level 10 of a threshold of 8."
        in words
    )
    assert "In the whole run, suspected though up, running and reachable: 1." in texts(picture)
    assert {"suspected after 400 ms", "though reachable", "threshold 8", "phi"} <= set(texts(picture))


def test_a_suspicion_of_a_node_that_is_cut_off_is_none_of_a_reachable_one():
    about = {"about": "a", "suspected": True, "silence_s": 0.5}
    records = [(0, "watching", "w", {"nodes": ["a"]}), (1_500_000, "suspicion", "w", about)]
    cut = suspicion(made_up(records, plan="1s..2s partition w | a")).describe()
    assert "a: cut off from 1 s to 2 s: suspected after 500 ms, never withdrawn." in cut
    one_way = suspicion(made_up(records, plan="1s..2s partition w > a")).describe()
    assert "SUSPECTED THOUGH REACHABLE, 1 in all" in one_way  # what the node sends still arrives


def test_a_suspicion_that_comes_just_after_an_outage_is_due_to_it():
    about = {"about": "a", "suspected": True, "silence_s": 0.7}
    records = [
        (1_000_000, "pause", "a", {}),
        (1_600_000, "resume", "a", {}),
        (1_700_000, "suspicion", "w", about),
    ]
    assert "suspected after 700 ms" in suspicion(made_up(records)).describe()


def test_who_is_paused_or_cut_off_is_counted_apart_from_who_is_well_and_who_is_dead():
    def suspected(about, t_us):
        return (t_us, "suspicion", "w", {"about": about, "suspected": True, "silence_s": 0.5})

    records = [
        (1_000_000, "pause", "a", {}),
        suspected("a", 1_500_000),
        suspected("b", 1_500_000),
        (2_000_000, "resume", "a", {}),
        (3_000_000, "crash", "c", {}),
        suspected("c", 3_500_000),
    ]
    picture = suspicion(made_up(records, plan="1s..2s partition w | b"))
    lines = [
        "In the whole run, suspected though up, running and reachable: 0.",
        "Suspected while alive, but paused or cut off: a (paused), b (cut off).",
    ]
    assert picture.describe().splitlines()[-2:] == lines
    assert set(lines) <= set(texts(picture))
    assert "while alive" not in suspicion(watched()).describe()


def test_a_detector_without_levels_has_no_curve():
    run = made_up([(1_000_000, "suspicion", "w", {"about": "a", "suspected": True})])
    assert "phi" not in texts(suspicion(run))


def test_work_is_counted_for_each_node_and_moves_against_the_least_possible():
    picture = work(working())
    words = picture.describe()
    assert "0.1 s (placed): node-1 has 4, node-2 has 3, node-3 has 3; even; placed." in words
    assert "node-3 has 3 (not alive); 3 WITH NO ONE ALIVE; 0 moved, least 3." in words
    assert "node-1 has 6, node-2 has 4; NOT EVEN; 3 moved, least 3: item-3, item-6, item-9." in words
    assert "even; 8 moved, least 3: item-1, item-2, item-4" in words
    assert "its owner is not alive" in texts(picture) and "8 moved, least 3" in texts(picture)


def test_a_part_of_the_run_is_compared_with_what_was_before_it():
    assert "3 moved, least 3" in work(working(), start_s=2.2, end_s=3).describe()


def test_the_least_possible_is_that_of_trying_all_assignments():
    nodes, items = ["a", "b", "c"], [1, 2, 3, 4, 5]
    even = [
        owners
        for owners in product(nodes, repeat=len(items))
        if max(map(owners.count, nodes)) - min(map(owners.count, nodes)) <= 1
    ]
    for before in product([*nodes, "dead", None], repeat=len(items)):
        had = {item: owner for item, owner in zip(items, before, strict=True) if owner is not None}
        least = min(
            sum(b is not None and a != b for a, b in zip(after, before, strict=True)) for after in even
        )
        assert least_moves(had, items, nodes) == least


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: suspicion(SHOP.run()), "nobody watches anybody"),
        (lambda: suspicion(watched(), nodes=["moon"]), "choose from 'node-1', 'node-2', 'node-3'"),
        (lambda: suspicion(watched(), watcher="moon"), "choose from 'watcher'"),
        (lambda: suspicion(watched(), threshold=0), "give a number above 0"),
        (lambda: suspicion(watched(), start_s=5, end_s=4), "swap them"),
        (lambda: work(SHOP.run()), "no work was assigned"),
        (lambda: work(working(), start_s=5.5), "choose another part"),
        (lambda: work(working(), start_s="8"), "start_s='8' is not a time"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(call, words):
    with pytest.raises(ViewError, match=words):
        call()
