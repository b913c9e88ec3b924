"""What makes no sense is refused with one sentence that names the argument, the value and the remedy."""

import asyncio
import inspect
import re
from datetime import timedelta

import pytest

from lessonlib.errors import LessonError
from lessonlib.event_driven import Event
from lessonlib.ports import local_ports
from lessonlib.stream_processing import (
    Buffer,
    Checkpoint,
    ConsistentHashRing,
    ConsumerGroup,
    GroupCoordinator,
    KeyPartitioner,
    SessionWindows,
    SlidingWindows,
    StreamClosed,
    StreamProcessor,
    Topic,
    TumblingWindows,
    Watermark,
    WindowedAggregation,
    assign_partitions,
    jump_hash,
    murmur2,
)
from lessonlib.stream_processing.departures import choices

COUNTS = [0, -1, None, "3", True, 1.5]
OFFSETS = [-1, None, "0", True, 1.5]
DURATIONS = [0, -1, None, "1", True, float("nan"), float("inf"), timedelta(0), timedelta(seconds=-1)]
NOT_NEGATIVE = [d for d in DURATIONS if d not in (0, timedelta(0))]
MOMENTS = [None, "1", True, float("nan"), float("inf")]
NAMES = [None, 7, "worker-1", [1], [""], ["a", "a"]]
NO_FUNCTIONS = [7, "f", {}]
EVENT = Event("created", "shop", {"n": 1}, subject="order-1")


def handler(*_):
    pass


def stream(**how):
    return StreamProcessor(2, **how)


def aggregation():
    return WindowedAggregation(TumblingWindows(60), Watermark(1))


def coordinator(**how):
    return GroupCoordinator(Topic(1), local_ports("b"), **how)


def group(**how):
    return ConsumerGroup(
        how.pop("address", "broker"), how.pop("handle", handler), ports=local_ports("w"), **how
    )


