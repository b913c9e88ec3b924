"""Windows and watermarks, against the tables of Flink's, Beam's and Kafka Streams' own tests."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonlib.stream_processing import (
    SessionWindows,
    SlidingWindows,
    TumblingWindows,
    Watermark,
    Window,
    WindowedAggregation,
)

# ---- Assignment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "offset", "time", "start"),
    [
        (5000, 0, 0, 0),  # Flink, TumblingEventTimeWindowsTest
        (5000, 0, 4999, 0),
        (5000, 0, 5000, 5000),
        (5000, 100, 100, 100),
        (5000, 100, 5099, 100),
        (5000, 100, 5100, 5100),
        (7, 3, 1, -4),  # Flink, TimeWindowTest
        (7, 3, 3, 3),
        (7, 3, 9, 3),
        (7, 3, 10, 10),
        (60, 0, -1, -60),  # before the epoch: not the window [0, 60)
        (60, 0, -60, -60),
    ],
)
def test_tumbling_windows_are_flinks(size, offset, time, start):
    assert TumblingWindows(size, offset_s=offset).assign(time) == (Window(start, start + size),)


def test_sliding_windows_are_flinks_and_may_be_kafka_streams():
    starts = [w.start_s for w in SlidingWindows(5000, 1000).assign(0)]
    assert starts == [-4000, -3000, -2000, -1000, 0]
    clamped = SlidingWindows(5000, 1000, earliest_s=0)  # Kafka Streams knows no window before 0
    assert [w.start_s for w in clamped.assign(0)] == [0]
    assert [w.start_s for w in clamped.assign(2500)] == [0, 1000, 2000]


@given(st.integers(-(10**6), 10**6), st.integers(1, 500), st.integers(1, 500), st.integers(-500, 500))
def test_every_window_covers_its_event_and_no_other_would(time, size, slide, offset):
    if slide > size:
        size, slide = slide, size
    windows = SlidingWindows(size, slide, offset_s=offset).assign(time)
    assert all(
        w.covers(time) and (w.start_s - offset) % slide == 0 and w.end_s - w.start_s == size for w in windows
    )
    assert not Window(windows[0].start_s - slide, windows[0].end_s - slide).covers(time)
    assert not Window(windows[-1].start_s + slide, windows[-1].end_s + slide).covers(time)


def test_the_end_of_a_window_is_outside():
    assert not Window(0, 60).covers(60) and Window(0, 60).covers(0)


def test_a_size_may_be_a_timedelta_and_whole_seconds_stay_whole():
    ((start, end),) = TumblingWindows(timedelta(minutes=1)).assign(61)
    assert (start, end) == (60, 120) and isinstance(end, int)


BEAM = (1, 15, 30, 100, 101, 95, 22, 10)  # Beam, SessionsTest, gap 10


@pytest.mark.parametrize("merge_at_gap", [True, False])
def test_sessions_are_beams(merge_at_gap):
    found = SessionWindows(10, merge_at_gap=merge_at_gap).sessions(BEAM)
    assert found == [Window(1, 40), Window(95, 111)]


def test_events_exactly_one_gap_apart_are_one_session_unless_you_follow_beam():
    assert SessionWindows(10).sessions([0, 10]) == [Window(0, 20)]
    assert SessionWindows(10, merge_at_gap=False).sessions([0, 10]) == [Window(0, 10), Window(10, 20)]


# ---- Watermarks ------------------------------------------------------------------------------------------


def test_bounded_out_of_orderness_is_flinks_less_its_tick():
    mark = Watermark(10)
    assert mark.observe(1337) - 1 == 1326  # Flink, BoundedOutOfOrdernessWatermarksTest
    assert mark.observe(12) - 1 == 1326
    assert mark.observe(1338) - 1 == 1327


def test_the_watermark_never_goes_back():
    mark = Watermark(5)
    seen = [mark.observe(t) for t in (10, 3, 30, 7, 29, 31)]
    assert seen == sorted(seen) == [5, 5, 25, 25, 25, 26]


def test_the_slowest_source_decides_and_one_that_has_not_spoken_holds_all():
    mark = Watermark(0, sources=["JFK", "LGA"])
    assert mark.observe(100, source="JFK") == float("-inf")
    assert mark.observe(40, source="LGA") == 40
    assert mark.observe(90, source="LGA") == 90
    assert mark.observe(95, source="LGA") == 95
    assert mark.observe(200, source="LGA") == 100


def test_an_idle_source_holds_nobody_until_it_speaks_again():
    mark = Watermark(0, sources=["JFK", "LGA"], idle_after_s=30)
    mark.observe(100, source="JFK", now_s=0)
    assert mark.tick(29) == float("-inf")
    assert mark.observe(130, source="JFK", now_s=30) == 130, "LGA has said nothing for 30 s"
    assert mark.idle(30) == ("LGA",)
    assert mark.observe(50, source="LGA", now_s=31) == 130, "it comes back, and nothing goes back"
    assert mark.observe(500, source="JFK", now_s=32) == 130, "but it counts again"


@pytest.mark.parametrize("every", [1, 7, 1000])
def test_when_all_are_idle_the_last_to_fall_silent_decides_however_often_one_looks(every):
    mark = Watermark(0, sources=["JFK", "LGA"], idle_after_s=10)
    mark.observe(9, source="LGA", now_s=0)
    mark.observe(5, source="JFK", now_s=0)
    mark.observe(6, source="JFK", now_s=3)
    for now in range(3, 2000, every):
        mark.tick(now)
    assert mark.value == 6
    mark.observe(8, source="LGA", now_s=2000)
    assert mark.value == 9 and mark.observe(7, source="JFK", now_s=2000) == 9


# ---- Aggregation -----------------------------------------------------------------------------------------


def counting(windows, delay_s=0, **how):
    late = []
    return WindowedAggregation(windows, Watermark(delay_s), on_late=late.append, **how), late


def test_a_window_is_reported_once_the_watermark_reaches_its_end():
    counts, _ = counting(TumblingWindows(5000), 10)
    assert counts.process("a", 4999) == []
    assert counts.process("a", 5009) == []  # Flink: the watermark is 4998 then, and 4999 is needed
    assert counts.process("a", 5010) == [("a", Window(0, 5000), 1, 0, ())]
    assert counts.open_cells == 1


def test_an_event_is_late_exactly_when_flink_says_so():
    """Late: end - 1 + allowed lateness <= watermark, in Flink's ticks."""
    for lateness in (0, 3):
        for top in range(8, 18):
            counts, late = counting(TumblingWindows(10), allowed_lateness_s=lateness)
            counts.process("a", top)
            counts.process("a", 5)
            assert bool(late) == (10 - 1 + lateness <= top - 1), (lateness, top)


