"""What each exercise of lesson 2 must satisfy, and which misconception deserves which hint."""

from __future__ import annotations

import asyncio
import builtins
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.event import Event
from lessonlib.lab.loop import simulate
from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import Parts, Run
from lessonlib.learning.exercises import LOOK, PSEUDOCODE, Case, Exercise, Finding, Hint
from lessonlib.ports import MemoryDisk
from lessonlib.stream_processing import rules
from lessonlib.stream_processing.aggregation import LateEvent
from lessonlib.stream_processing.assembled import AssembledProcessor
from lessonlib.stream_processing.departures import AIRPORTS
from lessonlib.stream_processing.murmur import murmur2
from lessonlib.stream_processing.mystery import SharedWatermark
from lessonlib.stream_processing.scenario import BATCHES, GROUP, RESTORE, WINDOWS, mystery
from lessonlib.stream_processing.windows import Window

TAKEN, KEY_ORDER, BOUNDED = rules.handled_or_aside.name, rules.key_order.name, rules.bounded.name
KEEPS, PROMPT = rules.keeps_partition.name, rules.prompt.name
BY_EVENT_TIME, LATE, PROMISE = rules.by_event_time.name, rules.late_is_routed.name, rules.promise_is_kept.name
IN_TIME = rules.reports_in_time.name
ONCE, TOGETHER, TO_THE_END = rules.counted_once.name, rules.belong_together.name, rules.reads_to_the_end.name
GROUP_ONCE, FEW, GROUP_END = (
    rules.group_counts_once.name,
    rules.moves_few.name,
    rules.group_reads_to_the_end.name,
)
MAX_STEPS = 300_000  # of a probe: a loop that never waits takes more


def _any(run: Run, verdict: Verdict) -> bool:
    return True


# ---- 2.1 A partitioner -----------------------------------------------------------------------------------

# Kafka's own, from UtilsTest.testMurmur2: the hash, and (hash & 0x7fffffff) % 1000.
KAFKA = {"21": 340, "foobar": 166, "a-little-bit-long-string": 112, "abc": 107}


def _about(subject: str, *, id_: str = "announcement-1", kind: str = "departed") -> Event:
    return Event(kind, "JFK", {"flight": "UA1545"}, id=id_, subject=subject)


def _is_a_partition(partition_of: Any) -> Finding | None:
    for subject in ("N14228", "21", "é-7"):
        got = partition_of(_about(subject), 8)
        if not isinstance(got, int) or isinstance(got, bool) or not 0 <= got < 8:
            return Finding(
                "The partition is a whole number from 0 to partition_count - 1.",
                f"For subject {subject!r} and 8 partitions, partition_of returned {got!r:.60}.",
                hint="murmur2 is a signed number; take it modulo partition_count, once the sign is gone."
                if isinstance(got, int)
                else "",
            )
    return None


def _same_everywhere(partition_of: Any) -> Finding | None:
    required = "A key has the same partition in every process."
    real = builtins.hash
    found = []
    for salt in (1, 2, 3):
        builtins.hash = partial(_salted, real, salt)
        try:
            found.append([partition_of(_about(f"N{n}"), 1000) for n in range(20)])
        finally:
            builtins.hash = real
    if found[0] == found[1] == found[2]:
        return None
    return Finding(
        required,
        "In a second process, whose hash() has another salt, keys went to other partitions.",
        hint="Python salts hash() of a str anew in each process. Use murmur2, which is the same everywhere.",
        rung=LOOK,
    )


def _salted(real: Callable[[Any], int], salt: int, value: Any) -> int:
    return real((salt, value if isinstance(value, str | int) else repr(value)))


def _by_entity(partition_of: Any) -> Finding | None:
    required = "All events about one aircraft go to one partition."
    first = partition_of(_about("N14228"), 1000)
    if partition_of(_about("N14228", id_="announcement-2"), 1000) != first:
        return Finding(
            required,
            "Two events about N14228 with different ids went to different partitions.",
            hint="The event's id is another one each time. The key is what the event is *about*: its subject.",
        )
    if partition_of(_about("N14228", kind="delayed"), 1000) != first:
        return Finding(
            required,
            "'delayed' and 'departed' of N14228 went to different partitions.",
            hint="With the type in the key, the events of one aircraft are spread over partitions and lose their order.",
        )
    return None


def _as_kafka(partition_of: Any) -> Finding | None:
    wrong = {key: got for key in KAFKA if (got := partition_of(_about(key), 1000)) != KAFKA[key]}
    if not wrong:
        return None
    key, got = next(iter(wrong.items()))
    hint = ""
    if wrong.get("21") == 308:
        hint = "abs() is not how Kafka drops the sign. Clear the top bit: & 0x7fffffff."
    elif wrong.get("21") in (988, 692):
        hint = "That is the signed or unsigned remainder. Kafka clears the top bit first: & 0x7fffffff."
    return Finding(
        "The partition is the one that Kafka's Java client would choose.",
        f"Of 1000 partitions, key {key!r} belongs to {KAFKA[key]}; partition_of said {got}.",
        hint=hint,
        rung=PSEUDOCODE,
    )


def _in_utf8(partition_of: Any) -> Finding | None:
    for key in ("Zürich", "東京-7"):
        right = (murmur2(key.encode()) & 0x7FFFFFFF) % 1000
        try:
            got = partition_of(_about(key), 1000)
        except UnicodeError as error:
            got = type(error).__name__
        if got != right:
            return Finding(
                "The partition is the one that Kafka's Java client would choose.",
                f"Of 1000 partitions, key {key!r} belongs to {right}; partition_of said {got}.",
                hint="Kafka hashes the UTF-8 bytes of a key, and 'ü' has two of them. `key.encode()` gives UTF-8.",
                rung=PSEUDOCODE,
            )
    return None


def _without_subject(partition_of: Any) -> Finding | None:
    again = [partition_of(_about("", id_="announcement-1"), 1000) for _ in range(20)]
    if len(set(again)) > 1:
        return Finding(
            "An event that is about nothing in particular goes where its id decides.",
            f"The same event came twenty times, and went to {len(set(again))} partitions.",
            hint="Chance (or a counter) sends a repeat of the event elsewhere, where nobody knows it. Fall back to event['id'] "
            "as the key.",
            rung=PSEUDOCODE,
        )
    spread = {partition_of(_about("", id_=f"announcement-{n}"), 1000) for n in range(50)}
    if len(spread) > 25:
        return None
    return Finding(
        "An event that is about nothing in particular may go anywhere: its id decides.",
        f"Fifty events without a subject went to {len(spread)} of 1000 partitions.",
        hint="All of them have the same empty subject, so all fill one partition. Fall back to event['id'].",
        rung=PSEUDOCODE,
    )


def _partitioning(answer: Any) -> Callable[..., dict[str, Any]]:
    def settings(node: Any, parts: Parts, params: Mapping[str, Any]) -> dict[str, Any]:
        theirs: dict[str, Any] = BATCHES.systems["pattern"]["settings"](node, parts, params)
        return {
            **theirs,
            "key": lambda event: event,
            "partitioner": lambda event: answer(event, params["partitions"]),
        }

    return settings


# ---- 2.2 Batches -----------------------------------------------------------------------------------------


class _Trial:
    """A batcher, what it handed over and when, and how many batches were being handled at once."""

    def __init__(self, answer: Any, size_max: int, window_s: float, *, work_s: float = 0.0) -> None:
        self.batches: list[tuple[float, list[Any]]] = []
        self.done: list[Any] = []
        self.at_once = self.at_once_max = self.added = 0
        self._work_s = work_s
        self.batcher = answer(size_max, window_s, self._handle)

    async def _handle(self, batch: Any) -> None:
        events = list(batch)
        self.batches.append((round(asyncio.get_running_loop().time(), 3), events))
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            await asyncio.sleep(self._work_s)
            self.done += events
        finally:
            self.at_once -= 1

    async def add_at(self, *times_s: float) -> None:
        """Add event n at the n-th of these times, and without any pause where two are the same."""
        began_s = asyncio.get_running_loop().time()
        for number, time_s in enumerate(times_s):
            rest_s = began_s + time_s - asyncio.get_running_loop().time()
            if rest_s > 0:
                await asyncio.sleep(rest_s)
            await self.batcher.add(number)
            self.added += 1


def _tried(
    answer: Any,
    size_max: int,
    window_s: float,
    times_s: tuple[float, ...],
    *,
    after_s: float,
    work_s: float = 0.0,
) -> _Trial:
    async def main() -> _Trial:
        trial = _Trial(answer, size_max, window_s, work_s=work_s)
        await trial.add_at(*times_s)
        await asyncio.sleep(after_s)
        return trial

    return _in_laboratory(main)


def _in_laboratory(main: Callable[[], Any]) -> Any:
    """Run it; tasks that are left over at the end are the answer's own affair, and end with the run."""

    async def whole() -> Any:
        result = await main()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        return result

    return simulate(whole, max_steps=MAX_STEPS)


