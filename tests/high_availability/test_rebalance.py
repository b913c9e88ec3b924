"""Work is spread evenly, moves no more than it must, and every replica comes to the same answer."""

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from lessonlib.high_availability.rebalance import rebalance_work

NODES = [f"node-{n}" for n in range(1, 6)]
assignments = st.dictionaries(
    st.integers(0, 40).map("work-{}".format), st.sampled_from([None, "dead", *NODES]), max_size=30
)
some_nodes = st.lists(st.sampled_from(NODES), min_size=1, unique=True)


def moves(before, after):
    return sum(before[item] is not None and before[item] != after[item] for item in after)


def test_the_work_of_a_dead_node_is_shared_by_all_the_others():
    owners = {f"w{n}": f"node-{n % 3 + 1}" for n in range(12)}
    after = rebalance_work(owners, ["node-1", "node-3"])
    assert Counter(after.values()) == {"node-1": 6, "node-3": 6}
    assert moves(owners, after) == 4, "what the dead node had, and nothing else"
    inherited = [after[item] for item in sorted(owners) if owners[item] == "node-2"]
    assert Counter(inherited) == {"node-1": 2, "node-3": 2}, "not all the load to one neighbour"


def test_a_node_that_comes_back_gets_its_share_and_nothing_else_moves():
    owners = {f"w{n:02}": f"node-{n % 2 + 1}" for n in range(12)}
    after = rebalance_work(owners, ["node-1", "node-2", "node-3"])
    assert Counter(after.values()) == {"node-1": 4, "node-2": 4, "node-3": 4}
    assert moves(owners, after) == 4
    assert rebalance_work(after, ["node-1", "node-2", "node-3"]) == after, "and then there is peace"


def test_without_work_there_is_nothing_to_do():
    assert rebalance_work({}, ["node-1"]) == {}


@given(assignments, some_nodes)
def test_every_item_has_an_owner_that_lives_and_no_node_has_two_more_than_another(owners, nodes):
    after = rebalance_work(owners, nodes)
    assert after.keys() == owners.keys() and set(after.values()) <= set(nodes)
    counts = [list(after.values()).count(node) for node in nodes]
    assert max(counts) - min(counts) <= 1


@given(assignments, some_nodes)
def test_what_is_settled_stays_as_it_is(owners, nodes):
    after = rebalance_work(owners, nodes)
    assert rebalance_work(after, nodes) == after


@given(assignments, some_nodes, st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_of_dicts_and_lists(owners, nodes, random):
    items, shuffled = list(owners.items()), list(nodes)
    random.shuffle(items)
    random.shuffle(shuffled)
    ours, theirs = rebalance_work(owners, nodes), rebalance_work(dict(items), shuffled)
    assert list(ours.items()) == list(theirs.items())


def fewest_moves(owners, nodes):
    """Try every even assignment."""
    items = list(owners)
    found = []
    for chosen in product(nodes, repeat=len(items)):
        counts = [chosen.count(node) for node in nodes]
        if max(counts) - min(counts) <= 1:
            found.append(sum(owners[item] != node for item, node in zip(items, chosen, strict=True)))
    return min(found)


def test_no_even_assignment_has_fewer_moves():
    names = ["a", "b", "c"]
    for count in range(7):
        for owned in product([None, *names], repeat=count):
            if list(owned) != sorted(owned, key=str):
                continue  # which item has which owner does not matter, only how many have
            owners = {f"w{n}": owner for n, owner in enumerate(owned)}
            for nodes in (names[:1], names[:2], names):
                after = rebalance_work(owners, nodes)
                moved = sum(owners[item] != after[item] for item in owners)
                assert moved == fewest_moves(owners, nodes), (owners, nodes)
