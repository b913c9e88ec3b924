"""The log on another node: requests and answers get lost, come twice, come late, and the broker crashes."""

import asyncio

import pytest

from lessonlib.errors import LessonError
from lessonlib.event_driven import Event, EventLog, LogServer, RemoteEventLog
from lessonlib.event_driven.remote import NotAcknowledged
from lessonlib.lab import FaultPlan
from lessonlib.lab.loop import VirtualLoop
from lessonlib.lab.world import World
from lessonlib.ports import LocalHub, local_ports


def event(number):
    return Event("order_created", "shop", {"order_id": number})


class Trial:
    """A broker, and one client that makes requests by the name `log`, under a plan of faults."""

    def __init__(self, plan="", seed=1, **options):
        self.loop = VirtualLoop()
        self.seed, self.plan, self.options = seed, FaultPlan.parse(plan), options

    def run(self, work):
        """Run `work(log, world)` on the client; return the world."""
        with self.loop.opened(self.seed):
            world = World(self.loop, seed=self.seed)
            world.node("broker", lambda node: LogServer(EventLog(node.ports.disk), node.ports).run())
            result = []

            async def client():
                log = RemoteEventLog("broker", world.nodes["client"].ports, **self.options)
                result.append(await work(log, world))

            world.node("client", lambda node: client())
            world.schedule(self.plan)
            self.loop.run(deadline_us=200_000_000)
            world.finish()
        died = [str(record) for record in world.history.of("died")]
        assert not died, died
        assert result, "the client did not come to its end"
        return world

    def stored(self, world):
        return [record["data"]["order_id"] for record in world.nodes["broker"].files.get("log", [])]


async def publish(log, world, count=20):
    return [await log.append(event(number)) for number in range(count)]


TROUBLE = {
    "a good day": "",
    "half of all messages are lost": "0s..20s lose 50%",
    "only answers are lost": "0s..20s lose 70% from broker",
    "everything comes twice": "0s..20s duplicate 100%",
    "messages overtake each other": "0s..20s reorder 60% by 600ms; 0s..20s duplicate 50%",
    "slower than the sender's patience": "0s..20s delay 400ms",
    "the broker crashes": "at 10ms crash broker for 1s; at 1500ms crash broker for 1s",
    "the broker crashes after a write, unable to say so": "after write 3 to log crash broker for 500ms; "
    "after write 9 to log crash broker for 500ms",
    "the broker's disk fails now and then": "0s..20s fail-disk broker 50%",
    "no way through for a while": "10ms..5s partition client | broker",
    "answers do not come through": "10ms..5s partition broker > client",
}


@pytest.mark.parametrize("plan", TROUBLE.values(), ids=TROUBLE)
@pytest.mark.parametrize("seed", range(3))
def test_every_append_returns_the_offset_of_the_one_copy_that_is_stored(plan, seed):
    async def work(log, world):
        assert await publish(log, world) == list(range(20))

    trial = Trial(plan, seed)
    assert trial.stored(trial.run(work)) == list(range(20))


@pytest.mark.parametrize("plan", TROUBLE.values(), ids=TROUBLE)
def test_all_requests_work_through_trouble(plan):
    async def work(log, world):
        await publish(log, world, 5)
        await log.commit("inventory", 4)
        assert await log.committed("inventory") == 4
        assert [offset for offset, _ in await log.read(3, wait_s=1)] == [3, 4]
        assert [e["data"]["order_id"] for _, e in await log.read(0, limit=2)] == [0, 1]
        assert await log.read(5, wait_s=0.5) == []
        await log.rewind("inventory", 1)
        assert await log.cursor("inventory") == (1, 1)
        await log.commit("inventory", 5)
        await asyncio.sleep(5)  # copies that came late have done nothing
        assert await log.cursor("inventory") == (5, 1)
        assert await log.end() == 5

    Trial(plan).run(work)


def test_a_broker_that_is_gone_is_given_up_after_the_stated_time():
    async def work(log, world):
        start = asyncio.get_running_loop().time()
        with pytest.raises(NotAcknowledged) as raised:
            await log.append(event(1))
        assert asyncio.get_running_loop().time() - start == pytest.approx(3, abs=0.3)
        assert str(raised.value).startswith(
            "'broker' did not answer 'append' within 3 s; is it up, and is that"
        )
        assert "Publish the same event again: its id stays the same" in str(raised.value)

    Trial("at 0s crash broker", give_up_s=3).run(work)


