"""What time is it on the event loop?"""

import asyncio

from lessonlib.errors import LessonError


def clock() -> str:
    """Return the running event loop's time as people read it, for instance "1.5 s".

    On a real loop this counts from some moment in the past; in the laboratory it counts from the start of the run.

    Raises LessonError when no event loop is running.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError as error:
        raise LessonError("clock() has no event loop to ask here; call it in a coroutine") from error
    return f"{loop.time():g} s"
