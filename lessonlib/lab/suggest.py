"""*Did you mean …?* for a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def did_you_mean(word: Any, names: Iterable[str]) -> str:
    """Return "; did you mean 'email'?" when one of `names` is close to `word`, else "".

    >>> did_you_mean("emial", ["orders", "email"])
    "; did you mean 'email'?"
    """
    close = get_close_matches(word, list(names), n=1, cutoff=0.6) if isinstance(word, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""
