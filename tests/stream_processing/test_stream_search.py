"""Search finds nothing against the pattern, and against the textbook version a plan that names its defect."""

import re

import pytest

from lessonlib.lab.search import search
from lessonlib.stream_processing.scenario import BATCHES, GROUP, RESTORE, WINDOWS

PLANS = 500
SCENARIOS = (BATCHES, WINDOWS, RESTORE, GROUP)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_no_fault_plan_breaks_a_rule_of_the_pattern(scenario):
    found = search(scenario, "pattern", plans=PLANS, seed=1)
    assert found.exhausted, found.describe()
    assert found.tried >= PLANS
    assert not found.left_out, "a kind of fault was never drawn"
    assert not found.not_exercised, "a rule was never put to the test"


# For each rule that the textbook version can break: what its sentence must say about the defect.
DEFECTS = [
    (BATCHES, "every event that was taken is handled or set aside", "never handled nor set aside"),
    (BATCHES, "events of one key are handled in order, across types", "against the order"),
    (BATCHES, "a buffer never holds more than its bound", "the bound is"),
    (
        BATCHES,
        "a key keeps its partition, also after a restart",
        "went to partition .* and in the same process to",
    ),
    (
        BATCHES,
        "no event waits longer than the window for others",
        "nothing was wrong, and it was handled never",
    ),
    (BATCHES, "a poison event blocks nothing and ends as a dead letter", "there is no dead letter of it"),
    (WINDOWS, "a window's result is what happened in it, whatever the order of arrival", "happened then"),
    (WINDOWS, "every event is in a result or in the side output", "vanished"),
    (RESTORE, "every event of the log is counted once", "were counted, and the log has"),
    (RESTORE, "the state and the offset that a restart finds belong together", "will be counted twice"),
    (GROUP, "every event of the topic is counted once", "were counted, and the log has"),
    (GROUP, "a count that was saved never goes back", "and then .* saved"),
    (GROUP, "a rebalance is even and moves as few partitions as it must", "changed their reader where"),
]


@pytest.mark.parametrize(("scenario", "rule", "words"), DEFECTS, ids=lambda v: getattr(v, "name", None))
def test_the_same_search_breaks_the_textbook_version_with_a_short_plan_that_names_the_defect(
    scenario, rule, words
):
    found = search(scenario, "textbook", plans=PLANS, seed=1, rules=[rule])
    failure = found.failure
    assert failure is not None, found.describe()
    assert failure.minimal
    assert len(failure.plan) <= 3
    assert re.search(words, failure.verdict.sentence), failure.verdict.sentence
    again = scenario.run("textbook", plan=str(failure.plan), seed=failure.run.seed, **scenario.small)
    assert again.verdict(rule) == failure.verdict


# Plans that once broke the pattern, each with what was wrong.
ONCE_BROKEN = [
    # A partition was to move away from a worker that had not begun to read it: nobody asked it to let go, and so
    # nobody ever read the partition again.
    (GROUP, "0.2s..3.2s delay 3s", 284, {}),
    # Two sources became idle between two looks at the clock: with both asleep at once, the watermark stood still.
    (WINDOWS, "2.2s..2.7s delay 3s", 38, {}),
    # A source was idle and spoke again between two looks at the clock: nobody had noticed.
    (WINDOWS, "at 1s pause EWR for 3s; 3.5s..4.5s reorder 100% by 3s", 20411, {}),
    # A buffer that is to hold less than a batch holds a batch, or no batch would ever be full.
    (BATCHES, "at 0.1s pause processor for 0.5s", 5, {"flights": 150, "batch_size": 50, "buffer": 2}),
]


@pytest.mark.parametrize(("scenario", "plan", "seed", "params"), ONCE_BROKEN)
def test_a_plan_that_once_broke_a_rule_breaks_none(scenario, plan, seed, params):
    run = scenario.run("pattern", plan=plan, seed=seed, **(params or scenario.small))
    assert not run.broken, run.describe()
