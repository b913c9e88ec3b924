"""What can go wrong with a cluster, each as an error of its own."""

from __future__ import annotations

from lessonlib.errors import LessonError


class StaleToken(LessonError):
    """A write carried the token of somebody who has been replaced.

    Attributes:
        token: the one that the write had.
        highest: the highest that the resource has seen.
    """

    def __init__(self, message: str, *, token: int, highest: int) -> None:
        super().__init__(message)
        self.token = token
        self.highest = highest
