"""Each defect of the textbook version is marked in its source and exposed by the laboratory."""

import asyncio
import inspect
import os
import re
import subprocess
import sys

import pytest

from lessonlib.lab import simulate
from lessonlib.stream_processing import naive
from lessonlib.stream_processing.scenario import BATCHES, GROUP, RESTORE, WINDOWS

TAKEN = "every event that was taken is handled or set aside"


def sentence(scenario, rule, plan="", *, seed=1, parts=None, **params):
    params = {**scenario.small, **params}
    verdict = scenario.run("textbook", plan=plan, seed=seed, parts=parts, **params).verdict(rule)
    assert verdict.status == "broken", verdict
    pattern = scenario.run("pattern", plan=plan, seed=seed, **params)
    assert not pattern.broken, pattern.describe()
    return verdict.sentence


class ByKey(naive.StreamProcessor):
    """The textbook version with its second defect mended, so that the first shows."""

    def partition_of(self, event):
        return self._hash(event["subject"]) % self.partition_count


def d1_after_a_restart_a_key_goes_elsewhere():
    rule = "a key keeps its partition, also after a restart"
    assert "after a restart to" in sentence(
        BATCHES, rule, "at 500ms deploy processor", parts={"processor": ByKey}
    )
    program = "from lessonlib.stream_processing.naive import *; print(StreamProcessor(1000).partition_of({'id': 'a'}))"
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] != said[1]


def d2_one_entity_is_scattered_within_one_process():
    assert "in the same process to" in sentence(BATCHES, "a key keeps its partition, also after a restart")


def d3_grouping_by_type_reorders_a_key():
    rule = "events of one key are handled in order, across types"
    assert "came after" in sentence(
        BATCHES, rule, "0s..2s hot N249JB", parts={"processor": ByKey}, partitions=1, batch_size=10
    )
    seen = []

    async def handle(events):
        seen.extend(e["type"] for e in events)

    async def main():
        stream = naive.StreamProcessor(
            1, 4, handlers={"created": handle, "cancelled": handle, "paid": handle}
        )
        for kind in ("created", "cancelled", "created", "paid"):
            await stream.process_event({"id": "1", "type": kind})
        await asyncio.sleep(1)

    simulate(main())
    assert seen == ["created", "created", "cancelled", "paid"]


def d4_a_failing_group_takes_the_later_groups_with_it():
    plan = "0s..3s fail scheduled 100%"
    sentence(BATCHES, TAKEN, plan)
    run = BATCHES.run("textbook", plan=plan, **BATCHES.small)
    taken = {r.data["number"] for r in run.history.of("ok", op="process", kind="departed")}
    handled = {r.data["number"] for r in run.history.of("handled", type="departed")}
    batched = len(run.history.of("ok", op="process")) - sum(
        {r.data["partition"]: r.data["depth"] for r in run.history.of("depth")}.values()
    )
    assert batched > 0 and len(taken - handled) > 12, (
        "departures are lost though only their neighbours failed"
    )


def d5_the_tail_waits_for_ever():
    assert "it was handled never" in sentence(BATCHES, "no event waits longer than the window for others")


def d6_an_error_is_printed_and_the_batch_is_lost():
    rule = "a poison event blocks nothing and ends as a dead letter"
    assert "there is no dead letter of it" in sentence(BATCHES, rule, "at 0s poison scheduled")
    printed = []

    async def refuse(events):
        raise ValueError("no")

    async def main():
        stream = naive.StreamProcessor(1, 1, handlers={"created": refuse}, report=printed.append)
        await stream.process_event({"id": "1", "type": "created"})
        await asyncio.sleep(1)

    simulate(main())
    assert printed == ["Error processing batch: no"]


def d7_nothing_bounds_the_buffers():
    plan = "0s..3s slow-handler scheduled by 3s"
    said = sentence(BATCHES, "a buffer never holds more than its bound", plan, flights=60)
    assert "11 events wait for partition" in said


def d8_running_work_is_not_awaited_at_a_shutdown():
    assert "never handled" in sentence(BATCHES, TAKEN, "at 1s deploy processor", batch_size=1, work_ms=20)
    handled = BATCHES.run("textbook", batch_size=1, work_ms=20, **BATCHES.small)
    assert not [v for v in handled.broken if v.rule == TAKEN], "without the deployment nothing is lost"


