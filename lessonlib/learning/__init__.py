"""What notebooks call."""

from lessonlib.learning.check import CheckFailed, check
from lessonlib.learning.failure_lab import FailureLab, failure_lab
from lessonlib.learning.missions import Mission, Runs
from lessonlib.learning.source import show

__all__ = ["CheckFailed", "FailureLab", "Mission", "Runs", "check", "failure_lab", "show"]
