"""Assignment: which member of a group reads which partitions. Each partition has exactly one reader.

Moving a partition is not free: its reader must finish, save where it stood, and the next one must load the state.
`range` computes every assignment afresh, so one member more moves nearly everything. `sticky` starts from what is
and moves only what it must.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole
from lessonlib.stream_processing.arguments import choice, names

STRATEGIES = ("range", "sticky")
Assignment = dict[str, tuple[int, ...]]


def assign_partitions(
    partition_count: int,
    members: Iterable[str],
    *,
    strategy: str = "range",
    previous: Mapping[str, Iterable[int]] | None = None,
) -> Assignment:
    """Return the partitions of each member. No two members differ by more than one partition.

    Args:
        partition_count: partitions are numbered from 0.
        members: their names; the order does not matter, so that all who compute it agree.
        strategy: "range" (contiguous, as Kafka's RangeAssignor for one topic) or "sticky" (as few moves as an even
            spread allows, as Kafka's StickyAssignor for one topic).
        previous: who has what now, for "sticky". Members that are gone and partitions that do not exist are ignored;
            of two members that claim one partition the first by name keeps it.

    Raises LessonError for a strategy that is not known, and for what is no list of members.
    """
    whole("partition_count", partition_count, least=1)
    choice("strategy", strategy, STRATEGIES)
    present = sorted(names("members", members, example="['worker-1', 'worker-2']"))
    if not present:
        return {}
    if previous is not None and not isinstance(previous, Mapping):
        raise LessonError(
            f"previous={previous!r:.60} should be a dict; give what assign_partitions returned before"
        )
    if strategy == "range":
        shares = _shares(partition_count, present)
        ends = [sum(shares[member] for member in present[: i + 1]) for i in range(len(present))]
        return {m: tuple(range(end - shares[m], end)) for m, end in zip(present, ends, strict=True)}
    held = _claims(partition_count, present, previous or {})
    # Whoever holds most gets the larger share, where the division leaves a remainder: each gives away less.
    shares = _shares(partition_count, sorted(present, key=lambda member: (-len(held[member]), member)))
    kept = {member: held[member][: shares[member]] for member in present}
    taken = {partition for partitions in kept.values() for partition in partitions}
    free = iter([partition for partition in range(partition_count) if partition not in taken])
    return {
        member: tuple(
            sorted([*kept[member], *(next(free) for _ in range(shares[member] - len(kept[member])))])
        )
        for member in present
    }


def moves(before: Mapping[str, Iterable[int]], after: Mapping[str, Iterable[int]]) -> tuple[int, ...]:
    """Return the partitions that had a reader before and have another one after, or none."""
    reader = {partition: member for member, partitions in after.items() for partition in partitions}
    return tuple(
        sorted(p for member, partitions in before.items() for p in partitions if reader.get(p) != member)
    )


def _shares(partition_count: int, members: list[str]) -> dict[str, int]:
    """Return how many each gets: an even share, and one more for the first of them while there is a remainder."""
    share, more = divmod(partition_count, len(members))
    return {member: share + (number < more) for number, member in enumerate(members)}


def _claims(
    partition_count: int, members: list[str], previous: Mapping[str, Iterable[int]]
) -> dict[str, list[int]]:
    taken: set[int] = set()
    held: dict[str, list[int]] = {}
    for member in members:
        mine = sorted(set(previous.get(member, ())))
        held[member] = [p for p in mine if 0 <= p < partition_count and p not in taken]
        taken.update(held[member])
    return held
