"""What makes no sense to a detector is refused with one sentence: the argument, its value, the remedy."""

import asyncio

import pytest

from lessonlib.errors import LessonError
from lessonlib.high_availability.experiments import detection_costs, downtimes, figure_16, phi_curve
from lessonlib.high_availability.heartbeat import HeartbeatMonitor, beat, keep_watch
from lessonlib.high_availability.phi import PhiAccrualDetector, phi_akka, phi_exact, silence_at
from lessonlib.high_availability.scenario import HEARTBEATS
from lessonlib.ports import local_ports

NAN = float("nan")


def awaited(work):
    return lambda: asyncio.run(work())


CASES = [
    (lambda: HeartbeatMonitor(0), "timeout_s=0", "more than 0"),
    (lambda: HeartbeatMonitor(-1.0), "timeout_s=-1.0", "more than 0"),
    (lambda: HeartbeatMonitor("1s"), "timeout_s='1s'", "number of seconds"),
    (lambda: HeartbeatMonitor(NAN), "timeout_s=nan", "number of seconds"),
    (lambda: HeartbeatMonitor(True), "timeout_s=True", "number of seconds"),
    (lambda: PhiAccrualDetector(0), "threshold=0", "more than 0 and up to 300"),
    (lambda: PhiAccrualDetector(True), "threshold=True", "more than 0"),
    (lambda: PhiAccrualDetector(NAN), "threshold=nan", "more than 0"),
    (lambda: PhiAccrualDetector(400), "threshold=400", "up to 300"),
    (lambda: PhiAccrualDetector("8"), "threshold='8'", "more than 0"),
    (lambda: PhiAccrualDetector(window=1), "window=1", "give 2 or more"),
    (lambda: PhiAccrualDetector(window=2.5), "window=2.5", "whole number"),
    (lambda: PhiAccrualDetector(min_deviation_s=0), "min_deviation_s=0", "more than 0"),
    (lambda: PhiAccrualDetector(acceptable_pause_s=-1), "acceptable_pause_s=-1", "0 or more"),
    (lambda: PhiAccrualDetector(first_interval_s=0), "first_interval_s=0", "more than 0"),
    (lambda: PhiAccrualDetector(phi=8), "phi=8", "give phi_exact or phi_akka"),
    (lambda: phi_exact(-1, 1, 0.1), "silence_s=-1", "0 or more"),
    (lambda: phi_exact(1, NAN, 0.1), "mean_s=nan", "0 or more"),
    (lambda: phi_akka(1, 1, 0), "deviation_s=0", "more than 0"),
    (lambda: silence_at(-1, 1, 0.1), "threshold=-1", "0 or more"),
    (lambda: phi_curve([-5]), "silences_ms=[-5] holds -5", "0 or more"),
    (lambda: phi_curve("500"), "silences_ms='500'", "give for instance"),
    (lambda: phi_curve([500], mean_ms="1000"), "mean_ms", "above 0"),
    (lambda: phi_curve([500], deviation_ms=0), "deviation_ms", "above 0"),
    (lambda: downtimes(150, 300, seed="one"), "seed='one'", "0 or more"),
    (lambda: figure_16((150, 300)), "timeouts_ms=(150, 300)", "((150, 155), (150, 300))"),
    (lambda: figure_16([(150, "300")], elections=1), "longest_ms='300'", "10 or more"),
    (lambda: figure_16(elections="all"), "elections='all'", "1 or more"),
    (lambda: detection_costs(timeouts_s=(-1.0,)), "timeouts_s=(-1.0,)", "above 0"),
    (lambda: detection_costs(timeouts_s=("1",)), "timeouts_s=('1',)", "above 0"),
    (lambda: detection_costs(thresholds=8.0), "thresholds=8.0", "give for instance"),
    (lambda: detection_costs(intervals_s=0.2), "intervals_s=0.2", "give for instance"),
    (lambda: detection_costs(delay=0.02), "delay=0.02", "uneven_network"),
    (lambda: detection_costs(seed=None), "seed=None", "0 or more"),
    (
        lambda: detection_costs(intervals_s=(0.2,), timeouts_s=(0.1, 0.2), thresholds=(), hours=0.01),
        "timeouts_s=(0.1, 0.2)",
        "give a longer timeout",
    ),
    (lambda: detection_costs(nodes=0), "nodes=0", "1 or more"),
    (lambda: detection_costs(loss=1), "loss=1", "from 0 to below 1"),
    (lambda: detection_costs(loss=True), "loss=True", "from 0 to below 1"),
    (lambda: detection_costs(hours=0), "hours=0", "more than 0"),
    (lambda: detection_costs(intervals_s=[0]), "intervals_s=[0]", "above 0"),
    (lambda: detection_costs(hours=1000), "hours=1000", "give fewer"),
    (lambda: HEARTBEATS.run(nodes=1), "nodes=1", "from 3 to 20"),
    (lambda: HEARTBEATS.run(plan="at 1s crash node-9"), "no node 'node-9'", "node-1"),
    (awaited(lambda: beat("", interval_s=1, ports=local_ports())), "to=''", "'watcher'"),
    (awaited(lambda: beat("watcher", interval_s=0, ports=local_ports())), "interval_s=0", "more than 0"),
    (
        awaited(lambda: keep_watch(HeartbeatMonitor(1), ["a"], ports=local_ports(), look_s=0)),
        "look_s=0",
        "more than 0",
    ),
    (
        awaited(lambda: keep_watch(HeartbeatMonitor(1), "node-1", ports=local_ports())),
        "nodes='node-1'",
        "['node-1']",
    ),
]


@pytest.mark.parametrize(("call", "names", "remedy"), CASES, ids=[names for _, names, _ in CASES])
def test_one_sentence_names_the_argument_the_value_and_the_remedy(call, names, remedy):
    with pytest.raises(LessonError) as refused:
        call()
    said = str(refused.value)
    assert names in said
    assert remedy in said
    assert "\n" not in said


@pytest.mark.parametrize("make", [lambda: HeartbeatMonitor(1.0), PhiAccrualDetector], ids=["timeout", "phi"])
@pytest.mark.parametrize("method", ["watch", "heard", "silence_s"])
@pytest.mark.parametrize(
    ("node", "now_s", "names"),
    [("", 1.0, "node=''"), (3, 1.0, "node=3"), ("a", -1.0, "now_s=-1.0"), ("a", NAN, "now_s=nan")],
)
def test_a_node_without_a_name_and_a_time_that_is_none_are_refused(make, method, node, now_s, names):
    with pytest.raises(LessonError, match=names):
        getattr(make(), method)(node, now_s)


@pytest.mark.parametrize("make", [lambda: HeartbeatMonitor(1.0), PhiAccrualDetector], ids=["timeout", "phi"])
@pytest.mark.parametrize("method", ["suspects", "alive"])
def test_they_are_asked_with_a_time_even_while_nobody_is_watched(make, method):
    with pytest.raises(LessonError, match="now_s='now'"):
        getattr(make(), method)("now")


def test_the_level_of_a_node_that_is_not_watched_is_refused():
    with pytest.raises(LessonError, match="node='node-1' is not watched, nobody is; call watch"):
        PhiAccrualDetector().level("node-1", 1.0)


def test_a_detector_without_the_methods_is_refused_by_name():
    with pytest.raises(LessonError, match=r"detector=.* has no heard"):
        asyncio.run(keep_watch(object(), ["node-1"], ports=local_ports()))
