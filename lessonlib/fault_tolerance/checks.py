"""What each exercise of lesson 3 must satisfy, and which misconception deserves which hint."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import inspect
import itertools
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from lessonlib.fault_tolerance import rules
from lessonlib.fault_tolerance.budget import RetryBudget
from lessonlib.fault_tolerance.call_window import CallWindow, Totals
from lessonlib.fault_tolerance.circuit_breaker import CLOSED, HALF_OPEN, OPEN, CircuitBreaker
from lessonlib.fault_tolerance.deadline import Deadline
from lessonlib.fault_tolerance.dependency import Rejected
from lessonlib.fault_tolerance.errors import BulkheadFull, CircuitOpen, DeadlineExceeded, NotRetryable
from lessonlib.fault_tolerance.mystery import Breaker
from lessonlib.fault_tolerance.scenario import CALLS, PERMITS, STORM, mystery
from lessonlib.lab.loop import simulate
from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import Run
from lessonlib.learning.exercises import LOOK, Case, Exercise, Finding, Hint

BOUNDED, AT_ONCE, RECOVERS = rules.bounded.name, rules.fails_at_once.name, rules.recovers.name
LEGAL, PROBES, WORKERS = rules.legal.name, rules.few_probes.name, rules.workers_left.name
BUDGET, LOST, ENDS = rules.within_budget.name, rules.never_lost.name, rules.overload_ends.name

SMALL = {"duration_s": 12, "rate_per_s": 8, "open_s": 1.0}
Calls = list[float]  # when a function was called, in seconds


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _ok() -> str:
    await asyncio.sleep(0.01)
    return "done"


async def _down() -> None:
    await asyncio.sleep(0.01)
    raise ConnectionError("down")


async def _refuse_the_request() -> None:
    await asyncio.sleep(0.01)
    raise ValueError("no delivery address")


async def _too_late() -> None:
    await asyncio.sleep(0.01)
    raise TimeoutError("no answer")


async def _forbidden() -> None:
    await asyncio.sleep(0.01)
    raise PermissionError("no key")


async def _outcome(call: Awaitable[Any]) -> Any:
    """Return what a call returns, or the exception that it raises."""
    try:
        return await call
    except NotImplementedError:
        raise
    except Exception as error:
        return error


def _names_in(answer: Any) -> set[str]:
    """The names that a class's methods, or a function, refer to."""
    functions = vars(answer).values() if isinstance(answer, type) else (answer,)
    return {name for f in functions if (code := getattr(f, "__code__", None)) for name in code.co_names}


def _by_the_wall_clock(answer: Any) -> bool:
    names = _names_in(answer)
    return bool(names & {"time", "monotonic", "perf_counter", "datetime", "now"}) and not names & {
        "get_running_loop",
        "get_event_loop",
    }


WALL_CLOCK = (
    "It measures by a clock that is not the event loop's: a calendar can be set, and in the laboratory it stands still. "
    "Use asyncio.get_running_loop().time()."
)

# ---- 3.1 Backoff with full jitter ------------------------------------------------------------------------


def _draws(backoff: Any, retry: int, count: int = 400) -> list[float]:
    random = Random(f"draws/{retry}")
    return [backoff(retry, 1.0, cap_s=30.0, random=random, previous_s=0.0) for _ in range(count)]


def _is_a_wait(backoff: Any) -> Finding | None:
    made = backoff(2, 1.0, cap_s=30.0, random=Random(1), previous_s=0.0)
    if isinstance(made, int | float) and not isinstance(made, bool) and 0 <= made <= 30:
        return None
    return Finding("The wait is a number of seconds, from 0 to cap_s.", f"It returned {made!r:.60}.")


def _chance_is_given(backoff: Any) -> Finding | None:
    if _draws(backoff, 3, 20) == _draws(backoff, 3, 20):
        return None
    return Finding(
        "Chance comes from the argument `random`, so that a run can be repeated.",
        "With random=Random(1), twice, the waits were different.",
        look="backoff(3, 1.0, cap_s=30.0, random=Random(1)), twice",
        hint="The module `random` has a state of its own. Call a method of the argument: random.uniform(0, ...).",
    )


def _is_spread(backoff: Any) -> Finding | None:
    required = "The wait is anything from 0 to the exponential wait, all equally likely."
    look = "[backoff(1, 1.0, cap_s=30.0, random=random) for _ in range(400)]: the smallest and the largest"
    first = _draws(backoff, 1)
    seen = f"Before the first retry, with base_s=1, 400 waits went from {min(first):.3g} s to {max(first):.3g} s."
    if max(first) - min(first) < 1e-9:
        return Finding(
            required,
            seen,
            look=look,
            hint="There is no chance in it: all who failed together come back together. Draw the wait.",
        )
    if max(first) > 1 + 1e-9:
        return Finding(
            required,
            seen,
            look=look,
            hint="The first retry has the number 1, and its longest wait is base_s: base_s * 2 ** (retry - 1).",
        )
    if min(first) > 0.2:
        return Finding(
            required,
            seen,
            look=look,
            hint="A part of the wait is certain (that is equal jitter). Full jitter draws from 0 up.",
        )
    later = _draws(backoff, 4)
    if not 7 < max(later) <= 8 + 1e-9 or not 3 < sum(later) / len(later) < 5:
        return Finding(
            required,
            f"Before the fourth retry, with base_s=1, the waits went from {min(later):.3g} s to {max(later):.3g} s; "
            "the longest should be 8 s.",
            hint="Doubled with each retry after the first: 1, 2, 4, 8.",
        )
    return None


def _cap_before_the_draw(backoff: Any) -> Finding | None:
    required = "No wait is longer than cap_s, and the waits at the cap are as spread as all others."
    for retry in (8, 12, 1000):
        waits = _draws(backoff, retry)
        if max(waits) > 30:
            return Finding(
                required,
                f"Before retry {retry}, with cap_s=30, a wait was {max(waits):.6g} s.",
                hint="It doubles without end. After ten failures a client would be gone for a quarter of an hour.",
            )
        at_the_cap = sum(wait >= 30 - 1e-6 for wait in waits)
        if at_the_cap > 20:
            return Finding(
                required,
                f"Before retry {retry}, {at_the_cap} of 400 clients wait exactly 30 s.",
                look=f"sorted(backoff({retry}, 1.0, cap_s=30.0, random=random) for _ in range(400))",
                hint="It is drawn first and cut off afterwards, so that the jitter is gone at the cap. Cap first, then draw.",
            )
        if max(waits) < 27 or min(waits) > 3:
            return Finding(
                required,
                f"Before retry {retry}, with cap_s=30, the waits went from {min(waits):.3g} s to {max(waits):.3g} s.",
                hint="At the cap the wait is anything from 0 to cap_s: draw from 0 to min(cap_s, ...).",
            )
    return None