def test_a_late_event_corrects_within_the_allowed_lateness_and_goes_aside_after_it():
    counts, late = counting(TumblingWindows(10), allowed_lateness_s=5)
    counts.process("a", 1)
    assert counts.process("b", 12) == [("a", Window(0, 10), 1, 0, ())]
    assert counts.process("a", 9) == [("a", Window(0, 10), 2, 1, ())]
    assert counts.process("c", 9) == [("c", Window(0, 10), 1, 0, ())]
    counts.process("b", 15)
    assert counts.process("a", 9) == []
    assert late == [("a", 9, 1, 6)] and counts.late == 1
    assert counts.open_cells == 1


def test_an_event_of_sliding_windows_is_late_only_when_it_is_late_for_all():
    counts, late = counting(SlidingWindows(10, 5))
    counts.process("a", 12)
    counts.process("a", 7)  # [0, 10) is closed, [5, 15) is not
    assert not late
    assert [(w, v) for _, w, v, *_ in counts.end()] == [(Window(5, 15), 2), (Window(10, 20), 1)]


def test_a_late_event_joins_two_sessions():
    counts, late = counting(SessionWindows(10), 100)
    for time in (0, 18, 9):
        counts.process("a", time)
    assert counts.open_cells == 1
    assert counts.end() == [("a", Window(0, 28), 3, 0, ())] and not late


