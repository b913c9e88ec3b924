"""The program of exercise 0.1: in which order does it say its letters?"""

import asyncio
from collections.abc import Callable

Say = Callable[[str], None]


async def fetch(say: Say, begins: str, ends: str, seconds: float) -> None:
    say(begins)
    await asyncio.sleep(seconds)
    say(ends)


async def morning(say: Say) -> None:
    say("A")
    bread = asyncio.create_task(fetch(say, "B", "C", 3))
    milk = asyncio.create_task(fetch(say, "D", "E", 1))
    say("F")
    await fetch(say, "G", "H", 2)
    say("I")
    await milk
    await bread
    say("J")
