"""The log: what is overwritten, what is committed, and that copies agree however messages come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessonlib.high_availability import Entry, LogConflict, LogFull, ReplicatedLog, commit_index
from lessonlib.high_availability.promises import entries_of
from lessonlib.high_availability.replicated_log import BATCH, RESERVE
from lessonlib.high_availability.replication import Replication

FIVE = tuple(f"node-{number}" for number in range(1, 6))


def log_of(*terms, committed=0, **options):
    """Return a log with entries of these terms; the command of an entry is its index."""
    log = ReplicatedLog(**options)
    log.take(1, [Entry(term, index) for index, term in enumerate(terms, 1)])
    log.commit(committed)
    return log


def terms(log):
    return [log.term_of(index) for index in range(1, log.last_index + 1)]


def committed(matched, log, term, already=0, members=FIVE):
    on_disk = dict(zip(members, matched, strict=False))
    return commit_index(on_disk, members, log.term_of, term=term, committed=already)


# ---- What is committed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matched", "index"),
    [
        ((5, 5, 5, 0, 0), 5),
        ((5, 5, 4, 4, 0), 4),
        ((5, 0, 0, 0, 0), 0),
        ((5, 5), 0),  # those who are missing have nothing
        ((5, 3, 1, 2, 4), 3),
    ],
)
def test_what_a_majority_of_the_full_membership_has_is_committed(matched, index):
    assert committed(matched, log_of(1, 1, 1, 1, 1), term=1) == index


def test_of_four_members_a_majority_is_three():
    log = log_of(1, 1)
    assert committed((2, 2, 0, 0), log, term=1, members=FIVE[:4]) == 0
    assert committed((2, 2, 1, 0), log, term=1, members=FIVE[:4]) == 1


def test_a_stranger_is_not_counted():
    on_disk = {"node-1": 1, "node-8": 1, "node-9": 1}
    assert commit_index(on_disk, FIVE, log_of(1).term_of, term=1, committed=0) == 0


def test_an_entry_of_an_older_term_is_not_committed_by_counting():
    """Figure 8 of the paper, (c): term 4's leader has brought the entry of term 2 to a majority."""
    log = log_of(1, 2, 4)
    assert committed((3, 2, 2, 1, 1), log, term=4, already=1) == 1
    assert committed((3, 3, 3, 1, 1), log, term=4, already=1) == 3, "with one of its own, as in (e)"


def test_what_is_committed_stays_so():
    assert committed((5, 0, 0, 0, 0), log_of(1, 1, 1, 1, 1), term=1, already=4) == 4


def test_committing_gives_each_entry_once_and_in_order():
    log = log_of(1, 1, 2)
    assert [index for index, _ in log.commit(2)] == [1, 2]
    assert [index for index, _ in log.commit(1)] == []
    assert [index for index, _ in log.commit(3)] == [3]


# ---- The consistency check ---------------------------------------------------------------------------------


def test_logs_agree_where_the_entry_before_is_the_same():
    log = log_of(1, 1, 2)
    assert log.agrees(0, 0) and log.agrees(3, 2)
    assert not log.agrees(3, 1) and not log.agrees(4, 2)


def test_what_is_here_already_is_passed_over_and_what_follows_stays():
    log = log_of(1, 1, 1)
    assert log.news(0, [Entry(1, 1), Entry(1, 2)]) == (3, ())


def test_a_message_that_overlaps_brings_only_what_is_new():
    first, news = log_of(1, 1).news(1, [Entry(1, 2), Entry(1, 3)])
    assert (first, [entry.command for entry in news]) == (3, [3])


def test_only_a_real_conflict_cuts_the_suffix_off():
    log = log_of(1, 1, 1, 1)
    first, news = log.news(1, [Entry(1, 2), Entry(3, "new")])
    log.take(first, news)
    assert terms(log) == [1, 1, 3]


def test_what_is_committed_is_never_overwritten():
    log = log_of(1, 1, committed=2)
    with pytest.raises(LogConflict, match="entry 2 of term 1 is committed"):
        log.news(1, [Entry(2, "other")])


@pytest.mark.parametrize(
    ("have", "done", "asked", "common"),
    [((1, 1), 0, 5, 2), ((1, 2, 2, 2), 0, 4, 1), ((1, 2, 2, 2), 3, 4, 3), ((), 0, 1, 0), ((2, 2), 0, 1, 0)],
)
def test_a_refusal_says_up_to_where_the_logs_can_agree(have, done, asked, common):
    assert log_of(*have, committed=done).common_at_most(asked) == common


def test_a_full_log_refuses_writes_and_keeps_a_reserve_for_the_cluster_itself():
    log = log_of(1, 1, max_entries=2)
    with pytest.raises(LogFull, match="2 entries"):
        log.check_room()
    log.check_room(own=True)
    log.take(3, [Entry(1, "own")] * RESERVE)
    with pytest.raises(LogFull):
        log.check_room(own=True)


# ---- A leader and its followers ----------------------------------------------------------------------------


