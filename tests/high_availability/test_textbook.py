"""Each defect of the textbook version is really in it: the laboratory exposes it, and the pattern keeps the rule."""

import asyncio
import inspect
import re

import pytest

from lessonlib.high_availability import HighAvailabilityManager, naive
from lessonlib.high_availability.scenario import CLUSTER, CLUSTER_SEED, DEAD_NODE, LONG_PAUSE, SPLIT
from lessonlib.lab import simulate


def sentence(rule, plan, **params):
    verdict = CLUSTER.run("textbook", plan=plan, seed=CLUSTER_SEED, **params).verdict(rule)
    assert verdict.status == "broken", verdict
    assert CLUSTER.run("pattern", plan=plan, seed=CLUSTER_SEED, **params).verdict(rule).status != "broken"
    return verdict.sentence


def d1_without_a_vote_a_partition_has_two_leaders():
    assert "node-1 and node-2 both lead" in sentence("at most one leader a term", SPLIT)


def d2_nobody_looks_at_the_heartbeats():
    def nobody_looks(node, parts, params, members, **given):
        return parts["manager"](len(members), ports=node.ports, **given)

    plan, rule = (
        "at 3s crash node-1",
        "a majority that can talk has a leader again in time, and does writes",
    )
    bad = CLUSTER.run("textbook", plan=plan, parts={"wiring": nobody_looks}, seed=CLUSTER_SEED)
    assert "nobody leads from 3 s" in bad.verdict(rule).sentence
    assert CLUSTER.run("pattern", plan=plan, seed=CLUSTER_SEED).verdict(rule).status == "holds"


def d3_the_dead_nodes_state_is_asked_of_the_dead_node():
    """So what only it had is lost, and its work stays where it is."""
    rule = "no work stays on a dead node, and each item is done by one"
    assert "still the work of node-3, which is dead" in sentence(rule, "at 3s crash node-3")
    bad = CLUSTER.run("textbook", plan="at 3s crash node-3", seed=CLUSTER_SEED)
    asked = [r for r in bad.history.of("sent", to="node-3") if r.data["body"]["type"] == "state request"]
    assert [r.node for r in asked] == ["node-1"]
    assert not [r for r in bad.history.of("sent", node="node-3") if r.data["body"]["type"] == "state"]


def d4_work_that_moves_is_done_twice():
    rule = "no work stays on a dead node, and each item is done by one"
    assert "is done by node-1 and node-2" in sentence(rule, LONG_PAUSE, duration_s=16)


def d5_with_no_survivor_the_dead_leader_stays_leader():
    async def main():
        manager = naive.HighAvailabilityManager(2)
        await manager.initialize_cluster()
        reports = [asyncio.create_task(manager.handle_node_failure(name)) for name in ("node-1", "node-2")]
        await asyncio.sleep(1)
        assert (manager.leader, manager.nodes) == ("node-2", {})
        for report in reports:
            report.cancel()
        await manager.close()

    simulate(main())


def d6_a_node_that_returns_is_unknown_and_knows_nothing():
    bad = CLUSTER.run("textbook", plan=DEAD_NODE, seed=CLUSTER_SEED, duration_s=12)
    said = [
        (r.t_s, r.data["body"]["type"])
        for n in (1, 2)
        for r in bad.history.of("sent", node=f"node-{n}", to="node-3")
    ]
    assert {what for t_s, what in said if t_s < 3} == {"heartbeat", "replicate"}
    assert {what for t_s, what in said if t_s > 8} <= {"state"}  # it asked for that, believing that it leads
    rule = "an acknowledged write survives the loss of any minority"
    assert "node-3, which led later, does not have it" in sentence(rule, DEAD_NODE, duration_s=12)


def d7_a_write_is_acknowledged_before_anyone_else_has_it():
    rule = "an acknowledged write survives the loss of any minority"
    assert "node-1 acknowledged key-2 = 36" in sentence(rule, SPLIT)
    bad = CLUSTER.run("textbook", plan=SPLIT, seed=CLUSTER_SEED)
    assert all(
        r.t_us == next(i for i in bad.history.of("invoke", call=r.data["call"])).t_us
        for r in bad.history.of("ok", op="write")
    )


def d8_the_store_takes_what_a_deposed_leader_writes():
    rule = "a leader that has been replaced is fenced off"
    assert "of node-1, which had been replaced" in sentence(rule, LONG_PAUSE, duration_s=16)


DEFECTS = [f for name, f in list(globals().items()) if re.match(r"d\d+_", name)]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda f: f.__name__)
def test_the_laboratory_exposes(defect):
    defect()


def test_every_defect_is_marked_in_the_source_and_has_a_test():
    marked = {int(n) for n in re.findall(r"# .*\bD(\d+)\b", inspect.getsource(naive))}
    tested = {int(re.match(r"d(\d+)_", f.__name__)[1]) for f in DEFECTS}
    assert marked == tested == set(range(1, len(DEFECTS) + 1))
    assert list(naive.DEFECTS) == [f"D{n}" for n in sorted(marked)]


def test_the_shown_source_marks_defects_and_does_not_explain_them():
    shown = inspect.getsource(naive.HighAvailabilityManager) + inspect.getsource(naive.Store)
    marks = re.findall(r"# (.*D\d.*)", shown)
    assert marks and all(re.fullmatch(r"D\d+(, D\d+)*", mark) for mark in marks)
    assert {f"D{n}" for n in re.findall(r"\bD(\d+)\b", shown)} == set(naive.DEFECTS)


def test_on_a_good_day_the_textbook_version_works():
    run = CLUSTER.run("textbook")
    assert not run.broken and len(run.history.of("ok", op="write")) > 20


@pytest.mark.parametrize("make", [naive.HighAvailabilityManager, HighAvailabilityManager])
def test_as_the_course_types_it_both_versions_work_on_a_good_day(make):
    async def main():
        manager = make(node_count=3)
        await manager.initialize_cluster()
        assert manager.leader in manager.nodes and list(manager.nodes) == ["node-1", "node-2", "node-3"]
        await manager.write("color", "blue")
        assert await manager.read("color") == "blue"
        await manager.close()

    simulate(main())
