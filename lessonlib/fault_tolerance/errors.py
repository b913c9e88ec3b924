"""Why a call was given up. Each reason is an error of its own, since each asks for something else from the caller.

| error | what it says | what becomes of an event |
|---|---|---|
| `NotRetryable` | it cannot succeed, however often | dead letter |
| `RetriesExhausted` | the last attempt that was allowed has failed | dead letter |
| `DeadlineExceeded` | there is no time left | pending |
| `RetryBudgetSpent` | too much fails already: retrying would add to the trouble | pending |
| `CircuitOpen` | the breaker does not let calls through | pending |
| `BulkheadFull` | the calls in progress to this service are as many as may be | pending |

`__cause__` is what the last attempt raised, where there was one.
"""

from __future__ import annotations

from lessonlib.errors import LessonError


class CallFailed(LessonError):
    """A call was given up.

    Attributes:
        attempts: how many calls were made; 0 when none was.
    """

    def __init__(self, message: str, *, attempts: int = 0) -> None:
        super().__init__(message)
        self.attempts = attempts


class NotRetryable(CallFailed):
    """The call failed in a way that another attempt cannot mend."""


class RetriesExhausted(CallFailed):
    """Every attempt that was allowed has failed."""


class DeadlineExceeded(CallFailed):
    """The time for the whole call, all attempts and waits together, is over."""


class RetryBudgetSpent(CallFailed):
    """So many calls fail that this one is not tried again."""


class CircuitOpen(CallFailed):
    """The breaker refused the call.

    Attributes:
        retry_after_s: in how many seconds a call may be let through; 0 while probes are under way.
    """

    def __init__(self, message: str, *, attempts: int = 0, retry_after_s: float = 0.0) -> None:
        super().__init__(message, attempts=attempts)
        self.retry_after_s = retry_after_s


class BulkheadFull(CallFailed):
    """As many calls are in progress as may be."""


def describe(error: BaseException) -> str:
    """Return an error as messages quote it: its class, and what it says."""
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
