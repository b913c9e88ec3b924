"""The rules of HEARTBEATS and ACCRUAL: each is kept, broken and not exercised by some run; search breaks the textbook
and nothing else; and each mistake that learners make shows in a plan."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pythons import pythons

from lessonlib.high_availability.heartbeat import HeartbeatMonitor
from lessonlib.high_availability.phi import PhiAccrualDetector
from lessonlib.high_availability.scenario import ACCRUAL, HEARTBEATS
from lessonlib.lab.history import History
from lessonlib.lab.search import search

SCENARIOS = {scenario.name: scenario for scenario in (HEARTBEATS, ACCRUAL)}
OURS = [(HEARTBEATS, "pattern"), (HEARTBEATS, "phi"), (ACCRUAL, "pattern")]
COMPLETE = "a silent node is suspected within the bound"
ACCURATE = "a live, connected node is not suspected"
WITHDRAWN = "a suspicion ends when the node is heard again"
DIED = "no task dies unseen"
PLANS = 500
ROOT = Path(__file__).parents[2]


# ---- Detectors with a mistake ----------------------------------------------------------------------------


class OneMissIsDeath(HeartbeatMonitor):
    """Suspects as soon as a single heartbeat is late."""

    def __init__(self, timeout_s):
        super().__init__(timeout_s / 4)


class BearsAGrudge(HeartbeatMonitor):
    """Whoever was suspected once stays suspected."""

    def __init__(self, timeout_s):
        super().__init__(timeout_s)
        self.dead = set()

    def suspects(self, now_s):
        self.dead |= set(super().suspects(now_s))
        return sorted(self.dead)


class WaitsForTheFirst(HeartbeatMonitor):
    """Watches a node only from its first heartbeat on."""

    def watch(self, node, now_s):
        self.known = getattr(self, "known", set()) | {node}

    def heard(self, node, now_s):
        if node in self.known:
            super().watch(node, now_s)


class Impatient(PhiAccrualDetector):
    """Suspects at phi 1."""

    def __init__(self, threshold, *, window, longest_s, first_interval_s):
        super().__init__(1.0, window=window, first_interval_s=first_interval_s)


class LearnsOutages(PhiAccrualDetector):
    """Lets every interval into its history."""

    def __init__(self, threshold, *, window, longest_s, first_interval_s):
        super().__init__(threshold, window=window, first_interval_s=first_interval_s)

    def heard(self, node, now_s):
        arrivals = self._nodes[node]
        arrivals.add(now_s - arrivals.heard_s)
        arrivals.heard_s = now_s


class ReadsTheMachinesClock(HeartbeatMonitor):
    """Asks the machine for the time instead of its caller."""

    def watch(self, node, now_s):
        super().watch(node, time.time())

    def heard(self, node, now_s):
        super().heard(node, time.time())

    def suspects(self, now_s):
        return super().suspects(time.time())


class Falls(HeartbeatMonitor):
    def suspects(self, now_s):
        raise ZeroDivisionError("silence")


async def by_the_calendar(detector, nodes, *, ports, look_s, on_look):
    """A watcher that takes the time from its calendar."""
    for node in nodes:
        detector.watch(node, ports.clock.now())

    async def listen():
        while True:
            sender, _ = await ports.transport.receive()
            detector.heard(sender, ports.clock.now())

    listening = asyncio.create_task(listen())
    while not listening.done():
        await asyncio.sleep(look_s)
        on_look(0.0, detector.suspects(ports.clock.now()))


TWO_CRASHES = "at 3s crash node-2 for 6s; at 12s crash node-2"
# What is wrong, where, which plan shows it, and the rule that says so.
MISTAKES = [
    (HEARTBEATS, "pattern", {"detector": OneMissIsDeath}, "2s..8s lose 30% from node-1", ACCURATE),
    (HEARTBEATS, "pattern", {"detector": OneMissIsDeath}, "2s..4s delay 300ms from node-2", ACCURATE),
    (HEARTBEATS, "pattern", {"detector": BearsAGrudge}, "at 3s pause node-1 for 3s", WITHDRAWN),
    (HEARTBEATS, "pattern", {"detector": BearsAGrudge}, "3s..6s partition node-1 | watcher", WITHDRAWN),
    (HEARTBEATS, "pattern", {"detector": WaitsForTheFirst}, "at 0s crash node-3", COMPLETE),
    (HEARTBEATS, "pattern", {"detector": ReadsTheMachinesClock}, "at 3s crash node-2", COMPLETE),
    (HEARTBEATS, "pattern", {"detector": Falls}, "", DIED),
    (HEARTBEATS, "pattern", {"watcher": by_the_calendar}, "4s..8s skew watcher by 60s", ACCURATE),
    (
        HEARTBEATS,
        "pattern",
        {"watcher": by_the_calendar},
        "5s..30s skew watcher by -60s; at 6s crash node-1",
        COMPLETE,
    ),
    (HEARTBEATS, "phi", {"detector": LearnsOutages}, TWO_CRASHES, COMPLETE),
    (ACCRUAL, "pattern", {"detector": Impatient}, "2s..8s lose 30% from node-1", ACCURATE),
    (ACCRUAL, "pattern", {"detector": LearnsOutages}, TWO_CRASHES, COMPLETE),
    (HEARTBEATS, "textbook", {}, "at 3s crash node-2", COMPLETE),
    (HEARTBEATS, "textbook", {}, "2s..5s partition node-1 > watcher", COMPLETE),
]


@pytest.mark.parametrize(
    ("scenario", "system", "parts", "plan", "rule"),
    MISTAKES,
    ids=lambda v: next(iter(v.values())).__name__ if isinstance(v, dict) and v else None,
)
def test_each_mistake_breaks_its_rule_under_its_plan_and_the_right_part_keeps_all(
    scenario, system, parts, plan, rule
):
    wrong = scenario.run(system, parts=parts, plan=plan)
    assert wrong.verdict(rule).status == "broken", wrong.describe()
    assert wrong.broken[0].rule == rule, wrong.describe()
    right = scenario.run("pattern" if system == "textbook" else system, plan=plan)
    assert not right.broken, right.describe()
    if rule != DIED:
        assert right.verdict(rule).status == "holds", right.describe()


@pytest.mark.parametrize("rule", [COMPLETE, ACCURATE, WITHDRAWN, DIED])
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_rule_can_be_not_exercised(scenario, rule):
    (judge,) = [judge for judge in scenario.rules if judge.name == rule]
    assert judge(History()).status == "not exercised"


def test_every_rule_has_a_mistake_that_breaks_it():
    for scenario in SCENARIOS.values():
        broken = {rule for _, _, _, _, rule in MISTAKES}
        assert broken == {judge.name for judge in scenario.rules}


@pytest.mark.parametrize(("scenario", "system"), OURS)
def test_without_a_fault_nobody_is_suspected(scenario, system):
    run = scenario.run(system)
    assert not run.broken
    assert not run.history.of("suspicion").records
    assert run.verdict(ACCURATE).status == "holds"
    assert run.verdict(COMPLETE).status == run.verdict(WITHDRAWN).status == "not exercised"


@pytest.mark.parametrize(("scenario", "system"), OURS)
@pytest.mark.parametrize("who", ["node-1", "watcher"])
@pytest.mark.parametrize("by", ["3600s", "-3600s"])
def test_a_skewed_calendar_changes_nothing_but_the_record_of_the_fault(scenario, system, who, by):
    plain = scenario.run(system, plan="at 3s crash node-2 for 4s")
    skewed = scenario.run(system, plan=f"at 3s crash node-2 for 4s; 1s..9s skew {who} by {by}")
    assert [r for r in skewed.history if r.kind != "fault"][: len(plain.history) - 2] == [
        r for r in plain.history if r.kind != "fault"
    ][: len(plain.history) - 2]


@pytest.mark.parametrize(("scenario", "system"), OURS)
def test_a_watcher_that_stood_still_reads_its_messages_before_it_judges(scenario, system):
    run = scenario.run(system, plan="at 3s pause watcher for 5s; at 4s crash node-3")
    assert [r.data["about"] for r in run.history.of("suspicion")] == ["node-3"]


def test_a_watcher_that_restarts_gives_everyone_their_grace_anew():
    run = HEARTBEATS.run(plan="at 3s crash node-3; at 6s crash watcher for 2s")
    suspicions = [(r.t_s, r.data["about"], r.data["suspected"]) for r in run.history.of("suspicion")]
    assert [who for _, who, _ in suspicions] == ["node-3", "node-3"]
    assert 9.0 < suspicions[1][0] < 9.2
    assert run.verdict(COMPLETE).status == "holds"


def test_settings_that_suspect_healthy_nodes_break_accuracy_without_any_fault():
    run = HEARTBEATS.run(heartbeat_ms=1000, timeout_ms=500)
    verdict = run.verdict(ACCURATE)
    assert verdict.status == "broken"
    assert "nothing hindered" in verdict.sentence


def test_a_silence_that_a_fault_explains_is_not_held_against_the_detector():
    run = HEARTBEATS.run(plan="2s..8s lose 95% from node-1")
    assert run.history.of("suspicion", about="node-1").records
    assert not run.broken


def test_the_level_of_phi_is_sampled_for_every_node_and_crosses_the_threshold_when_the_node_is_suspected():
    run = HEARTBEATS.run("phi", plan="at 3s crash node-2")
    suspected = run.history.of("suspicion", about="node-2").first()
    levels = {r.t_us: r.data["phi"] for r in run.history.of("level", about="node-2")}
    assert levels[suspected.t_us] >= 8
    assert max(phi for t_us, phi in levels.items() if t_us < suspected.t_us) < 8
    assert {r.data["about"] for r in run.history.of("level")} == {"node-1", "node-2", "node-3"}


def test_without_messages_the_rules_say_that_they_cannot_judge():
    run = HEARTBEATS.run("textbook", plan="at 3s crash node-2", messages=False)
    for rule in (COMPLETE, ACCURATE, WITHDRAWN):
        assert run.verdict(rule).status == "not exercised"


# ---- Search ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scenario", "system"), OURS)
def test_no_fault_plan_breaks_a_rule_of_ours(scenario, system):
    found = search(scenario, system, plans=PLANS, seed=1)
    assert found.exhausted, found.describe()
    assert found.tried >= PLANS
    assert not found.left_out, "a kind of fault was never drawn"
    assert not found.not_exercised, "a rule was never put to the test"


class MorePatient(HeartbeatMonitor):
    """Keeps the promise of ACCRUAL and waits for longer than ours, as other distributions of the intervals make one do."""

    def __init__(self, threshold, *, window, longest_s, first_interval_s):
        super().__init__(4 * longest_s)


def test_search_holds_nothing_against_a_detector_that_keeps_the_promise_in_another_way():
    found = search(ACCRUAL, parts={"detector": MorePatient}, plans=PLANS, seed=2)
    assert found.exhausted, found.describe()


@pytest.mark.parametrize(
    ("seed", "plan"),
    [(11, "0s..0.5s duplicate 50%; 3s..3.1s slow node-1 by 3s"), (213, "1s..1.1s slow node-3 by 3s")],
)
def test_nor_do_the_plans_that_once_did(seed, plan):
    """The last slow step of a slow node lasts beyond the fault."""
    run = ACCRUAL.run(
        parts={"detector": lambda *a, **k: HeartbeatMonitor(2.9)}, plan=plan, seed=seed, **ACCRUAL.small
    )
    assert run.history.of("suspicion").records
    assert not run.broken, run.describe()


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_same_search_breaks_the_textbook_with_a_short_plan_that_names_the_defect(scenario):
    found = search(scenario, "textbook", plans=PLANS, seed=1)
    failure = found.failure
    assert failure is not None, found.describe()
    assert failure.minimal
    assert 1 <= len(failure.plan) <= 3
    assert re.search("heard last at .* still not suspected", failure.verdict.sentence)
    again = scenario.run("textbook", plan=str(failure.plan), seed=failure.run.seed, **scenario.small)
    assert again.verdict(COMPLETE) == failure.verdict


@pytest.mark.parametrize(
    ("detector", "rule"),
    [(OneMissIsDeath, ACCURATE), (BearsAGrudge, WITHDRAWN), (WaitsForTheFirst, COMPLETE)],
)
def test_search_finds_a_mistaken_detector_too(detector, rule):
    found = search(HEARTBEATS, parts={"detector": detector}, plans=PLANS, seed=1, rules=[rule])
    assert found.failure is not None
    assert len(found.failure.plan) <= 3


REGRESSIONS = [
    # A message that a slow node did not send is missed only when the delay of its neighbours is over.
    (2208, "1s..4s delay 3s; 2.5s..3.5s slow node-1 by 0.5s"),
]


@pytest.mark.parametrize(("scenario", "system"), OURS)
@pytest.mark.parametrize(("seed", "plan"), REGRESSIONS)
def test_what_once_broke_a_rule_does_not_any_more(scenario, system, seed, plan):
    run = scenario.run(system, plan=plan, seed=seed, **scenario.small)
    assert not run.broken, run.describe()


PROGRAM = """
import json
from lessonlib.high_availability.scenario import ACCRUAL, HEARTBEATS

