"""Delivery: try an event a few times, and set it aside when it cannot be handled.

Attempts are counted *before* they are made, and on the disk. An event whose handling kills the process raises
no exception that anybody could count: counted afterwards, it would kill the process for ever.
"""

from __future__ import annotations

import asyncio

from lessonlib.event_driven.arguments import able, file_name, ports_or_local, seconds, whole
from lessonlib.event_driven.dead_letters import DeadLetter, DeadLetterQueue
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.handlers import Handler, handle_with, handler_name
from lessonlib.event_driven.log import check_event
from lessonlib.ports import Ports

RETRY_DELAY_S_MAX = 60.0  # doubling ends here


class Delivery:
    """Hands events to one handler, each at most `attempts_max` times.

    Args:
        handler: what is called with each event.
        dead_letters: where an event goes after its last attempt.
        name: the subscription's name, for its dead letters and its file of attempts.
        attempts_max: how often an event is tried in all.
        retry_delay_s: the wait before the second attempt; doubled before each further one.
        handler_timeout_s: an attempt that takes longer has failed.
        ports: for the disk and the calendar; left out, local ones.
    """

    def __init__(
        self,
        handler: Handler,
        dead_letters: DeadLetterQueue,
        *,
        name: str = "delivery",
        attempts_max: int = 5,
        retry_delay_s: float = 0.2,
        handler_timeout_s: float = 30.0,
        ports: Ports | None = None,
    ) -> None:
        handler_name(handler)  # refuses what is no handler
        able("dead_letters", dead_letters, ("put",), example="a DeadLetterQueue")
        file_name("name", name, example="inventory")
        whole("attempts_max", attempts_max, least=1)
        seconds("retry_delay_s", retry_delay_s)
        seconds("handler_timeout_s", handler_timeout_s, positive=True)
        self._handler = handler
        self._dead_letters = dead_letters
        self._name = name
        self._attempts_max = attempts_max
        self._retry_delay_s = retry_delay_s
        self._handler_timeout_s = handler_timeout_s
        self._ports = ports_or_local(ports)
        self._file = f"attempts-{name}"
        self._finished: int | None = None  # the last offset that is done with, in this incarnation

    async def deliver(self, offset: int, event: Event) -> None:
        """Return once `event` was handled or set aside as a dead letter: either way it may be committed."""
        clock, disk = self._ports.clock, self._ports.disk
        whole("offset", offset, least=0)
        check_event(event)
        attempts, first_time, error = await self._earlier_attempts(offset)
        while attempts < self._attempts_max:
            if attempts:
                await asyncio.sleep(
                    min(self._retry_delay_s * 2.0 ** min(attempts - 1, 60), RETRY_DELAY_S_MAX)
                )
            attempts += 1
            first_time = first_time if first_time is not None else clock.now()
            await disk.replace(
                self._file,
                [{"offset": offset, "attempts": attempts, "first_time": first_time, "error": error}],
            )
            try:
                async with asyncio.timeout(self._handler_timeout_s) as limit:
                    await handle_with(self._handler, event)
            except Exception as problem:
                error = [type(problem).__name__, str(problem)]
                if limit.expired():
                    error[1] = f"the handler took longer than {self._handler_timeout_s:g} s"
            else:
                self._finished = offset
                return
        await self._dead_letters.put(
            DeadLetter(
                event=event,
                subscription=self._name,
                topic=event.type,
                offset=offset,
                error=error[0],
                message=error[1],
                attempts=attempts,
                first_time=first_time if first_time is not None else clock.now(),
                last_time=clock.now(),
            )
        )
        await disk.replace(self._file, [])  # if it is sent again later, it has all its attempts again
        self._finished = offset

    async def _earlier_attempts(self, offset: int) -> tuple[int, float | None, list[str]]:
        """Return (attempts, time of the first, last error) that were made at this event and did not end it."""
        for record in await self._ports.disk.read(self._file):
            if record["offset"] == offset != self._finished:
                return record["attempts"], record["first_time"], record["error"]
        return 0, None, ["ProcessDied", "the process ended while it handled this event"]
