"""The textbook version of the counter: short, plausible, and right on a good day.

D1, its defect: while one call waits for the store, another reads the same number. Both write the same, and one of the
two sales is lost.
"""

from __future__ import annotations

from lessonlib.start_here.counter import Store


class Counter:
    """Adds one at a time to the number in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def add(self) -> int:
        value = await self.store.read()
        await self.store.write(value + 1)  # D1
        return value + 1
