"""The event log on another machine: a server beside the log, and a client that looks like the log itself.

A request can be lost, and so can its answer. The client cannot tell the two apart, so it sends again until it
is answered. That is safe because every request may be carried out twice: `append` recognises (source, id),
`commit` only moves forward, and the rest changes nothing. Only `rewind` moves back; so a request about a cursor
that comes after a later one of the same sender is out of date, and is not carried out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.log import EventLog
from lessonlib.ports import Ports

RESEND_S = 0.25
GIVE_UP_S = 60.0
REQUESTS_MAX = 1_000
SENDERS_MAX = 10_000  # incarnations of senders whose latest request about a cursor is remembered


class NotAcknowledged(LessonError):
    """The broker did not answer in time. The request may have been carried out, or not: nobody knows."""


class LogServer:
    """Answers requests for an `EventLog` over a transport. Its `run` is the broker node's main task."""

    def __init__(self, log: EventLog, ports: Ports) -> None:
        self._log = log
        self._transport = ports.transport
        self._tasks: set[asyncio.Task[None]] = set()
        self._latest: OrderedDict[str, int] = OrderedDict()

    async def run(self) -> None:
        """Serve until cancelled. Requests beyond REQUESTS_MAX at a time are ignored: their senders will ask again."""
        try:
            while True:
                sender, request = await self._transport.receive()
                if len(self._tasks) < REQUESTS_MAX:
                    task = asyncio.create_task(self._serve(sender, request), name=f"serve {request['op']}")
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, sender: str, request: dict[str, Any]) -> None:
        try:
            stale = request["op"] in ("commit", "rewind") and self._overtaken(request["number"])
            result = None if stale else await self._carry_out(request["op"], request["with"])
        except LessonError as error:  # the request makes no sense: asking again would not help
            self._transport.send(sender, {"answers": request["number"], "error": str(error)})
        except OSError:
            pass  # the disk failed: no answer, so the sender asks again
        else:
            self._transport.send(sender, {"answers": request["number"], "result": result})

    def _overtaken(self, number: str) -> bool:
        incarnation, _, count = number.rpartition("-")
        latest = self._latest[incarnation] = max(int(count), self._latest.pop(incarnation, 0))
        if len(self._latest) > SENDERS_MAX:
            self._latest.popitem(last=False)
        return int(count) < latest

    async def _carry_out(self, op: str, given: dict[str, Any]) -> Any:
        log = self._log
        match op:
            case "append":
                return await log.append(Event.from_dict(given["event"]))
            case "read":
                found = await log.read(given["offset"], limit=given["limit"], wait_s=given["wait_s"])
                return [[offset, event.to_dict()] for offset, event in found]
            case "commit":
                return await log.commit(given["subscription"], given["offset"])
            case "rewind":
                return await log.rewind(given["subscription"], given["offset"])
            case "committed":
                return await log.committed(given["subscription"])
            case "end":
                return await log.end()
        raise LessonError(f"the broker knows no request {op!r}")


class RemoteEventLog:
    """An `EventLog` that lives on another node. The same methods, each raising NotAcknowledged in the end.

    Args:
        address: the broker's name on the network.
        ports: this node's ports. The transport belongs to this object: nobody else may receive from it.
        give_up_s: how long a request is sent again before NotAcknowledged is raised.
    """

    def __init__(self, address: str, ports: Ports, *, give_up_s: float = GIVE_UP_S) -> None:
        self._address = address
        self._transport = ports.transport
        self._give_up_s = give_up_s
        # An answer to a request of an earlier incarnation must not be taken for an answer to one of ours.
        self._incarnation = f"{ports.random.getrandbits(64):016x}"
        self._count = 0
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._receiver: asyncio.Task[None] | None = None

    async def append(self, event: Event) -> int:
        """See EventLog.append."""
        offset: int = await self._ask("append", event=event.to_dict())
        return offset

    async def read(self, offset: int, *, limit: int = 100, wait_s: float = 0) -> list[tuple[int, Event]]:
        """See EventLog.read."""
        found = await self._ask("read", offset=offset, limit=limit, wait_s=wait_s, patience_s=wait_s)
        return [(number, Event.from_dict(record)) for number, record in found]

    async def commit(self, subscription: str, offset: int) -> None:
        """See EventLog.commit."""
        await self._ask("commit", subscription=subscription, offset=offset)

    async def rewind(self, subscription: str, offset: int = 0) -> None:
        """See EventLog.rewind."""
        await self._ask("rewind", subscription=subscription, offset=offset)

    async def committed(self, subscription: str) -> int:
        """See EventLog.committed."""
        offset: int = await self._ask("committed", subscription=subscription)
        return offset

    async def end(self) -> int:
        """See EventLog.end."""
        offset: int = await self._ask("end")
        return offset

    async def aclose(self) -> None:
        """Stop receiving."""
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)
            self._receiver = None

    async def _ask(self, op: str, *, patience_s: float = 0, **given: Any) -> Any:
        """Send a request until it is answered; `patience_s` is time that the broker itself may take."""
        if self._receiver is None:
            self._receiver = asyncio.create_task(self._receive(), name="answers from the broker")
        self._count += 1
        number = f"{self._incarnation}-{self._count}"
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._give_up_s
        try:
            while loop.time() < give_up_at:
                answer = self._waiting[number] = loop.create_future()
                self._transport.send(self._address, {"op": op, "number": number, "with": given})
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
            f"{self._address!r} did not answer {op!r} within {self._give_up_s:g} s; is it up, and is that "
            "its name? Publish the same event again: its id stays the same"
        )

    async def _receive(self) -> None:
        while True:
            _, message = await self._transport.receive()
            answer = self._waiting.get(message["answers"])
            if answer is not None and not answer.done():  # else it answers a request that was sent twice
                answer.set_result(message)
