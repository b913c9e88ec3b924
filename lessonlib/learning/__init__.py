"""What notebooks call."""

from lessonlib.learning.asking import ask, compare, predict, recall
from lessonlib.learning.check import CheckFailed, check
from lessonlib.learning.failure_lab import FailureLab, failure_lab
from lessonlib.learning.ladder import hints
from lessonlib.learning.missions import Mission, Runs
from lessonlib.learning.pieces import as_part, mine
from lessonlib.learning.source import show
from lessonlib.learning.standing import progress

__all__ = [
    "CheckFailed",
    "FailureLab",
    "Mission",
    "Runs",
    "as_part",
    "ask",
    "check",
    "compare",
    "failure_lab",
    "hints",
    "mine",
    "predict",
    "progress",
    "recall",
    "show",
]
