"""What a member does while it leads: it replicates, answers, watches the others, and keeps the work even.

How to think about it. All of this belongs to one term, so it is one object, made when the term is won and thrown away
when the member steps down. What callers still wait for then is told so: nothing of an old term may be answered later.

Source: Raft (extended version) §5.3 (replication), §8 (reads, and the empty entry that begins a term).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from lessonlib.high_availability.errors import ClusterError, NotCommitted, NotConfirmed
from lessonlib.high_availability.heartbeat import Detector
from lessonlib.high_availability.register import StateMachine, assign_command
from lessonlib.high_availability.replicated_log import ReplicatedLog
from lessonlib.high_availability.replication import Replication

Rebalance = Callable[[Mapping[str, str | None], Sequence[str]], Mapping[str, str]]


class Leadership:
    """One member's time as the leader of one term. It knows no network and no disk.

    Args:
        name: this member.
        others: the rest of the full membership.
        term: the term that it has won.
        log: this member's log.
        detector: watches the others.
        now_s: when it begins, by the loop's clock.

    Attributes:
        first_index: where its first entry is, the empty one. Once that is committed, so is all that came before, and
            the leader knows what is committed (§8).
        assigning: the index of an assignment of work that is under way; 0 when there is none.
    """

    def __init__(
        self,
        name: str,
        others: Sequence[str],
        *,
        term: int,
        log: ReplicatedLog,
        detector: Detector,
        now_s: float,
    ) -> None:
        self.term = term
        self.replication = Replication(name, others, term=term, log=log)
        self.first_index = log.last_index + 1
        self.assigning = 0
        self._name = name
        self._others = tuple(others)
        self._log = log
        self._detector = detector
        self._failed: dict[str, int] = {}  # reported dead -> the round after which an answer proves otherwise
        self._writes: dict[int, asyncio.Future[None]] = {}  # by index
        self._reads: list[tuple[int, asyncio.Future[None]]] = []  # (round, who waits for it)
        for other in others:
            detector.watch(other, now_s)

    # ---- Answers to callers -------------------------------------------------------------------------------

    def awaiting_commit(self, index: int) -> asyncio.Future[None]:
        """Return a future that is done once this term's entry `index` is committed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writes[index] = future
        if index <= self._log.committed:  # in a cluster of one
            self.committed(index)
        return future

    def awaiting_round(self) -> asyncio.Future[None]:
        """Return a future that is done once a majority has answered the round that has just begun (§8)."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reads.append((self.replication.round, future))
        self.answer_reads()  # in a cluster of one
        return future

    def committed(self, index: int) -> None:
        """The entry `index` is committed and applied: its writer may know."""
        self.assigning = 0 if index == self.assigning else self.assigning
        _done(self._writes.pop(index, None))

    def answer_reads(self) -> None:
        """Let the reads go on whose round a majority has answered, and whose state is known to be whole."""
        if self._reads and self._log.committed >= self.first_index:
            confirmed = self.replication.confirmed_round
            for round_, future in self._reads:
                if round_ <= confirmed:
                    _done(future)
            self._reads = [read for read in self._reads if read[0] > confirmed]

    def end(self, why: str) -> None:
        """This member leads no more: tell all who wait."""
        for index, future in self._writes.items():
            _fail(
                future,
                NotCommitted(f"entry {index} may be committed or not: {why}; read before writing again"),
            )
        for _, future in self._reads:
            _fail(future, NotConfirmed(f"the read was given up: {why}; ask the leader again"))
        self._writes, self._reads = {}, []

    # ---- Watching the others, moving the work -------------------------------------------------------------

    def heard(self, member: str, now_s: float) -> None:
        """A reply of this term came from `member`."""
        self._detector.heard(member, now_s)
        if member in self._failed and self.replication.followers[member].answered > self._failed[member]:
            del self._failed[member]

    def report_failure(self, member: str) -> None:
        """`member` is said to be dead: it is taken for dead until it answers a later round."""
        self._failed[member] = self.replication.round

    def alive(self, now_s: float) -> list[str]:
        """Return who is taken for alive, in the order of names; the leader is."""
        gone = {*self._detector.suspects(now_s), *self._failed} - {self._name}
        return sorted(member for member in (self._name, *self._others) if member not in gone)

    def new_assignment(
        self, state: StateMachine, rebalance: Rebalance, now_s: float
    ) -> dict[str, Any] | None:
        """Return the command that moves work, when other nodes are alive than when it was last assigned."""
        if not state.owners or self.assigning or self._log.committed < self.first_index:
            return None  # nothing to do, under way, or what is assigned is not known yet
        alive = self.alive(now_s)
        if alive == state.nodes:
            return None
        back = [node for node in alive if node not in state.nodes]
        gone = [node for node in state.nodes if node not in alive]
        reasons = [f"{node} is suspected" for node in gone] + [f"{node} is back" for node in back]
        owners = _owners(rebalance(dict(state.owners), alive), state.owners)
        return assign_command(owners, alive, ", ".join(reasons) if state.nodes else "the cluster starts")


def _owners(given: Any, items: Collection[str]) -> Mapping[str, str]:
    """Return what `rebalance` gave; refuse what leaves an item without an owner, or names one that there is not."""
    if not isinstance(given, Mapping):
        raise ClusterError(f"rebalance gave {given!r:.60}; return a dict, the owner of each item")
    if odd := sorted(map(str, given.keys() ^ set(items))):
        what = "no owner for" if odd[0] in items else "an owner for an item that there is not,"
        raise ClusterError(f"rebalance gave {what} {odd[0]!r:.60}; return a dict, the owner of each item")
    return given


def _done(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: ClusterError) -> None:
    if not future.done():
        future.set_exception(error)
