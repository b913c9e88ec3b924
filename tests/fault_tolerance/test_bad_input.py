"""What makes no sense is refused with one sentence that names the argument, the value and the remedy."""

import asyncio
import inspect
import re
from random import Random

import pytest

from lessonlib.errors import LessonError
from lessonlib.fault_tolerance import (
    Bulkhead,
    CircuitBreaker,
    Deadline,
    FaultTolerantProcessor,
    Ledger,
    RetryBudget,
    RetryPolicy,
    no_jitter,
)
from lessonlib.ports import PortError


class Nothing:
    """An object that can nothing."""

    def __repr__(self):
        return "Nothing()"


NOTHING = Nothing()
EVENT = {"id": "7", "type": "order_created", "data": {}}
COUNTS = [0, -1, None, "3", True, 1.5, float("nan")]
SECONDS = [-1, None, "1", True, float("nan"), float("inf")]
POSITIVE = [0, *SECONDS]
OPTIONAL_POSITIVE = [v for v in POSITIVE if v is not None]
SHARES = [0, -0.1, 1.1, None, "half", True, float("nan")]
TEXTS = [None, 7, "", True, ["payments"]]
FUNCTIONS = [None, 7, "fetch", NOTHING]
HOOKS = [7, "fetch", NOTHING]
ERRORS = [None, 7, "ConnectionError", (ConnectionError, 7), [int], NOTHING, int]


async def fine(*args):
    return args


def policy(**options):
    return RetryPolicy(**options)


def breaker(**options):
    return CircuitBreaker(**options)


def processor(**options):
    return FaultTolerantProcessor(**options)


# what is called, as text → (the argument that must be named, a call with one value, the values to refuse)
TABLE = {
    "RetryPolicy(attempts_max)": ("attempts_max", lambda v: policy(attempts_max=v), COUNTS),
    "RetryPolicy(base_s)": ("base_s", lambda v: policy(base_s=v), SECONDS),
    "RetryPolicy(cap_s)": ("cap_s", lambda v: policy(cap_s=v), SECONDS),
    "RetryPolicy(cap_s below base_s)": ("cap_s", lambda v: policy(base_s=5.0, cap_s=v), [2]),
    "RetryPolicy(jitter)": ("jitter", lambda v: policy(jitter=v), FUNCTIONS),
    "RetryPolicy(retryable)": ("retryable", lambda v: policy(retryable=v), ERRORS),
    "RetryPolicy(timeout_s)": ("timeout_s", lambda v: policy(timeout_s=v), OPTIONAL_POSITIVE),
    "RetryPolicy(deadline_s)": ("deadline_s", lambda v: policy(deadline_s=v), OPTIONAL_POSITIVE),
    "RetryPolicy.call": ("function", lambda v: policy().call(v), FUNCTIONS),
    "RetryBudget(tokens_max)": ("tokens_max", RetryBudget, COUNTS),
    "RetryBudget(token_ratio)": ("token_ratio", lambda v: RetryBudget(10, v), [*SHARES, 0.0001]),
    "Deadline(within_s)": ("within_s", Deadline, SECONDS),
    "Deadline(clock)": ("clock", lambda v: Deadline(1, clock=v), FUNCTIONS),
    "Deadline.call(timeout_s)": (
        "timeout_s",
        lambda v: Deadline(1).call(fine, timeout_s=v),
        OPTIONAL_POSITIVE,
    ),
    "CircuitBreaker(name)": ("name", CircuitBreaker, TEXTS),
    "CircuitBreaker(failure_rate)": ("failure_rate", lambda v: breaker(failure_rate=v), SHARES),
    "CircuitBreaker(slow_rate)": ("slow_rate", lambda v: breaker(slow_rate=v), SHARES),
    "CircuitBreaker(slow_call_s)": ("slow_call_s", lambda v: breaker(slow_call_s=v), SECONDS),
    "CircuitBreaker(window_calls)": ("window_calls", lambda v: breaker(window_calls=v), COUNTS),
    "CircuitBreaker(window_s)": (
        "window_s",
        lambda v: breaker(window_s=v),
        [v for v in COUNTS if v is not None],
    ),
    "CircuitBreaker(minimum_calls)": ("minimum_calls", lambda v: breaker(minimum_calls=v), COUNTS),
    "CircuitBreaker(half_open_permits)": (
        "half_open_permits",
        lambda v: breaker(half_open_permits=v),
        COUNTS,
    ),
    "CircuitBreaker(open_s)": ("open_s", lambda v: breaker(open_s=v), SECONDS),
    "CircuitBreaker(ignored)": ("ignored", lambda v: breaker(ignored=v), ERRORS),
    "CircuitBreaker(on_transition)": ("on_transition", lambda v: breaker(on_transition=v), HOOKS),
    "CircuitBreaker(clock)": ("clock", lambda v: breaker(clock=v), FUNCTIONS),
    "CircuitBreaker.call": ("function", lambda v: breaker().call(v), FUNCTIONS),
    "@CircuitBreaker": ("function", lambda v: breaker()(v), FUNCTIONS),
    "Bulkhead(permits)": ("permits", Bulkhead, COUNTS),
    "Bulkhead(wait_s)": ("wait_s", lambda v: Bulkhead(1, wait_s=v), SECONDS),
    "Bulkhead(waiting_max)": ("waiting_max", lambda v: Bulkhead(1, waiting_max=v), [-1, None, "1", True]),
    "Bulkhead(name)": ("name", lambda v: Bulkhead(1, name=v), TEXTS),
    "Bulkhead.call": ("function", lambda v: Bulkhead().call(v), FUNCTIONS),
    "Ledger(disk)": ("disk", Ledger, [7, "disk", NOTHING, Ledger]),
    "Ledger(pending_max)": ("pending_max", lambda v: Ledger(pending_max=v), COUNTS),
    "FaultTolerantProcessor(max_retries)": ("max_retries", lambda v: processor(max_retries=v), COUNTS),
    "FaultTolerantProcessor(retry_delay)": ("retry_delay", lambda v: processor(retry_delay=v), SECONDS),
    "FaultTolerantProcessor(circuit_breaker_threshold)": (
        "circuit_breaker_threshold",
        lambda v: processor(circuit_breaker_threshold=v),
        COUNTS,
    ),
    "FaultTolerantProcessor(timeout_s)": ("timeout_s", lambda v: processor(timeout_s=v), POSITIVE),
    "FaultTolerantProcessor(deadline_s)": ("deadline_s", lambda v: processor(deadline_s=v), POSITIVE),
    "FaultTolerantProcessor(policy)": ("policy", lambda v: processor(policy=v), [7, NOTHING, RetryPolicy]),
    "FaultTolerantProcessor(breaker)": ("breaker", lambda v: processor(breaker=v), HOOKS),
    "FaultTolerantProcessor(budget)": ("budget", lambda v: processor(budget=v), HOOKS),
    "FaultTolerantProcessor(bulkhead)": ("bulkhead", lambda v: processor(bulkhead=v), HOOKS),
    "FaultTolerantProcessor(dead_letters)": (
        "dead_letters",
        lambda v: processor(dead_letters=v),
        [7, NOTHING],
    ),
    "FaultTolerantProcessor(ledger)": ("ledger", lambda v: processor(ledger=v), [7, NOTHING, Ledger]),
    "FaultTolerantProcessor(ports)": ("ports", lambda v: processor(ports=v), [7, NOTHING]),
    "process_with_retries(processor_func)": (
        "processor_func",
        lambda v: processor().process_with_retries(v, EVENT),
        FUNCTIONS,
    ),
    "process_with_retries(event)": (
        "event",
        lambda v: processor().process_with_retries(fine, v),
        [None, 7, "order", [], {}, {"id": "7"}, {"type": 7}],
    ),
    "process_with_retries(service)": (
        "service",
        lambda v: processor().process_with_retries(fine, {**EVENT, "service": v}),
        [7, True, ["payments"]],
    ),
    "FaultTolerantProcessor.breaker": ("service", lambda v: processor().breaker(v), TEXTS),
}