def _shown(batches: list[tuple[float, list[Any]]]) -> str:
    if not batches:
        return "nothing was handed over"
    return "; ".join(f"{events} at {time_s:g} s" for time_s, events in batches[:4])


def _by_size(batcher: Any) -> Finding | None:
    trial = _tried(batcher, 3, 60, (0.0,) * 7, after_s=1)
    if [events for _, events in trial.batches] == [[0, 1, 2], [3, 4, 5]]:
        return None
    sizes = [len(events) for _, events in trial.batches]
    hint = ""
    if not trial.batches:
        hint = "Nobody looked at how many events wait when one was added."
    elif max(sizes) > 4:
        hint = (
            "Handing over was left to a task that had not begun when the next events came. Await it in add."
        )
    elif max(sizes) > 3:
        hint = "Hand over when the list *has* size_max events, not when it has more."
    elif sizes and max(sizes) < 3:
        hint = "A batch went out before it was full, and its time was not up."
    return Finding(
        "A batch that is full is handed over at once.",
        f"With size_max=3 and a window of 60 s, 7 events came at once: {_shown(trial.batches)}.",
        hint=hint,
    )


def _by_time(batcher: Any) -> Finding | None:
    trial = _tried(batcher, 100, 1.0, (0.0, 0.4, 0.8), after_s=5)
    if trial.batches == [(1.0, [0, 1, 2])]:
        return None
    hint = ""
    if not trial.batches:
        hint = "It is flushed by size only: the last events of the day wait for others that never come. Start a timer."
    elif trial.batches == [(1.8, [0, 1, 2])]:
        hint = (
            "The timer starts again with each event, so a steady trickle puts the batch off for ever. The window "
            "begins with the *first* event."
        )
    elif trial.batches[0][0] < 1.0:
        hint = "It was handed over too early. Is the timer started with the first event of the batch?"
    return Finding(
        "A batch that is not full is handed over window_s after its first event.",
        f"With a window of 1 s, events came at 0, 0.4 and 0.8 s: {_shown(trial.batches)}.",
        hint=hint,
    )


def _old_timer(batcher: Any) -> Finding | None:
    trial = _tried(batcher, 2, 1.0, (0.0, 0.1, 0.9), after_s=5)
    if [time_s for time_s, _ in trial.batches] == [0.1, 1.9]:
        return None
    hint = ""
    if [time_s for time_s, _ in trial.batches][1:] == [1.0]:
        hint = "The timer of the first batch ran on and closed the second one. A batch that is full takes its timer with it."
    return Finding(
        "Each batch has its own window.",
        f"With size_max=2 and a window of 1 s, events came at 0, 0.1 and 0.9 s: {_shown(trial.batches)}.",
        hint=hint,
        rung=PSEUDOCODE,
    )


def _one_at_a_time(batcher: Any) -> Finding | None:
    times_s = tuple(n * 0.3 for n in range(12))
    trial = _tried(batcher, 3, 0.5, times_s, after_s=20, work_s=2.0)
    if trial.at_once_max > 1:
        return Finding(
            "One batch is handled at a time.",
            f"handle takes 2 s here, and {trial.at_once_max} batches were being handled at once.",
            hint="Two batches of one partition at the same time lose the order of a key. An asyncio.Lock around handle "
            "makes the second one wait.",
            rung=PSEUDOCODE,
        )
    handed = [event for _, events in trial.batches for event in events]
    if sorted(handed) != sorted(trial.done):
        return Finding(
            "What has been handed over is not broken off.",
            f"handle was called with {handed} and was cancelled in the middle; only {trial.done} were handled.",
            hint="The timer's task was cancelled while it was handing its batch over. Forget the timer *before* that.",
            rung=PSEUDOCODE,
        )
    if handed != list(range(12)):
        return Finding(
            "Every event is handed over once, in the order in which it came.",
            f"handle takes 2 s here. Twelve events came, and {handed} were handed over.",
            hint="While handle runs, others add. Take the list and put an empty one in its place before you await.",
            rung=PSEUDOCODE,
        )
    return None


def _crowded(batcher: Any) -> Finding | None:
    async def main() -> _Trial:
        trial = _Trial(batcher, 3, 60.0, work_s=1.0)
        adding = [asyncio.create_task(trial.batcher.add(number)) for number in range(10)]
        await asyncio.sleep(100)
        await asyncio.gather(*adding)
        return trial

    trial = _in_laboratory(main)
    if max((len(events) for _, events in trial.batches), default=0) > 3:
        return Finding(
            "No batch holds more than size_max events.",
            f"With size_max=3, ten producers added one event each at once: {_shown(trial.batches)}.",
            hint="The batch was taken only when the one before it had been handled, and until then others were added. "
            "Take it first, then wait for the lock.",
            rung=PSEUDOCODE,
        )
    handed = [event for _, events in trial.batches for event in events]
    if handed == list(range(10)):
        return None
    return Finding(
        "Every event is handed over once, in the order in which it came.",
        f"With size_max=3, ten producers added one event each at once, and {handed} were handed over.",
    )


def _slows_down(batcher: Any) -> Finding | None:
    async def main() -> _Trial:
        trial = _Trial(batcher, 3, 60.0, work_s=1000.0)
        await asyncio.wait([asyncio.create_task(trial.add_at(*(0.0,) * 30))], timeout=10)
        return trial

    added = _in_laboratory(main).added
    if added <= 6:  # a batch that is handled, and one that waits
        return None
    return Finding(
        "While one batch is handled and the next one is full, add waits.",
        f"With size_max=3 and a handler that is busy for 1000 s, {added} of 30 events were added one after the other.",
        hint="Nothing slows down whoever adds: the batch is handed over by a task (or a queue without a bound) for which "
        "nobody waits, and the memory fills. Await the handing over in add.",
        rung=PSEUDOCODE,
    )


def _closed_meanwhile(batcher: Any) -> Finding | None:
    async def main() -> tuple[list[Any], list[Any]]:
        trial = _Trial(batcher, 10, 1.0, work_s=2.0)
        await trial.add_at(0.0, 0.0)
        await asyncio.sleep(1.5)
        await trial.batcher.close()
        at_close = list(trial.done)
        await asyncio.sleep(30)
        return at_close, list(trial.done)

    at_close, later = _in_laboratory(main)
    if at_close == later == [0, 1]:
        return None
    return Finding(
        "close() returns when everything has been handled.",
        "With a window of 1 s and a handler that takes 2 s, close() was called at 1.5 s, in the middle of the batch, and "
        + ("returned before it was done." if later == [0, 1] else f"of [0, 1] was handled {later}."),
        hint="Nothing waits any more, but a batch is being handled. Wait for the lock all the same."
        if later == [0, 1]
        else "close() broke off a batch in the hands of the timer's task. Cancel a timer only while it sleeps.",
        rung=PSEUDOCODE,
    )


def _drains(batcher: Any) -> Finding | None:
    async def main() -> tuple[list[Any], list[Any], list[tuple[float, list[Any]]]]:
        trial = _Trial(batcher, 10, 60.0, work_s=1.0)
        await trial.add_at(0.0, 0.0, 0.0)
        await trial.batcher.close()
        done = list(trial.done)
        await asyncio.sleep(30)
        return done, list(trial.done), trial.batches

    at_close, later, batches = _in_laboratory(main)
    required = "close() hands over what waits, and returns when it has been handled."
    if at_close == [0, 1, 2]:
        empty = [time_s for time_s, events in batches if not events]
        if not empty:
            return None
        return Finding(
            "No empty batch is handed over.",
            f"handle was called with no events at {empty[0]:g} s.",
            hint="When the time is up, the batch may have been handed over already. Look whether there is anything.",
        )
    if later == [0, 1, 2]:
        return Finding(
            required,
            "It returned before they had been handled.",
            hint="Await the work; a task in the background dies with the process.",
        )
    return Finding(
        required,
        f"Three events waited; {at_close} had been handled when it returned.",
        hint="A deployment would lose what is left. Hand it over in close().",
    )


# ---- 2.3 Windows -----------------------------------------------------------------------------------------


def _pairs(found: Any) -> list[tuple[Any, ...]]:
    return [tuple(window) for window in found]


# (time, size, offset, start): Flink's TumblingEventTimeWindowsTest and TimeWindowTest.
_TUMBLING = (
    (0, 5000, 0, 0),
    (4999, 5000, 0, 0),
    (5000, 5000, 0, 5000),
    (5099, 5000, 100, 100),
    (3, 7, 3, 3),
    (9, 7, 3, 3),
    (10, 7, 3, 10),
    (1, 7, 3, -4),
    (-1, 5000, 0, -5000),
    (-5000, 5000, 0, -5000),
)