def _given_numbers(backoff: Any) -> Finding | None:
    for retry, previous_s, longest_s, hint in (
        (
            3,
            0.0,
            1.0,
            "The exponential wait begins with base_s: base_s * 2 ** (retry - 1), whatever base_s is.",
        ),
        (8, 0.0, 7.0, "The longest wait is the argument cap_s, and not always 30 s: min(cap_s, ...)."),
        (3, 50.0, 1.0, "The wait before plays no part in full jitter: leave previous_s alone."),
    ):
        random = Random(f"given/{retry}")
        waits = [backoff(retry, 0.25, cap_s=7.0, random=random, previous_s=previous_s) for _ in range(400)]
        if not 0.9 * longest_s < max(waits) <= longest_s + 1e-9 or min(waits) > 0.1 * longest_s:
            return Finding(
                "The numbers are those that were given.",
                f"With base_s=0.25, cap_s=7 and previous_s={previous_s:g}, 400 waits before retry {retry} went from "
                f"{min(waits):.3g} s to {max(waits):.3g} s; the longest should be {longest_s:g} s.",
                hint=hint,
            )
    return None


# ---- 3.2 Retryable errors, one deadline ------------------------------------------------------------------


def _doubling(retry: int, base_s: float, **_: Any) -> float:
    return base_s * 2.0 ** (retry - 1)


def _tried(
    answer: Any,
    errors: list[Exception],
    *,
    takes_s: float = 0.0,
    base_s: float = 1.0,
    attempts: int = 3,
    deadline_s: float = 100.0,
    cancel_at_s: float | None = None,
    jitter: Callable[..., float] = _doubling,
    random: Random | None = None,
) -> tuple[Calls, Any, float]:
    """Call a function that raises these errors, then works; return (when it was called, the outcome, the end)."""
    calls: Calls = []

    async def function() -> str:
        calls.append(_now_s())
        await asyncio.sleep(takes_s)
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "done"

    async def trial() -> tuple[Calls, Any, float]:
        mine = answer(attempts_max=attempts, base_s=base_s, jitter=jitter, retryable=None)
        call = mine.call(
            function,
            random=random or Random(1),
            deadline=Deadline(deadline_s),
            budget=RetryBudget(tokens_max=1_000),
        )
        task = asyncio.ensure_future(_outcome(call))
        await asyncio.wait([task], timeout=cancel_at_s)
        if not task.done():
            task.cancel()
        await asyncio.wait([task], timeout=1_000)
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return calls, "cancelled" if task.cancelled() else task.result(), _now_s()

    return simulate(trial, max_steps=200_000)


def _said(outcome: Any) -> str:
    if isinstance(outcome, TypeError) and "'message'" in str(outcome):
        return "TypeError (an error of this package needs a text)"
    return type(outcome).__name__ if isinstance(outcome, Exception) else repr(outcome)


def _tries_again(answer: Any) -> Finding | None:
    for error in (ConnectionError("down"), TimeoutError("no answer"), ConnectionResetError("reset")):
        calls, outcome, _ = _tried(answer, [error] * 2)
        if len(calls) != 3 or outcome != "done":
            return Finding(
                "What passes by itself is tried again: connection errors and time-outs.",
                f"The function raised {type(error).__name__} twice and would have worked at the third call; it was "
                f"called {len(calls)} times, and the outcome was {_said(outcome)}.",
                hint="isinstance(error, (ConnectionError, TimeoutError)), which takes in what derives from them, as "
                "ConnectionResetError does; attempts_max=3 means three calls in all.",
            )
    return None


def _not_again(answer: Any) -> Finding | None:
    required = "An error that no further attempt can mend is raised at once, as NotRetryable with its cause."
    for error in (ValueError("no address"), Rejected("422"), KeyError("sku"), PermissionError("no key")):
        calls, outcome, _ = _tried(answer, [error] * 9)
        if len(calls) != 1:
            return Finding(
                required,
                f"The function raised {type(error).__name__}, and it was called {len(calls)} times.",
                hint="OSError is too wide: a missing permission or file is an OSError too, and stays missing. Name "
                "ConnectionError and TimeoutError."
                if isinstance(error, PermissionError)
                else "It tries everything again. An order without an address has none at the second attempt either: "
                "name what is worth another attempt, and let all else fail.",
            )
        if not isinstance(outcome, NotRetryable) or outcome.__cause__ is not error:
            return Finding(
                required,
                f"The function raised {type(error).__name__}, and the caller got {_said(outcome)} "
                f"with the cause {_said(getattr(outcome, '__cause__', None))}.",
                hint="raise NotRetryable(str(error), attempts=attempt) from error: the caller needs to know which it was.",
            )
    return None


def _waits_as_drawn(answer: Any) -> Finding | None:
    required = "The wait after attempt number n is what self.jitter(n, self.base_s, cap_s=30.0, random=random) returns."
    drawn, chance = (0.75, 0.25, 1.5), Random(7)
    asked: list[tuple[int, float, float]] = []
    others = False

    def jitter(retry: int, base_s: float, *, cap_s: float, random: Random, previous_s: float = 0.0) -> float:
        nonlocal others
        others |= random is not chance
        asked.append((retry, base_s, cap_s))
        return drawn[min(len(asked), len(drawn)) - 1]

    calls, _, _ = _tried(
        answer,
        [ConnectionError("down") for _ in range(3)],
        base_s=0.5,
        attempts=4,
        jitter=jitter,
        random=chance,
    )
    waits = tuple(round(b - a, 9) for a, b in itertools.pairwise(calls))
    if not asked or waits != drawn:
        return Finding(
            required,
            f"The jitter returned waits of {', '.join(f'{s:g} s' for s in drawn)}, and the waits were "
            f"{', '.join(f'{s:g} s' for s in waits)}.",
            hint="The waits do not come from the jitter, so all who failed together come back together. Sleep for what "
            "self.jitter returns.",
        )
    if others:
        return Finding(
            required,
            "The jitter was given another `random` than the call's.",
            hint="`random` is an argument of call, so that a run can be repeated: hand it on.",
        )
    if asked[:3] != [(n, 0.5, 30.0) for n in (1, 2, 3)]:
        return Finding(
            required,
            "With base_s=0.5, (retry, base_s, cap_s) of its calls were "
            + ", ".join(map(str, asked[:3]))
            + ".",
            hint="The jitter needs to know the number of the attempt, base_s as given, and cap_s=30.0: only so do the waits "
            "grow.",
        )
    return None


def _says_how_many(answer: Any) -> Finding | None:
    waits: list[tuple[str, list[Exception], float]] = [
        ("ConnectionError, then ValueError", [ConnectionError("down"), ValueError("no address")], 100.0),
        ("ConnectionError each time", [ConnectionError("down") for _ in range(9)], 100.0),
        (
            "ConnectionError each time, with a deadline of 2 s",
            [ConnectionError("down") for _ in range(9)],
            2.0,
        ),
    ]
    for what, errors, deadline_s in waits:
        calls, outcome, _ = _tried(answer, errors, deadline_s=deadline_s)
        attempts = getattr(outcome, "attempts", None)
        if attempts != len(calls):
            return Finding(
                "The error says how many calls were made.",
                f"The function raised {what}: it was called {len(calls)} times, and {_said(outcome)}.attempts was "
                f"{attempts!r:.20}.",
                hint="attempts=attempt for NotRetryable and RetriesExhausted, and deadline.error(attempt): the number of the "
                "attempt that has just failed.",
            )
    return None


