"""Every rule of a cluster has a run that keeps it, a run that breaks it, and a run that does not test it.

A rule that lacks one of these fails here, so that no rule can be added that is never put to the test.
"""

from itertools import product

import pytest

from lessonlib.high_availability import Ballot, rules
from lessonlib.high_availability.heartbeat import HeartbeatMonitor
from lessonlib.high_availability.rebalance import rebalance_work
from lessonlib.high_availability.scenario import (
    CLUSTER,
    CLUSTER_OF_5,
    CLUSTER_SEED,
    DEAD_NODE,
    LONG_PAUSE,
    SPLIT,
    TEXTBOOK,
)
from lessonlib.lab import History, Record
from lessonlib.lab.scenario import ScenarioError

ONE = "at most one leader a term"
FENCED = "a leader that has been replaced is fenced off"
SURVIVES = "an acknowledged write survives the loss of any minority"
PREFIX = "all replicas apply the same prefix"
LINEAR = "a register is linearizable"
AGAIN = "a majority that can talk has a leader again in time, and does writes"
STEPS = "a leader that hears from no majority steps down in time, and refuses"
EVEN = "work is spread evenly, and no more of it moves than must"
DONE = "no work stays on a dead node, and each item is done by one"
DIED = "no task dies unseen"


# ---- Broken parts ----------------------------------------------------------------------------------------


class TwoVotes(Ballot):
    """Votes for everybody who asks."""

    def grant(self, candidate, term, *, its_log, my_log):
        self.learn(term)
        return term == self.term


class Mute(Ballot):
    """Votes for nobody."""

    def grant(self, *args, **options):
        return False


def leader_is_enough(matched, members, term_of, *, term, committed):
    """Acknowledge what the leader has."""
    return max(matched.values())


def all_to_one(owners, nodes):
    """The load of a dead node goes to one neighbour."""
    heir = min(nodes)
    return {item: owner if owner in nodes else heir for item, owner in owners.items()}


def deal_anew(owners, nodes):
    """Even, and everything moves."""
    return {item: sorted(nodes)[place % len(nodes)] for place, item in enumerate(sorted(owners))}


class Blind(HeartbeatMonitor):
    """Suspects nobody."""

    def suspects(self, now_s):
        return []


class Faulty:
    """A store that ends its node's task."""

    def __init__(self, disk=None):
        pass

    async def write(self, key, value, token):
        raise RuntimeError("nobody looks")


def nobody_looks(node, parts, params, members, **given):
    """The textbook version without the health check that a deployment adds."""
    return parts["manager"](len(members), ports=node.ports, **given)


# ---- The runs --------------------------------------------------------------------------------------------
# For each rule: arguments of a run that keeps it, of some that break it, and of one that does not test it.
# None: there is no such run, since the rule judges every run.

SHUT = {"plan": "at 0s crash node-1; at 0s crash node-2; at 0s crash node-3; at 0s crash node-4"}
CUT = {"plan": SPLIT}
PAUSED = {"plan": LONG_PAUSE, "duration_s": 16}
DEAD = {"plan": DEAD_NODE, "duration_s": 12}
GONE = {"plan": "at 3s crash node-3"}


def textbook(arguments):
    return {"system": "textbook", **arguments}


def with_part(arguments, **parts):
    return {**arguments, "parts": parts}


RUNS = {
    ONE: (CUT, [textbook(CUT)], SHUT),
    FENCED: (PAUSED, [textbook(PAUSED), with_part(PAUSED, store=TEXTBOOK["store"])], {}),
    SURVIVES: (CUT, [textbook(CUT), with_part(CUT, quorum=leader_is_enough)], {}),
    PREFIX: ({}, [textbook(CUT), with_part(CUT, quorum=leader_is_enough)], SHUT),
    LINEAR: ({}, [textbook(CUT)], SHUT),
    AGAIN: (
        {"plan": "at 3s crash node-1 for 1s"},
        [
            with_part({}, ballot=Mute),
            with_part(textbook({"plan": "at 3s crash node-1"}), wiring=nobody_looks),
        ],
        SHUT,
    ),
    STEPS: (CUT, [textbook(CUT)], {}),
    EVEN: (DEAD, [with_part(DEAD, rebalance=all_to_one), with_part(DEAD, rebalance=deal_anew)], {}),
    DONE: (DEAD, [textbook(GONE), with_part(GONE, detector=Blind), textbook(PAUSED)], {}),
    DIED: (CUT, [with_part({}, store=Faulty)], None),
}