def d9_a_second_batch_on_a_busy_partition_is_stranded():
    """One event a batch, so no partial batch waits; the handlers are slow, so a partition is busy."""
    plan = "0s..3s slow-handler departed by 0.5s"
    assert "never handled" in sentence(BATCHES, TAKEN, plan, batch_size=1)


def d10_an_event_is_counted_when_it_arrives_and_not_when_it_happened():
    rule = "a window's result is what happened in it, whatever the order of arrival"
    assert "were counted, and" in sentence(WINDOWS, rule)


def d11_any_source_closes_the_windows_of_all():
    counter = naive.WindowCounter(60)
    counter.process("slow", 10, source="LGA", now_s=10)
    found = counter.process("quick", 60, source="JFK", now_s=10)
    assert ("slow", (0, 60), 1) in found
    assert counter.process("slow", 20, source="LGA", now_s=20) == [], "and what LGA says now is not counted"


def d12_a_late_event_vanishes():
    assert "vanished" in sentence(WINDOWS, "every event is in a result or in the side output")


def d13_a_crash_fits_between_state_and_offset():
    plan = "after write 1 to state crash worker for 0.1s"
    rule = "the state and the offset that a restart finds belong together"
    assert "will be counted twice" in sentence(RESTORE, rule, plan)
    assert "were counted" in sentence(RESTORE, "every event of the log is counted once", plan)


def d14_one_member_more_and_nearly_every_partition_moves():
    rule = "a rebalance is even and moves as few partitions as it must"
    assert "partitions changed their reader where" in sentence(GROUP, rule, "at 1s crash worker-1 for 10s")


def d15_a_partition_has_two_readers_while_it_moves():
    plan = "0.5s..5s slow-handler worker-2 by 3s; at 1s crash worker-1 for 10s"
    run = GROUP.run("textbook", plan=plan, **GROUP.small)
    readers = {}
    for record in run.history.of("handled"):
        for number in record.data["numbers"]:
            readers.setdefault(number, set()).add(record.node)
    assert any(len(who) > 1 for who in readers.values())
    assert "were counted" in sentence(GROUP, "every event of the topic is counted once", plan)


def d16_a_paused_worker_wakes_and_is_believed():
    rule = "a count that was saved never goes back"
    plan = "0.5s..1s slow-handler worker-1 by 0.5s; at 0.8s pause worker-1 for 8s"
    assert "and then" in sentence(GROUP, rule, plan, flights=60)
    run = GROUP.run("textbook", plan=plan, **{**GROUP.small, "flights": 60})
    offsets = [(r.t_s, r.data["records"][0]) for r in run.history.of("replaced", file="offset-3")]
    woken = next(i for i, (t_s, _) in enumerate(offsets) if t_s > 8.8)
    assert offsets[woken][1] < offsets[woken - 1][1], "its commit throws back whoever has the partition now"


def d17_the_state_stays_behind_when_a_partition_moves():
    rule = "every event of the topic is counted once"
    said = sentence(GROUP, rule, "at 1s crash worker-1")
    assert "were counted, and the log has" in said


DEFECTS = [f for name, f in list(globals().items()) if re.match(r"d\d+_", name)]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda f: f.__name__)
def test_the_laboratory_exposes(defect):
    defect()


def test_every_defect_is_marked_in_the_source_and_has_a_test():
    marked = {int(n) for n in re.findall(r"\bD(\d+)\b", inspect.getsource(naive).split('"""', 2)[2])}
    tested = {int(re.match(r"d(\d+)_", f.__name__)[1]) for f in DEFECTS}
    assert marked == tested == set(range(1, 18))


def test_on_a_good_day_the_textbook_version_works():
    """Nothing fails, nobody restarts, and the number of events is a multiple of the batch."""
    run = BATCHES.run("textbook", batch_size=1, work_ms=0, **BATCHES.small)
    assert {v.rule for v in run.broken} == {"a key keeps its partition, also after a restart"}
    assert not RESTORE.run("textbook", **RESTORE.small).broken
    assert not GROUP.run("textbook", **GROUP.small).broken