def _gives_up(answer: Any) -> Finding | None:
    required = "attempts_max=3 means three calls, and no wait after the last."
    calls, outcome, end_s = _tried(answer, [ConnectionError("down") for _ in range(9)])
    if len(calls) != 3:
        return Finding(
            required,
            f"The function always fails, and it was called {len(calls)} times.",
            hint="Off by one: the first call is an attempt too.",
        )
    if end_s > 3 + 1e-6:
        return Finding(
            required,
            f"The last call failed at {calls[-1]:g} s, and the caller was told at {end_s:g} s.",
            hint="It sleeps after the last attempt, and nothing comes of that wait. Give up before you sleep.",
        )
    if type(outcome).__name__ != "RetriesExhausted" or not isinstance(outcome.__cause__, ConnectionError):
        return Finding(
            required,
            f"After the third failure the outcome was {_said(outcome)}.",
            hint="raise RetriesExhausted(str(error), attempts=attempt) from error.",
        )
    return None


def _ends_when_cancelled(answer: Any) -> Finding | None:
    calls, outcome, end_s = _tried(answer, [], takes_s=10, cancel_at_s=0.5)
    if outcome == "cancelled" and len(calls) == 1 and end_s < 1:
        return None
    return Finding(
        "A call that is cancelled ends: it is not tried again.",
        f"It was cancelled at 0.5 s; the function was called {len(calls)} times, and the outcome was {_said(outcome)}.",
        hint="It caught the cancellation. `except Exception` lets CancelledError pass; a bare `except` or BaseException "
        "does not.",
    )


def _one_deadline(answer: Any) -> Finding | None:
    required = "All attempts and waits together end by the deadline, with DeadlineExceeded."
    errors: list[Exception] = [ConnectionError("down") for _ in range(50)]
    calls, outcome, end_s = _tried(answer, errors, takes_s=1.0, base_s=0.001, attempts=10, deadline_s=2.5)
    if end_s > 2.5 + 1e-6:
        return Finding(
            required,
            f"Ten attempts of 1 s each, deadline after 2.5 s: it went on to {end_s:.3g} s, with {len(calls)} calls.",
            hint="Nothing limits the whole. `await deadline.call(function, *args)` ends with the deadline.",
        )
    if not isinstance(outcome, DeadlineExceeded):
        return Finding(required, f"At the deadline the outcome was {_said(outcome)}.")
    calls, outcome, end_s = _tried(answer, errors, base_s=10.0, deadline_s=2.5)
    if end_s > 2.5 + 1e-6 or not isinstance(outcome, DeadlineExceeded):
        return Finding(
            required,
            f"2.5 s were left and the wait was 10 s: the caller was told {_said(outcome)} at {end_s:g} s.",
            hint="It sleeps past the deadline. Compare the wait with deadline.remaining_s before you sleep, and raise "
            "deadline.error(attempt).",
        )
    calls, outcome, end_s = _tried(answer, errors, base_s=2.5, deadline_s=2.5)
    if end_s > 0 or not isinstance(outcome, DeadlineExceeded):
        return Finding(
            "A wait that would last until the deadline or longer is not begun.",
            f"2.5 s were left and the wait was 2.5 s: the caller was told {_said(outcome)} at {end_s:g} s.",
            hint="After such a wait no time is left for a call: wait_s >= deadline.remaining_s.",
        )
    return None


# ---- 3.3 A breaker that recovers -------------------------------------------------------------------------


class _Tried:
    """A learner's breaker with what it told its hook, and how often the service was called through it."""

    def __init__(self, answer: Any, *, open_s: float = 2.0) -> None:
        self.changes: list[tuple[str, str]] = []
        self.called = 0
        self.breaker = answer("payments", open_s=open_s, on_transition=self._changed)

    def _changed(self, name: str, source: str, target: str) -> None:
        self.changes.append((source, target))

    async def call(self, function: Callable[[], Awaitable[Any]]) -> Any:
        async def counted() -> Any:
            self.called += 1
            return await function()

        return await _outcome(self.breaker.call(counted))

    async def open(self) -> None:
        for _ in range(5):
            await self.call(_down)
        self.called = 0

    async def half_open(self, open_s: float = 2.0) -> None:
        """Open it, and wait until the next call is a probe."""
        await self.open()
        await asyncio.sleep(open_s + 0.1)

    async def calls(self, letters: str) -> str:
        """Make calls, one after the other; return in which state that leaves it, by what it told."""
        for letter in letters:
            await self.call(_CALLS[letter])
        return self.state

    @property
    def state(self) -> str:
        return self.changes[-1][1] if self.changes else CLOSED


_CALLS: dict[str, Callable[[], Awaitable[Any]]] = {
    "S": _ok,
    "F": _down,
    "T": _too_late,
    "B": _refuse_the_request,
}
_LETTERS = "(S success, F ConnectionError, T TimeoutError, B ValueError for a bad request)"


def _opens(answer: Any) -> Finding | None:
    required = "The fifth failure in a row opens it: calls are refused with CircuitOpen, and the service is left alone."

    async def trial() -> tuple[Any, Any, int, Any, list[tuple[str, str]]]:
        tried = _Tried(answer)
        well = await tried.call(_ok)
        tried.called = 0
        raised = await tried.call(_down)
        for _ in range(9):
            refused = await tried.call(_down)
        return well, raised, tried.called, refused, tried.changes

    well, raised, called, refused, changes = simulate(trial)
    if well != "done":
        return Finding(
            "A closed breaker returns what the function returns.",
            f"The function returned 'done', and the caller got {_said(well)}.",
            hint="return await function(*args), with the bookkeeping around it.",
        )
    if called and not isinstance(raised, ConnectionError):
        return Finding(
            "A failed call's exception reaches the caller.",
            f"The function raised ConnectionError, and the caller got {_said(raised)}.",
            hint="Count the failure, then `raise`: whoever called has to know.",
        )
    if called == 10 or not isinstance(refused, CircuitOpen):
        return Finding(
            required,
            f"After nine failures the next call had the outcome {_said(refused)}.",
            hint="Look at the state before the call: when it is open, raise CircuitOpen and call nothing.",
        )
    if called != 5:
        return Finding(
            required,
            f"Ten calls failed, and {called} reached the service: the failure number {called} opened it.",
            hint="The threshold is five: count the failure first, then compare, `self.failures == 5`.",
        )
    if changes != [(CLOSED, OPEN)]:
        return Finding(
            "Each change of state is told to on_transition, once.",
            f"It was told {changes!r:.100}.",
            hint="Every change goes through self.move(target), which tells it.",
        )
    return None


def _bad_requests(answer: Any) -> Finding | None:
    async def trial(function: Callable[[], Awaitable[Any]]) -> Any:
        tried = _Tried(answer)
        for _ in range(10):
            await tried.call(function)
        return await tried.call(_ok)

    for function, raised in ((_refuse_the_request, "ValueError"), (_forbidden, "PermissionError")):
        outcome = simulate(trial(function))
        if outcome != "done":
            return Finding(
                "Only a ConnectionError or a TimeoutError is a failure of the service.",
                f"Ten calls raised {raised}; the eleventh, a good one, got {_said(outcome)}.",
                hint="A business error says that the service is well enough to judge. Only ConnectionError and TimeoutError "
                "count."
                if raised == "ValueError"
                else "`except OSError` is too wide: a missing permission or file is an OSError too, and says nothing about "
                "the service. Name ConnectionError and TimeoutError.",
            )
    return None