PLAN = (
    "2s..4s lose 30%; 3s..5s reorder 50% by 500ms; 4s..6s duplicate 30%; at 5s crash watcher for 1s; "
    "7s..9s partition node-1 | watcher; 6s..8s slow node-2 by 100ms; 1s..9s skew node-3 by 60s; at 9s pause node-3 for 2s"
)
print(json.dumps([
    [run.history.digest(), [str(verdict) for verdict in run.verdicts]]
    for scenario, system in ((HEARTBEATS, "textbook"), (HEARTBEATS, "pattern"), (HEARTBEATS, "phi"), (ACCRUAL, "pattern"))
    for run in [scenario.run(system, plan=PLAN)]
]))
"""


def digests(python=sys.executable, hash_seed="0"):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    answer = subprocess.run(
        [python, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_every_hash_seed_and_every_python_sees_the_same():
    first = digests()
    assert digests(hash_seed="4242") == first
    for python in pythons().values():
        assert digests(python, "7") == first


def test_the_scenarios_repeat_byte_for_byte():
    plan = "2s..4s lose 30%; 3s..5s reorder 50% by 500ms; 4s..6s duplicate 30%; at 5s crash watcher for 1s"
    for scenario, system in OURS:
        assert scenario.run(system, plan=plan).history == scenario.run(system, plan=plan).history
