"""A store that refuses who has been replaced: fencing tokens, checked where the effect is.

A leader that was paused for ten seconds does not know it. It wakes in the middle of a line of code, after its last
check that it leads and before its write, and writes. No clock and no check on its side can prevent that: only the
store can. Each time somebody becomes leader it gets a *fencing token*, a number that only grows (a term of Raft, the
token of a lease). Every write carries the token, and the store refuses a token lower than the highest it has seen.

The number has to be on the disk before the write is acknowledged: a store that forgets at a restart that it has seen
34 lets 33 through.

Fencing is for each key, as is the token that was seen: a new leader that has not yet written a key has not yet fenced
it off. What must change together belongs under one key.

Sources: Kleppmann, Designing Data-Intensive Applications, chapter 8, "Fencing tokens", whose example has 34 and 33;
Burrows, The Chubby lock service, §2.4, which calls the token a sequencer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, text, whole
from lessonlib.high_availability.errors import StaleToken
from lessonlib.ports import Disk, MemoryDisk, plain

STORE_FILE = "fenced-store"
_SPARE_RECORDS = 1_000  # overwritten ones, before the file is rewritten with the last of each key alone


class StoreFull(LessonError):
    """The store has as many keys as it may have. The write was not done."""


class FencedStore:
    """Values under keys, each with the highest token that has written it.

    Args:
        disk: where they are kept; left out, in memory.
        keys_max: how many keys there may be.
    """

    def __init__(self, disk: Disk | None = None, *, keys_max: int = 10_000) -> None:
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk")
        whole("keys_max", keys_max, least=1)
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._keys_max = keys_max
        self._entries: dict[str, dict[str, Any]] = {}
        self._records = 0
        self._loaded = False
        self._lock = asyncio.Lock()  # between the check of a token and its record no other write may come

    async def write(self, key: str, value: Any, token: int) -> None:
        """Put `value` under `key`. It is durable, and lower tokens are fenced off, when this returns.

        Raises:
            StaleToken: a higher token has written `key`; an equal one passes. Nothing was written.
            StoreFull: `key` is new, and there are `keys_max` keys.
            OSError: the disk cannot write. Whether the value is there after a restart is not known.
        """
        text("key", key, example="stock/apples")
        whole("token", token, least=0)
        record = plain({"key": key, "value": value, "token": token})
        async with self._lock:
            await self._load()
            entry = self._entries.get(key)
            if entry is not None and token < entry["token"]:
                raise StaleToken(
                    f"token={token} is stale: {key!r:.60} was written with {entry['token']}; "
                    "whoever holds it has been replaced and should stop",
                    token=token,
                    highest=entry["token"],
                )
            self._check_room(key)
            await self._disk.append(STORE_FILE, record)  # first here, then in what `read` sees
            self._entries[key] = record
            await self._compact()

    async def read(self, key: str) -> Any:
        """Return the value under `key`; None when there is none."""
        entry = await self._entry(key)
        return None if entry is None else plain(entry["value"])

    async def highest(self, key: str) -> int | None:
        """Return the token that the last write of `key` had; None when nobody has written it."""
        entry = await self._entry(key)
        return None if entry is None else int(entry["token"])

    async def _entry(self, key: str) -> dict[str, Any] | None:
        text("key", key, example="stock/apples")
        async with self._lock:
            await self._load()
            return self._entries.get(key)

    def _check_room(self, key: str) -> None:
        if key not in self._entries and len(self._entries) >= self._keys_max:
            raise StoreFull(
                f"key={key!r:.60} would be one more than the {self._keys_max} that may be; raise keys_max"
            )

    async def _compact(self) -> None:
        """One more record is there; when many are out of date, keep the newest of each key only."""
        self._records += 1
        if self._records > _SPARE_RECORDS + 2 * len(self._entries):
            await self._disk.replace(STORE_FILE, list(self._entries.values()))
            self._records = len(self._entries)

    async def _load(self) -> None:
        if not self._loaded:
            records = await self._disk.read(STORE_FILE)
            for record in records:
                # A write that failed half-way may have left a record that was never acknowledged, and after it a
                # lower token passed. The number of a key never falls.
                seen = self._entries.get(record["key"])
                if seen is not None and seen["token"] > record["token"]:
                    record = record | {"token": seen["token"]}
                self._entries[record["key"]] = record
            self._records, self._loaded = len(records), True
