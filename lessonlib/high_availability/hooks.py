"""What may be watched from outside: hooks that a caller supplies. They must return soon and not raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class OnTransition(Protocol):
    """A hook that sees each change of a member's role, after it."""

    def __call__(self, node: str, source: str, target: str, term: int) -> object: ...


class OnApplied(Protocol):
    """A hook that sees each command that a member applies. After a restart a member applies its log again."""

    def __call__(self, node: str, index: int, term: int, command: Any) -> object: ...


class OnAssignment(Protocol):
    """A hook that sees work move, on the leader that commits it.

    `number` is the place in the log, `owners` the whole table, `nodes` who was taken for alive, `moved` the items
    whose owner has changed. A later leader that cannot know what was committed before it tells of it again, with the
    same number: pass over a number that is not higher than the last.
    """

    def __call__(
        self,
        node: str,
        number: int,
        owners: Mapping[str, str | None],
        nodes: list[str],
        moved: list[str],
        reason: str,
    ) -> object: ...
