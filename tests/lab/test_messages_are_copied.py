"""Machines share no memory: whatever a node does with a message, the sender's and the history's stay as they were."""

from typing import Any

from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.loop import VirtualLoop
from lessonlib.lab.world import Node, World


def test_a_receiver_that_changes_a_message_changes_neither_the_history_nor_the_duplicate() -> None:
    message = {"items": [1], "note": "as sent"}
    received: list[Any] = []

    async def receiver(node: Node) -> None:
        while True:
            _, body = await node.ports.transport.receive()
            received.append((body["note"], list(body["items"])))
            body["note"] = "changed"
            body["items"].append(2)

    loop = VirtualLoop()
    with loop.opened():
        world = World(loop)
        world.schedule(FaultPlan.parse("0s..1s duplicate 100%"))
        world.node("b", receiver)
        loop.run(deadline_us=1_000)
        world.node("a", lambda node: node.ports.transport.send("b", message))
        loop.run()
        world.finish()
    assert received == [("as sent", [1]), ("as sent", [1])]
    assert message == {"items": [1], "note": "as sent"}
    sent = world.history.of("sent").first()
    assert sent is not None and sent.data["body"] == message
