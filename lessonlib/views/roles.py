"""Who played which role when, read from records of transitions: what bands in lanes and the leader timeline show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lessonlib.lab.history import History
from lessonlib.views.picture import ViewError, listing
from lessonlib.views.reading import Span


@dataclass(frozen=True, slots=True)
class Bands:
    """Which records tell in what state a node is, and how its lane shows that.

    Attributes:
        kind: the kind of record that says that a node changed: with `source` and `target`.
        initial: the state in which a node is when it starts, and starts again.
        strong: the states of which two nodes at a time are pointed out.
        number: the field of such a record that numbers the state, and what to call it; "" for none. As terms do,
            numbers begin at 1: 0 says that there is none yet, or never.
        members: the nodes that have a state; left out, those that a record's field `members` names, and those that
            changed it.
    """

    kind: str = "transition"
    initial: str = "follower"
    strong: tuple[str, ...] = ("leader",)
    number: str = "term"
    members: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("strong", "members"):
            if isinstance(getattr(self, name), str):
                raise ViewError(
                    f"{name}={getattr(self, name)!r} is one word; give a tuple such as ('leader',)"
                )


ROLES = Bands()  # of elections


@dataclass(frozen=True, slots=True)
class Role:
    """A time in which a node was in one state.

    Attributes:
        node: whose role.
        state: as the record names it.
        number: the term; None where no record says it.
        start_us, end_us: from when to when. A crash ends it, a pause does not: who sleeps still believes.
    """

    node: str
    state: str
    number: int | None
    start_us: int
    end_us: int

    def told(self, word: str) -> str:
        """Whose role it was, with its number."""
        return self.node if self.number is None else f"{self.node} ({word} {self.number})"


def roles_of(history: History, bands: Bands, *, out: Sequence[Span], end_us: int) -> dict[str, list[Role]]:
    """Return the roles of each node in order; none while it was down.

    Args:
        out: when nodes were down, as `outages` found it.
        end_us: when the run ended.
    """
    steps: dict[str, list[tuple[int, str, int | None]]] = {
        name: [(0, bands.initial, None)] for name in bands.members or _members(history, bands)
    }
    for record in history.of(bands.kind, "restart"):
        if record.kind == "restart":
            if record.node in steps:
                steps[record.node].append((record.t_us, bands.initial, None))
        elif "target" in record.data:
            number = record.get(bands.number) if bands.number else None
            number = number if isinstance(number, int) and number > 0 else None
            mine = steps.setdefault(record.node, [(0, bands.initial, None)])
            mine.append((record.t_us, str(record.data["target"]), number))
    heard = _numbers(history, bands)
    found: dict[str, list[Role]] = {}
    for node, mine in steps.items():
        down = [s.start_us for s in out if s.node == node and s.what == "down"]
        found[node] = []
        for i, (start_us, state, number) in enumerate(mine):
            until_us = mine[i + 1][0] if i + 1 < len(mine) else end_us
            until_us = min([t for t in down if start_us <= t < until_us], default=until_us)
            if until_us <= start_us:
                continue
            if state == bands.initial:
                for t_us, higher in heard.get(node, []):
                    if start_us <= t_us < until_us and higher > (number or 0):
                        _add(found[node], Role(node, state, number, start_us, t_us))
                        start_us, number = t_us, higher
            _add(found[node], Role(node, state, number, start_us, until_us))
    return found


def _add(roles: list[Role], role: Role) -> None:
    """Append a role; one that goes on with the last is one with it."""
    if roles and (roles[-1].state, roles[-1].number, roles[-1].end_us) == (
        role.state,
        role.number,
        role.start_us,
    ):
        role = Role(role.node, role.state, role.number, roles.pop().start_us, role.end_us)
    if role.end_us > role.start_us:
        roles.append(role)


def _numbers(history: History, bands: Bands) -> dict[str, list[tuple[int, int]]]:
    """Return when each node sent its first message with another number than before.

    A follower that learns a term does not change its role, so no transition tells; its answers do.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for record in history.of("sent") if bands.number else ():
        body = record.get("body")
        number = body.get(bands.number) if isinstance(body, dict) else None
        if isinstance(number, int) and number > 0:
            mine = found.setdefault(record.node, [])
            if not mine or number != mine[-1][1]:  # also a lower one: who stands asks with the next term
                mine.append((record.t_us, number))
    return found


def _members(history: History, bands: Bands) -> tuple[str, ...]:
    if not history.of(bands.kind):
        return ()
    return next((tuple(r.data["members"]) for r in history if isinstance(r.get("members"), list | tuple)), ())


@dataclass(frozen=True, slots=True)
class Together:
    """A time in which two nodes or more were in a strong state.

    Attributes:
        start_us, end_us: from when to when.
        roles: theirs, the lowest term first.
    """

    start_us: int
    end_us: int
    roles: tuple[Role, ...]

    @property
    def same(self) -> bool:
        """Whether two of them have the same term, or none tells its term: then nothing tells who is right."""
        numbers = [role.number for role in self.roles]
        return len(set(numbers)) < len(numbers)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is wrong, in a line; the longest first."""
        many = f"{len(self.roles)} {self.roles[0].state}s"
        if all(role.number is None for role in self.roles):
            named = [role.node for role in self.roles]
            return f"{many}, and no terms: {listing(named, between=' and ')}", f"{many}, no terms", many
        named = [f"{role.node} (term {role.number})" for role in self.roles]
        terms = " and ".join(dict.fromkeys(str(role.number) for role in self.roles))
        if self.same:
            return f"{many} OF ONE TERM: {listing(named, between=' and ')}", f"{many}, term {terms}", many
        *old, new = named
        late = f"{listing(old, between=' and ')} {'does' if len(old) == 1 else 'do'} not know yet of {new}"
        return f"{many}: {late}", f"{many}, terms {terms}", many


def together(roles: dict[str, list[Role]], strong: Sequence[str]) -> list[Together]:
    """Return when two nodes or more were in a strong state, in order."""
    strongest = [role for mine in roles.values() for role in mine if role.state in strong]
    edges = sorted({t for role in strongest for t in (role.start_us, role.end_us)})
    found: list[Together] = []
    for start_us, end_us in pairwise(edges):
        here = [r for r in strongest if r.start_us <= start_us and r.end_us >= end_us]
        if len({r.node for r in here}) > 1:
            here.sort(key=lambda r: (-1 if r.number is None else r.number, r.start_us, r.node))
            found.append(Together(start_us, end_us, tuple(here)))
    return found


def without(
    roles: dict[str, list[Role]], strong: Sequence[str], start_us: int, end_us: int
) -> list[tuple[int, int]]:
    """Return the times between `start_us` and `end_us` in which no node was in a strong state."""
    gaps: list[tuple[int, int]] = []
    reached = start_us
    for role in sorted(
        (r for mine in roles.values() for r in mine if r.state in strong), key=lambda r: r.start_us
    ):
        if role.start_us > reached:
            gaps.append((reached, min(role.start_us, end_us)))
        reached = max(reached, role.end_us)
        if reached >= end_us:
            break
    if reached < end_us:
        gaps.append((reached, end_us))
    return [(a, b) for a, b in gaps if b > a]