def _tumbling(answer: Any) -> Finding | None:
    for time_s, size_s, offset_s, start in _TUMBLING:
        got = answer.tumbling(time_s, size_s, offset_s)
        got = tuple(got) if isinstance(got, list | tuple) else got
        if got == (start, start + size_s):
            continue
        hint = ""
        if isinstance(got, tuple) and len(got) == 2:
            if got == (start, start + size_s - 1):
                hint = "The end is not inside: [0, 5000) ends where the next window begins."
            elif time_s == 5000 and got[0] == 0:
                hint = "An event at the end belongs to the next window: the end is not inside."
            elif time_s - offset_s < 0:
                hint = (
                    "Before the origin, int(t / size) rounds towards zero, which is up. // and % round down."
                )
            elif offset_s:
                hint = "With an offset, windows begin at offset + n * size. Subtract it before you divide, add it after."
        return Finding(
            "A tumbling window starts at a multiple of its size, plus the offset, and holds the time.",
            f"tumbling({time_s}, size_s={size_s}, offset_s={offset_s}) returned {got!r:.50}, not {(start, start + size_s)}.",
            hint=hint,
        )
    return None


# (time, size, slide, starts): Flink's SlidingEventTimeWindowsTest, and a size that is no multiple of the slide.
_SLIDING: tuple[tuple[int, int, int, tuple[int, ...]], ...] = (
    (0, 5000, 1000, (-4000, -3000, -2000, -1000, 0)),
    (4999, 5000, 1000, (0, 1000, 2000, 3000, 4000)),
    (4, 5, 2, (0, 2, 4)),
    (5, 5, 2, (2, 4)),
    (7, 10, 10, (0,)),
    (13, 5, 10, (10,)),
    (17, 5, 10, ()),  # between two windows
)


def _sliding(answer: Any) -> Finding | None:
    for time_s, size_s, slide_s, starts in _SLIDING:
        got = _pairs(answer.sliding(time_s, size_s, slide_s))
        right = [(start, start + size_s) for start in starts]
        if got == right:
            continue
        hint = ""
        if not right:
            hint = "With a slide above the size there are gaps between the windows, and this time is in one: it is in no window."
        elif sorted(got) == right:
            hint = "The windows are right; give the earliest first."
        elif (time_s - size_s, time_s) in got:
            hint = f"The window that ends at {time_s} does not hold an event at {time_s}: its end is outside."
        elif got and any(start % slide_s for start, *_ in got):
            hint = "Windows begin at multiples of the slide, wherever the event is. They do not begin at the event."
        elif size_s % slide_s and len(got) != len(right):
            hint = "size / slide is no whole number here, so events are in 2 or in 3 windows. Go back by the slide "
            hint += "as long as the window still holds the time."
        elif all(start >= 0 for start, *_ in got) and starts[0] < 0:
            hint = "Kafka Streams begins no window before 0; here, as in Flink and Beam, they do begin there."
        return Finding(
            "An event is in every window of the size that begins at a multiple of the slide and holds it.",
            f"sliding({time_s}, size_s={size_s}, slide_s={slide_s}) returned {got!r:.70}, not {right}.",
            hint=hint,
        )
    return None


# (times, gap, sessions): Beam's SessionsTest; then what a late event does, and what happens exactly at the gap.
_SESSIONS: tuple[tuple[list[int], int, list[tuple[int, int]]], ...] = (
    ([1, 15, 30, 100, 101, 95, 22, 10], 10, [(1, 40), (95, 111)]),
    ([0, 6, 12, 18], 10, [(0, 28)]),
    ([0, 16, 8], 10, [(0, 26)]),
    ([40, 0, 48, 8, 45], 10, [(0, 18), (40, 58)]),
    ([0, 10], 10, [(0, 20)]),
    ([0, 11], 10, [(0, 10), (11, 21)]),
    ([], 10, []),
)


def _sessions(answer: Any) -> Finding | None:
    for times, gap_s, right in _SESSIONS:
        got = _pairs(answer.sessions(list(times), gap_s))
        if got == right:
            continue
        hint = ""
        if times == [0, 10]:
            hint = "Exactly the gap apart is one session here, as in Flink and Kafka Streams (in Beam it is two)."
        elif got and got[-1][1] == max(times, default=0) and right[-1][1] != max(times):
            hint = "A session ends gap_s *after* its last event: only then is the silence long enough."
        elif times == [0, 6, 12, 18]:
            hint = "The gap is counted from the last event of the session, not from its first."
        elif list(times) != sorted(times) and len(got) > len(right):
            hint = (
                "Events come in any order, and one can close the gap between two sessions. Compare with every "
                "session that it meets, not with the latest only."
            )
        elif list(times) != sorted(times) and len(got) <= len(right):
            hint = "Events come in any order: a smaller time is no reason to begin a session, nor to be swallowed by one."
        return Finding(
            "Events at most gap_s apart are in one session, from its first event to gap_s after its last.",
            f"sessions({times}, gap_s={gap_s}) returned {got!r:.70}, not {right}.",
            hint=hint,
        )
    return None


def _leaves_the_list(answer: Any) -> Finding | None:
    given = [30, 1, 15]
    answer.sessions(given, 10)
    if given == [30, 1, 15]:
        return None
    return Finding(
        "The caller's list stays as it was.",
        f"times_s was [30, 1, 15], and is {given!r:.50} after sessions(times_s, 10).",
        hint="list.sort() and pop() change the list of whoever called. sorted(times_s) makes a new one.",
    )


def _are_pairs(answer: Any) -> Finding | None:
    found = {
        "tumbling(7, 5)": answer.tumbling(7, 5),
        "sliding(7, 5, 5)": answer.sliding(7, 5, 5)[0],
        "sessions([7], 5)": answer.sessions([7], 5)[0],
    }
    for call, window in found.items():
        if not isinstance(window, tuple):
            return Finding(
                "A window is a pair (start, end).",
                f"{call} gave a {type(window).__name__}: {window!r:.40}.",
                hint="A window becomes the key of a dict of counts, which a list cannot be. Write (start, end), a tuple.",
            )
    return None


class _Assigner:
    """The learner's tumbling windows, as the scenario wants them."""

    def __init__(self, answer: Any, size_s: float) -> None:
        self._answer, self._size_s = answer, size_s

    def assign(self, time_s: float) -> tuple[Window, ...]:
        start, end = self._answer.tumbling(time_s, self._size_s, 0)
        return (Window(start, end),)


# ---- 2.4 Watermark and late events -----------------------------------------------------------------------


class _Counter:
    """The learner's counter, and what it called late."""

    def __init__(self, answer: Any, sources: tuple[str, ...] = ("A",), delay_s: float = 5) -> None:
        self.late: list[tuple[Any, ...]] = []
        self.mine = answer(10, delay_s, sources, lambda *said: self.late.append(said))

    def add(self, time_s: float, source: str = "A", key: str = "UA") -> list[tuple[Any, ...]]:
        return _pairs(self.mine.add(key, time_s, source) or ())


def _closes(answer: Any) -> Finding | None:
    required = "A window is reported when the watermark has reached its end, and not before."
    counter = _Counter(answer)
    seen = {time_s: counter.add(time_s) for time_s in (3, 12, 14, 15)}
    where = "Windows of 10 s, a delay of 5 s, one source"
    if seen == {3: [], 12: [], 14: [], 15: [("UA", 0, 10, 1)]}:
        return None
    if seen[12]:
        return Finding(
            required,
            f"{where}: the event of 12 s closed [0, 10), so its watermark was above 7.",
            hint="The watermark stays delay_s behind the latest event, to give the stragglers their time.",
        )
    if seen[14] or seen[3]:
        return Finding(required, f"{where}: [0, 10) was reported before an event of 15 s had come.")
    if not seen[15]:
        return Finding(
            required,
            f"{where}: the event of 15 s did not close [0, 10), although the watermark is 10 now.",
            hint="The watermark says: everything before it has come. [0, 10) holds nothing of 10, so 10 is enough.",
            rung=PSEUDOCODE,
        )
    return Finding(
        "A result is (key, start, end, count).",
        f"{where}: after events of 3, 12, 14 and 15 s the report was {seen[15]!r:.60}, not [('UA', 0, 10, 1)].",
    )


def _slowest(answer: Any) -> Finding | None:
    required = "The watermark is that of the slowest source."
    counter = _Counter(answer, ("A", "B"))
    counter.add(3, "A"), counter.add(4, "B")
    if counter.add(30, "A"):
        return Finding(
            required,
            "A stood at 30 s and B at 4 s, and [0, 10) was closed.",
            hint="That is the maximum over the sources. The fastest closes windows on the others: take the minimum.",
        )
    silent = _Counter(answer, ("A", "B"))
    if silent.add(3) or silent.add(30):
        return Finding(
            required,
            "Of the sources A and B only A had spoken, and a window was closed.",
            hint="B may still have events of that time. Before each source has spoken the watermark is -inf.",
        )
    got = counter.add(16, "B")
    if got == [("UA", 0, 10, 2)]:
        return None
    return Finding(
        required,
        f"A stood at 30 s, then B came to 16 s, so the watermark is 11, and the report was {got!r:.60}, not UA, 0 to 10: 2.",
    )