# What is called: the argument that is named, the call, the values that it refuses.
TABLE = [
    ("key", murmur2, [None, 7, ["a"]]),
    ("partition_count", KeyPartitioner, COUNTS),
    ("hash_function", lambda v: KeyPartitioner(3, hash_function=v), NO_FUNCTIONS),
    ("nodes", ConsistentHashRing, NAMES),
    ("virtual_nodes", lambda v: ConsistentHashRing(["a"], virtual_nodes=v), COUNTS),
    ("weights", lambda v: ConsistentHashRing(["a"], weights=v), [7, [1], {"b": 1}]),
    ("weight", lambda v: ConsistentHashRing(["a"], weights={"a": v}), [0, -1, "1", True, float("nan"), 1e-9]),
    ("node", lambda v: ConsistentHashRing(["a"]).add(v), [None, "", 7, "a"]),
    ("node", lambda v: ConsistentHashRing(["a"]).remove(v), ["b"]),
    ("key", lambda v: ConsistentHashRing().node(v), ["b"]),
    ("key", lambda v: jump_hash(v, 3), [None, 1.5, True, [1]]),
    ("buckets", lambda v: jump_hash(1, v), COUNTS),
    ("partition_count", lambda v: assign_partitions(v, ["a"]), COUNTS),
    ("members", lambda v: assign_partitions(3, v), NAMES),
    ("strategy", lambda v: assign_partitions(3, ["a"], strategy=v), [None, "", "stick", 7]),
    ("previous", lambda v: assign_partitions(3, ["a"], strategy="sticky", previous=v), [7, [1]]),
    ("size_s", TumblingWindows, DURATIONS),
    ("offset_s", lambda v: TumblingWindows(60, offset_s=v), MOMENTS),
    ("size_s", lambda v: SlidingWindows(v, 1), DURATIONS),
    ("slide_s", lambda v: SlidingWindows(60, v), [*DURATIONS, 61, 0.001]),
    ("earliest_s", lambda v: SlidingWindows(60, 10, earliest_s=v), MOMENTS[1:]),
    ("gap_s", SessionWindows, DURATIONS),
    ("merge_at_gap", lambda v: SessionWindows(5, merge_at_gap=v), [None, 1, "no"]),
    ("time_s", lambda v: TumblingWindows(60).assign(v), MOMENTS),
    ("time_s", lambda v: SlidingWindows(60, 30).assign(v), MOMENTS),
    ("time_s", lambda v: SessionWindows(60).assign(v), MOMENTS),
    ("delay_s", Watermark, NOT_NEGATIVE),
    ("sources", lambda v: Watermark(1, sources=v), NAMES),
    ("idle_after_s", lambda v: Watermark(1, idle_after_s=v), [d for d in DURATIONS if d is not None]),
    ("time_s", lambda v: Watermark(1).observe(v), MOMENTS),
    ("now_s", lambda v: Watermark(1).observe(1, now_s=v), MOMENTS[1:]),
    ("now_s", lambda v: Watermark(1).tick(v), MOMENTS),
    ("source", lambda v: Watermark(1).observe(1, source=v), [None, 7]),
    ("windows", lambda v: WindowedAggregation(v, Watermark(1)), [None, 60, TumblingWindows]),
    ("watermark", lambda v: WindowedAggregation(TumblingWindows(1), v), [None, 5, Watermark]),
    ("add", lambda v: WindowedAggregation(TumblingWindows(1), Watermark(1), add=v), NO_FUNCTIONS),
    ("merge", lambda v: WindowedAggregation(TumblingWindows(1), Watermark(1), merge=v), NO_FUNCTIONS),
    ("on_late", lambda v: WindowedAggregation(TumblingWindows(1), Watermark(1), on_late=v), NO_FUNCTIONS),
    (
        "allowed_lateness_s",
        lambda v: WindowedAggregation(TumblingWindows(1), Watermark(1), allowed_lateness_s=v),
        NOT_NEGATIVE,
    ),
    ("key", lambda v: aggregation().process(v, 1), [None, 7]),
    ("time_s", lambda v: aggregation().process("a", v), MOMENTS),
    ("partition_count", StreamProcessor, [*COUNTS, 10**9]),
    ("batch_size", lambda v: StreamProcessor(1, v), COUNTS),
    ("processing_window", lambda v: StreamProcessor(1, 1, v), DURATIONS),
    ("handlers", lambda v: stream(handlers=v), [7, ["f"]]),
    ("handler", lambda v: stream(handlers={"t": v}), NO_FUNCTIONS),
    ("event_type", lambda v: stream().subscribe(v, handler), [None, "", 7]),
    ("partitioner", lambda v: stream(partitioner=v), NO_FUNCTIONS),
    ("key", lambda v: stream(key=v), [None, *NO_FUNCTIONS]),
    ("buffer_max", lambda v: stream(batch_size=2, buffer_max=v), [1, *[c for c in COUNTS if c is not None]]),
    ("overflow", lambda v: stream(overflow=v), [None, "", "drop", 7]),
    ("on_drop", lambda v: stream(on_drop=v), NO_FUNCTIONS),
    ("make_buffer", lambda v: stream(make_buffer=v), NO_FUNCTIONS),
    ("attempts_max", lambda v: stream(attempts_max=v), COUNTS),
    ("retry_delay_s", lambda v: stream(retry_delay_s=v), [-1, None, "1", float("nan")]),
    ("dead_letters", lambda v: stream(dead_letters=v), [7, "letters"]),
    ("state", lambda v: stream(state=v), [7, {}]),
    ("checkpoint", lambda v: stream(checkpoint=v), [7, Checkpoint]),
    ("checkpoint", lambda v: stream(checkpoint=v).save(), [None]),
    ("checkpoint", lambda v: stream(checkpoint=v).restore(), [None]),
    ("name", lambda v: stream(name=v), [None, "", "a/b"]),
    ("ports", lambda v: stream(ports=v), [7, "ports"]),
    ("event", lambda v: stream().process_event(v), [None, 7, "created", {}, {"subject": "x"}]),
    ("event", lambda v: stream().process_event(v), [{"type": "t", "colour": 1}]),
    ("offset", lambda v: stream().process_event(EVENT, offset=v), [-1, "0", 1.5]),
    ("source", lambda v: stream().process_event(EVENT, source=v, offset=1), [7]),
    (
        "key 'order-1'",
        lambda v: stream(partitioner=lambda key: v).process_event(EVENT),
        [-1, 2, None, "0", True],
    ),
    ("size_max", Buffer, COUNTS),
    ("overflow", lambda v: Buffer(1, v), [None, "drop"]),
    ("disk", Checkpoint, [7, "disk"]),
    ("file", lambda v: Checkpoint(file=v), [None, "", "a/b"]),
    ("offsets", lambda v: Checkpoint().save(v, None), [None, [1], {"a": -1}, {"a": "0"}]),
    ("partition_count", Topic, COUNTS),
    ("disk", lambda v: Topic(1, v), [7]),
    ("partition", lambda v: Topic(2).append(v, EVENT), [*OFFSETS, 2]),
    ("event", lambda v: Topic(2).append(0, v), [None, {"type": "t"}]),
    ("offset", lambda v: Topic(2).read(0, v), OFFSETS),
    ("limit", lambda v: Topic(2).read(0, 0, limit=v), COUNTS),
    ("topic", lambda v: GroupCoordinator(v, local_ports()), [None, 7, Topic]),
    ("ports", lambda v: GroupCoordinator(Topic(1), v), [None, 7]),
    ("session_s", lambda v: coordinator(session_s=v), [0, -1, None, "1", True]),
    ("assign", lambda v: coordinator(assign=v), NO_FUNCTIONS),
    ("address", lambda v: group(address=v), [None, "", 7]),
    ("handle", lambda v: group(handle=v), [None, *NO_FUNCTIONS]),
    ("initial", lambda v: group(initial=v), [None, *NO_FUNCTIONS]),
    ("poll_wait_s", lambda v: group(poll_wait_s=v), [0, -1, None, "1"]),
    ("rows", lambda v: choices(v, [1]), [()]),
    ("delays_s", lambda v: choices([EVENT], [v]), NOT_NEGATIVE),
]


