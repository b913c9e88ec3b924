"""Two workers and one lease: search breaks nothing of the pattern, and shows each defect of the textbook's lock."""

import inspect
import re

import pytest

from lessonlib.high_availability import naive_lease
from lessonlib.high_availability.lease import Lease, Leases
from lessonlib.high_availability.scenario import LEASE
from lessonlib.lab.search import search

PLANS = 500
PAUSE = "at 5s pause worker-1 for 6s"
RULES = [rule.name for rule in LEASE.rules]
ONE_HOLDER, FENCED, TOKENS, AGAIN, DIED = RULES


def sentence(rule, plan="", *, parts=None, system="textbook", **params):
    verdict = LEASE.run(system, plan=plan, parts=parts, **params).verdict(rule)
    assert verdict.status == "broken", verdict
    assert verdict.records or verdict.at_us is not None
    assert LEASE.run("pattern", plan=plan, **params).verdict(rule).status != "broken"
    return verdict.sentence


def test_no_fault_plan_breaks_a_rule_of_the_pattern():
    found = search(LEASE, "pattern", plans=PLANS, seed=1)
    assert found.exhausted, found.describe()
    assert found.tried >= PLANS
    assert not found.left_out, "a kind of fault was never drawn"
    assert not found.not_exercised, "a rule was never put to the test"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ONE_HOLDER, "believed that of itself"),
        (FENCED, "wrote 'report' with lease 1 .* over what"),
        (TOKENS, "token 0"),
    ],
)
def test_the_same_search_breaks_the_textbooks_lock(rule, words):
    found = search(LEASE, "textbook", plans=PLANS, seed=1, rules=[rule])
    assert found.failure is not None and found.failure.minimal
    assert len(found.failure.plan) <= 2
    assert re.search(words, found.failure.verdict.sentence)


def test_on_a_good_day_one_worker_keeps_the_lease_in_both_systems():
    for system in LEASE.systems:
        run = LEASE.run(system)
        assert not run.broken
        assert {r.data["lease"] for r in run.history.of("granted")} == {1}
        assert len(run.history.of("stored")) > 90


def test_a_paused_worker_wakes_and_its_page_is_refused():
    run = LEASE.run(plan=PAUSE)
    (refused,) = run.history.of("refused")
    assert (
        refused.t_s > 11
        and refused.data["by"] == "worker-1"
        and refused.data["token"] < refused.data["highest"]
    )
    assert run.verdict(FENCED).sentence == "1 late writes, all refused."
    assert "worker-1 wrote" in sentence(FENCED, PAUSE)


def test_it_repeats():
    plan = (
        "1s..3s skew lock by 2s; at 2s pause worker-1 for 3s; 4s..6s duplicate 50%; at 5s crash lock for 1s"
    )
    for system in LEASE.systems:
        digests = {LEASE.run(system, plan=plan, seed=7).history.digest() for _ in range(2)}
        assert len(digests) == 1


# ---- Each defect of the textbook's lock ------------------------------------------------------------------


def d1_a_calendar_that_jumps_gives_the_lock_away_twice():
    assert "believed that of itself" in sentence(ONE_HOLDER, "3s..10s skew lock by 60s")
    held = sentence(AGAIN, "1s..2s skew lock by 60s; at 1950ms crash worker-2")
    assert "no worker had been given the lease" in held


def d2_a_lock_service_that_restarts_gives_the_lock_away_a_second_time():
    plan = "at 3s crash lock for 10ms; 2950ms..4s partition lock | worker-1"
    assert "believed that of itself" in sentence(ONE_HOLDER, plan)


def d3_no_token_tells_one_holder_from_the_next():
    assert "worker-2 got the lease with token 0, and worker-1 had it before with 0" in sentence(TOKENS, PAUSE)


def d4_a_slow_answer_makes_the_holder_believe_too_long():
    plan = "2500ms..10s delay 1500ms from lock to worker-1; 3500ms..10s partition worker-1 > lock"
    assert "worker-2 believed that of itself" in sentence(ONE_HOLDER, plan)


def d5_a_margin_would_have_covered_the_networks_ordinary_latency():
    class Careful(naive_lease.LockHolder):
        def remaining_s(self, now_s):
            return super().remaining_s(now_s) - 0.1

    def careful(node, *, margin_s):
        return Careful(node.name, node.ports.clock)

    assert "believed that of itself" in sentence(ONE_HOLDER, PAUSE)
    assert LEASE.run("textbook", parts={"holder": careful}, plan=PAUSE).verdict(ONE_HOLDER).status == "holds"


def d6_the_store_takes_what_an_earlier_holder_writes():
    def tokens_but_nobody_looks(disk):
        return naive_lease.Store()

    said = sentence(FENCED, PAUSE, system="pattern", parts={"store": tokens_but_nobody_looks})
    assert "worker-1 wrote 'report' with lease 1" in said


DEFECTS = [f for name, f in list(globals().items()) if re.match(r"d\d+_", name)]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda f: f.__name__)
def test_the_laboratory_exposes(defect):
    defect()


def test_every_defect_is_marked_and_has_a_test_and_the_marks_stay_bare():
    shown = "".join(
        inspect.getsource(part)
        for part in (naive_lease.LockService, naive_lease.LockHolder, naive_lease.Store)
    )
    marks = re.findall(r"# (.*D\d.*)", shown)
    assert marks and all(re.fullmatch(r"D\d+(, D\d+)*", mark) for mark in marks)
    tested = {re.match(r"d(\d+)_", f.__name__)[1] for f in DEFECTS}
    assert {f"D{n}" for n in tested} == set(re.findall(r"\bD\d+\b", shown)) == set(naive_lease.DEFECTS)


# ---- A rule that cannot break proves nothing -------------------------------------------------------------


class ForEver(Leases):
    """A lock without an end."""

    def __init__(self, disk=None, *, duration_s=10.0):
        super().__init__(disk, duration_s=10_000)

    async def grant(self, resource, holder):
        grant = await super().grant(resource, holder)
        return type(grant)(grant.resource, grant.holder, grant.token, 3.0)


class FromArrival(Lease):
    """Counts from the arrival of the answer."""

    def granted(self, request, grant):
        if request in self._asked:
            self._asked[request] = self.clock()
        super().granted(request, grant)


def test_a_lock_without_an_end_is_never_free_again():
    def for_ever(node, *, duration_s):
        return ForEver(node.ports.disk)

    plan = "at 5s crash worker-1"
    assert LEASE.run(plan=plan).verdict(AGAIN).status == "holds"
    said = sentence(AGAIN, plan, system="pattern", parts={"grantor": for_ever})
    assert "The trouble was over at 5 s" in said


def test_who_counts_from_the_answers_arrival_believes_too_long():
    def hasty(node, *, margin_s):
        lease = FromArrival(node.name, random=node.ports.random, margin_s=margin_s)
        lease.clock = node.world.loop.time
        return lease

    plan = "2500ms..10s delay 1500ms from lock to worker-1; 3500ms..10s partition worker-1 > lock"
    assert "believed that of itself" in sentence(ONE_HOLDER, plan, system="pattern", parts={"holder": hasty})


def test_a_lock_service_on_a_disk_that_forgets_gives_out_a_token_twice():
    def forgetful(node, *, duration_s):
        return Leases(duration_s=duration_s)

    said = sentence(
        TOKENS,
        "at 3s crash lock for 10ms; 2950ms..4s partition lock | worker-1",
        system="pattern",
        parts={"grantor": forgetful},
    )
    assert "worker-2 got the lease with token 1, and worker-1 had it before with 1" in said