def run(arguments, scenario=CLUSTER):
    arguments = dict(arguments)
    if scenario is CLUSTER and arguments is not SHUT:
        arguments["plan"] = arguments.get("plan", "").replace("; at 0s crash node-4", "")
    return scenario.run(seed=CLUSTER_SEED, **arguments)


def test_every_rule_has_its_runs_and_no_rule_is_forgotten():
    for scenario in (CLUSTER, CLUSTER_OF_5):
        assert set(RUNS) == {rule.name for rule in scenario.rules}
    assert {rule for rule, (_, _, untested) in RUNS.items() if untested is None} == {DIED}
    assert all(bad for _, bad, _ in RUNS.values())


@pytest.mark.parametrize("rule", RUNS)
class TestARule:
    @pytest.mark.parametrize("scenario", [CLUSTER, CLUSTER_OF_5], ids=lambda s: s.name)
    def test_is_kept_by_the_pattern(self, rule, scenario):
        kept = run(RUNS[rule][0], scenario)
        assert not kept.broken, kept.describe()
        if scenario is CLUSTER:  # its plans hit the leader of three
            assert kept.verdict(rule).status == "holds", kept.describe()

    def test_is_broken_by_a_defect_and_says_when_and_by_what(self, rule):
        for arguments in RUNS[rule][1]:
            bad = run(arguments)
            verdict = bad.verdict(rule)
            assert verdict.status == "broken", bad.describe()
            assert verdict.at_us is not None
            assert verdict.records
            # (an assignment is shown by the command that was applied)
            assert all(r in bad.history or "owners" in r.data for r in verdict.records)

    def test_says_so_when_it_is_not_put_to_the_test(self, rule):
        arguments = RUNS[rule][2]
        if arguments is not None:
            untested = run(arguments)
            assert untested.verdict(rule).status == "not exercised", untested.describe()


@pytest.mark.parametrize("scenario", [CLUSTER, CLUSTER_OF_5], ids=lambda s: s.name)
def test_an_empty_history_exercises_nothing(scenario):
    assert {rule(History()).status for rule in scenario.rules} == {"not exercised"}


@pytest.mark.parametrize("scenario", [CLUSTER, CLUSTER_OF_5], ids=lambda s: s.name)
@pytest.mark.parametrize("system", ["pattern", "textbook"])
def test_on_a_quiet_day_no_rule_is_broken(scenario, system):
    assert not scenario.run(system).broken


# ---- The demonstrations ----------------------------------------------------------------------------------


def writes(run, start_s, end_s, kind="ok"):
    return {r.node for r in run.history.of(kind, op="write").between(start_s, end_s)}


def test_a_partition_gives_the_textbook_cluster_two_leaders_that_both_accept_writes():
    bad = CLUSTER.run("textbook", plan=SPLIT, seed=CLUSTER_SEED)
    assert "node-1 and node-2 both lead from 3.3 s on" in bad.verdict(ONE).sentence
    assert writes(bad, 3.3, 6) == {"node-1", "node-2"}


def test_the_same_partition_leaves_ours_with_one_leader_a_term_and_the_minority_refuses():
    ours = CLUSTER.run("pattern", plan=SPLIT, seed=CLUSTER_SEED)
    assert [(one.node, one.term) for one in rules.leaderships(ours.history)] == [("node-1", 1), ("node-2", 2)]
    assert writes(ours, 0, 3) == {"node-1"}
    assert writes(ours, 3.01, 6) == {"node-2"}
    assert "node-1" in writes(ours, 3.4, 6, kind="failed")
    assert not ours.broken and ours.verdict(ONE).status == ours.verdict(STEPS).status == "holds"


def test_the_write_of_a_leader_that_slept_ten_seconds_between_check_and_write_is_fenced_off():
    ours, bad = (
        CLUSTER.run(system, plan=LONG_PAUSE, seed=CLUSTER_SEED, duration_s=16)
        for system in ("pattern", "textbook")
    )
    (refused,) = ours.history.of("refused")
    assert (refused.data["by"], refused.data["token"], refused.data["highest"]) == ("node-1", 1, 2)
    assert 13.15 < refused.t_s < 13.16
    taken = bad.history.of("stored", by="node-1").where(lambda r: r.t_s > 13.15).first()
    assert taken.t_s < 13.16