def test_what_was_given_up_may_be_sent_again_and_is_stored_once():
    async def work(log, world):
        with pytest.raises(NotAcknowledged):
            await log.append(event(1))
        await asyncio.sleep(5)
        assert await log.append(event(1)) == 0

    trial = Trial("0s..4s partition broker > client", give_up_s=2)
    assert trial.stored(trial.run(work)) == [1]


def test_an_error_of_the_broker_is_told_and_not_tried_again():
    async def work(log, world):
        with pytest.raises(LessonError, match="offset=7 is beyond the log's end"):
            await log.commit("inventory", 7)
        assert asyncio.get_running_loop().time() < 0.1

    Trial().run(work)


def test_an_answer_to_an_earlier_incarnation_is_not_taken_for_an_answer_to_this_one():
    """The client restarts while the answer to its first request is on the way; numbers start again at 1."""
    answers = []

    loop = VirtualLoop()
    with loop.opened(1):
        world = World(loop, seed=1)
        world.node("broker", lambda node: LogServer(EventLog(node.ports.disk), node.ports).run())

        async def client():
            node = world.nodes["client"]
            log = RemoteEventLog("broker", node.ports)
            if node.incarnation == 1:
                await log.append(event(1))
            else:
                answers.append(await log.committed("inventory"))

        world.node("client", lambda node: client())
        world.schedule(FaultPlan.parse("0s..1s delay 200ms from broker; at 100ms crash client for 50ms"))
        loop.run(deadline_us=10_000_000)
        world.finish()
    assert answers == [0]
    assert not world.history.of("died")


def test_messages_that_are_neither_request_nor_answer_do_no_harm():
    async def trial():
        hub = LocalHub()
        broker = local_ports("broker", hub=hub)
        stranger = local_ports("stranger", hub=hub)
        client = RemoteEventLog("broker", local_ports("client", hub=hub))
        server = asyncio.create_task(LogServer(EventLog(broker.disk), broker).run())
        for nonsense in (None, "hello", [], {}, {"op": "append"}, {"answers": 7}):
            stranger.transport.send("broker", nonsense)
            stranger.transport.send("client", nonsense)
        for op, given in (
            ("append", {}),
            ("dance", {}),
            ("read", {"offset": -1}),
            ("commit", {"x": 1}),
            ("read", None),
        ):
            stranger.transport.send("broker", {"op": op, "number": 1, "with": given})
        assert await client.append(event(1)) == 0
        errors = [(await stranger.transport.receive())[1] for _ in range(5)]
        assert all("error" in answer for answer in errors)
        assert not server.done()
        server.cancel()
        await client.aclose()

    asyncio.run(asyncio.wait_for(trial(), 10))


def test_two_parts_of_one_process_share_a_log_on_a_real_loop(tmp_path):
    async def trial():
        hub = LocalHub()
        broker = local_ports("broker", hub=hub, directory=tmp_path)
        server = asyncio.create_task(LogServer(EventLog(broker.disk), broker).run())
        shop = RemoteEventLog("broker", local_ports("shop", hub=hub))
        inventory = RemoteEventLog("broker", local_ports("inventory", hub=hub))
        reading = asyncio.create_task(inventory.read(0, wait_s=5))
        assert await shop.append(event(1)) == 0
        assert await reading == [(0, event(1))]
        await inventory.commit("inventory", 1)
        assert await shop.committed("inventory") == 1
        await asyncio.gather(shop.aclose(), inventory.aclose())
        server.cancel()

    asyncio.run(asyncio.wait_for(trial(), 10))


def test_a_closed_log_asks_nothing_more():
    async def trial():
        log = RemoteEventLog("broker", local_ports())
        await log.aclose()
        await log.aclose()
        with pytest.raises(
            LessonError, match="the log at 'broker' is closed here; make a new RemoteEventLog"
        ):
            await log.end()

    asyncio.run(trial())
