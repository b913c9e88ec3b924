"""How long to wait before a retry: longer each time, up to a cap, and not all clients for equally long.

Clients that failed together and wait equally long come back together, and fail together again. **Jitter** spreads
them. Marc Brooker compared the ways (AWS Architecture Blog, *Exponential Backoff And Jitter*, 2015); these are his.

The cap comes *before* the draw. Jitter that is added first and cut off afterwards vanishes at the cap: from then
on all clients wait exactly the same again.

All have one signature, so that a policy can take any: `jitter(retry, base_s, *, cap_s, random, previous_s)`.
"""

from __future__ import annotations

from random import Random
from typing import Protocol

DOUBLINGS_MAX = 60  # 2.0 ** 1100 is no float any more; long before that every cap is reached


class Jitter(Protocol):
    """A way to choose a wait."""

    def __call__(
        self, retry: int, base_s: float, *, cap_s: float, random: Random, previous_s: float = 0.0
    ) -> float:
        """Return the wait in seconds before the retry number `retry`.

        Args:
            retry: 1 before the second attempt, 2 before the third, and so on.
            base_s: the longest wait before the first retry.
            cap_s: the longest wait at all.
            random: where chance comes from.
            previous_s: the wait before the retry that came before; 0 before the first.
        """
        ...


def exponential(retry: int, base_s: float, *, cap_s: float) -> float:
    """Return `base_s`, doubled with each retry after the first, at most `cap_s`."""
    return min(cap_s, base_s * 2.0 ** min(retry - 1, DOUBLINGS_MAX))


def no_jitter(retry: int, base_s: float, *, cap_s: float, random: Random, previous_s: float = 0.0) -> float:
    """All of it: who failed together comes back together. For comparison."""
    return exponential(retry, base_s, cap_s=cap_s)


def full_jitter(retry: int, base_s: float, *, cap_s: float, random: Random, previous_s: float = 0.0) -> float:
    """Anything from 0 to the exponential wait. The default: the least work for the server."""
    return random.uniform(0, exponential(retry, base_s, cap_s=cap_s))


def equal_jitter(
    retry: int, base_s: float, *, cap_s: float, random: Random, previous_s: float = 0.0
) -> float:
    """Half of the exponential wait for certain, the other half by chance: never at once."""
    half_s = exponential(retry, base_s, cap_s=cap_s) / 2
    return half_s + random.uniform(0, half_s)


def decorrelated_jitter(
    retry: int, base_s: float, *, cap_s: float, random: Random, previous_s: float = 0.0
) -> float:
    """Anything from `base_s` to three times the wait before: grows without counting retries.

    The upper end is capped, and then drawn from. (Brooker draws and then caps, so that a share of his clients wait
    exactly `cap_s`; below the cap the two are the same.)
    """
    low_s = min(base_s, cap_s)
    return random.uniform(low_s, min(cap_s, max(previous_s, low_s) * 3))
