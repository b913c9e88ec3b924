"""The ballot of the diagnose exercise. Something is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ColleaguesBallot:
    def __init__(self, members: Sequence[str], promise: Mapping[str, Any] | None = None) -> None:
        self.members = members
        self.term, self.voted_for = 0, None
        if promise is not None:
            self.term, self.voted_for = promise["term"], promise["voted_for"]

    @property
    def promise(self) -> dict[str, Any]:
        return {"term": self.term, "voted_for": self.voted_for}

    def stand(self, name: str) -> None:
        self.term += 1
        self.voted_for = name

    def learn(self, term: int) -> bool:
        if term < self.term:
            return False
        higher = term > self.term
        self.term, self.voted_for = term, None
        return higher

    def grant(self, candidate: str, term: int, *, its_log: Any, my_log: Any) -> bool:
        self.learn(term)
        if term < self.term or its_log < my_log:
            return False
        if self.voted_for not in (None, candidate):
            return False
        self.voted_for = candidate
        return True

    def count(self, votes: Mapping[str, bool]) -> str:
        granted = sum(votes.get(member) is True for member in self.members)
        refused = sum(votes.get(member) is False for member in self.members)
        if 2 * granted > len(self.members):
            return "won"
        return "lost" if 2 * refused >= len(self.members) else "pending"
