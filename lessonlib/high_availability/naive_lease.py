"""The textbook's lock with an end, beside `lease.py`. Each defect is marked where it stands, as D1 to D6.

It is what comes of a cache with expiring keys, and on a good day it works. `DEFECTS` says what each mark means: apart,
so that who reads the source can still predict what it will do.
"""

from __future__ import annotations

from typing import Any

from lessonlib.high_availability.lease import Grant, LeaseHeld
from lessonlib.ports import Clock

DEFECTS = {
    "D1": "time is read from the calendar, which jumps, on two machines that differ",
    "D2": "who holds the lock is in memory alone: after a restart it is given away a second time",
    "D3": "no token tells an earlier holder from a later one",
    "D4": "the holder counts from the arrival of the answer, when its time has been running for a while already",
    "D5": "the holder stops at the very moment at which the next may begin: there is no margin",
    "D6": "the store takes what anybody writes",
}


class LockService:
    """Gives each resource to one holder until its time is over."""

    def __init__(self, clock: Clock, *, duration_s: float = 10.0) -> None:
        self.clock = clock
        self.duration_s = duration_s
        self.locks: dict[str, tuple[str, float]] = {}  # D2

    async def grant(self, resource: str, holder: str) -> Grant:
        now = self.clock.now()  # D1
        owner, expires_at = self.locks.get(resource, (holder, 0.0))
        if owner != holder and now < expires_at:
            raise LeaseHeld(f"{owner} holds {resource!r}", retry_after_s=expires_at - now)
        self.locks[resource] = (holder, now + self.duration_s)
        return Grant(resource, holder, 0, self.duration_s)  # D3


class LockHolder:
    """Knows until when the lock is ours."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.holder = name
        self.clock = clock
        self.expires_at = 0.0
        self.token = 0

    def ask(self, now_s: float) -> int:
        return 0

    def granted(self, request: int, grant: Grant) -> None:
        self.expires_at = self.clock.now() + grant.duration_s  # D1, D4

    def remaining_s(self, now_s: float) -> float:
        return self.expires_at - self.clock.now()  # D1, D5


class Store:
    """Keeps the last value of each key."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def write(self, key: str, value: Any, token: int) -> None:
        self.values[key] = value  # D6

    async def read(self, key: str) -> Any:
        return self.values.get(key)
