"""Partitioners, ring and jump hash, against what others published."""

import subprocess
import sys
from math import sqrt
from statistics import mean, pstdev

import pytest

from lessonlib.event_driven import Event
from lessonlib.stream_processing import ConsistentHashRing, KeyPartitioner, entity_key, jump_hash, murmur2

# Apache Kafka, UtilsTest.testMurmur2
KAFKA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("key", "hash_"), KAFKA.items())
def test_murmur2_is_kafkas(key, hash_):
    assert murmur2(key) == murmur2(key.encode()) == hash_


def test_the_partition_is_kafkas_and_no_other():
    h = murmur2("21")
    assert (KeyPartitioner(1000)("21"), abs(h) % 1000, (h & 0xFFFFFFFF) % 1000) == (340, 308, 988)


def test_a_key_goes_to_one_partition_in_every_process():
    program = (
        "from lessonlib.stream_processing import *; p = KeyPartitioner(64); r = ConsistentHashRing(['a', 'b', 'c']);"
        "print([(p(k), r.node(k), jump_hash(k, 64)) for k in map(str, range(100))])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_the_key_is_the_entity_and_not_the_event():
    created, paid = (Event(kind, "shop", {"n": 7}, subject="order-7") for kind in ("created", "paid"))
    assert entity_key(created) == entity_key(paid) == "order-7"
    assert created.id != paid.id
    assert entity_key(Event("created", "shop", {"n": 7}, id="x")) == "x"


def test_modulo_moves_nearly_all_keys_and_jump_hash_the_fewest():
    keys = [f"key-{i}" for i in range(20_000)]
    ten, eleven = KeyPartitioner(10), KeyPartitioner(11)
    moved = mean(ten(k) != eleven(k) for k in keys)
    assert moved == pytest.approx(1 - 10 / 110, abs=0.01)  # 1 - min / lcm
    changed = [(jump_hash(k, 10), jump_hash(k, 11)) for k in keys]
    assert mean(a != b for a, b in changed) == pytest.approx(1 / 11, abs=0.01)
    assert all(b == 10 for a, b in changed if a != b), "only the new bucket gets keys"


def test_jump_hash_is_guavas():
    assert [jump_hash(i, 100) for i in range(10)] == [0, 55, 62, 8, 45, 59, 86, 97, 82, 59]
    assert {jump_hash(f"k{i}", 1) for i in range(50)} == {0}


def test_a_new_node_takes_its_share_and_nobody_else_moves():
    keys = [f"key-{i}" for i in range(20_000)]
    ring = ConsistentHashRing([f"node-{i}" for i in range(10)])
    before = {k: ring.node(k) for k in keys}
    ring.add("node-10")
    after = {k: ring.node(k) for k in keys}
    moved = [k for k in keys if before[k] != after[k]]
    assert {after[k] for k in moved} == {"node-10"}
    assert len(moved) / len(keys) == pytest.approx(1 / 11, rel=0.35)
    ring.remove("node-10")
    assert {k: ring.node(k) for k in keys} == before


@pytest.mark.parametrize("virtual_nodes", [10, 100, 400])
def test_virtual_nodes_even_out_the_load_as_the_formula_says(virtual_nodes):
    nodes = [f"n{i}" for i in range(20)]
    ring = ConsistentHashRing(nodes, virtual_nodes=virtual_nodes)
    loads = dict.fromkeys(nodes, 0)
    for i in range(100_000):
        loads[ring.node(f"key-{i}")] += 1
    spread = pstdev(loads.values()) / mean(loads.values())
    assert spread == pytest.approx(sqrt(19 / (20 * virtual_nodes + 1)), rel=0.5)


def test_a_weight_is_a_share_and_the_order_of_nodes_does_not_matter():
    ring = ConsistentHashRing(["small", "large"], virtual_nodes=500, weights={"large": 3})
    keys = [f"key-{i}" for i in range(20_000)]
    assert mean(ring.node(k) == "large" for k in keys) == pytest.approx(0.75, abs=0.05)
    turned = ConsistentHashRing(["large", "small"], virtual_nodes=500, weights={"large": 3})
    assert [ring.node(k) for k in keys] == [turned.node(k) for k in keys]
    assert ring.nodes == ("small", "large")