def _late(answer: Any) -> Finding | None:
    counter = _Counter(answer)
    for time_s in (3, 12, 17):
        counter.add(time_s)
    again = counter.add(5)  # the watermark is 12
    required = "An event whose window is closed is handed to `late`, and counted nowhere else."
    if again:
        return Finding(
            required,
            f"[0, 10) had been reported; then an event of 5 s came, and {again!r:.50} was reported.",
            hint="The event was called late, and its window reported once more all the same: it is still there. Take a window "
            "out (`pop`) when you report it."
            if counter.late
            else "A result that others have read was changed behind their backs. Hand the event to `late`.",
        )
    if not counter.late:
        rest = _pairs(counter.mine.end() or ())
        if any(window[1] == 0 for window in rest):
            return Finding(
                required,
                "[0, 10) had been reported; then an event of 5 s came, and at the end [0, 10) was reported again.",
                hint="A closed window was opened again for it. Before you add, see whether its window is closed.",
            )
        return Finding(
            required,
            "[0, 10) had been reported; then an event of 5 s came, and nobody heard of it.",
            hint="Late data that is dropped in silence cannot even be counted. Call late(key, time_s).",
            rung=PSEUDOCODE,
        )
    if counter.late != [("UA", 5)]:
        return Finding(required, f"late was called with {counter.late[0]!r:.50}, not with ('UA', 5).")
    counter.add(11)  # behind the watermark, but [10, 20) is open
    if len(counter.late) > 1:
        return Finding(
            "An event is late when its *window* is closed.",
            "The watermark was 12 and an event of 11 s was called late, although [10, 20) was still open.",
            hint="Compare the end of its window with the watermark, not its own time.",
        )
    return None


def _never_back(answer: Any) -> Finding | None:
    counter = _Counter(answer)
    for time_s in (3, 30, 22, 15):  # from 30 on the watermark is 25, so [10, 20) is closed
        counter.add(time_s)
    if counter.late == [("UA", 15)]:
        return None
    return Finding(
        "The watermark never goes back.",
        "After events of 3, 30 and 22 s an event of 15 s came, and it was not called late.",
        hint="After 30 it stood at 25. An older event must not pull it back: keep the *latest* time of each source.",
        rung=PSEUDOCODE,
    )


def _rest(answer: Any) -> Finding | None:
    counter = _Counter(answer, ("A", "B"))
    early = []
    for key, time_s, source in (
        ("UA", 3, "A"),
        ("B6", 4, "B"),
        ("UA", 9, "B"),
        ("UA", 14, "A"),
        ("DL", 16, "B"),
    ):
        early += counter.add(time_s, source, key)
    rest = _pairs(counter.mine.end() or ())
    right = [("B6", 0, 10, 1), ("DL", 10, 20, 1), ("UA", 0, 10, 2), ("UA", 10, 20, 1)]
    if sorted(early + rest) == right:
        return None
    return Finding(
        "end() reports all windows that are still open.",
        f"Five events, then end(): reported in all were {sorted(early + rest)!r:.90}.",
        hint="After the last event the watermark rises no more. end() sets it to infinity."
        if not rest
        else "",
    )


def _forgets(answer: Any) -> Finding | None:
    counter = _Counter(answer)
    for n in range(3000):
        counter.add(n)
    largest = max((len(v) for v in vars(counter.mine).values() if hasattr(v, "__len__")), default=0)
    if largest <= 100:
        return None
    return Finding(
        "What is kept in memory grows with open windows, not with the length of the stream.",
        f"After 3000 events in 300 windows, of which 2 are open, a collection of {largest} things is kept.",
        hint="Forget a window when it is reported. That it is closed you can see from its end and the watermark.",
        rung=PSEUDOCODE,
    )


class _Counting:
    """The learner's counter, as the scenario wants it."""

    def __init__(self, answer: Any, params: Mapping[str, Any], on_late: Callable[[LateEvent], Any]) -> None:
        def late(key: str, time_s: float) -> None:
            on_late(LateEvent(key, time_s, 1, 0))

        self._mine = answer(params["size_min"] * 60, params["delay_min"] * 60, AIRPORTS, late)

    def process(self, key: str, time_s: float, *, source: str, now_s: float) -> list[tuple[Any, ...]]:
        return self._plain(self._mine.add(key, time_s, source))

    def tick(self, now_s: float) -> list[tuple[Any, ...]]:
        return []

    def end(self) -> list[tuple[Any, ...]]:
        return self._plain(self._mine.end())

    @staticmethod
    def _plain(found: Any) -> list[tuple[Any, ...]]:
        return [(key, (start, end), count) for key, start, end, count in found or ()]


# ---- 2.5 A bounded buffer --------------------------------------------------------------------------------


def _first_in_first_out(answer: Any) -> Finding | None:
    async def main() -> list[Any]:
        buffer = answer(5)
        for number in range(4):
            async with asyncio.timeout(1):
                await buffer.put(number)
        return [list(buffer.take(3)), list(buffer.take(3)), list(buffer.take(3))]

    try:
        got = _in_laboratory(main)
    except TimeoutError:
        got = "put waited, although there was room"
    if got == [[0, 1, 2], [3], []]:
        return None
    hint = ""
    if got[0] == [0, 1, 2, 3]:
        hint = "It gave all that waited, whatever the count. A batch would have no bound: take min(count, how many wait)."
    elif got[0] in ([3, 2, 1], [1, 2, 3]):
        hint = "It gave the newest. Take from the left: popleft()."
    return Finding(
        "take(count) gives up to count of the items that wait, oldest first, and never waits itself.",
        f"With 0, 1, 2, 3 put in, three times take(3) gave {got!r:.70}.",
        hint=hint,
        rung=PSEUDOCODE,
    )


def _waits(answer: Any) -> Finding | None:
    async def main() -> tuple[str, int, list[Any]]:
        buffer = answer(2)
        await buffer.put(0)
        await buffer.put(1)
        third = asyncio.create_task(buffer.put(2))
        await asyncio.wait([third], timeout=1)
        depth = len(buffer.waiting)
        if third.done():
            problem = third.exception()
            if len(buffer.waiting) == 3:
                more = [asyncio.create_task(buffer.put(number)) for number in range(3, 9)]
                await asyncio.wait(more, timeout=1)
                depth = len(buffer.waiting)
            return (
                (f"raised {type(problem).__name__}" if problem else "returned"),
                depth,
                list(buffer.waiting),
            )
        taken = list(buffer.take(1))
        await asyncio.wait([third], timeout=1)
        if not third.done():
            return "waits still", len(buffer.waiting), taken
        return "waited", depth, taken + list(buffer.waiting)

    try:
        how, depth, items = _in_laboratory(main)
    except LessonError as error:
        if "steps" not in str(error):
            raise
        return _spins()
    required = "When size_max items wait, put waits until there is room: the producer is slowed."
    if (how, items) == ("waited", [0, 1, 2]):
        return None
    hint = ""
    if depth == 3:
        hint = "One too many: with size_max items in it, it is full. Compare with >=, not with >."
    elif depth > 2:
        hint = "Nothing bounds it. Whoever is faster than the worker fills the memory, and only later does anyone notice."
    elif how == "returned":
        hint = "An item was dropped, and nobody was told. Here no event may be lost: let the producer wait."
    elif how.startswith("raised"):
        hint = "An error hands the problem to a caller who cannot solve it. Wait inside put."
    elif how == "waits still":
        hint = "take() made room and nobody was told. Set the event that put waits for."
    return Finding(
        required, f"With size_max=2 a third put {how}, and {depth} items waited, {items!r:.40}.", hint=hint
    )


def _spins() -> Finding:
    return Finding(
        "A producer that waits sleeps.",
        "It turned round and round while the buffer was full, and the run was stopped.",
        hint="Asking again and again takes the time that the worker needs. Sleep on an asyncio.Event that take() sets.",
    )


def _crowd(answer: Any) -> Finding | None:
    async def main() -> tuple[int, list[Any]]:
        buffer = answer(2)
        producers = []
        for number in range(10):
            producers.append(asyncio.create_task(buffer.put(number)))
            await asyncio.sleep(0.001)
        most, got = len(buffer.waiting), []
        for count in (1, 2, 1, 2, 2, 2, 2, 2):
            got += list(buffer.take(count))
            await asyncio.sleep(0.5)
            most = max(most, len(buffer.waiting))
        return most, got

    most, got = _in_laboratory(main)
    if most > 2:
        return Finding(
            "However many producers wait, never more than size_max items do.",
            f"Ten producers at a buffer of 2, one item taken: {most} items waited.",
            hint="All of them woke up, and each found room, since it looked before it slept. Look again after each wake: "
            "`while`, not `if`.",
        )
    if sorted(got) != list(range(10)):
        return Finding(
            "Every producer gets its turn.",
            f"Ten producers at a buffer of 2; after all had been taken that there was, {got} had come through.",
            hint="A producer was not woken although there was room. After take(2) there is room for two.",
            rung=PSEUDOCODE,
        )
    if got != list(range(10)):
        return Finding(
            "Producers get their turn in the order in which they came.",
            f"They came as 0 to 9 and got in as {got}.",
            hint="Order within a key is lost when two events of it wait and the second gets in first. An asyncio.Lock "
            "lets them in one after the other, in the order in which they came.",
            rung=PSEUDOCODE,
        )
    return None


