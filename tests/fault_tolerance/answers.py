"""For each exercise of lesson 3: a right answer, written otherwise than the solution, and the misconceptions."""

import asyncio
import random as random_module
import time
from collections import Counter, deque

from lessonlib.fault_tolerance import (
    BulkheadFull,
    CallFailed,
    CircuitOpen,
    NotRetryable,
    RetriesExhausted,
    RetryBudgetSpent,
)

# ---- 3.1 -------------------------------------------------------------------------------------------------


def by_steps(retry, base_s, *, cap_s, random, previous_s=0.0):
    """Right: doubles in a loop that ends at the cap, and scales a draw from [0, 1)."""
    longest = base_s
    for _ in range(retry - 1):
        if longest >= cap_s:
            break
        longest *= 2
    return random.random() * min(longest, cap_s)


def no_jitter(retry, base_s, *, cap_s, random, previous_s=0.0):
    return min(cap_s, base_s * 2 ** (retry - 1))


def jitter_then_cap(retry, base_s, *, cap_s, random, previous_s=0.0):
    return min(cap_s, random.uniform(0, base_s * 2 ** (retry - 1)))


def no_cap(retry, base_s, *, cap_s, random, previous_s=0.0):
    return random.uniform(0, base_s * 2 ** (retry - 1))


def doubled_too_early(retry, base_s, *, cap_s, random, previous_s=0.0):
    return random.uniform(0, min(cap_s, base_s * 2**retry))


def half_of_it_certain(retry, base_s, *, cap_s, random, previous_s=0.0):
    longest = min(cap_s, base_s * 2 ** (retry - 1))
    return longest / 2 + random.uniform(0, longest / 2)


def the_modules_chance(retry, base_s, *, cap_s, random, previous_s=0.0):
    return random_module.uniform(0, min(cap_s, base_s * 2 ** (retry - 1)))


def always_30_s(retry, base_s, *, cap_s, random, previous_s=0.0):
    return random.uniform(0, min(30.0, base_s * 2 ** (retry - 1)))


def always_from_1_s(retry, base_s, *, cap_s, random, previous_s=0.0):
    return random.uniform(0, min(cap_s, 2 ** (retry - 1)))


def minds_the_wait_before(retry, base_s, *, cap_s, random, previous_s=0.0):
    return random.uniform(0, max(previous_s, min(cap_s, base_s * 2 ** (retry - 1))))


# ---- 3.2 -------------------------------------------------------------------------------------------------


class Tries:
    """The misconceptions of 3.2, by switches; with none of them, a right answer that counts down."""

    everything = nothing = bare = one_more = last_sleep = swallow_cause = cancelled_too = False
    no_deadline = blind_wait = unjittered = always_first = short_cap = module = to_the_end = os_errors = False
    miscounts = miscounts_deadline = False

    def __init__(self, *, attempts_max=3, base_s=1.0, jitter=None, retryable=None):
        self.attempts_max, self.base_s, self.jitter = attempts_max + self.one_more, base_s, jitter

    def deserves(self, error):
        if self.nothing:
            return False
        return self.everything or isinstance(
            error, OSError if self.os_errors else ConnectionError | TimeoutError
        )

    async def call(self, function, *args, random, deadline, budget):
        caught = BaseException if self.cancelled_too else Exception
        left = self.attempts_max
        while True:
            left -= 1
            done = self.attempts_max - left
            told = 99 if self.miscounts else done
            try:
                if self.no_deadline:
                    result = await function(*args)
                else:
                    result = await deadline.call(function, *args)
                budget.on_success()
                return result
            except CallFailed:
                raise
            except caught as error:
                problem = error
            if not self.deserves(problem) and not isinstance(problem, asyncio.CancelledError):
                if self.bare:
                    raise problem
                raise NotRetryable(str(problem), attempts=told) from problem
            budget.on_failure()
            wait_s = self.jitter(
                1 if self.always_first else done,
                self.base_s,
                cap_s=3.0 if self.short_cap else 30.0,
                random=random_module if self.module else random,
            )
            if self.unjittered:
                wait_s = self.base_s * 2 ** (done - 1)
            if self.last_sleep and not left:
                await asyncio.sleep(wait_s)
            if not left:
                raise RetriesExhausted(str(problem), attempts=told) from problem
            if not budget.allows_retry:
                raise RetryBudgetSpent(str(problem), attempts=done) from problem
            late = wait_s > deadline.remaining_s if self.to_the_end else wait_s >= deadline.remaining_s
            if late and not self.blind_wait and not self.no_deadline:
                raise deadline.error(77 if self.miscounts_deadline else done) from problem
            await asyncio.sleep(wait_s)


