"""Phi against published values, and what the detector learns and what it does not."""

from decimal import Decimal, getcontext
from math import inf, isfinite, log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonlib.high_availability.phi import (
    ERFC_MAX,
    PhiAccrualDetector,
    phi_akka,
    phi_exact,
    silence_at,
)

# Akka's own test (AccrualFailureDetectorSpec, "return realistic phi values"): mean 1000 ms, deviation 100 ms, ±0.1.
AKKA = [(0.5, 0.1), (1.0, 0.3), (1.2, 1.6), (1.4, 4.7)]
EXACT = [(0.5, 0.1), (1.0, 0.3), (1.2, 1.6), (1.4, 4.5)]  # the same, with the tail itself

# The upper tail of the standard normal distribution, from tables (Abramowitz and Stegun, table 26.1; for 10 and
# more, −log10 Q(x) of table 26.2).
TAIL = [(1, 0.1586552539), (2, 0.0227501319), (3, 0.0013498980), (4, 3.167124e-5), (5, 2.866516e-7)]
FAR = [
    (10, 23.11805),
    (20, 88.56010),
    (30, 197.30921),
    (40, 349.43701),
    (100, 2173.87154),
    (500, 54289.90830),
]


@pytest.mark.parametrize(("silence_s", "phi"), AKKA)
def test_akkas_approximation_gives_akkas_values(silence_s, phi):
    assert phi_akka(silence_s, 1.0, 0.1) == pytest.approx(phi, abs=0.1)


@pytest.mark.parametrize(("silence_s", "phi"), EXACT)
def test_the_exact_tail_gives_the_published_values(silence_s, phi):
    assert phi_exact(silence_s, 1.0, 0.1) == pytest.approx(phi, abs=0.1)


def test_the_two_part_where_it_matters():
    assert round(phi_akka(1.4, 1.0, 0.1), 1) == 4.7
    assert round(phi_exact(1.4, 1.0, 0.1), 1) == 4.5


@pytest.mark.parametrize(("deviations", "tail"), TAIL)
def test_the_exact_tail_is_that_of_the_tables(deviations, tail):
    assert phi_exact(10.0 + deviations, 10.0, 1.0) == pytest.approx(-log10(tail), rel=1e-6)


@pytest.mark.parametrize(("deviations", "phi"), FAR)
def test_phi_goes_on_growing_where_the_tail_is_smaller_than_any_float(deviations, phi):
    assert phi_exact(deviations, 0.0, 1.0) == pytest.approx(phi, abs=1e-5)
    assert isfinite(phi_akka(deviations, 0.0, 1.0))


def test_the_expansion_takes_over_without_a_step():
    at = ERFC_MAX * 2**0.5
    below, above = phi_exact(at * (1 - 1e-12), 0.0, 1.0), phi_exact(at * (1 + 1e-12), 0.0, 1.0)
    assert 0 < above - below < 1e-8


