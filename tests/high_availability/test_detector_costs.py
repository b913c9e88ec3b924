"""What settings cost: more messages or more time buy fewer false suspicions; and the figures of phi."""

from itertools import pairwise
from random import Random

import pytest

from lessonlib.high_availability.experiments import (
    AKKA,
    EXACT,
    cost_lines,
    cost_table,
    detection_costs,
    phi_curve,
    phi_lines,
    uneven_network,
)
from lessonlib.high_availability.scenario import HEARTBEATS
from lessonlib.views.measurements import Panel, measured


@pytest.fixture(scope="module")
def costs():
    return detection_costs(hours=0.25)


def of(costs, detector, interval_s):
    return [cost for cost in costs if (cost.detector, cost.interval_s) == (detector, interval_s)]


@pytest.mark.parametrize("detector", ["timeout", "phi"])
@pytest.mark.parametrize("interval_s", [0.1, 0.2, 0.5, 1.0])
def test_a_patient_setting_detects_later_and_is_wrong_less_often(costs, detector, interval_s):
    found = of(costs, detector, interval_s)
    assert len(found) > 1
    for hasty, patient in pairwise(found):
        assert hasty.setting < patient.setting
        assert hasty.detection_s < patient.detection_s
        assert hasty.false_per_hour >= patient.false_per_hour
    assert found[0].false_per_hour > 0
    assert all(cost.detection_s <= cost.detection_max_s for cost in found)


def test_more_messages_buy_fewer_false_suspicions_with_the_same_timeout(costs):
    short = [cost for cost in costs if (cost.detector, cost.setting) == ("timeout", 0.3)]
    assert [cost.messages_per_s for cost in short] == [50, 25]
    assert short[0].false_per_hour < short[1].false_per_hour


def test_a_timeout_within_the_interval_is_left_out_as_it_suspects_everybody(costs):
    assert all(cost.setting > cost.interval_s for cost in costs if cost.detector == "timeout")


def test_messages_are_counted_for_every_node(costs):
    assert of(costs, "timeout", 0.2)[0].messages_per_s == 25
    assert detection_costs(intervals_s=[0.2], nodes=1, hours=0.1)[0].messages_per_s == 5


def test_on_a_perfect_network_the_time_to_detect_is_what_arithmetic_says():
    (cost,) = detection_costs(
        intervals_s=[0.2],
        timeouts_s=[1.0],
        thresholds=[],
        delay=lambda random: 0.01,
        loss=0.0,
        hours=0.2,
    )
    assert cost.false_per_hour == 0
    assert cost.detection_s == pytest.approx(
        1.0 + 0.01 - 0.1, abs=0.02
    )  # half an interval after the last heartbeat
    assert cost.detection_max_s == pytest.approx(1.0 + 0.01, abs=0.02)  # right after it


def test_the_laboratory_says_the_same_as_the_computation():
    """The same setting in HEARTBEATS: so many messages, and a crash that is seen within the worst case."""
    run = HEARTBEATS.run(plan="at 10s crash node-2", heartbeat_ms=200, timeout_ms=1000, jitter_ms=20)
    (cost,) = detection_costs(
        intervals_s=[0.2],
        timeouts_s=[1.0],
        thresholds=[],
        nodes=3,
        delay=lambda random: random.uniform(0.0005, 0.0205),
        loss=0.0,
        hours=0.2,
    )
    sent = run.history.between(0, 10).of("sent").records
    assert len(sent) / 10 == pytest.approx(cost.messages_per_s)
    suspicion = run.history.of("suspicion").first()
    assert suspicion.t_s - 10 <= cost.detection_max_s + 0.05
    assert suspicion.t_s - 10 >= 1.0 - 0.2


def test_the_network_is_uneven_and_the_same_for_the_same_seed():
    random = Random(1)
    delays = sorted(uneven_network(random) for _ in range(2001))
    assert 0.015 < delays[1000] < 0.025
    assert 0.2 < delays[-2] < 2
    assert detection_costs(hours=0.02, seed=3) == detection_costs(hours=0.02, seed=3)
    assert detection_costs(hours=0.02, seed=3) != detection_costs(hours=0.02, seed=4)


def test_costs_can_be_drawn_and_read(costs):
    panels = [Panel(name, "s", "an hour", cost_lines(costs, name), log=True) for name in ("timeout", "phi")]
    assert "50 messages/s" in measured(panels, title="Costs").describe()
    table = cost_table(costs).splitlines()
    assert len(table) == len(costs) + 1
    assert len({len(line) for line in table[1:]}) == 1


# ---- Phi over silence ------------------------------------------------------------------------------------


def test_the_curves_are_the_published_ones_within_their_tolerance():
    points = phi_curve()
    said = [
        (ours, published)
        for p in points
        for ours, published in ((p.exact, p.published_exact), (p.akka, p.published_akka))
        if published is not None
    ]
    assert len(said) == 5
    assert all(abs(ours - published) <= 0.1 for ours, published in said)


def test_the_approximation_goes_away_from_the_tail_the_further_out_the_more():
    far = [p.akka - p.exact for p in phi_curve() if p.silence_ms >= 1200]
    assert far == sorted(far)
    assert far[0] == pytest.approx(0, abs=0.01) and far[-1] > 1.5


def test_nothing_published_stands_beside_another_mean():
    assert all(p.published_akka is None for p in phi_curve([500, 1000], mean_ms=900))


def test_phi_can_be_drawn_beside_what_was_published():
    ours, published = phi_lines(phi_curve())
    assert list(ours) == list(published) == [EXACT, AKKA]
    text = measured(Panel("phi", "ms", "phi", ours, published), title="Phi").describe()
    assert "4.7 at 1400 (ours +0.9%)" in text
