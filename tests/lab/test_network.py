"""The simulated network: what it promises without faults, and what each fault of links does."""

import asyncio

import pytest
from worlds import scenario

from lessonlib.lab import network
from lessonlib.lab.network import LATENCY_US

PEERS = "abcd"


def run(plan="", *, messages=100, every_s=0.01, pairs=("ab",), seed=1, body=lambda i: i, extra=None):
    """Each pair carries a numbered message every 10 ms; every node notes what it receives."""

    def boot(node):
        async def main():
            while True:
                sender, message = await node.ports.transport.receive()
                node.world.record("got", node.name, sender=sender, body=message)

        return main()

    def build(world, parts, params):
        for name in PEERS:
            world.node(name, boot)

        async def workload():
            for i in range(messages):
                for source, to in pairs:
                    world.nodes[source].ports.transport.send(to, body(i))
                await asyncio.sleep(every_s)
            if extra is not None:
                await extra(world)

        return workload()

    return scenario(build).run(plan=plan, seed=seed)


def got(result, pair="ab"):
    return [r.get("body") for r in result.history.of("got", node=pair[1], sender=pair[0])]


def dropped(result):
    return [(r.get("source"), r.node, r.get("reason")) for r in result.history.of("dropped")]


def latencies_us(result, pair="ab"):
    sent = {r.get("message"): r.t_us for r in result.history.of("sent", node=pair[0], to=pair[1])}
    return [
        r.t_us - sent[r.get("message")] for r in result.history.of("delivered", node=pair[1], source=pair[0])
    ]


def test_without_faults_everything_arrives_once_in_order_after_a_small_latency():
    result = run(messages=1000, every_s=0.0001)  # closer together than the latency varies
    assert got(result) == list(range(1000))
    low, high = LATENCY_US
    assert low <= min(latencies_us(result)) and max(latencies_us(result)) <= high
    assert len(set(latencies_us(result))) > 100


def test_a_message_crosses_as_a_copy_that_shares_nothing():
    """With the sender's, with the duplicate, and with the record of the sending."""
    message = {"items": [1]}

    def boot(node):
        async def main():
            while True:
                _, received = await node.ports.transport.receive()
                received["items"].append("mine")
                node.world.record("got", node.name, body=received)

        return main()

    def build(world, parts, params):
        world.node("a", lambda node: None)
        world.node("b", boot)

        async def workload():
            world.nodes["a"].ports.transport.send("b", message)
            message["items"].append("changed")
            await asyncio.sleep(2)

        return workload()

    history = scenario(build).run(plan="0s..1s duplicate 100%").history
    assert [r.get("body") for r in history.of("sent")] == [{"items": [1]}]
    assert [r.get("body") for r in history.of("got")] == [{"items": [1, "mine"]}] * 2


@pytest.mark.parametrize("message", [object(), {1: 2}, asyncio.sleep])
def test_a_message_that_is_not_plain_is_the_senders_error(message):
    result = run(messages=1, body=lambda i: message)
    assert "PortError: " in result.unfinished and "of workload in test_network.py" in result.unfinished


def test_the_name_of_a_receiver_is_text():
    async def extra(world):
        world.nodes["a"].ports.transport.send(["b"], 1)

    assert "PortError: send(to, message) takes the name of a node, not ['b']" in run(extra=extra).unfinished


def test_a_message_to_an_unknown_node_is_dropped_with_a_reason():
    async def extra(world):
        world.nodes["a"].ports.transport.send("nobody", 1)
        await asyncio.sleep(1)

    assert dropped(run(messages=0, extra=extra)) == [("a", "nobody", "no such node")]


def test_a_message_to_a_node_that_is_down_is_dropped_with_a_reason():
    result = run("at 0.3051s crash b for 200ms")
    assert {reason for *_, reason in dropped(result)} == {"node is down"}
    assert 15 <= len(dropped(result)) <= 25
    assert len(got(result)) + len(dropped(result)) == 100


def test_an_inbox_has_an_end(monkeypatch):
    monkeypatch.setattr(network, "INBOX_MAX", 10)
    result = run("at 100ms pause b for 10s")
    assert {reason for *_, reason in dropped(result)} == {"inbox full"}
    assert len(got(result)) == 100 - len(dropped(result)) <= 21


def test_a_partition_cuts_both_ways_between_its_sides_and_nowhere_else():
    result = run("0.2s..0.5s partition a | b,c", pairs=("ab", "ba", "ac", "bc", "ad", "da"))
    cut = {(source, to) for source, to, reason in dropped(result) if reason == "partition"}
    assert cut == {("a", "b"), ("b", "a"), ("a", "c")}
    assert got(result, "bc") == got(result, "ad") == got(result, "da") == list(range(100))
    missing = sorted(set(range(100)) - set(got(result)))
    assert missing == list(range(20, 50))


def test_a_one_way_partition_lets_the_other_direction_pass():
    result = run("0.2s..0.5s partition a > b", pairs=("ab", "ba"))
    assert got(result, "ba") == list(range(100))
    assert sorted(set(range(100)) - set(got(result, "ab"))) == list(range(20, 50))


