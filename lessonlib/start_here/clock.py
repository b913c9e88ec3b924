"""What time is it on the event loop?"""

import asyncio


def clock() -> str:
    """Return the running event loop's time as people read it, for instance "1.5 s".

    On a real loop this counts from some moment in the past; in the laboratory it counts from the start of the run.

    Raises RuntimeError when no event loop is running.
    """
    return f"{asyncio.get_running_loop().time():g} s"