ANEW = "A success begins the count anew: failures = 0. Only failures *in a row* open it."
UNCOUNTED = (
    "What is neither a failure nor a success changes no count: it neither adds one nor begins it anew."
)
THREE = (
    "Half-open closes at the third success, and not before: count the successes since it became half-open."
)
CLOSED_CALLS = (
    (
        "TFTFT",
        OPEN,
        "A TimeoutError is a failure like a ConnectionError: except (ConnectionError, TimeoutError).",
    ),
    ("FFFFSFFFF", CLOSED, ANEW),
    ("FFBFFF", OPEN, UNCOUNTED),
    ("FFFFSFFFFF", OPEN, "Five failures in a row open it, whatever came before them."),
)
PROBE_CALLS = (
    ("SS", HALF_OPEN, THREE),
    ("F", OPEN, "One failed probe is enough: half-open, a failure opens it again, whatever the count."),
    (
        "SSF",
        OPEN,
        "One failed probe is enough: half-open, a failure opens it again, also after two good ones.",
    ),
    ("SSB", HALF_OPEN, UNCOUNTED),
    ("SBSBS", CLOSED, UNCOUNTED),
)


def _sequences(answer: Any, half_open: bool, sequences: tuple[tuple[str, str, str], ...]) -> Finding | None:
    async def trial(letters: str) -> str:
        tried = _Tried(answer)
        if half_open:
            await tried.half_open()
        return await tried.calls(letters)

    for letters, expected, hint in sequences:
        state = simulate(trial(letters))
        if state != expected:
            before = "Open for 2.1 s with open_s=2, then the" if half_open else "The"
            return Finding(
                "The state changes as the table has it: five failures in a row open it, three good probes close it, one "
                "failed probe opens it again, and nothing else counts.",
                f"{before} calls {' '.join(letters)} {_LETTERS} should leave it {expected}; it was {state}.",
                hint=hint,
            )
    return None


def _counts(answer: Any) -> Finding | None:
    return _sequences(answer, False, CLOSED_CALLS)


def _counts_probes(answer: Any) -> Finding | None:
    return _sequences(answer, True, PROBE_CALLS)


def _comes_back(answer: Any) -> Finding | None:
    required = "When open_s has passed, calls are let through as probes; three successes close it."
    clock = WALL_CLOCK if _by_the_wall_clock(answer) else ""

    async def down() -> None:
        raise ConnectionError("down")

    async def called(after_s: float) -> int:
        tried = _Tried(answer, open_s=3.0)
        for _ in range(5):
            await tried.call(down)  # all at 0 s, so that no sum of floats is in the way
        tried.called = 0
        await asyncio.sleep(after_s)
        await tried.call(_ok)
        return tried.called

    for after_s in (1.5, 2.99):
        if simulate(called(after_s)):
            return Finding(
                required,
                f"With open_s=3, a call was let through {after_s:g} s after the breaker had opened.",
                hint=clock
                or "Note the time when it opens, and compare what has passed since then with self.open_s.",
            )
    if not simulate(called(3.1)):
        return Finding(
            required,
            "With open_s=3, the breaker still refuses every call 3.1 s after it had opened.",
            hint=clock
            or "It is never half-open: once open it stays open for ever, however well the service is. Before you refuse, "
            "look how long it has been open.",
        )
    if not simulate(called(3.0)):
        return Finding(
            required,
            "With open_s=3, a call was refused exactly 3 s after the breaker had opened.",
            hint="open_s seconds *or more*: >=.",
        )

    async def trial() -> tuple[int, list[tuple[str, str]]]:
        tried = _Tried(answer)
        await tried.half_open()
        await tried.calls("SSSSSS")
        return tried.called, tried.changes

    through, changes = simulate(trial)
    if changes != [(CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, CLOSED)] or through != 6:
        return Finding(
            required,
            f"Six calls that work came after the wait; {through} were let through, and the changes were "
            + ", ".join(f"{a} → {b}" for a, b in changes)
            + ".",
            hint="Half-open, it let through too few to see three successes: there are three permits, one for each probe."
            if through < PERMITS
            else "Closed to open, open to half-open, half-open to closed: each is a row of the table. Half-open closes at "
            "the third success.",
        )
    return None


def _few_at_once(answer: Any) -> Finding | None:
    async def trial() -> int:
        tried = _Tried(answer)
        await tried.open()
        await asyncio.sleep(2.1)
        await asyncio.gather(*(tried.call(_ok) for _ in range(50)))
        return tried.called

    called = simulate(trial)
    if called == PERMITS:
        return None
    return Finding(
        "A half-open breaker lets through three probes at a time, and refuses the others.",
        f"Fifty calls came at once when it was half-open, and {called} reached the service.",
        look="await asyncio.gather(*(breaker.call(f) for _ in range(50))) after the wait",
        hint="It lets everyone in when half-open, and a service that has just risen is knocked down again. Count the probes "
        "*before* you await them."
        if called > 10
        else "There are three permits: who comes while fewer than three are taken is let in, who comes after that is not.",
    )


def _permits_come_back(answer: Any) -> Finding | None:
    required = (
        "A probe that says nothing about the service (cancelled, or a bad request) gives its permit back."
    )

    async def trial(how: str) -> Any:
        tried = _Tried(answer)
        await tried.open()
        await asyncio.sleep(2.1)
        for _ in range(4):
            if how == "was cancelled":
                task = asyncio.ensure_future(tried.call(lambda: asyncio.sleep(60)))
                await asyncio.sleep(0.1)
                task.cancel()
                await asyncio.wait([task], timeout=1)
            else:
                await tried.call(_refuse_the_request)
        return await tried.call(_ok)

    for how in ("was cancelled", "raised ValueError"):
        outcome = simulate(trial(how))
        if outcome != "done":
            return Finding(
                required,
                f"Half-open, one probe after the other {how}; then a good call got {_said(outcome)}, and so will all others.",
                hint="A permit is lost when a probe is cancelled or its request was bad. Whatever ends the call, "
                "`except BaseException` or `finally`, has to account for it.",
            )
    return None


def _opens_again(answer: Any) -> Finding | None:
    async def trial() -> tuple[Any, int, Any]:
        tried = _Tried(answer)
        await tried.open()
        await asyncio.sleep(2.1)
        await tried.call(_down)
        tried.called = 0
        await asyncio.sleep(1.0)
        soon = await tried.call(_ok)
        called = tried.called
        await asyncio.sleep(1.1)
        return soon, called, await tried.call(_ok)

    soon, called, late = simulate(trial)
    if isinstance(soon, CircuitOpen) and not called and late == "done":
        return None
    return Finding(
        "A probe that fails opens the breaker again, for another open_s.",
        f"A probe failed; 1 s later a call got {_said(soon)}, and 2.1 s later one got {_said(late)}.",
        hint="The wait begins anew each time it opens: note the time at every change of state.",
    )


