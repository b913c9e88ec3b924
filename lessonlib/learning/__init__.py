"""What notebooks call."""

from lessonlib.learning.check import CheckFailed, check
from lessonlib.learning.source import show

__all__ = ["CheckFailed", "check", "show"]