def test_work_moves_off_a_dead_node_evenly_and_back_with_few_moves():
    ours = CLUSTER.run(plan=DEAD_NODE, seed=CLUSTER_SEED, duration_s=12)
    moved = list(ours.history.of("assignment"))
    loads = [sorted(list(r.data["owners"].values()).count(n) for n in r.data["nodes"]) for r in moved]
    assert loads == [[2, 2, 2], [3, 3], [2, 2, 2]]
    assert [len(r.data["moved"]) for r in moved] == [6, 2, 2]
    assert moved[1].t_s < 3 + 1.2 and moved[2].t_s < 8 + 0.3


# ---- What a rule sees, and what it forgives --------------------------------------------------------------


LIMITS = Record(
    0,
    "limits",
    "",
    {
        "members": ["node-1", "node-2", "node-3"],
        "heartbeat_ms": 50,
        "election_low_ms": 150,
        "election_high_ms": 300,
        "timeout_s": 1.0,
    },
)


def at(t_s, kind, node="", **data):
    return Record(round(t_s * 1e6), kind, node, data)


def leads(t_s, node, term):
    return at(t_s, "transition", node, source="candidate", target="leader", term=term)


def follows(t_s, node, term):
    return at(t_s, "transition", node, source="leader", target="follower", term=term)


def history(*records):
    return History([LIMITS, *records])


LOSES = [
    at(1, "fault", f"node-{n}", fault=f"at 1s crash node-{n} losing disk", phase="begins") for n in (1, 2, 3)
]


def test_two_leaders_at_a_time_are_none_of_the_rule_s_business_as_long_as_their_terms_differ():
    assert rules.one_leader_a_term(history(leads(1, "node-1", 1), leads(2, "node-2", 2))).status == "holds"
    assert rules.one_leader_a_term(history(leads(1, "node-1", 1), leads(2, "node-2", 1))).status == "broken"


def test_without_terms_one_leader_may_follow_another():
    one, two = leads(1, "node-1", 0), leads(3, "node-2", 0)
    assert rules.one_leader_a_term(history(one, at(2, "crash", "node-1"), two)).status == "holds"
    assert rules.one_leader_a_term(history(one, two, at(4, "tick"))).status == "broken"


@pytest.mark.parametrize(
    "rule",
    [rules.one_leader_a_term, rules.writes_survive, rules.same_prefix, rules.linearizable, rules.even_work],
    ids=lambda rule: rule.name,
)
def test_a_majority_without_its_disks_is_no_fault_of_the_cluster(rule):
    bad = [leads(2, "node-1", 1), leads(2, "node-2", 1)]
    assert rule(history(*LOSES[:2], *bad)).status == "not exercised"


def test_one_lost_disk_is_no_excuse():
    bad = [leads(2, "node-1", 1), leads(2, "node-2", 1)]
    assert rules.one_leader_a_term(history(*LOSES[:1], *bad)).status == "broken"


def stored(t_s, by, token):
    return at(t_s, "stored", "store", key="job", value=f"{by} at {t_s}", token=token, by=by)


def test_an_equal_token_passes_and_a_lower_one_does_not():
    late = at(5, "refused", "store", key="job", value="x", token=1, by="node-1", highest=2)
    good = [stored(1, "node-1", 1), stored(2, "node-2", 2), stored(3, "node-2", 2)]
    assert rules.fenced_off(history(*good, late)).status == "holds"
    assert rules.fenced_off(history(*good, stored(4, "node-1", 1), late)).status == "broken"
    assert rules.fenced_off(history(*good)).status == "not exercised"


def test_a_store_without_its_disk_has_forgotten_the_tokens():
    def lost(t_s):
        return at(t_s, "fault", "store", fault=f"at {t_s}s crash store losing disk for 1s", phase="begins")

    late = at(5, "refused", "store", key="job", value="x", token=1, by="node-1", highest=2)
    records = [stored(2, "node-2", 2), lost(3), stored(4, "node-1", 1), late]
    assert rules.fenced_off(history(*records)).status == "holds"
    assert rules.fenced_off(history(lost(1), *records[:1], *records[2:])).status == "broken"


def acknowledged(t_s, node, value):
    about = {"op": "write", "call": value, "client": node, "number": value, "key": "k", "value": value}
    return [at(t_s - 0.1, "invoke", node, **about), at(t_s, "ok", node, **about)]


