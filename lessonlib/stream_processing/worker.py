"""The worker of one partition: takes events from a buffer, in batches, one batch at a time.

One worker a partition is what keeps a key's events in order. A batch is closed by its size *or* by time, whichever
comes first: a large batch is cheap, a small one is prompt, and the last events of the day must not wait for others
that never come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lessonlib.stream_processing.buffer import Buffer, Entry


class PartitionWorker:
    """A buffer and its one worker.

    Args:
        number: the partition.
        buffer: what waits.
        handle: called with (partition, batch), one batch at a time.
        batch_size: how many events close a batch,
        window_s: or how long after its first event came, in seconds.

    Attributes:
        gone: how many events were handled, set aside or dropped so far.
    """

    def __init__(
        self,
        number: int,
        buffer: Buffer,
        handle: Callable[[int, list[Entry]], Awaitable[None]],
        *,
        batch_size: int,
        window_s: float,
    ) -> None:
        self.number = number
        self.buffer = buffer
        self.gone = 0
        self._handle = handle
        self._batch_size = batch_size
        self._window_s = window_s
        self._wanted = 0  # up to which count somebody is in a hurry
        self._wake = asyncio.Event()
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Start to work, unless that was done before. Raises what ended the work, if an error did."""
        if self._task is None and not self._stopped:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=f"partition {self.number}")
        elif self._task is not None and self._task.done() and not self._stopped:
            self._task.result()

    def came(self) -> None:
        """An event came. It wakes the worker if it makes a difference: the first starts the clock, the last fills
        the batch."""
        waiting = len(self.buffer.waiting)
        if waiting == 1 or waiting >= self._batch_size:
            self._wake.set()

    def dropped(self) -> None:
        """An event was dropped: nobody need wait for it."""
        self.gone += 1
        self._tell()

    def hurry(self) -> None:
        """Handle what waits now, without waiting for a full batch."""
        self._wanted = self.buffer.taken
        self._wake.set()

    async def reached(self, count: int) -> None:
        """Wait until the first `count` events are done with. Raises what ended the work, if an error did."""
        while self.gone < count:
            assert self._task is not None
            told = asyncio.ensure_future(self._told.wait())
            try:
                await asyncio.wait((told, self._task), return_when=asyncio.FIRST_COMPLETED)
                if self._task.done():
                    return self._task.result()
            finally:
                told.cancel()
        return None

    async def stop(self) -> None:
        """Stop where it is."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while True:
                await self._until_due()
                batch = self.buffer.take(self._batch_size)
                if batch:
                    await self._handle(self.number, batch)
                    self.gone += len(batch)
                    self._tell()
        finally:
            self.buffer.close()  # nobody may wait for a worker that is gone

    async def _until_due(self) -> None:
        """Wait until a batch is to be closed: it is full, its time is over, or somebody is in a hurry."""
        waiting = self.buffer.waiting
        while len(waiting) < self._batch_size and not (waiting and self.gone < self._wanted):
            self._wake.clear()
            due_s = waiting[0].since_s + self._window_s if waiting else None
            try:
                async with asyncio.timeout_at(due_s):
                    await self._wake.wait()
            except TimeoutError:
                return

    def _tell(self) -> None:
        self._told.set()
        self._told = asyncio.Event()
