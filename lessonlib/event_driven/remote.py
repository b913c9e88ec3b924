"""The event log on another machine: a server beside the log, and a client that looks like the log itself.

A request can be lost, and so can its answer. The client cannot tell the two apart, so it sends again until it
is answered. That is safe because every request may be carried out twice: `append` recognises (source, id),
`commit` only moves forward, `rewind` says which rewind it is, and the rest changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import LOG, able, checked_ports, seconds, text
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.log import EventLog, check_cursor, check_event, check_read
from lessonlib.ports import Ports

RESEND_S = 0.25
GIVE_UP_S = 60.0
REQUESTS_MAX = 1_000


class NotAcknowledged(LessonError):
    """The broker did not answer in time. The request may have been carried out, or not: nobody knows."""


class LogServer:
    """Answers requests for an `EventLog` over a transport. Its `run` is the broker node's main task."""

    def __init__(self, log: EventLog, ports: Ports) -> None:
        able("log", log, LOG, example="an EventLog")
        self._log = log
        self._transport = checked_ports(ports).transport
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled. Requests beyond REQUESTS_MAX at a time are ignored: their senders will ask again.
        So are messages that are no requests."""
        try:
            while True:
                sender, request = await self._transport.receive()
                if _is_request(request) and len(self._tasks) < REQUESTS_MAX:
                    task = asyncio.create_task(self._serve(sender, request), name=f"serve {request['op']}")
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, sender: str, request: dict[str, Any]) -> None:
        try:
            result = await self._carry_out(request["op"], request["with"])
        except (LessonError, TypeError, KeyError) as error:  # it makes no sense, and never will
            self._transport.send(sender, {"answers": request["number"], "error": str(error)})
        except OSError:
            pass  # the disk failed: no answer, so the sender asks again
        else:
            self._transport.send(sender, {"answers": request["number"], "result": result})

    async def _carry_out(self, op: str, given: dict[str, Any]) -> Any:
        log = self._log
        match op:
            case "append":
                return await log.append(Event.from_dict(given["event"]))
            case "read":
                found = await log.read(**given)
                return [[offset, event.to_dict()] for offset, event in found]
            case "commit":
                return await log.commit(**given)
            case "rewind":
                return await log.rewind(**given)
            case "cursor":
                return await log.cursor(**given)
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
        text("address", address, example="broker")
        seconds("give_up_s", give_up_s, positive=True)
        self._address = address
        self._transport = checked_ports(ports).transport
        self._give_up_s = give_up_s
        # An answer to a request of an earlier incarnation must not be taken for an answer to one of ours.
        self._incarnation = f"{ports.random.getrandbits(64):016x}"
        self._count = 0
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._receiver: asyncio.Task[None] | None = None
        self._closed = False
        self._rewinds: dict[str, int] = {}  # how often a cursor had been moved back when we last heard of it
        self._rewinding = asyncio.Lock()

    async def append(self, event: Event) -> int:
        """See EventLog.append."""
        check_event(event)
        offset: int = await self._ask("append", event=event.to_dict())
        return offset

    async def read(self, offset: int, *, limit: int = 100, wait_s: float = 0) -> list[tuple[int, Event]]:
        """See EventLog.read."""
        check_read(offset, limit, wait_s)
        found = await self._ask("read", offset=offset, limit=limit, wait_s=wait_s, patience_s=wait_s)
        return [(number, Event.from_dict(record)) for number, record in found]

    async def commit(self, subscription: str, offset: int) -> None:
        """See EventLog.commit."""
        check_cursor(subscription, offset)
        rewinds = self._rewinds.get(subscription)
        await self._ask("commit", subscription=subscription, offset=offset, rewinds=rewinds)

    async def rewind(self, subscription: str, offset: int = 0) -> None:
        """See EventLog.rewind."""
        check_cursor(subscription, offset)
        async with self._rewinding:
            _, rewinds = await self.cursor(subscription)
            await self._ask("rewind", subscription=subscription, offset=offset, rewinds=rewinds)
            self._rewinds[subscription] = rewinds + 1

    async def committed(self, subscription: str) -> int:
        """See EventLog.committed."""
        return (await self.cursor(subscription))[0]

    async def cursor(self, subscription: str) -> tuple[int, int]:
        """See EventLog.cursor."""
        check_cursor(subscription)
        offset, rewinds = await self._ask("cursor", subscription=subscription)
        self._rewinds[subscription] = max(rewinds, self._rewinds.get(subscription, 0))
        return offset, rewinds

    async def end(self) -> int:
        """See EventLog.end."""
        offset: int = await self._ask("end")
        return offset

    async def aclose(self) -> None:
        """Stop receiving. Nothing can be asked after that."""
        self._closed = True
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)
            self._receiver = None

    async def _ask(self, op: str, *, patience_s: float = 0, **given: Any) -> Any:
        """Send a request until it is answered; `patience_s` is time that the broker itself may take."""
        if self._closed:
            raise LessonError(f"the log at {self._address!r} is closed here; make a new RemoteEventLog")
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
            answer = self._waiting.get(message["answers"]) if _is_answer(message) else None
            if answer is not None and not answer.done():  # else it answers a request that was sent twice
                answer.set_result(message)


def _is_request(message: Any) -> bool:
    return isinstance(message, dict) and message.keys() == {"op", "number", "with"}


def _is_answer(message: Any) -> bool:
    return isinstance(message, dict) and "answers" in message
