"""Members in virtual time: what they promise, what they answer, and what failing disks and parts do to them."""

import asyncio
import functools

import pytest

from lessonlib.errors import LessonError
from lessonlib.high_availability import (
    Ballot,
    ClusterError,
    Entry,
    LogFull,
    NotCommitted,
    NotConfirmed,
    NotLeader,
    ReplicatedLog,
    commit_index,
)
from lessonlib.high_availability.heartbeat import HeartbeatMonitor
from lessonlib.high_availability.leadership import Leadership
from lessonlib.high_availability.promises import BALLOT_FILE, LOG_FILE
from lessonlib.high_availability.register import NOOP
from lessonlib.high_availability.scenario import CLUSTER
from lessonlib.lab import simulate
from lessonlib.lab.faults import Crash, CrashAfterWrite, FaultPlan
from lessonlib.ports import LocalTransport

from .small_cluster import Cluster


def in_virtual_time(test):
    @functools.wraps(test)
    def run():
        simulate(test())

    return run


def commands(cluster, name):
    return [(term, command) for _, term, command in cluster.applied[name]]


@in_virtual_time
async def test_a_cluster_elects_one_leader_and_serves_reads_and_writes():
    cluster = Cluster()
    leader = await cluster.led()
    member = cluster.members[leader]
    await member.write("color", ["blue", {"shade": 3}])
    assert await member.read("color") == ["blue", {"shade": 3}]
    assert await member.read("size") is None
    assert [cluster.members[name].leader for name in cluster.names] == [leader] * 3
    assert member.token == 1
    await asyncio.sleep(0.1)
    assert len({str(commands(cluster, name)) for name in cluster.names}) == 1
    await cluster.close()


@in_virtual_time
async def test_a_follower_refuses_and_says_whom_to_ask():
    cluster = Cluster()
    leader = await cluster.led()
    follower = cluster.members[cluster.others(leader)[0]]
    with pytest.raises(NotLeader, match=f"ask '{leader}'") as refused:
        await follower.write("color", "blue")
    assert refused.value.leader == leader
    with pytest.raises(NotLeader):
        await follower.read("color")
    assert follower.token is None
    await cluster.close()


@in_virtual_time
async def test_a_leader_that_is_cut_off_answers_nobody_and_steps_down():
    cluster = Cluster(answer_s=0.25)
    leader = await cluster.led()
    cluster.isolate(leader)
    old = cluster.members[leader]
    results = await asyncio.gather(old.write("color", "red"), old.read("color"), return_exceptions=True)
    assert [type(result) for result in results] == [NotCommitted, NotConfirmed]
    await asyncio.sleep(1)
    assert old.token is None and old.leader is None
    assert cluster.leader() in cluster.others(leader)
    await cluster.close()


@in_virtual_time
async def test_a_write_whose_entry_was_replaced_is_not_acknowledged():
    """Once the old leader answered when the new leader's entry was committed in the place of its own."""
    cluster = Cluster(answer_s=5.0)
    leader = await cluster.led()
    old = cluster.members[leader]
    for other in cluster.others(leader):
        cluster.cuts.add((leader, other))
    lost = asyncio.create_task(old.write("color", "red"))
    await asyncio.sleep(0.01)
    assert commands(cluster, leader) == [(1, {"op": "noop"})]
    # A new leader's entry takes the place, and comes before the old one has noticed anything.
    entry = {"term": 2, "command": {"op": "write", "key": "color", "value": "green"}}
    append = {"type": "append", "term": 2, "prev_index": 1, "prev_term": 1, "entries": [entry], "commit": 2}
    cluster.ports[cluster.others(leader)[0]].transport.send(leader, {**append, "round": 1})
    with pytest.raises(NotCommitted, match="leads no more"):
        await lost
    await asyncio.sleep(0.01)
    assert commands(cluster, leader)[-1] == (2, entry["command"])
    await cluster.close()


@in_virtual_time
async def test_a_reply_that_the_network_repeats_is_no_sign_of_life():
    cluster = Cluster()
    leader = await cluster.led()
    other = cluster.others(leader)[0]
    last = [message for who, _, message in cluster.sent if who == other][-1]
    assert last["type"] == "append reply"
    cluster.isolate(leader)
    for _ in range(10):
        LocalTransport.send(cluster.ports[other].transport, leader, last)  # past the cut
        await asyncio.sleep(0.04)
    assert cluster.members[leader].token is None
    await cluster.close()


