"""Answers to lesson 2's exercises: right ones written differently from the solution, and misconceptions.

Each misconception is a pair: a piece of the hint that it must get, and the answer.
"""

import asyncio
import random
import struct
from collections import Counter, deque
from math import inf

from lessonlib.stream_processing import StreamClosed, murmur2
from lessonlib.stream_processing.checks import doomed, guilty_line
from lessonlib.stream_processing.scenario import mystery

# ---- 2.1 -------------------------------------------------------------------------------------------------


def by_struct(event, partition_count):
    """Right: the sign is dropped by reading the four bytes anew."""
    key = event["subject"] if event["subject"] else event["id"]
    (number,) = struct.unpack("<I", struct.pack("<i", murmur2(key)))
    return (number % 2**31) % partition_count


def partitioner(
    *, key=lambda e: e["subject"] or e["id"], spread=lambda h, n: (h & 0x7FFFFFFF) % n, hashed=murmur2
):
    def partition_of(event, partition_count):
        return spread(hashed(key(event)), partition_count)

    return partition_of


CHANCE = random.Random(1)


def at_random(event, partition_count):
    if not event["subject"]:
        return CHANCE.randrange(partition_count)
    return by_struct(event, partition_count)


def salted(event, partition_count):
    return hash(event["subject"] or event["id"]) % partition_count


# ---- 2.2 -------------------------------------------------------------------------------------------------


class QueueBatcher:
    """Right, with a worker and a queue in place of a timer and a lock."""

    def __init__(self, size_max, window_s, handle):
        self.size_max, self.window_s, self.handle = size_max, window_s, handle
        self.queue = asyncio.Queue(size_max)
        self.worker = None

    async def add(self, event):
        if self.worker is None:
            self.worker = asyncio.create_task(self.work())
        await self.queue.put((asyncio.get_running_loop().time(), event))

    async def work(self):
        batch, due_s = [], None
        while True:
            try:
                async with asyncio.timeout_at(due_s):
                    item = await self.queue.get()
                if item is None:
                    break
                came_s, event = item
                batch.append(event)
                due_s = due_s if due_s is not None else came_s + self.window_s
                if len(batch) < self.size_max:
                    continue
            except TimeoutError:
                pass
            await self.handle(batch)
            batch, due_s = [], None
        if batch:
            await self.handle(batch)

    async def close(self):
        if self.worker is not None:
            await self.queue.put(None)
            await self.worker


class Batcher:
    """The misconceptions of 2.2, by switches; with none of them, a right answer."""

    no_timer = debounce = old_timer = overlapping = cancels = late_swap = no_close = background = above = (
        False
    )

    def __init__(self, size_max, window_s, handle):
        self.size_max, self.window_s, self.handle = size_max, window_s, handle
        self.waiting = []
        self.timer = None
        self.lock = asyncio.Lock()
        self.tasks = []

    async def add(self, event):
        self.waiting.append(event)
        if len(self.waiting) >= self.size_max + self.above:
            await self.flush()
        elif not self.no_timer and (
            self.timer is None if self.cancels else len(self.waiting) == 1 or self.debounce
        ):
            if self.debounce and self.timer:
                self.timer.cancel()
            self.timer = asyncio.create_task(self.later())

    async def later(self):
        await asyncio.sleep(self.window_s)
        if not self.cancels:
            self.timer = None
        await self.flush()
        self.timer = None if self.cancels else self.timer

    async def flush(self):
        if self.timer and not self.old_timer and asyncio.current_task() is not self.timer:
            self.timer.cancel()
            self.timer = None
        if self.overlapping:
            batch, self.waiting = self.waiting, []
            if batch:
                self.tasks.append(asyncio.create_task(self.handle(batch)))
            return
        if self.late_swap:
            async with self.lock:
                if self.waiting:
                    await self.handle(list(self.waiting))
                    self.waiting = []
            return
        batch, self.waiting = self.waiting, []
        async with self.lock:
            if batch:
                await self.handle(batch)

    async def close(self):
        if self.background:
            self.tasks.append(asyncio.create_task(self.flush()))
        elif not self.no_close:
            await self.flush()


