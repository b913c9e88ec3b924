"""Each defect of the textbook version is really in it: the laboratory exposes it, and the pattern keeps the rule."""

import asyncio
import inspect
import re
from collections import Counter

import pytest

from lessonlib.fault_tolerance import FaultTolerantProcessor, naive
from lessonlib.fault_tolerance.scenario import CALLS
from lessonlib.lab import simulate
from lessonlib.ports import local_ports


def sentence(rule, plan, **params):
    verdict = CALLS.run("textbook", plan=plan, **params).verdict(rule)
    assert verdict.status == "broken", verdict
    assert CALLS.run("pattern", plan=plan, **params).verdict(rule).status != "broken"
    return verdict.sentence


def attempts(count, *, processor=None, clients=1, errors=1_000, **options):
    """Let clients process one event each with a service that fails; return when it was called, client by client."""
    times = [[] for _ in range(clients)]

    async def main():
        make = processor or naive.FaultTolerantProcessor

        async def one(client):
            async def fail(event):
                times[client].append(asyncio.get_running_loop().time())
                raise ConnectionError("down")

            with pytest.raises(Exception):
                await make(count, **options).process_with_retries(fail, {"id": "1", "type": "t"})

        await asyncio.gather(*(one(client) for client in range(clients)))

    simulate(main())
    return times


def d1_once_open_the_breaker_never_closes():
    rule = "once a service is well again, its calls are let through again"
    assert "payments was well again at 6 s" in sentence(rule, "3s..6s outage payments")
    run = CALLS.run("textbook", plan="3s..6s outage payments", duration_s=120)
    assert [r.data["target"] for r in run.history.of("transition")] == ["open"]
    assert not [r for r in run.history.of("attempt", node="payments") if r.t_s > 10]


def d2_what_can_never_succeed_is_tried_again():
    said = sentence("what can never succeed fails at once", "at 2s poison mail")
    assert "for good, and it was sent again" in said


def d3_who_failed_together_comes_back_together():
    together = Counter(round(t, 3) for times in attempts(3, clients=50) for t in times)
    assert sorted(together.values()) == [50, 50, 50]

    def ours(count):
        seeds = iter(range(50))
        made.append(next(seeds) + len(made))
        return FaultTolerantProcessor(count, ports=local_ports(seed=made[-1]))

    made = []
    spread = Counter(round(t, 3) for times in attempts(3, clients=50, processor=ours) for t in times)
    assert max(n for t, n in spread.items() if t > 0) <= 3


def d4_the_wait_doubles_without_end():
    (times,) = attempts(12)
    assert times[-1] - times[-2] == 2**11


def d5_nothing_limits_how_long_a_job_takes():
    rule = "a job makes no more than its attempts, and none after its deadline"
    assert "its deadline was 3 s" in sentence(rule, "3s..6s brown-out payments by 3s")


def d6_the_first_wait_is_twice_the_delay_that_was_asked_for():
    (times,) = attempts(3, retry_delay=1.0)
    assert times == [0, 2, 6]


def d7_failures_are_counted_once_for_an_event():
    run = CALLS.run("textbook", plan="3s..8s outage payments")
    opened = run.history.of("transition").first()
    failed = [r for r in run.history.of("answer", outcome="Unavailable") if r.t_us <= opened.t_us]
    assert len(failed) >= 15
    ours = CALLS.run("pattern", plan="3s..8s outage payments")
    opened = ours.history.of("transition").first()
    assert len([r for r in ours.history.of("answer", outcome="Unavailable") if r.t_us <= opened.t_us]) == 5


def d8_a_bare_exception_tells_the_caller_nothing():
    run = CALLS.run("textbook", plan="3s..8s outage payments; at 2s poison mail")
    assert {r.data["type"] for r in run.history.of("failed", op="process")} == {"Exception"}
    ours = CALLS.run("pattern", plan="3s..8s outage payments; at 2s poison mail")
    assert {"NotRetryable", "CircuitOpen"} <= {
        r.data["type"] for r in ours.history.of("failed", op="process")
    }


def d9_the_failed_event_is_lost():
    rule = "no event is lost: it is processed, a dead letter, or pending"
    assert "it is lost" in sentence(rule, "3s..6s outage payments")


def d10_a_slow_service_takes_all_workers():
    rule = "a service in trouble does not take the workers that others need"
    assert "for mail waited" in sentence(rule, "3s..6s brown-out payments by 3s")


DEFECTS = [f for name, f in list(globals().items()) if re.match(r"d\d+_", name)]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda f: f.__name__)
def test_the_laboratory_exposes(defect):
    defect()


def test_every_defect_is_marked_in_the_source_and_has_a_test():
    marked = {int(n) for n in re.findall(r"\bD(\d+)\b", inspect.getsource(naive).split('"""', 2)[2])}
    tested = {int(re.match(r"d(\d+)_", f.__name__)[1]) for f in DEFECTS}
    assert marked == tested == set(range(1, 11))
    assert list(naive.DEFECTS) == [f"D{n}" for n in sorted(marked)]


def test_the_shown_source_marks_defects_and_does_not_explain_them():
    shown = inspect.getsource(naive.CircuitBreaker) + inspect.getsource(naive.FaultTolerantProcessor)
    marks = re.findall(r"# (.*D\d.*)", shown)
    assert marks and all(re.fullmatch(r"D\d+(, D\d+)*", mark) for mark in marks)
    assert {f"D{n}" for n in re.findall(r"\bD(\d+)\b", shown)} == set(naive.DEFECTS)


def test_on_a_good_day_the_textbook_version_works():
    run = CALLS.run("textbook")
    assert not run.broken and len(run.history.of("ok", op="process")) == 240
