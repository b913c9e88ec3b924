"""A circuit breaker: stop calling what does not answer, and find out, carefully, when it answers again.

How to think about it. In the *closed* state calls pass, and their outcomes are kept in a window. When too many of
them failed, or were slow, the breaker *opens*: calls are refused at once, which spares the caller the wait and the
service the load. After a wait it is *half-open*: a few calls are let through as probes, the others are refused, and
what becomes of the probes decides.

The whole machine is the table TRANSITIONS. The breaker looks up where an event leads, and the picture in the
lesson is drawn from the same table.

The semantics are resilience4j's (`CircuitBreakerStateMachine`):
- Nothing is judged before `minimum_calls` have ended. From then on *every* call that ends is a moment to judge, a
  success too: after three failures and two successes 60 % have failed.
- A call is slow when it took strictly longer than `slow_call_s`.
- Open turns half-open when the next call comes after the wait, not by a timer: without calls there is nothing to know.
- Of the half-open state's permits, one that was taken by a call that says nothing about the service's health (an
  ignored error, a cancelled call) is given back. A permit that is lost would leave the breaker half-open for ever.
- Each transition begins a new window: what was is no evidence of what is.

In one thing we differ: the outcome of a call that began before a transition counts no more after it. resilience4j
counts it in whatever state it finds, so that a call from before the outage can pass for a probe.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar

from lessonlib.event_driven.arguments import function as check_function
from lessonlib.event_driven.arguments import seconds, text, whole
from lessonlib.fault_tolerance.arguments import Errors, errors_test, fraction, loop_time
from lessonlib.fault_tolerance.call_window import CallWindow, CountWindow, TimeWindow, Totals
from lessonlib.fault_tolerance.errors import CircuitOpen

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"
STATES = (CLOSED, OPEN, HALF_OPEN)

SICK = "failure or slow-call rate at its threshold"
WELL = "all probes in, rates below their thresholds"
DUE = "a call comes after the wait"


class Transition(NamedTuple):
    """In the state `source`, the event `event` leads to the state `target`."""

    source: str
    event: str
    target: str


TRANSITIONS = (
    Transition(CLOSED, SICK, OPEN),
    Transition(OPEN, DUE, HALF_OPEN),
    Transition(HALF_OPEN, SICK, OPEN),
    Transition(HALF_OPEN, WELL, CLOSED),
)
_NEXT = {(row.source, row.event): row.target for row in TRANSITIONS}


class OnTransition(Protocol):
    """A hook that sees each change of state, after it has happened. It must return soon and not raise."""

    def __call__(self, name: str, source: str, target: str) -> None: ...


class CircuitBreaker:
    """Refuses calls while most of the last ones failed. One for each service that is called.

    Args:
        name: the service, for messages and hooks.
        failure_rate: opens when at least this share of the window's calls failed.
        slow_rate: opens when at least this share of them was slow.
        slow_call_s: a call that takes longer is slow.
        window_calls: the window holds the last so many calls.
        window_s: instead, the calls of the last so many whole seconds.
        minimum_calls: nothing is judged on fewer; at most `window_calls`, as in resilience4j.
        half_open_permits: how many probes are let through, and how many must come back to decide.
        open_s: how long it stays open at least, in seconds.
        ignored: errors that say nothing about the service's health (its answer to a bad request): neither failure
            nor success. Classes, or a function of the error. Cancellation is always ignored.
        on_transition: called with (name, source, target) at each change.
        clock: seconds that never jump; left out, the event loop's time.

    The defaults are resilience4j's. Give each call a time-out: a probe that never ends never decides.

        await breaker.call(fetch, url)
        with breaker.guard(): ...
        @breaker                            # on a function, async or not
    """

    def __init__(
        self,
        name: str = "default",
        *,
        failure_rate: float = 0.5,
        slow_rate: float = 1.0,
        slow_call_s: float = 60.0,
        window_calls: int = 100,
        window_s: int | None = None,
        minimum_calls: int = 100,
        half_open_permits: int = 10,
        open_s: float = 60.0,
        ignored: Errors = (),
        on_transition: OnTransition | None = None,
        clock: Callable[[], float] = loop_time,
    ) -> None:
        text("name", name, example="payments")
        fraction("failure_rate", failure_rate)
        fraction("slow_rate", slow_rate)
        seconds("slow_call_s", slow_call_s)
        whole("window_calls", window_calls, least=1)
        if window_s is not None:
            whole("window_s", window_s, least=1)
        whole("minimum_calls", minimum_calls, least=1)
        whole("half_open_permits", half_open_permits, least=1)
        seconds("open_s", open_s)
        if on_transition is not None:
            check_function("on_transition", on_transition, example="a function of (name, source, target)")
        check_function("clock", clock, example="a function that returns seconds")
        self.name = name
        self._failure_rate = failure_rate
        self._slow_rate = slow_rate
        self._slow_call_s = slow_call_s
        self._window_calls = window_calls
        self._window_s = window_s
        self._minimum_calls = minimum_calls if window_s is not None else min(minimum_calls, window_calls)
        self._half_open_permits = half_open_permits
        self._open_s = open_s
        self._ignores = errors_test("ignored", ignored)
        self._on_transition = on_transition
        self._clock = clock
        self._state = CLOSED
        self._period = (
            0  # how often the state has changed: a call counts only in the period in which it began
        )
        self._opened_s = 0.0
        self._permits = 0
        self._window: CallWindow = self._new_window()
        self.refused = 0

    @property
    def state(self) -> str:
        """CLOSED, OPEN or HALF_OPEN. Open stays so after the wait, until a call comes."""
        return self._state

    @property
    def totals(self) -> Totals:
        """The calls by which the present state is judged."""
        return self._window.totals(self._clock())

    def guard(self) -> Guard:
        """Return a context manager for one call: `with breaker.guard(): ...`. Entering raises CircuitOpen."""
        return Guard(self)

    async def call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Return what `function(*args)` returns. Raises CircuitOpen, and what the function raises."""
        check_function("function", function, example="an async function")
        with Guard(self):
            return await function(*args)

    def __call__(self, function: F) -> F:
        """Decorate a function, async or not, so that each call of it goes through the breaker."""
        check_function("function", function, example="a function to decorate")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def guarded(*args: Any, **kwargs: Any) -> Any:
                with Guard(self):
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                with Guard(self):
                    return function(*args, **kwargs)

        return guarded  # type: ignore[return-value]

    # ---- The machine -------------------------------------------------------------------------------------

    def _enter(self) -> int:
        """Let a call in; return the period in which it begins. Raises CircuitOpen."""
        if self._state == OPEN:
            left_s = self._opened_s + self._open_s - self._clock()
            if left_s > 0:
                raise self._refusal(f"open for another {left_s:.3g} s", left_s)
            self._happens(DUE)
        if self._state == HALF_OPEN:
            if not self._permits:
                raise self._refusal(f"half-open, with all {self._half_open_permits} probes under way")
            self._permits -= 1
        return self._period

    def _leave(self, period: int, took_s: float, error: BaseException | None) -> None:
        """Count a call that has ended, if it says something about the service as it is now."""
        if period != self._period:
            return
        if error is not None and (not isinstance(error, Exception) or self._ignores(error)):
            if self._state == HALF_OPEN:
                self._permits += 1
            return
        totals = self._window.add(self._clock(), failed=error is not None, slow=took_s > self._slow_call_s)
        half_open = self._state == HALF_OPEN
        if totals.calls >= (self._half_open_permits if half_open else self._minimum_calls):
            sick = totals.failure_rate >= self._failure_rate or totals.slow_rate >= self._slow_rate
            self._happens(SICK if sick else WELL)

    def _happens(self, event: str) -> None:
        """Go where the table says that `event` leads; an event without a row changes nothing."""
        target = _NEXT.get((self._state, event))
        if target is None:
            return
        source, self._state = self._state, target
        self._period += 1
        self._opened_s = self._clock()
        self._permits = self._half_open_permits if target == HALF_OPEN else 0
        self._window = self._new_window()
        if self._on_transition is not None:
            self._on_transition(self.name, source, target)

    def _new_window(self) -> CallWindow:
        if self._state == HALF_OPEN:
            return CountWindow(self._half_open_permits)
        return CountWindow(self._window_calls) if self._window_s is None else TimeWindow(self._window_s)

    def _refusal(self, why: str, retry_after_s: float = 0.0) -> CircuitOpen:
        self.refused += 1
        return CircuitOpen(f"the breaker of {self.name} is {why}; try later", retry_after_s=retry_after_s)


class Guard:
    """One call through a breaker, as a context manager."""

    __slots__ = ("_began_s", "_breaker", "_period")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> None:
        self._period = self._breaker._enter()
        self._began_s = self._breaker._clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._breaker._leave(self._period, self._breaker._clock() - self._began_s, error)
