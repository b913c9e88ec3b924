"""The breaker against resilience4j's semantics: its state machine, window by window and permit by permit."""

import asyncio
import itertools
from random import Random

import pytest

from lessonlib.fault_tolerance import CLOSED, HALF_OPEN, OPEN, TRANSITIONS, CircuitBreaker, CircuitOpen
from lessonlib.fault_tolerance.call_window import CountWindow, TimeWindow, Totals
from lessonlib.fault_tolerance.circuit_breaker import DUE, SICK, STATES, WELL
from lessonlib.lab import simulate


class Clock:
    """Seconds that move when they are told to."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def breaker_of(**options):
    """resilience4j's test configuration: 50 %, at least 5 calls, 4 permits."""
    clock = Clock()
    seen = []
    breaker = CircuitBreaker(
        **{
            "minimum_calls": 5,
            "half_open_permits": 4,
            "open_s": 10.0,
            "clock": clock,
            "ignored": KeyError,
            "on_transition": lambda name, source, target: seen.append((source, target)),
            **options,
        }
    )
    return breaker, clock, seen


def feed(breaker, outcomes, clock=None, took_s=0.0):
    """Make calls: S succeeds, F fails, I fails with an ignored error, R is one that the breaker refuses."""
    for outcome in outcomes:
        try:
            with breaker.guard():
                if clock is not None:
                    clock.now_s += took_s
                if outcome in "FI":
                    raise ConnectionError if outcome == "F" else KeyError
        except ConnectionError:
            assert outcome == "F"
        except KeyError:
            assert outcome == "I"
        except CircuitOpen:
            assert outcome == "R", f"refused, but should have been {outcome}"
        else:
            assert outcome == "S", f"let through, but should have been {outcome}"


def opened(**options):
    breaker, clock, seen = breaker_of(**options)
    feed(breaker, "FFFFF")
    assert breaker.state == OPEN
    return breaker, clock, seen


# ---- Closed ----------------------------------------------------------------------------------------------


def test_below_the_minimum_of_calls_nothing_is_judged():
    breaker, _, _ = breaker_of()
    feed(breaker, "FFFS")
    assert breaker.state == CLOSED
    assert breaker.totals == Totals(4, 3, 0)


def test_a_fifth_call_that_succeeds_opens_it_since_three_of_five_have_failed():
    breaker, _, seen = breaker_of()
    feed(breaker, "FFFSS")
    assert breaker.state == OPEN
    assert seen == [(CLOSED, OPEN)]


def test_exactly_the_threshold_opens_it_and_just_below_does_not():
    breaker, _, _ = breaker_of(minimum_calls=4)
    feed(breaker, "FFSS")
    assert breaker.state == OPEN
    breaker, _, _ = breaker_of(minimum_calls=5)
    feed(breaker, "SSSFFSFSFS")
    assert breaker.totals.failure_rate == 0.4
    assert breaker.state == CLOSED


def test_the_window_forgets_all_but_the_last_calls():
    breaker, _, _ = breaker_of(window_calls=6)
    feed(breaker, "FFSSSSSS")
    assert breaker.totals == Totals(6, 0, 0)


def test_a_minimum_over_the_window_is_the_window():
    breaker, _, _ = breaker_of(window_calls=3, minimum_calls=100)
    feed(breaker, "FFF")
    assert breaker.state == OPEN


def test_a_run_of_failures_is_no_rate():
    breaker, _, _ = breaker_of(window_calls=20, minimum_calls=20)
    feed(breaker, "S" * 15 + "F" * 5)
    assert breaker.state == CLOSED, "five in a row, but 25 % of the window"


def test_ignored_errors_count_neither_way():
    breaker, _, _ = breaker_of()
    feed(breaker, "IIIIIIIIII")
    assert breaker.state == CLOSED
    assert breaker.totals == Totals()


def test_which_errors_are_ignored_can_be_a_function():
    breaker, _, _ = breaker_of(ignored=lambda error: "mend" in str(error))
    with pytest.raises(ValueError), breaker.guard():
        raise ValueError("mend the request")
    assert breaker.totals.calls == 0
    with pytest.raises(ValueError), breaker.guard():
        raise ValueError("other")
    assert breaker.totals == Totals(1, 1, 0)


