"""Lesson 0: asyncio by prediction, and the laboratory, tried on a counter that loses sales."""

from lessonlib.start_here.clock import clock
from lessonlib.start_here.counter import Counter, Store
from lessonlib.start_here.puzzle import fetch, morning

__all__ = ["Counter", "Store", "clock", "fetch", "morning"]
