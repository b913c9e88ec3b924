"""Lesson 4: high-availability design. The public names of the pattern; each file holds one idea."""

from lessonlib.high_availability.ballot import LOST, PENDING, WON, Ballot
from lessonlib.high_availability.disk_format import format_disk
from lessonlib.high_availability.election import (
    CANDIDATE,
    FOLLOWER,
    LEADER,
    LEARNER,
    PRE_CANDIDATE,
    TRANSITIONS,
    Election,
    Transition,
)
from lessonlib.high_availability.errors import (
    ClusterError,
    LogConflict,
    LogFull,
    NotCommitted,
    NotConfirmed,
    NotLeader,
    StaleToken,
)
from lessonlib.high_availability.fenced_store import FencedStore, StoreFull
from lessonlib.high_availability.heartbeat import Detector, HeartbeatMonitor, beat, keep_watch
from lessonlib.high_availability.lease import Grant, Lease, LeaseHeld, Leases, LeasesFull
from lessonlib.high_availability.linearizable import Operation, Violation, first_violation
from lessonlib.high_availability.manager import HighAvailabilityManager, NodeView
from lessonlib.high_availability.phi import PhiAccrualDetector, phi_akka, phi_exact
from lessonlib.high_availability.rebalance import rebalance_work
from lessonlib.high_availability.replicated_log import Entry, ReplicatedLog, commit_index

__all__ = [
    "CANDIDATE",
    "FOLLOWER",
    "LEADER",
    "LEARNER",
    "LOST",
    "PENDING",
    "PRE_CANDIDATE",
    "TRANSITIONS",
    "WON",
    "Ballot",
    "ClusterError",
    "Detector",
    "Election",
    "Entry",
    "FencedStore",
    "Grant",
    "HeartbeatMonitor",
    "HighAvailabilityManager",
    "Lease",
    "LeaseHeld",
    "Leases",
    "LeasesFull",
    "LogConflict",
    "LogFull",
    "NodeView",
    "NotCommitted",
    "NotConfirmed",
    "NotLeader",
    "Operation",
    "PhiAccrualDetector",
    "ReplicatedLog",
    "StaleToken",
    "StoreFull",
    "Transition",
    "Violation",
    "beat",
    "commit_index",
    "first_violation",
    "format_disk",
    "keep_watch",
    "phi_akka",
    "phi_exact",
    "rebalance_work",
]