def tries(**switches):
    return type("MyTries", (Tries,), switches)


# ---- 3.3 -------------------------------------------------------------------------------------------------


class Fuse:
    """The misconceptions of 3.3, by switches; with none of them, a right answer with a set of probes."""

    never = crowd = lose_permit = trips_on_anything = old_news = silent = no_new_wait = False
    never_anew = by_chance_anew = counts_bad_as_good = too_wide = too_soon = too_late = ignores_probe = False
    old_success = old_permit = by_state = no_timeouts = False
    threshold, good_probes, permits = 5, 3, 3

    def __init__(self, service, *, open_s=2.0, on_transition=None):
        self.service, self.open_s, self.hook = service, open_s, on_transition
        self.state, self.bad, self.good = "closed", 0, 0
        self.probes = set()
        self.until = 0.0

    def now(self):
        return asyncio.get_running_loop().time()

    def go(self, target):
        source, self.state = self.state, target
        self.bad = self.good = 0
        self.probes = set()
        if target == "open" and not (self.no_new_wait and self.until):
            self.until = self.now() + self.open_s
        if not self.silent:
            self.hook(self.service, source, target)

    def same(self, probes, state):
        return self.old_news or (self.state == state if self.by_state else self.probes is probes)

    def fail(self):
        self.bad += 1
        if (self.state == "half-open" and not self.ignores_probe) or self.bad == self.threshold:
            self.go("open")

    def work(self):
        if not self.never_anew:
            self.bad = 0
        if self.state == "half-open":
            self.good += 1
            if self.good == self.good_probes:
                self.go("closed")

    async def call(self, function, *args):
        waited = self.now() - self.until  # since it may be half-open
        if self.too_soon:
            waited += 0.1 * self.open_s
        if self.state == "open" and not self.never and (waited > 0 if self.too_late else waited >= 0):
            self.go("half-open")
        if self.state == "open":
            raise CircuitOpen("open")
        if self.state == "half-open" and len(self.probes) + self.good >= self.permits and not self.crowd:
            raise CircuitOpen("half-open")
        token, probes, state = object(), self.probes, self.state
        probes.add(token)
        failures = (ConnectionError,) if self.no_timeouts else (ConnectionError, TimeoutError)
        failures = (OSError,) if self.too_wide else failures
        try:
            result = await function(*args)
        except failures:
            probes.discard(token)
            if self.same(probes, state):
                self.fail()
            raise
        except BaseException:
            if not self.lose_permit:
                probes.discard(token)
            if self.old_permit and self.probes is not probes:
                self.good -= 1
            if self.trips_on_anything:
                self.fail()
            if self.by_chance_anew:
                self.bad = 0
            if self.counts_bad_as_good and self.state == "half-open":
                self.work()
            raise
        probes.discard(token)
        if self.same(probes, state) or self.old_success:
            self.work()
        return result


class ByTheWallClock:
    """A breaker that asks the operating system for the time."""

    def __init__(self, service, *, open_s=2.0, on_transition=None):
        self.service, self.open_s, self.hook = service, open_s, on_transition
        self.bad, self.opened = 0, None

    async def call(self, function, *args):
        if self.opened is not None and time.monotonic() - self.opened < self.open_s:
            raise CircuitOpen("open")
        try:
            return await function(*args)
        except ConnectionError:
            self.bad += 1
            if self.bad == 5:
                self.opened = time.monotonic()
                self.hook(self.service, "closed", "open")
            raise


def fuse(**switches):
    return type("MyFuse", (Fuse,), switches)


# ---- 3.4 -------------------------------------------------------------------------------------------------


class Ring:
    """The misconceptions of 3.4, by switches; with none of them, a right answer with a ring and running counts."""

    no_minimum = in_a_row = for_ever = not_slow = on_failure_only = more_than = False
    one_more = share_of_all = False

    def __init__(self, window_calls=10, minimum_calls=5, failure_rate=0.5, slow_rate=1.0):
        self.size, self.least = window_calls, 1 if self.no_minimum else minimum_calls
        self.failure_rate, self.slow_rate = failure_rate, slow_rate
        self.ring, self.next, self.count = [None] * window_calls, 0, Counter()
        self.row = 0

    def add(self, failed, slow):
        old = self.ring[self.next]
        if old is not None and not self.for_ever:
            self.count.subtract(calls=1, failed=old[0], slow=old[1])
        self.ring[self.next] = (int(failed), int(slow))
        self.next = (self.next + 1) % self.size
        self.count.update(calls=1, failed=int(failed), slow=int(slow))
        self.row = self.row + 1 if failed else 0
        if self.in_a_row:
            return self.row >= self.least
        if self.on_failure_only and not (failed or slow):
            return False
        calls = self.count["calls"]
        if calls < self.least + self.one_more:
            return False
        if self.share_of_all:
            calls = self.size
        failures, slow_ones = self.count["failed"] / calls, self.count["slow"] / calls
        if self.more_than:
            return failures > self.failure_rate or slow_ones >= self.slow_rate
        return failures >= self.failure_rate or (slow_ones >= self.slow_rate and not self.not_slow)


