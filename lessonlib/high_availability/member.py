"""One member of a cluster: it drives the pure parts, and is the only one that touches clock, network and disk.

How to think about it. `Election`, `ReplicatedLog` and `Leadership` say what is to be done; the member does it, in *turns*:
one message, one timeout or one call at a time, whole. In a turn the order is always the same (Raft, figure 2):

1. what is promised goes to the disk: term and vote in one record, entries of the log before they are in the log;
2. only then is anything sent or answered that rests on it.

So a crash between any two lines leaves a member that has kept its word. A disk that *fails* to write is met in the
same way: nothing is sent, a leader steps down (its followers have disks that work), and the next turn tries again.

Time: heartbeats every `heartbeat_s`, elections after a timeout far above it (§5.6). A heartbeat that comes in only moves
a number; the timer looks at it when it goes off, so that thousands of heartbeats cost no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from lessonlib.high_availability.disk_format import is_formatted
from lessonlib.high_availability.election import LEADER, LEARNER, Election, Outgoing
from lessonlib.high_availability.errors import ClusterError, LogFull, NotCommitted, NotConfirmed, NotLeader
from lessonlib.high_availability.hooks import OnApplied, OnAssignment, OnTransition
from lessonlib.high_availability.leadership import Leadership, Rebalance
from lessonlib.high_availability.promises import Promises, entries_of
from lessonlib.high_availability.register import NOOP, StateMachine, write_command
from lessonlib.high_availability.replicated_log import Entry, ReplicatedLog
from lessonlib.ports import Ports, plain


class Member:
    """See `HighAvailabilityManager`, which checks and explains the arguments."""

    def __init__(
        self,
        members: Sequence[str],
        *,
        ports: Ports,
        heartbeat_s: float,
        election_timeout_s: tuple[float, float],
        detector: Callable[[], Any],
        ballot: Callable[..., Any],
        quorum: Callable[..., int],
        rebalance: Rebalance,
        work: Iterable[str],
        pre_vote: bool,
        answer_s: float,
        max_entries: int,
        on_transition: OnTransition | None,
        on_applied: OnApplied | None,
        on_assignment: OnAssignment | None,
    ) -> None:
        self.name = ports.transport.name
        self.members = tuple(members)
        self.state = StateMachine(work)
        self.failure: Exception | None = None  # what a part raised, which ended this member
        self._others = tuple(member for member in members if member != self.name)
        self._ports = ports
        self._heartbeat_s = heartbeat_s
        self._timeout_s = election_timeout_s
        self._make_detector = detector
        self._make_ballot = ballot
        self._quorum = quorum
        self._rebalance = rebalance
        self._pre_vote = pre_vote
        self._answer_s = answer_s
        self._on_transition = on_transition
        self._on_applied = on_applied
        self._on_assignment = on_assignment
        self._log = ReplicatedLog(max_entries=max_entries)
        self._election: Election | None = None
        self._office: Leadership | None = None
        self._promises = Promises(ports.disk)
        self._next_heartbeat_s = 0.0
        self._turn = asyncio.Lock()
        self._alarm: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._handlers: dict[str, Callable[[str, Any], Coroutine[Any, Any, None]]] = {
            "append": self._on_append,
            "append reply": self._on_append_reply,
            **dict.fromkeys(("pre-vote", "pre-vote reply", "vote request", "vote"), self._on_vote),
        }

    # ---- What can be seen from outside --------------------------------------------------------------------

    @property
    def role(self) -> str:
        """The role in elections; "stopped" before the start and after the end."""
        return self._election.role if self._election is not None and self._tasks else "stopped"

    @property
    def term(self) -> int:
        """The term that this member lives in."""
        return self._election.ballot.term if self._election is not None else 0

    @property
    def leader(self) -> str | None:
        """Whom this member takes for the leader, or None. It may have been replaced since."""
        return self._election.leader if self._election is not None and self._tasks else None

    @property
    def token(self) -> int | None:
        """The fencing token: the term while this member leads, or believes to; else None."""
        return self._office.term if self._office is not None else None

    def alive(self) -> list[str] | None:
        """Whom this member takes for alive, if it leads; None otherwise: then it does not watch the others."""
        return self._office.alive(self._now()) if self._office is not None else None

    def check_alive(self) -> None:
        """Raise ClusterError when a part has failed and so ended this member."""
        if self.failure is not None:
            raise ClusterError(
                f"{self.name} stopped on {type(self.failure).__name__}: {self.failure}; mend that and start it again"
            ) from self.failure

    # ---- Start and end ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the disk and begin to listen. A member whose disk has lost its mark starts as a learner."""
        learner = not await is_formatted(self._ports.disk, self.name)
        promise = await self._promises.recover(self._log)
        self._election = Election(
            self.name,
            self.members,
            random=self._ports.random,
            timeout_s=self._timeout_s,
            ballot=self._make_ballot,
            promise=promise,
            learner=learner,
            pre_vote=self._pre_vote,
            on_transition=self._moved,
        )
        self._election.start(self._now())
        self._tasks = [
            asyncio.create_task(self._watched(self._listen), name=f"{self.name} listens"),
            asyncio.create_task(self._watched(self._keep_time), name=f"{self.name} keeps time"),
        ]

    async def close(self) -> None:
        """Stop, as at a shutdown; what callers wait for fails. Does nothing the second time."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._leave_office("the member was closed")

    async def _watched(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `work` for ever. An error in it ends the whole member, as it would end a process."""
        try:
            await work()
        except Exception as error:
            self.failure = error
            self._leave_office(f"{self.name} stopped on {type(error).__name__}: {error}")
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                if task is not asyncio.current_task():
                    task.cancel()
            raise

    # ---- Turns: a message, a timeout ----------------------------------------------------------------------

    async def _listen(self) -> None:
        receive, handlers, turn = self._ports.transport.receive, self._handlers, self._turn
        while True:
            sender, message = await receive()
            handler = handlers.get(str(message.get("type"))) if isinstance(message, dict) else None
            if handler is not None and sender in self._others:
                async with turn:
                    await handler(sender, message)

    async def _keep_time(self) -> None:
        loop = asyncio.get_running_loop()
        election = self._started()
        while True:
            alarm = self._alarm = loop.create_future()
            if self._office is not None:
                loop.call_at(self._next_heartbeat_s, _ring, alarm)
            elif election.role != LEARNER:
                loop.call_at(election.deadline_s, _ring, alarm)
            await alarm
            async with self._turn:
                now_s = self._now()
                out = election.tick(now_s, self._log.position)
                if self._office is None or election.role != LEADER:
                    await self._conclude(out)
                elif now_s >= self._next_heartbeat_s:
                    self._next_heartbeat_s = now_s + self._heartbeat_s
                    self._send(self._office.replication.begin_round(again=True))
                    await self._move_work()

    async def _on_vote(self, sender: str, message: Mapping[str, Any]) -> None:
        election = self._started()
        await self._conclude(election.receive(sender, message, now_s=self._now(), my_log=self._log.position))

    async def _on_append(self, sender: str, message: Mapping[str, Any]) -> None:
        """Entries or a heartbeat: Raft's AppendEntries (figure 2)."""
        election, log = self._started(), self._log
        reply = {"type": "append reply", "round": message["round"], "learner": election.role == LEARNER}
        prev, match = message["prev_index"], 0
        ok = election.hear_leader(sender, message["term"], self._now())
        if ok:
            ok = log.agrees(prev, message["prev_term"])
            match = prev + len(message["entries"]) if ok else log.common_at_most(prev)
            if ok and message["entries"]:
                first, news = log.news(prev, entries_of(message["entries"]))
                if news and not await self._store(first, news):
                    return
        if not await self._save():
            return
        if ok:
            self._apply(min(message["commit"], match))
        self._ports.transport.send(sender, {**reply, "term": self.term, "ok": ok, "match": match})

    async def _on_append_reply(self, sender: str, reply: Mapping[str, Any]) -> None:
        election, office = self._started(), self._office
        now_s = self._now()
        if office is None or reply["term"] != office.term:
            election.observe(reply["term"], now_s)
            await self._conclude([])
            return
        follower = office.replication.followers[sender]
        fresh = reply["round"] > follower.answered  # a repeated reply is no sign of life
        answer = office.replication.receive(sender, reply)
        if fresh:
            office.heard(sender, now_s)
            if not follower.learner:
                election.hear_voter(sender, now_s)
        if answer is not None:
            self._ports.transport.send(sender, answer)
        self._advance(office)
        office.answer_reads()

    # ---- What every turn ends with ------------------------------------------------------------------------

    async def _conclude(self, out: Iterable[Outgoing]) -> None:
        """Store the promise, then send, then take or leave office."""
        if await self._save():
            self._send(out)
            await self._take_office()

    async def _save(self) -> bool:
        """Have the promise on the disk; False if the disk fails. Then nothing may be sent that rests on it."""
        try:
            await self._promises.save(self._started().ballot.promise)
        except OSError:
            self._started().give_up(self._now())
            return False
        return True

    async def _store(self, first: int, entries: Sequence[Entry]) -> bool:
        """Put entries on the disk and then into the log, in place of what is there; False if the disk fails.

        The promise goes first: no entry on the disk is of a later term than the ballot.
        """
        if not await self._save():
            return False
        try:
            await self._promises.append(first, entries)
        except OSError:
            self._started().give_up(self._now())
            return False
        self._log.take(first, entries)
        return True

    def _send(self, out: Iterable[Outgoing]) -> None:
        send = self._ports.transport.send
        for to, body in out:
            send(to, body)

    # ---- Leading ------------------------------------------------------------------------------------------

    async def _take_office(self) -> None:
        """Begin to lead, with an empty entry: only an entry of its own term shows what is committed (§8)."""
        election = self._started()
        if election.role != LEADER or self._office is not None:
            return
        self._office = Leadership(
            self.name,
            self._others,
            term=self.term,
            log=self._log,
            detector=self._make_detector(),
            now_s=self._now(),
        )
        self._next_heartbeat_s = self._now() + self._heartbeat_s
        _ring(self._alarm)  # the timer waits for an election timeout: now it is for heartbeats
        try:
            await self._propose(NOOP, own=True)
        except LogFull:
            self._send(self._office.replication.begin_round())

    def _leave_office(self, why: str) -> None:
        office, self._office = self._office, None
        if office is not None:
            office.end(why)
            _ring(self._alarm)

    async def _propose(self, command: Any, *, own: bool = False) -> int:
        """Append a command to the leader's log and send it; return its index, or 0 if the disk fails."""
        office = self._office
        assert office is not None
        self._log.check_room(own=own)
        index = self._log.last_index + 1
        if not await self._store(index, [Entry(office.term, command)]):
            return 0
        self._send(office.replication.begin_round())
        self._advance(office)  # a cluster of one is its own majority
        return index

    def _advance(self, office: Leadership) -> None:
        """Commit what a majority has on disk by now, and let those go on who waited for it."""
        if self._log.committed == self._log.last_index:
            return
        committed = self._quorum(
            office.replication.matched,
            self.members,
            self._log.term_of,
            term=office.term,
            committed=self._log.committed,
        )
        self._apply(committed)
        office.answer_reads()

    async def _move_work(self) -> None:
        office = self._office
        assert office is not None
        command = office.new_assignment(self.state, self._rebalance, self._now())
        if command is not None:
            office.assigning = self._log.last_index + 1
            try:
                await self._propose(command, own=True)
            except LogFull:
                office.assigning = 0

    # ---- The state machine --------------------------------------------------------------------------------

    def _apply(self, committed: int) -> None:
        """Apply what is newly committed, in order (§5.3, figure 2)."""
        if committed <= self._log.committed:
            return
        office = self._office
        for index, entry in self._log.commit(committed):
            command = entry.command
            moved = self.state.moved(command["owners"]) if command["op"] == "assign" else []
            self.state.apply(command)
            if self._on_applied is not None:
                self._on_applied(self.name, index, entry.term, command)
            if office is not None:
                if command["op"] == "assign" and self._on_assignment is not None:
                    owners = dict(self.state.owners)
                    self._on_assignment(self.name, index, owners, command["nodes"], moved, command["reason"])
                office.committed(index)

    # ---- Calls --------------------------------------------------------------------------------------------

    async def write(self, key: str, value: Any) -> None:
        """Put `value` into the register `key`; returns once that is committed. Errors: see the manager."""
        try:
            async with asyncio.timeout(self._answer_s):
                async with self._turn:
                    office = self._leading()
                    index = await self._propose(write_command(key, value))
                    if not index:
                        raise NotCommitted(
                            f"the disk of {self.name} failed to write {key!r:.60}; ask the next leader"
                        )
                    done = office.awaiting_commit(index)
                await done
        except TimeoutError:
            raise NotCommitted(
                f"no majority confirmed the write of {key!r:.60} within {self._answer_s} s; it may be committed "
                "later: read before writing again"
            ) from None

    async def read(self, key: str) -> Any:
        """Return the value of the register `key`, no older than the call (§8)."""
        try:
            async with asyncio.timeout(self._answer_s):
                async with self._turn:
                    office = self._leading()
                    self._send(office.replication.begin_round())
                    done = office.awaiting_round()
                await done
        except TimeoutError:
            raise NotConfirmed(
                f"no majority confirmed within {self._answer_s} s that {self.name} still leads; ask again"
            ) from None
        return plain(self.state.values.get(key))

    async def report_failure(self, member: str) -> None:
        """Another member is said to be dead: a leader moves its work; one that followed it stands for election."""
        async with self._turn:
            if not self._tasks:
                return
            election = self._started()
            if self._office is not None:
                self._office.report_failure(member)
                await self._move_work()
            elif election.leader == member:
                await self._conclude(election.campaign(self._now(), self._log.position))
                _ring(self._alarm)

    def _leading(self) -> Leadership:
        self.check_alive()
        if self._office is None:
            hint = f"ask {self.leader!r}" if self.leader else "ask again when there is a leader"
            raise NotLeader(f"{self.name} does not lead; {hint}", leader=self.leader)
        return self._office

    # ---- Small things -------------------------------------------------------------------------------------

    def _started(self) -> Election:
        assert self._election is not None, "the member has not been started"
        return self._election

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _moved(self, source: str, target: str, term: int) -> None:
        if source == LEADER:  # at once: nothing that happens from here on may answer a caller of the old term
            self._leave_office(f"{self.name} leads no more")
        if self._on_transition is not None:
            self._on_transition(self.name, source, target, term)


def _ring(alarm: asyncio.Future[None] | None) -> None:
    if alarm is not None and not alarm.done():
        alarm.set_result(None)
