"""The partitioner: which partition a key belongs to.

Order is kept within a partition and nowhere else. So everything about one *entity* (an order, an aircraft) must go
to one partition, today and tomorrow, from every producer: the key is the entity, not the event.
"""

from __future__ import annotations

from collections.abc import Callable

from lessonlib.event_driven.arguments import function, whole
from lessonlib.event_driven.event import Event
from lessonlib.stream_processing.murmur import murmur2

PARTITIONS_MAX = 100_000


def entity_key(event: Event) -> str:
    """Return what an event is about: its subject. One about nothing in particular may go anywhere: its id."""
    return event.subject or event.id


class KeyPartitioner:
    """Hash of the key, modulo the number of partitions, as Kafka's Java client does it by default.

    The sign is masked off: `(hash & 0x7fffffff) % n`. `abs(hash) % n` and the unsigned remainder are other
    partitions ("21" over 1000: 340, 308, 988). librdkafka's own default is CRC32; there set
    `partitioner=murmur2_random`, or two producers will send one key to two places.

    Args:
        partition_count: how many partitions there are. Another number sends most keys elsewhere.
        hash_function: from a key to a whole number, the same in every process.
    """

    def __init__(self, partition_count: int, *, hash_function: Callable[[str], int] = murmur2) -> None:
        whole("partition_count", partition_count, least=1)
        function("hash_function", hash_function, example="a function from a key to a whole number")
        self.partition_count = partition_count
        self._hash = hash_function

    def __call__(self, key: str) -> int:
        """Return the partition of `key`, from 0 to partition_count - 1. Raises what the hash function raises."""
        return (self._hash(key) & 0x7FFFFFFF) % self.partition_count
