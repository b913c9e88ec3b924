"""Views of streams: load by partition, buffer depth, event time against arrival, assignment."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from view_runs import made_up

from lessonlib.stream_processing.departures import choices, departures
from lessonlib.stream_processing.scenario import BATCHES, WINDOWS
from lessonlib.views import ViewError, assignment, depth, load, waiting, windows


def placed(key, partition):
    return (1000, "placed", "p", {"key": key, "partition": partition})


def waits(t_us, partition, depth_):
    return (t_us, "depth", "p", {"partition": partition, "depth": depth_})


def arrived(t_us, number, time_s, source="JFK"):
    return (t_us, "arrived", "c", {"number": number, "time_s": time_s, "source": source, "key": "a"})


ASSIGNED = [
    (
        1000,
        "assigned",
        "b",
        {"members": ["w-1", "w-2"], "before": {}, "after": {"w-1": [0, 1], "w-2": [2, 3]}},
    ),
    (
        2_000_000,
        "assigned",
        "b",
        {
            "members": ["w-1", "w-2", "w-3"],
            "before": {"w-1": [0, 1], "w-2": [2, 3]},
            "after": {"w-1": [0, 1], "w-2": [2], "w-3": [3]},
        },
    ),
]
EVENTS = [
    arrived(1_000_000, 1, 30_000),
    arrived(2_000_000, 2, 36_000, "<b>&"),
    (2_000_000, "watermark", "c", {"value_s": 32_000}),
    (2_100_000, "result", "c", {"key": "a", "start_s": 28_800, "end_s": 32_400, "value": 1}),
    (2_500_000, "watermark", "c", {"value_s": 33_000}),
    arrived(3_000_000, 3, 31_000),
    (3_000_000, "late", "c", {"number": 3, "key": "a", "time_s": 31_000, "behind_s": 2_000}),
    arrived(3_500_000, 4, 29_000),
]


# ---- Load ------------------------------------------------------------------------------------------------


def test_load_names_the_fullest_partition_the_hot_key_and_scattered_keys():
    pairs = [("hot", 0)] * 20 + [(f"k{i}", i % 4) for i in range(20)] + [("k1", 2)]
    words = load(pairs, title="Orders").describe()
    assert "41 events of 21 keys in 4 partitions; a fair share is 10.25" in words
    assert "Most in partition 0: 25 (2.4 times a fair share); fewest in partition 1: 5." in words
    assert "Hot keys: hot (20 events, partition 0)." in words
    assert "1 of 21 keys are in more than one partition: k1." in words


def test_load_of_a_run_reads_where_events_went_and_shows_empty_partitions():
    run = made_up([placed("a", 0), placed("<b>&", 2), placed("a", 0)])
    picture = load(run, partitions=5)
    ElementTree.fromstring(picture.svg)
    assert "in 5 partitions" in picture.describe() and "partition 4" in picture.svg


def test_every_hot_key_of_a_partition_is_told():
    words = load([("a", 0)] * 9 + [("b", 0)] * 6 + [("c", 1)] * 5, partitions=2).describe()
    assert (
        "Hot keys: a (9 events, partition 0), b (6 events, partition 0), c (5 events, partition 1)." in words
    )


def test_no_key_is_hot_among_many():
    assert "No key is hot." in load([(f"k{i}", i % 3) for i in range(300)]).describe()


# ---- Depth -----------------------------------------------------------------------------------------------


def test_depth_says_the_peak_the_bound_and_who_passed_it():
    run = made_up(
        [
            (0, "configured", "p", {"buffer": 3}),
            waits(1000, 0, 2),
            waits(2000, 0, 5),
            waits(3000, 0, 0),
            waits(3000, 1, 1),
        ]
    )
    words = depth(run).describe()
    assert "The bound is 3; passed by partition 0." in words
    assert "partition 0: at most 5 waiting (first at 0.002 s), 0 at the end" in words
    assert "partition 1: at most 1 waiting" in words
    assert "nothing passes it" in depth(run, bound=5).describe()
    assert "bound" not in depth(made_up([waits(1000, 0, 2)])).describe()


def test_of_many_partitions_the_fullest_are_drawn():
    run = made_up([waits(1000, p, p + 1) for p in range(20)])
    words = depth(run).describe()
    assert "partition 19" in words and "partition 12" in words and "partition 11:" not in words
    assert "partition 3:" in depth(run, partitions=[3]).describe()


# ---- Windows ---------------------------------------------------------------------------------------------


def test_windows_tells_of_events_behind_late_ones_and_the_watermark():
    picture = windows(made_up(EVENTS))
    ElementTree.fromstring(picture.svg)
    words = picture.describe()
    assert "4 events arrived from JFK, <b>&; 1 of them behind" in words
    assert "by 33.33 minutes at most" in words
    assert "1 were late, their window was closed: day 1, 08:36 at 3 s." in words
    assert "The watermark rose to day 1, 09:10." in words and "1 windows were reported." in words


def test_windows_that_only_the_end_of_the_stream_reported_are_counted_apart():
    run = WINDOWS.run(plan="2s..8s idle LGA", flights=300, delay_min=30, idle_min=0)
    picture = windows(run)
    assert "7 windows were reported, 6 of them by the stream's end." in picture.describe()
    assert "reported by the stream" in picture.svg


def test_windows_of_a_part_shows_that_part():
    words = windows(made_up(EVENTS), start_s=0, end_s=2.2).describe()
    assert "2 events arrived" in words and "None was called late." in words
    assert "There is no watermark." in windows(made_up(EVENTS), end_s=1.5).describe()


def test_short_times_are_told_in_seconds():
    assert "a: " not in windows(made_up([arrived(1000, 1, 5), arrived(2000, 2, 9)])).describe()
    run = made_up([arrived(1000, 1, 5), (1000, "watermark", "c", {"value_s": 4}), arrived(2000, 2, 9)])
    assert "The watermark rose to 4 s." in windows(run).describe()


def test_thousands_of_events_stay_small():
    run = made_up([arrived(i * 1000, i, i * 10 - (i % 7) * 60) for i in range(10_000)])
    assert len(windows(run).svg) < 150_000


# ---- Assignment ------------------------------------------------------------------------------------------


def test_assignment_says_what_moved():
    picture = assignment(made_up(ASSIGNED))
    ElementTree.fromstring(picture.svg)
    words = picture.describe()
    assert "0.001 s: 2 members: w-1 2, w-2 2." in words
    assert "2 s: 3 members: w-1 2, w-2 1, w-3 1; moved: 3." in words
    assert "1 moved" in picture.svg


def test_assignments_can_be_compared_without_a_run():
    before = {"a": (0, 1), "b": (2,)}
    words = assignment(
        [("before", before), ("after", {"a": (0,), "b": (1, 2)}), ("again", before)]
    ).describe()
    assert "after: a 1, b 2; moved: 1." in words and "again: a 2, b 1; moved: 1." in words


def test_the_same_run_gives_the_same_bytes():
    for view, records in (
        (load, [placed("a", 1)]),
        (depth, [waits(1, 0, 2)]),
        (windows, EVENTS),
        (assignment, ASSIGNED),
    ):
        assert view(made_up(records)).svg == view(made_up(records)).svg


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: load([]), "no event went to any partition"),
        (lambda: load(7), "not 7; give scenario.run"),
        (lambda: load([("a", -1)]), "give scenario.run"),
        (lambda: load([("a", 3)], partitions=2), "partitions=2 cannot be drawn; give 4 to 64"),
        (lambda: load([("a", 99)]), "cannot be drawn"),
        (lambda: depth(made_up([placed("a", 1)])), "no buffer was looked at"),
        (lambda: depth(made_up([waits(1, 0, 2)]), partitions=[]), "names none"),
        (
            lambda: depth(made_up([waits(1, 0, 2)]), partitions=[4]),
            "nothing waited for partition 4; choose from 0",
        ),
        (lambda: depth(7), "not 7; give scenario.run"),
        (lambda: windows(made_up([placed("a", 1)])), "nothing arrived"),
        (lambda: windows(made_up(EVENTS), start_s=2.6, end_s=2.7), "nothing arrived from 2.6 s to 2.7 s"),
        (lambda: windows(None), "give scenario.run"),
        (lambda: assignment(made_up([placed("a", 1)])), "nothing was assigned"),
        (lambda: assignment([7]), "not \\[7\\]; give scenario.run"),
        (lambda: assignment([("x", {"a": (-1,)})]), "partition -1 is none"),
        (lambda: assignment([("x", {"a": range(99)})]), "99 partitions cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(call, words):
    with pytest.raises(ViewError, match=words):
        call()


# ---- What a watermark costs ------------------------------------------------------------------------------


def test_a_longer_delay_loses_less_and_waits_longer():
    table = waiting([WINDOWS.run(flights=300, delay_min=minutes) for minutes in (0, 60)])
    short, long = choices(departures()[:300], [0, 3600])  # the same, worked out without the laboratory
    assert (short.late, short.wait_s_max, long.late, long.wait_s_max) == (10, 600, 1, 4200)
    assert table.describe() == (
        "delay_min=0: 300 events, 10 late (3.3%); 6 windows reported before the stream's end, -3 min (median), 10 min (longest) after their own.\n"
        "delay_min=60: 300 events, 1 late (0.3%); 5 windows reported before the stream's end, 57 min (median), 70 min (longest) after their own."
    )


def test_runs_that_differ_in_more_than_their_parameters_have_their_names():
    assert (
        waiting([WINDOWS.run(s, flights=100) for s in ("textbook", "pattern")])
        .describe()
        .splitlines()[1]
        .startswith("WINDOWS (pattern): 100 events")
    )


def test_waiting_needs_a_stream():
    with pytest.raises(ViewError, match="nothing arrived"):
        waiting(BATCHES.run(flights=5))