def _nothing_taken(answer: Any) -> Finding | None:
    async def main() -> int:
        buffer = answer(2)
        for number in range(3):
            await asyncio.wait([asyncio.create_task(buffer.put(number))], timeout=1)
        nothing = list(buffer.take(0))
        await asyncio.sleep(1)
        return len(nothing) + len(buffer.waiting)

    depth = _in_laboratory(main)
    if depth <= 2:
        return None
    return Finding(
        "However often a producer is woken, never more than size_max items wait.",
        f"A buffer of 2 was full and a producer waited; after take(0) there were {depth} items.",
        hint="take(0) woke the producer and made no room. To be woken is not to have room: look again after each wake, with "
        "`while` in place of `if`.",
    )


def _newcomer(answer: Any) -> Finding | None:
    async def main() -> list[Any]:
        buffer = answer(1)
        await buffer.put(0)
        waits = asyncio.create_task(buffer.put(1))
        await asyncio.sleep(1)
        got: list[Any] = []

        async def takes_and_brings() -> None:
            got.extend(buffer.take(1))
            await buffer.put(2)

        comes = asyncio.create_task(takes_and_brings())
        for _ in range(3):
            await asyncio.sleep(1)
            got.extend(buffer.take(1))
        for task in (waits, comes):
            task.cancel()
        return got

    got = _in_laboratory(main)
    if got == [0, 1, 2]:
        return None
    return Finding(
        "Producers get their turn in the order in which they came.",
        f"Item 1 had waited for a second; item 2 came right after take(1). They got in as {got[1:]}.",
        hint="The newcomer found room and walked past those who wait, before the one that was woken could run. Let everybody "
        "through the same door: an asyncio.Lock around the waiting *and* the append.",
        rung=PSEUDOCODE,
    )


def _shuts(answer: Any) -> Finding | None:
    async def main() -> list[str]:
        buffer = answer(1)
        await buffer.put(0)
        tasks = [asyncio.create_task(buffer.put(n)) for n in (1, 2)]
        await asyncio.sleep(1)
        buffer.close()
        tasks.append(asyncio.create_task(buffer.put(3)))
        await asyncio.wait(tasks, timeout=10)
        said = []
        for task in tasks:
            problem = task.exception() if task.done() and not task.cancelled() else None
            said.append(type(problem).__name__ if problem else "taken" if task.done() else "waits still")
        return [*said, str(list(buffer.take(9)))]

    got = _in_laboratory(main)
    if got == ["StreamClosed"] * 3 + ["[0]"]:
        return None
    hint = ""
    if got[2] == "taken" or "taken" in got[:2]:
        hint = "Who puts something into a closed buffer must hear of it, or takes it for handled. Look at self.closed "
        hint += "after you have waited, too."
    elif "waits still" in got:
        hint = "Nobody woke those who waited. In close(), set the event that they wait for."
    elif got[3] == "[]":
        hint = "close() threw away what was in. Those events had been taken, and their producers believe in them: leave them."
    return Finding(
        "After close(), put raises StreamClosed, also in those who wait; what is in can still be taken.",
        f"Two producers waited at close(), a third came after it: {', '.join(got[:3])}; taken was {got[3]}.",
        hint=hint,
        rung=PSEUDOCODE,
    )


def _gives_up(answer: Any) -> Finding | None:
    async def main() -> list[Any]:
        buffer = answer(1)
        await buffer.put(0)
        tasks = []
        for number in (1, 2, 3):
            tasks.append(asyncio.create_task(buffer.put(number)))
            await asyncio.sleep(0.01)
        tasks[0].cancel()
        got = []
        for _ in range(4):
            await asyncio.sleep(0.5)
            got += list(buffer.take(1))
        return got

    got = _in_laboratory(main)
    if got == [0, 2, 3]:
        return None
    return Finding(
        "A producer that gives up while it waits leaves the others unharmed.",
        f"Of three that waited the first was cancelled; what came through was {got}, not [0, 2, 3].",
        hint="Any await can be the last. What you noted down for the one that waited must be undone: `async with`, `finally`.",
        rung=PSEUDOCODE,
    )


class _Bounded:
    """The learner's buffer, as the processor wants it: it counts what went in."""

    def __init__(self, answer: Any, size_max: int, overflow: str) -> None:
        self._mine = answer(size_max)
        self._out = 0
        self.closed = False

    @property
    def waiting(self) -> Any:
        return self._mine.waiting

    @property
    def taken(self) -> int:
        return self._out + len(self._mine.waiting)

    async def put(self, entry: Any) -> None:
        await self._mine.put(entry)

    def take(self, size_max: int) -> list[Any]:
        found = list(self._mine.take(size_max))
        self._out += len(found)
        return found

    def close(self) -> None:
        self.closed = True
        self._mine.close()


# ---- 2.6 State and offset together -----------------------------------------------------------------------

_LOG = ("UA", "B6", "UA", "DL", "UA", "EV", "B6", "UA", "AA", "UA", "DL", "B6")


class _Crashed(BaseException):
    """The process died: nothing catches that."""