def ring(**switches):
    return type("MyRing", (Ring,), switches)


# ---- 3.5 -------------------------------------------------------------------------------------------------


class SemaphoreBulkhead:
    """Right: a semaphore that nobody waits for."""

    def __init__(self, permits):
        self.turns = asyncio.Semaphore(permits)

    async def call(self, function, *args):
        if self.turns.locked():
            raise BulkheadFull("full")
        async with self.turns:
            return await function(*args)


class Waiting(SemaphoreBulkhead):
    async def call(self, function, *args):
        async with self.turns:
            return await function(*args)


class Counted:
    """The misconceptions of 3.5, by switches."""

    one_more = lost_on_error = lost_on_cancel = given_by_the_refused = False

    def __init__(self, permits):
        self.permits, self.busy = permits + self.one_more, 0

    async def call(self, function, *args):
        if self.given_by_the_refused:
            try:
                if self.busy >= self.permits:
                    raise BulkheadFull("full")
                self.busy += 1
                return await function(*args)
            finally:
                self.busy -= 1
        if self.busy >= self.permits:
            raise BulkheadFull("full")
        self.busy += 1
        try:
            result = await function(*args)
        except Exception:
            if not self.lost_on_error:
                self.busy -= 1
            raise
        except BaseException:
            if not self.lost_on_cancel:
                self.busy -= 1
            raise
        self.busy -= 1
        return result


class Wordless(Counted):
    async def call(self, function, *args):
        if self.busy >= self.permits:
            raise BulkheadFull
        return await super().call(function, *args)


def counted(**switches):
    return type("MyCounted", (Counted,), switches)


# ---- 3.7 -------------------------------------------------------------------------------------------------


class BySeconds:
    """The misconceptions of 3.7, by switches; with none of them, a right answer that marks when each call ends to count."""

    always = never_forgets = unpaid = remembers_success = hoards = False
    always_five = always_a_tenth = ten_is_old = False

    def __init__(self, tokens_max=10, token_ratio=0.1):
        self.free = 5 if self.always_five else tokens_max / 2
        self.ratio = 0.1 if self.always_a_tenth else token_ratio
        self.lines = {"bad": deque(), "good": deque()}
        self.kept = []

    def note(self, line):
        now = asyncio.get_running_loop().time()
        if self.hoards:
            self.kept.append(now)
        self.lines[line].append(now + 10)
        self.forget(now)

    def forget(self, now):
        for name, line in self.lines.items():
            if self.never_forgets or (self.remembers_success and name == "good"):
                continue
            while line and (line[0] <= now if self.ten_is_old else line[0] < now):
                line.popleft()

    def on_failure(self):
        self.note("bad")

    def on_success(self):
        self.note("good")

    @property
    def allows_retry(self):
        self.forget(asyncio.get_running_loop().time())
        paid = 0 if self.unpaid else self.ratio * len(self.lines["good"])
        return self.always or len(self.lines["bad"]) < self.free + paid


class ByTheCalendar(BySeconds):
    def note(self, line):
        self.lines[line].append(time.time() + 10)

    @property
    def allows_retry(self):
        for line in self.lines.values():
            while line and line[0] < time.time():
                line.popleft()
        return len(self.lines["bad"]) < self.free + self.ratio * len(self.lines["good"])


def budget(**switches):
    return type("MyBudget", (BySeconds,), switches)


RULE = "once a service is well again, its calls are let through again"

RIGHT = {
    "3.1": by_steps,
    "3.2": Tries,
    "3.3": Fuse,
    "3.4": Ring,
    "3.5": SemaphoreBulkhead,
    "3.6": lambda: (RULE, 295, 24),
    "3.7": BySeconds,
}

