"""Every rule of lesson 3 has a run that keeps it, a run that breaks it, and a run that does not test it.

A rule that lacks one of these fails here, so that no rule can be added that is never put to the test.
"""

import asyncio

import pytest

from lessonlib.fault_tolerance import Bulkhead, CircuitBreaker, RetryPolicy, rules
from lessonlib.fault_tolerance.dependency import Rejected
from lessonlib.fault_tolerance.scenario import CALLS, STORM, shop_breaker
from lessonlib.lab import History, Record

SCENARIOS = {scenario.name: scenario for scenario in (CALLS, STORM)}

BOUNDED = "a job makes no more than its attempts, and none after its deadline"
AT_ONCE = "what can never succeed fails at once"
RECOVERS = "once a service is well again, its calls are let through again"
LEGAL = "the breaker changes state only as its table allows"
PROBES = "a half-open breaker lets through no more probes than its permits"
WORKERS = "a service in trouble does not take the workers that others need"
BUDGET = "retries stay within the budget"
LOST = "no event is lost: it is processed, a dead letter, or pending"
ENDS = "an overload ends when its cause has ended"
DIED = "no task dies unseen"


# ---- Broken parts ----------------------------------------------------------------------------------------


def generous(name, *, open_s, on_transition):
    """Lets everybody in when half-open."""
    return CircuitBreaker(
        name,
        window_calls=10,
        minimum_calls=5,
        half_open_permits=50,
        open_s=open_s,
        on_transition=on_transition,
    )


class Hasty:
    """Closes without having tried."""

    def __init__(self, name, *, open_s, on_transition):
        self.inner = shop_breaker(name, open_s=open_s, on_transition=self.seen)
        self.hook = on_transition

    def seen(self, name, source, target):
        self.hook(name, source, target)
        if target == "half-open":
            self.hook(name, "half-open", "closed")

    async def call(self, function, *args):
        return await self.inner.call(function, *args)


class Careless:
    """A bulkhead that leaves a task behind, which dies."""

    def __init__(self, permits):
        self.tasks = []

    async def call(self, function, *args):
        async def die():
            raise RuntimeError("nobody looks")

        self.tasks.append(asyncio.get_running_loop().create_task(die()))
        return await function(*args)


class Idle:
    """A policy that never calls anything."""

    def __init__(self, **options):
        pass

    async def call(self, function, *args, **options):
        raise ConnectionError("no patience")


def tireless(**options):
    return RetryPolicy(**{**options, "attempts_max": 5})


# ---- The runs --------------------------------------------------------------------------------------------
# For each rule: arguments of a run that keeps it, of one that breaks it, and of one that does not test it.
# None: there is no such run, since the rule judges every run.

TEXTBOOK = {"system": "textbook"}
OUTAGE = {"plan": "2s..5s outage payments"}
BROWN = {"plan": "2s..5s brown-out payments by 3s"}
POISON = {"plan": "at 2s poison mail"}
SHUT = {"plan": "at 0s crash shop"}
TRIGGER = {"plan": "0s..3s brown-out payments by 1s"}

RUNS = {
    ("CALLS", BOUNDED): (BROWN, {**TEXTBOOK, **BROWN}, SHUT),
    ("CALLS", AT_ONCE): (POISON, {**TEXTBOOK, **POISON}, {}),
    ("CALLS", RECOVERS): (OUTAGE, {**TEXTBOOK, **OUTAGE}, {}),
    ("CALLS", LEGAL): (OUTAGE, {**OUTAGE, "parts": {"breaker": Hasty}}, {}),
    ("CALLS", PROBES): (OUTAGE, {**OUTAGE, "parts": {"breaker": generous}}, {}),
    ("CALLS", WORKERS): (BROWN, {**TEXTBOOK, **BROWN}, {}),
    ("CALLS", BUDGET): (OUTAGE, {**TEXTBOOK, **OUTAGE}, {}),
    ("CALLS", LOST): (POISON, {**TEXTBOOK, **POISON}, SHUT),
    ("CALLS", DIED): (OUTAGE, {"parts": {"bulkhead": Careless}}, None),
    ("STORM", ENDS): (TRIGGER, {**TEXTBOOK, **TRIGGER}, {}),
    ("STORM", BUDGET): (TRIGGER, {"budget": 0, **TRIGGER}, {}),
    ("STORM", BOUNDED): (
        TRIGGER,
        {"plan": "0s..3s outage payments", "budget": 0, "parts": {"policy": tireless}},
        {"parts": {"policy": Idle}},
    ),
    ("STORM", DIED): (TRIGGER, None, None),  # the parts of a storm start no tasks
}


def run(scenario_name, arguments):
    scenario = SCENARIOS[scenario_name]
    return scenario.run(**{**scenario.small, **arguments})


def test_every_rule_has_its_runs_and_no_rule_is_forgotten():
    there = {(s.name, rule.name) for s in SCENARIOS.values() for rule in s.rules}
    assert set(RUNS) == there
    assert {rule for (_, rule), (_, _, untested) in RUNS.items() if untested is None} == {DIED}
    assert {rule for (_, rule), (_, bad, _) in RUNS.items() if bad is not None} == {rule for _, rule in RUNS}


