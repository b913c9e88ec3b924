"""The coordinator of a consumer group: who reads which partition, and how far each one is.

A member that polls is alive; one that has been silent for a session is taken for dead, which it need not be. When
members come or go the partitions are spread anew with as few moves as possible (`assign_partitions`, sticky), and
only those that move stop: their reader is asked to let go, and the next one gets them when it has (cooperative
rebalancing, as Kafka's CooperativeStickyAssignor).

Each time a partition gets a reader its **epoch** goes up. The epoch is a *fencing token*: a checkpoint of an older epoch
is refused. So a member that was paused, taken for dead and replaced cannot overwrite what its successor has
counted, however sure it is of itself.

State and offset of a partition are one record (see `checkpoint.py`), and stay here, so that they move with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import able, checked_ports, function, seconds
from lessonlib.ports import Ports
from lessonlib.stream_processing.assignment import Assignment, assign_partitions
from lessonlib.stream_processing.requests import serve
from lessonlib.stream_processing.topic import Topic

OWNER_FILE = "owners"
CHECKPOINT_FILE = "checkpoint"  # and a dash and the partition
SESSION_S = 4.0
MEMBERS_MAX = 1_000
BATCH_MAX = 100
RETIRED_MAX = 16  # incarnations of a member that are remembered as dead

Assign = Callable[[int, list[str], Mapping[str, tuple[int, ...]]], Mapping[str, Any]]


def sticky(partition_count: int, members: list[str], previous: Mapping[str, tuple[int, ...]]) -> Assignment:
    """The assignment that moves least."""
    return assign_partitions(partition_count, members, strategy="sticky", previous=previous)


@dataclass(frozen=True, slots=True)
class _Owner:
    member: str
    incarnation: str
    epoch: int


@dataclass(slots=True)
class _Member:
    incarnation: str
    heard_s: float
    retired: tuple[str, ...] = ()


class GroupCoordinator:
    """Serves one consumer group, beside the topic that it reads. Its `run` is the broker node's main task.

    Args:
        topic: what is read.
        ports: for the disk and the transport.
        session_s: a member that is silent for so long is taken for dead.
        assign: from (partition count, members, who has what) to who shall have what.
        on_assignment: called with (members, before, after) whenever the partitions are spread anew.
    """

    def __init__(
        self,
        topic: Topic,
        ports: Ports,
        *,
        session_s: float = SESSION_S,
        assign: Assign = sticky,
        on_assignment: Callable[[list[str], Assignment, Assignment], Any] | None = None,
    ) -> None:
        able("topic", topic, ("append", "read", "ends"), example="a Topic")
        seconds("session_s", session_s, positive=True)
        function("assign", assign, example="a function of (partition_count, members, previous)")
        self._topic = topic
        self._ports = checked_ports(ports)
        self._session_s = session_s
        self._assign = assign
        self._on_assignment = on_assignment
        self._members: dict[str, _Member] = {}
        self._owners: dict[int, _Owner] = {}
        self._epochs: dict[int, int] = {}
        self._target: dict[int, str] = {}
        self._alive: list[str] = []
        self._saved: dict[int, dict[str, Any]] = {}
        self._loaded = False
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        await serve(self._ports, self.answer)

    async def answer(self, op: str, given: dict[str, Any]) -> Any:
        """Answer one request of a member. Raises LessonError for one that is not known."""
        match op:
            case "poll":
                return await self._poll(**given)
            case "save":
                return await self._save(**given)
            case "heartbeat":
                return self._hear(**given)
        raise LessonError(f"the coordinator knows no request {op!r}; ask to poll, save or heartbeat")

    def grown(self) -> None:
        """Say that the topic has something new, so that members that wait for it are answered."""
        self._changed.set()
        self._changed = asyncio.Event()

    # ---- Requests ----------------------------------------------------------------------------------------

    def _hear(self, member: str, incarnation: str) -> bool:
        """Take note that a member lives. False for an incarnation that has been replaced by another."""
        now_s = asyncio.get_running_loop().time()
        known = self._members.get(member)
        if known is None:
            if len(self._members) >= MEMBERS_MAX:
                raise LessonError(f"member={member!r} is one too many; a group has at most {MEMBERS_MAX}")
            self._members[member] = _Member(incarnation, now_s)
        elif incarnation in known.retired:
            return False  # a message that was on its way when its sender died
        elif known.incarnation != incarnation:
            self._members[member] = _Member(
                incarnation, now_s, (*known.retired, known.incarnation)[-RETIRED_MAX:]
            )
        else:
            known.heard_s = now_s
        return True

    async def _poll(
        self,
        member: str,
        incarnation: str,
        holding: dict[str, list[int]],
        released: list[list[int]],
        wait_s: float,
    ) -> dict[str, Any]:
        """Tell a member what to hold, what to drop, and the events of what it holds; wait for news if there are none.

        Args:
            holding: for each partition that the member reads, [epoch, next offset].
            released: [partition, epoch] of each that it has let go.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while True:
            async with self._lock:
                await self._load()
                if not self._hear(member, incarnation):
                    return {
                        "hold": {},
                        "drop": [[int(p), epoch] for p, (epoch, _) in holding.items()],
                        "events": {},
                    }
                await self._rebalance({(p, epoch) for p, epoch in released})
                changed = self._changed
            answer = await self._news(member, holding)
            left_s = until_s - loop.time()
            if any(answer.values()) or left_s <= 0:
                return answer
            try:
                async with asyncio.timeout(left_s):
                    await changed.wait()
            except TimeoutError:
                pass
            released = []

    async def _news(self, member: str, holding: dict[str, list[int]]) -> dict[str, Any]:
        owned = {p: owner.epoch for p, owner in self._owners.items() if owner.member == member}
        mine = {p: epoch for p, epoch in owned.items() if self._target.get(p) == member}
        held = {int(p): (epoch, offset) for p, (epoch, offset) in holding.items()}
        fresh = {p: epoch for p, epoch in mine.items() if held.get(p, (0, 0))[0] != epoch}
        events = {}
        for p, (epoch, offset) in held.items():
            if mine.get(p) == epoch:
                found = await self._topic.read(p, offset, limit=BATCH_MAX)
                if found:
                    events[str(p)] = [[number, event.to_dict()] for number, event in found]
        return {
            "hold": {str(p): {"epoch": epoch, **self._saved_of(p)} for p, epoch in sorted(fresh.items())},
            # Also what it owns and has not even begun to read: only its word sets a partition free.
            "drop": [
                *([p, epoch] for p, (epoch, _) in held.items() if p not in owned),
                *([p, epoch] for p, epoch in sorted(owned.items()) if p not in mine),
            ],
            "events": events,
        }

    async def _save(self, partition: int, epoch: int, offset: int, state: Any) -> bool:
        """Keep state and offset of a partition, in one write. False when the epoch is over, or more was kept already."""
        async with self._lock:
            await self._load()
            owner = self._owners.get(partition)
            if owner is None or owner.epoch != epoch:
                return False
            before = self._saved_of(partition)["offset"]
            if offset <= before:
                return offset == before  # the same request again, or one that was overtaken
            record = {"partition": partition, "epoch": epoch, "offset": offset, "state": state}
            await self._ports.disk.replace(f"{CHECKPOINT_FILE}-{partition}", [record])
            self._saved[partition] = record
            return True

    def _saved_of(self, partition: int) -> dict[str, Any]:
        saved = self._saved.get(partition)
        return {"offset": saved["offset"], "state": saved["state"]} if saved else {"offset": 0, "state": None}

    # ---- Who reads what ----------------------------------------------------------------------------------

    async def _rebalance(self, released: set[tuple[int, int]]) -> None:
        """Spread the partitions anew if members came or went; hand over those that are free."""
        now_s = asyncio.get_running_loop().time()
        alive = sorted(m for m, known in self._members.items() if now_s - known.heard_s <= self._session_s)
        held: dict[str, tuple[int, ...]] = {}
        for p in sorted(self._owners):
            reader = self._owners[p].member
            held[reader] = (*held.get(reader, ()), p)
        if alive != self._alive:
            before = {m: held.get(m, ()) for m in alive}
            after = {
                m: tuple(ps) for m, ps in self._assign(self._topic.partition_count, alive, before).items()
            }
            self._target = {p: m for m, ps in after.items() for p in ps}
            self._alive = alive
            if self._on_assignment is not None:
                self._on_assignment(alive, {m: ps for m, ps in held.items() if ps}, after)
        granted = {}
        for p, member in self._target.items():
            owner = self._owners.get(p)
            free = (
                owner is None
                or (p, owner.epoch) in released
                or owner.member not in alive
                or self._members[owner.member].incarnation != owner.incarnation  # it died and came back empty
            )
            if free and member in alive:
                granted[p] = _Owner(member, self._members[member].incarnation, self._epochs.get(p, 0) + 1)
        if granted:
            owners = {**self._owners, **granted}
            await self._ports.disk.replace(
                OWNER_FILE,
                [
                    {"partition": p, "member": o.member, "incarnation": o.incarnation, "epoch": o.epoch}
                    for p, o in sorted(owners.items())
                ],
            )
            self._owners = owners
            self._epochs = {p: o.epoch for p, o in owners.items()}
            self.grown()

    async def _load(self) -> None:
        """Read what an earlier incarnation left on the disk, once. Its members have a session to be heard of."""
        if self._loaded:
            return
        now_s = asyncio.get_running_loop().time()
        for row in await self._ports.disk.read(OWNER_FILE):
            self._owners[row["partition"]] = _Owner(row["member"], row["incarnation"], row["epoch"])
            self._epochs[row["partition"]] = row["epoch"]
            self._members.setdefault(row["member"], _Member(row["incarnation"], now_s))
        for p in range(self._topic.partition_count):
            for record in await self._ports.disk.read(f"{CHECKPOINT_FILE}-{p}"):
                self._saved[p] = record
        self._target = {p: owner.member for p, owner in self._owners.items()}
        self._alive = sorted(self._members)
        self._loaded = True