def test_a_flapping_link_is_cut_in_the_first_half_of_every_period_both_ways_and_nowhere_else():
    result = run("0.2s..0.5s flap-link a | b every 0.1s", pairs=("ab", "ba", "ac"))
    cut = [*range(20, 25), *range(30, 35), *range(40, 45)]
    assert sorted(set(range(100)) - set(got(result, "ab"))) == cut
    assert sorted(set(range(100)) - set(got(result, "ba"))) == cut
    assert got(result, "ac") == list(range(100))
    assert {reason for *_, reason in dropped(result)} == {"partition"}


def test_a_message_on_its_way_when_the_partition_begins_is_cut_too():
    result = run("0.0002s..1s partition a | b", messages=1)
    assert result.history.of("sent").first().t_us == 0
    assert dropped(result) == [("a", "b", "partition")]
    assert result.history.of("dropped").first().t_us >= LATENCY_US[0]


def test_a_message_that_arrives_after_the_partition_passes():
    assert got(run("0.0001s..0.0002s partition a | b", messages=1)) == [0]


def test_overlapping_partitions_end_one_by_one():
    result = run("0.1s..0.4s partition a | b; 0.2s..0.6s partition a | b,c")
    assert sorted(set(range(100)) - set(got(result))) == list(range(10, 60))


def test_loss_strikes_about_as_often_as_it_says_and_only_where_it_is_aimed():
    result = run("0s..100s lose 30% from a to b", messages=1000, pairs=("ab", "ac", "ba"))
    assert {(source, to) for source, to, _ in dropped(result)} == {("a", "b")}
    assert 250 < len(dropped(result)) < 350
    assert all(reason == "loss" for *_, reason in dropped(result))
    assert got(result) == sorted(got(result))


def test_all_is_lost_and_nothing_is_lost_at_the_limits():
    assert got(run("0s..100s lose 100%")) == []
    result = run("0s..100s lose 0.01%")
    assert len(got(result)) + len(dropped(result)) == 100


def test_duplicates_come_later_and_about_as_often_as_the_fault_says():
    result = run("0s..100s duplicate 30%", messages=1000)
    received = got(result)
    assert set(received) == set(range(1000))
    assert 1250 < len(received) < 1350
    firsts = list(dict.fromkeys(received))
    assert firsts == sorted(firsts)


def test_reordering_lets_later_messages_overtake():
    received = got(run("0s..100s reorder 30% by 50ms"))
    assert sorted(received) == list(range(100)) and received != sorted(received)
    untouched = got(run("0s..100s reorder 30% by 50ms from c"))
    assert untouched == list(range(100))


def test_delay_adds_to_the_latency_and_keeps_the_order():
    result = run("0.2s..0.5s delay 35ms")
    assert got(result) == list(range(100))
    late = latencies_us(result)
    assert all(us > 35_000 for us in late[20:50])
    assert all(us < 2_000 for us in late[:20] + late[60:])


def test_a_delivery_is_recorded_with_its_message_and_each_message_ends_somewhere():
    result = run("0s..1s lose 30%; 0.2s..0.4s partition a | b; at 0.5s crash b for 100ms", pairs=("ab", "ba"))
    sent = {r.get("message") for r in result.history.of("sent")}
    ended = [r.get("message") for r in result.history.of("delivered", "dropped")]
    assert len(ended) == len(set(ended)) and set(ended) == sent
    bodies = {r.get("message"): r.get("body") for r in result.history.of("sent", to="b")}
    delivered = [bodies[r.get("message")] for r in result.history.of("delivered", node="b")]
    assert delivered == got(result)


def test_a_node_may_send_to_itself():
    assert got(run(pairs=("aa",), messages=3), "aa") == [0, 1, 2]


def test_a_cancelled_receiver_loses_nothing():
    def boot(node):
        async def main():
            receive = node.ports.transport.receive
            while True:
                try:
                    async with asyncio.timeout(0.0101):
                        _, body = await receive()
                        node.world.record("got", node.name, sender="a", body=body)
                except TimeoutError:
                    pass

        return main()

    def build(world, parts, params):
        world.node("a", lambda node: None)
        world.node("b", boot)

        async def workload():
            for i in range(200):
                world.nodes["a"].ports.transport.send("b", i)
                await asyncio.sleep(0.0101 - i * 0.00001)

        return workload()

    assert got(scenario(build).run()) == list(range(200))


def test_two_receivers_on_one_node_share_the_messages():
    def boot(node):
        async def receiver(name):
            while True:
                _, body = await node.ports.transport.receive()
                node.world.record("got", node.name, sender="a", body=body, by=name)

        async def main():
            await asyncio.gather(receiver("one"), receiver("two"))

        return main()

    def build(world, parts, params):
        world.node("a", lambda node: None)
        world.node("b", boot)

        async def workload():
            for i in range(50):
                world.nodes["a"].ports.transport.send("b", i)
                await asyncio.sleep(0.01)

        return workload()

    result = scenario(build).run()
    assert got(result) == list(range(50))
    assert {r.get("by") for r in result.history.of("got")} == {"one", "two"}
