"""The seam between a pattern and the world it runs in.

A pattern needs four things that plain asyncio does not give: the calendar, chance, other machines, and
something that survives a crash. It takes them as `ports=None`, an argument of its own; left out, it gets
`local_ports()` and works on a real event loop. In the laboratory the same four are simulated, so what you
read in a lesson is what you could ship.

Durations and timers are *not* here: they use the loop's own clock (`asyncio.sleep`, `asyncio.timeout`,
`loop.time()`), which is monotonic. `Clock.now()` is the calendar, and a calendar can be wrong.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Protocol

from lessonlib.errors import LessonError

Message = Any  # plain data: None, bool, int, float, str, and lists, tuples and dicts of these


class Clock(Protocol):
    """A calendar. It may be skewed against another node's."""

    def now(self) -> float:
        """Return UTC epoch seconds."""
        ...


class Transport(Protocol):
    """One node's end of a network that loses, delays and repeats messages."""

    name: str

    def send(self, to: str, message: Message) -> None:
        """Hand `message` to the network for the node `to`. Returns at once and never confirms delivery."""
        ...

    async def receive(self) -> tuple[str, Message]:
        """Wait for the next message; return `(sender, message)`."""
        ...


class Disk(Protocol):
    """Files of records that survive a crash of the process. A record is plain data, as a message is."""

    async def append(self, file: str, record: Message) -> None:
        """Add one record to `file`. When it returns, the record is durable. Raises OSError if it cannot."""
        ...

    async def replace(self, file: str, records: Sequence[Message]) -> None:
        """Put `records` in place of all that `file` held: after a crash either the old or the new is there."""
        ...

    async def read(self, file: str) -> list[Message]:
        """Return all records of `file`, oldest first; an empty list when there is no such file."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What a pattern may ask of its world.

    Attributes:
        clock: the node's calendar.
        random: the node's source of chance, seeded in the laboratory.
        transport: the node's end of the network.
        disk: the node's durable files.
    """

    clock: Clock
    random: Random
    transport: Transport
    disk: Disk


class PortError(LessonError):
    """A port was asked for something it cannot do."""


_SCALARS = frozenset((str, int, float, bool, type(None)))


def plain(value: Any) -> Any:
    """Return a copy of `value` that shares nothing with it, as a network or a disk would.

    Raises PortError when a part of it is not plain data (an object, a coroutine, a datetime): two machines
    share no memory, so only what can be written down can cross.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    try:
        if kind is dict:
            copy = value.copy()
            for key, part in copy.items():
                if type(key) is not str:
                    raise PortError(
                        f"a message or record may only have str keys, not {key!r}; write str(key) instead"
                    )
                if type(part) not in _SCALARS:
                    copy[key] = plain(part)
            return copy
        if kind is list or kind is tuple:
            return [part if type(part) in _SCALARS else plain(part) for part in value]
    except RecursionError:
        raise PortError(
            "a message or record may not contain itself, nor be nested hundreds of levels deep; "
            "refer to other things by their ids"
        ) from None
    raise PortError(
        f"{kind.__name__} {value!r:.60} cannot cross to another machine or to a disk: "
        "send plain data (dict, list, str, numbers, None), for instance event.to_dict()"
    )


class SystemClock:
    """The machine's own calendar."""

    def now(self) -> float:
        return time.time()


class LocalHub:
    """Connects the `LocalTransport`s of one process by name. Messages to an unknown name are lost."""

    def __init__(self) -> None:
        self.inboxes: dict[str, asyncio.Queue[tuple[str, Message]]] = {}


class LocalTransport:
    """A transport between parts of one process, over queues. It copies messages as a network would."""

    def __init__(self, name: str, hub: LocalHub) -> None:
        if name in hub.inboxes:
            raise PortError(f"the hub already has a transport named {name!r}; give this one another name")
        self.name = name
        self._hub = hub
        self._inbox = hub.inboxes.setdefault(name, asyncio.Queue())

    def send(self, to: str, message: Message) -> None:
        inbox = self._hub.inboxes.get(to)
        if inbox is not None:
            inbox.put_nowait((self.name, plain(message)))

    async def receive(self) -> tuple[str, Message]:
        return await self._inbox.get()


class MemoryDisk:
    """Files in memory: enough for tests and for trying things out. Nothing survives the process."""

    def __init__(self) -> None:
        self.files: dict[str, list[Message]] = {}

    async def append(self, file: str, record: Message) -> None:
        self.files.setdefault(file, []).append(plain(record))

    async def replace(self, file: str, records: Sequence[Message]) -> None:
        self.files[file] = [plain(record) for record in records]

    async def read(self, file: str) -> list[Message]:
        return copy.deepcopy(self.files.get(file, []))


class FileDisk:
    """Real files under `directory`, one JSON record a line, flushed to the device before `append` returns.

    It blocks the loop while the device writes: a few milliseconds, which a lesson can afford.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)

    def _path(self, file: str) -> Path:
        if not isinstance(file, str) or not re.fullmatch(r"[\w#:-][\w.#:-]{0,99}", file, re.ASCII):
            raise PortError(f"{file!r:.60} is not a file name; use up to 100 letters, digits, - _ . : #")
        return self._directory / f"{file}.jsonl"

    async def append(self, file: str, record: Message) -> None:
        path, line = self._path(file), json.dumps(plain(record)) + "\n"
        fresh = not path.exists()
        with path.open("ab") as out:
            if not fresh:
                _drop_torn_line(path, out)
            out.write(line.encode("ascii"))
            out.flush()
            os.fsync(out.fileno())
        if fresh:
            self._sync_directory()

    async def replace(self, file: str, records: Sequence[Message]) -> None:
        path = self._path(file)
        lines = [json.dumps(plain(record)) + "\n" for record in records]
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="ascii") as out:
            out.writelines(lines)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)  # atomic on POSIX: a reader sees the old file or the new one
        self._sync_directory()

    async def read(self, file: str) -> list[Message]:
        path = self._path(file)
        if not path.exists():
            return []
        # A crash in the middle of an append leaves a line without its end; it was never promised to anyone.
        whole, end, _ = path.read_bytes().rpartition(b"\n")
        records = []
        for number, line in enumerate((whole + end).splitlines(), 1):
            try:
                records.append(json.loads(line))
            except ValueError:
                raise PortError(
                    f"line {number} of {path.name} is damaged: {line[:60]!r}; restore the file from a copy"
                ) from None
        return records

    def _sync_directory(self) -> None:
        """Make a new or renamed file's *name* durable, which on POSIX is the folder's business."""
        if os.name == "posix":
            folder = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _drop_torn_line(path: Path, out: BinaryIO) -> None:
    """Cut off what a crash left of the last line, or the next record would be glued to it."""
    size = out.seek(0, os.SEEK_END)
    with path.open("rb") as written:
        if size:
            written.seek(size - 1)
            if written.read(1) != b"\n":
                written.seek(0)
                out.truncate(written.read().rfind(b"\n") + 1)


def local_ports(
    name: str = "local",
    *,
    hub: LocalHub | None = None,
    directory: str | Path | None = None,
    seed: int | None = None,
) -> Ports:
    """Return ports that work on a real event loop.

    Args:
        name: this part's name on the hub.
        hub: the network shared with other parts of this process; left out, a network of one.
        directory: where files are kept; left out, they are kept in memory.
        seed: fixes `ports.random`; left out, the operating system's chance is used.
    """
    return Ports(
        clock=SystemClock(),
        random=Random(seed),
        transport=LocalTransport(name, hub if hub is not None else LocalHub()),
        disk=FileDisk(directory) if directory is not None else MemoryDisk(),
    )
