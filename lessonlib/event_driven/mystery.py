"""The consumer of the diagnose exercise. Something is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def consumer(log: Any, name: str, deliver: Callable[[int, Any], Awaitable[None]]) -> None:
    offset = await log.committed(name)
    while True:
        for number, event in await log.read(offset, wait_s=2.0):
            try:
                offset = number + 1
                await log.commit(name, offset)
                await deliver(number, event)
            except OSError:
                await asyncio.sleep(0.5)
                offset = await log.committed(name)
                break