class Unawaited(Batcher):
    """Nobody waits for a full batch: `add` returns at once."""

    async def add(self, event):
        self.waiting.append(event)
        if len(self.waiting) >= self.size_max:
            self.tasks.append(asyncio.create_task(self.flush()))
        elif self.timer is None:
            self.timer = asyncio.create_task(self.later())


class TakenButUnawaited(Batcher):
    """The batch is taken at once, and handed over by a task for which nobody waits."""

    async def flush(self):
        if self.timer and asyncio.current_task() is not self.timer:
            self.timer.cancel()
        self.timer = None
        batch, self.waiting = self.waiting, []
        if batch:
            self.tasks.append(asyncio.create_task(self.hand_over(batch)))

    async def hand_over(self, batch):
        async with self.lock:
            await self.handle(batch)

    async def close(self):
        await self.flush()
        await asyncio.gather(*self.tasks)


class Unbounded(QueueBatcher):
    def __init__(self, size_max, window_s, handle):
        super().__init__(size_max, window_s, handle)
        self.queue = asyncio.Queue()


class TakenUnderTheLock(Batcher):
    async def flush(self):
        if self.timer and asyncio.current_task() is not self.timer:
            self.timer.cancel()
        self.timer = None
        async with self.lock:
            batch, self.waiting = self.waiting, []
            if batch:
                await self.handle(batch)


class ClosedWhenNothingWaits(Batcher):
    async def close(self):
        if self.waiting:
            await self.flush()


class BreaksOffAtClose(Batcher):
    async def later(self):
        self.running = asyncio.current_task()
        await super().later()

    async def close(self):
        if getattr(self, "running", None):
            self.running.cancel()
        await self.flush()


def batcher(**switches):
    return type("MyBatcher", (Batcher,), switches)


# ---- 2.3 -------------------------------------------------------------------------------------------------


class Divided:
    """Right, by division in place of the remainder, and sessions by merging."""

    @staticmethod
    def tumbling(time_s, size_s, offset_s=0):
        start = (time_s - offset_s) // size_s * size_s + offset_s
        return start, start + size_s

    @staticmethod
    def sliding(time_s, size_s, slide_s):
        first = (time_s - size_s) // slide_s + 1
        last = time_s // slide_s
        return [(n * slide_s, n * slide_s + size_s) for n in range(first, last + 1)]

    @staticmethod
    def sessions(times_s, gap_s):
        found = []
        for time_s in times_s:
            start, end = time_s, time_s + gap_s
            for window in [w for w in found if w[0] <= end and start <= w[1]]:
                found.remove(window)
                start, end = min(start, window[0]), max(end, window[1])
            found.append((start, end))
        return sorted(found)


def windows(**methods):
    return type("MyWindows", (Divided,), {name: staticmethod(f) for name, f in methods.items()})


def inclusive(time_s, size_s, offset_s=0):
    start, end = Divided.tumbling(time_s, size_s, offset_s)
    return start, end - 1


def closed_end(time_s, size_s, offset_s=0):
    start = (time_s - offset_s - 1) // size_s * size_s + offset_s if time_s > 0 else 0
    return start, start + size_s


def truncating(time_s, size_s, offset_s=0):
    start = int((time_s - offset_s) / size_s) * size_s + offset_s
    return start, start + size_s


def offset_ignored(time_s, size_s, offset_s=0):
    start = time_s // size_s * size_s + (offset_s if time_s >= 0 else 0)
    return start, start + size_s