@pytest.mark.parametrize(("scenario", "rule"), RUNS)
class TestARule:
    def test_is_kept_by_the_pattern(self, scenario, rule):
        kept = run(scenario, RUNS[scenario, rule][0])
        assert kept.verdict(rule).status == "holds", kept.describe()
        assert not kept.broken, kept.describe()

    def test_is_broken_by_a_defect_and_says_when_and_by_what(self, scenario, rule):
        if RUNS[scenario, rule][1] is None:
            return
        bad = run(scenario, RUNS[scenario, rule][1])
        verdict = bad.verdict(rule)
        assert verdict.status == "broken", bad.describe()
        assert verdict.at_us is not None
        assert verdict.records
        assert all(record in bad.history for record in verdict.records)

    def test_says_so_when_it_is_not_put_to_the_test(self, scenario, rule):
        arguments = RUNS[scenario, rule][2]
        if arguments is None:
            return
        untested = run(scenario, arguments)
        assert untested.verdict(rule).status == "not exercised", untested.describe()


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_an_empty_history_exercises_nothing(scenario):
    assert {rule(History()).status for rule in scenario.rules} == {"not exercised"}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("system", ["pattern", "textbook"])
def test_on_a_quiet_day_no_rule_is_broken(name, system):
    assert not run(name, {"system": system}).broken


# ---- False verdicts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"rate_per_s": 24, "workers": 6},
        {"rate_per_s": 1, "duration_s": 40},
        {"workers": 64, "customers": 1},
        {"timeout_s": 0.3, "deadline_s": 0.3},
        {"open_s": 0.1},
        {"open_s": 30, "duration_s": 60},
        {"retry_delay_s": 5.0},
        {"retry_delay_s": 0.01, "timeout_s": 10, "deadline_s": 60},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "plan", [OUTAGE["plan"], BROWN["plan"], "2s..5s flap mail every 500ms; at 3s crash shop for 1s"]
)
def test_the_pattern_keeps_the_rules_with_other_numbers_too(params, plan):
    tried = CALLS.run(plan=plan, **params)
    assert not tried.broken, tried.describe()


def test_a_bad_request_is_no_trouble_of_the_service():
    assert rules.troubles(CALLS.run(**POISON).history, "mail") == []


def test_one_bulkhead_for_all_services_counts_as_taking_what_others_need():
    shared = Bulkhead(4)
    bad = CALLS.run(parts={"bulkhead": lambda permits: shared}, plan="2s..8s brown-out payments by 3s")
    assert "found a full bulkhead" in bad.verdict(WORKERS).sentence


def test_a_breaker_that_goes_by_the_calendar_is_caught_by_a_clock_that_jumps():
    """Wall clock for durations: the wait is over as soon as somebody sets the clock."""
    worlds = []

    def by_the_calendar(name, *, open_s, on_transition):
        return CircuitBreaker(
            name,
            window_calls=10,
            minimum_calls=5,
            half_open_permits=3,
            open_s=open_s,
            ignored=Rejected,
            on_transition=on_transition,
            clock=lambda: worlds[0].ports.clock.now(),
        )

    def wiring(node, parts, params, on_transition):
        worlds[:] = [node]
        return CALLS.systems["pattern"]["wiring"](node, parts, params, on_transition)

    plan = "2s..5s outage payments; 3s..4s skew shop by 1h"
    parts = {"breaker": by_the_calendar, "wiring": wiring}
    assert CALLS.run(parts=parts, plan=plan).verdict(LEGAL).status == "broken"
    assert not CALLS.run(plan=plan).broken


def limits(**more):
    numbers = {
        "attempts": 3,
        "deadline_s": 3,
        "timeout_s": 1,
        "open_s": 2,
        "permits": 1,
        "tokens": 10,
        "token_ratio": 0.1,
    }
    return Record(0, "limits", "shop", {**numbers, **more})


def probe(t_us, kind, job, **more):
    return Record(t_us, kind, "mail", {"job": job, "event": job, "number": 1, **more})


HALF = Record(5, "transition", "shop", {"breaker": "mail", "source": "open", "target": "half-open"})


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("abandoned", "holds"), ("rejected", "holds"), ("timed out", "broken"), ("ok", "broken")],
)
def test_a_probe_that_says_nothing_gives_its_permit_back_and_one_that_timed_out_does_not(outcome, status):
    first = [probe(6, "attempt", 1), probe(7, "answer", 1, outcome=outcome)]
    history = History([limits(), HALF, *first, probe(8, "attempt", 2)])
    assert rules.few_probes(history).status == status


def test_a_claim_of_success_without_an_effect_is_a_loss():
    ok = Record(9, "ok", "shop", {"op": "process", "job": 1, "event": 1, "service": "mail"})
    served = Record(8, "served", "mail", {"event": 1, "ok": True, "took_s": 0.1, "wanted": True})
    assert rules.never_lost(History([limits(), served, ok])).status == "holds"
    assert "never did it" in rules.never_lost(History([limits(), ok])).sentence


def test_a_ledger_that_is_cleared_while_nothing_is_pending_can_be_judged():
    """A run so long that the ledger was replaced by an empty one: no record to look at, and nothing pending."""
    run = CALLS.run(plan=OUTAGE["plan"], duration_s=120)
    assert [] in [r.data["records"] for r in run.history.of("replaced", file="ledger")]
    assert run.verdict(LOST).status == "holds" and not run.broken
