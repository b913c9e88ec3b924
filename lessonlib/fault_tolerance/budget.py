"""A retry budget: retries only while most calls succeed.

One client that retries three times is polite. All clients that retry three times, because the service is slow, are
three times the load on a service that cannot carry one. The budget sees what a single call cannot: *how much* fails.

The rule is gRPC's (gRFC A6, *retry throttling*): a failure takes a token, a success gives a tenth of one back, and
nobody retries while there are no more than half of the tokens. So retries never add more than a tenth to the load,
after a first handful.
"""

from __future__ import annotations

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import whole
from lessonlib.fault_tolerance.arguments import fraction

_UNIT = 1_000  # counted in thousandths, as gRPC does, since ten times 0.1 is not 1.0 in floats


class RetryBudget:
    """Says whether a failed call may be tried again. One for each service that is called.

    Args:
        tokens_max: how many tokens there are at the beginning, and at most.
        token_ratio: how many tokens a success gives back.

        budget = RetryBudget()
        try: ...; budget.on_success()
        except ConnectionError: budget.on_failure()
        if budget.allows_retry: ...
    """

    def __init__(self, tokens_max: int = 10, token_ratio: float = 0.1) -> None:
        whole("tokens_max", tokens_max, least=1)
        fraction("token_ratio", token_ratio)
        self.tokens_max = tokens_max
        self.token_ratio = token_ratio
        self._most = tokens_max * _UNIT
        self._gain = round(token_ratio * _UNIT)
        if not self._gain:
            raise LessonError(f"token_ratio={token_ratio!r:.60} rounds to nothing; give 0.001 or more")
        self._level = self._most

    @property
    def tokens(self) -> float:
        """How many tokens there are."""
        return self._level / _UNIT

    @property
    def allows_retry(self) -> bool:
        """Whether there are more than half of the tokens."""
        return self._level * 2 > self._most

    def on_failure(self) -> None:
        """A call failed that could be tried again: take a token."""
        self._level = max(0, self._level - _UNIT)

    def on_success(self) -> None:
        """A call succeeded: give a part of a token."""
        self._level = min(self._most, self._level + self._gain)
