"""A term only grows, and in each of them a member votes once."""

import pytest

from lessonlib.high_availability import Ballot

THREE = ("node-1", "node-2", "node-3")
OLD, NEW = (1, 9), (2, 3)  # (last term, last index): the higher term wins, however short the log


def asked(ballot, candidate, term, its_log=(0, 0), my_log=(0, 0)):
    return ballot.grant(candidate, term, its_log=its_log, my_log=my_log)


@pytest.mark.parametrize(
    ("members", "votes", "outcome"),
    [  # the first three are etcd's (raft/quorum/testdata)
        (3, "yn", "pending"),
        (2, "n", "lost"),
        (7, "ynynynn", "lost"),
        (3, "yy", "won"),
        (3, "nn", "lost"),
        (3, "y", "pending"),
        (4, "yy", "pending"),
        (4, "nn", "lost"),
        (5, "yyy", "won"),
        (1, "y", "won"),
    ],
)
def test_votes_are_counted_over_the_full_membership(members, votes, outcome):
    names = [f"node-{number}" for number in range(1, members + 1)]
    ballot = Ballot(names)
    assert ballot.count({name: vote == "y" for name, vote in zip(names, votes, strict=False)}) == outcome


def test_a_strangers_vote_is_not_counted():
    assert Ballot(THREE).count({"node-1": True, "node-9": True, "node-8": True}) == "pending"


def test_a_member_votes_once_in_a_term():
    ballot = Ballot(THREE)
    assert asked(ballot, "node-2", 1)
    assert not asked(ballot, "node-3", 1)
    assert asked(ballot, "node-3", 2)


def test_a_request_that_the_network_repeats_gets_the_same_answer():
    ballot = Ballot(THREE)
    assert asked(ballot, "node-2", 1) and asked(ballot, "node-2", 1)


def test_a_candidate_has_given_its_vote_to_itself():
    ballot = Ballot(THREE)
    ballot.stand("node-1")
    assert ballot.promise == {"term": 1, "voted_for": "node-1"}
    assert not asked(ballot, "node-2", 1)


def test_a_term_that_is_past_gets_no_vote():
    ballot = Ballot(THREE)
    ballot.learn(5)
    assert not asked(ballot, "node-2", 4)
    assert ballot.term == 5


def test_a_higher_term_frees_the_vote_and_a_lower_one_does_not():
    ballot = Ballot(THREE)
    asked(ballot, "node-2", 3)
    assert not ballot.learn(3) and not ballot.learn(2)
    assert ballot.voted_for == "node-2"
    assert ballot.learn(4)
    assert ballot.promise == {"term": 4, "voted_for": None}


@pytest.mark.parametrize(
    ("its_log", "my_log", "granted"),
    [(NEW, OLD, True), (OLD, NEW, False), ((2, 4), NEW, True), ((2, 2), NEW, False), (NEW, NEW, True)],
)
def test_only_a_log_that_is_as_up_to_date_may_lead(its_log, my_log, granted):
    assert asked(Ballot(THREE), "node-2", 3, its_log, my_log) is granted


def test_a_refused_candidate_leaves_the_vote_free_but_its_term_is_learnt():
    ballot = Ballot(THREE)
    assert not asked(ballot, "node-2", 3, OLD, NEW)
    assert ballot.promise == {"term": 3, "voted_for": None}
    assert asked(ballot, "node-3", 3, NEW, NEW)


def test_a_stranger_gets_no_vote():
    assert not asked(Ballot(THREE), "node-9", 1)


def test_the_promise_outlives_a_restart():
    before = Ballot(THREE)
    asked(before, "node-2", 7)
    after = Ballot(THREE, before.promise)
    assert not asked(after, "node-3", 7)
    assert asked(after, "node-2", 7)
