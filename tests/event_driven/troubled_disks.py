"""Disks in trouble, for the tests of this folder."""

import asyncio

from lessonlib.ports import MemoryDisk


class ProcessDied(BaseException):
    """The process ended here: nothing catches it."""


class TroubledDisk(MemoryDisk):
    """A disk that takes 1 ms a write, and at write number n (from 1) fails or ends the process.

    Args:
        fail_at: these writes raise OSError and write nothing.
        die_before, die_after: the process dies before, or right after, the record of this write is durable.
    """

    def __init__(self, *, fail_at=(), die_before=0, die_after=0, files=None):
        super().__init__()
        self.files = files if files is not None else {}
        self.fail_at, self.die_before, self.die_after = set(fail_at), die_before, die_after
        self.writes = 0

    async def _write(self, write):
        await asyncio.sleep(0.001)
        self.writes += 1
        if self.writes in self.fail_at:
            raise OSError(5, "the disk failed")
        if self.writes == self.die_before:
            raise ProcessDied
        await write
        if self.writes == self.die_after:
            raise ProcessDied

    async def append(self, file, record):
        write = super().append(file, record)
        try:
            await self._write(write)
        finally:
            write.close()

    async def replace(self, file, records):
        write = super().replace(file, records)
        try:
            await self._write(write)
        finally:
            write.close()
