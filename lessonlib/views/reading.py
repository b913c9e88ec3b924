"""What views read in a history: calls, times when a node was down or paused, faults as they came about."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from lessonlib.lab.faults import CrashAfterWrite, Fault, Pause
from lessonlib.lab.history import History, Record
from lessonlib.lab.scenario import Run

OUTCOMES = ("ok", "failed", "unknown")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the workload made.

    Attributes:
        node: where it ran.
        invoke: its first record.
        outcome: "ok", "failed", "unknown", or "no answer" when the run ended before it did.
        end_us: when it ended; None when it did not.
    """

    node: str
    invoke: Record
    outcome: str
    end_us: int | None

    @property
    def op(self) -> str:
        return str(self.invoke.get("op", "call"))


def calls(history: History) -> list[Call]:
    """Return the calls, in the order in which they were made."""
    ends = {r.get("call"): r for r in history.of(*OUTCOMES)}
    found = []
    for invoke in history.of("invoke"):
        end = ends.get(invoke.get("call"))
        found.append(
            Call(invoke.node, invoke, end.kind if end else "no answer", end.t_us if end is not None else None)
        )
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a node was not well: `what` is "down" or "paused"."""

    node: str
    what: str
    start_us: int
    end_us: int
    over: bool  # whether it ended within the run


_BEGINS = {"crash": "down", "pause": "paused"}
_ENDS = {"restart": ("down",), "resume": ("paused",), "crash": ("paused",)}


def outages(history: History, end_us: int) -> list[Span]:
    """Return when nodes were down or paused, in order of beginning."""
    found: list[Span] = []
    since: dict[tuple[str, str], int] = {}
    for record in history.of("crash", "restart", "pause", "resume"):
        for what in _ENDS.get(record.kind, ()):
            start_us = since.pop((record.node, what), None)
            if start_us is not None:
                found.append(Span(record.node, what, start_us, record.t_us, True))
        if record.kind in _BEGINS:
            since.setdefault((record.node, _BEGINS[record.kind]), record.t_us)
    found += [Span(node, what, start_us, end_us, False) for (node, what), start_us in since.items()]
    return sorted(found, key=lambda s: (s.start_us, s.node))


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault of the plan as it came about.

    Attributes:
        fault: the fault.
        start_us, end_us: when it was in force; equal for one of a single moment. None for one that never came.
        nodes: at whom it was aimed; empty for everybody.
    """

    fault: Fault
    start_us: int | None
    end_us: int
    nodes: tuple[str, ...]

    @property
    def text(self) -> str:
        return str(self.fault)


def strikes(run: Run, facts: History | None = None) -> list[Strike]:
    """Return the faults of the run's plan with the times at which they came about, read from `facts`."""
    begun: dict[str, deque[int]] = {}
    for record in (run.history if facts is None else facts).of("fault", phase="begins"):
        begun.setdefault(str(record.get("fault")), deque()).append(record.t_us)
    found = []
    for fault in run.plan:
        times = begun.get(str(fault))
        start_us = times.popleft() if times else None
        if start_us is None and not isinstance(fault, CrashAfterWrite) and not begun:
            start_us = round(fault.begins_s * 1e6)  # a history that does not say
        lasts_us = round((fault.ends_s - fault.begins_s) * 1e6)
        if isinstance(fault, CrashAfterWrite):
            lasts_us = round((fault.down_s or 0) * 1e6)
        elif not isinstance(fault, Pause) and hasattr(fault, "node") and getattr(fault, "down_s", 0) is None:
            lasts_us = run.end_us - (start_us or 0)  # a crash without a restart
        found.append(Strike(fault, start_us, (start_us or 0) + lasts_us, _aims(fault)))
    return found


def _aims(fault: Fault) -> tuple[str, ...]:
    names: list[str] = []
    for field in ("node", "target", "source", "to", "left", "right"):
        value = getattr(fault, field, None)
        names += value if isinstance(value, tuple) else [value] if value is not None else []
    return tuple(dict.fromkeys(names))


def relevant(history: History, kinds: Iterable[str]) -> History:
    """Return the records that a view of calls, outages, faults and these kinds needs: few of many."""
    wanted = {"invoke", *OUTCOMES, "fault", *_BEGINS, *_ENDS, *kinds}
    return History([record for record in history.records if record.kind in wanted])


def losses(history: History) -> dict[tuple[str, str], int]:
    """Return how many messages were lost, by (for whom, why), in order of appearance."""
    found: dict[tuple[str, str], int] = {}
    for record in history.of("dropped"):
        key = (record.node, str(record.get("reason", "lost")))
        found[key] = found.get(key, 0) + 1
    return found
