"""A lock that ends by itself: whoever holds it must renew it, and when its holder dies it is free after a while.

A plain lock whose holder has crashed is never free again. A **lease** is a lock with an end. For two never to hold it
at a time, both sides have to count so that the holder stops before the grantor gives it away:

- The holder counts from when it *sent* its request. The grantor cannot have granted earlier than that, however long
  the answer took; from the arrival of the answer one would count too long.
- The grantor counts from when the grant is on its disk, which is later.
- Both count *durations*, on the loop's monotonic clock, never with the calendar: a calendar is set back and forth by
  people and by NTP, and two machines' calendars differ. That two clocks run equally *fast* is still assumed. How much
  they may differ is what the holder's `margin_s` is for: a clock of a common machine gains or loses up to 200 parts in
  a million, 2 ms in ten seconds, and one that is being corrected by NTP as much as 500.
- After a restart the grantor does not know how long it was away. It treats every lease it knows as just granted.

What a lease cannot do: a holder that is paused between its check of `held` and its act does not see that the time has
passed. So each grant carries a *token* that only grows, and the resource refuses a lower one (`fenced_store.py`).

Sources: Gray & Cheriton, Leases, 1989 (§2 for who counts from when, §5 for clocks); Burrows, The Chubby lock service,
2006, §2.4 and §2.9 (the master that starts anew waits); Kleppmann, How to do distributed locking, 2016.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, seconds, text, whole
from lessonlib.ports import Disk, MemoryDisk

LEASE_FILE = "leases"
_SPARE_RECORDS = 1_000


class LeaseHeld(LessonError):
    """Somebody else holds the lease.

    Attributes:
        retry_after_s: in how many seconds it ends, unless it is renewed.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LeasesFull(LessonError):
    """As many resources have been leased as may be."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the grantor answers.

    Attributes:
        resource: what is leased.
        holder: to whom.
        token: the fencing token: higher than that of every earlier holder.
        duration_s: for how long, in seconds; from when, each side knows for itself.
    """

    resource: str
    holder: str
    token: int
    duration_s: float


class Leases:
    """The grantor: gives each resource to one holder at a time.

    Args:
        disk: where grants are kept; left out, in memory. A new disk knows no tokens: do not give an old service one.
        duration_s: for how long a lease is granted.
        resources_max: how many resources there may be.
    """

    def __init__(
        self, disk: Disk | None = None, *, duration_s: float = 10.0, resources_max: int = 10_000
    ) -> None:
        if disk is not None:
            able("disk", disk, DISK, example="a Disk such as ports.disk")
        seconds("duration_s", duration_s, positive=True)
        whole("resources_max", resources_max, least=1)
        self._disk: Disk = disk if disk is not None else MemoryDisk()
        self._duration_s = duration_s
        self._resources_max = resources_max
        self._grants: dict[str, tuple[Grant, float]] = {}  # with its end, on this side's clock
        self._highest = 0
        self._records = 0
        self._loaded = False
        self._lock = asyncio.Lock()  # one grant at a time: between the check and the record no other may come

    async def grant(self, resource: str, holder: str) -> Grant:
        """Grant `resource` to `holder`, or renew its lease; a renewed lease keeps its token.

        `holder` names one *life* of a node: one that has restarted is another, and waits for the old one's end.

        Raises:
            LeaseHeld: somebody else holds it.
            LeasesFull: `resource` is new, and there are `resources_max`.
            OSError: the disk cannot write. Nothing is granted.
        """
        text("resource", resource, example="nightly-report")
        text("holder", holder, example="worker-1/7f3a")
        async with self._lock:
            await self._load()
            now_s = asyncio.get_running_loop().time()
            known = self._grants.get(resource)
            if known is None and len(self._grants) >= self._resources_max:
                raise LeasesFull(
                    f"resource={resource!r:.60} would be one more than the {self._resources_max} that may be; "
                    "raise resources_max"
                )
            if known is not None and now_s < known[1]:
                if known[0].holder != holder:
                    raise LeaseHeld(
                        f"{known[0].holder} holds {resource!r:.60}; ask again in {known[1] - now_s:.3g} s",
                        retry_after_s=known[1] - now_s,
                    )
                grant = Grant(resource, holder, known[0].token, self._duration_s)
            else:
                # A number that went to the disk is used up, also when the disk then reports a failure.
                self._highest += 1
                grant = Grant(resource, holder, self._highest, self._duration_s)
            if known is None or known[0] != grant:
                await self._disk.append(LEASE_FILE, _record(grant))  # durable, then granted
                self._records += 1
            # Else it is renewed in memory alone: after a restart each lease counts as just granted anyway.
            self._grants[resource] = grant, asyncio.get_running_loop().time() + self._duration_s
            if self._records > _SPARE_RECORDS + 2 * len(self._grants):
                last = sorted((grant for grant, _ in self._grants.values()), key=lambda grant: grant.token)
                await self._disk.replace(LEASE_FILE, [_record(grant) for grant in last])
                self._records = len(last)
            return grant

    async def release(self, resource: str, holder: str) -> None:
        """End the lease of `holder`, if it has one, before its time; whoever asks next has it at once."""
        async with self._lock:
            await self._load()
            known = self._grants.get(resource)
            if known is not None and known[0].holder == holder:
                self._grants[resource] = known[0], 0.0

    async def _load(self) -> None:
        if self._loaded:
            return
        records = await self._disk.read(LEASE_FILE)
        now_s = asyncio.get_running_loop().time()
        for record in records:
            grant = Grant(record["resource"], record["holder"], record["token"], record["duration_s"])
            # It may have been granted for longer than this service now grants.
            self._grants[grant.resource] = grant, now_s + max(grant.duration_s, self._duration_s)
            self._highest = max(self._highest, grant.token)
        self._records, self._loaded = len(records), True