def cases():
    for name, call, values in TABLE:
        for value in values:
            yield pytest.param(name, call, value, id=f"{name} of {value!r:.30}")


@pytest.mark.parametrize(("name", "call", "value"), list(cases()))
def test_it_is_refused_in_one_sentence(name, call, value):
    async def trial():
        result = call(value)
        if inspect.isawaitable(result):
            await asyncio.wait_for(result, 5)

    with pytest.raises(LessonError) as refused:
        asyncio.run(trial())
    sentence = str(refused.value)
    assert re.search(rf"(^|\W){re.escape(name)}", sentence), sentence
    shown = value.__name__ if isinstance(value, type) else repr(value)[:20]
    inside = (
        list(value.values()) + list(value)
        if isinstance(value, dict)
        else value
        if isinstance(value, list)
        else []
    )
    assert shown in sentence or any(repr(part) in sentence for part in inside), sentence
    assert re.search(r"; (give|write|use|make|and|add|put|remove)|, so |is empty; ", sentence), (
        f"no remedy: {sentence}"
    )
    assert "\n" not in sentence and sentence.count(". ") == 0, sentence
    assert len(sentence) < 260, sentence


def test_a_closed_processor_and_a_type_with_two_handlers_are_refused():
    async def closed():
        one = stream()
        await one.close()
        await one.process_event(EVENT)

    with pytest.raises(StreamClosed, match="this StreamProcessor is closed; make a new one"):
        asyncio.run(closed())
    with pytest.raises(LessonError, match="event_type='t' has a handler already; give a type one handler"):
        one = stream(handlers={"t": handler})
        one.subscribe("t", handler)
