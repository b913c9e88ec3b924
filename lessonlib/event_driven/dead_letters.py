"""Dead letters: where an event goes that cannot be handled, with all that is needed to find out why.

An event that fails every time (a **poison event**) must not block those behind it, and must not vanish. It is
set aside together with its context: where it stood, what went wrong, how often and since when it was tried
(Kafka Connect's headers tell topic, offset, error and message too, but neither attempts nor times). Once the cause
is mended, `replay` tries again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, function
from lessonlib.event_driven.event import Event
from lessonlib.ports import Disk, MemoryDisk

DEAD_LETTER_FILE = "dead-letters"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be handled, and its context.

    Attributes:
        event: the event, whole.
        subscription: whose handler gave up.
        topic: the event's type.
        offset: where it stands in the log.
        error: the exception's class.
        message: what the exception said.
        attempts: how often it was tried.
        first_time, last_time: of the first and the last attempt, UTC epoch seconds.
    """

    event: Event
    subscription: str
    topic: str
    offset: int
    error: str
    message: str
    attempts: int
    first_time: float
    last_time: float


class DeadLetterQueue:
    """Dead letters on a disk. There is one letter for each (subscription, offset), however often it is put."""

    def __init__(self, disk: Disk | None = None) -> None:
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk")
        self._disk: Disk = disk if disk is not None else MemoryDisk()

    async def put(self, letter: DeadLetter) -> None:
        """Add a letter; durable on return."""
        if not isinstance(letter, DeadLetter):
            raise LessonError(f"letter={letter!r:.60} is no DeadLetter; make one, with the event's context")
        await self._disk.append(DEAD_LETTER_FILE, {**asdict(letter), "event": letter.event.to_dict()})

    async def letters(self) -> list[DeadLetter]:
        """Return the letters that have not been replayed with success, oldest first."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for record in await self._disk.read(DEAD_LETTER_FILE):
            place = record["subscription"], record["offset"]
            if record.get("replayed"):
                found.pop(place, None)
            else:
                found.setdefault(place, record)
        return [
            DeadLetter(**{**record, "event": Event.from_dict(record["event"])}) for record in found.values()
        ]

    async def replay(self, handle: Callable[[Event], Awaitable[Any]]) -> tuple[int, int]:
        """Hand every letter's event to `handle` once more; return how many (went well, failed again).

        One that fails again stays. A letter may have been handled by the time of a crash, so `handle` should
        be idempotent, as for any other delivery.
        """
        function("handle", handle, example="an async function of one event, as handler.handle is")
        well = failed = 0
        for letter in await self.letters():
            try:
                await handle(letter.event)
            except Exception:
                failed += 1
            else:
                well += 1
                await self._disk.append(
                    DEAD_LETTER_FILE,
                    {"subscription": letter.subscription, "offset": letter.offset, "replayed": True},
                )
        return well, failed