@in_virtual_time
async def test_what_was_acknowledged_outlives_the_loss_of_any_minority():
    cluster = Cluster(5)
    leader = await cluster.led()
    await cluster.members[leader].write("color", "blue")
    for name in (leader, cluster.others(leader)[0]):
        await cluster.stop(name, losing_disk=True)
    await cluster.write("size", 7)
    assert await cluster.members[cluster.leader()].read("color") == "blue"
    await cluster.close()


@in_virtual_time
async def test_a_cluster_that_lost_its_power_comes_back_with_what_it_acknowledged():
    cluster = Cluster()
    leader = await cluster.led()
    await cluster.members[leader].write("color", "blue")
    for name in cluster.names:
        await cluster.stop(name)
    await cluster.start()
    await cluster.write("size", 7)
    assert await cluster.members[cluster.leader()].read("color") == "blue"
    assert cluster.members[cluster.leader()].token == 2
    await cluster.close()


@in_virtual_time
async def test_a_member_whose_disk_was_lost_learns_and_never_votes():
    cluster = Cluster()
    leader = await cluster.led()
    await cluster.members[leader].write("color", "blue")
    learner, other = cluster.others(leader)
    await cluster.stop(learner, losing_disk=True)
    await cluster.start(learner, formatted=False)
    await asyncio.sleep(0.5)
    assert cluster.members[learner].nodes[learner].state == "learner"
    assert commands(cluster, learner) == commands(cluster, leader)
    # The leader and the learner are no majority: neither for an entry nor for a vote.
    await cluster.stop(other)
    with pytest.raises(NotCommitted):
        await cluster.members[leader].write("color", "red")
    await asyncio.sleep(5)
    assert cluster.leader() is None
    await cluster.close()


@in_virtual_time
async def test_nothing_is_sent_before_it_is_on_the_disk():
    cluster = Cluster()
    await cluster.led()
    for name in cluster.names:
        cluster.ports[name].disk.broken = True
    promised = {name: str(cluster.ports[name].disk.files) for name in cluster.names}
    cluster.sent.clear()
    cluster.cuts = {(a, b) for a in cluster.names for b in cluster.names}
    await asyncio.sleep(1)
    cluster.cuts = set()  # nobody leads now, and everybody would vote
    await asyncio.sleep(5)
    assert not [m for _, _, m in cluster.sent if m["type"] in ("vote request", "append") and m["term"] > 1]
    assert not [m for _, _, m in cluster.sent if m["type"] == "vote" and m["granted"]]
    assert {name: str(cluster.ports[name].disk.files) for name in cluster.names} == promised
    for name in cluster.names:
        cluster.ports[name].disk.broken = False
    await cluster.write("color", "blue")
    await cluster.close()


@in_virtual_time
async def test_a_heartbeat_of_a_new_term_is_not_answered_before_the_term_is_on_the_disk():
    cluster = Cluster()
    follower, leader = cluster.others(await cluster.led())
    cluster.ports[follower].disk.broken = True
    heartbeat = {"type": "append", "term": 7, "prev_index": 0, "prev_term": 0, "entries": [], "commit": 0}
    cluster.sent.clear()
    cluster.ports[leader].transport.send(follower, {**heartbeat, "round": 1})
    await asyncio.sleep(0.1)
    assert not [m for who, _, m in cluster.sent if who == follower and m["term"] == 7]
    await cluster.close()


@in_virtual_time
async def test_a_follower_commits_no_entry_that_the_leader_has_not_confirmed_to_it():
    """Its own suffix may be a dead leader's: what the leader has committed is another entry of that index."""
    cluster = Cluster()
    leader = await cluster.led()
    follower = cluster.others(leader)[0]
    append = {"type": "append", "term": 1, "prev_index": 1, "prev_term": 1, "round": 1}
    stray = {"term": 1, "command": {"op": "write", "key": "color", "value": "red"}}
    send = cluster.ports[leader].transport.send
    send(follower, {**append, "entries": [stray], "commit": 1})
    send(follower, {**append, "entries": [], "commit": 2})
    await asyncio.sleep(0.01)
    assert commands(cluster, follower) == [(1, {"op": "noop"})]
    await cluster.close()


@in_virtual_time
async def test_a_leader_that_was_replaced_answers_no_read_from_what_it_knew():
    cluster = Cluster(answer_s=0.2)
    leader = await cluster.led()
    await cluster.members[leader].write("color", "blue")
    await asyncio.sleep(0.04)
    cluster.isolate(leader)
    with pytest.raises(NotConfirmed):  # though every round before the read was answered
        await cluster.members[leader].read("color")
    await cluster.close()