def _old_news(answer: Any) -> Finding | None:
    required = "A call that began before the state changed is no evidence after it, however it ends."
    hint = (
        "It took old news for a probe. Note self.period before the call, and count its outcome, or give back its permit, "
        "only if that is still the same."
    )

    def ending(how: str, after_s: float) -> Callable[[], Awaitable[Any]]:
        async def function() -> Any:
            await asyncio.sleep(after_s)
            return await {"failed": _down, "worked": _ok, "was a bad request": _refuse_the_request}[how]()

        return function

    async def from_closed(how: str) -> tuple[str, int]:
        tried = _Tried(answer)
        slow = asyncio.ensure_future(tried.call(ending(how, 3)))
        await asyncio.sleep(0.1)
        await tried.half_open()
        await tried.calls("SS")
        await slow
        state, before = tried.state, tried.called
        await asyncio.gather(*(tried.call(_ok) for _ in range(9)))
        return state, tried.called - before

    async def from_half_open() -> str:
        tried = _Tried(answer)
        await tried.half_open()
        slow = asyncio.ensure_future(tried.call(ending("worked", 3)))
        await asyncio.sleep(0.1)
        await tried.calls("F")
        await asyncio.sleep(2.1)
        await tried.calls("SS")
        await slow
        return tried.state

    async def from_closed_to_closed() -> str:
        tried = _Tried(answer)
        slow = asyncio.ensure_future(tried.call(ending("failed", 5)))
        await asyncio.sleep(0.1)
        await tried.half_open()
        await tried.calls("SSSFFFF")
        await slow
        return tried.state

    for how in ("failed", "worked", "was a bad request"):
        state, called = simulate(from_closed(how))
        if state != HALF_OPEN or called != 1:
            return Finding(
                required,
                f"A slow call began, the breaker opened, and after its wait two probes succeeded; then the old call {how}. "
                f"That left it {state} in place of {HALF_OPEN}, and of nine calls at once {called} in place of 1 reached "
                "the service.",
                hint=hint,
            )
    state = simulate(from_half_open)
    if state != HALF_OPEN:
        return Finding(
            required,
            "A slow probe began; another failed, which opened the breaker; half-open again, two probes succeeded, and then "
            f"the old one worked. That left it {state} in place of {HALF_OPEN}.",
            hint=hint + " The same state may be another period.",
        )
    state = simulate(from_closed_to_closed)
    if state != CLOSED:
        return Finding(
            required,
            "A slow call began; the breaker opened and closed again; four calls failed, and then the old one. That left it "
            f"{state} in place of {CLOSED}.",
            hint=hint + " The same state may be another period.",
        )
    return None


# ---- 3.4 A failure rate over a window --------------------------------------------------------------------


class _Judged(CircuitBreaker):
    """The shop's breaker, with a learner's judge in place of its window while it is closed."""

    def __init__(self, judge: Callable[[], Any], name: str, *, open_s: float, on_transition: Any) -> None:
        self._judge = judge
        super().__init__(
            name,
            slow_call_s=0.8,
            minimum_calls=1,
            half_open_permits=PERMITS,
            open_s=open_s,
            ignored=Rejected,
            on_transition=on_transition,
        )

    def _new_window(self) -> CallWindow:
        return super()._new_window() if self._state == HALF_OPEN else _JudgeWindow(self._judge())


class _JudgeWindow:
    """Turns a verdict into a single call that failed, or did not."""

    def __init__(self, judge: Any) -> None:
        self._judge = judge

    def add(self, now_s: float, *, failed: bool, slow: bool) -> Totals:
        return Totals(1, 1 if self._judge.add(failed, slow) else 0)

    def totals(self, now_s: float) -> Totals:
        return Totals()


def _with_judge(answer: Any) -> Callable[..., Any]:
    return lambda service, *, open_s, on_transition: _Judged(
        answer, service, open_s=open_s, on_transition=on_transition
    )


# (calls: S success, F failure, L slow success, X slow failure; at which call it must open first, 0 for never; the hint,
# or the hints for the call at which it did: where several misconceptions show, each at another call)
MINIMUM = (
    "One failure of one call is 100 %, and says nothing. Before minimum_calls have ended, nothing is judged."
)
CONSECUTIVE = "It counts failures in a row. A rate looks at all calls of the window, whatever their order."
FORGETS = (
    "Only the last window_calls count: a good week must not hide a bad minute, nor a bad minute last a week."
)
ONE_MORE = (
    "Off by one: when exactly minimum_calls have ended there are enough of them. Only *fewer* are too few."
)
SHARE = "While the window is not full, the rate is the share of the calls so far, not of window_calls."
SLOW = "A slow call holds a worker as long as a failing one. Count those too, against slow_rate."
EVERY = "Judge whenever a call has ended, a success too: it may be the one that makes up the minimum."
AT_LEAST = "The threshold is reached when the rate is *at least* as high: >=, as resilience4j has it."
WINDOWS: tuple[tuple[str, int, str | dict[int, str]], ...] = (
    ("F", 0, MINIMUM),
    ("FFFS", 0, MINIMUM),
    ("FSFSFSFSFS", 5, {0: CONSECUTIVE, 6: ONE_MORE, 9: SHARE}),
    ("FFFSS", 5, EVERY),
    ("SFSFSFSFSF", 6, AT_LEAST),
    ("SSSSSFFFF", 0, FORGETS),
    ("SSSSSFFFFF", 10, AT_LEAST),
    ("S" * 40 + "FFFFF", 45, FORGETS),
    ("SLLLLLLLLL", 0, SLOW),
    ("LLLLL", 5, SLOW),
    ("SLLLLLLLLLL", 11, SLOW),
    ("XXXSS", 5, EVERY),
)


def _rates(answer: Any) -> Finding | None:
    for calls, opens, hint in WINDOWS:
        mine = answer()
        said = [bool(mine.add(c in "FX", c in "LX")) for c in calls]
        first = said.index(True) + 1 if True in said else 0
        if first != opens:
            shown = calls.replace("S" * 40, "40 x S, ")
            return Finding(
                "It opens when at least half of the last ten calls failed, or all were slow, and not before five have "
                "ended.",
                f"Calls {shown} (F failed, S well, L slow, X both): it should "
                + (f"open at call {opens}" if opens else "stay closed")
                + (f", and it opened at call {first}." if first else ", and it stayed closed."),
                look="[judge.add(failed, slow) for ...] with one judge",
                hint=hint if isinstance(hint, str) else hint.get(first, ""),
            )
    return None


def _numbers_are_given(answer: Any) -> Finding | None:
    mine = answer(window_calls=4, minimum_calls=2, failure_rate=0.75, slow_rate=0.5)
    said = [bool(mine.add(failed, slow)) for failed, slow in ((1, 0), (0, 0), (1, 0), (1, 0), (0, 1), (0, 1))]
    if said == [False, False, False, True, False, True]:
        return None
    return Finding(
        "The numbers are those that were given.",
        "With window_calls=4, minimum_calls=2, failure_rate=0.75, slow_rate=0.5, calls F S F F L L gave "
        f"{said} in place of [False, False, False, True, False, True].",
        hint="Use self.window_calls and the others. The window always holds the last window_calls, also after it said True.",
    )


