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
        number: the field of such a record that numbers the state, and what to call it; "" for none.
        members: the nodes that have a state; left out, those that changed it.
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
        name: [(0, bands.initial, None)] for name in bands.members
    }
    for record in history.of(bands.kind, "restart"):
        if record.kind == "restart":
            if record.node in steps:
                steps[record.node].append((record.t_us, bands.initial, None))
        elif "target" in record.data:
            number = record.get(bands.number) if bands.number else None
            number = number if isinstance(number, int) else None
            mine = steps.setdefault(record.node, [(0, bands.initial, None)])
            mine.append((record.t_us, str(record.data["target"]), number))
    found: dict[str, list[Role]] = {}
    for node, mine in steps.items():
        down = [s.start_us for s in out if s.node == node and s.what == "down"]
        found[node] = []
        for i, (start_us, state, number) in enumerate(mine):
            until_us = mine[i + 1][0] if i + 1 < len(mine) else end_us
            until_us = min([t for t in down if start_us <= t < until_us], default=until_us)
            if until_us > start_us:
                found[node].append(Role(node, state, number, start_us, until_us))
    return found


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
            return f"{many}: {listing((r.node for r in self.roles), between=' and ')}", many
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
