"""Every rule of lesson 2 has a run that keeps it, a run that breaks it, and a run that does not test it."""

import asyncio

import pytest

from lessonlib.stream_processing import ConsumerGroup, Watermark, naive
from lessonlib.stream_processing.scenario import BATCHES, GROUP, RESTORE, WINDOWS

SCENARIOS = {scenario.name: scenario for scenario in (BATCHES, WINDOWS, RESTORE, GROUP)}

# ---- Broken parts ----------------------------------------------------------------------------------------


class Refusing(naive.StreamProcessor):
    async def process_event(self, event):
        raise ConnectionError("closed today")


class Dying(naive.StreamProcessor):
    """Starts tasks that die, and looks at none of them."""

    async def process_event(self, event):
        async def work():
            raise RuntimeError("nobody will know")

        asyncio.get_running_loop().create_task(work())


class Hasty(Watermark):
    """Takes the furthest source for all: the maximum where the minimum belongs."""

    def observe(self, time_s, *, source="", now_s=None):
        return super().observe(time_s, source="all", now_s=now_s)

    def __init__(self, delay_s, *, sources=(), idle_after_s=None):
        super().__init__(delay_s)


class Backwards(Watermark):
    """Follows the last event, wherever it goes."""

    def observe(self, time_s, *, source="", now_s=None):
        self._value = time_s - self.delay_s
        return self._value


def never_idle(delay_s, *, sources, idle_after_s):
    return Watermark(delay_s, sources=sources)


def no_counter(parts, params, on_late):
    raise RuntimeError("out of order")


class Forgetful:
    """A checkpoint that is never written."""

    def __init__(self, disk):
        pass

    async def save(self, offsets, state):
        pass

    async def load(self):
        return None


class Raising(Forgetful):
    async def save(self, offsets, state):
        raise RuntimeError("no space left")


class Lazy(ConsumerGroup):
    async def run(self):
        await asyncio.Event().wait()


# ---- The runs --------------------------------------------------------------------------------------------
# For each rule: arguments of a run that keeps it, of one that breaks it, and of one that does not test it.
# None: there is no such run, since the rule judges every run.

TEXTBOOK = {"system": "textbook"}
REFUSED = {"parts": {"processor": Refusing}, "flights": 1, "system": "textbook"}
NO_BROKER, NO_SOURCE = {"plan": "at 0s crash broker"}, {"plan": "at 0s crash source"}
TORN = "after write 1 to state crash worker for 0.1s"
OFFERED = "an event that is offered is taken"
DIED = "no task dies unseen"

RUNS = {
    ("BATCHES", OFFERED): ({}, REFUSED, None),
    ("BATCHES", "every event that was taken is handled or set aside"): ({}, TEXTBOOK, REFUSED),
    ("BATCHES", "events of one key are handled in order, across types"): (
        {},
        {**TEXTBOOK, "seed": 4},
        REFUSED,
    ),
    ("BATCHES", "a buffer never holds more than its bound"): (
        {"flights": 60, "plan": "0s..3s slow-handler scheduled by 3s"},
        {**TEXTBOOK, "flights": 60, "plan": "0s..3s slow-handler scheduled by 3s"},
        {},
    ),
    ("BATCHES", "a key keeps its partition, also after a restart"): (
        {"plan": "at 500ms deploy processor"},
        TEXTBOOK,
        REFUSED,
    ),
    ("BATCHES", "no event waits longer than the window for others"): (
        {},
        TEXTBOOK,
        {"plan": "0s..3s fail delayed"},
    ),
    ("BATCHES", "a poison event blocks nothing and ends as a dead letter"): (
        {"plan": "at 0s poison scheduled"},
        {**TEXTBOOK, "plan": "at 0s poison scheduled"},
        {},
    ),
    ("BATCHES", DIED): ({}, {"parts": {"processor": Dying}, "system": "textbook"}, None),
    ("WINDOWS", "a window's result is what happened in it, whatever the order of arrival"): (
        {"plan": "0s..3s reorder 50% by 0.5s"},
        TEXTBOOK,
        {"parts": {"counter": no_counter}},
    ),
    ("WINDOWS", "every event is in a result or in the side output"): (
        {"delay_min": 0, "plan": "0s..3s reorder 50% by 0.5s"},
        TEXTBOOK,
        {},
    ),
    ("WINDOWS", "an event within the promised delay is not called late"): (
        {"delay_min": 40, "plan": "0s..3s reorder 50% by 0.5s"},
        {
            "delay_min": 10,
            "idle_min": 0,
            "parts": {"watermark": Hasty},
            "plan": "0s..3s reorder 50% by 0.1s; 0s..3s delay 0.5s from LGA",
        },
        {},
    ),
    ("WINDOWS", "the watermark never goes back"): ({}, {"parts": {"watermark": Backwards}}, TEXTBOOK),
    ("WINDOWS", "a window is reported as soon as the slowest source that is not idle has passed it"): (
        {"plan": "1s..4s idle JFK"},
        {"plan": "1s..4s idle JFK", "parts": {"watermark": never_idle}},
        {"flights": 3},
    ),
    ("WINDOWS", DIED): ({}, {"parts": {"counter": no_counter}}, None),
    ("RESTORE", "every event of the log is counted once"): (
        {"plan": TORN.replace("state", "checkpoint")},
        {**TEXTBOOK, "plan": TORN},
        NO_SOURCE,
    ),
    ("RESTORE", "the state and the offset that a restart finds belong together"): (
        {"plan": TORN.replace("state", "checkpoint")},
        {**TEXTBOOK, "plan": TORN},
        {},
    ),
    ("RESTORE", "the worker reads to the end of the log"): (
        {},
        {"parts": {"checkpoint": Forgetful}},
        NO_SOURCE,
    ),
    ("RESTORE", DIED): ({}, {"parts": {"checkpoint": Raising}}, None),
    ("GROUP", "every event of the topic is counted once"): (
        {"plan": "at 1s crash worker-1 for 10s"},
        {**TEXTBOOK, "plan": "at 1s crash broker for 0.1s"},
        NO_BROKER,
    ),
    ("GROUP", "a count that was saved never goes back"): (
        {"plan": "at 1s pause worker-1 for 10s"},
        {**TEXTBOOK, "plan": "at 1s crash broker for 0.1s"},
        NO_BROKER,
    ),
    ("GROUP", "a rebalance is even and moves as few partitions as it must"): (
        {"plan": "at 1s crash worker-1 for 10s"},
        {**TEXTBOOK, "plan": "at 1s crash worker-1 for 10s"},
        {},  # while a group gathers, nothing has been read yet that could move
    ),
    ("GROUP", "every partition is read to its end"): ({}, {"parts": {"worker": Lazy}}, NO_BROKER),
    ("GROUP", DIED): ({}, {**TEXTBOOK, "plan": "1s..2s fail worker-2"}, None),
}


