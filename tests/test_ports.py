"""The ports on a real event loop: what a pattern gets when it is given none."""

import asyncio
import datetime
import enum
import json
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessonlib import ports
from lessonlib.ports import (
    FileDisk,
    LocalHub,
    LocalTransport,
    MemoryDisk,
    PortError,
    local_ports,
    plain,
)

run = asyncio.run
deterministic = settings(derandomize=True, deadline=None, max_examples=100)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
plain_data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=["memory", "files"])
def disk(request, tmp_path):
    return MemoryDisk() if request.param == "memory" else FileDisk(tmp_path / "disk")


# ---- plain -----------------------------------------------------------------------------------------------


@deterministic
@given(plain_data)
def test_plain_data_is_copied_as_it_is(value):
    assert plain(value) == value


def test_a_copy_shares_nothing():
    value = {"items": [{"sku": "a"}], "pair": (1, [2])}
    copied = plain(value)
    value["items"][0]["sku"] = "changed"
    value["pair"][1].append(3)
    assert copied == {"items": [{"sku": "a"}], "pair": [1, [2]]}


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", datetime.datetime(2026, 1, 1), Colour.RED, print, {"deep": [{"er": {1}}]}],
)
def test_what_is_not_plain_cannot_cross(value):
    with pytest.raises(PortError, match="cannot cross to another machine or to a disk: send plain data"):
        plain(value)


def test_keys_must_be_text():
    with pytest.raises(PortError, match=r"may only have str keys, not 7; write str\(key\) instead"):
        plain({"orders": {7: "a"}})


def test_what_contains_itself_cannot_cross():
    ring = {}
    ring["me"] = [ring]
    with pytest.raises(PortError, match="may not contain itself"):
        plain(ring)


# ---- Transport -------------------------------------------------------------------------------------------


def test_messages_arrive_in_order_with_their_sender():
    async def main():
        hub = LocalHub()
        shop, broker = LocalTransport("shop", hub), LocalTransport("broker", hub)
        for i in range(3):
            shop.send("broker", {"i": i})
        got = [await broker.receive() for _ in range(3)]
        broker.send("shop", "thanks")
        return got, await shop.receive()

    assert run(main()) == ([("shop", {"i": i}) for i in range(3)], ("broker", "thanks"))


def test_receiver_and_sender_share_nothing():
    async def main():
        hub = LocalHub()
        a, b = LocalTransport("a", hub), LocalTransport("b", hub)
        message = {"items": [1]}
        a.send("b", message)
        message["items"].append(2)
        return await b.receive()

    assert run(main()) == ("a", {"items": [1]})


def test_a_message_to_nobody_is_lost_without_an_error():
    LocalTransport("a", LocalHub()).send("nobody", 1)


def test_a_name_is_given_once():
    hub = LocalHub()
    LocalTransport("a", hub)
    with pytest.raises(PortError, match="already has a transport named 'a'"):
        LocalTransport("a", hub)


# ---- Disks -----------------------------------------------------------------------------------------------


def test_records_are_read_in_the_order_of_appending(disk):
    async def main():
        assert await disk.read("log") == []
        for i in range(3):
            await disk.append("log", {"i": i})
        await disk.append("other", "else")
        return await disk.read("log"), await disk.read("other")

    assert run(main()) == ([{"i": 0}, {"i": 1}, {"i": 2}], ["else"])


def test_replace_puts_new_records_in_place_of_the_old(disk):
    async def main():
        await disk.append("log", 1)
        await disk.replace("log", [2, 3])
        await disk.append("log", 4)
        first = await disk.read("log")
        await disk.replace("log", [])
        return first, await disk.read("log")

    assert run(main()) == ([2, 3, 4], [])


def test_what_is_read_shares_nothing_with_what_was_written(disk):
    async def main():
        record = {"items": [1]}
        await disk.append("log", record)
        record["items"].append(2)
        (await disk.read("log"))[0]["items"].append(3)
        return await disk.read("log")

    assert run(main()) == [{"items": [1]}]


def test_a_disk_takes_only_plain_data_and_keeps_the_old_if_it_cannot(disk):
    async def main():
        await disk.append("log", "old")
        with pytest.raises(PortError):
            await disk.append("log", {1, 2})
        with pytest.raises(PortError):
            await disk.replace("log", ["new", object()])
        return await disk.read("log")

    assert run(main()) == ["old"]


