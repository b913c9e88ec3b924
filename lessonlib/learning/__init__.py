"""What notebooks call."""

from lessonlib.learning.asking import ask, compare, predict, recall
from lessonlib.learning.check import CheckFailed, check
from lessonlib.learning.failure_lab import FailureLab, failure_lab
from lessonlib.learning.missions import Mission, Runs
from lessonlib.learning.source import show

__all__ = [
    "CheckFailed",
    "FailureLab",
    "Mission",
    "Runs",
    "ask",
    "check",
    "compare",
    "failure_lab",
    "predict",
    "recall",
    "show",
]
