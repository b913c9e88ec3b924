"""The processor: all parts together, around one call to a service.

    ledger ─▶ bulkhead ─▶ deadline ─▶ retries ─▶ breaker ─▶ time-out ─▶ your function
                                        └──── retry budget

From the outside in:
- The *ledger* makes the event pending, so that nothing that follows can lose it.
- The *bulkhead* bounds how many workers a service can hold, those that wait for their next attempt among them. (It
  stands outermost for that. resilience4j puts it next to the call, where it bounds the load on the service instead.)
- The *deadline* is over all attempts and waits, the *time-out* over one attempt. The time-out stands *inside* the
  breaker: outside, it would cancel the call, and a breaker makes nothing of a cancelled call.
- The *breaker* sees every attempt, not every event; the *budget* decides whether there may be another one.

A service has its own breaker, budget and bulkhead: the trouble of one is not the trouble of another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, Protocol

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import able, ports_or_local, seconds, text, whole
from lessonlib.event_driven.arguments import function as check_function
from lessonlib.event_driven.dead_letters import DeadLetter, DeadLetterQueue
from lessonlib.event_driven.event import Event, EventError, event_id
from lessonlib.fault_tolerance.budget import RetryBudget
from lessonlib.fault_tolerance.bulkhead import Bulkhead
from lessonlib.fault_tolerance.circuit_breaker import CircuitBreaker
from lessonlib.fault_tolerance.deadline import Deadline, within
from lessonlib.fault_tolerance.errors import CallFailed, NotRetryable, RetriesExhausted
from lessonlib.fault_tolerance.ledger import DEAD_LETTERED, PROCESSED, Key, Ledger
from lessonlib.fault_tolerance.retry import TRANSIENT, RetryPolicy
from lessonlib.ports import Ports, plain

TIMEOUT_S = 10.0
DEADLINE_S = 30.0
OPEN_S = 30.0
SERVICES_MAX = 1_000
SERVICE = "default"

Processor = Callable[[Any], Awaitable[Any]]


class Policy(Protocol):
    """What the processor needs of a policy: `RetryPolicy` has it."""

    async def call(
        self,
        function: Callable[..., Awaitable[Any]],
        *args: Any,
        random: Random,
        deadline: Deadline,
        budget: RetryBudget,
    ) -> Any: ...


class Caller(Protocol):
    """What the processor needs of a breaker and of a bulkhead."""

    async def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any: ...


class FaultTolerantProcessor:
    """Processes events by calling services that fail, and loses none.

    Args:
        max_retries: how many calls are made in all for an event, the first among them (as in the classic lesson).
        retry_delay: the longest wait before the first retry, in seconds; doubled before each further one.
        circuit_breaker_threshold: of how many calls at least the breaker judges; it opens when half of the last
            twice as many failed, so an outage opens it after that many failures.
        timeout_s: how long an attempt may take, in seconds; then it has failed with a TimeoutError.
        deadline_s: how long an event may take in all, in seconds.
        policy: how it is tried again; left out, with full jitter, connection errors and time-outs only.
        breaker: makes the breaker of a service, by its name; left out, a CircuitBreaker that is open for 30 s.
        budget: makes the retry budget of a service; left out, a RetryBudget.
        bulkhead: makes the bulkhead of a service; left out, a Bulkhead of 25 permits.
        dead_letters: where events go that cannot be processed; left out, a queue on `ports.disk`.
        ledger: where pending events are kept; left out, on `ports.disk`.
        ports: the world; left out, a real one (`local_ports()`).

        processor = FaultTolerantProcessor(max_retries=3, retry_delay=1.0, circuit_breaker_threshold=5)
        result = await processor.process_with_retries(charge, {"type": "order_created", "service": "payments", …})
    """

    def __init__(
        self,
        max_retries: int = 3,
        retry_delay: float = 1.0,
        circuit_breaker_threshold: int = 5,
        *,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        policy: Policy | None = None,
        breaker: Callable[[str], Caller] | None = None,
        budget: Callable[[str], RetryBudget] | None = None,
        bulkhead: Callable[[str], Caller] | None = None,
        dead_letters: DeadLetterQueue | None = None,
        ledger: Ledger | None = None,
        ports: Ports | None = None,
    ) -> None:
        whole("max_retries", max_retries, least=1)
        seconds("retry_delay", retry_delay)
        whole("circuit_breaker_threshold", circuit_breaker_threshold, least=1)
        seconds("timeout_s", timeout_s, positive=True)
        seconds("deadline_s", deadline_s, positive=True)
        if policy is not None:
            able("policy", policy, ("call",), example="a RetryPolicy")
        for name, value in (("breaker", breaker), ("budget", budget), ("bulkhead", bulkhead)):
            if value is not None:
                check_function(name, value, example=f"a function that makes the {name} of a service")
        if dead_letters is not None:
            able("dead_letters", dead_letters, ("put",), example="a DeadLetterQueue")
        if ledger is not None:
            able("ledger", ledger, ("accept", "settle", "pending"), example="a Ledger")
        self._ports = ports_or_local(ports)
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._policy: Policy = policy or RetryPolicy(
            attempts_max=max_retries, base_s=retry_delay, cap_s=max(30.0, retry_delay)
        )
        retries = getattr(self._policy, "retries", lambda error: isinstance(error, TRANSIENT))
        self._make_breaker = breaker or (
            lambda service: CircuitBreaker(
                service,
                window_calls=2 * circuit_breaker_threshold,
                minimum_calls=circuit_breaker_threshold,
                half_open_permits=3,
                open_s=OPEN_S,
                ignored=lambda error: not retries(error),
            )
        )
        self._make_budget = budget or (lambda service: RetryBudget())
        self._make_bulkhead = bulkhead or (lambda service: Bulkhead(name=service))
        self.dead_letters = dead_letters if dead_letters is not None else DeadLetterQueue(self._ports.disk)
        self._ledger = ledger if ledger is not None else Ledger(self._ports.disk)
        self._services: dict[str, tuple[Caller, RetryBudget, Caller]] = {}
        self._in_progress: dict[Key, int] = {}

    async def process_with_retries(self, processor_func: Processor, event: Event | Mapping[str, Any]) -> Any:
        """Return what `processor_func(event)` returns, after as many attempts as it takes and is allowed.

        It may be called again for an event that was processed (after a crash, or a time-out whose call arrived all
        the same), so it should be idempotent (lesson 1).

        Args:
            processor_func: an async function of the event.
            event: an `Event`, or the course's dict. Its `service`, or its data's, says whose breaker is asked.

        Raises NotRetryable or RetriesExhausted, and then the event is a dead letter; DeadlineExceeded,
        RetryBudgetSpent, CircuitOpen or BulkheadFull, and then it is pending, as after a cancellation. LedgerFull or
        OSError when it could not be accepted.
        """
        check_function("processor_func", processor_func, example="an async function of one event")
        key, letter = _read(event)
        service = service_of(event)
        breaker, budget, bulkhead = self._parts_of(service)
        first_time, deadline = self._ports.clock.now(), Deadline(self._deadline_s)
        self._in_progress[key] = self._in_progress.get(key, 0) + 1
        try:
            await self._ledger.accept(key, event if isinstance(event, Event) else plain(dict(event)))
            try:
                result = await bulkhead.call(self._try, processor_func, event, breaker, budget, deadline)
            except (NotRetryable, RetriesExhausted) as error:
                await self.dead_letters.put(self._letter(letter, service, error, first_time))
                await self._ledger.settle(key, DEAD_LETTERED)
                raise
            await self._ledger.settle(key, PROCESSED)
            return result
        finally:
            self._in_progress[key] -= 1
            if not self._in_progress[key]:
                del self._in_progress[key]

    async def pending(self) -> list[Event | dict[str, Any]]:
        """Return the events that wait for another try and that nobody is at, oldest first.

        Hand them to `process_with_retries` again, when the service is back or from time to time.
        """
        return [event for key, event in await self._ledger.pending() if key not in self._in_progress]

    def breaker(self, service: str = SERVICE) -> Any:
        """Return the breaker of a service: its state, its totals."""
        text("service", service, example="payments")
        return self._parts_of(service)[0]

    async def _try(
        self, processor_func: Processor, event: Any, breaker: Caller, budget: RetryBudget, deadline: Deadline
    ) -> Any:
        return await self._policy.call(
            breaker.call,
            within,
            self._timeout_s,
            processor_func,
            event,
            random=self._ports.random,
            deadline=deadline,
            budget=budget,
        )

    def _parts_of(self, service: str) -> tuple[Caller, RetryBudget, Caller]:
        if service not in self._services:
            if len(self._services) >= SERVICES_MAX:
                raise LessonError(
                    f"service={service!r:.60} would be the {SERVICES_MAX + 1}th; use few names, not one an event"
                )
            self._services[service] = (
                self._make_breaker(service),
                self._make_budget(service),
                self._make_bulkhead(service),
            )
        return self._services[service]

    def _letter(self, event: Event, service: str, error: CallFailed, first_time: float) -> DeadLetter:
        cause = error.__cause__ or error
        return DeadLetter(
            event=event,
            subscription=f"{service}/{event.id}",  # one letter for each event: there is no log with offsets here
            topic=event.type,
            offset=0,
            error=type(cause).__name__,
            message=str(cause),
            attempts=error.attempts,
            first_time=first_time,
            last_time=self._ports.clock.now(),
        )


def service_of(event: Event | Mapping[str, Any]) -> str:
    """Return the service that an event asks for: its own `service`, its data's, or "default"."""
    data = event.get("data")
    name = event.get("service") or (data.get("service") if isinstance(data, Mapping) else None) or SERVICE
    text("service", name, example="payments")
    return str(name)


def _read(event: Any) -> tuple[Key, Event]:
    """Return an event's key, and the event as an `Event`, for a dead letter. Raises EventError if it is none."""
    if isinstance(event, Event):
        return event.key, event
    if not isinstance(event, Mapping) or not isinstance(event.get("type"), str):
        raise EventError(
            f"event={event!r:.60} is no event; give an Event, or a dict such as "
            "{'id': '1', 'type': 'order_created', 'data': {}}"
        )
    said = plain(dict(event))
    identity = str(said.get("id") or event_id(said["type"], said))
    data = said.get("data")
    if isinstance(data, dict) and "service" in said:
        data = {**data, "service": said["service"]}  # an Event has no attribute for it
    letter = Event(
        said["type"],
        str(said.get("source") or "unknown"),
        data,
        id=identity,
        subject=str(said.get("subject") or ""),
    )
    return letter.key, letter