def test_a_session_that_was_reported_and_grows_says_what_it_replaces():
    counts, _ = counting(SessionWindows(10), allowed_lateness_s=20)
    counts.process("a", 0)
    assert counts.process("b", 12) == [("a", Window(0, 10), 1, 0, ())]
    assert counts.process("a", 8) == []  # its session ends at 18 now, after the watermark
    (result,) = [r for r in counts.end() if r.key == "a"]
    assert result == ("a", Window(0, 18), 2, 1, (Window(0, 10),))


WINDOWS = [TumblingWindows(10), SlidingWindows(10, 5), SessionWindows(4), TumblingWindows(7, offset_s=3)]


@given(
    st.sampled_from(WINDOWS),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-30, 60)), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
    st.integers(0, 20),
)
def test_results_do_not_depend_on_the_order_of_arrival_within_the_delay(windows, events, random, delay):
    """Shuffled by less than the delay, no event is late and every result is the same, reported once."""

    def results(order):
        counts, late = counting(windows, delay)
        found = [r for key, time in order for r in counts.process(key, time)] + counts.end()
        assert not late and counts.open_cells == 0
        return {(r.key, r.window): r.value for r in found}, len(found)

    in_order = sorted(events, key=lambda e: e[1])
    shuffled = sorted(in_order, key=lambda e: e[1] + random.random() * delay)
    one, other = results(in_order), results(shuffled)
    assert one == other
    assert one[1] == len(one[0])


@given(
    st.sampled_from(WINDOWS),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-30, 60)), max_size=40),
    st.integers(0, 10),
    st.integers(0, 10),
)
def test_every_event_is_in_a_last_result_or_in_the_side_output(windows, events, delay, lateness):
    counts, late = counting(windows, delay, allowed_lateness_s=lateness)
    last = {}
    for result in [r for key, time in events for r in counts.process(key, time)] + counts.end():
        for replaced in result.replaces:
            last.pop((result.key, replaced), None)
        last[result.key, result.window] = result.value
    assert counts.open_cells == 0 and counts._due == [] and not counts._reported
    if not (isinstance(windows, SlidingWindows) and windows.slide_s < windows.size_s):
        assert sum(last.values()) + len(late) == len(events)
    assert counts.late == len(late)


@given(
    st.sampled_from(WINDOWS),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-30, 60)), max_size=40),
    st.integers(0, 40),
)
def test_a_restored_snapshot_goes_on_as_if_nothing_had_happened(windows, events, cut):
    import json

    whole, late = counting(windows, 3, allowed_lateness_s=4)
    expected = [whole.process(*event) for event in events] + [whole.end()]
    first, late_first = counting(windows, 3, allowed_lateness_s=4)
    found = [first.process(*event) for event in events[:cut]]
    second, late_second = counting(windows, 3, allowed_lateness_s=4)
    second.restore(json.loads(json.dumps(first.snapshot())))
    found += [second.process(*event) for event in events[cut:]] + [second.end()]
    assert found == expected
    assert late_first + late_second == late and second.late == whole.late


def test_memory_grows_with_keys_and_open_windows_and_not_with_events():
    counts, _ = counting(TumblingWindows(60), 60)
    most = 0
    for i in range(20_000):
        counts.process(f"key-{i % 10}", i)
        most = max(most, counts.open_cells)
    assert most <= 10 * 3 and len(counts._due) <= 3


def test_any_aggregate_that_can_be_added_to_will_do():
    mean = WindowedAggregation(
        TumblingWindows(10),
        Watermark(0),
        initial=(0, 0),
        add=lambda total, value: (total[0] + value, total[1] + 1),
    )
    mean.process("a", 1, 10.0)
    mean.process("a", 2, 20.0)
    assert mean.end()[0].value == (30.0, 2)
