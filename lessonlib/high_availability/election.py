"""How a cluster comes to a leader: timeouts start an election, votes decide it, terms end the old one's rule.

How to think about it. A member that hears nothing of a leader for its *election timeout* wants to lead. The timeout
is drawn at random, so that one member is mostly alone with its wish (§5.2, §9.3); it has to be far above the time
that a message takes, and far below the time between failures (§5.6). Four rules keep the peace:

- *Majority of the full membership* and *one vote a term* (`Ballot`): no term has two leaders.
- *Pre-vote* (thesis §9.6): before it raises the term, a member asks whether it would be voted for. One that comes
  back, or is cut off, would otherwise return with a high term and depose a leader that does its work.
- *Stickiness* (§6, end): who has heard of a leader within the shortest election timeout grants no vote.
- *Check-quorum* (thesis §6.2): a leader that has heard no majority for the longest election timeout steps down.

The whole machine is the table TRANSITIONS. It knows no clock, no network and no disk: it is given the time and each
message, and returns what to send, which may be sent once `ballot.promise` is on the disk.

Source: Raft (extended version) §5.1, §5.2, §6; Ongaro's thesis (2014) §6.2, §9.6; etcd's raft library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from lessonlib.errors import LessonError
from lessonlib.high_availability.arguments import span
from lessonlib.high_availability.ballot import LOST, WON, Ballot, LogPosition
from lessonlib.ports import Message

FOLLOWER, PRE_CANDIDATE, CANDIDATE, LEADER = "follower", "pre-candidate", "candidate", "leader"
LEARNER = "learner"
ROLES = (FOLLOWER, PRE_CANDIDATE, CANDIDATE, LEADER, LEARNER)

TIMEOUT = "no leader heard in time, or reported dead"  # within the election timeout
STANDS = "the same, and no pre-vote is asked for"
MAJORITY = "a majority says yes"
NO_MAJORITY = "a majority cannot be had any more"
HIGHER_TERM = "a higher term is heard of"
HEARD = "the leader of the term is heard"
CUT_OFF = "no majority heard for an election timeout"
DISK_FAILS = "the disk fails"


class Transition(NamedTuple):
    """In the role `source`, the event `event` leads to the role `target`."""

    source: str
    event: str
    target: str


TRANSITIONS = (
    Transition(FOLLOWER, TIMEOUT, PRE_CANDIDATE),
    Transition(PRE_CANDIDATE, TIMEOUT, PRE_CANDIDATE),
    Transition(PRE_CANDIDATE, MAJORITY, CANDIDATE),
    Transition(PRE_CANDIDATE, NO_MAJORITY, FOLLOWER),
    Transition(PRE_CANDIDATE, HEARD, FOLLOWER),
    Transition(PRE_CANDIDATE, HIGHER_TERM, FOLLOWER),
    Transition(CANDIDATE, TIMEOUT, PRE_CANDIDATE),
    Transition(CANDIDATE, MAJORITY, LEADER),
    Transition(CANDIDATE, NO_MAJORITY, FOLLOWER),
    Transition(CANDIDATE, HEARD, FOLLOWER),
    Transition(CANDIDATE, HIGHER_TERM, FOLLOWER),
    Transition(CANDIDATE, DISK_FAILS, FOLLOWER),
    Transition(LEADER, HIGHER_TERM, FOLLOWER),
    Transition(LEADER, CUT_OFF, FOLLOWER),
    Transition(LEADER, DISK_FAILS, FOLLOWER),
    # Without pre-vote, as in the paper:
    Transition(FOLLOWER, STANDS, CANDIDATE),
    Transition(CANDIDATE, STANDS, CANDIDATE),
)
_NEXT = {(row.source, row.event): row.target for row in TRANSITIONS}

Outgoing = tuple[str, Message]  # (to whom, what)
OnTransition = Callable[[str, str, int], object]  # (source, target, term)


class Election:
    """One member's part in elections.

    Args:
        name: this member.
        members: the full membership, dead or alive, this member among them.
        random: draws the timeouts.
        timeout_s: the shortest and the longest election timeout, in seconds. The defaults are the paper's (§9.3).
        ballot: makes the ballot from (members, promise).
        promise: what the disk holds of an earlier life.
        learner: this member has lost its promises and takes no part; it only learns who leads.
        pre_vote: ask before raising the term.
        on_transition: called with (source, target, term) at each change of role, after it.

    Attributes:
        role: one of ROLES.
        leader: whom this member takes for the leader of its term, or None.
    """

    def __init__(
        self,
        name: str,
        members: Sequence[str],
        *,
        random: Random,
        timeout_s: tuple[float, float] = (0.15, 0.3),
        ballot: Callable[..., Any] = Ballot,
        promise: Mapping[str, Any] | None = None,
        learner: bool = False,
        pre_vote: bool = True,
        on_transition: OnTransition | None = None,
    ) -> None:
        span("timeout_s", timeout_s)
        if name not in members:
            raise LessonError(
                f"name={name!r:.60} is not one of members={list(members)!r:.60}; give one of them"
            )
        self.name = name
        self.others = tuple(member for member in members if member != name)
        self.role = LEARNER if learner else FOLLOWER
        self.leader: str | None = None
        self.ballot = ballot(tuple(members), promise)
        self._majority = len(members) // 2 + 1
        self._random = random
        self._shortest_s, self._longest_s = timeout_s
        self._pre_vote = pre_vote
        self._on_transition = on_transition
        self._votes: dict[str, bool] = {}
        self._asked_term = 0  # the term that the votes are for
        self._heard_s: dict[str, float] = {}  # when the leader last heard each voter
        self._leader_heard_s = -1e9
        self._waits_since_s = 0.0
        self._patience_s = self._draw()

    @property
    def deadline_s(self) -> float:
        """When `tick` has something to do unless a leader is heard first. It moves: look again when it is reached."""
        return self._waits_since_s + self._patience_s

    def start(self, now_s: float) -> None:
        """Begin to wait for a leader."""
        self._wait_anew(now_s)

    # ---- What starts an election --------------------------------------------------------------------------

    def tick(self, now_s: float, my_log: LogPosition) -> list[Outgoing]:
        """Look whether a timeout has passed; return what to send."""
        if self.role == LEADER:
            self._check_quorum(now_s)
        elif self.role != LEARNER and now_s >= self.deadline_s:
            return self.campaign(now_s, my_log)
        return []

    def campaign(self, now_s: float, my_log: LogPosition) -> list[Outgoing]:
        """Try to become the leader, now; return the requests. Does nothing in a leader or learner."""
        if self.role in (LEADER, LEARNER):
            return []
        self._wait_anew(now_s)
        self.leader = None
        self._leader_heard_s = -1e9
        if not self._pre_vote:
            return self._stand(STANDS, now_s, my_log)
        self._move(TIMEOUT)
        self._asked_term = self.ballot.term + 1
        return self._ask("pre-vote", now_s, my_log)

    def _stand(self, event: str, now_s: float, my_log: LogPosition) -> list[Outgoing]:
        """Begin the next term as a candidate (§5.2)."""
        self.ballot.stand(self.name)
        self._wait_anew(now_s)
        self._move(event)
        self._asked_term = self.ballot.term
        return self._ask("vote request", now_s, my_log)

    def _ask(self, kind: str, now_s: float, my_log: LogPosition) -> list[Outgoing]:
        self._votes = {self.name: True}
        term, (log_term, log_index) = self._asked_term, my_log
        request = {"type": kind, "term": term, "log_term": log_term, "log_index": log_index}
        return [(other, request) for other in self.others] + self._judge(now_s, my_log)

    # ---- Requests and votes -------------------------------------------------------------------------------

    def receive(
        self, sender: str, message: Mapping[str, Any], *, now_s: float, my_log: LogPosition
    ) -> list[Outgoing]:
        """Handle a request or a vote; return what to send, once `ballot.promise` is on the disk."""
        kind, term = message["type"], message["term"]
        if kind == "pre-vote":
            return [(sender, self._answer_pre_vote(term, message, now_s, my_log))]
        if kind == "vote request":
            return [(sender, self._answer_vote(sender, term, message, now_s, my_log))]
        self.observe(term, now_s)
        asks = PRE_CANDIDATE if kind == "pre-vote reply" else CANDIDATE
        if self.role != asks or message["for"] != self._asked_term:
            return []  # of an election that is over
        self._votes[sender] = message["granted"] or self._votes.get(sender, False)
        return self._judge(now_s, my_log)

    def _answer_pre_vote(
        self, term: int, message: Mapping[str, Any], now_s: float, my_log: LogPosition
    ) -> Message:
        """Say whether we would vote so. That promises nothing, so neither term nor vote change (thesis §9.6)."""
        its_log = (message["log_term"], message["log_index"])
        granted = (
            self.role != LEARNER
            and term > self.ballot.term
            and its_log >= my_log
            and not self._has_leader(now_s)
        )
        return {"type": "pre-vote reply", "term": self.ballot.term, "for": term, "granted": granted}

    def _answer_vote(
        self, sender: str, term: int, message: Mapping[str, Any], now_s: float, my_log: LogPosition
    ) -> Message:
        granted = False
        if not (term > self.ballot.term and self._has_leader(now_s)):  # else: do not even learn its term (§6)
            self.observe(term, now_s)
            its_log = (message["log_term"], message["log_index"])
            granted = self.role != LEARNER and bool(
                self.ballot.grant(sender, term, its_log=its_log, my_log=my_log)
            )
            if granted:
                self._wait_anew(now_s)
        return {"type": "vote", "term": self.ballot.term, "for": term, "granted": granted}

    def _judge(self, now_s: float, my_log: LogPosition) -> list[Outgoing]:
        outcome = self.ballot.count(self._votes)
        if outcome == LOST:
            self._move(NO_MAJORITY)  # and waits for what is left of its timeout
        elif outcome == WON and self.role == PRE_CANDIDATE:
            return self._stand(MAJORITY, now_s, my_log)
        elif outcome == WON:
            self.leader = self.name
            self._heard_s = dict.fromkeys(self.others, now_s)
            self._move(MAJORITY)
        return []

    def _has_leader(self, now_s: float) -> bool:
        """Whether a leader was heard so lately that an election would only disturb (§6)."""
        return self.role == LEADER or now_s - self._leader_heard_s < self._shortest_s

    # ---- Leaders and terms --------------------------------------------------------------------------------

    def observe(self, term: int, now_s: float) -> None:
        """A message of `term` came: if it is higher than ours, our part in the old one is over (§5.1)."""
        if term > self.ballot.term:
            self.ballot.learn(term)
            self.leader = None
            self._leader_heard_s = -1e9
            self._follow(HIGHER_TERM, now_s)

    def hear_leader(self, leader: str, term: int, now_s: float) -> bool:
        """Entries or a heartbeat came from the leader of `term`. Returns False when that term is over."""
        if term != self.ballot.term:
            if term < self.ballot.term:
                return False
            self.observe(term, now_s)
        if self.role == LEADER:
            return False  # a second leader of our term: some member voted twice
        if self.role in (PRE_CANDIDATE, CANDIDATE):
            self._move(HEARD)
        self.leader = leader
        self._leader_heard_s = self._waits_since_s = now_s
        return True

    def hear_voter(self, member: str, now_s: float) -> None:
        """A voter has answered this leader, in its term."""
        self._heard_s[member] = now_s

    def give_up(self, now_s: float) -> None:
        """The disk has failed: do not lead, and do not stand, on promises that cannot be kept."""
        if self.role in (CANDIDATE, LEADER):
            self._follow(DISK_FAILS, now_s)

    def _check_quorum(self, now_s: float) -> None:
        """Step down when no majority was heard for the longest timeout: others may have elected another."""
        heard = sum(now_s - heard_s <= self._longest_s for heard_s in self._heard_s.values())
        if heard + 1 < self._majority:
            self._follow(CUT_OFF, now_s)

    # ---- Small things -------------------------------------------------------------------------------------

    def _follow(self, event: str, now_s: float) -> None:
        if self.role == LEADER:
            self.leader = None
            self._wait_anew(now_s)
        if (self.role, event) in _NEXT:
            self._move(event)

    def _wait_anew(self, now_s: float) -> None:
        self._waits_since_s = now_s
        self._patience_s = self._draw()

    def _draw(self) -> float:
        return self._random.uniform(self._shortest_s, self._longest_s)

    def _move(self, event: str) -> None:
        source, self.role = self.role, _NEXT[self.role, event]
        changed = source != self.role or event == STANDS  # which begins another term
        if changed and self._on_transition is not None:
            self._on_transition(source, self.role, self.ballot.term)