def run(name, arguments):
    scenario = SCENARIOS[name]
    return scenario.run(**{**scenario.small, **arguments})


@pytest.mark.parametrize(("name", "rule"), RUNS)
class TestARule:
    def test_is_kept_by_the_pattern(self, name, rule):
        kept = run(name, RUNS[name, rule][0])
        assert kept.verdict(rule).status == "holds", kept.describe()
        assert not kept.broken, kept.describe()

    def test_is_broken_by_a_defect_and_says_when_and_by_what(self, name, rule):
        bad = run(name, RUNS[name, rule][1])
        verdict = bad.verdict(rule)
        assert verdict.status == "broken", bad.describe()
        assert verdict.at_us is not None and verdict.records
        assert all(record in bad.history for record in verdict.records)

    def test_says_so_when_it_is_not_put_to_the_test(self, name, rule):
        arguments = RUNS[name, rule][2]
        if arguments is not None:
            untested = run(name, arguments)
            assert untested.verdict(rule).status == "not exercised", untested.describe()


@pytest.mark.parametrize(("name", "plan"), [("RESTORE", NO_SOURCE["plan"]), ("GROUP", NO_BROKER["plan"])])
def test_nothing_can_be_asked_of_what_never_comes_back(name, plan):
    lost = SCENARIOS[name].run(plan=plan)
    assert not lost.broken, lost.describe()


@pytest.mark.parametrize("worker", ["worker-1", "worker-2", "worker-3"])
def test_a_worker_that_never_comes_back_is_no_excuse_for_a_group(worker):
    run_ = GROUP.run(plan=f"at 1s crash {worker}")
    assert {v.status for v in run_.verdicts} == {"holds"}, run_.describe()


def test_every_rule_is_in_the_table():
    assert {(s.name, rule.name) for s in SCENARIOS.values() for rule in s.rules} == set(RUNS)
    assert {rule for (_, rule), (_, _, untested) in RUNS.items() if untested is None} == {OFFERED, DIED}


def test_a_crash_in_the_middle_of_a_batch_leaves_the_counts_of_a_plain_recount():
    """As a reader sees it: the whole of a day, a worker crashed while it works, and the file counted by hand."""
    from collections import Counter

    from lessonlib.stream_processing.departures import departures

    run = GROUP.run(plan="at 1.53s crash worker-1 for 3s; at 2s pause worker-2 for 6s", flights=150)
    assert not run.broken, run.describe()
    states = {}
    for record in run.history.of("replaced"):
        if record.data["file"].startswith("checkpoint-"):
            states[record.data["file"]] = record.data["records"][0]["state"]
    together = Counter()
    for state in states.values():
        together.update(state)
    assert together == Counter(row.airline for row in departures()[:150])