@in_virtual_time
async def test_a_new_leader_answers_reads_only_once_its_first_entry_is_committed():
    """Until then it may not know what its predecessor has acknowledged (§8), though it surely leads."""
    log = ReplicatedLog()
    log.take(1, [Entry(1, NOOP), Entry(1, "acknowledged by the leader of term 1")])
    office = Leadership("node-1", ["node-2"], term=2, log=log, detector=HeartbeatMonitor(1), now_s=0)
    log.take(3, [Entry(2, NOOP)])
    office.replication.begin_round()
    read = office.awaiting_round()
    refusal = {"round": 1, "ok": False, "match": 0, "learner": False}
    office.replication.receive("node-2", refusal)
    office.answer_reads()
    assert office.replication.confirmed_round == 1 and not read.done()
    log.commit(3)
    office.answer_reads()
    assert read.done()


@in_virtual_time
async def test_a_follower_whose_disk_fails_acknowledges_nothing_and_goes_on_when_it_works():
    cluster = Cluster(answer_s=0.5)
    leader = await cluster.led()
    for other in cluster.others(leader):
        cluster.ports[other].disk.broken = True
    with pytest.raises(NotCommitted):
        await cluster.members[leader].write("color", "red")
    for other in cluster.others(leader):
        cluster.ports[other].disk.broken = False
    await cluster.write("color", "blue")
    assert await cluster.members[cluster.leader()].read("color") == "blue"
    await cluster.close()


@in_virtual_time
async def test_a_leader_whose_disk_fails_steps_down_and_another_takes_over():
    cluster = Cluster()
    leader = await cluster.led()
    cluster.ports[leader].disk.broken = True
    with pytest.raises(NotCommitted, match="disk of"):
        await cluster.members[leader].write("color", "red")
    await asyncio.sleep(1)
    assert cluster.leader() not in (None, leader)
    await cluster.write("color", "blue")
    await cluster.close()


@pytest.mark.parametrize("file", [BALLOT_FILE, LOG_FILE])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("node", ["node-1", "node-2", "node-3"])
def test_a_crash_after_any_write_of_either_file_leaves_a_member_that_keeps_its_word(file, count, node):
    crash = CrashAfterWrite(count=count, file=file, node=node, down_s=0.5)
    run = CLUSTER.run(plan=FaultPlan((crash, Crash(4, "node-1", 0.1))), duration_s=6)
    assert [str(verdict) for verdict in run.verdicts if verdict.status == "broken"] == []


@in_virtual_time
async def test_a_write_that_its_caller_gives_up_during_the_disks_write_does_no_harm():
    cluster = Cluster()
    leader = await cluster.led()
    cluster.ports[leader].disk.slow_s = 0.05
    call = asyncio.create_task(cluster.members[leader].write("color", "red"))
    await asyncio.sleep(0.02)
    call.cancel()
    cluster.ports[leader].disk.slow_s = 0.0001
    await cluster.write("color", "blue")
    for name in cluster.names:
        await cluster.stop(name)
    await cluster.start()
    await cluster.write("size", 1)
    assert await cluster.members[cluster.leader()].read("color") == "blue"
    await cluster.close()


@in_virtual_time
async def test_heartbeats_cost_no_write_and_no_election():
    cluster = Cluster()
    leader = await cluster.led()
    files = str(cluster.ports[leader].disk.files)
    cluster.sent.clear()
    await asyncio.sleep(10)
    assert {message["type"] for _, _, message in cluster.sent} == {"append", "append reply"}
    assert len(cluster.sent) == pytest.approx(10 / 0.05 * 2 * 2, abs=8)
    assert str(cluster.ports[leader].disk.files) == files
    await cluster.close()


@in_virtual_time
async def test_a_full_log_refuses_writes_and_still_serves_reads_and_elections():
    cluster = Cluster(max_entries=3)
    await cluster.led()
    await cluster.write("k", 1)
    await cluster.write("k", 2)
    with pytest.raises(LogFull, match="3 entries"):
        await cluster.members[cluster.leader()].write("k", 3)
    await cluster.stop(cluster.leader())
    await asyncio.sleep(1)
    assert await cluster.members[cluster.leader()].read("k") == 2
    await cluster.close()


# ---- Work --------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_work_moves_off_a_dead_node_and_some_of_it_back():
    cluster = Cluster(work=[f"item-{number}" for number in range(6)])
    leader = await cluster.led()
    dead = cluster.others(leader)[0]
    await cluster.stop(dead)
    await asyncio.sleep(1)
    view = cluster.members[leader].nodes
    assert [len(view[name].work) for name in cluster.names if name != dead] == [3, 3]
    assert (view[dead].state, view[dead].work) == ("failed", ())
    await cluster.start(dead)
    await asyncio.sleep(1)
    assert [len(cluster.members[leader].nodes[name].work) for name in cluster.names] == [2, 2, 2]
    reasons = [(len(moved), reason) for _, _, _, _, moved, reason in cluster.assignments]
    assert reasons == [(6, "the cluster starts"), (2, f"{dead} is suspected"), (2, f"{dead} is back")]
    assert cluster.members[dead].nodes[dead].work == cluster.members[leader].nodes[dead].work
    await cluster.close()


