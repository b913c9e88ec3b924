"""Lesson 3: fault-tolerant design. The public names of the pattern; each file holds one idea."""

from lessonlib.fault_tolerance.backoff import (
    Jitter,
    decorrelated_jitter,
    equal_jitter,
    exponential,
    full_jitter,
    no_jitter,
)
from lessonlib.fault_tolerance.budget import RetryBudget
from lessonlib.fault_tolerance.bulkhead import Bulkhead
from lessonlib.fault_tolerance.circuit_breaker import (
    CLOSED,
    HALF_OPEN,
    OPEN,
    TRANSITIONS,
    CircuitBreaker,
    Transition,
)
from lessonlib.fault_tolerance.deadline import Deadline
from lessonlib.fault_tolerance.errors import (
    BulkheadFull,
    CallFailed,
    CircuitOpen,
    DeadlineExceeded,
    NotRetryable,
    RetriesExhausted,
    RetryBudgetSpent,
)
from lessonlib.fault_tolerance.ledger import Ledger, LedgerFull
from lessonlib.fault_tolerance.processor import FaultTolerantProcessor
from lessonlib.fault_tolerance.retry import RetryPolicy

__all__ = [
    "CLOSED",
    "HALF_OPEN",
    "OPEN",
    "TRANSITIONS",
    "Bulkhead",
    "BulkheadFull",
    "CallFailed",
    "CircuitBreaker",
    "CircuitOpen",
    "Deadline",
    "DeadlineExceeded",
    "FaultTolerantProcessor",
    "Jitter",
    "Ledger",
    "LedgerFull",
    "NotRetryable",
    "RetriesExhausted",
    "RetryBudget",
    "RetryBudgetSpent",
    "RetryPolicy",
    "Transition",
    "decorrelated_jitter",
    "equal_jitter",
    "exponential",
    "full_jitter",
    "no_jitter",
]