def applied(t_s, node, index, term, value=None):
    command = {"op": "noop"} if value is None else {"op": "write", "key": "k", "value": value}
    return at(t_s, "applied", node, index=index, term=term, command=command)


def test_a_later_leader_without_an_acknowledged_write_is_caught_once_it_does_anything():
    start = [leads(0.1, "node-1", 1), *acknowledged(1, "node-1", 7), at(2, "crash", "node-1")]
    elected = leads(3, "node-2", 2)
    assert rules.writes_survive(history(*start, elected)).status == "not exercised"
    assert rules.writes_survive(history(*start, elected, applied(4, "node-2", 1, 2))).status == "broken"
    whole = [applied(3.5, "node-2", 1, 1, 7), applied(4, "node-2", 2, 2)]
    assert rules.writes_survive(history(*start, elected, *whole)).status == "holds"


def test_what_a_member_applied_before_its_crash_does_not_count_after_it():
    start = [applied(0.5, "node-2", 1, 1, 7), *acknowledged(1, "node-1", 7), at(2, "crash", "node-2")]
    later = [leads(3, "node-2", 2), applied(4, "node-2", 1, 2)]
    assert rules.writes_survive(history(*start, *later)).status == "broken"


@pytest.mark.parametrize(
    ("records", "status"),
    [
        ([applied(1, "node-1", 1, 1, 7), applied(2, "node-2", 1, 1, 7)], "holds"),
        ([applied(1, "node-1", 1, 1, 7), applied(2, "node-2", 1, 1, 8)], "broken"),
        ([applied(1, "node-1", 1, 1), applied(2, "node-2", 1, 2)], "broken"),
        ([applied(1, "node-1", 1, 1, 7), applied(2, "node-1", 3, 1, 8)], "broken"),
        ([applied(1, "node-1", 1, 1, 7), applied(2, "node-1", 1, 1, 7)], "broken"),
        ([applied(1, "node-1", 1, 1, 7), at(2, "crash", "node-1"), applied(3, "node-1", 1, 1, 7)], "not exercised"),
        ([applied(1, "node-1", 1, 1, 7), at(2, "crash", "node-1"), applied(3, "node-1", 1, 1, 8)], "broken"),
    ],
)  # fmt: skip
def test_a_prefix_has_no_gap_and_no_second_meaning(records, status):
    assert rules.same_prefix(history(*records)).status == status


def call(kind, t_s, op, number, value=None, **more):
    about = {"op": op, "call": number, "client": "c", "number": number, "key": "k", **more}
    return at(t_s, kind, "node-1", **about, **({"value": value} if op == "write" else {}))


def read_of(number, value):
    return at(5.5, "read", "node-1", number=number, key="k", value=value)


@pytest.mark.parametrize(
    ("end", "type_", "value", "status"),
    [
        ("unknown", None, 1, "holds"),  # it may have taken place
        ("unknown", None, None, "holds"),  # or not
        ("failed", "NotCommitted", 1, "holds"),
        ("failed", "NotLeader", None, "holds"),
        ("failed", "NotLeader", 1, "broken"),  # it was refused, and yet it was read
        ("ok", None, None, "broken"),  # it was done, and is not seen
    ],
)
def test_a_write_counts_as_its_end_says(end, type_, value, status):
    ended = call(end, 2, "write", 1, 1, **({"type": type_} if type_ else {}))
    records = [call("invoke", 1, "write", 1, 1), ended, call("invoke", 5, "read", 2), read_of(2, value)]
    assert rules.linearizable(history(*records, call("ok", 6, "read", 2))).status == status


def test_who_does_not_lead_may_not_answer():
    begin, end = acknowledged(5, "node-1", 7)
    was = [leads(1, "node-1", 1), follows(2, "node-1", 1)]
    assert "was no leader" in rules.steps_down(history(*was, begin, end)).sentence
    assert (
        rules.steps_down(history(leads(1, "node-1", 1), begin, end, follows(5, "node-1", 1))).status
        != "broken"
    )


def heard(t_s, node, source):
    return at(t_s, "delivered", node, source=source, message=1)