def test_slow_is_strictly_longer_and_a_rate_of_slow_calls_opens_it():
    breaker, clock, _ = breaker_of(slow_call_s=2.0, slow_rate=0.6)
    feed(breaker, "SSSSS", clock, took_s=2.0)
    assert breaker.totals == Totals(5, 0, 0)
    feed(breaker, "SSSSSSS", clock, took_s=2.25)
    assert breaker.state == CLOSED and breaker.totals == Totals(12, 0, 7)
    feed(breaker, "S", clock, took_s=2.25)
    assert breaker.state == OPEN, "8 of 13 are slow"


def test_a_window_of_time_forgets_by_the_second():
    breaker, clock, _ = breaker_of(window_s=3)
    feed(breaker, "FFFF")
    clock.now_s += 2.9
    assert breaker.totals.calls == 4
    clock.now_s += 0.1
    assert breaker.totals.calls == 0, "seconds 101, 102 and 103: second 100 is out"
    feed(breaker, "F")
    assert breaker.state == CLOSED
    feed(breaker, "FFFF")
    assert breaker.state == OPEN


@pytest.mark.parametrize("seed", range(20))
def test_both_windows_agree_with_a_plain_recount(seed):
    random = Random(seed)
    count, time, calls = CountWindow(7), TimeWindow(5), []
    now_s = 1000.0
    for _ in range(300):
        now_s += random.choice((0, 0.25, 1, 2.5))
        call = now_s, random.random() < 0.5, random.random() < 0.3
        calls.append(call)
        for window in (count, time):
            window.add(now_s, failed=call[1], slow=call[2])
        recent = [c for c in calls if int(c[0]) > int(now_s) - 5]
        for window, those in ((count, calls[-7:]), (time, recent)):
            assert window.totals(now_s) == Totals(
                len(those), sum(c[1] for c in those), sum(c[2] for c in those)
            )


# ---- Open ------------------------------------------------------------------------------------------------


def test_open_refuses_at_once_says_for_how_long_and_counts():
    breaker, clock, _ = opened()
    clock.now_s += 4
    with pytest.raises(CircuitOpen, match="open for another 6 s; try later") as refused, breaker.guard():
        pass
    assert refused.value.retry_after_s == 6
    assert breaker.refused == 1


def test_half_open_comes_with_the_first_call_after_the_wait_and_not_by_itself():
    breaker, clock, seen = opened()
    clock.now_s += 9.999
    feed(breaker, "R")
    clock.now_s += 1_000
    assert breaker.state == OPEN
    feed(breaker, "S")
    assert breaker.state == HALF_OPEN
    assert seen == [(CLOSED, OPEN), (OPEN, HALF_OPEN)]


# ---- Half-open -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probes", "after"), [("FFSF", OPEN), ("FSSS", CLOSED), ("FSFS", OPEN), ("SSSS", CLOSED)]
)
def test_the_last_of_the_probes_decides_and_none_before(probes, after):
    breaker, clock, _ = opened()
    clock.now_s += 10
    feed(breaker, probes[:3])
    assert breaker.state == HALF_OPEN
    feed(breaker, probes[3])
    assert breaker.state == after


def test_slow_probes_open_it_again():
    breaker, clock, _ = opened(slow_call_s=1.0)
    clock.now_s += 10
    feed(breaker, "SSSS", clock, took_s=1.5)
    assert breaker.state == OPEN


def test_no_more_probes_than_permits_are_under_way():
    breaker, clock, _ = opened()
    clock.now_s += 10
    guards = [breaker.guard() for _ in range(50)]
    entered = []
    for guard in guards:
        try:
            guard.__enter__()
            entered.append(guard)
        except CircuitOpen as refused:
            assert refused.retry_after_s == 0
            assert "half-open, with all 4 probes under way" in str(refused)
    assert len(entered) == 4
    for guard in entered:
        guard.__exit__(None, None, None)
    assert breaker.state == CLOSED


def test_an_ignored_error_gives_its_permit_back():
    breaker, clock, _ = opened()
    clock.now_s += 10
    feed(breaker, "IIIIIIIISSSS")
    assert breaker.state == CLOSED


