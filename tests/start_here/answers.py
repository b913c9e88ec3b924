"""Answers to lesson 0's exercises: right ones written differently from the solution, and misconceptions.

Each misconception is a pair: a piece of the hint that it must get, and the answer.
"""

import asyncio
import contextlib
import threading

from lessonlib.start_here.rules import every_sale_counts, no_write_undoes_another
from lessonlib.start_here.scenario import COUNTER, incident

# ---- 0.2 -------------------------------------------------------------------------------------------------

PLAN = str(incident().plan)
FIRST, LATER = no_write_undoes_another.name, every_sale_counts.name


def replayed(system="textbook", plan=PLAN, seed=7, sales=24):
    return COUNTER.run(system, plan=plan, seed=seed, sales=sales)


def found_by_the_verdict():
    """Finds the record instead of counting to it."""
    run = replayed()
    first = run.broken[0]
    return run, first.rule, run.history.records.index(first.records[-1])


# ---- 0.3 -------------------------------------------------------------------------------------------------


class OneWorker:
    """Lets a single task do all the work, so that nothing has to be locked."""

    def __init__(self, store):
        self.store = store
        self.orders = asyncio.Queue()
        self.worker = None

    async def add(self):
        if self.worker is None:
            self.worker = asyncio.create_task(self.work())
        done = asyncio.get_running_loop().create_future()
        await self.orders.put(done)
        await done

    async def work(self):
        while True:
            done = await self.orders.get()
            if done.cancelled():
                continue
            await self.store.write(await self.store.read() + 1)
            if not done.done():
                done.set_result(None)


class NoLock:
    def __init__(self, store):
        self.store = store

    async def add(self):
        value = await self.store.read()
        await self.store.write(value + 1)


class LockInTheCall(NoLock):
    async def add(self):
        lock = asyncio.Lock()
        async with lock:
            await NoLock.add(self)


class LockAroundTheWrite(NoLock):
    def __init__(self, store):
        super().__init__(store)
        self.lock = asyncio.Lock()

    async def add(self):
        value = await self.store.read()
        async with self.lock:
            await self.store.write(value + 1)


class LooksAgain(NoLock):
    async def add(self):
        while True:
            value = await self.store.read()
            if await self.store.read() == value:
                await self.store.write(value + 1)
                return


class InMemory(NoLock):
    value = None

    async def add(self):
        if self.value is None:
            self.value = await self.store.read()
        self.value += 1
        await self.store.write(self.value)


class FromZero(NoLock):
    value = 0

    async def add(self):
        self.value += 1
        await self.store.write(self.value)


class NotAwaited(NoLock):
    async def add(self):
        value = await self.store.read()
        asyncio.get_running_loop().create_task(self.store.write(value + 1))


class Leaves(NoLock):
    busy = False

    async def add(self):
        if self.busy:
            return
        self.busy = True
        try:
            await NoLock.add(self)
        finally:
            self.busy = False


class NeverOpens(NoLock):
    def __init__(self, store):
        super().__init__(store)
        self.lock = asyncio.Lock()

    async def add(self):
        await self.lock.acquire()
        await NoLock.add(self)
        self.lock.release()


class OpensAfterAnError(NeverOpens):
    async def add(self):
        await self.lock.acquire()
        try:
            await NoLock.add(self)
        except Exception:
            self.lock.release()
            raise
        self.lock.release()


class TriesAgainWhenCancelled(NoLock):
    def __init__(self, store):
        super().__init__(store)
        self.lock = asyncio.Lock()

    async def add(self):
        try:
            async with self.lock:
                await NoLock.add(self)
        except asyncio.CancelledError:
            await self.add()
            raise


class RemembersAfterTheWrite(NeverOpens):
    """Under a lock, but what it remembers is a step behind when the call is cancelled after its write took effect."""

    value = None

    async def add(self):
        async with self.lock:
            if self.value is None:
                self.value = await self.store.read()
            await self.store.write(self.value + 1)
            self.value += 1


