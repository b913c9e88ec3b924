"""Who does which work, when nodes come and go: evenly, and with as few moves as must be.

An item that moves costs something: its new owner must load its state, and what was under way is done again. So two
things are asked of an assignment, in this order:

1. It is even: no node has two items more than another.
2. Of all even assignments it is one with the fewest items that change their owner.

With n items on m nodes, n mod m nodes have one item more than the others. Each node keeps what it has, up to its
share; to have the most stay, the larger shares go to the nodes that have the most. What is left over, and what has no
owner that lives, fills up the nodes that have room.

It is a plain function of its arguments, so that every replica that applies the same log comes to the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lessonlib.errors import LessonError


def rebalance_work(owners: Mapping[str, str | None], nodes: Sequence[str]) -> dict[str, str]:
    """Return the node that shall own each item, in the order of the items' names.

    Args:
        owners: the present owner of each item; None, or a node that is not among `nodes`, when it has none that lives.
        nodes: the nodes that are alive. Their order does not matter, nor does that of `owners`.

    Raises LessonError when there is no node, and when a name is no str.
    """
    alive = _names("nodes", nodes)
    if not isinstance(owners, Mapping):
        raise LessonError(
            f"owners={owners!r:.60} is no dict; give the owner of each item, or None: {{'item': 'node-1'}}"
        )
    items = _names("owners", owners)
    if not alive:
        raise LessonError("nodes=[] leaves nobody to do the work; give at least one node that is alive")
    for item in items:
        if owners[item] is not None and not isinstance(owners[item], str):
            raise LessonError(
                f"owners[{item!r:.60}]={owners[item]!r:.60} is no node's name; give a str, or None for no owner"
            )
    return evenly({item: owners[item] for item in items}, alive)


def evenly(owners: Mapping[str, str | None], alive: Sequence[str]) -> dict[str, str]:
    """Deal out what has no owner that lives, and of the rest only what must move. Both arguments are in order."""
    held: dict[str, list[str]] = {node: [] for node in alive}
    homeless = []
    for item, owner in owners.items():
        held[owner].append(item) if owner in held else homeless.append(item)

    share, larger = divmod(len(owners), len(alive))
    by_load = sorted(alive, key=lambda node: -len(held[node]))  # stable: of equals, the first by name
    shares = {node: share + (place < larger) for place, node in enumerate(by_load)}
    for node in alive:
        homeless += held[node][shares[node] :]
        del held[node][shares[node] :]
    homeless.sort()
    # One item a node in turn: a run of items that belong together is spread, as the load of a dead node should be.
    while homeless:
        for node in alive:
            if homeless and len(held[node]) < shares[node]:
                held[node].append(homeless.pop(0))
    owner_of = {item: node for node in alive for item in held[node]}
    return {item: owner_of[item] for item in owners}


def _names(argument: str, names: object) -> list[str]:
    """Return names in order; refuse what is no collection of them, and a name twice."""
    if isinstance(names, str) or not isinstance(names, Mapping | Sequence | set | frozenset):
        raise LessonError(
            f"{argument}={names!r:.60} is no list of names; give for instance ['node-1', 'node-2']"
        )
    for name in names:
        if not isinstance(name, str) or not name:
            raise LessonError(
                f"{argument} holds {name!r:.60}, which is no name; write it as a str that is not empty"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise LessonError(f"{argument} names {twice!r:.60} twice; name each once")
    return sorted(names)