def cases():
    found = []
    for what, (name, call, values) in TABLE.items():
        for value in values:
            found.append(pytest.param(name, call, value, id=f"{what} of {value!r:.30}"))
    return found


@pytest.mark.parametrize(("name", "call", "value"), cases())
def test_it_is_refused_in_one_sentence(name, call, value):
    async def trial():
        result = call(value)
        if inspect.isawaitable(result):
            await asyncio.wait_for(result, 5)

    with pytest.raises(LessonError) as refused:
        asyncio.run(trial())
    sentence = str(refused.value)
    assert re.search(rf"(^|\W){re.escape(name)}\b", sentence), sentence
    shown = value.__name__ if isinstance(value, type) else repr(value)[:20]
    assert shown in sentence or str(value) in sentence, sentence
    assert re.search(r"; (give|write|use|make|and|else)", sentence), f"no remedy: {sentence}"
    assert "\n" not in sentence and sentence.count(". ") == 0, sentence
    assert len(sentence) < 200, sentence


def test_an_event_that_no_disk_can_hold_is_refused():
    async def trial():
        await processor().process_with_retries(fine, {**EVENT, "data": {"when": object()}})

    with pytest.raises(PortError, match="cannot cross to another machine or to a disk: send plain data"):
        asyncio.run(trial())


def test_a_service_for_every_event_is_refused_before_memory_is_full():
    async def trial():
        one = processor()
        for number in range(1_001):
            one.breaker(f"order-{number}")

    with pytest.raises(LessonError, match="service='order-1000' would be the 1001th; use few names"):
        asyncio.run(trial())


def test_a_jitter_of_ones_own_is_taken():
    assert list(RetryPolicy(jitter=no_jitter, attempts_max=2).waits(Random(1))) == [1.0]