def _record(grant: Grant) -> dict[str, object]:
    return {
        "resource": grant.resource,
        "holder": grant.holder,
        "token": grant.token,
        "duration_s": grant.duration_s,
    }


class Lease:
    """The holder's side of one lease. It sends nothing itself: it knows what it may believe.

    Time is an argument, the loop's own (`loop.time()`); it is the same for `ask` and `held`.

    Args:
        name: the holder's node.
        random: gives this life of the node a name of its own, and its requests with it.
        margin_s: how much earlier than the grantor the holder stops; more than the clocks may drift apart in a lease.
    """

    def __init__(self, name: str, *, random: Random, margin_s: float = 0.5) -> None:
        text("name", name, example="worker-1")
        if not isinstance(random, Random):
            raise LessonError(
                f"random={random!r:.60} is no source of chance; give ports.random, or random.Random()"
            )
        seconds("margin_s", margin_s)
        self.holder = f"{name}/{random.getrandbits(64):016x}"
        self._margin_s = margin_s
        self._asked: dict[int, float] = {}  # request -> when it was sent
        self._requests = 0
        self._token: int | None = None
        self._end_s = 0.0

    def ask(self, now_s: float) -> int:
        """Return the number of a request that is sent now; its answer must name it."""
        self._requests += 1
        self._asked[self._requests] = now_s
        while len(self._asked) > 16:  # those that were never answered
            del self._asked[min(self._asked)]
        return self._requests

    def granted(self, request: int, grant: Grant) -> None:
        """Take note of an answer. One that is late, comes twice or is for another life of the node changes nothing."""
        sent_s = self._asked.pop(request, None)
        if sent_s is None or grant.holder != self.holder:
            return
        if self._token is not None and grant.token < self._token:
            return
        end_s = sent_s + grant.duration_s - self._margin_s
        if self._token == grant.token:
            end_s = max(end_s, self._end_s)
        self._token, self._end_s = grant.token, end_s

    def lose(self) -> None:
        """Hold it no longer, whatever answers are still under way."""
        self._asked.clear()
        self._end_s = 0.0

    def held(self, now_s: float) -> bool:
        """Whether the lease is this node's now, with the margin kept."""
        return self._token is not None and now_s < self._end_s

    def remaining_s(self, now_s: float) -> float:
        """Return for how many seconds it is held; 0 when it is not."""
        return max(0.0, self._end_s - now_s) if self._token is not None else 0.0

    @property
    def token(self) -> int | None:
        """The fencing token of the last grant; None before the first. It goes with every write to the resource."""
        return self._token