# ---- 3.5 A bulkhead --------------------------------------------------------------------------------------


def _bounds(answer: Any) -> Finding | None:
    required = (
        "With permits=2, two calls are in progress at a time; a third is refused at once, with BulkheadFull."
    )

    async def trial() -> tuple[int, list[Any], list[float]]:
        mine, inside, most = answer(2), 0, 0
        ends: list[float] = []

        async def slow() -> str:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(1)
            inside -= 1
            return "done"

        async def one() -> Any:
            outcome = await _outcome(mine.call(slow))
            ends.append(_now_s())
            return outcome

        outcomes = await asyncio.gather(*(one() for _ in range(3)))
        return most, outcomes, ends

    most, outcomes, ends = simulate(trial)
    done, refused = outcomes.count("done"), sum(isinstance(o, BulkheadFull) for o in outcomes)
    if most > 2:
        return Finding(
            required,
            f"Three calls came at once, and {most} were in progress together.",
            hint="Off by one, or nothing is counted: compare what is in progress with permits before you let a call in.",
        )
    if max(ends) > 1.5:
        return Finding(
            required,
            f"Three calls of 1 s came at once, and the last caller had its answer after {max(ends):g} s.",
            hint="Those without a permit wait in a queue, and each of them holds a worker: a wait without a bound only moves "
            "the trouble. Refuse at once.",
        )
    if (done, refused) != (2, 1):
        return Finding(
            required,
            f"Of three calls at once {done} were done and {refused} refused with BulkheadFull; the outcomes were "
            + ", ".join(_said(o) for o in outcomes)
            + ".",
            hint='BulkheadFull needs a text that says what is full: raise BulkheadFull("...").'
            if any(isinstance(o, TypeError) and "'message'" in str(o) for o in outcomes)
            else "",
        )
    return None


def _permits_are_kept(answer: Any) -> Finding | None:
    required = "Every call that was let in gives its permit back, however it ends; one that was refused has none to give."

    async def trial(how: str) -> Any:
        mine = answer(2)
        for _ in range(4):
            task = asyncio.ensure_future(
                _outcome(
                    mine.call(_down if how == "failed" else asyncio.sleep, *([] if how == "failed" else [60]))
                )
            )
            await asyncio.sleep(0.1)
            if how == "were cancelled":
                task.cancel()
            await asyncio.wait([task], timeout=1)
        return await _outcome(mine.call(_ok))

    for how in ("failed", "were cancelled"):
        outcome = simulate(trial(how))
        if outcome != "done":
            return Finding(
                required,
                f"Four calls {how}, one after the other; then nothing was in progress, and a call got {_said(outcome)}.",
                hint="A permit is lost when a call "
                + ("raises" if how == "failed" else "is cancelled")
                + ". Give it back in `finally`.",
            )

    async def crowd() -> int:
        mine, inside, most = answer(2), 0, 0

        async def slow() -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            try:
                await asyncio.sleep(1)
            finally:
                inside -= 1

        async def one(after_s: float) -> None:
            await asyncio.sleep(after_s)
            await _outcome(mine.call(slow))

        await asyncio.gather(*(one(n / 10) for n in range(40)))
        return most

    most = simulate(crowd)
    if most > 2:
        return Finding(
            required,
            f"Calls of 1 s came every 0.1 s, and after some refusals {most} were in progress together.",
            hint="A refused call gives back a permit that it never had. Refuse before the `try` whose `finally` counts down.",
        )
    return None


# ---- 3.6 Diagnose ----------------------------------------------------------------------------------------


def _diagnosis(answer: Any) -> Finding | None:
    given = answer()
    run = mystery()
    if not (isinstance(given, tuple) and len(given) == 3):
        return Finding("diagnose() returns (rule, record, line).", f"It returned {given!r:.80}.")
    rule, number, line = given
    if rule not in [v.rule for v in run.verdicts]:
        (nearest,) = difflib.get_close_matches(str(rule), [v.rule for v in run.verdicts], n=1, cutoff=0.0)
        return Finding(
            "The rule is named as the verdicts name it.",
            f"There is no rule of that name; the nearest is {nearest!r}.",
            hint="Copy the rule's whole text from the verdicts that print(mystery()) shows.",
            rung=LOOK,
        )
    if rule != RECOVERS:
        return Finding(
            "The broken rule is named.",
            f"{rule!r}: that rule is not broken in this run.",
            hint="Print mystery() and read the verdicts.",
            rung=LOOK,
        )
    if not isinstance(number, int) or not 0 <= number < len(run.history):
        return Finding(
            "The record is named by its number.", f"{number!r} is not from 0 to {len(run.history) - 1}."
        )
    record = run.history[number]
    if not (record.kind == "answer" and record.get("outcome") == "rejected"):
        hint = "The breaker of mail becomes half-open and nothing follows. What came of the call that was its probe?"
        if record.kind in ("fault", "served") or record.get("type") == "CircuitOpen":
            hint = "That is a cause or a consequence; the breaker sees only how its calls end. " + hint
        elif record.kind == "transition":
            hint = "That change of state is as the table has it. " + hint
        elif record.kind == "attempt":
            hint = "The probe has gone out, and all may still be well. How did it end? " + hint
        return Finding(
            "The record is the one after which the breaker could let nothing through any more.",
            f"Record {number} is: {record}",
            hint=hint,
        )
    lines = inspect.getsource(Breaker).splitlines()
    guilty = next(n for n, text in enumerate(lines, 1) if "not isinstance(error, TRANSIENT)" in text) + 1
    if line not in (guilty, guilty - 1):
        text = (
            lines[line - 1].strip()
            if isinstance(line, int) and 0 < line <= len(lines)
            else "not a line of it"
        )
        return Finding(
            "The guilty line is named.",
            f"Line {line!r} is: {text}",
            hint="Follow the probe's exception through `call`. At which line does it leave, and what is left undone there?",
        )
    return None


# ---- 3.7 A budget that ends a storm ----------------------------------------------------------------------


def _budget(
    answer: Any,
    steps: list[tuple[str, int, float]],
    ask_after_s: float = 0.0,
    *,
    tokens_max: int = 10,
    token_ratio: float = 0.1,
) -> bool:
    """Let a budget see (what, how often, seconds after each); return whether it then allows a retry."""

    async def trial() -> bool:
        mine = answer(tokens_max, token_ratio)
        for what, count, wait_s in steps:
            for _ in range(count):
                (mine.on_failure if what == "F" else mine.on_success)()
                if wait_s:
                    await asyncio.sleep(wait_s)
        await asyncio.sleep(ask_after_s)
        return bool(mine.allows_retry)

    return simulate(trial, max_steps=500_000)