class Copy:
    """A follower as `Member` drives it, with a log that is its disk."""

    def __init__(self, log, learner=False):
        self.log = log
        self.learner = learner

    def receive(self, message):
        prev = message["prev_index"]
        ok = self.log.agrees(prev, message["prev_term"])
        match = prev + len(message["entries"]) if ok else self.log.common_at_most(prev)
        if ok:
            first, news = self.log.news(prev, entries_of(message["entries"]))
            if news:
                self.log.take(first, news)
            self.log.commit(min(message["commit"], match))
        return {"round": message["round"], "ok": ok, "match": match, "learner": self.learner}


def replication(log, *followers, term=9):
    return Replication("node-1", followers, term=term, log=log)


def test_a_follower_far_behind_is_found_and_filled_in_batches():
    log, behind = log_of(*[1] * 250), Copy(log_of())
    leading = replication(log, "node-2")
    log.take(251, [Entry(9, "own")])
    messages = 0
    [(_, message)] = leading.begin_round()
    while message is not None:
        assert len(message["entries"]) <= BATCH
        message = leading.receive("node-2", behind.receive(message))
        messages += 1
    assert terms(behind.log) == terms(log)
    assert messages == 1 + 3
    assert leading.matched == {"node-1": 251, "node-2": 251}


def test_a_late_reply_does_not_take_back_what_is_known():
    log, copy = log_of(1, 1, 1), Copy(log_of(1, 1, 1))
    leading = replication(log, "node-2")
    [(_, first)] = leading.begin_round()
    late = {"round": 1, "ok": True, "match": 1, "learner": False}
    leading.receive("node-2", copy.receive(first))
    leading.receive("node-2", late)
    refusal = {"round": 0, "ok": False, "match": 0, "learner": False}
    assert leading.receive("node-2", refusal) is None
    assert leading.matched["node-2"] == 3


def test_a_round_is_confirmed_by_a_majority_that_answered_it_or_a_later_one():
    leading = replication(log_of(1), "node-2", "node-3")
    yes = {"ok": True, "match": 1, "learner": False}
    leading.begin_round()
    assert leading.confirmed_round == 0
    leading.receive("node-2", {**yes, "round": 1})
    assert leading.confirmed_round == 1
    leading.begin_round()
    leading.receive("node-2", {**yes, "round": 1})
    assert leading.confirmed_round == 1, "a repeated answer of an old round confirms nothing new"
    leading.receive("node-3", {**yes, "round": 2})
    assert leading.confirmed_round == 2


def test_a_learner_is_sent_everything_and_counts_for_nothing():
    log, copy = log_of(1, 1), Copy(log_of(), learner=True)
    leading = replication(log, "node-2", "node-3")
    message = leading.begin_round()[0][1]
    while message is not None:
        message = leading.receive("node-2", copy.receive(message))
    assert terms(copy.log) == [1, 1]
    assert leading.matched == {"node-1": 2, "node-3": 0}
    assert leading.confirmed_round == 0


def test_a_follower_that_lost_its_disk_is_filled_again():
    log, copy = log_of(1, 1), Copy(log_of())
    leading = replication(log, "node-2")
    for again in (copy, Copy(log_of(), learner=True)):
        message = leading.begin_round(again=True)[0][1]
        while message is not None:
            message = leading.receive("node-2", again.receive(message))
        assert terms(again.log) == [1, 1]
    assert "node-2" not in leading.matched


@given(
    shared=st.lists(st.integers(1, 4), max_size=6),
    theirs=st.lists(st.integers(1, 4), max_size=6),
    ours=st.lists(st.integers(1, 8), max_size=6),
    steps=st.lists(
        st.tuples(st.sampled_from(["send", "write", "give", "give", "repeat"]), st.integers(0, 99))
    ),
)
@settings(max_examples=300, deadline=None)
def test_copies_come_to_agree_and_the_leader_never_believes_more_than_the_disk_holds(
    shared, theirs, ours, steps
):
    """Messages and replies are lost, repeated and reordered; then the network is well again."""
    shared.sort()
    log = log_of(*sorted([*shared, *(max([*shared, 0]) + term for term in ours)]))
    # The follower's own suffix has terms that the leader's has not: there was one leader a term.
    own = [max([*shared, 0]) + 100 + term for term in sorted(theirs)]
    copy = Copy(log_of(*shared, *own))
    leading = replication(log, "node-2", term=900)
    log.take(log.last_index + 1, [Entry(900, "noop")])
    wire = []

    def deliver(message):
        if "prev_index" in message:
            wire.append(copy.receive(message))
        else:
            answer = leading.receive("node-2", message)
            same = 0
            for index in range(1, min(log.last_index, copy.log.last_index) + 1):
                same = index if log.term_of(index) == copy.log.term_of(index) else same
            assert leading.matched["node-2"] <= same
            if answer is not None:
                wire.append(answer)

    for what, number in steps:
        if what == "write":
            log.take(log.last_index + 1, [Entry(900, number)])
        if what in ("write", "send"):
            wire += [message for _, message in leading.begin_round(again=what == "send")]
        elif wire:
            place = number % len(wire)
            deliver(wire[place] if what == "repeat" else wire.pop(place))
    wire.clear()
    for _ in range(10):
        wire += [message for _, message in leading.begin_round(again=True)]
        for _ in range(100):
            if wire:
                deliver(wire.pop(0))
    assert not wire
    assert terms(copy.log)[: log.last_index] == terms(log)
    assert leading.matched["node-2"] == log.last_index
