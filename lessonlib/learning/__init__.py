"""What notebooks call."""

from lessonlib.learning.asking import ask, compare, predict, recall
from lessonlib.learning.check import CheckFailed, check
from lessonlib.learning.source import show

__all__ = ["CheckFailed", "ask", "check", "compare", "predict", "recall", "show"]