@in_virtual_time
async def test_a_node_that_is_reported_dead_loses_its_work_at_once_and_gets_some_back_when_it_answers():
    cluster = Cluster(work=["a", "b", "c"])
    leader = await cluster.led()
    node = cluster.others(leader)[0]
    cluster.cuts = {(leader, node)}
    await cluster.members[leader].handle_node_failure(node)
    await asyncio.sleep(0.01)
    assert cluster.assignments[-1][-1] == f"{node} is suspected"
    cluster.cuts = set()
    await asyncio.sleep(0.1)
    assert cluster.assignments[-1][-1] == f"{node} is back"
    await cluster.close()


@in_virtual_time
async def test_a_false_report_about_the_leader_disturbs_nobody():
    cluster = Cluster()
    leader = await cluster.led()
    await cluster.members[cluster.others(leader)[0]].handle_node_failure(leader)
    await asyncio.sleep(1)
    assert cluster.leader() == leader and cluster.members[leader].token == 1
    await cluster.close()


@in_virtual_time
async def test_a_true_report_about_the_leader_saves_the_wait_for_the_timeout():
    cluster = Cluster(election_timeout_s=(5, 10))
    await cluster.start()
    await asyncio.sleep(20)
    leader = cluster.leader()
    await cluster.stop(leader)
    for other in cluster.others(leader)[:1]:
        await asyncio.sleep(5)  # the others have missed it for the shortest timeout, as pre-vote asks
        if cluster.leader() is None:
            await cluster.members[other].handle_node_failure(leader)
            await asyncio.sleep(0.1)
    assert cluster.leader() is not None
    await cluster.close()


# ---- Parts that fail ---------------------------------------------------------------------------------------


class Failing(Exception):
    pass


class BadBallot(Ballot):
    def count(self, votes):
        raise Failing("no count")


def bad_quorum(*args, **kwargs):
    raise Failing("no quorum")


def far_quorum(*args, **kwargs):
    return 1_000


def bad_rebalance(owners, nodes):
    raise Failing("no balance")


def no_owners(owners, nodes):
    return {}


def a_stranger(owners, nodes):
    return {**dict.fromkeys(owners, nodes[0]), "b": nodes[0]}


def nothing(owners, nodes):
    return None


class BadDetector:
    def watch(self, node, now_s): ...

    def heard(self, node, now_s):
        raise Failing("no detector")


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("ballot", BadBallot),
        ("quorum", bad_quorum),
        ("quorum", far_quorum),
        ("rebalance", bad_rebalance),
        ("rebalance", no_owners),
        ("rebalance", a_stranger),
        ("rebalance", nothing),
        ("detector", BadDetector),
    ],
)
def test_a_part_that_raises_ends_its_member_which_says_so_to_callers(part, broken):
    async def main():
        cluster = Cluster(work=["a"], **{part: broken})
        await cluster.start()
        await asyncio.sleep(3)
        died = [member for member in cluster.members.values() if member._own.failure is not None]
        assert died
        for member in died:
            assert member.nodes[member._own.name].state == "stopped"
            with pytest.raises(ClusterError, match=r"stopped on .*; mend that and start it again"):
                await member.write("color", "blue")
        for member in cluster.members.values():
            for task in [*member._own._tasks]:
                task.cancel()
        return len(died)

    with pytest.raises(
        LessonError, match=r"no count|no quorum|no balance|no detector|cannot be committed|rebalance gave"
    ):
        simulate(main())  # which tells of tasks that died unseen


@in_virtual_time
async def test_a_wrong_quorum_lets_a_lone_leader_acknowledge_and_the_right_one_does_not():
    def own_disk_is_enough(matched, members, term_of, *, term, committed):
        return max(matched.values())

    for quorum, acknowledged in ((own_disk_is_enough, True), (commit_index, False)):
        cluster = Cluster(quorum=quorum, answer_s=0.2)
        leader = await cluster.led()
        cluster.isolate(leader)
        try:
            await cluster.members[leader].write("color", "red")
            assert acknowledged
        except NotCommitted:
            assert not acknowledged
        await cluster.close()