def _says_no(answer: Any) -> Finding | None:
    required = (
        "With tokens_max=10, retries are allowed while fewer than five calls of the last ten seconds failed."
    )
    for failures, allowed in ((50, False), (0, True), (4, True), (5, False)):
        if _budget(answer, [("F", failures, 0)]) != allowed:
            return Finding(
                required,
                f"After {failures} failures in a row allows_retry was {not allowed}.",
                hint=(
                    "It never says no, so that every client makes three calls of one just when the service cannot do one."
                    if failures == 50
                    else "Half of tokens_max is the limit: fewer failures allow a retry, as many do not."
                ),
            )
    return None


def _earns(answer: Any) -> Finding | None:
    for successes, failures, allowed in ((100, 14, True), (100, 15, False), (1000, 104, True)):
        if _budget(answer, [("S", successes, 0), ("F", failures, 0)]) != allowed:
            return Finding(
                "Each success of the last ten seconds pays for token_ratio of a failure.",
                f"After {successes} successes and {failures} failures allows_retry was {not allowed}.",
                hint="Successes count for something: failures < tokens_max / 2 + token_ratio * successes. Else a busy client "
                "with one failure in a hundred may never retry.",
            )
    return None


def _remembers_ten_seconds(answer: Any) -> Finding | None:
    required = "What is older than ten seconds counts no more: neither failures nor successes."
    clock = WALL_CLOCK if _by_the_wall_clock(answer) else ""
    if not _budget(answer, [("F", 50, 0)], ask_after_s=10.5):
        return Finding(
            required,
            "50 calls failed; 10.5 s later, without another call, allows_retry was still False.",
            hint=clock
            or "It never forgets: after one bad minute nobody may retry for a long time. Drop what is older than ten "
            "seconds, also when you are only asked.",
        )
    if _budget(answer, [("S", 1000, 0), ("S", 1, 10.5), ("F", 5, 0)]):
        return Finding(
            required,
            "A thousand calls went well, then 10.5 quiet seconds, then five failures: allows_retry was True.",
            hint="Old successes go on paying. A good morning must not buy a storm in the afternoon.",
        )
    if not _budget(answer, [("F", 4, 0)], ask_after_s=9):
        return Finding(required, "Four failures, 9 s ago: allows_retry was False.")
    if _budget(answer, [("F", 5, 0)], ask_after_s=9):
        return Finding(
            required,
            "Five failures, 9 s ago: allows_retry was True.",
            hint="They are not ten seconds old yet.",
        )
    if _budget(answer, [("F", 5, 0)], ask_after_s=10):
        return Finding(
            required,
            "Five failures, exactly 10 s ago: allows_retry was True.",
            hint="What is ten seconds old still counts; drop only what is *older*: <, not <=.",
        )
    return None


def _given_tokens(answer: Any) -> Finding | None:
    for successes, failures, allowed in ((0, 9, True), (0, 10, False), (10, 14, True), (10, 15, False)):
        steps = [("S", successes, 0.0), ("F", failures, 0.0)]
        if _budget(answer, steps, tokens_max=20, token_ratio=0.5) != allowed:
            return Finding(
                "The numbers are those that were given.",
                f"With tokens_max=20 and token_ratio=0.5, after {successes} successes and {failures} failures allows_retry "
                f"was {not allowed}.",
                hint="Half of tokens_max, and not always five."
                if not successes
                else "Each success pays for token_ratio of a failure, and not always for a tenth.",
            )
    return None


def _stays_small(answer: Any) -> Finding | None:
    async def trial() -> int:
        mine = answer(10, 0.1)
        for _ in range(5_000):
            mine.on_success()
            await asyncio.sleep(0.1)
        return max((len(v) for v in vars(mine).values() if hasattr(v, "__len__")), default=0)

    size = simulate(trial, max_steps=500_000)
    if size <= 300:
        return None
    return Finding(
        "Its memory holds ten seconds, not a lifetime.",
        f"After 5000 calls at ten a second a collection of {size} things was held.",
        hint="Forget the old ones: pop from the left of a deque while the oldest is over ten seconds old.",
    )


def _closed_for_ever(run: Run, verdict: Verdict) -> bool:
    return verdict.rule == RECOVERS and not run.history.of("transition", target=HALF_OPEN)


# ---- The exercises ---------------------------------------------------------------------------------------