class LockOfThreads(NeverOpens):
    def __init__(self, store):
        super().__init__(store)
        self.lock = threading.Lock()

    async def add(self):
        with self.lock:
            await NoLock.add(self)


class SwallowsTheCancellation(NeverOpens):
    async def add(self):
        async with self.lock:
            with contextlib.suppress(asyncio.CancelledError):
                await NoLock.add(self)


class WritesWhatItRead(NoLock):
    async def add(self):
        await self.store.write(await self.store.read())


class PlainWith(NeverOpens):
    async def add(self):
        with self.lock:
            await NoLock.add(self)


class ReadsWithoutAwait(NoLock):
    async def add(self):
        value = self.store.read()
        await self.store.write(value + 1)


class Refuses(Leaves):
    async def add(self):
        if self.busy:
            raise RuntimeError("busy, come back later")
        await Leaves.add(self)


class Spins(Leaves):
    async def add(self):
        while self.busy:
            await asyncio.sleep(0)
        await Leaves.add(self)


class NotAsync(NoLock):
    def add(self):
        return None


class Remembers(NeverOpens):
    """Right: reads once, under the lock, and remembers the number before it writes."""

    value = None

    async def add(self):
        async with self.lock:
            if self.value is None:
                self.value = await self.store.read()
            self.value += 1
            await self.store.write(self.value)


class Sleeps(Leaves):
    """Right, if not pretty: looks every millisecond whether it is its turn."""

    async def add(self):
        while self.busy:
            await asyncio.sleep(0.001)
        await Leaves.add(self)


RIGHT = {
    "0.1": lambda: list("afgbdehicj"),
    "0.2": found_by_the_verdict,
    "0.3": OneWorker,
}

ALSO_RIGHT = {"0.1": [lambda: "A F G B D E H I C J"], "0.3": [Sleeps, Remembers]}

MISCONCEPTIONS = {
    "0.1": [
        ("`create_task` starts nothing yet", lambda: "ABDFGEHICJ"),
        ("runs the coroutine on the spot", lambda: "AFBDGEHICJ"),
        ("does not wait to be awaited", lambda: "AFGHIDEBCJ"),
        ("after its second", lambda: "AFGBDHIECJ"),
        ("compare the seconds", lambda: "AFGBDCEHIJ"),
        ("does not go on before the bread", lambda: "AFGBDEHIJC"),
    ],
    "0.2": [
        ("names the system", lambda: (replayed("pattern"), FIRST, 67)),
        ("The plan is different", lambda: (replayed(plan=""), FIRST, 67)),
        ("The seed belongs", lambda: (replayed(seed=1), FIRST, 67)),
        ("The number of sales", lambda: (replayed(sales=20), FIRST, 67)),
        ("The earliest is the cause", lambda: (replayed(), LATER, 67)),
        ("A fault is what came from outside", lambda: (replayed(), FIRST, 52)),
        ("Nothing is lost by reading", lambda: (replayed(), FIRST, 63)),
        ("did no harm by itself", lambda: (replayed(), FIRST, 65)),
        ("printed in front of the record", lambda: (replayed(), FIRST, 1.334)),
        ("Which record has that time", lambda: (replayed(), FIRST, 68)),
    ],
    "0.3": [
        ("once in __init__", NoLock),
        ("once in __init__", LockInTheCall),
        ("The read belongs inside too", LockAroundTheWrite),
        ("It reads twice", LooksAgain),
        ("the older one arrives last", InMemory),
        ("also from yesterday", FromZero),
        ("Await the write", NotAwaited),
        ("do not leave", Leaves),
        ("opens it on every way", NeverOpens),
        ("opens it on every way", OpensAfterAnError),
        ("without pause", Spins),
        ("async def add", NotAsync),
        ("may be in the store already", TriesAgainWhenCancelled),
        ("a step behind", RemembersAfterTheWrite),
        ("waits for its turn", Refuses),
        ("never swallow", SwallowsTheCancellation),
        ("one more than what it read", WritesWhatItRead),
        ("`async with`", PlainWith),
        ("`await store.read()`", ReadsWithoutAwait),
    ],
}
