"""What must hold of a cluster that loses members and messages. Each rule reads a history and nothing else.

The records of a cluster, beside the laboratory's own:
- `limits` (once): `members`, `heartbeat_ms`, `election_low_ms`, `election_high_ms`, `timeout_s`;
- `transition` (node: the member): `source`, `target`, `term`; term 0 is that of a cluster which has no terms;
- `applied` (the member): `index`, `term`, `command`; a member that restarts applies all again, from index 1;
- `invoke`, `ok`, `failed`, ... of op "write" and "read": `client`, `number`, `key`, `value`; `read` with what was read;
- `stored` and `refused` (the store): `key`, `value`, `token`, `by`;
- `assignment` (who decides): `number`, `owners`, `nodes`, `moved`, `reason`;
- `doing` (the member): the `items` that it now works on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import inf
from typing import Any, NamedTuple

from lessonlib.high_availability.election import LEADER
from lessonlib.high_availability.linearizable import READ, WRITE, Operation, first_violation
from lessonlib.lab.faults import (
    ClockSkew,
    Crash,
    CrashLosingDisk,
    Duplication,
    FailingDisk,
    Fault,
    FaultPlan,
    OneWayPartition,
    Partition,
    SlowDisk,
    SlowNode,
    _LinkFault,
)
from lessonlib.lab.history import History, Record, seconds
from lessonlib.lab.rules import Verdict, broken, holds, not_exercised, rule

STORE = "store"
FOREVER_US = 10**15
ELECTION_ROUNDS = 4  # longest election timeouts to a leader, once a majority can talk; mostly one is enough
STEP_DOWN_ROUNDS = (
    1.5  # the longest after which a leader without a majority leads no more: one, and a heartbeat
)
WORK_ROUNDS = 6  # longest election timeouts after which the work has found its places
ELECTION_SLACK_US = 100_000
COPY_S = 1.0  # how much later than the original a duplicate may come
SURELY_NOT_DONE = ("NotLeader", "NotConfirmed", "LogFull")
CALLS = ("ok", "failed", "unknown")


# ---- What the history says of the cluster ----------------------------------------------------------------


def members(history: History) -> tuple[str, ...]:
    """Return the full membership; empty when there is no record of it."""
    record = history.of("limits").first()
    return () if record is None else tuple(record.data["members"])


def _timeout_us(history: History) -> int:
    record = history.of("limits").first()
    return 0 if record is None else round(record.data["election_high_ms"] * 1000)


class Leadership(NamedTuple):
    """A time in which a member believes that it leads.

    Attributes:
        node: the member.
        term: 0 where there are no terms.
        start_us, end_us: until it steps down or crashes; the history's end at the latest.
        record: of its beginning.
        stepped_down: whether it gave up by itself.
    """

    node: str
    term: int
    start_us: int
    end_us: int
    record: Record
    stepped_down: bool


def leaderships(history: History) -> list[Leadership]:
    """Return who led when, in order of the beginnings."""
    found: list[Leadership] = []
    begun: dict[str, Record] = {}

    def end(node: str, t_us: int, stepped_down: bool = False) -> None:
        start = begun.pop(node, None)
        if start is not None:
            found.append(Leadership(node, start.data["term"], start.t_us, t_us, start, stepped_down))

    for record in history:
        if record.kind == "transition":
            if record.data["target"] == LEADER:
                end(record.node, record.t_us)
                begun[record.node] = record
            elif record.data["source"] == LEADER:
                end(record.node, record.t_us, stepped_down=True)
        elif record.kind == "crash":
            end(record.node, record.t_us)
    for node in list(begun):
        end(node, history.end_us)
    return sorted(found, key=lambda one: one.start_us)


def _begun(history: History) -> Iterator[tuple[Record, Fault]]:
    for record in history.of("fault", phase="begins"):
        yield record, next(iter(FaultPlan.parse(record.data["fault"])))


def _lost_disks(history: History) -> dict[str, int]:
    """Return for each member that has lost its disk when it did: from then on it counts for nothing."""
    lost: dict[str, int] = {}
    for record, fault in _begun(history):
        if isinstance(fault, CrashLosingDisk) and fault.node in members(history):
            lost.setdefault(fault.node, record.t_us)
    return lost


def _promises_kept(history: History) -> bool:
    """Whether no more than a minority lost its disk: more can lose anything, whatever the protocol."""
    return len(_lost_disks(history)) <= (len(members(history)) - 1) // 2


Spell = tuple[int, int]  # from, to, in microseconds


def _fault_spell(record: Record, fault: Fault) -> Spell:
    """Return how long a fault works: to its end, and until what it has held back has come."""
    late_s = getattr(fault, "by_s", 0.0) + (COPY_S if isinstance(fault, Duplication) else 0.0)
    return record.t_us, record.t_us + round((fault.ends_s - fault.begins_s + late_s) * 1e6)


def _away(history: History, node: str, *, pauses: bool = True) -> list[Spell]:
    """Return when a node is down or paused."""
    begins, ends = (("crash", "pause"), ("restart", "resume")) if pauses else (("crash",), ("restart",))
    found, since = [], None
    for record in history.of(*begins, *ends, node=node):
        if record.kind in begins and since is None:
            since = record.t_us
        elif record.kind == "restart" or (record.kind == "resume" and since is not None):
            if since is not None:
                found.append((since, record.t_us))
            since = None
    if since is not None:
        found.append((since, FOREVER_US))
    return found


def _slowed(history: History, node: str) -> list[Spell]:
    """Return when a node is down, paused or slow, or its disk is slow or fails."""
    faults = [
        _fault_spell(record, fault)
        for record, fault in _begun(history)
        if isinstance(fault, SlowNode | SlowDisk | FailingDisk) and fault.node == node
    ]
    return _away(history, node) + faults


def _links_troubled(history: History, group: tuple[str, ...]) -> list[Spell]:
    """Return when messages between the members of a group may be lost or late."""
    found = []
    for record, fault in _begun(history):
        touches = getattr(fault, "cuts", getattr(fault, "on", None))
        if touches is not None and any(touches(a, b) for a in group for b in group if a != b):
            found.append(_fault_spell(record, fault))
    return found


def _gaps(spells: list[Spell], end_us: int) -> Iterator[Spell]:
    """Yield the spells between `spells`, from 0 to `end_us`."""
    free_us = 0
    for start_us, stop_us in sorted(spells):
        if start_us > free_us:
            yield free_us, min(start_us, end_us)
        free_us = max(free_us, stop_us)
    if free_us < end_us:
        yield free_us, end_us


def healthy_majorities(history: History) -> list[tuple[tuple[str, ...], Spell]]:
    """Return each smallest majority with each spell in which its members work and can all talk to each other."""
    everybody, lost = members(history), _lost_disks(history)
    own = {
        name: _slowed(history, name) + ([(lost[name], FOREVER_US)] if name in lost else [])
        for name in everybody
    }
    return [
        (group, spell)
        for group in combinations(everybody, len(everybody) // 2 + 1)
        for spell in _gaps(
            [one for name in group for one in own[name]] + _links_troubled(history, group), history.end_us
        )
    ]


# ---- CLUSTER: one leader a term --------------------------------------------------------------------------


@rule("at most one leader a term")
def one_leader_a_term(history: History) -> Verdict:
    """No two members lead in one term. Where there are no terms, none leads while another does."""
    if not _promises_kept(history):
        return not_exercised("A majority of the members lost its promises with its disks.")
    seen: dict[int, Leadership] = {}
    for one in leaderships(history):
        other = seen.get(one.term)
        if other is not None and other.node != one.node and (one.term > 0 or one.start_us < other.end_us):
            when = (
                f"in term {one.term}" if one.term else f"from {seconds(one.start_us)} on: there are no terms"
            )
            return broken(f"{other.node} and {one.node} both lead {when}.", other.record, one.record)
        seen[one.term] = one
    if not seen:
        return not_exercised("Nobody was elected.")
    return holds(
        f"{len(seen)} leaders, each in a term of its own." if 0 not in seen else "One leader at a time."
    )


@rule("a leader that has been replaced is fenced off")
def fenced_off(history: History) -> Verdict:
    """Once the store has taken a write of a leader, it takes none of an earlier one: no lower token.

    A store that loses its disk loses the tokens with it, and begins anew.
    """
    leaders = leaderships(history)
    if any(one.term for one in leaders) and not _promises_kept(history):
        return not_exercised("A majority of the members lost its promises with its disks.")
    lost_us = [
        r.t_us for r, fault in _begun(history) if isinstance(fault, CrashLosingDisk) and fault.node == STORE
    ]
    highest: dict[str, tuple[int, Record]] = {}
    for record in history.of("stored"):
        while lost_us and record.t_us >= lost_us[0]:
            del lost_us[0]
            highest.clear()
        token = record.data["token"]
        if token is None:  # without tokens: the number of the leadership
            token = sum(one.start_us <= record.t_us for one in leaders[: _latest(leaders, record) + 1])
        before = highest.get(record.data["key"])
        if before is not None and token < before[0]:
            return broken(
                f"The store took {record.data['value']!r} of {record.data['by']}, which had been replaced: "
                f"{before[1].data['by']} had written {before[1].data['value']!r} as its successor.",
                before[1],
                record,
            )
        if before is None or token > before[0]:
            highest[record.data["key"]] = token, record
    refused = len(history.of("refused"))
    if not refused:
        return not_exercised("No leader that had been replaced wrote to the store.")
    return holds(f"{refused} {'write' if refused == 1 else 'writes'} of replaced leaders refused.")


def _latest(leaders: list[Leadership], record: Record) -> int:
    """Return the place of the leadership in which the writer of a stored record was, by its node and the time."""
    mine = [
        n for n, one in enumerate(leaders) if one.node == record.data["by"] and one.start_us <= record.t_us
    ]
    return mine[-1] if mine else -1


# ---- CLUSTER: what was acknowledged ----------------------------------------------------------------------


@rule("an acknowledged write survives the loss of any minority")
def writes_survive(history: History) -> Verdict:
    """Whoever comes to lead later has applied every write acknowledged before, once it does anything as the leader."""
    if not _promises_kept(history):
        return not_exercised("More than a minority of the members lost its disk.")
    everybody = members(history)
    acknowledged: list[Record] = []
    has: dict[str, set[Any]] = {name: set() for name in everybody}  # what each has applied since it started
    leads: dict[str, tuple[int, int]] = {}  # term, and how many writes had been acknowledged before
    tested = 0
    for record in history:
        if record.kind == "ok" and record.data["op"] == "write":
            acknowledged.append(record)
        elif record.kind == "crash" and record.node in has:
            has[record.node] = set()
            leads.pop(record.node, None)
        elif record.kind == "transition":
            if record.data["target"] == LEADER:
                leads[record.node] = record.data["term"], len(acknowledged)
            else:
                leads.pop(record.node, None)
        elif record.kind == "applied":
            if record.data["command"]["op"] == "write":
                has[record.node].add(record.data["command"]["value"])
            term, count = leads.get(record.node, (-1, 0))
            if term != record.data["term"]:
                continue
            leads[record.node] = term, 0
            tested += count
            for write in acknowledged[:count]:
                if write.data["value"] not in has[record.node]:
                    what = f"{write.data['key']} = {write.data['value']}"
                    return broken(
                        f"{write.node} acknowledged {what} at {seconds(write.t_us)}, and {record.node}, which led later, "
                        "does not have it.",
                        write,
                        record,
                    )
    if not tested:
        return not_exercised("No write was acknowledged before a change of leaders.")
    return holds(f"{len(acknowledged)} writes acknowledged; every later leader had all that came before it.")


@rule("all replicas apply the same prefix")
def same_prefix(history: History) -> Verdict:
    """Every member applies entries 1, 2, 3, ... and each entry is the same on all; a restart begins anew at 1."""
    if not _promises_kept(history):
        return not_exercised("More than a minority of the members lost its disk.")
    first: dict[int, Record] = {}
    last: dict[str, int] = {}
    compared = 0
    for record in history.of("applied", "crash"):
        if record.kind == "crash":
            last[record.node] = 0
            continue
        index = record.data["index"]
        if index != last.get(record.node, 0) + 1:
            return broken(
                f"{record.node} applied entry {index} after entry {last.get(record.node, 0)}.", record
            )
        last[record.node] = index
        other = first.setdefault(index, record)
        if other.node != record.node:
            compared += 1
        if (other.data["term"], other.data["command"]) != (record.data["term"], record.data["command"]):
            return broken(
                f"Entry {index} is {_command(other)} on {other.node} and {_command(record)} on {record.node}.",
                other,
                record,
            )
    if not compared:
        return not_exercised("No entry was applied by two members.")
    return holds(f"{len(first)} entries, the same on every member.")


def _command(record: Record) -> str:
    command = record.data["command"]
    if command["op"] == "write":
        return f"{command['key']} = {command['value']}"
    return f"{command['op']!r} of term {record.data['term']}"


@rule("a register is linearizable")
def linearizable(history: History) -> Verdict:
    """Reads and writes of each key look as if there were one copy. A write whose end is unknown may take place later."""
    if not _promises_kept(history):
        return not_exercised("More than a minority of the members lost its disk.")
    begun = {record.data["number"]: record for record in history.of("invoke") if "number" in record.data}
    ended = {record.data["number"]: record for record in history.of(*CALLS) if "number" in record.data}
    read = {record.data["number"]: record.data["value"] for record in history.of("read")}
    operations, reads = [], 0
    for number, start in begun.items():
        end = ended.get(number)
        if end is not None and end.kind == "failed" and end.get("type", "NotLeader") in SURELY_NOT_DONE:
            continue  # it was refused, or the node was down
        done = end is not None and end.kind == "ok"
        about = {"key": start.data["key"], "start_us": start.t_us, "by": start.data["client"]}
        if start.data["op"] == WRITE:
            operations.append(
                Operation(WRITE, start.data["value"], end_us=end.t_us if done and end else None, **about)
            )
        elif done and end is not None:
            reads += 1
            operations.append(Operation(READ, read[number], end_us=end.t_us, **about))
    if not reads:
        return not_exercised("Nothing was read.")
    violation = first_violation(operations)
    if violation is None:
        return holds(f"{len(operations)} operations, {reads} of them reads, as if on one copy.")
    proof = [
        record
        for one in violation.operations
        for record in history.of("invoke", client=one.by, key=one.key)
        if record.t_us == one.start_us
    ]
    return broken(violation.text, *proof, at_us=violation.at_us)


# ---- CLUSTER: who leads when -----------------------------------------------------------------------------


@rule("a majority that can talk has a leader again in time, and does writes", "liveness")
def leader_again(history: History) -> Verdict:
    """Wherever a majority works and can talk for long enough, somebody leads; a leader of its own does what it is asked.

    It is judged in each such spell, not only at the end: the plan's other faults may go on elsewhere. A leader that is
    not one of the majority may be slow without being silent, and Raft puts up with it: it may let its clients wait.
    """
    if not members(history):
        return not_exercised("There is no cluster.")
    bound_us = ELECTION_ROUNDS * _timeout_us(history) + ELECTION_SLACK_US
    leaders = leaderships(history)
    leads = [
        spell for one in leaders for spell in _without((one.start_us, one.end_us), _away(history, one.node))
    ]
    healthy = [(g, spell) for g, spell in healthy_majorities(history) if spell[1] - spell[0] > bound_us]
    longest_us = 0
    for group, (start_us, end_us) in healthy:
        for free_us, until_us in _gaps([(0, start_us), *leads], end_us):
            if until_us - free_us > bound_us:
                return broken(
                    f"{', '.join(group)} can talk to each other from {seconds(start_us)} on, and nobody leads from "
                    f"{seconds(free_us)} to {seconds(until_us)}.",
                    *history.of("transition").records[-1:],
                    at_us=free_us + bound_us,
                )
            longest_us = max(longest_us, until_us - free_us)
    invoked = {record.data["call"]: record for record in history.of("invoke", op="write")}
    for end in history.of("failed", "unknown", op="write"):
        begin = invoked[end.data["call"]]
        settled_us = begin.t_us - bound_us
        if any(
            one.node == end.node in group
            and one.start_us <= settled_us
            and one.end_us > end.t_us
            and start_us <= settled_us
            and end.t_us <= end_us
            for one in leaders
            for group, (start_us, end_us) in healthy
        ):
            return broken(
                f"{end.node} leads a majority that can talk, and did not do the write that it was asked for at "
                f"{seconds(begin.t_us)}: {end.data['error']}",
                begin,
                end,
            )
    if not healthy:
        return not_exercised(f"No majority could talk for {seconds(bound_us)}.")
    writes = len(history.of("ok", op="write"))
    return holds(f"Somebody always led again within {seconds(longest_us)}; {writes} writes acknowledged.")


def _without(spell: Spell, away: list[Spell]) -> list[Spell]:
    """Return what is left of a spell."""
    start_us, end_us = spell
    return [(max(a, start_us), b) for a, b in _gaps([(0, start_us), *away], end_us) if b > max(a, start_us)]


@rule("a leader that hears from no majority steps down in time, and refuses")
def steps_down(history: History) -> Verdict:
    """It leads no more a while after it last heard a majority, and whoever does not lead acknowledges nothing."""
    everybody = members(history)
    needed = len(everybody) // 2  # others that make a majority with the leader
    leaders = leaderships(history)
    invoked = {record.data["call"]: record for record in history.of("invoke")}
    for done in history.of("ok"):
        begin = invoked[done.data["call"]]
        if not any(
            own.node == done.node and own.start_us <= done.t_us and begin.t_us <= own.end_us
            for own in leaders
        ):
            return broken(f"{done.node} did a {done.data['op']} for a client and was no leader.", begin, done)
    bound_us = round(STEP_DOWN_ROUNDS * _timeout_us(history))
    delivered = history.of("delivered")
    if not delivered.records or not leaders:
        return not_exercised("No leader, or no messages on record.")
    stepped = 0
    for one in leaders:
        heard = {name: one.start_us for name in everybody if name != one.node}
        slowed = _slowed(history, one.node)
        arrivals = [r for r in delivered if r.node == one.node and r.data["source"] in heard]
        silent_us = one.start_us
        for record in [r for r in arrivals if one.start_us <= r.t_us <= one.end_us] + [None]:
            now_us = one.end_us if record is None else record.t_us
            silent_us = sorted(heard.values())[-needed]
            counts_from_us = max([silent_us, *(b for a, b in slowed if a < now_us and b > silent_us)])
            if now_us - counts_from_us > bound_us:
                return broken(
                    f"{one.node} still led at {seconds(counts_from_us + bound_us)}; it had heard from no majority since "
                    f"{seconds(silent_us)}.",
                    one.record,
                    at_us=counts_from_us + bound_us,
                )
            if record is not None:
                heard[record.data["source"]] = record.t_us
        stepped += one.stepped_down and one.end_us - silent_us >= _timeout_us(history) * 0.9
    if not stepped:
        return not_exercised("No leader was cut off from a majority.")
    return holds(f"{stepped} times a leader that heard from no majority stepped down.")


# ---- CLUSTER: work that moves ----------------------------------------------------------------------------


def _in_effect(history: History) -> list[Record]:
    """Return, in order, who was given which work: what was applied from the log, or, without one, what was decided."""
    decided: dict[int, Record] = {}
    for record in history.of("applied"):
        if record.data["command"]["op"] == "assign":
            decided.setdefault(record.data["index"], record._replace(data=record.data["command"]))
    return [decided[index] for index in sorted(decided)] or history.of("assignment").records


def fewest_moves(owners: Mapping[str, str | None], nodes: list[str]) -> int:
    """Return how many items must change their owner for an even assignment to `nodes`."""
    held = sorted((sum(owner == node for owner in owners.values()) for node in nodes), reverse=True)
    share, larger = divmod(len(owners), len(nodes))
    return len(owners) - sum(min(has, share + (place < larger)) for place, has in enumerate(held))


@rule("work is spread evenly, and no more of it moves than must")
def even_work(history: History) -> Verdict:
    """Of the nodes that are alive none has two items more than another, and as many items as can stay where they are."""
    if not _promises_kept(history):
        return not_exercised("More than a minority of the members lost its disk.")
    before: Record | None = None
    moves = 0
    assignments = _in_effect(history)
    for record in assignments:
        owners, nodes = record.data["owners"], record.data["nodes"]
        loads = {node: sum(owner == node for owner in owners.values()) for node in nodes}
        strange = sorted({owner for owner in owners.values() if owner not in loads})
        if strange:
            return broken(
                f"{record.node} gave work to {strange[0]}, which is not among {', '.join(nodes)}.", record
            )
        if owners and max(loads.values()) - min(loads.values()) > 1:
            shares = ", ".join(f"{node} {count}" for node, count in loads.items())
            return broken(f"{record.node} spread the work unevenly: {shares}.", record)
        if before is not None:
            was = before.data["owners"]
            moved = [item for item, owner in owners.items() if was.get(item) != owner]
            must = fewest_moves({item: was.get(item) for item in owners}, nodes)
            if len(moved) > must:
                return broken(
                    f"{record.node} moved {len(moved)} items where {must} were enough: {', '.join(moved)}.",
                    before,
                    record,
                )
            moves += len(moved)
        before = record
    if len(assignments) < 2 or not assignments[-1].data["owners"]:
        return not_exercised("No work was given to anyone else.")
    return holds(f"{len(assignments)} assignments, {moves} moves, all of them needed.")


@rule("no work stays on a dead node, and each item is done by one", "liveness")
def work_is_done(history: History) -> Verdict:
    """At the end, if a majority has been able to talk for long enough: each item has one owner, which is up."""
    if not _promises_kept(history):
        return not_exercised("More than a minority of the members lost its disk.")
    assignments = _in_effect(history)
    everybody = members(history)
    settled_us = _settled(history)
    if not assignments or not assignments[-1].data["owners"] or settled_us is None:
        return not_exercised("The cluster did not come to rest with work to do.")
    down = {name for name in everybody if any(end == FOREVER_US for _, end in _away(history, name))}
    disturbed = len(assignments) > 1 or down
    doing: dict[str, Record] = {}
    for record in history.of("doing"):
        doing[record.node] = record
    last = assignments[-1]
    for item, owner in last.data["owners"].items():
        if owner in down:
            return broken(f"{item} is still the work of {owner}, which is dead.", last, at_us=history.end_us)
        at_it = [
            name
            for name in everybody
            if name not in down and name in doing and item in doing[name].data["items"]
        ]
        if len(at_it) != 1:
            who = " and ".join(at_it) or "nobody"
            return broken(
                f"{item} is done by {who}; it is the work of {owner}.",
                *(doing[name] for name in at_it),
                at_us=history.end_us,
            )
    idle = [name for name in everybody if name not in down and name not in last.data["owners"].values()]
    if idle and len(last.data["owners"]) >= len(everybody):
        return broken(
            f"{idle[0]} is up and has no work, and the others have all of it.", last, at_us=history.end_us
        )
    if not disturbed:
        return not_exercised("No node left and none came back.")
    return holds(f"{len(last.data['owners'])} items, each done by one node that is up.")


def _settled(history: History) -> int | None:
    """Return since when nothing has disturbed any node that is up and any link; None when it is too short a time.

    Long enough for an election, for the detector, and for a job's round.
    """
    everybody = members(history)
    down = {name for name in everybody if any(end == FOREVER_US for _, end in _away(history, name))}
    lost = _lost_disks(history)
    voters = [name for name in everybody if name not in down and name not in lost]
    if len(voters) <= len(everybody) // 2:
        return None
    spells = [spell for name in everybody if name not in down for spell in _slowed(history, name)]
    spells += _links_troubled(history, tuple(everybody))
    spells += [(start, start) for name in down for start, end in _away(history, name) if end == FOREVER_US]
    since_us = max((end for _, end in spells), default=0)
    return since_us if history.end_us - since_us > WORK_ROUNDS * _timeout_us(history) else None


CLUSTER = (
    one_leader_a_term,
    fenced_off,
    writes_survive,
    same_prefix,
    linearizable,
    leader_again,
    steps_down,
    even_work,
    work_is_done,
)


# ---- Leases ----------------------------------------------------------------------------------------------
# The records: `lease terms` (once): `duration_s`, `renew_s`, `again_s`; on the lock service's lane `granted`: `lease` (a
# number that grows when somebody else is given the lease, or the same anew), `holder`, `token`, `renewed`; on a worker's
# lane `holds` when an answer made it believe that it holds the lease: `lease`, `until_us`, by its own reckoning; and
# `acts` when it begins a piece of work in this belief; on the store's lane `stored` and `refused`: `key`, `value`,
# `token`, `by`, `lease`.

LOCK, WORKERS, LEASED_STORE = "lock", ("worker-1", "worker-2"), "store"


@rule("two workers never both believe that they hold the lease")
def one_holder(history: History) -> Verdict:
    """By their own reckoning: from an answer on until the time that they then have in mind, or their crash."""
    until: dict[str, tuple[int, Record]] = {}
    leases: set[int] = set()
    for record in history.of("holds", "acts", "crash"):
        if record.kind == "crash":
            until.pop(record.node, None)
            continue
        for other, (end_us, belief) in until.items():
            if other != record.node and record.t_us < end_us:
                return broken(
                    f"{other} believed at {seconds(belief.t_us)} that the lease was its own until {seconds(end_us)}, and "
                    f"at {seconds(record.t_us)} {record.node} believed that of itself.",
                    belief,
                    record,
                )
        leases.add(record.data["lease"])
        # Work that is begun later than the reckoning said shows that the worker has changed its mind.
        last_us = record.data["until_us"] if record.kind == "holds" else record.t_us + 1
        until[record.node] = max(
            (last_us, record), until.get(record.node, (0, record)), key=lambda pair: pair[0]
        )
    if len(leases) < 2:
        return not_exercised("The lease never passed on.")
    return holds(f"{len(leases)} leases, one after another.")


@rule("what an earlier holder writes is refused once a later one has written")
def late_writes_fenced(history: History) -> Verdict:
    """At the store, whatever the network, pauses and clocks have done to the writer."""
    latest: dict[str, Record] = {}
    late = 0
    for record in history.of("stored", "refused", node=LEASED_STORE):
        key, lease = record.data["key"], record.data.get("lease")
        if lease is None:
            continue
        last = latest.get(key)
        if last is not None and lease < last.data["lease"]:
            late += 1
            if record.kind == "stored":
                return broken(
                    f"{record.data['by']} wrote {key!r} with lease {lease} at {seconds(record.t_us)}, over what "
                    f"{last.data['by']} had written with lease {last.data['lease']}.",
                    last,
                    record,
                )
        elif record.kind == "stored":
            latest[key] = record
    return holds(f"{late} late writes, all refused.") if late else not_exercised("No write came late.")


@rule("each lease has a higher token than all before it")
def tokens_grow(history: History) -> Verdict:
    """Also after the lock service has restarted: otherwise the store cannot tell them apart."""
    last: Record | None = None
    count = 0
    for record in history.of("granted", renewed=False):
        if last is not None:
            count += 1
            if record.data["token"] <= last.data["token"]:
                return broken(
                    f"{record.data['holder']} got the lease with token {record.data['token']}, and "
                    f"{last.data['holder']} had it before with {last.data['token']}.",
                    last,
                    record,
                )
        last = record
    return (
        holds(f"{count} times higher than before.") if count else not_exercised("The lease was granted once.")
    )


@rule("somebody holds the lease again within a bound after the trouble", "liveness")
def lease_moves_on(history: History) -> Verdict:
    """An old lease ends, or the lock service that starts anew waits for that, and a request gets through."""
    terms: dict[str, Any] | None = next((r.data for r in history.of("lease terms")), None)
    if terms is None:
        return not_exercised("There was no lease.")
    begun = FaultPlan.parse("; ".join(r.data["fault"] for r in history.of("fault", phase="begins")))
    # A message that was held back is under way for so much longer, and holds up those behind it.
    last_us = round(max((f.ends_s + getattr(f, "by_s", 0) for f in begun), default=0) * 1e6)
    due_us = last_us + round(terms["again_s"] * 1e6)
    down = _down_at_the_end(history)
    if LOCK in down or down.issuperset(WORKERS):
        return not_exercised("The lock service or both workers stayed down.")
    if history.end_us < due_us:
        return not_exercised(f"The run ended within {terms['again_s']:g} s after the trouble.")
    held = [r for r in history.of("holds") if last_us <= r.t_us <= due_us and r.node not in down]
    if not held:
        return broken(
            f"The trouble was over at {seconds(last_us)}, and {terms['again_s']:g} s later no worker had been given "
            "the lease.",
            at_us=due_us,
        )
    return holds(f"{held[0].node} had it {seconds(held[0].t_us - last_us)} after the trouble.")


def _down_at_the_end(history: History) -> set[str]:
    down: set[str] = set()
    for record in history.of("crash", "restart"):
        (down.add if record.kind == "crash" else down.discard)(record.node)
    return down


# ---- Heartbeats ------------------------------------------------------------------------------------------
# Of a run of HEARTBEATS. Its records:
# - `promise` (once): what the detector promises, `patience_s`, `detect_s`, `stretch`, `learns_s`; and `look_s`;
# - `watching` on the watcher's lane, when it starts: `nodes`;
# - `suspicion` there, when one begins or ends: `about`, `suspected`, `silence_s`; `level`: `about`, `phi`;
# - `delivered` there: the heartbeats; `tick` every second, so that the history says how long the run was.
#
# A detector can only judge what reaches it. So the rules count a node's silence from the last heartbeat that was
# *delivered*, and whoever caused the silence (a crash, a pause, a partition, a loss) makes no difference to them.
# They do not judge while the watcher is down, stands still, or is slowed: it cannot tell its own trouble from others'.

WATCHER = "watcher"
SLACK_US = 1_000
CALM_US = (
    1_000_000  # how long after the last fault on its way a node should be heard as if there had been none
)


@dataclass
class Silences:
    """One node, as the watcher could hear it.

    Attributes:
        heard: when the watcher could hear it last, in microseconds, in order; the start of watching is one of them.
        starts: those of `heard` that are a start of watching.
        states: when a suspicion began (the record) or ended (None), in order.
    """

    heard: list[int] = field(default_factory=list)
    starts: set[int] = field(default_factory=set)
    states: list[tuple[int, Record | None]] = field(default_factory=list)

    def suspicion(self, t_us: int) -> Record | None:
        """Return the suspicion that is in force at `t_us`."""
        before = [suspicion for at_us, suspicion in self.states if at_us <= t_us]
        return before[-1] if before else None

    def last_heard(self, t_us: int) -> int | None:
        """Return when it was heard last before `t_us`."""
        at = bisect_left(self.heard, t_us)
        return self.heard[at - 1] if at else None


class Watch:
    """What a watcher could know, read from a history."""

    def __init__(self, history: History) -> None:
        record = history.of("promise").first()
        self.promise: dict[str, Any] = {} if record is None else record.data
        self.usable = record is not None and bool(history.of("sent").records)
        self.end_us = history.end_us
        self.blind = _blind(history)
        self.faults = list(_faults(history))
        self.nodes: dict[str, Silences] = {}
        if self.usable:
            self._read(history)

    def _read(self, history: History) -> None:
        pauses = [(start, end) for start, end, kind in self.blind if kind == "pause"]
        for record in history.of("watching", "delivered", "suspicion", node=WATCHER):
            t_us = record.t_us
            if record.kind == "watching":
                for name in record.data["nodes"]:
                    node = self.nodes.setdefault(name, Silences())
                    node.heard.append(t_us)
                    node.starts.add(t_us)
                    node.states.append((t_us, None))
            elif record.kind == "delivered":
                for start, end in pauses:
                    if start <= t_us < end:
                        t_us = int(min(end, self.end_us))  # it lay unread until then
                if record.data["source"] in self.nodes:
                    self.nodes[record.data["source"]].heard.append(t_us)
            else:
                suspicion = record if record.data["suspected"] else None
                self.nodes[record.data["about"]].states.append((t_us, suspicion))

    def us(self, name: str) -> int:
        """Return a time of the promise in microseconds."""
        return round(self.promise[name] * 1e6)

    def sees(self, start_us: int, end_us: int) -> bool:
        """Whether the watcher was well from `start_us` to `end_us`."""
        settled = 3 * self.us("look_s")
        return all(end + settled <= start_us or end_us < start for start, end, _ in self.blind)

    def disturbed(self, name: str, t_us: int) -> bool:
        """Whether a fault hindered the heartbeats of `name`, at `t_us` or shortly before."""
        faults = [(start, end, fault) for start, end, fault in self.faults if _hinders(fault, name)]
        # What was sent during a delay, or lacks among what was, is noticed so much later; and the last slow step of a
        # slow node lasts beyond the fault.
        delays_s = sum(getattr(fault, "by_s", 0.0) for *_, fault in faults)
        calm_us = CALM_US + self.us("patience_s") + round(delays_s * 1e6)
        return any(start <= t_us <= end + calm_us for start, end, _ in faults)


def _faults(history: History) -> Iterator[tuple[int, float, Fault]]:
    """Yield (from, to, fault) for each that began, in microseconds."""
    for record in history.of("fault", phase="begins"):
        fault = next(iter(FaultPlan.parse(record.data["fault"])))
        lasts_us = round((fault.ends_s - fault.begins_s) * 1e6)
        forever = isinstance(fault, Crash) and fault.down_s is None
        yield record.t_us, inf if forever else record.t_us + lasts_us, fault


def _hinders(fault: Fault, name: str) -> bool:
    """Whether a fault can keep the heartbeats of `name` from coming in time. A wrong calendar, or a copy, cannot."""
    if isinstance(fault, ClockSkew | Duplication):
        return False
    if isinstance(fault, Partition | OneWayPartition):
        return fault.cuts(name, WATCHER)
    if isinstance(fault, _LinkFault):
        return fault.on(name, WATCHER)
    return getattr(fault, "node", None) == name


def _blind(history: History) -> list[tuple[int, float, str]]:
    """Return (from, to, why) for each spell in which the watcher could not do its work."""
    found: list[tuple[int, float, str]] = []
    for start, _, fault in _faults(history):
        if isinstance(fault, SlowNode) and fault.node == WATCHER:
            found.append((start, inf, "slow"))  # nobody knows when it has caught up
    for begins, ends in (("crash", "restart"), ("pause", "resume")):
        for record in history.of(begins, node=WATCHER):
            # A paused node may crash, and a crashed one restarts.
            over = [r.t_us for r in history.of(ends, "restart", node=WATCHER) if r.t_us >= record.t_us]
            found.append((record.t_us, over[0] if over else inf, begins))
    return found


_NO_MESSAGES = "No heartbeat was recorded: without messages nobody can say who was silent."


@rule("a silent node is suspected within the bound", kind="liveness")
def complete(history: History) -> Verdict:
    """Completeness. The bound is `detect_s` after the last heartbeat, and one look; for a detector that learns,
    `stretch` times the longest interval that it can have learnt, where that is more."""
    watch = Watch(history)
    if not watch.usable:
        return not_exercised(_NO_MESSAGES)
    judged, latest = 0, 0
    for name, node in watch.nodes.items():
        learnt_us = 0
        for start, end in zip(node.heard, [*node.heard[1:], watch.end_us], strict=True):
            allowed_us = max(watch.us("detect_s"), round(watch.promise["stretch"] * learnt_us))
            due = start + allowed_us + watch.us("look_s") + SLACK_US
            if end > due and watch.sees(start, due):
                judged += 1
                latest = max(latest, due - start)
                if node.suspicion(due) is None:
                    cause = _cause(history, name, start, due)
                    return broken(
                        f"{name} was heard last at {seconds(start)}, and at {seconds(due)} it is still not suspected.",
                        *cause,
                        at_us=due,
                    )
            if end - start <= watch.us("learns_s") and node.suspicion(end - 1) is None:
                learnt_us = max(learnt_us, end - start)
    if not judged:
        return not_exercised("No node was silent for longer than the bound.")
    return holds(f"{judged} long silences, each suspected within {seconds(latest)}.")


def _cause(history: History, name: str, start: int, end: int) -> list[Record]:
    """Return the crash or pause of `name` that a silence began with, to show."""
    return [r for r in history.of("crash", "pause", node=name) if start - CALM_US <= r.t_us <= end][:1]


@rule("a live, connected node is not suspected")
def accurate(history: History) -> Verdict:
    """Accuracy. A node that was heard within `patience_s` is not suspected; nor is one that no fault hindered."""
    watch = Watch(history)
    if not watch.usable:
        return not_exercised(_NO_MESSAGES)
    for name, node in watch.nodes.items():
        for t_us, record in node.states:
            heard = node.last_heard(t_us)
            if record is None or heard is None or not watch.sees(heard, t_us):
                continue
            silence = f"{name} is suspected after {seconds(t_us - heard)} of silence"
            if t_us - heard < watch.us("patience_s"):
                return broken(
                    f"{silence}; the detector promises to bear {watch.promise['patience_s']:.4g} s.", record
                )
            if not watch.disturbed(name, t_us):
                return broken(f"{silence}, and nothing hindered it or its heartbeats.", record)
    count = sum(len(node.heard) - len(node.starts) for node in watch.nodes.values())
    if not count:
        return not_exercised("No heartbeat arrived.")
    return holds(f"{count} heartbeats arrived, and nobody was suspected who had just been heard.")


@rule("a suspicion ends when the node is heard again", kind="liveness")
def withdrawn(history: History) -> Verdict:
    """A suspicion is withdrawn at the next look after a heartbeat, two more for good measure."""
    watch = Watch(history)
    if not watch.usable:
        return not_exercised(_NO_MESSAGES)
    judged = 0
    for name, node in watch.nodes.items():
        for number, (t_us, record) in enumerate(node.states):
            if record is None:
                continue
            heard = next((h for h in node.heard[bisect_left(node.heard, t_us) :] if h >= t_us), None)
            ended_us = next((at_us for at_us, state in node.states[number + 1 :] if state is None), inf)
            if heard is None:
                continue
            due = heard + 3 * watch.us("look_s") + SLACK_US
            if due > watch.end_us or not watch.sees(heard, due):
                continue
            judged += 1
            if ended_us > due:
                return broken(
                    f"{name}, suspected since {seconds(t_us)}, was heard at {seconds(heard)} and is suspected still.",
                    record,
                    at_us=due,
                )
    if not judged:
        return not_exercised("Nobody who was suspected was heard again.")
    return holds(f"{judged} suspicions, each withdrawn at once when the node was heard again.")