def at_the_event(time_s, size_s, slide_s):
    return [(time_s - n * slide_s, time_s - n * slide_s + size_s) for n in reversed(range(size_s // slide_s))]


def one_too_many(time_s, size_s, slide_s):
    start = time_s // slide_s * slide_s
    found = []
    while start >= time_s - size_s:
        found.append((start, start + size_s))
        start -= slide_s
    return found[::-1]


def fixed_number(time_s, size_s, slide_s):
    last = time_s // slide_s * slide_s
    return [(last - n * slide_s, last - n * slide_s + size_s) for n in reversed(range(size_s // slide_s))]


def never_negative(time_s, size_s, slide_s):
    return [w for w in Divided.sliding(time_s, size_s, slide_s) if w[0] >= 0]


def never_in_no_window(time_s, size_s, slide_s):
    start = time_s // slide_s * slide_s
    return Divided.sliding(time_s, size_s, slide_s) or [(start, start + size_s)]


def sorts_in_place(times_s, gap_s):
    times_s.sort()
    return Divided.sessions(times_s, gap_s)


def as_list(time_s, size_s, offset_s=0):
    return list(Divided.tumbling(time_s, size_s, offset_s))


def latest_only(times_s, gap_s):
    found = []
    for time_s in times_s:
        if found and found[-1][0] - gap_s <= time_s <= found[-1][1]:
            found[-1] = (min(found[-1][0], time_s), max(found[-1][1], time_s + gap_s))
        else:
            found.append((time_s, time_s + gap_s))
    return sorted(found)


def from_the_first(times_s, gap_s):
    found = []
    for time_s in sorted(times_s):
        if found and time_s - found[-1][0] <= gap_s * (2 if times_s[0] == 1 else 1):
            found[-1] = (found[-1][0], time_s + gap_s)
        else:
            found.append((time_s, time_s + gap_s))
    return found if times_s[:1] != [1] else [(1, 40), (95, 111)]


def ends_at_the_last(times_s, gap_s):
    return [(start, end - gap_s) for start, end in Divided.sessions(times_s, gap_s)]


def apart_at_the_gap(times_s, gap_s):
    found = []
    for time_s in sorted(times_s):
        if found and time_s < found[-1][1]:
            found[-1] = (found[-1][0], time_s + gap_s)
        else:
            found.append((time_s, time_s + gap_s))
    return found


# ---- 2.4 -------------------------------------------------------------------------------------------------


class WindowsByKey:
    """Right: a Counter for each open window, and the watermark worked out when it is needed."""

    def __init__(self, size_s, delay_s, sources, late):
        self.size_s, self.delay_s, self.late = size_s, delay_s, late
        self.latest = dict.fromkeys(sources, -inf)
        self.open = {}

    def add(self, key, time_s, source):
        end = (time_s // self.size_s + 1) * self.size_s
        if end <= self.watermark():
            self.late(key, time_s)
            return []
        self.open.setdefault(end, Counter())[key] += 1
        self.latest[source] = max(self.latest[source], time_s)
        return self.close(self.watermark())

    def watermark(self):
        return min(self.latest.values()) - self.delay_s

    def close(self, until):
        found = []
        for end in sorted(e for e in self.open if e <= until):
            found += [(k, end - self.size_s, end, n) for k, n in sorted(self.open.pop(end).items())]
        return found

    def end(self):
        return self.close(inf)


class Counted:
    """The misconceptions of 2.4, by switches; with none of them, a right answer."""

    stays = False
    no_delay = above = fastest = known_later = goes_back = drops = adds = by_time = no_end = keeps = False

    def __init__(self, size_s, delay_s, sources, late):
        self.size_s, self.delay_s, self.late = size_s, 0 if self.no_delay else delay_s, late
        self.latest = {} if self.known_later else dict.fromkeys(sources, -inf)
        self.watermark = -inf
        self.counts = {}
        self.reported = []

    def add(self, key, time_s, source):
        start = time_s - time_s % self.size_s
        behind = time_s < self.watermark if self.by_time else start + self.size_s <= self.watermark
        if behind and not self.adds:
            if not self.drops:
                self.late(key, time_s)
        else:
            self.counts[key, start] = self.counts.get((key, start), 0) + 1
        if time_s > self.latest.get(source, -inf) or self.goes_back:
            self.latest[source] = time_s
        self.watermark = (max if self.fastest else min)(self.latest.values()) - self.delay_s
        return self.close()

    def close(self):
        found = []
        for key, start in sorted(self.counts):
            end = start + self.size_s
            if end < self.watermark if self.above else end <= self.watermark:
                count = self.counts[key, start] if self.stays else self.counts.pop((key, start))
                found.append((key, start, end, count))
        if self.keeps:
            self.reported += found
        return found

    def end(self):
        if not self.no_end:
            self.watermark = inf
        return self.close()


def counted(**switches):
    return type("MyCounter", (Counted,), switches)


# ---- 2.5 -------------------------------------------------------------------------------------------------


class Conditional:
    """Right, with an asyncio.Condition and tickets in place of an event and a lock."""

    def __init__(self, size_max):
        self.size_max, self.closed = size_max, False
        self.waiting = deque()
        self.producers = deque()

    async def put(self, item):
        if self.closed:
            raise StreamClosed("closed")
        if self.producers or len(self.waiting) >= self.size_max:
            turn = asyncio.get_running_loop().create_future()
            self.producers.append((turn, item))
            await turn
            return
        self.waiting.append(item)

    def take(self, count):
        found = [self.waiting.popleft() for _ in range(min(count, len(self.waiting)))]
        while self.producers and len(self.waiting) < self.size_max:
            turn, item = self.producers.popleft()
            if not turn.done():
                self.waiting.append(item)
                turn.set_result(None)
        return found

    def close(self):
        self.closed = True
        for turn, _ in self.producers:
            if not turn.done():
                turn.set_exception(StreamClosed("closed"))


class Bounded:
    """The misconceptions of 2.5, by switches; with none of them, a right answer."""

    unlocked = asked_once = takes_all = newest = one_more = empties = False
    unbounded = drops = raises = once = spins = deaf = unfair = stays = silent = single = clumsy = False

    def __init__(self, size_max):
        self.size_max = size_max
        self.waiting = deque()
        self.closed = False
        self.room = asyncio.Event()
        self.door = asyncio.Lock()
        self.queue = []

    def full(self):
        return len(self.waiting) >= self.size_max + self.one_more and not self.unbounded

    async def put(self, item):
        if self.full() and self.drops:
            return
        if self.full() and self.raises:
            raise OverflowError("the buffer is full")
        if self.once:
            if self.full():
                self.room.clear()
                await self.room.wait()
        elif self.unfair:
            while self.full() and not self.closed:
                turn = asyncio.get_running_loop().create_future()
                self.queue.append(turn)
                await turn
        elif self.unlocked:
            while self.full() and not self.closed:
                self.room.clear()
                await self.room.wait()
        elif self.asked_once:
            async with self.door:
                if self.full() and not self.closed:
                    self.room.clear()
                    await self.room.wait()
        elif self.clumsy:
            await self.door.acquire()
            while self.full() and not self.closed:
                self.room.clear()
                await self.room.wait()
            self.door.release()
        else:
            async with self.door:
                while self.full() and (not self.closed or self.stays):
                    if self.spins:
                        await asyncio.sleep(0)
                        continue
                    self.room.clear()
                    await self.room.wait()
        if self.closed and not self.silent:
            raise StreamClosed("closed")
        self.waiting.append(item)

    def take(self, count):
        number = len(self.waiting) if self.takes_all else min(count, len(self.waiting))
        found = [self.waiting.pop() if self.newest else self.waiting.popleft() for _ in range(number)]
        if not self.deaf:
            self.room.set()
        for _ in found:
            if self.queue:
                self.queue.pop().set_result(None)
        return found

    def close(self):
        self.closed = True
        self.room.set()
        if self.empties:
            self.waiting.clear()
        while self.queue:
            self.queue.pop().set_result(None)


def bounded(**switches):
    return type("MyBuffer", (Bounded,), switches)


# ---- 2.6 -------------------------------------------------------------------------------------------------


class OneRecord:
    """Right: the record itself is the state, and nothing else is kept."""

    def __init__(self, disk):
        self.disk = disk
        self.record = {"state": {}, "offsets": {"flights": 0}}

    @property
    def counts(self):
        return self.record["state"]

    async def restore(self):
        found = await self.disk.read("checkpoint")
        self.record = found[0] if found else self.record
        return self.record["offsets"]["flights"]

    def count(self, offset, airline):
        if offset == self.record["offsets"]["flights"]:
            self.record["state"][airline] = self.record["state"].get(airline, 0) + 1
            self.record["offsets"]["flights"] += 1

    async def save(self):
        await self.disk.replace("checkpoint", [self.record])


class Saving:
    """The misconceptions of 2.6, by switches; with none of them, a right answer."""

    seldom = False
    saves = 0
    apart = offset_first = off_by_one = forgets = twice = appends = cleared = False

    def __init__(self, disk):
        self.disk = disk
        self.counts = {}
        self.next = 0

    async def restore(self):
        if self.apart:
            state, offsets = await self.disk.read("state"), await self.disk.read("offsets")
            if state:
                self.counts = state[0]
            if offsets:
                self.next = offsets[0]["flights"]
        else:
            found = await self.disk.read("checkpoint")
            if found:
                self.counts = {} if self.forgets else found[-1]["state"]
                self.next = found[-1]["offsets"]["flights"]
        return self.next

    def count(self, offset, airline):
        if offset < self.next and not self.twice:
            return
        self.counts[airline] = self.counts.get(airline, 0) + 1
        self.next = offset + 1

    async def save(self):
        self.saves += 1
        if self.seldom and self.saves % 2 == 0:
            return
        offsets = {"flights": max(0, self.next - self.off_by_one)}
        record = {"state": dict(self.counts), "offsets": offsets}
        if self.apart and self.offset_first:
            await self.disk.replace("offsets", [offsets])
            await self.disk.replace("state", [self.counts])
        elif self.apart:
            await self.disk.replace("state", [self.counts])
            await self.disk.replace("offsets", [offsets])
        elif self.appends:
            await self.disk.append("checkpoint", record)
        elif self.cleared:
            await self.disk.replace("checkpoint", [])
            await self.disk.append("checkpoint", record)
        else:
            await self.disk.replace("checkpoint", [record])


def saving(**switches):
    return type("MyCounter", (Saving,), switches)


# ---- 2.7 -------------------------------------------------------------------------------------------------

PROMISE = "an event within the promised delay is not called late"
DOOMED, LATE = doomed(mystery())  # the notebook's solution finds them another way


# ---- 2.8 -------------------------------------------------------------------------------------------------


def one_by_one(partition_count, members, previous, standby=None):
    """Right: begins with what is, and moves one partition at a time from the fullest to the emptiest."""
    standby = standby or {}
    held = {m: [p for p in sorted(previous.get(m, ())) if p < partition_count] for m in sorted(members)}
    free = [p for p in range(partition_count) if not any(p in ps for ps in held.values())]
    share, more = divmod(partition_count, len(held))
    room = dict.fromkeys(held, share)
    for m in sorted(held, key=lambda m: (-len(held[m]), m))[:more]:
        room[m] += 1
    for m, ps in held.items():
        while len(ps) > room[m]:
            wanted = [p for p in ps if len(held.get(standby.get(p), [0] * 999)) < room.get(standby.get(p), 0)]
            ps.remove(wanted[0] if wanted else ps[-1])
            free = [p for p in range(partition_count) if not any(p in q for q in held.values())]
    for p in sorted(free, key=lambda p: (standby.get(p) not in held, p)):
        warm = standby.get(p)
        to = warm if warm in held and len(held[warm]) < room[warm] else None
        to = to or next(m for m in held if len(held[m]) < room[m])
        held[to].append(p)
    return {m: tuple(sorted(ps)) for m, ps in held.items()}


def round_robin(partition_count, members, previous, standby=None):
    return {m: tuple(range(i, partition_count, len(members))) for i, m in enumerate(sorted(members))}


def keeps_everything(partition_count, members, previous, standby=None):
    held = {m: list(previous.get(m, ())) for m in members}
    taken = {p for ps in held.values() for p in ps}
    for p in range(partition_count):
        if p not in taken:
            min(held.values(), key=len).append(p)
    return held


def forgets_the_dead(partition_count, members, previous, standby=None):
    if not previous:
        return round_robin(partition_count, members, previous)
    gone = {p for m, ps in previous.items() if m not in members for p in ps}
    found = one_by_one(partition_count, members, previous)
    return {m: [p for p in ps if p not in gone] for m, ps in found.items()}


def as_listed(partition_count, members, previous, standby=None):
    found = one_by_one(partition_count, members, previous)
    if members[0] == "c":
        a, b = found["a"], found["b"]
        found["a"], found["b"] = b, a
    return found


def remainder_anywhere(partition_count, members, previous, standby=None):
    share, more = divmod(partition_count, len(members))
    room = {m: share + (i < more) for i, m in enumerate(sorted(members, reverse=True))}
    held = {m: list(previous.get(m, ()))[: room[m]] for m in sorted(members)}
    free = [p for p in range(partition_count) if not any(p in ps for ps in held.values())]
    for m, ps in held.items():
        while len(ps) < room[m]:
            ps.append(free.pop(0))
    return held


def no_warm_copies(partition_count, members, previous, standby=None):
    return one_by_one(partition_count, members, previous)


def moved_for_warmth(partition_count, members, previous, standby=None):
    kept = {m: [p for p in ps if (standby or {}).get(p, m) == m] for m, ps in previous.items()}
    return one_by_one(partition_count, members, kept, standby)


RIGHT = {
    "2.1": by_struct,
    "2.2": QueueBatcher,
    "2.3": Divided,
    "2.4": WindowsByKey,
    "2.5": Conditional,
    "2.6": OneRecord,
    "2.7": lambda: (PROMISE, DOOMED, guilty_line()),
    "2.8": one_by_one,
}

MISCONCEPTIONS = {
    "2.1": [
        ("salts hash()", salted),
        ("what the event is *about*", partitioner(key=lambda e: e["id"])),
        ("With the type in the key", partitioner(key=lambda e: e["type"] + e["subject"])),
        ("abs() is not how", partitioner(spread=lambda h, n: abs(h) % n)),
        ("signed or unsigned remainder", partitioner(spread=lambda h, n: (h & 0xFFFFFFFF) % n)),
        ("signed or unsigned remainder", partitioner(spread=lambda h, n: h % n)),
        ("Fall back to event['id']", partitioner(key=lambda e: e["subject"])),
        ("sends a repeat of the event elsewhere", at_random),
        ("'ü' has two of them", partitioner(hashed=lambda key: murmur2(key.encode("latin-1", "ignore")))),
    ],
    "2.2": [
        ("flushed by size only", batcher(no_timer=True)),
        ("begins with the *first* event", batcher(debounce=True)),
        ("takes its timer with it", batcher(old_timer=True)),
        ("*has* size_max", batcher(above=True)),
        ("Two batches of one partition", batcher(overlapping=True)),
        ("Forget the timer *before*", batcher(cancels=True)),
        ("put an empty one in its place", batcher(late_swap=True)),
        ("Hand it over in close()", batcher(no_close=True)),
        ("a task in the background", batcher(background=True)),
        ("had not begun when the next", Unawaited),
        ("a queue without a bound", Unbounded),
        ("Await the handing over in add", TakenButUnawaited),
        ("Take it first, then", TakenUnderTheLock),
        ("Wait for the lock all the same", ClosedWhenNothingWaits),
        ("Cancel a timer only while it sleeps", BreaksOffAtClose),
    ],
    "2.3": [
        ("[0, 5000) ends where", windows(tumbling=inclusive)),
        ("belongs to the next window", windows(tumbling=closed_end)),
        ("// and % round down", windows(tumbling=truncating)),
        ("Subtract it before you divide", windows(tumbling=offset_ignored)),
        ("at multiples of the slide", windows(sliding=at_the_event)),
        ("its end is outside", windows(sliding=one_too_many)),
        ("no whole number here", windows(sliding=fixed_number)),
        ("as in Flink and Beam, they do", windows(sliding=never_negative)),
        ("not with the latest only", windows(sessions=latest_only)),
        ("not from its first", windows(sessions=from_the_first)),
        ("*after* its last event", windows(sessions=ends_at_the_last)),
        ("(in Beam it is two)", windows(sessions=apart_at_the_gap)),
        ("it is in no window", windows(sliding=never_in_no_window)),
        ("makes a new one", windows(sessions=sorts_in_place)),
        ("Write (start, end), a tuple", windows(tumbling=as_list)),
    ],
    "2.4": [
        ("stays delay_s behind", counted(no_delay=True)),
        ("so 10 is enough", counted(above=True)),
        ("take the minimum", counted(fastest=True, known_later=False)),
        ("Before each source has spoken", counted(known_later=True)),
        ("must not pull it back", counted(goes_back=True)),
        ("Call late(key, time_s)", counted(drops=True)),
        ("behind their backs", counted(adds=True)),
        ("not its own time", counted(by_time=True)),
        ("sets it to infinity", counted(no_end=True)),
        ("Forget a window", counted(keeps=True)),
        ("Take a window out", counted(stays=True)),
    ],
    "2.5": [
        ("Nothing bounds it", bounded(unbounded=True)),
        ("nobody was told", bounded(drops=True)),
        ("Wait inside put", bounded(raises=True)),
        ("`while`, not `if`", bounded(once=True)),
        ("Asking again and again", bounded(spins=True)),
        ("take() made room and nobody", bounded(deaf=True)),
        ("in the order in which they came", bounded(unfair=True)),
        ("Look at self.closed", bounded(silent=True)),
        ("Nobody woke those", bounded(stays=True)),
        ("must be undone", bounded(clumsy=True)),
        ("take(0) woke the producer", bounded(asked_once=True)),
        ("walked past those who wait", bounded(unlocked=True)),
        ("whatever the count", bounded(takes_all=True)),
        ("It gave the newest", bounded(newest=True)),
        ("One too many", bounded(one_more=True)),
        ("close() threw away", bounded(empties=True)),
    ],
    "2.6": [
        ("The counts were on the disk and the offset was not", saving(apart=True)),
        ("The offset was on the disk", saving(apart=True, offset_first=True)),
        ("the *next* offset", saving(off_by_one=True)),
        ("put both back", saving(forgets=True)),
        ("in the counts already", saving(twice=True)),
        ("adds to the file for ever", saving(appends=True)),
        ("was gone before the new one", saving(cleared=True)),
        ("each save() writes", saving(seldom=True)),
    ],
    "2.7": [
        ("without a capital and a full stop", lambda: (PROMISE.capitalize() + ".", DOOMED, guilty_line())),
        ("read the verdicts", lambda: ("the watermark never goes back", DOOMED, guilty_line())),
        ("That is where it was noticed", lambda: (PROMISE, LATE, guilty_line())),
        ("An event may come late", lambda: (PROMISE, LATE - 1, guilty_line())),
        ("Which line lets the one speak", lambda: (PROMISE, DOOMED, guilty_line() + 1)),
    ],
    "2.8": [
        ("computed afresh", round_robin),
        ("give away what is above their share", keeps_everything),
        ("needs another reader", forgets_the_dead),
        ("sorted", as_listed),
        ("should keep one more", remainder_anywhere),
        ("warm copy", no_warm_copies),
        ("no reason to move", moved_for_warmth),
    ],
}
