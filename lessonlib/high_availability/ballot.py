"""What a member promises in an election: a term that only grows, and one vote in each term.

How to think about it. A *term* is a round of election, numbered from 1: Raft's clock, which needs no calendar. In
each term a member gives its vote at most once, and a candidate needs the votes of a *majority of the full membership*,
dead members included. Two majorities share a member, and that member voted once: so no term has two leaders.

This holds only as long as no member forgets. The promise (term and vote, in one record, so that they cannot be torn
apart) must be on the disk before the vote is sent. Whoever lost the disk must not vote again.

Source: Raft (Ongaro, Ousterhout: In Search of an Understandable Consensus Algorithm, extended version) §5.1, §5.2, §5.4.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole
from lessonlib.high_availability.arguments import mapping, names, position, promised

WON, LOST, PENDING = "won", "lost", "pending"

LogPosition = tuple[int, int]  # (term of the last entry, index of the last entry); (0, 0) when there is none


class Ballot:
    """One member's term and vote. It knows no network and no disk: store `promise` before you send anything.

    Args:
        members: the names of all members, dead or alive.
        promise: what the disk holds of an earlier life, as `promise` gave it; left out, a new member's.
    """

    def __init__(self, members: Sequence[str], promise: Mapping[str, Any] | None = None) -> None:
        if not names("members", members):
            raise LessonError("members=[] names nobody; give for instance ['node-1', 'node-2']")
        self._members = tuple(members)
        self.term = 0
        self.voted_for: str | None = None
        if promise is not None:
            self.term, self.voted_for = promised(promise)

    @property
    def promise(self) -> dict[str, Any]:
        """What must be on the disk before anything is sent that rests on it."""
        return {"term": self.term, "voted_for": self.voted_for}

    def stand(self, name: str) -> None:
        """Begin the next term as the candidate `name`, and vote for it (§5.2)."""
        self.term += 1
        self.voted_for = name

    def learn(self, term: int) -> bool:
        """Adopt a higher term, in which no vote has been given yet; return whether it was higher (§5.1)."""
        whole("term", term, least=0)
        if term <= self.term:
            return False
        self.term = term
        self.voted_for = None
        return True

    def grant(self, candidate: str, term: int, *, its_log: LogPosition, my_log: LogPosition) -> bool:
        """Decide on a request for a vote; True is a promise, and is kept in `promise`.

        Refused: a term that is past; a second vote in a term (the same candidate may ask twice: its request may
        have been repeated by the network); a stranger; and whoever's log is less up to date than ours, because an
        entry that is committed is in some log of every majority, and only its owners may lead (§5.4.1). More up
        to date is the log whose last entry has the higher term, then the longer one.
        """
        position("its_log", its_log)
        position("my_log", my_log)
        self.learn(term)
        if term < self.term or candidate not in self._members or its_log < my_log:
            return False
        if self.voted_for not in (None, candidate):
            return False
        self.voted_for = candidate
        return True

    def count(self, votes: Mapping[str, bool]) -> str:
        """Return WON, LOST or PENDING for the votes that have come in: member -> granted.

        Who is no member does not count.
        Of three members, yes, no and one silent is pending; of two, no and one silent is lost.
        """
        mapping("votes", votes, example="{'node-1': True}")
        needed = len(self._members) // 2 + 1
        granted = sum(votes.get(member) is True for member in self._members)
        refused = sum(votes.get(member) is False for member in self._members)
        if granted >= needed:
            return WON
        return LOST if len(self._members) - refused < needed else PENDING
