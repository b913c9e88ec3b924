"""Each rule of the counter holds, breaks and is not exercised; the textbook version's defect is in it and is exposed."""

import asyncio
import inspect

import pytest

from lessonlib.errors import LessonError
from lessonlib.lab.history import History
from lessonlib.start_here import naive
from lessonlib.start_here.scenario import COUNTER, LANES, TILLS, number_of

UNDOES, COUNTS, TWICE, BLOCKS, DIES = (rule.name for rule in COUNTER.rules)
SLOW = "1s..1.2s slow-read by 150ms for till-2"
GIVE_UP = "500ms..900ms slow-read by 3s; 500ms..900ms give-up till-2 after 50ms"


class CountsTwice(naive.Counter):
    async def add(self):
        await super().add()
        return await super().add()


class NeverOpens(naive.Counter):
    def __init__(self, store):
        super().__init__(store)
        self.lock = asyncio.Lock()

    async def add(self):
        await self.lock.acquire()
        await super().add()
        self.lock.release()


class WritesNothing(naive.Counter):
    async def add(self):
        return await self.store.read()


class DiesUnseen(naive.Counter):
    async def add(self):
        async def fail():
            raise ConnectionError("nobody looks")

        self.task = asyncio.create_task(fail())
        return await super().add()


BROKEN = [
    (UNDOES, None, SLOW, {}, "till-3 had written 11; then till-2 wrote 11"),
    (UNDOES, None, "", {"rate_per_s": 60}, "counted on from what it had read before"),
    (UNDOES, None, "1s..1.2s slow-write by 250ms for till-2", {}, "then till-2 wrote 11"),
    (COUNTS, None, SLOW, {}, "12 sales were acknowledged, and the counter stands at 11"),
    (COUNTS, WritesNothing, "", {}, "1 sales were acknowledged, and the counter stands at 0"),
    (TWICE, CountsTwice, "", {}, "1 sales were made, and the counter stands at 2"),
    (BLOCKS, NeverOpens, GIVE_UP, {}, "waits for ever"),
    (DIES, DiesUnseen, "", {}, "nobody looks"),
]


@pytest.mark.parametrize(("rule", "part", "plan", "params", "words"), BROKEN)
def test_a_rule_breaks_and_the_pattern_keeps_it_under_the_same_plan(rule, part, plan, params, words):
    parts = {} if part is None else {"counter": part}
    verdict = COUNTER.run("textbook", parts=parts, plan=plan, **params).verdict(rule)
    assert verdict.status == "broken"
    assert words in verdict.sentence
    assert verdict.records
    assert COUNTER.run("pattern", plan=plan, **params).verdict(rule).status == "holds"


def test_every_rule_has_a_run_that_breaks_it():
    assert {rule for rule, *_ in BROKEN} == {rule.name for rule in COUNTER.rules}


def test_on_a_good_day_the_textbook_version_works_and_nothing_is_said_of_giving_up():
    run = COUNTER.run("textbook")
    assert not run.broken
    assert [v.rule for v in run.verdicts if v.status == "not exercised"] == [BLOCKS]


def test_of_a_history_in_which_nothing_happened_no_rule_says_that_it_holds():
    assert {rule(History()).status for rule in COUNTER.rules} == {"not exercised"}


def test_a_sale_that_was_given_up_may_be_counted_or_not():
    late = COUNTER.run("pattern", plan="0s..1s slow-read by 40ms; 0s..1s give-up till-1 after 50ms", seed=5)
    early = COUNTER.run("pattern", plan="0s..1s give-up till-1 after 1ms", seed=5)
    for run in (late, early):
        assert run.history.of("failed", type="GaveUp")
        assert not run.broken, run.describe()


def test_the_defect_is_marked_where_it_stands_and_explained_at_the_top():
    assert "write(value + 1)  # D1" in inspect.getsource(naive.Counter)
    assert "D1, its defect" in naive.__doc__


def test_lanes_and_labels_fit_the_scenario():
    assert list(LANES) == ["shop", *TILLS]
    run = COUNTER.run("textbook", plan=SLOW)
    labels = {number_of(r) for r in run.history.of("read", "effect", "invoke")}
    assert labels == {*TILLS, *map(str, range(20))}
    assert {r.node for r in run.history} - {""} == set(LANES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"plan": "1s..2s slow-read by 1s for till-9"}, "no target 'till-9' here"),
        ({"plan": "1s..2s slow-read"}, "by"),
        ({"plan": "2s..1s slow-write by 1s"}, "should be after"),
        ({"plan": "at 1s crash shop"}, "has no fault like"),
        ({"sales": 0}, "sales=0 makes no sense"),
        ({"rate_per_s": "fast"}, "rate_per_s='fast' makes no sense"),
        ({"tills": 3}, "no parameter 'tills'"),
        ({"parts": {"counter": 7}}, "cannot be called"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(arguments, words):
    with pytest.raises(LessonError) as refused:
        COUNTER.run("textbook", **arguments)
    assert words in str(refused.value)


def test_what_is_no_number_does_not_get_into_the_store():
    class Forgets(naive.Counter):
        async def add(self):
            await self.store.write("one more")

    failed = COUNTER.run("textbook", parts={"counter": Forgets}).history.of("failed").first()
    assert "the store keeps whole numbers, not 'one more'" in failed.data["error"]
