"""What the replicated log is for: the state that every member builds by applying the same commands in order.

A *state machine* that depends on nothing but its commands: no clock, no chance. Then equal logs make equal states, on
every member and after every restart (Raft §2). Here it is a register for each key, and a table of who does which work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NOOP = {"op": "noop"}


def write_command(key: str, value: Any) -> dict[str, Any]:
    """Return the command that puts `value` into the register `key`."""
    return {"op": "write", "key": key, "value": value}


def assign_command(owners: Mapping[str, str], nodes: Iterable[str], reason: str) -> dict[str, Any]:
    """Return the command that gives each item of work its owner, chosen among the `nodes` that are alive."""
    return {"op": "assign", "owners": dict(owners), "nodes": list(nodes), "reason": reason}


class StateMachine:
    """Registers and the work table.

    Args:
        work: the items of work; nobody owns them yet.

    Attributes:
        values: the registers by key.
        owners: item of work -> node, or None while nobody has it.
        nodes: the nodes that were alive when the work was last assigned.
    """

    def __init__(self, work: Iterable[str] = ()) -> None:
        self.values: dict[str, Any] = {}
        self.owners: dict[str, str | None] = dict.fromkeys(work)
        self.nodes: list[str] = []

    def apply(self, command: Mapping[str, Any]) -> None:
        """Apply one committed command; one that is unknown changes nothing, on any member."""
        if command["op"] == "write":
            self.values[command["key"]] = command["value"]
        elif command["op"] == "assign":
            self.owners.update(command["owners"])
            self.nodes = list(command["nodes"])

    def moved(self, owners: Mapping[str, str]) -> list[str]:
        """Return the items that would change from one owner to another, sorted."""
        return sorted(item for item, owner in owners.items() if self.owners.get(item) != owner)
