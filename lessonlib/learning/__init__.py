"""What notebooks call."""

from lessonlib.learning.check import CheckFailed, check
from lessonlib.learning.ladder import hints
from lessonlib.learning.pieces import mine
from lessonlib.learning.source import show
from lessonlib.learning.standing import progress

__all__ = ["CheckFailed", "check", "hints", "mine", "progress", "show"]
