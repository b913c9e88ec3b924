"""Lesson 4: high-availability design. The public names of the pattern; each file holds one idea."""

from lessonlib.high_availability.ballot import Ballot
from lessonlib.high_availability.disk_format import format_disk
from lessonlib.high_availability.election import TRANSITIONS, Election, Transition
from lessonlib.high_availability.errors import (
    ClusterError,
    LogConflict,
    LogFull,
    NotCommitted,
    NotConfirmed,
    NotLeader,
    StaleToken,
)
from lessonlib.high_availability.manager import HighAvailabilityManager, NodeView
from lessonlib.high_availability.replicated_log import Entry, ReplicatedLog, commit_index

__all__ = [
    "TRANSITIONS",
    "Ballot",
    "ClusterError",
    "Election",
    "Entry",
    "HighAvailabilityManager",
    "LogConflict",
    "LogFull",
    "NodeView",
    "NotCommitted",
    "NotConfirmed",
    "NotLeader",
    "ReplicatedLog",
    "StaleToken",
    "Transition",
    "commit_index",
    "format_disk",
]
