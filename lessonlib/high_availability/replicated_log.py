"""A log that all members agree on: the leader's entries, on a majority of disks before they count.

How to think about it. Each entry has an *index* (its place, from 1), the *term* of the leader that made it, and a
command. Two logs that have an entry of the same index and term are alike up to there: the leader names the entry
before the new ones (`prev`), and a follower that does not have it refuses (§5.3, the *consistency check*). So the
leader finds, from the end backwards, where the two agree, and overwrites what follows there.

An entry is *committed* once a majority has it on disk: then it is in the log of every later leader, and it may be
applied. That is true of entries of the leader's *own* term only. An older entry can be on a majority and still be
overwritten (figure 8 of the paper), so it is never committed by counting, but together with a later one (§5.4.2).

Source: Raft (extended version) §5.3, §5.4.2. Without snapshots the log only grows, so it has a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole
from lessonlib.high_availability.arguments import matches
from lessonlib.high_availability.ballot import LogPosition
from lessonlib.high_availability.errors import LogConflict, LogFull

MAX_ENTRIES = 100_000
RESERVE = 1_000  # places beyond the bound for the cluster's own entries: an election needs one
BATCH = 100  # entries in one message at most


def commit_index(
    matched: Mapping[str, int],
    members: Sequence[str],
    term_of: Callable[[int], int],
    *,
    term: int,
    committed: int,
) -> int:
    """Return up to which index the log is committed, as its leader may conclude (§5.3, §5.4.2).

    Args:
        matched: for each member the last index that is known to be on its disk, the leader's own included. One that
            is missing has none. Who only listens (a learner) is not in it.
        members: the full membership, dead members included.
        term_of: the term of the leader's entry of an index.
        term: the leader's own term.
        committed: up to where the log is known to be committed already.
    """
    matches(matched, members)
    whole("term", term, least=0)
    whole("committed", committed, least=0)
    on_disk = sorted((matched.get(member, 0) for member in members), reverse=True)
    on_majority = on_disk[len(members) // 2]
    if on_majority > committed and term_of(on_majority) == term:
        return on_majority
    return committed


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of the log.

    Attributes:
        term: of the leader that made it.
        command: plain data for the state machine.
    """

    term: int
    command: Any


class ReplicatedLog:
    """One member's copy. It knows no disk: `news` says what must be written before `take` changes the copy.

    Args:
        max_entries: writes are refused from there on (LogFull); the cluster's own entries have a small reserve.
    """

    def __init__(self, *, max_entries: int = MAX_ENTRIES) -> None:
        whole("max_entries", max_entries, least=1)
        self._max_entries = max_entries
        self._entries: list[Entry] = []
        self.committed = 0

    @property
    def last_index(self) -> int:
        """The index of the last entry; 0 when there is none."""
        return len(self._entries)

    @property
    def position(self) -> LogPosition:
        """Term and index of the last entry, by which voters compare logs."""
        return (self._entries[-1].term, len(self._entries)) if self._entries else (0, 0)

    def entry(self, index: int) -> Entry:
        """Return the entry of an index from 1 to `last_index`."""
        if not 1 <= index <= len(self._entries):
            raise LessonError(f"index={index!r} is not in the log; give 1 to {len(self._entries)}")
        return self._entries[index - 1]

    def term_of(self, index: int) -> int:
        """Return the term of the entry of an index; 0 for index 0, which is before the first."""
        return self.entry(index).term if index else 0

    def batch(self, first: int) -> list[Entry]:
        """Return the entries from index `first` on, at most BATCH."""
        return self._entries[first - 1 : first - 1 + BATCH]

    def check_room(self, *, own: bool = False) -> None:
        """Raise LogFull when there is no place for one more; `own` for an entry of the cluster itself."""
        if len(self._entries) >= self._max_entries + (RESERVE if own else 0):
            raise LogFull(
                f"the log has its {self._max_entries} entries; start a new cluster from a snapshot, "
                "or give a larger max_entries"
            )

    # ---- The follower's side: the consistency check -------------------------------------------------------

    def agrees(self, index: int, term: int) -> bool:
        """Whether this log has the entry before the new ones (§5.3)."""
        return index <= len(self._entries) and self.term_of(index) == term

    def common_at_most(self, index: int) -> int:
        """Return up to where this log can agree with one that it does not agree with at `index`.

        Either it is too short, or it has another term there: then the whole of that term is passed over in one
        step (§5.3, end). What is committed is common in any case.
        """
        if index > len(self._entries):
            return len(self._entries)
        term = self.term_of(index)
        while index > self.committed and self.term_of(index) == term:
            index -= 1
        return index

    def news(self, prev: int, entries: Sequence[Entry]) -> tuple[int, Sequence[Entry]]:
        """Return what of `entries`, which follow index `prev`, is not here yet: (index of the first, the rest).

        Entries that are here already are passed over, and what follows them stays: a late or repeated message is
        no reason to cut. Only where the terms differ the two logs really conflict (§5.3).
        """
        for offset, entry in enumerate(entries):
            index = prev + 1 + offset
            if index > len(self._entries) or self._entries[index - 1].term != entry.term:
                if index <= self.committed:
                    raise LogConflict(
                        f"entry {index} of term {self.term_of(index)} is committed, and a leader wants to overwrite it "
                        f"with one of term {entry.term}: look for a vote given twice, or a commit without a majority"
                    )
                return index, entries[offset:]
        return prev + 1 + len(entries), ()

    def take(self, first: int, entries: Iterable[Entry]) -> None:
        """Put `entries` at index `first` and after it, in place of what was there. They must be on the disk."""
        if not self.committed < first <= len(self._entries) + 1:
            raise LessonError(
                f"first={first!r} would leave a gap or cut off what is committed; give "
                f"{self.committed + 1} to {len(self._entries) + 1}"
            )
        del self._entries[first - 1 :]
        self._entries.extend(entries)

    # ---- Both sides ---------------------------------------------------------------------------------------

    def commit(self, index: int) -> list[tuple[int, Entry]]:
        """Take note that the log is committed up to `index`; return what may be applied now, in order."""
        if not isinstance(index, int) or index > len(self._entries):
            raise LessonError(
                f"index={index!r:.60} cannot be committed; give at most {len(self._entries)}, the last entry's"
            )
        first, self.committed = self.committed + 1, max(self.committed, index)
        return [(i, self._entries[i - 1]) for i in range(first, self.committed + 1)]
