"""A cluster that keeps one leader, replicates what it is told, and moves work off dead nodes.

How to think about it. Each member of the cluster runs the same code. Given `ports`, the manager *is* one member: the
one that `ports.transport.name` names, of `node-1` to `node-N`, on a machine of its own. Left out, it hosts all members
in this process, over queues, to try things out; then it sees what an observer of the whole can see.

A cluster of 2f + 1 members goes on while f of them are dead: 3 for one, 5 for two. An even number buys nothing.

    manager = HighAvailabilityManager(3)
    await manager.initialize_cluster()
    await manager.write("color", "blue")

Each member's disk is formatted once, at deployment: `await format_disk(ports.disk, "node-1")`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import checked_ports, function, seconds, text, whole
from lessonlib.high_availability.arguments import names, span
from lessonlib.high_availability.ballot import Ballot
from lessonlib.high_availability.disk_format import format_disk
from lessonlib.high_availability.errors import ClusterError, NotLeader
from lessonlib.high_availability.heartbeat import Detector, HeartbeatMonitor
from lessonlib.high_availability.hooks import OnApplied, OnAssignment, OnTransition
from lessonlib.high_availability.leadership import Rebalance
from lessonlib.high_availability.member import Member
from lessonlib.high_availability.rebalance import rebalance_work
from lessonlib.high_availability.replicated_log import MAX_ENTRIES, commit_index
from lessonlib.ports import LocalHub, Ports, local_ports, plain

HEARTBEATS_MISSED = 10  # after so many a member is suspected, where no detector is given
MEMBERS_MAX = 99
ELECTIONS_MAX = 100  # so many election timeouts a new cluster has until it must have a leader


@dataclass(frozen=True, slots=True)
class NodeView:
    """What is known of a node.

    Attributes:
        name: the node.
        state: "leader", "follower", "pre-candidate", "candidate" or "learner"; "failed" when the leader suspects it;
            "unknown" when this member does not know; "stopped" before the start and after the end.
        work: the items that it owns, sorted.
    """

    name: str
    state: str
    work: tuple[str, ...]


class HighAvailabilityManager:
    """One member of a cluster, or, without ports, a small cluster in this process.

    Args:
        node_count: the size of the full membership, `node-1` to `node-N`, dead or alive.
        ports: this member's clock, chance, network and disk. Left out, all members run here, on queues and in memory.
        heartbeat_s: how often a leader is heard, in seconds; far above the time of a message (§5.6).
        election_timeout_s: the shortest and the longest time without a leader before an election, in seconds. Several
            heartbeats must fit, since single ones are lost.
        detector: makes what watches the followers: a function without arguments. Left out, `HeartbeatMonitor` with a
            timeout of ten heartbeats.
        ballot: makes what votes: `Ballot`.
        quorum: says what is committed: `commit_index`.
        rebalance: says who does which work: `rebalance_work`.
        work: the names of the items of work, the same on every member.
        pre_vote: ask before raising the term (thesis §9.6).
        answer_s: how long a read or write waits for a majority, in seconds.
        max_entries: the bound of the log.
        on_transition, on_applied, on_assignment: hooks.
    """

    def __init__(
        self,
        node_count: int = 3,
        *,
        ports: Ports | None = None,
        heartbeat_s: float = 0.05,
        election_timeout_s: tuple[float, float] = (0.15, 0.3),
        detector: Callable[[], Detector] | None = None,
        ballot: Callable[..., Any] = Ballot,
        quorum: Callable[..., int] = commit_index,
        rebalance: Rebalance = rebalance_work,
        work: Sequence[str] = (),
        pre_vote: bool = True,
        answer_s: float = 2.0,
        max_entries: int = MAX_ENTRIES,
        on_transition: OnTransition | None = None,
        on_applied: OnApplied | None = None,
        on_assignment: OnAssignment | None = None,
    ) -> None:
        whole("node_count", node_count, least=1)
        if node_count > MEMBERS_MAX:
            raise LessonError(f"node_count={node_count} is more than a quorum is made for; give 3, 5 or 7")
        seconds("heartbeat_s", heartbeat_s, positive=True)
        span("election_timeout_s", election_timeout_s)
        if heartbeat_s >= election_timeout_s[0]:
            raise LessonError(
                f"heartbeat_s={heartbeat_s} is not below the shortest election timeout, {election_timeout_s[0]} s: "
                "every leader would be deposed; give a third of it or less"
            )
        seconds("answer_s", answer_s, positive=True)
        whole("max_entries", max_entries, least=1)
        items = names("work", work)
        for part, value, example in (
            ("ballot", ballot, "Ballot"),
            ("quorum", quorum, "commit_index"),
            ("rebalance", rebalance, "rebalance_work"),
            ("detector", detector, "PhiAccrualDetector, or a function that returns a detector"),
            ("on_transition", on_transition, "a function of (node, source, target, term)"),
            ("on_applied", on_applied, "a function of (node, index, term, command)"),
            ("on_assignment", on_assignment, "a function of (node, number, owners, nodes, moved, reason)"),
        ):
            if value is not None or part in ("ballot", "quorum", "rebalance"):
                function(part, value, example=example)
        members = tuple(f"node-{number}" for number in range(1, node_count + 1))
        self._hosting = ports is None
        if ports is None:
            hub = LocalHub()
            all_ports = [local_ports(member, hub=hub) for member in members]
        else:
            all_ports = [checked_ports(ports)]
            if ports.transport.name not in members:
                raise LessonError(
                    f"ports.transport.name={ports.transport.name!r} is no member of a cluster of {node_count}; "
                    f"name the transport {members[0]!r} to {members[-1]!r}"
                )
        self._all_ports = all_ports
        self._names = members
        self._longest_s = election_timeout_s[1]
        self._members = {
            each.transport.name: Member(
                members,
                ports=each,
                heartbeat_s=heartbeat_s,
                election_timeout_s=(election_timeout_s[0], election_timeout_s[1]),
                detector=detector or (lambda: HeartbeatMonitor(HEARTBEATS_MISSED * heartbeat_s)),
                ballot=ballot,
                quorum=quorum,
                rebalance=rebalance,
                work=items,
                pre_vote=pre_vote,
                answer_s=answer_s,
                max_entries=max_entries,
                on_transition=on_transition,
                on_applied=on_applied,
                on_assignment=on_assignment,
            )
            for each in all_ports
        }
        self._begun = self._closed = False

    # ---- Starting and stopping ----------------------------------------------------------------------------

    async def initialize_cluster(self) -> None:
        """Start. A member returns as soon as it listens; a cluster in this process once it has a leader.

        A member whose disk was never formatted, or lost, starts as a learner (`format_disk` says why).
        """
        if self._begun:
            raise ClusterError("the cluster was initialised already; make a new HighAvailabilityManager")
        self._begun = True
        for ports in self._all_ports if self._hosting else ():
            await format_disk(ports.disk, ports.transport.name)
        for member in self._members.values():
            await member.start()
        if self._hosting:
            await self._elected()

    async def _elected(self) -> None:
        """Wait until a member leads. Raises ClusterError when that takes too long, or a part fails."""
        patience_s = ELECTIONS_MAX * self._longest_s
        try:
            async with asyncio.timeout(patience_s):
                while self.leader is None:
                    for member in self._members.values():
                        member.check_alive()
                    await asyncio.sleep(self._longest_s / 10)
        except TimeoutError:
            raise ClusterError(
                f"no leader was elected within {patience_s} s; give a longer election_timeout_s, or look at your ballot"
            ) from None

    async def close(self) -> None:
        """Stop the members of this manager; calls in progress fail. Does nothing the second time."""
        self._closed = True
        for member in self._members.values():
            await member.close()

    # ---- What is known ------------------------------------------------------------------------------------

    @property
    def leader(self) -> str | None:
        """Who leads, as far as this member knows, or None. It may have been replaced since: ask `read` for certainty.

        Without ports: of the members that believe to lead the one with the latest term.
        """
        if not self._hosting:
            return self._own.leader
        leading = [member for member in self._members.values() if member.token is not None]
        return max(leading, key=lambda member: member.term).name if leading else None

    @property
    def token(self) -> int | None:
        """The fencing token: the term while this member believes to lead, else None. Send it with every write to a
        resource (`FencedStore`): a leader that was paused does not know yet that it is one no more."""
        led_by = self._members.get(self.leader or "")
        return led_by.token if led_by is not None else None

    @property
    def nodes(self) -> Mapping[str, NodeView]:
        """Each node by name, as far as this member knows."""
        knows = self._members.get(self.leader or "") or next(iter(self._members.values()))
        alive = knows.alive()
        views = {}
        for name in self._names:
            if alive is not None and name not in alive:
                state = "failed"
            elif name in self._members:
                state = self._members[name].role
            else:
                state = "leader" if name == self.leader else "unknown" if alive is None else "follower"
            work = sorted(item for item, owner in knows.state.owners.items() if owner == name)
            views[name] = NodeView(name, state, tuple(work))
        return MappingProxyType(views)

    # ---- Calls --------------------------------------------------------------------------------------------

    async def write(self, key: str, value: Any) -> None:
        """Put `value` (plain data) into the register `key`. When it returns, a majority has it on disk.

        Raises NotLeader (nothing was done; its `leader` is a hint), NotCommitted (it may have been done), LogFull.
        """
        text("key", key, example="color")
        await self._leading().write(key, plain(value))

    async def read(self, key: str) -> Any:
        """Return the value of the register `key`, or None: the last one written before now, or a later one.

        Raises NotLeader, and NotConfirmed when no majority confirms that this member still leads (§8).
        """
        text("key", key, example="color")
        return await self._leading().read(key)

    async def handle_node_failure(self, node_id: str) -> None:
        """Someone outside has found `node_id` dead. Safe if it is not: what is alive is heard of again.

        A leader takes its work away at once, until it answers again. A member that followed it stands for election at
        once, but the others vote only if they miss the leader too (pre-vote).
        """
        if node_id not in self._names:
            raise LessonError(
                f"node_id={node_id!r:.60} is no member of this cluster; give one of {', '.join(self._names)}"
            )
        self._check_open()
        told = [member for member in self._members.values() if member.name != node_id]
        if not told:
            raise LessonError(
                f"node_id={node_id!r} is this member itself, which cannot be dead and answer; tell the other members"
            )
        for member in told:
            await member.report_failure(node_id)

    # ---- Small things -------------------------------------------------------------------------------------

    @property
    def _own(self) -> Member:
        return next(iter(self._members.values()))

    def _leading(self) -> Member:
        self._check_open()
        if not self._hosting:
            return self._own
        leader = self.leader
        if leader is None:
            raise NotLeader("no member leads just now; ask again when there is a leader")
        return self._members[leader]

    def _check_open(self) -> None:
        if self._closed:
            raise ClusterError("the cluster is closed; make a new HighAvailabilityManager")
        if not self._begun:
            raise ClusterError("the cluster has not been started; await initialize_cluster() first")