MISCONCEPTIONS = {
    "3.1": [
        ("all who failed together come back together", no_jitter),
        ("Cap first, then draw", jitter_then_cap),
        ("doubles without end", no_cap),
        ("The first retry has the number 1", doubled_too_early),
        ("that is equal jitter", half_of_it_certain),
        ("The module `random`", the_modules_chance),
        ("and not always 30 s", always_30_s),
        ("whatever base_s is", always_from_1_s),
        ("leave previous_s alone", minds_the_wait_before),
    ],
    "3.2": [
        ("It tries everything again", tries(everything=True)),
        ("isinstance(error, (ConnectionError, TimeoutError))", tries(nothing=True)),
        ("raise NotRetryable(str(error)", tries(bare=True)),
        ("Off by one", tries(one_more=True)),
        ("It sleeps after the last attempt", tries(last_sleep=True)),
        ("It caught the cancellation", tries(cancelled_too=True)),
        ("Nothing limits the whole", tries(no_deadline=True)),
        ("It sleeps past the deadline", tries(blind_wait=True)),
        ("The waits do not come from the jitter", tries(unjittered=True)),
        ("retry, base_s, cap_s) of its calls were (1, 0.5, 30.0), (1, ", tries(always_first=True)),
        ("The jitter needs to know", tries(short_cap=True)),
        ("hand it on", tries(module=True)),
        ("no time is left for a call", tries(to_the_end=True)),
        ("OSError is too wide", tries(os_errors=True)),
        ("NotRetryable.attempts was 99", tries(miscounts=True)),
        ("DeadlineExceeded.attempts was 77", tries(miscounts_deadline=True)),
    ],
    "3.3": [
        ("It is never half-open", fuse(never=True)),
        ("It lets everyone in", fuse(crowd=True)),
        ("A permit is lost", fuse(lose_permit=True)),
        ("A business error says", fuse(trips_on_anything=True)),
        ("not the event loop's", ByTheWallClock),
        ("goes through self.move", fuse(silent=True)),
        ("The wait begins anew", fuse(no_new_wait=True)),
        ("It took old news for a probe", fuse(old_news=True)),
        ("then the old call worked", fuse(old_success=True)),
        ("then the old call was a bad request", fuse(old_permit=True)),
        ("The same state may be another period", fuse(by_state=True)),
        ("The threshold is five", fuse(threshold=6)),
        ("the failure number 2 opened it", fuse(threshold=2)),
        ("A success begins the count anew", fuse(never_anew=True)),
        ("changes no count", fuse(by_chance_anew=True)),
        ("S S B", fuse(counts_bad_as_good=True)),
        ("closes at the third success, and not before", fuse(good_probes=1)),
        ("There are three permits", fuse(permits=4)),
        ("there are three permits, one for each probe", fuse(permits=1)),
        ("One failed probe is enough", fuse(ignores_probe=True)),
        ("`except OSError` is too wide", fuse(too_wide=True)),
        ("A TimeoutError is a failure", fuse(no_timeouts=True)),
        ("2.99 s after", fuse(too_soon=True)),
        ("open_s seconds *or more*", fuse(too_late=True)),
    ],
    "3.4": [
        ("One failure of one call is 100 %", ring(no_minimum=True)),
        ("failures in a row", ring(in_a_row=True)),
        ("Only the last window_calls count", ring(for_ever=True)),
        ("Count those too", ring(not_slow=True)),
        ("a success too", ring(on_failure_only=True)),
        ("*at least* as high", ring(more_than=True)),
        ("Only *fewer* are too few", ring(one_more=True)),
        ("the share of the calls so far", ring(share_of_all=True)),
    ],
    "3.5": [
        ("each of them holds a worker", Waiting),
        ("Off by one", counted(one_more=True)),
        ("when a call raises", counted(lost_on_error=True)),
        ("when a call is cancelled", counted(lost_on_cancel=True)),
        ("a permit that it never had", counted(given_by_the_refused=True)),
        ("BulkheadFull needs a text", Wordless),
    ],
    "3.6": [
        ("read the verdicts", lambda: ("the breaker changes state only as its table allows", 295, 24)),
        ("as the table has it", lambda: (RULE, 292, 24)),
        ("a cause or a consequence", lambda: (RULE, 294, 24)),
        ("what is left undone there", lambda: (RULE, 295, 16)),
        (f"the nearest is {RULE!r}", lambda: (RULE[:50], 295, 24)),
    ],
    "3.7": [
        ("It never says no", budget(always=True)),
        ("It never forgets", budget(never_forgets=True)),
        ("Successes count for something", budget(unpaid=True)),
        ("Old successes go on paying", budget(remembers_success=True)),
        ("pop from the left of a deque", budget(hoards=True)),
        ("and not always five", budget(always_five=True)),
        ("and not always for a tenth", budget(always_a_tenth=True)),
        ("drop only what is *older*", budget(ten_is_old=True)),
        ("not the event loop's", ByTheCalendar),
    ],
}