class _CrashingDisk(MemoryDisk):
    """A disk on which the process dies the moment a write is done; `left` writes from now."""

    def __init__(self, files: dict[str, list[Any]], left: int) -> None:
        super().__init__()
        self.files = files
        self.left = left

    def _written(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise _Crashed

    async def append(self, file: str, record: Any) -> None:
        await super().append(file, record)
        self._written()

    async def replace(self, file: str, records: Any) -> None:
        await super().replace(file, records)
        self._written()


async def _work(answer: Any, disk: MemoryDisk, saved: list[int] | None = None) -> Any:
    """Do what the worker's process does, from its start to the end of the log; note in `saved` what it has saved."""
    counter = answer(disk)
    offset = await counter.restore()
    if not isinstance(offset, int) or not 0 <= offset <= len(_LOG):
        raise LessonError(f"restore() returned {offset!r:.40}; it should be an offset from 0 to {len(_LOG)}")
    for number in range(offset, len(_LOG)):
        counter.count(number, _LOG[number])
        if number % 4 == 3:
            await counter.save()
            if saved is not None:
                saved.append(number + 1)
    await counter.save()
    return counter


def _recount() -> dict[str, int]:
    return {airline: _LOG.count(airline) for airline in sorted(set(_LOG))}


def _good_day(answer: Any) -> Finding | None:
    async def main() -> tuple[Any, Any, Any]:
        disk = MemoryDisk()
        counter = await _work(answer, disk)
        again = answer(disk)
        return dict(counter.counts), await again.restore(), dict(again.counts)

    counts, offset, restored = _in_laboratory(main)
    if dict(sorted(counts.items())) != _recount():
        return Finding(
            "On a good day each departure is counted once.",
            f"Of {len(_LOG)} departures the counts were {dict(sorted(counts.items()))!r:.70}.",
        )
    required = "restore() brings back the counts, and returns the offset of the next event to read."
    if offset == len(_LOG) - 1:
        return Finding(
            required,
            f"After offsets 0 to {len(_LOG) - 1} it returned {offset}: that one would be counted again.",
            hint="Keep the *next* offset to read: the one that was counted, plus one.",
            rung=PSEUDOCODE,
        )
    if offset != len(_LOG) or restored != counts:
        return Finding(
            required,
            f"After offsets 0 to {len(_LOG) - 1} it returned {offset!r}, with the counts {restored!r:.60}.",
            hint="A new process has nothing but the disk. Read the file, and put both back: the counts and the offset."
            if not restored or offset == 0
            else "",
        )
    return None


def _any_crash(answer: Any) -> Finding | None:
    async def main() -> tuple[int, int, int] | None:
        for left in range(1, 40):
            files: dict[str, list[Any]] = {}
            saved = [0]
            try:
                await _work(answer, _CrashingDisk(files, left), saved)
            except _Crashed:
                offset = await answer(_CrashingDisk(files, 10_000)).restore()
                counter = await _work(answer, _CrashingDisk(files, 10_000))
                counts = {airline: n for airline, n in sorted(counter.counts.items()) if n}
                if counts != _recount():
                    return left, sum(counts.values()), 0
                if offset < saved[-1]:
                    return left, offset, saved[-1]
            else:
                return None
        return None

    found = _in_laboratory(main)
    if found is None:
        return None
    left, total, saved = found
    if saved:
        return Finding(
            "What save() has kept stays kept.",
            f"A checkpoint at offset {saved} had been saved. The process died right after write {left}, and restore() "
            f"returned {total}.",
            hint="The old record was gone before the new one stood. `replace` does both in one step.",
        )
    first, second = ("counts", "offset") if total > len(_LOG) else ("offset", "counts")
    were, was = ("were", "was") if first == "counts" else ("was", "were")
    hint = (
        f"The {first} {were} on the disk and the {second} {was} not. They are two writes, and a crash fits between "
        "them: make it one."
    )
    return Finding(
        "Whenever the process dies, a restart counts each departure once.",
        f"It died right after write {left}; after the restart {total} departures were counted, and the log has {len(_LOG)}.",
        hint=hint,
    )


def _each_save(answer: Any) -> Finding | None:
    async def main() -> tuple[int, Any, dict[str, int]] | None:
        disk = MemoryDisk()
        counter = answer(disk)
        await counter.restore()
        for number, airline in enumerate(_LOG):
            counter.count(number, airline)
            await counter.save()
            again = answer(disk)
            offset = await again.restore()
            if (offset, sum(again.counts.values())) != (number + 1, number + 1):
                return number + 1, offset, dict(again.counts)
        return None

    found = _in_laboratory(main)
    if found is None:
        return None
    saved, offset, counts = found
    return Finding(
        "After each save() a crash loses nothing of what has been counted.",
        f"After each departure came save() and a new process. After save() number {saved} restore() returned {offset!r:.40}, "
        f"with the counts {counts!r:.60}.",
        hint="This save() did not write what there was to keep. When to save is the caller's decision: each save() writes.",
    )


def _twice_delivered(answer: Any) -> Finding | None:
    async def main() -> dict[str, int]:
        counter = answer(MemoryDisk())
        await counter.restore()
        for number in (0, 1, 2, 1, 2, 3, 0):
            counter.count(number, _LOG[number])
        return dict(counter.counts)

    counts = _in_laboratory(main)
    if sum(counts.values()) == 4:
        return None
    return Finding(
        "A departure that is delivered again counts once.",
        f"Offsets 0, 1, 2, 1, 2, 3, 0 came, which are 4 departures; counted were {sum(counts.values())}.",
        hint="What lies before the next offset is in the counts already.",
        rung=PSEUDOCODE,
    )


def _stays_small(answer: Any) -> Finding | None:
    async def main() -> int:
        disk = MemoryDisk()
        counter = answer(disk)
        await counter.restore()
        for number in range(200):
            counter.count(number, "UA")
            await counter.save()
        return max((len(records) for records in disk.files.values()), default=0)

    size = _in_laboratory(main)
    if size <= 3:
        return None
    return Finding(
        "A checkpoint takes the place of the one before it.",
        f"After 200 times save() a file has {size} records.",
        hint="append adds to the file for ever. replace puts the new record in place of the old one, in one step.",
    )


class _Worker:
    """The learner's counter, as the scenario's worker wants it."""

    def __init__(self, answer: Any, *_: Any, ports: Any, **__: Any) -> None:
        self._mine = answer(ports.disk)

    async def restore(self) -> dict[str, int]:
        return {"flights": await self._mine.restore()}

    async def process_event(self, event: Event, *, source: str, offset: int) -> bool:
        await asyncio.sleep(0.001)
        self._mine.count(offset, event["data"]["airline"])
        return True

    async def save(self) -> None:
        await self._mine.save()


# ---- 2.7 Diagnose ----------------------------------------------------------------------------------------


def doomed(run: Run) -> tuple[int, int]:
    """Return (number of the record after which the event was late, number of the record of the late event)."""
    verdict = run.verdict(PROMISE)
    number = next(r.data["number"] for r in verdict.records if r.kind == "late")
    event = next(r for r in run.history.of("arrived") if r.data["number"] == number)
    size = rules.configured(run.history)["size_s"]
    end_s = event.data["time_s"] // size * size + size
    numbered = list(enumerate(run.history))
    at = next(n for n, r in numbered if r.kind == "watermark" and r.data["value_s"] >= end_s)
    return at, next(n for n, r in numbered if r.kind == "late" and r.data["number"] == number)


def guilty_line() -> int:
    lines = inspect.getsource(SharedWatermark).splitlines()
    return next(n for n, line in enumerate(lines, 1) if "max(self.latest.values())" in line)


def _diagnosis(answer: Any) -> Finding | None:
    given = answer()
    run = mystery()
    if not (isinstance(given, tuple) and len(given) == 3):
        return Finding("diagnose() returns (rule, record, line).", f"It returned {given!r:.80}.")
    rule, number, line = given
    if rule not in [v.rule for v in run.verdicts]:
        names = "; ".join(repr(v.rule) for v in run.verdicts)
        return Finding(
            "The rule is named as the verdicts name it.",
            f"There is no rule {rule!r:.80}.",
            hint=f"To the letter, without a capital and a full stop. The rules of this run: {names}.",
            rung=LOOK,
        )
    if rule != PROMISE:
        return Finding(
            "The broken rule is named.",
            f"{rule!r}: that rule {run.verdict(rule).status} in this run.",
            hint="Print mystery() and read the verdicts.",
            rung=LOOK,
        )
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(run.history):
        return Finding(
            "The record is named by its number.", f"{number!r:.40} is not from 0 to {len(run.history) - 1}."
        )
    record = run.history[number]
    right, late = doomed(run)
    if number != right:
        hint = "When was the window of the lost event closed for good? Look for the record that carried the watermark past its end."
        if number == late or record.kind == "late":
            hint = "That is where it was noticed. By then it had been too late for a while. " + hint
        elif record.kind in ("arrived", "invoke", "ok", "sent", "delivered"):
            hint = "An event may come late; that is what the delay is for. " + hint
        elif record.kind == "watermark":
            hint = "The window's end is the first full hour after the event's own time; this is not the first watermark there."
        elif record.kind == "fault":
            hint = "The network was slow, by less than the watermark promises to wait. " + hint
        return Finding(
            "The record is the one after which the event could only be late.",
            f"Record {number} is: {record!s:.110}",
            hint=hint,
        )
    lines = inspect.getsource(SharedWatermark).splitlines()
    if line != guilty_line():
        text = (
            lines[line - 1].strip()
            if isinstance(line, int) and 0 < line <= len(lines)
            else "not a line of it"
        )
        return Finding(
            "The guilty line is named.",
            f"Line {line!r} is: {text}",
            hint="Whose event had moved the watermark, and whose event was late? Which line lets the one speak for the other?",
        )
    return None


# ---- 2.8 Sticky, with warm copies ------------------------------------------------------------------------


def _assigned(answer: Any, *given: Any) -> dict[str, list[int]]:
    found = answer(*given)
    if not isinstance(found, dict):
        raise LessonError(f"assign returned {found!r:.60}; give a dict from member to partitions")
    return {member: sorted(partitions) for member, partitions in found.items()}


# (partitions, members, before)
_REBALANCES: tuple[tuple[int, list[str], dict[str, tuple[int, ...]]], ...] = (
    (6, ["a", "b", "c"], {}),
    (6, ["a", "b", "c"], {"a": (0, 1, 2), "b": (3, 4, 5)}),
    (6, ["a", "b"], {"a": (0, 1), "b": (2, 3), "c": (4, 5)}),
    (7, ["a", "b", "c"], {"a": (0, 1), "b": (2, 3, 4), "c": (5, 6)}),
    (7, ["a", "b", "c", "d"], {"a": (0, 1), "b": (2, 3), "c": (4, 5, 6)}),
    (3, ["a", "b", "c", "d", "e"], {"a": (0, 1, 2)}),
    (8, ["b", "c", "d"], {"a": (0, 1, 2), "b": (3, 4, 5), "c": (6, 7)}),
)


def _sticks(assign: Any) -> Finding | None:
    for count, members, before in _REBALANCES:
        after = _assigned(assign, count, members, before)
        call = f"assign({count}, {members}, {before})"
        given = sorted(p for m in members for p in after.get(m, ()))
        if given != list(range(count)) or set(after) - set(members):
            gone = set(before) - set(members)
            return Finding(
                "Each partition has exactly one reader, and it is a member.",
                f"{call} returned {after!r:.80}.",
                hint=f"{', '.join(sorted(gone))} is gone. What it had needs another reader." if gone else "",
            )
        sizes = [len(after.get(m, ())) for m in members]
        if max(sizes) - min(sizes) > 1:
            return Finding(
                "No member has two partitions more than another.",
                f"{call} returned {after!r:.80}.",
                hint="Who came last has nothing, or little. Some must give away what is above their share.",
            )
        reader = {p: m for m, ps in after.items() for p in ps}
        moved = sum(reader[p] != m for m, ps in before.items() for p in ps)
        must = rules.fewest_moves(count, members, {m: list(ps) for m, ps in before.items()})
        if moved > must:
            return Finding(
                "As few partitions move as an even spread allows.",
                f"{call} moved {moved} partitions where {must} would do.",
                hint="It is computed afresh, whoever had what. Start from `previous` and move only what is above a share."
                if moved > must + 1
                else "When the division leaves a remainder, whoever has most should keep one more.",
                rung=0 if moved > must + 1 else PSEUDOCODE,
            )
    return None


# (partitions, members, before, standby, who must have what)
_WARM: tuple[tuple[Any, ...], ...] = (
    (6, ["a", "b"], {"a": (0, 1), "b": (2, 3), "c": (4, 5)}, {4: "b", 5: "a"}, {4: "b", 5: "a"}),
    (6, ["a", "b"], {"a": (0, 1), "b": (2, 3), "c": (4, 5)}, {4: "b", 5: "x"}, {4: "b"}),
    (4, ["a", "b"], {"a": (0, 1), "c": (2, 3)}, {2: "b", 3: "b"}, {2: "b", 3: "b"}),
    (6, ["a", "b", "c"], {"a": (0, 1, 2), "b": (3, 4, 5)}, {0: "c", 4: "c"}, {0: "c", 4: "c"}),
    (4, ["a", "b"], {"a": (0, 1), "b": (2, 3)}, {0: "b", 2: "a"}, {}),
)


def _warm(assign: Any) -> Finding | None:
    for count, members, before, standby, wanted in _WARM:
        after = _assigned(assign, count, members, before, standby)
        reader = {p: m for m, ps in after.items() for p in ps}
        call = f"assign({count}, {members}, {before}, {standby})"
        for partition, member in wanted.items():
            if reader.get(partition) != member:
                stayed = partition in before.get(reader.get(partition), ())
                return Finding(
                    "A partition that must move goes to the member that holds a warm copy, if it has room.",
                    f"{call} gave partition {partition} to {reader.get(partition)}; {member} has the warm copy.",
                    hint="Somebody has to give partitions away. Let it be those that another member holds a warm copy of."
                    if stayed
                    else "Give the warm ones first; only then fill up with the rest.",
                    rung=PSEUDOCODE,
                )
        moved = sum(reader[p] != m for m, ps in before.items() for p in ps)
        must = rules.fewest_moves(count, members, {m: list(ps) for m, ps in before.items()})
        if moved > must:
            return Finding(
                "A warm copy is no reason to move what could stay.",
                f"{call} moved {moved} partitions where {must} would do.",
                hint="Decide first who keeps what; look at warm copies only for what moves.",
            )
    return None


def _agrees(assign: Any) -> Finding | None:
    before = {"a": (0, 1, 2), "b": (3, 4, 5)}
    one = _assigned(assign, 6, ["a", "b", "c"], before)
    other = _assigned(assign, 6, ["c", "b", "a"], dict(reversed(before.items())))
    if one == other:
        if before == {"a": (0, 1, 2), "b": (3, 4, 5)}:
            return None
        return Finding("`previous` is left as it was.", f"It is {before!r:.60} afterwards.")
    return Finding(
        "Whoever computes it gets the same, in whatever order the members are listed.",
        f"For members a, b, c: {one}; for c, b, a: {other}.",
        hint="Go through members and partitions sorted.",
    )


# ---- The exercises ---------------------------------------------------------------------------------------

EXERCISES: dict[str, Exercise] = {
    "2.1": Exercise(
        title="a partitioner by entity key",
        points=10,
        ladder=(
            "`[naive.StreamProcessor(8).partition_of({'id': n}) for n in 'abc']`, then once more after a restart of "
            "the kernel. And `murmur2(b'21')`: which sign has it?",
            "Which events must keep their order among themselves? Those about one aircraft. So the subject is the key; "
            "the id only where there is no subject. Then hash, make it positive as Kafka does, and take the remainder.",
            "```\n"
            "key = the subject, or the id where the subject is empty\n"
            "h = murmur2 of the key's UTF-8 bytes\n"
            "clear the sign bit: h & 0x7fffffff\n"
            "return the remainder by partition_count\n"
            "```",
        ),
        scenario=BATCHES,
        part="settings",
        adapt=_partitioning,
        shown_part='as_part("2.1", {})',
        probes=(
            ("a partition for every key", _is_a_partition),
            ("the same key in another process", _same_everywhere),
            ("several events about one aircraft", _by_entity),
            ("four keys beside Kafka's own partitions", _as_kafka),
            ("keys with letters beyond ASCII", _in_utf8),
            ("events about nothing", _without_subject),
        ),
        cases=(
            Case(
                "a new version is deployed",
                "at 1s deploy processor",
                rules=(KEEPS, KEY_ORDER),
            ),
        ),
        forbids=("KeyPartitioner", "entity_key", "StreamProcessor"),
        untested="a change of partition_count: most keys then go elsewhere.",
    ),
    "2.2": Exercise(
        title="flush by size and by time",
        points=15,
        ladder=(
            '`BATCHES.run("textbook", flights=20)`: which events were never handled, and what were they waiting for?',
            "Two things can close a batch, and whichever comes first wins. A task that sleeps for the window is started "
            "with the *first* event of a batch. Whoever closes the batch takes the whole list and leaves an empty one. "
            "A lock lets one batch after the other be handled.",
            "```\n"
            "add:\n"
            "    append the event\n"
            "    if there are size_max: await flush\n"
            "    else if it is the first: start the timer\n"
            "\n"
            "timer:\n"
            "    sleep window_s\n"
            "    forget the timer (it must not cancel itself)\n"
            "    flush\n"
            "\n"
            "flush:\n"
            "    cancel the timer, if there is one\n"
            "    batch = the list; the list = a new one\n"
            "    under the lock: if the batch is not empty, await handle(batch)\n"
            "\n"
            "close: flush, which also waits for the lock\n"
            "```",
        ),
        scenario=BATCHES,
        part="processor",
        adapt=lambda answer: partial(AssembledProcessor, answer),
        shown_part='as_part("2.2", {})',
        probes=(
            ("seven events at once, three to a batch", _by_size),
            ("three events within the window", _by_time),
            ("a batch soon after one that was full", _old_timer),
            ("a handler that takes 2 s", _one_at_a_time),
            ("ten producers at once", _crowded),
            ("a handler that is busy for long", _slows_down),
            ("closing with three events left", _drains),
            ("closing while a batch is handled", _closed_meanwhile),
        ),
        cases=(
            Case("a good day", rules=(TAKEN, KEY_ORDER, PROMPT)),
            Case(
                "the handler of departures takes 700 ms longer",
                "500ms..2s slow-handler departed by 700ms",
                rules=(TAKEN, KEY_ORDER),
            ),
            Case("a new version is deployed", "at 1s deploy processor", rules=(TAKEN, KEY_ORDER)),
        ),
        hints=(
            Hint(
                "closed too early",
                lambda run, verdict: verdict.rule == TAKEN and len(run.history.of("crash")) > 0,
                "The old process was replaced, and what it had taken was gone with it. close() must wait until all of it "
                "is handled.",
            ),
            Hint(
                "waits for ever",
                lambda run, verdict: verdict.rule in (TAKEN, PROMPT),
                "Some events wait for others that never come. Does each batch get its own timer, also the one after a "
                "full one?",
            ),
        ),
        forbids=("StreamProcessor", "AssembledProcessor"),
        untested="a handler that raises: here it never does.",
    ),
    "2.3": Exercise(
        title="tumbling, sliding and session windows",
        points=10,
        ladder=(
            "`-1 // 5` and `int(-1 / 5)`. And `TumblingWindows(5).assign(10)`: which window has the event at 10?",
            "A window is half open, so its start is the largest multiple of the slide that is not above the time. From "
            "there go back by the slide as long as the window still holds the time. Sessions: sort the times, and let "
            "the last session grow while the next event is at most the gap behind its last event.",
            "```\n"
            "tumbling: start = t - (t - offset) % size\n"
            "\n"
            "sliding:\n"
            "    start = t - t % slide\n"
            "    while start > t - size: take it; start -= slide\n"
            "    the earliest first\n"
            "\n"
            "sessions:\n"
            "    for t in the sorted times:\n"
            "        if t is not above the end of the last session: its end becomes t + gap\n"
            "        else: a new session (t, t + gap)\n"
            "```",
        ),
        scenario=WINDOWS,
        part="windows",
        adapt=lambda answer: lambda size_s: _Assigner(answer, size_s),
        shown_part='as_part("2.3", {})',
        probes=(
            ("ten tumbling windows, most of them Flink's own tests", _tumbling),
            ("seven times in sliding windows", _sliding),
            ("seven sets of sessions, one of them Beam's", _sessions),
            ("the list that sessions is given", _leaves_the_list),
            ("what a window is made of", _are_pairs),
        ),
        cases=(
            Case(
                "300 departures, counted by the hour, while messages from JFK are slow",
                "1s..2s delay 400ms from JFK",
                rules=(BY_EVENT_TIME,),
                params={"flights": 300},
            ),
        ),
        forbids=("TumblingWindows", "SlidingWindows", "SessionWindows"),
        untested="times that are not whole numbers.",
    ),
    "2.4": Exercise(
        title="a watermark, and late events",
        points=15,
        ladder=(
            '`WINDOWS.run("textbook", plan="1s..2s delay 500ms from EWR", flights=300)`: which rules break, and what '
            "became of the events of EWR?",
            "Three pieces. The watermark: the smallest, over all sources, of the latest time of each, less the delay. "
            "An event whose window ends at or before the watermark is late. After each event, every window that ends at "
            "or before the watermark is reported and forgotten.",
            "```\n"
            "add(key, time_s, source):\n"
            "    start = time_s - time_s % size_s\n"
            "    if start + size_s <= watermark: late(key, time_s)\n"
            "    else: counts[key, start] += 1\n"
            "    latest[source] = the larger of it and time_s\n"
            "    watermark = min of all latest - delay_s\n"
            "    return close()\n"
            "\n"
            "close: for each (key, start), sorted, with start + size_s <= watermark:\n"
            "    take it out of counts, report (key, start, start + size_s, count)\n"
            "\n"
            "end: watermark = infinity; return close()\n"
            "```",
        ),
        scenario=WINDOWS,
        part="counter",
        adapt=lambda answer: lambda parts, params, on_late: _Counting(answer, params, on_late),
        shown_part='as_part("2.4", {})',
        probes=(
            ("one source", _closes),
            ("two sources, one of them slow", _slowest),
            ("an event after its window was closed", _late),
            ("old events after a new one", _never_back),
            ("the end of the stream", _rest),
            ("3000 events", _forgets),
        ),
        cases=(
            Case(
                "300 departures with a delay of 15 minutes",
                rules=(BY_EVENT_TIME, LATE, PROMISE, IN_TIME),
                params={"flights": 300, "delay_min": 15, "idle_min": 0},
            ),
            Case(
                "messages from EWR come half an hour late for a while",
                "1s..2s delay 500ms from EWR",
                rules=(BY_EVENT_TIME, LATE, PROMISE),
                params={"flights": 300, "delay_min": 15, "idle_min": 0},
            ),
        ),
        forbids=("Watermark", "WindowedAggregation"),
        untested="sources that fall silent: one of them would hold the watermark for ever.",
    ),
    "2.5": Exercise(
        title="a bounded buffer with backpressure",
        points=15,
        ladder=(
            '`BATCHES.run("textbook", plan="1s..3s slow-handler departed by 2s")`: how many events wait at most, '
            "and what was the bound?",
            "`put` waits on an `asyncio.Event` that `take` and `close` set. The `while` guards the bound: to be woken "
            "is not to have room (`take(0)` wakes too), so look again. The lock guards the order: without it, one who comes "
            "right after a `take` walks past those who have waited.",
            "```\n"
            "put:\n"
            "    under the lock:\n"
            "        while it is full, and not closed:\n"
            "            clear the event; wait for it\n"
            "        if closed: raise StreamClosed\n"
            "        append\n"
            "\n"
            "take: pop up to count from the left; set the event; return them\n"
            "close: closed = True; set the event\n"
            "```",
        ),
        scenario=BATCHES,
        part="buffer",
        adapt=lambda answer: partial(_Bounded, answer),
        shown_part='as_part("2.5", {})',
        probes=(
            ("in and out again", _first_in_first_out),
            ("a third item for a buffer of two", _waits),
            ("ten producers at once", _crowd),
            ("take(0), which makes no room", _nothing_taken),
            ("a producer that comes right after take(1)", _newcomer),
            ("closing while producers wait", _shuts),
            ("a producer that gives up", _gives_up),
        ),
        cases=(
            Case(
                "the handler of departures takes 2 s longer",
                "1s..3s slow-handler departed by 2s",
                rules=(BOUNDED, TAKEN, KEY_ORDER),
            ),
            Case(
                "eighty events more at once, all about one aircraft",
                "at 500ms burst 80; 0s..3s hot N14228",
                rules=(BOUNDED, TAKEN, KEY_ORDER),
            ),
            Case(
                "a new version is deployed while producers wait",
                "500ms..3s slow-handler departed by 1s; at 1s deploy processor",
                rules=(TAKEN, KEY_ORDER),
            ),
        ),
        forbids=("Buffer", "StreamProcessor"),
        untested="dropping: this one only ever makes its producer wait.",
    ),
    "2.6": Exercise(
        title="state and offset together",
        points=15,
        ladder=(
            '`RESTORE.run("textbook", plan="after write 3 to state crash worker for 500ms")`: what does the worker find '
            "when it comes back?",
            "What must change together stands in one record, and one `replace` puts it in place of the old one: after a "
            "crash there is the old or the new, and nothing between. The offset in it is that of the next event to read.",
            "```\n"
            "restore:\n"
            "    records = read the file\n"
            "    if there is one: take counts and offset from it\n"
            "    return the offset\n"
            "\n"
            "count(offset, airline):\n"
            "    if it is below the next offset: it has been counted\n"
            "    add one; the next offset is offset + 1\n"
            "\n"
            "save: replace the file by one record, with a copy of the counts and the next offset\n"
            "```",
        ),
        scenario=RESTORE,
        part="processor",
        adapt=lambda answer: partial(_Worker, answer),
        shown_part='as_part("2.6", {})',
        probes=(
            ("a good day, and a restart after it", _good_day),
            ("a crash after each write there is", _any_crash),
            ("a new process after each save()", _each_save),
            ("departures that are delivered again", _twice_delivered),
            ("two hundred checkpoints", _stays_small),
        ),
        cases=(
            Case(
                "the worker crashes in the middle of a batch",
                "at 900ms crash worker for 500ms",
                rules=(ONCE, TOGETHER, TO_THE_END),
            ),
            Case(
                "its disk fails half of the time",
                "500ms..1500ms fail-disk worker 50%; at 1800ms crash worker for 300ms",
                rules=(ONCE, TOGETHER, TO_THE_END),
            ),
        ),
        forbids=("Checkpoint", "StreamProcessor"),
        untested="effects outside of the counts: an email that was sent is not taken back.",
    ),
    "2.7": Exercise(
        title="diagnose",
        points=20,
        ladder=(
            "Print `mystery()` and read its verdicts. The broken one names an event by its number, and the time at which it was "
            "called late. Find that number among `run.history.of('arrived')`: from which airport did it come, and of what "
            "hour was it?",
            "An event is late when the watermark has passed the end of its window. So find the first watermark at or "
            "past that end. Whose event moved it? Go back from there to the last record of kind `arrived`: the records of kind "
            "`result` in between are only what that same event closed.",
            "```\n"
            "late = the number of the event that was called late\n"
            "its time = time_s of the record of kind 'arrived' with that number\n"
            "end = the next full hour (3600 s) after it\n"
            "the first record of kind 'watermark' with value_s >= end\n"
            "```",
        ),
        probes=(("the rule, the record and the line", _diagnosis),),
    ),
    "2.8": Exercise(
        title="sticky, with warm copies",
        points=0,
        ladder=(
            "`GROUP.run(parts={'assign': lambda count, members, previous: {m: tuple(range(i, count, len(members))) for "
            'i, m in enumerate(members)}}, plan="at 2s crash worker-2 for 6s")`: how many partitions moved, and how '
            "many must?",
            "Give each member a share first: whoever has most gets the larger ones. Then each keeps what it has, up to its "
            "share, and gives away first what another member holds a warm copy of. What is free goes to warm copies first.",
            "```\n"
            "share, more = divmod(partition_count, number of members)\n"
            "members sorted by (has most, name); the first `more` of them get share + 1\n"
            "each keeps up to its share of what it has:\n"
            "    first those without a warm copy at another member that wants more\n"
            "free = all that nobody keeps\n"
            "for each free partition with a warm copy at a member with room: there\n"
            "the others, in order, to whoever has room\n"
            "```",
        ),
        scenario=GROUP,
        part="assign",
        probes=(
            ("seven rebalances", _sticks),
            ("members listed in another order", _agrees),
            ("warm copies", _warm),
        ),
        cases=(
            Case(
                "worker-2 crashes and comes back",
                "at 2s crash worker-2 for 8s",
                rules=(FEW, GROUP_ONCE, GROUP_END),
            ),
            Case(
                "worker-1 is paused for 6 s",
                "at 2s pause worker-1 for 6s",
                rules=(FEW, GROUP_ONCE, GROUP_END),
            ),
        ),
        forbids=("assign_partitions", "sticky"),
        untested="members of different strength.",
    ),
}
