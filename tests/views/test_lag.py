from __future__ import annotations

from xml.etree import ElementTree

import pytest
from view_runs import PLAN, SHOP, made_up

from lessonlib.views import ViewError, lag
from lessonlib.views.lag_curves import appended, commits, curves


def written(t_us):
    return (t_us, "written", "broker", {"file": "log", "record": {}})


def committed(t_us, offset):
    return (t_us, "committed", "broker", {"subscription": "email", "offset": offset})


HISTORY = [
    written(1000),
    written(2000),
    written(3000),
    committed(4000, 2),
    committed(5000, 3),
    committed(6000, 0),
]


def test_lag_is_the_logs_end_less_the_next_offset_to_read():
    (curve,) = curves(made_up(HISTORY), None, appended, commits)
    assert curve.steps == ((0, 0), (1000, 1), (2000, 2), (3000, 3), (4000, 1), (5000, 0), (6000, 3))


def test_the_words_say_the_peak_and_the_end():
    words = lag(made_up(HISTORY)).describe()
    assert "email: at most 3 behind (first at 0.003 s), 3 at the end of the picture." in words


def test_cursors_written_to_a_file_count_as_commits():
    row = {"subscription": "email", "offset": 7}
    one = made_up([(0, "written", "broker", {"file": "cursors", "record": row})]).history[0]
    many = made_up([(0, "replaced", "broker", {"file": "cursors", "records": [row, row]})]).history[0]
    assert commits(one) == commits(many) == {"email": 7}


def test_what_counts_as_the_logs_end_and_as_a_commit_can_be_said():
    run = made_up([(0, "grew", "a", {"to": 5}), (1000, "read", "b", {"upto": 2})])
    picture = lag(
        run,
        log_end=lambda r, end: r.get("to", end),
        committed=lambda r: {"b": r.data["upto"]} if r.kind == "read" else {},
    )
    assert "b: at most 5 behind" in picture.describe() and "3 at the end" in picture.describe()


def test_a_subscription_that_never_commits_can_be_named():
    words = lag(made_up(HISTORY), subscriptions=["email", "audit"]).describe()
    assert "audit: at most 3 behind" in words


def test_the_same_run_gives_the_same_bytes_and_well_formed_ones(faulty):
    picture = lag(faulty)
    assert picture.svg == lag(SHOP.run("textbook", plan=PLAN)).svg
    ElementTree.fromstring(picture.svg)
    assert "Fault: 1s..1.6s partition shop | broker." in picture.describe()


def test_ten_thousand_orders_stay_small(crowded):
    picture = lag(crowded)
    assert len(picture.svg) < 150_000
    ElementTree.fromstring(picture.svg)


def test_what_cannot_be_drawn_is_refused_in_a_sentence(faulty):
    with pytest.raises(ViewError, match="nothing was written to a log"):
        lag(made_up([(0, "handled", "a", {"order": 1})]))
    with pytest.raises(ViewError, match="no subscription committed"):
        lag(made_up([written(1000)]))
    with pytest.raises(ViewError, match="names none"):
        lag(faulty, subscriptions=[])
    with pytest.raises(ViewError, match="too many to tell apart"):
        lag(faulty, subscriptions=[f"s{i}" for i in range(9)])
    with pytest.raises(ViewError, match="swap"):
        lag(faulty, start_s=2, end_s=1)
    with pytest.raises(ViewError, match="recorded nothing"):
        lag(made_up([]))
