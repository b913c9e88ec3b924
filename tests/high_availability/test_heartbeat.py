"""A node that is silent for longer than the timeout is suspected, and nobody else is."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonlib.errors import LessonError
from lessonlib.high_availability.heartbeat import HeartbeatMonitor, beat, keep_watch
from lessonlib.high_availability.phi import PhiAccrualDetector
from lessonlib.ports import LocalHub, local_ports

TIMES = st.floats(0, 1e6)
GAPS = st.floats(0, 10)


def watching(*nodes, timeout_s=1.0, now_s=0.0):
    monitor = HeartbeatMonitor(timeout_s)
    for node in nodes:
        monitor.watch(node, now_s)
    return monitor


def test_a_node_is_suspected_once_it_was_silent_for_longer_than_the_timeout():
    monitor = watching("node-1", "node-2")
    monitor.heard("node-2", 0.9)
    assert monitor.suspects(1.0) == []  # exactly the timeout is not longer than it
    assert monitor.suspects(1.1) == ["node-1"]
    assert monitor.alive(1.1) == ["node-2"]


def test_a_suspicion_ends_with_the_next_heartbeat():
    monitor = watching("node-1")
    assert monitor.suspects(5.0) == ["node-1"]
    monitor.heard("node-1", 5.0)
    assert monitor.suspects(5.0) == []
    assert monitor.silence_s("node-1", 5.5) == 0.5


def test_a_node_that_was_never_heard_is_suspected_when_its_grace_is_over():
    monitor = watching("node-1", now_s=100.0)
    assert monitor.suspects(101.0) == []
    assert monitor.suspects(101.1) == ["node-1"]


def test_suspects_are_sorted_whatever_the_order_of_watching():
    assert watching("node-3", "node-1", "node-2").suspects(2.0) == ["node-1", "node-2", "node-3"]


def test_to_watch_a_node_again_begins_its_grace_anew():
    monitor = watching("node-1")
    monitor.watch("node-1", 5.0)
    assert monitor.suspects(5.5) == []


@pytest.mark.parametrize("detector", [HeartbeatMonitor(1.0), PhiAccrualDetector()], ids=["timeout", "phi"])
def test_a_late_heartbeat_does_not_bring_back_a_node_that_was_forgotten(detector):
    detector.watch("node-1", 0.0)
    detector.forget("node-1")
    detector.forget("node-1")  # once more does no harm
    detector.heard("node-1", 0.5)
    assert detector.suspects(99.0) == detector.alive(99.0) == []


@pytest.mark.parametrize("detector", [HeartbeatMonitor(1.0), PhiAccrualDetector()], ids=["timeout", "phi"])
def test_a_heartbeat_from_before_the_last_one_changes_nothing(detector):
    detector.watch("node-1", 0.0)
    detector.heard("node-1", 2.0)
    detector.heard("node-1", 1.0)
    assert detector.silence_s("node-1", 2.5) == 0.5
    assert detector.silence_s("node-1", 1.5) == 0.0


@given(start_s=TIMES, gaps=st.lists(st.floats(0, 1.0), max_size=20))
def test_nobody_is_ever_suspected_within_the_timeout(start_s, gaps):
    monitor, now_s = watching("node-1", timeout_s=1.001, now_s=start_s), start_s  # the rest is rounding
    for gap_s in gaps:
        now_s += gap_s
        assert monitor.suspects(now_s) == []
        monitor.heard("node-1", now_s)


@given(start_s=TIMES, gaps=st.lists(GAPS, max_size=20), silence_s=st.floats(1.001, 1e6))
def test_whoever_is_silent_for_longer_is_suspected_whatever_was_before(start_s, gaps, silence_s):
    monitor, now_s = watching("node-1", now_s=start_s), start_s
    for gap_s in gaps:
        now_s += gap_s
        monitor.heard("node-1", now_s)
    assert monitor.suspects(now_s + silence_s) == ["node-1"]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["watch", "heard", "forget"]), st.sampled_from("abc"), GAPS), max_size=30
    )
)
@pytest.mark.parametrize("make", [lambda: HeartbeatMonitor(1.0), PhiAccrualDetector], ids=["timeout", "phi"])
def test_each_watched_node_is_either_suspected_or_alive_and_no_other_is(make, steps):
    detector, watched, now_s = make(), set(), 0.0
    for what, node, gap_s in steps:
        now_s += gap_s
        if what == "forget":
            detector.forget(node)
            watched.discard(node)
        else:
            getattr(detector, what)(node, now_s)
            watched |= {node} if what == "watch" else set()
        suspects, alive = detector.suspects(now_s), detector.alive(now_s)
        assert sorted(suspects + alive) == sorted(watched)
        assert not set(suspects) & set(alive)
        if what == "heard" and node in watched:
            assert node in alive


def test_it_works_on_a_real_loop_between_parts_of_one_process():
    async def main():
        hub, changed = LocalHub(), asyncio.Event()
        seen: list[list[str]] = []

        def on_look(now_s, suspected):
            if not seen or seen[-1] != suspected:
                seen.append(suspected)
                changed.set()

        async def until(suspected):
            while not seen or seen[-1] != suspected:
                changed.clear()
                await changed.wait()

        nodes = {name: local_ports(name, hub=hub) for name in ("node-1", "node-2")}
        beats = {
            name: asyncio.create_task(beat("watcher", interval_s=0.01, ports=ports))
            for name, ports in nodes.items()
        }
        watch = asyncio.create_task(
            keep_watch(
                HeartbeatMonitor(0.2),
                nodes,
                ports=local_ports("watcher", hub=hub),
                look_s=0.02,
                on_look=on_look,
            )
        )
        await until([])
        beats["node-2"].cancel()
        await until(["node-2"])
        beats["node-2"] = asyncio.create_task(beat("watcher", interval_s=0.01, ports=nodes["node-2"]))
        await until([])
        for task in (*beats.values(), watch):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return seen

    assert ["node-2"] in asyncio.run(asyncio.wait_for(main(), 60))


def test_other_messages_are_no_heartbeats():
    async def main():
        hub = LocalHub()
        sender = local_ports("node-1", hub=hub)
        detector = HeartbeatMonitor(0.1)
        looks = asyncio.Queue()
        watch = asyncio.create_task(
            keep_watch(
                detector,
                ["node-1"],
                ports=local_ports("watcher", hub=hub),
                look_s=0.02,
                on_look=lambda now_s, suspected: looks.put_nowait(suspected),
            )
        )
        while not await looks.get():
            sender.transport.send("watcher", {"type": "vote"})
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch

    asyncio.run(asyncio.wait_for(main(), 60))


def test_asking_for_a_node_that_is_not_watched_names_those_that_are():
    with pytest.raises(LessonError, match="node='node-9' is not watched, node-1, node-2 is"):
        watching("node-1", "node-2").silence_s("node-9", 1.0)
