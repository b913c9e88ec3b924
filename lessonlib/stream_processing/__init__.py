"""Lesson 2: scalable stream processing. The public names of the pattern; each file holds one idea."""

from lessonlib.stream_processing.aggregation import LateEvent, Result, WindowedAggregation
from lessonlib.stream_processing.assignment import assign_partitions, moves
from lessonlib.stream_processing.buffer import Buffer, BufferFull, StreamClosed
from lessonlib.stream_processing.checkpoint import Checkpoint, Saved
from lessonlib.stream_processing.coordinator import GroupCoordinator
from lessonlib.stream_processing.group import ConsumerGroup
from lessonlib.stream_processing.murmur import murmur2
from lessonlib.stream_processing.partitioner import KeyPartitioner, entity_key
from lessonlib.stream_processing.processor import StreamProcessor
from lessonlib.stream_processing.ring import ConsistentHashRing, jump_hash
from lessonlib.stream_processing.topic import Topic
from lessonlib.stream_processing.watermark import Watermark
from lessonlib.stream_processing.windows import SessionWindows, SlidingWindows, TumblingWindows, Window

__all__ = [
    "Buffer",
    "BufferFull",
    "Checkpoint",
    "ConsistentHashRing",
    "ConsumerGroup",
    "GroupCoordinator",
    "KeyPartitioner",
    "LateEvent",
    "Result",
    "Saved",
    "SessionWindows",
    "SlidingWindows",
    "StreamClosed",
    "StreamProcessor",
    "Topic",
    "TumblingWindows",
    "Watermark",
    "Window",
    "WindowedAggregation",
    "assign_partitions",
    "entity_key",
    "jump_hash",
    "moves",
    "murmur2",
]
