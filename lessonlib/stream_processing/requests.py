"""Requests and answers over a transport that loses both: ask again until answered, and be ready to be asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import checked_ports, seconds, text
from lessonlib.event_driven.remote import GIVE_UP_S, REQUESTS_MAX, RESEND_S, NotAcknowledged
from lessonlib.ports import Ports

Answer = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Client:
    """Asks another node. The transport belongs to this object: nobody else may receive from it.

    Args:
        address: the other node's name.
        ports: this node's ports.
        give_up_s: how long a request is sent again before NotAcknowledged is raised.
    """

    def __init__(self, address: str, ports: Ports, *, give_up_s: float = GIVE_UP_S) -> None:
        text("address", address, example="broker")
        seconds("give_up_s", give_up_s, positive=True)
        self.address = address
        self._transport = checked_ports(ports).transport
        self._give_up_s = give_up_s
        # An answer to a request of an earlier incarnation must not be taken for an answer to one of ours.
        self.incarnation = f"{ports.random.getrandbits(64):016x}"
        self._count = 0
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._receiver: asyncio.Task[None] | None = None

    async def ask(self, op: str, *, patience_s: float = 0, **given: Any) -> Any:
        """Send a request until it is answered; `patience_s` is time that the other side may take.

        Raises LessonError when the other side refuses, NotAcknowledged when it never answers.
        """
        if self._receiver is None or self._receiver.done():
            self._receiver = asyncio.create_task(self._receive(), name=f"answers from {self.address}")
        self._count += 1
        number = f"{self.incarnation}-{self._count}"
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._give_up_s
        try:
            while loop.time() < give_up_at:
                answer = self._waiting[number] = loop.create_future()
                self.tell(op, number=number, **given)
                try:
                    async with asyncio.timeout(RESEND_S + patience_s):
                        message = await answer
                except TimeoutError:
                    continue
                if "error" in message:
                    raise LessonError(message["error"])
                return message["result"]
        finally:
            self._waiting.pop(number, None)
        raise NotAcknowledged(
            f"{self.address!r} did not answer {op!r} within {self._give_up_s:g} s; is it up, and is that its name?"
        )

    def tell(self, op: str, *, number: str = "", **given: Any) -> None:
        """Send a message once, without waiting for an answer."""
        self._transport.send(self.address, {"op": op, "number": number, "with": given})

    async def aclose(self) -> None:
        """Stop receiving."""
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)

    async def _receive(self) -> None:
        while True:
            _, message = await self._transport.receive()
            answer = self._waiting.get(str(message.get("answers"))) if isinstance(message, dict) else None
            if answer is not None and not answer.done():
                answer.set_result(message)


async def serve(ports: Ports, answer: Answer) -> None:
    """Answer requests until cancelled: `answer(op, given)` returns what is sent back.

    A LessonError goes to whoever asked. After an OSError nothing is sent, so the other side asks again. What comes
    beyond REQUESTS_MAX requests at a time is ignored, and so is asked again.
    """
    transport = checked_ports(ports).transport
    tasks: set[asyncio.Task[None]] = set()

    async def one(sender: str, op: str, number: str, given: dict[str, Any]) -> None:
        try:
            result = await answer(op, given)
        except (LessonError, TypeError, KeyError) as error:  # it makes no sense, and never will
            reply = {"answers": number, "error": str(error)}
        except OSError:
            return
        else:
            reply = {"answers": number, "result": result}
        if number:
            transport.send(sender, reply)

    try:
        while True:
            sender, message = await transport.receive()
            if (
                isinstance(message, dict)
                and message.keys() == {"op", "number", "with"}
                and len(tasks) < REQUESTS_MAX
            ):
                task = asyncio.create_task(
                    one(sender, message["op"], message["number"], message["with"]),
                    name=f"serve {message['op']}",
                )
                tasks.add(task)
                task.add_done_callback(tasks.discard)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
