"""What a member must not forget: term and vote in one file, the entries of its log in another.

How to think about it. Everything that a member says rests on these two, so they are on the disk before it speaks
(Raft, figure 2, "persistent state"). Term and vote are replaced together, in one record: a crash leaves the old pair or
the new. Entries are appended, a batch in one record that says where it begins: it overwrites what the log had from there
on, so a suffix that a new leader cuts off needs no write of its own, and no crash can fall between cut and append.
Between the two files a crash does no harm: the ballot is written first, and a term without entries is nothing new.

What is committed is not kept: the leader tells again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lessonlib.high_availability.replicated_log import Entry, ReplicatedLog
from lessonlib.ports import Disk, plain

BALLOT_FILE, LOG_FILE = "ballot", "log"
NO_PROMISE = {"term": 0, "voted_for": None}


class Promises:
    """A member's two files. Its writes raise OSError when the disk fails: then nothing has been promised."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._saved: Any = NO_PROMISE

    async def recover(self, log: ReplicatedLog) -> Any:
        """Fill an empty `log` from the disk; return the promise, or None when none was ever made.

        Raises LessonError when a record of the log is missing.
        """
        for record in await self._disk.read(LOG_FILE):
            log.take(record["from"], entries_of(record["entries"]))
        promises = await self._disk.read(BALLOT_FILE)
        if not promises:
            return None
        self._saved = promises[-1]
        return promises[-1]

    async def save(self, promise: Mapping[str, Any]) -> None:
        """Have `promise` on the disk; costs nothing when it is there already."""
        if promise != self._saved:
            await self._disk.replace(BALLOT_FILE, [promise])
            self._saved = plain(promise)

    async def append(self, first: int, entries: Sequence[Entry]) -> None:
        """Have entries on the disk, at index `first` and after it."""
        batch = [{"term": entry.term, "command": entry.command} for entry in entries]
        await self._disk.append(LOG_FILE, {"from": first, "entries": batch})


def entries_of(records: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return entries from the plain data of a message or a disk."""
    return [Entry(record["term"], record["command"]) for record in records]
