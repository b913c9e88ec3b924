"""A counter that many tasks may add to at once, kept in a store that takes its time.

How to think about it: between the question to the store and its answer, and again until the write is done, other
tasks run. What must not be disturbed is the whole of *read, add one, write*. A lock makes it so: whoever comes second
waits at the door until the first has written, however long that takes and however it ends.

The lock is in memory, so this protects tasks of one process. Between processes the store itself has to help: with an
atomic increment (`UPDATE … SET n = n + 1`, Redis' `INCR`) or with a compare-and-set.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from lessonlib.errors import LessonError


class Store(Protocol):
    """Where the number is kept. Either call takes a while, and others may call in between."""

    async def read(self) -> int:
        """Return the number."""

    async def write(self, value: int) -> None:
        """Set the number. When the call is cancelled, it may or may not have been set."""


class CounterError(LessonError):
    """A counter was asked for that cannot work."""


class Counter:
    """Adds one at a time to the number in a store.

    Args:
        store: where the number is; nobody else may write there.

    Raises CounterError when `store` cannot be read and written.
    """

    def __init__(self, store: Store) -> None:
        for call in ("read", "write"):
            if not callable(getattr(store, call, None)):
                raise CounterError(
                    f"store={store!r:.60} cannot be asked to {call}; give an object with `read` and `write`"
                )
        self._store = store
        self._lock = asyncio.Lock()  # one for all calls: a lock made in `add` would keep nobody out

    async def add(self) -> int:
        """Add one and return the new number.

        Raises what the store raises. Then, as after a cancellation, one may or may not have been added; either way the
        next call finds the door open.
        """
        async with self._lock:  # leaves the lock on every way out, also when it is cancelled
            value = await self._store.read() + 1
            await self._store.write(value)
            return value
