"""Ways to spread keys over nodes that come and go: the consistent-hashing ring, and jump hash.

Modulo is fine while the number of nodes stays. From 10 to 11 nodes it moves 91 % of the keys; these two move
1/11, which is the least that leaves the load even.

- The **ring** puts each node at many points of a circle; a key belongs to the next point. Nodes have names, come
  and go one at a time, and may have weights. With K points for each of N nodes, loads spread by about
  sqrt((N - 1) / (N K + 1)) around their mean (relative standard deviation).
- **Jump hash** needs no memory at all and spreads evenly, but its nodes are numbers: only the last can go.

Sources: D. Karger et al., Consistent Hashing and Random Trees (1997); J. Lamping, E. Veach, A Fast, Minimal Memory,
Consistent Hash Algorithm (2014).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import function, text, whole
from lessonlib.stream_processing.arguments import names

POINTS_MAX = 1_000_000


def stable_hash(text: str) -> int:
    """Return 64 bits that depend on `text` alone, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class ConsistentHashRing:
    """Keys over named nodes; when a node comes or goes, only its own keys move.

    Args:
        nodes: the nodes' names.
        virtual_nodes: points of a node of weight 1. More spread the load more evenly and cost memory.
        weights: a node's share against that of the others, by name; 1 where nothing is said.
        hash_function: from a text to a whole number, for points and for keys.
    """

    def __init__(
        self,
        nodes: Iterable[str] = (),
        *,
        virtual_nodes: int = 100,
        weights: Mapping[str, float] | None = None,
        hash_function: Callable[[str], int] = stable_hash,
    ) -> None:
        whole("virtual_nodes", virtual_nodes, least=1)
        function("hash_function", hash_function, example="a function from a text to a whole number")
        self._virtual_nodes = virtual_nodes
        self._hash = hash_function
        self._points: list[int] = []
        self._owners: list[str] = []
        self._nodes: dict[str, int] = {}
        members = names("nodes", nodes, example="['node-1', 'node-2']")
        shares = {} if weights is None else weights
        if not isinstance(shares, Mapping):
            raise LessonError(f"weights={weights!r:.60} should be a dict; write for instance {{'node-1': 2}}")
        for name in shares:
            if name not in members:
                raise LessonError(
                    f"weights={weights!r:.60} names {name!r}, which is no node; give it in nodes too"
                )
        self._add({node: shares.get(node, 1) for node in members})

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes, in the order in which they came."""
        return tuple(self._nodes)

    def add(self, node: str, *, weight: float = 1) -> None:
        """Add a node; the keys of its points move to it, and no others move."""
        text("node", node, example="node-3")
        if node in self._nodes:
            raise LessonError(
                f"node={node!r} is on the ring already; remove it first to give it another weight"
            )
        self._add({node: weight})

    def remove(self, node: str) -> None:
        """Remove a node; its keys move to those that follow its points, and no others move."""
        if node not in self._nodes:
            raise LessonError(
                f"node={node!r:.60} is not on the ring; give one of {', '.join(self._nodes) or 'none'}"
            )
        del self._nodes[node]
        kept = [
            (point, owner) for point, owner in zip(self._points, self._owners, strict=True) if owner != node
        ]
        self._points = [point for point, _ in kept]
        self._owners = [owner for _, owner in kept]

    def node(self, key: str) -> str:
        """Return the node that `key` belongs to. Raises LessonError when the ring is empty."""
        owners = self._owners
        if not owners:
            raise LessonError(f"key={key!r:.60} has nowhere to go, the ring is empty; add(...) a node first")
        at = bisect_right(self._points, self._hash(key))
        return owners[at if at < len(owners) else 0]  # beyond the last point the circle begins again

    def _add(self, weights: Mapping[str, float]) -> None:
        added: list[tuple[int, str]] = []
        for node, weight in weights.items():
            number = not isinstance(weight, bool) and isinstance(weight, int | float)
            points = round(weight * self._virtual_nodes) if number and 0 < weight < POINTS_MAX else 0
            if not 1 <= points <= POINTS_MAX:
                raise LessonError(
                    f"weight={weight!r:.60} of {node!r} should be a share; give a number above 0, of at least one point"
                )
            self._nodes[node] = points
            added += [(self._hash(f"{node}#{number}"), node) for number in range(points)]
        # Where two points fall on one place, the name decides, not who came first.
        placed = sorted([*zip(self._points, self._owners, strict=True), *added])
        self._points = [point for point, _ in placed]
        self._owners = [owner for _, owner in placed]


def jump_hash(key: int | str, buckets: int) -> int:
    """Return the bucket, 0 to `buckets` - 1, of a key of 64 bits. From n to n + 1 buckets, 1/(n + 1) of the keys move,
    all of them to the new one.

    Args:
        key: a whole number, of which 64 bits count, or a str, which is hashed first.
        buckets: how many there are.

    Raises LessonError for a key that is neither, or no bucket at all. Source: Lamping and Veach, figure 1.
    """
    whole("buckets", buckets, least=1)
    if isinstance(key, str):
        key = stable_hash(key)
    if isinstance(key, bool) or not isinstance(key, int):
        raise LessonError(f"key={key!r:.60} should be a whole number or a str; write str(key)")
    state = key & 0xFFFFFFFFFFFFFFFF
    bucket, jump = 0, 0
    while jump < buckets:
        bucket = jump
        state = (state * 2862933555777941757 + 1) & 0xFFFFFFFFFFFFFFFF
        jump = int((bucket + 1) * (0x80000000 / ((state >> 33) + 1)))
    return bucket