def test_a_cancelled_probe_gives_its_permit_back_and_stays_cancelled():
    async def main():
        breaker = CircuitBreaker(minimum_calls=1, half_open_permits=1, open_s=1.0)
        with pytest.raises(ConnectionError):
            await breaker.call(fail)
        await asyncio.sleep(1)
        for _ in range(3):
            probe = asyncio.create_task(breaker.call(asyncio.sleep, 60))
            await asyncio.sleep(0.1)
            probe.cancel()
            with pytest.raises(asyncio.CancelledError):
                await probe
        await breaker.call(asyncio.sleep, 0)
        return breaker.state

    async def fail():
        raise ConnectionError

    assert simulate(main()) == CLOSED


def test_each_transition_begins_a_new_window():
    breaker, clock, _ = opened()
    assert breaker.totals == Totals()
    clock.now_s += 10
    feed(breaker, "F")
    assert breaker.totals == Totals(1, 1, 0)
    feed(breaker, "SSS")
    assert breaker.state == CLOSED and breaker.totals == Totals()
    feed(breaker, "FFFF")
    assert breaker.state == CLOSED, "four calls are below the minimum, whatever was before"


def test_a_call_from_before_a_transition_is_no_probe_and_no_evidence():
    breaker, clock, _ = breaker_of()
    early = breaker.guard()
    early.__enter__()
    feed(breaker, "FFFFF")
    clock.now_s += 10
    feed(breaker, "SSS")
    early.__exit__(ConnectionError, ConnectionError(), None)
    assert breaker.state == HALF_OPEN and breaker.totals == Totals(3, 0, 0)
    late = breaker.guard()
    late.__enter__()
    clock.now_s += 1
    late.__exit__(None, None, None)
    assert breaker.state == CLOSED


def test_reopened_it_waits_in_full_again():
    breaker, clock, seen = opened()
    clock.now_s += 10
    feed(breaker, "FFFF")
    clock.now_s += 9
    feed(breaker, "R")
    clock.now_s += 1
    feed(breaker, "SSSS")
    assert seen == [
        (CLOSED, OPEN),
        (OPEN, HALF_OPEN),
        (HALF_OPEN, OPEN),
        (OPEN, HALF_OPEN),
        (HALF_OPEN, CLOSED),
    ]


# ---- The table, and the forms of use -----------------------------------------------------------------------


def test_the_table_names_known_states_and_each_event_leads_to_one():
    assert len({(row.source, row.event) for row in TRANSITIONS}) == len(TRANSITIONS) == 4
    assert {row.source for row in TRANSITIONS} == {row.target for row in TRANSITIONS} == set(STATES)
    assert {row.event for row in TRANSITIONS} == {SICK, DUE, WELL}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_only_rows_of_the_table_are_taken(seed):
    random = Random(seed)
    breaker, clock, seen = breaker_of(open_s=3.0, window_calls=8)
    for _ in range(400):
        clock.now_s += random.choice((0, 1))
        try:
            with breaker.guard():
                if random.random() < 0.6:
                    raise random.choice((ConnectionError, ConnectionError, KeyError))
        except (ConnectionError, KeyError, CircuitOpen):
            pass
    legal = {(row.source, row.target) for row in TRANSITIONS}
    assert set(seen) == legal
    assert all(before[1] == after[0] for before, after in itertools.pairwise(seen))


def test_it_decorates_async_and_plain_functions_and_keeps_their_names():
    breaker, _, _ = breaker_of()

    @breaker
    async def fetch(x, *, y=1):
        return x + y

    @breaker
    def compute(x):
        """Half."""
        return x / 2

    assert asyncio.run(fetch(1, y=2)) == 3
    assert compute(4) == 2 and compute.__name__ == "compute" and compute.__doc__ == "Half."
    assert breaker.totals.calls == 2
    with pytest.raises(TypeError):
        compute("a")
    assert breaker.totals == Totals(3, 1, 0)


def test_calls_through_a_closed_breaker_run_at_the_same_time():
    async def main():
        breaker = CircuitBreaker()
        await asyncio.gather(*(breaker.call(asyncio.sleep, 1.0) for _ in range(50)))
        return asyncio.get_running_loop().time()

    assert simulate(main()) == 1.0


def test_the_defaults_are_those_of_resilience4j():
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    feed(breaker, "F" * 50 + "S" * 49)
    assert breaker.state == CLOSED
    feed(breaker, "S")
    assert breaker.state == OPEN, "50 of 100"
    clock.now_s += 59
    feed(breaker, "R")
    clock.now_s += 1
    feed(breaker, "S" * 10)
    assert breaker.state == CLOSED
