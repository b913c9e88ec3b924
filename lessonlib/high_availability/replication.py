"""What a leader knows of its followers: up to where their logs match its own, and who has confirmed its rule.

How to think about it. For each follower there are two numbers. `matched` is what it *has said* to have on disk: it
decides what is committed. `next` is a guess of what to send next: if it is wrong the follower refuses, and says up to
where the logs can agree (§5.3). A heartbeat goes back to the last certain place, so what was lost is sent again.

Each broadcast is a numbered *round*, which replies repeat. A majority that has answered a round shows that no other
leader had been elected when it began: that is what a read rests on (§8). A late or repeated reply names an old round,
and proves nothing new.

A learner's disk has lost what it promised: it is sent everything, and counts for nothing.

Source: Raft (extended version) §5.3, §5.5, §8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lessonlib.high_availability.replicated_log import ReplicatedLog
from lessonlib.ports import Message


@dataclass(slots=True)
class Follower:
    """What the leader knows of one of them.

    Attributes:
        next: the index of the entry to send next.
        matched: the last index known to be on its disk.
        found: whether the place where the logs agree is known; until then no entries are sent twice.
        answered: the last round that it answered.
        learner: whether it counts for nothing.
    """

    next: int
    matched: int = 0
    found: bool = False
    answered: int = 0
    learner: bool = False


class Replication:
    """A leader's book-keeping for one term. It knows no network: it says what to send."""

    def __init__(self, name: str, others: Sequence[str], *, term: int, log: ReplicatedLog) -> None:
        self._name = name
        self._term = term
        self._log = log
        self._place = (len(others) + 1) // 2  # of the majority's last one, in falling order
        self.round = 0
        self.followers = {other: Follower(next=log.last_index + 1) for other in others}

    @property
    def matched(self) -> dict[str, int]:
        """For each voter the last index that is known to be on its disk."""
        known = {other: f.matched for other, f in self.followers.items() if not f.learner}
        known[self._name] = self._log.last_index  # which holds nothing that is not on the disk
        return known

    @property
    def confirmed_round(self) -> int:
        """The last round that a majority of the full membership has answered, or a later one; the leader counts."""
        answered = [0 if f.learner else f.answered for f in self.followers.values()]
        answered.append(self.round)
        answered.sort(reverse=True)
        return answered[self._place]

    def begin_round(self, *, again: bool = False) -> list[tuple[str, Message]]:
        """Return a message for each follower, with the entries that it lacks, or as a heartbeat.

        `again` sends what has not been acknowledged once more; without it only what has not been sent.
        """
        self.round += 1
        messages = []
        for other, follower in self.followers.items():
            if again and follower.found:
                follower.next = follower.matched + 1
            messages.append((other, self.message(other)))
        return messages

    def message(self, to: str) -> Message:
        """Return what to send to a follower now: at most BATCH entries."""
        log, follower = self._log, self.followers[to]
        prev = follower.next - 1
        entries: list[dict[str, Any]] = []
        if prev < log.last_index:
            entries = [{"term": entry.term, "command": entry.command} for entry in log.batch(prev + 1)]
            if follower.found:
                follower.next += len(entries)
        return {
            "type": "append",
            "term": self._term,
            "prev_index": prev,
            "prev_term": log.term_of(prev),
            "entries": entries,
            "commit": log.committed,
            "round": self.round,
        }

    def receive(self, sender: str, reply: Mapping[str, Any]) -> Message | None:
        """Take note of a follower's reply in this term; return what to send it at once, or None.

        A reply may be late or repeated, so `matched` never goes back, and it goes no further than the reply says.
        """
        follower, log = self.followers[sender], self._log
        if reply["learner"] and not follower.learner:  # it lost its disk: what we knew of it is gone
            follower.learner, follower.matched = True, 0
        late = reply["round"] < follower.answered
        follower.answered = max(follower.answered, reply["round"])
        if reply["ok"]:
            follower.matched = max(follower.matched, min(reply["match"], log.last_index))
            if not follower.found:
                follower.found, follower.next = True, follower.matched + 1
            follower.next = max(follower.next, follower.matched + 1)
            return self.message(sender) if follower.next <= log.last_index else None
        if late:
            return None
        if follower.learner:
            follower.matched = 0
        agree = max(reply["match"], follower.matched)
        if agree + 1 >= follower.next and not follower.found:
            return None  # a repeated refusal: it is on the way already
        follower.next, follower.found = min(agree, log.last_index) + 1, False
        return self.message(sender)