def test_files_outlive_the_disk_object(tmp_path):
    run(FileDisk(tmp_path).append("log", "kept"))
    assert run(FileDisk(tmp_path).read("log")) == ["kept"]


@settings(deterministic, max_examples=20)
@given(st.lists(plain_data, max_size=3))
def test_any_plain_record_comes_back_from_a_file(tmp_path_factory, records):
    async def main():
        disk = FileDisk(tmp_path_factory.mktemp("disk"))
        for record in records:
            await disk.append("log", record)
        return await disk.read("log")

    assert run(main()) == records


@pytest.mark.parametrize("torn", [b'{"i": ', b"1", b'{"whole": 1}', b"\xc3"])
@pytest.mark.parametrize("before", [[], [1, 2]])
def test_a_torn_last_line_is_ignored_and_the_next_record_is_not_glued_to_it(tmp_path, torn, before):
    async def main():
        disk = FileDisk(tmp_path)
        for record in before:
            await disk.append("log", record)
        with (tmp_path / "log.jsonl").open("ab") as out:
            out.write(torn)
        assert await disk.read("log") == before
        await disk.append("log", "after the crash")
        return await disk.read("log")

    assert run(main()) == [*before, "after the crash"]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    (tmp_path / "log.jsonl").write_text('1\n{"half\n3\n')
    with pytest.raises(PortError, match=r"line 2 of log\.jsonl is damaged"):
        run(FileDisk(tmp_path).read("log"))


def test_a_replacement_that_is_cut_short_leaves_the_old_file(tmp_path, monkeypatch):
    disk = FileDisk(tmp_path)
    run(disk.append("log", "old"))

    def fail(fd):
        raise OSError("the power is gone")

    monkeypatch.setattr(ports.os, "fsync", fail)
    with pytest.raises(OSError):
        run(disk.replace("log", ["new"]))
    monkeypatch.undo()
    assert run(disk.read("log")) == ["old"]
    run(disk.replace("log", ["new"]))
    assert run(disk.read("log")) == ["new"]


def test_a_record_is_flushed_to_the_device_before_append_returns(tmp_path, monkeypatch):
    flushed = []
    real = ports.os.fsync
    monkeypatch.setattr(
        ports.os, "fsync", lambda fd: (flushed.append((tmp_path / "log.jsonl").read_text()), real(fd))
    )
    run(FileDisk(tmp_path).append("log", 7))
    assert flushed[0] == "7\n"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "a\\b", ".hidden", "a\0b", "a b", "ä", "x" * 300, None, 5]
)
def test_an_odd_file_name_is_refused(tmp_path, name):
    disk = FileDisk(tmp_path / "disk")
    for call in (disk.read(name), disk.append(name, 1), disk.replace(name, [])):
        with pytest.raises(PortError, match="is not a file name; use up to 100 letters"):
            run(call)
    assert list((tmp_path / "disk").iterdir()) == []


def test_two_file_names_that_differ_in_their_ending_are_two_files(tmp_path):
    async def main():
        disk = FileDisk(tmp_path)
        for name in ("log", "log.new", "log.old", "log.jsonl", "order:7", "a#1"):
            await disk.replace(name, [name])
        return [
            (await disk.read(n))[0] == n for n in ("log", "log.new", "log.old", "log.jsonl", "order:7", "a#1")
        ]

    assert all(run(main()))


# ---- All four --------------------------------------------------------------------------------------------


def test_local_ports_work_without_any_argument():
    async def main():
        mine = local_ports()
        await mine.disk.append("log", 1)
        mine.transport.send("local", "to myself")
        return await mine.disk.read("log"), await mine.transport.receive(), mine.clock.now()

    log, message, now = run(main())
    assert (log, message) == ([1], ("local", "to myself"))
    assert abs(now - time.time()) < 60


def test_local_ports_take_a_hub_a_directory_and_a_seed(tmp_path):
    async def main():
        hub = LocalHub()
        a, b = (local_ports(n, hub=hub, directory=tmp_path / n, seed=7) for n in "ab")
        a.transport.send("b", 1)
        await a.disk.append("log", 2)
        return await b.transport.receive(), a.random.random(), await b.disk.read("log")

    assert run(main()) == (("a", 1), Random(7).random(), [])
    assert json.loads((tmp_path / "a" / "log.jsonl").read_text()) == 2
