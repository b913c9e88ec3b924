"""What to bring about in the failure labs of this lesson, by sitting. Each mission reads runs under one plan."""

from __future__ import annotations

from lessonlib.fault_tolerance import rules
from lessonlib.fault_tolerance.circuit_breaker import OPEN
from lessonlib.fault_tolerance.scenario import BudgetOn, KeyFault
from lessonlib.lab.rules import Rule
from lessonlib.lab.scenario import Run
from lessonlib.learning.missions import Mission, Runs

OPENINGS = 3


def _breaks(run: Run, rule: Rule) -> bool:
    return any(verdict.rule == rule.name for verdict in run.broken)


def _holds(run: Run, rule: Rule) -> bool:
    return bool(run.verdict(rule.name).status == "holds")


def _openings(run: Run, service: str | None = None) -> int:
    return sum(
        r.data["target"] == OPEN and service in (None, r.data["breaker"])
        for r in run.history.of("transition")
    )


# ---- Sitting 1 -------------------------------------------------------------------------------------------


def _sent_in_vain(runs: Runs) -> bool:
    return _breaks(runs["textbook"], rules.fails_at_once) and _holds(runs["pattern"], rules.fails_at_once)


def _lost_by_one_fault(runs: Runs) -> bool:
    return len(runs.plan) == 1 and _breaks(runs["textbook"], rules.never_lost) and not runs["pattern"].broken


def _late_without_a_failure(runs: Runs) -> bool:
    run = runs["textbook"]
    answers = run.history.of("answer")
    return _breaks(run, rules.bounded) and len(answers) == len(run.history.of("answer", outcome="ok"))


# ---- Sitting 2 -------------------------------------------------------------------------------------------


def _opens_again_and_again(runs: Runs) -> bool:
    run = runs["pattern"]
    return len(runs.plan) == 1 and _openings(run) >= OPENINGS and not run.broken


def _retries_survive(runs: Runs) -> bool:
    textbook, pattern = runs["textbook"], runs["pattern"]
    done = len(textbook.history.of("ok", op="process")) == len(textbook.history.of("invoke", op="process"))
    tried = len(textbook.history.of("attempt")) > len(textbook.history.of("invoke", op="process"))
    return done and tried and len(pattern.history.of("failed", op="process", type="CircuitOpen")) > 0


def _one_customer(runs: Runs) -> bool:
    return (
        len(runs.plan) == 1 and isinstance(runs.plan.faults[0], KeyFault) and _openings(runs["pattern"]) > 0
    )


# ---- Sitting 3 -------------------------------------------------------------------------------------------


def _outlives(runs: Runs) -> bool:
    return not _turned_on(runs) and _breaks(runs["pattern"], rules.overload_ends)


def _turned_on(runs: Runs) -> list[BudgetOn]:
    return [fault for fault in runs.plan if isinstance(fault, BudgetOn)]


def _ended(runs: Runs) -> bool:
    on = _turned_on(runs)
    triggers = [fault for fault in runs.plan if not isinstance(fault, BudgetOn)]
    return (
        len(on) == 1
        and bool(triggers)
        and max(fault.ends_s for fault in triggers) < on[0].at_s
        and _breaks(runs["textbook"], rules.overload_ends)
        and _breaks(runs["pattern"], rules.within_budget)  # until then
        and _holds(runs["pattern"], rules.overload_ends)
    )


def _recovers_by_itself(runs: Runs) -> bool:
    run = runs["textbook"]
    return bool(run.history.of("answer", outcome="timed out")) and _holds(run, rules.overload_ends)


MISSIONS: dict[str, tuple[Mission, ...]] = {
    "3-1": (
        Mission(
            "Make the textbook send a request again that can never succeed, where the pattern fails at once.",
            _sent_in_vain,
            "One `except Exception` for everything (D2). A policy names what it retries.",
        ),
        Mission(
            "Lose an event of the textbook with a single fault, so that the pattern breaks no rule at all.",
            _lost_by_one_fault,
            "The textbook raises, and the event is nowhere (D9). Ours was in the ledger before the first call.",
        ),
        Mission(
            "Let a job of the textbook end after its deadline, though not one call failed.",
            _late_without_a_failure,
            "Slow is not failing, and nothing but a limit notices (D5).",
        ),
    ),
    "3-2": (
        Mission(
            f"Make breakers of the pattern open {OPENINGS} times or more with a single fault, and let it keep all rules.",
            _opens_again_and_again,
            "Each time the probes decide anew, and each failing probe costs the service one call in place of a crowd.",
        ),
        Mission(
            "Find a plan that retries survive and the breaker does not: the textbook gets every order done, and the pattern "
            "refuses some with CircuitOpen.",
            _retries_survive,
            "A breaker has a price: it also refuses calls that would have worked. Those events are pending, not lost; they are "
            "late.",
        ),
        Mission(
            "Open a breaker of the pattern by a fault that hits the requests of one customer only.",
            _one_customer,
            "Four customers of five are refused because of the fifth. A breaker for each service is a choice: finer ones see "
            "fewer calls each, and judge later.",
        ),
    ),
    "3-3": (
        Mission(
            "Without a budget: start an overload that outlives its trigger in the pattern as well.",
            _outlives,
            "Jitter and deadlines do not help here: there is more work than capacity, and the retries are the work.",
        ),
        Mission(
            "End it: let the trigger pass, and turn the budget on later (at 20s budget-on).",
            _ended,
            "The budget takes away what feeds the storm. The service was never broken.",
        ),
        Mission(
            "Find a trigger that makes calls time out and yet is too small: the textbook recovers by itself.",
            _recovers_by_itself,
            "Whether it recovers depends on how long the queue has become. Below, the system falls back; above, it falls forward. "
            "That is what *metastable* means.",
        ),
    ),
}
