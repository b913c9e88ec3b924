"""A checkpoint: the state, and the offsets up to which the stream is in it, kept *together*.

After a crash the stream is read again from the offsets. Saved apart, in two steps, a crash between them leaves a state
that has events which will be read again (counted twice), or offsets past events that are in no state (lost). So there
is one write, which puts the new checkpoint in place of the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, file_name, whole
from lessonlib.ports import Disk, MemoryDisk


@dataclass(frozen=True, slots=True)
class Saved:
    """What a checkpoint holds.

    Attributes:
        offsets: for each source the offset of the *next* event to read (as Kafka counts).
        state: all that came of the events before, as plain data.
        number: how many checkpoints there have been, this one included.
    """

    offsets: Mapping[str, int]
    state: Any
    number: int


class Checkpoint:
    """The latest checkpoint, on a disk.

    Args:
        disk: where it is kept; left out, in memory.
        file: the file on it.
    """

    def __init__(self, disk: Disk | None = None, *, file: str = "checkpoint") -> None:
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk")
        file_name("file", file, example="checkpoint")
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._file = file
        self._number: int | None = None

    async def save(self, offsets: Mapping[str, int], state: Any) -> None:
        """Put offsets and state in place of the last checkpoint: after a crash there is either the old one or this.

        Raises OSError when the disk fails; then the old one stands.
        """
        if not isinstance(offsets, Mapping):
            raise LessonError(
                f"offsets={offsets!r:.60} should be a dict; write for instance {{'flights-0': 17}}"
            )
        for source, offset in offsets.items():
            whole(f"offsets[{source!r:.30}]", offset, least=0)
        if self._number is None:
            await self.load()
        number = (self._number or 0) + 1
        await self._disk.replace(self._file, [{"offsets": dict(offsets), "state": state, "number": number}])
        self._number = number

    async def load(self) -> Saved | None:
        """Return the latest checkpoint; None when there has been none."""
        records = await self._disk.read(self._file)
        if not records:
            self._number = 0
            return None
        self._number = records[-1]["number"]
        return Saved(**records[-1])
