"""Faults of a plan that struck nothing: a run that holds under such a plan has shown less than it seems."""

from __future__ import annotations

from lessonlib.lab.faults import CrashAfterWrite
from lessonlib.lab.history import seconds
from lessonlib.lab.scenario import Run


def missed(run: Run) -> tuple[str, ...]:
    """Return one sentence for each fault that never came, or came after the last call had ended."""
    begun: dict[str, list[int]] = {}
    for record in run.history.of("fault", phase="begins"):
        begun.setdefault(str(record.get("fault")), []).append(record.t_us)
    last = run.history.of("invoke", "ok", "failed", "unknown").last()
    found = []
    for fault in run.plan:
        times = begun.get(str(fault))
        if times:
            when_us = times.pop(0)
            if last is not None and when_us > last.t_us:
                found.append(
                    f"'{fault}' struck nothing: it begins at {seconds(when_us)}, and the last call had ended "
                    f"at {seconds(last.t_us)}."
                )
        elif isinstance(fault, CrashAfterWrite):
            found.append(
                f"'{fault}' struck nothing: {fault.node} never wrote a record number {fault.count} to {fault.file}."
            )
        else:
            found.append(f"'{fault}' struck nothing: the run ended before it began.")
    return tuple(found)
