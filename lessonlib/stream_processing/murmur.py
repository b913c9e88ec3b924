"""murmur2: the hash by which Kafka's Java client spreads keys over partitions.

A hash for partitions must be the *same everywhere*: in every process, on every machine, in every language that
writes to the topic. Python's `hash()` of a str is not: it is salted anew in each process, as a defence against
attackers who choose keys. murmur2 is defined by its bytes.

Source: A. Appleby's MurmurHash2, 32 bits, with the seed of Apache Kafka (`Utils.murmur2`).
"""

from __future__ import annotations

from struct import unpack_from

from lessonlib.errors import LessonError

_SEED = 0x9747B28C
_M = 0x5BD1E995
_32_BITS = 0xFFFFFFFF


def murmur2(key: str | bytes) -> int:
    """Return the hash of `key` as Java has it: a *signed* number of 32 bits. A str counts as its UTF-8 bytes.

    Raises LessonError for a key that is neither str nor bytes.
    """
    if isinstance(key, str):
        data = key.encode()
    elif isinstance(key, bytes):
        data = key
    else:
        raise LessonError(f"key={key!r:.60} should be a str or bytes; write str(key)")
    length = len(data)
    words = length >> 2
    h = _SEED ^ length
    for k in unpack_from(f"<{words}I", data):
        k = k * _M & _32_BITS
        h = (h * _M ^ (k ^ k >> 24) * _M) & _32_BITS
    if length & 3:
        h = (h ^ int.from_bytes(data[words << 2 :], "little")) * _M & _32_BITS
    h ^= h >> 13
    h = h * _M & _32_BITS
    h ^= h >> 15
    return h - 0x100000000 if h & 0x80000000 else h