def test_akkas_formula_is_akkas_where_that_has_digits():
    getcontext().prec = 60
    for silence_s in (0.3, 0.9, 1.0, 1.1, 1.5, 2.5):
        y = (Decimal(str(silence_s)) - 1) / Decimal("0.1")
        e = (-y * (Decimal("1.5976") + Decimal("0.070566") * y * y)).exp()
        expected = -(e / (1 + e)).log10() if y > 0 else -(1 - 1 / (1 + e)).log10()
        assert phi_akka(silence_s, 1.0, 0.1) == pytest.approx(float(expected), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("phi", [phi_exact, phi_akka])
@given(
    silence_s=st.floats(0, 100),
    more_s=st.floats(0, 100),
    mean_s=st.floats(0, 10),
    deviation_s=st.floats(0.001, 10),
)
def test_phi_grows_with_silence(phi, silence_s, more_s, mean_s, deviation_s):
    less, more = (phi(s, mean_s, deviation_s) for s in (silence_s, silence_s + more_s))
    assert 0 <= less <= more * (1 + 1e-9) + 1e-12
    assert more < inf


@given(threshold=st.floats(0.31, 100), mean_s=st.floats(0, 10), deviation_s=st.floats(0.01, 5))
@pytest.mark.parametrize("phi", [phi_exact, phi_akka])
def test_silence_at_is_where_phi_reaches_the_threshold(phi, threshold, mean_s, deviation_s):
    found_s = silence_at(threshold, mean_s, deviation_s, phi=phi)
    assert phi(found_s, mean_s, deviation_s) >= threshold
    assert phi(found_s - 2e-6, mean_s, deviation_s) < threshold


# ---- The detector ----------------------------------------------------------------------------------------


def fed(*intervals_s, **options):
    """A detector that watches node-1 from 0 s and heard it after each of these intervals; and the time then."""
    detector, now_s = PhiAccrualDetector(**{"first_interval_s": 1.0, **options}), 0.0
    detector.watch("node-1", now_s)
    for interval_s in intervals_s:
        now_s += interval_s
        detector.heard("node-1", now_s)
    return detector, now_s


def suspected_after(detector, now_s):
    """After how many milliseconds of silence node-1 is suspected."""
    return next(ms for ms in range(100_000) if detector.suspects(now_s + ms / 1000))


def test_the_defaults_are_akkas():
    detector = PhiAccrualDetector()
    assert (detector.threshold, detector.min_deviation_s, detector.first_interval_s) == (8.0, 0.1, 1.0)


def test_before_the_first_heartbeat_the_first_estimate_counts():
    detector, now_s = fed()
    assert detector.level("node-1", 1.0) == pytest.approx(phi_exact(1.0, 1.0, 0.25))
    assert suspected_after(detector, now_s) == 2404  # 1 s and 5.61 deviations of 0.25 s


def test_a_regular_node_is_suspected_sooner_than_an_irregular_one():
    assert suspected_after(*fed(*[1.0] * 60)) < suspected_after(*fed(*[0.6, 1.4] * 30))


def test_the_deviation_counts_for_its_minimum_at_least():
    detector, now_s = fed(*[1.0] * 300)
    assert detector.level("node-1", now_s + 1.4) == pytest.approx(4.5, abs=0.01)
    detector, now_s = fed(*[1.0] * 300, min_deviation_s=0.2)
    assert detector.level("node-1", now_s + 1.4) == pytest.approx(-log10(TAIL[1][1]))


def test_a_pause_that_is_acceptable_delays_the_suspicion_by_itself():
    plain, lenient = (
        suspected_after(*fed(*[1.0] * 60, acceptable_pause_s=pause_s)) for pause_s in (0.0, 3.0)
    )
    assert lenient == plain + 3000


def test_only_the_window_is_remembered():
    detector, now_s = fed(*[1.2] * 50, *[1.0] * 30, window=30)
    afresh, then_s = fed(*[1.0] * 30, window=30)
    assert detector.level("node-1", now_s + 1.3) == pytest.approx(afresh.level("node-1", then_s + 1.3))


def test_an_outage_does_not_enter_the_history():
    detector, now_s = fed(*[1.0] * 50)
    before = suspected_after(detector, now_s)
    now_s += 60.0
    assert detector.suspects(now_s) == ["node-1"]
    detector.heard("node-1", now_s)
    assert detector.suspects(now_s) == []
    assert suspected_after(detector, now_s) == before


def test_the_price_is_that_an_interval_that_grows_at_once_is_never_learnt():
    detector, now_s = fed(*[0.2] * 50)
    for _ in range(100):
        now_s += 3.0
        assert detector.suspects(now_s) == ["node-1"]
        detector.heard("node-1", now_s)


def test_a_delay_that_was_borne_enters_it_and_makes_the_detector_more_patient():
    detector, now_s = fed(*[1.0] * 50)
    before = suspected_after(detector, now_s)
    detector.heard("node-1", now_s + 1.5)
    assert suspected_after(detector, now_s + 1.5) > before


def test_a_heartbeat_while_suspected_starts_an_interval():
    detector, now_s = fed(*[1.0] * 50)
    detector.heard("node-1", now_s + 60)
    detector.heard("node-1", now_s + 61)
    assert detector.level("node-1", now_s + 62) == pytest.approx(log10(2), abs=0.01)


def test_whoever_is_watched_again_has_no_past():
    detector, now_s = fed(*[0.2] * 50)
    detector.watch("node-1", now_s)
    fresh, start_s = fed()
    assert suspected_after(detector, now_s) == suspected_after(fresh, start_s)


def test_each_node_has_a_history_of_its_own():
    detector, now_s = fed(*[0.2] * 50)
    detector.watch("node-2", now_s)
    assert detector.level("node-1", now_s + 1.5) > 8 > detector.level("node-2", now_s + 1.5)
    assert detector.suspects(now_s + 1.5) == ["node-1"]
    assert detector.alive(now_s + 1.5) == ["node-2"]


def test_akkas_function_may_be_chosen():
    akka, now_s = fed(*[1.0] * 300, phi=phi_akka)
    assert akka.level("node-1", now_s + 1.4) == pytest.approx(4.74, abs=0.02)


@given(
    intervals=st.lists(st.floats(0.01, 3), max_size=40), silence_s=st.floats(0, 10), more_s=st.floats(0, 10)
)
def test_suspicion_grows_with_silence_whatever_was_heard(intervals, silence_s, more_s):
    detector, now_s = fed(*intervals)
    levels = [detector.level("node-1", now_s + s) for s in (silence_s, silence_s + more_s)]
    assert levels[0] <= levels[1] * (1 + 1e-9) + 1e-12


@given(intervals=st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_it_promises_what_its_docstring_and_the_scenario_say(intervals):
    """No silence below k minimal deviations is suspected, and every one above (1 + k/2) times the longest interval."""
    detector, now_s, longest_s, k = PhiAccrualDetector(window=20), 0.0, 1.25, silence_at(8.0, 0.0, 1.0)
    detector.watch("node-1", now_s)
    for interval_s in intervals:
        now_s += interval_s
        if not detector.suspects(now_s):
            longest_s = max(longest_s, interval_s)
        detector.heard("node-1", now_s)
    assert not detector.suspects(now_s + k * 0.1 - 1e-5)
    assert detector.suspects(now_s + (1 + k / 2) * longest_s + 1e-5)
