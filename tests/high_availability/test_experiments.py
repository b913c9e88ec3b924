"""Published results come out of the model, in shape."""

import pytest

from lessonlib.errors import LessonError
from lessonlib.high_availability.experiments import (
    MOST_MS,
    PUBLISHED_MS,
    SHORTER,
    SPREADS,
    beside_the_paper,
    downtimes,
    election_curves,
    figure_16,
)
from lessonlib.views.measurements import Panel, measured

# ---- Figure 16 of the Raft paper --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def upper():
    return {row.timeout_ms: row for row in figure_16(SPREADS)}


@pytest.fixture(scope="module")
def lower():
    return {row.timeout_ms: row for row in figure_16(SHORTER)}


def test_without_randomness_there_is_no_leader_for_over_ten_seconds(upper):
    row = upper[150, 150]
    assert row.given_up == len(row.times_ms) == 100
    assert upper[150, 151].median_ms > 1_000, "one millisecond is as good as none"


def test_five_milliseconds_of_randomness_make_seconds_of_it_and_fifty_cut_off_the_worst(upper):
    assert upper[150, 155].median_ms == pytest.approx(PUBLISHED_MS[150, 155][50], rel=0.1)
    assert upper[150, 155].given_up == 0
    assert upper[150, 200].longest_ms == pytest.approx(PUBLISHED_MS[150, 200][100], rel=0.25)
    assert upper[150, 200].longest_ms < upper[150, 155].longest_ms / 2


def test_more_randomness_shortens_the_tail_and_from_some_point_on_lengthens_the_median(upper):
    tail = [upper[timeout].quantile(99) for timeout in ((150, 151), (150, 155), (150, 175), (150, 200))]
    assert tail == sorted(tail, reverse=True) and tail[0] > 3 * tail[-1]
    assert upper[150, 155].median_ms > upper[150, 175].median_ms
    assert upper[150, 300].median_ms > upper[150, 175].median_ms


def test_shorter_timeouts_mean_shorter_downtimes(lower):
    medians = [lower[timeout].median_ms for timeout in SHORTER]
    assert medians == sorted(medians)
    assert lower[12, 24].mean_ms == pytest.approx(PUBLISHED_MS[12, 24]["mean"], rel=0.4)
    # From 50 ms on the timeout is what counts; below, the broadcast's 15 ms.
    assert lower[100, 200].median_ms == pytest.approx(lower[50, 100].median_ms * 2, rel=0.2)
    assert lower[12, 24].median_ms > lower[50, 100].median_ms / 4 * 1.5


def test_no_downtime_is_shorter_than_half_of_the_shortest_timeout(upper, lower):
    for row in (*upper.values(), *lower.values()):
        assert len(row.times_ms) == (100 if row.timeout_ms == (150, 150) else 1_000)
        assert row.times_ms[0] > row.timeout_ms[0] / 2
        assert list(row.times_ms) == sorted(row.times_ms) and row.longest_ms <= MOST_MS


def test_asking_before_standing_makes_split_votes_rare():
    plain, asked = (downtimes(150, 155, elections=500, pre_vote=pre_vote) for pre_vote in (False, True))
    assert asked.median_ms < 0.7 * plain.median_ms
    assert asked.quantile(99) < 0.6 * plain.quantile(99)


def test_a_candidate_that_writes_its_own_vote_first_meets_more_rivals_unless_it_asked_before():
    first = downtimes(150, 175, elections=500, store_first=True)
    assert first.median_ms > 1.5 * downtimes(150, 175, elections=500).median_ms
    both = downtimes(150, 175, elections=500, store_first=True, pre_vote=True)
    assert both.median_ms < 0.7 * first.median_ms


def test_it_repeats():
    assert downtimes(150, 300, elections=50) == downtimes(150, 300, elections=50)
    assert downtimes(150, 300, elections=50) != downtimes(150, 300, elections=50, seed=2)
    # The same on every machine and every Python: these are sums and products of the generator's numbers alone.
    assert downtimes(150, 300, elections=3).times_ms == EXPECTED


EXPECTED = (135.0, 135.9, 170.2)


def test_ours_and_the_published_figures_stand_side_by_side(upper, lower):
    assert beside_the_paper(list(upper.values()))[0] == (
        "150-150 ms",
        "without a leader",
        "over 10 s in 100 of 100",
        "over 10 s",
    )
    assert [row[:2] + row[3:] for row in beside_the_paper([*upper.values(), *lower.values()])][1:] == [
        ("150-155 ms", "median", "287 ms"),
        ("150-200 ms", "longest", "513 ms"),
        ("12-24 ms", "mean", "35 ms"),
    ]


def test_the_curves_can_be_drawn(upper, lower):
    assert election_curves(list(lower.values()))[1] == {}, (
        "the text has a mean of these, which is no point of a curve"
    )
    ours, published = election_curves(list(upper.values()))
    panel = Panel(
        "Without a leader", "of 100 elections, so many are over", "within ms", ours, published, log=True
    )
    text = measured(panel, title="Five servers whose leader crashes").describe()
    assert "Published: 287 at 50" in text and "Published: 513 at 100" in text


def test_what_cannot_be_measured_is_refused():
    for call in (
        lambda: downtimes(0, 300),
        lambda: downtimes(5, 300),
        lambda: downtimes(150.5, 300),
        lambda: downtimes(150, None),
        lambda: downtimes(300, 150),
        lambda: downtimes(150, 300, elections=0),
    ):
        with pytest.raises(LessonError, match="; give"):
            call()


def test_a_line_says_how_many_of_its_elections_were_given_up(upper):
    ours, published = election_curves([upper[150, 150], upper[150, 155]])
    assert list(ours) == ["150-150 ms (100 of 100 given up after 10 s)", "150-155 ms"]
    assert list(published) == ["150-155 ms"]
    assert upper[150, 150].name == "150-150 ms"