def test_a_leader_that_sleeps_has_its_time_after_it_wakes():
    start = [leads(1, "node-1", 1), heard(1.1, "node-1", "node-2"), at(1.2, "pause", "node-1")]
    awake = at(9, "resume", "node-1")
    good = history(*start, awake, follows(9.3, "node-1", 1), at(20, "tick"))
    assert rules.steps_down(good).status == "holds"
    bad = rules.steps_down(history(*start, awake, at(20, "tick")))
    assert bad.status == "broken" and bad.at_us == 9_450_000


def test_one_other_of_three_is_a_majority_and_one_of_five_is_not():
    def heard_of_one(members):
        limits = LIMITS._replace(data=LIMITS.data | {"members": members})
        beats = [heard(1 + n / 10, "node-1", "node-2") for n in range(1, 50)]
        return rules.steps_down(History([limits, leads(1, "node-1", 1), *beats]))

    assert heard_of_one(["node-1", "node-2", "node-3"]).status == "not exercised"
    assert heard_of_one([f"node-{n}" for n in range(1, 6)]).status == "broken"


def test_a_majority_counts_as_healthy_while_its_own_members_and_links_are():
    def fault(t_s, text):
        return at(t_s, "fault", "", fault=text, phase="begins")

    told = history(
        fault(1, "1s..2s partition node-1 | node-2,node-3"),
        at(4, "crash", "node-3"),
        fault(6, "6s..7s delay 500ms to node-2"),
        at(10, "tick"),
    )
    found = {}
    for group, (start_us, end_us) in rules.healthy_majorities(told):
        found.setdefault(group, []).append((start_us / 1e6, end_us / 1e6))
    assert found == {
        ("node-1", "node-2"): [(0, 1), (2, 6), (7.5, 10)],
        ("node-1", "node-3"): [(0, 1), (2, 4)],
        ("node-2", "node-3"): [(0, 4)],
    }


def test_as_few_moves_as_must_be_are_what_trying_all_assignments_finds():
    for count in (2, 3):
        nodes = [f"node-{n}" for n in range(1, count + 1)]
        for owners in product([*nodes, "gone"], repeat=4):
            table = dict(zip("abcd", owners, strict=True))
            least = min(
                sum(new[item] != table[item] for item in table)
                for new in (dict(zip("abcd", choice, strict=True)) for choice in product(nodes, repeat=4))
                if max(map(list(new.values()).count, nodes)) - min(map(list(new.values()).count, nodes)) <= 1
            )
            assert rules.fewest_moves(table, nodes) == least
            new = rebalance_work(table, nodes)
            assert sum(new[item] != table[item] for item in table) == least


# ---- False verdicts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"heartbeat_ms": 20, "election_low_ms": 60, "election_high_ms": 100},
        {"election_low_ms": 500, "election_high_ms": 2000, "duration_s": 20},
        {"ops_per_s": 50, "keys": 1},
        {"ops_per_s": 1, "keys": 20},
        {"work_items": 0},
        {"work_items": 50},
        {"job_ms": 20, "timeout_s": 0.2},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "plan", [SPLIT, "2s..6s flap-link node-1 | node-2 every 500ms; at 3s crash node-3 for 1s"]
)
def test_the_pattern_keeps_the_rules_with_other_numbers_too(params, plan):
    tried = CLUSTER.run(plan=plan, seed=CLUSTER_SEED, **params)
    assert not tried.broken, tried.describe()


@pytest.mark.parametrize(
    "params", [{"heartbeat_ms": 150}, {"election_low_ms": 400}, {"election_high_ms": 100}], ids=str
)
def test_times_that_make_no_sense_are_refused_with_all_three(params):
    with pytest.raises(
        ScenarioError,
        match=r"heartbeat_ms=.*, election_low_ms=.*, election_high_ms=.* make no sense; give each",
    ):
        CLUSTER.run(**params)


@pytest.mark.parametrize(
    "plan",
    [
        "at 2s crash node-1; at 2s crash node-2",
        "at 2s crash node-1 losing disk for 1s; at 3s crash node-2 losing disk for 1s",
        "1s..60s fail-disk node-1; 1s..60s fail-disk node-2",
        "at 1s crash node-2 losing disk; at 4s crash node-1 for 1s",
        "at 0s crash node-1 losing disk for 1s",
    ],
)
def test_who_has_lost_a_majority_for_ever_is_asked_for_safety_alone(plan):
    tried = CLUSTER.run(plan=plan, seed=CLUSTER_SEED)
    assert not tried.broken, tried.describe()
