"""Who has been replaced cannot write any more, whatever it believes itself."""

import asyncio

import pytest

from lessonlib.high_availability.errors import StaleToken
from lessonlib.high_availability.fenced_store import FencedStore, StoreFull
from lessonlib.ports import FileDisk, MemoryDisk


class MoodyDisk(MemoryDisk):
    """Fails to write while it is `sick`; with `torn` it writes all the same, and says that it failed."""

    sick = torn = False

    async def append(self, file, record):
        await asyncio.sleep(0)
        if self.sick and not self.torn:
            raise OSError(5, "the disk failed")
        await super().append(file, record)
        if self.sick:
            raise OSError(5, "the disk failed")


def test_after_token_34_token_33_is_refused():
    async def main():
        store = FencedStore()
        await store.write("report", "by client 2", 34)
        with pytest.raises(StaleToken, match="token=33 is stale") as refusal:
            await store.write("report", "by client 1", 33)
        assert (refusal.value.token, refusal.value.highest) == (33, 34)
        assert await store.read("report") == "by client 2" and await store.highest("report") == 34

    asyncio.run(main())


def test_an_equal_token_passes():
    async def main():
        store = FencedStore()
        await store.write("report", 1, 34)
        await store.write("report", 2, 34)
        assert await store.read("report") == 2

    asyncio.run(main())


def test_each_key_has_a_token_of_its_own():
    async def main():
        store = FencedStore()
        await store.write("a", 1, 34)
        await store.write("b", 1, 33)
        assert (await store.highest("a"), await store.highest("b"), await store.highest("c")) == (
            34,
            33,
            None,
        )
        assert await store.read("c") is None

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_restart_forgets_neither_value_nor_token(kind, tmp_path):
    memory = MemoryDisk()

    def disk():
        return memory if kind == "memory" else FileDisk(tmp_path)

    async def main():
        await FencedStore(disk()).write("report", {"by": [2]}, 34)
        store = FencedStore(disk())
        with pytest.raises(StaleToken):
            await store.write("report", "late", 33)
        assert await store.read("report") == {"by": [2]}

    asyncio.run(main())


def test_a_failing_disk_never_acknowledges_and_what_it_failed_to_write_is_not_read():
    async def main():
        disk = MoodyDisk()
        store = FencedStore(disk)
        await store.write("report", "old", 33)
        disk.sick = True
        with pytest.raises(OSError, match="disk failed"):
            await store.write("report", "new", 34)
        assert await store.read("report") == "old"
        disk.sick = False
        await store.write("report", "again", 33)
        assert await FencedStore(disk).read("report") == "again"

    asyncio.run(main())


def test_a_write_that_failed_but_is_on_the_disk_fences_after_a_restart_and_the_last_write_is_the_value():
    async def main():
        disk = MoodyDisk()
        store = FencedStore(disk)
        disk.sick = disk.torn = True
        with pytest.raises(OSError, match="disk failed"):
            await store.write("report", "half", 34)
        disk.sick = False
        await store.write("report", "whole", 33)
        again = FencedStore(disk)
        assert (await again.read("report"), await again.highest("report")) == ("whole", 34)

    asyncio.run(main())


def test_writes_at_once_are_judged_one_after_another():
    async def main():
        disk = MoodyDisk()
        store = FencedStore(disk)
        tokens = [33, 36, 34, 35, 36]
        answers = await asyncio.gather(
            *(store.write("report", place, token) for place, token in enumerate(tokens)),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == [
            *("NoneType", "NoneType", "StaleToken", "StaleToken", "NoneType")
        ]
        assert await store.read("report") == 4
        assert [record["token"] for record in await disk.read("fenced-store")] == [33, 36, 36]

    asyncio.run(main())


def test_a_cancelled_write_leaves_the_store_usable():
    async def main():
        store = FencedStore(MoodyDisk())
        writing = asyncio.ensure_future(store.write("report", "late", 33))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await store.write("report", "next", 33)
        assert await store.read("report") == "next"

    asyncio.run(main())


def test_the_file_does_not_grow_with_every_write_and_keeps_the_tokens():
    async def main():
        disk = MemoryDisk()
        store = FencedStore(disk)
        for number in range(2_500):
            await store.write(f"key-{number % 3}", number, number)
        assert len(await disk.read("fenced-store")) <= 1_010
        again = FencedStore(disk)
        assert [await again.highest(f"key-{n}") for n in range(3)] == [2_499, 2_497, 2_498]

    asyncio.run(main())


def test_keys_are_bounded():
    async def main():
        store = FencedStore(keys_max=2)
        await store.write("a", 1, 1)
        await store.write("b", 1, 1)
        with pytest.raises(StoreFull, match="raise keys_max"):
            await store.write("c", 1, 1)
        await store.write("a", 2, 1)

    asyncio.run(main())


def test_what_is_read_shares_nothing_with_what_is_kept():
    async def main():
        store = FencedStore()
        value = [1]
        await store.write("report", value, 1)
        value.append(2)
        (await store.read("report")).append(3)
        assert await store.read("report") == [1]

    asyncio.run(main())
