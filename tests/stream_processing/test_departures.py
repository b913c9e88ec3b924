"""The departures: what the file holds, and what a watermark's delay costs on it."""

from lessonlib.stream_processing import TumblingWindows, Watermark, WindowedAggregation
from lessonlib.stream_processing.departures import AIRPORTS, Departure, behind, cancelled, choices, departures


def test_the_file_is_a_week_of_real_departures_in_order_of_arrival():
    rows = departures()
    assert len(rows) == 6034 and cancelled() == 377
    assert rows[0] == Departure("US1113", "N560UW", "EWR", "CLT", 5 * 3600, 5 * 3600 + 9 * 60)
    assert (rows[0].airline, rows[0].late_s) == ("US", 540)
    assert [r.departed_s for r in rows] == sorted(r.departed_s for r in rows)
    assert {r.origin for r in rows} == set(AIRPORTS)
    assert min(r.scheduled_s for r in rows) >= 0 and max(r.scheduled_s for r in rows) < 7 * 86400


def test_some_are_behind_by_hours_and_most_are_not():
    found = sorted(behind(departures()))
    at = lambda share: found[int(len(found) * share)] // 60  # noqa: E731
    assert found[0] == 0 and [at(0.5), at(0.75), at(0.9), at(0.99)] == [0, 15, 65, 220]
    assert found[-1] == 440 * 60


def test_a_longer_delay_loses_fewer_and_waits_longer():
    found = choices(departures(), [0, 1800, 3600, 7200, 14400, 8 * 3600])
    assert [c.late for c in found] == sorted((c.late for c in found), reverse=True)
    assert [c.wait_s for c in found] == sorted(c.wait_s for c in found)
    assert (found[0].late, found[2].late, found[-1].late) == (1077, 370, 0)


def test_the_counts_by_hour_are_those_of_the_file_whatever_the_order():
    rows = departures()
    counts = WindowedAggregation(TumblingWindows(3600), Watermark(8 * 3600, sources=AIRPORTS))
    found = [
        r
        for row in rows
        for r in counts.process(row.origin, row.scheduled_s, source=row.origin, now_s=row.departed_s)
    ] + counts.end()
    plain = {}
    for row in rows:
        cell = row.origin, row.scheduled_s // 3600 * 3600
        plain[cell] = plain.get(cell, 0) + 1
    assert {(r.key, r.window.start_s): r.value for r in found} == plain
    assert len(found) == len(plain) and counts.late == 0