EXERCISES: dict[str, Exercise] = {
    "3.1": Exercise(
        title="backoff with full jitter",
        points=10,
        ladder=(
            "Draw 400 waits of one retry and look at the smallest and the largest: "
            "`sorted(backoff(1, 1.0, cap_s=30.0, random=random) for _ in range(400))`. Then the same for retry 12.",
            "The exponential wait says how long it may be at most; the cap bounds that; and only then chance chooses, from 0 "
            "up to it.",
            "```\nlongest = the smaller of cap_s and base_s * 2 ** (retry - 1)\nreturn random.uniform(0, longest)\n```",
        ),
        scenario=CALLS,
        part="jitter",
        probes=(
            ("the wait is a number of seconds", _is_a_wait),
            ("chance comes from the argument", _chance_is_given),
            ("400 clients before their first and their fourth retry", _is_spread),
            ("400 clients at the cap", _cap_before_the_draw),
            ("other numbers than these", _given_numbers),
        ),
        cases=(
            Case("payments is down for 3 s", "2s..5s outage payments", rules=(BOUNDED, LOST), params=SMALL),
        ),
        forbids=("full_jitter", "equal_jitter", "decorrelated_jitter", "exponential"),
        untested="what the crowd does to a service; the lesson's picture of a comeback shows it.",
    ),
    "3.2": Exercise(
        title="retryable errors, one deadline",
        points=20,
        ladder=(
            '`CALLS.run("textbook", plan="at 2s poison mail")`: which order was sent three times, and why in vain? And with '
            '`plan="3s..6s brown-out payments by 3s"`: how long did its job take?',
            "Four questions, in this order: is the error worth another attempt? was this the last one? is there time left for "
            "the wait? Only then sleep. Time-outs of single attempts say nothing about the whole; the deadline does.",
            "```\nif the error is not worth another attempt: raise NotRetryable from it\n"
            "if this was attempt number attempts_max: raise RetriesExhausted from it\n"
            "wait_s = self.jitter(attempt, self.base_s, cap_s=30.0, random=random)\n"
            "if wait_s >= deadline.remaining_s: raise deadline.error(attempt) from it\n```",
        ),
        scenario=CALLS,
        part="policy",
        probes=(
            ("connection errors and time-outs that pass", _tries_again),
            ("errors that no attempt can mend", _not_again),
            ("a service that is down", _gives_up),
            ("waits that the jitter draws", _waits_as_drawn),
            ("a call that is cancelled", _ends_when_cancelled),
            ("a slow service and a deadline", _one_deadline),
            ("how many calls were made", _says_how_many),
        ),
        cases=(
            Case("payments is down for 3 s", "2s..5s outage payments", rules=(BOUNDED, LOST), params=SMALL),
            Case(
                "payments takes 3 s longer",
                "2s..5s brown-out payments by 3s",
                rules=(BOUNDED, LOST),
                params=SMALL,
            ),
            Case(
                "an order that mail will never do", "at 2s poison mail", rules=(AT_ONCE, LOST), params=SMALL
            ),
        ),
        forbids=("RetryPolicy",),
        untested="a deadline that is handed on to the service that is called.",
    ),
    "3.3": Exercise(
        title="a breaker that recovers",
        points=20,
        ladder=(
            '`states(CALLS.run("textbook", plan="3s..6s outage payments"))`: payments is well again at 6 s. Which call could '
            "find that out?",
            "The state changes at three moments: when a call comes (open becomes half-open, if the wait is over), when a call "
            "fails, and when one works. Count probes as they go in. Whatever ends a probe, success, failure or neither, is "
            "accounted for.",
            "```\nif open and the wait is over: move to half-open\n"
            "if open, or half-open with three probes taken: raise CircuitOpen\n"
            "taken += 1\nperiod = self.period\ntry: call\n"
            "on ConnectionError, TimeoutError:\n"
            "    if period == self.period: count it; open when half-open or at the fifth\n"
            "    raise\n"
            "on anything else (BaseException):\n"
            "    if period == self.period: taken -= 1\n"
            "    raise\n"
            "worked:\n"
            "    if period == self.period: failures = 0; when half-open, close at the third\n"
            "    return the result\n```",
        ),
        scenario=CALLS,
        part="breaker",
        probes=(
            ("five failures open it", _opens),
            ("bad requests do not", _bad_requests),
            ("it recovers within its wait", _comes_back),
            ("sequences of calls while it is closed", _counts),
            ("fifty calls at once when half-open", _few_at_once),
            ("probes that are cancelled or ask for what cannot be", _permits_come_back),
            ("sequences of probes", _counts_probes),
            ("a probe that fails", _opens_again),
            ("slow calls from before it changed", _old_news),
        ),
        cases=(
            Case(
                "payments is down for 3 s",
                "2s..5s outage payments",
                rules=(LEGAL, PROBES, RECOVERS, LOST),
                params=SMALL,
            ),
            Case("mail flaps", "2s..6s flap mail every 2s", rules=(LEGAL, LOST), params=SMALL),
            Case(
                "mail is down, and then gets an order that it will never do",
                "2s..4s outage mail; at 4600ms poison mail",
                rules=(LEGAL, PROBES, RECOVERS, LOST),
                params=SMALL,
            ),
        ),
        hints=(
            Hint(
                "never half-open",
                _closed_for_ever,
                "It is never half-open in this run, so nobody finds out that the service is well again.",
            ),
            Hint(
                "everyone in",
                lambda run, verdict: verdict.rule == PROBES,
                "More probes than permits are under way. Count a probe before you await it.",
            ),
        ),
        forbids=("CircuitBreaker", "shop_breaker"),
        untested="a failure rate: that is the next exercise.",
    ),
    "3.4": Exercise(
        title="a failure rate over a window",
        points=15,
        ladder=(
            "Write down calls such as F F F S S, and beside each how many of the last ten there were and how many of them "
            "failed. At which one would you open?",
            "Keep the last window_calls outcomes, judge after each call, and only when there are enough of them.",
            "```\nkeep (failed, slow), at most window_calls of them: deque(maxlen=window_calls)\n"
            "if fewer than minimum_calls: return False\n"
            "return failed / calls >= failure_rate or slow / calls >= slow_rate\n```",
        ),
        scenario=CALLS,
        part="breaker",
        adapt=_with_judge,
        shown_part='as_part("3.4", {})',
        probes=(
            ("twelve sequences of calls", _rates),
            ("another window and other rates", _numbers_are_given),
        ),
        cases=(
            Case(
                "payments is down for 3 s",
                "2s..5s outage payments",
                rules=(LEGAL, PROBES, RECOVERS),
                params=SMALL,
            ),
        ),
        forbids=("CallWindow", "CountWindow", "TimeWindow", "CircuitBreaker"),
        untested="windows of time, where a quiet hour leaves no evidence.",
    ),
    "3.5": Exercise(
        title="a bulkhead",
        points=15,
        ladder=(
            '`CALLS.run("textbook", plan="3s..6s brown-out payments by 3s")`: which service was in trouble, and whose jobs '
            "had no worker?",
            "A number: how many are in progress. Whoever finds as many as there are permits is refused at once; whoever is "
            "let in counts up, and counts down however the call ends.",
            "```\nif in_progress == permits: raise BulkheadFull\nin_progress += 1\n"
            "try: return await function(*args)\nfinally: in_progress -= 1\n```",
        ),
        scenario=CALLS,
        part="bulkhead",
        probes=(
            ("three calls at once", _bounds),
            ("calls that fail, are cancelled, are refused", _permits_are_kept),
        ),
        cases=(
            Case(
                "payments takes 3 s longer",
                "2s..5s brown-out payments by 3s",
                rules=(WORKERS, LOST),
                params=SMALL,
            ),
        ),
        hints=(
            Hint(
                "waits without a bound",
                lambda run, verdict: verdict.rule == WORKERS,
                "The calls that wait for payments hold the workers that mail needs. Refuse at once.",
            ),
        ),
        forbids=("Bulkhead", "shop_bulkhead"),
        untested="a short wait for a permit, which the package's bulkhead offers.",
    ),
    "3.6": Exercise(
        title="diagnose",
        points=20,
        ladder=(
            "`states(run)` shows the breaker of mail. When did it change for the last time, and into what? Print the records "
            'that follow, of the kinds "attempt", "answer" and "transition".',
            "A half-open breaker waits for its probe. The permit comes back with the outcome, or it does not.",
            'the record of kind "answer" whose outcome is "rejected"; then the line at which such an error leaves `call`',
        ),
        probes=(("the rule, the record and the line", _diagnosis),),
    ),
    "3.7": Exercise(
        title="a retry budget that ends a storm",
        points=0,
        ladder=(
            '`offered(STORM.run(plan="5s..8s brown-out payments by 1s", budget=0))`: the trigger is over at 8 s. Who offers the '
            "load that keeps the service busy after that?",
            "Keep the times of failures and of successes, forget what is over ten seconds old, and compare the two numbers "
            "when you are asked.",
            "```\non_failure: failures.append(now)\non_success: successes.append(now)\nallows_retry:\n"
            "    drop from the left of both what is older than now - 10\n"
            "    return len(failures) < tokens_max / 2 + token_ratio * len(successes)\n```",
        ),
        scenario=STORM,
        part="budget",
        probes=(
            ("failures in a row", _says_no),
            ("successes that pay for failures", _earns),
            ("what is older than ten seconds", _remembers_ten_seconds),
            ("other numbers than these", _given_tokens),
            ("5000 calls with memory for ten seconds", _stays_small),
        ),
        cases=(
            Case(
                "payments takes 1 s longer for 3 s",
                "0s..3s brown-out payments by 1s",
                rules=(ENDS,),
                params={"duration_s": 26, "rate_per_s": 12},
            ),
        ),
        hints=(
            Hint(
                "never says no",
                lambda run, verdict: verdict.rule == ENDS,
                "The overload goes on without its cause: the retries are its cause now.",
            ),
        ),
        forbids=("RetryBudget",),
        untested="the laboratory's rule on the budget: it counts gRPC's tokens, and yours allows a busy client more.",
    ),
}
