"""Nodes, their disks, clocks and calls, and the faults of the world."""

import asyncio
import json

import pytest
from worlds import scenario

from lessonlib.errors import LessonError
from lessonlib.lab.world import EPOCH_S


def run(boots, work=None, plan="", seed=1, **more):
    """Build a node for each name in `boots`, let `work(world)` be the workload, and return the run."""

    def build(world, parts, params):
        for name, boot in boots.items():
            world.node(name, boot)

        async def workload():
            if work is not None:
                await work(world)

        return workload()

    return scenario(build, **more).run(plan=plan, seed=seed)


def told(history, *kinds, **fields):
    """The moments, in seconds, and a field or the kind of records."""
    return [(record.t_s, record.get("what", record.kind)) for record in history.of(*kinds, **fields)]


def says(node):
    """A function that writes what happens on a node into the history, as a scenario's sink does."""
    return lambda what: node.world.record("said", node.name, what=what)


def counter(every_s=1.0):
    """A node that says 0, 1, 2, … and never ends."""

    def boot(node):
        async def main():
            node.memory["count"] = 0
            while True:
                says(node)(node.memory["count"])
                node.memory["count"] += 1
                await asyncio.sleep(every_s)

        return main()

    return boot


async def nothing(world):
    pass


def after(time_s):
    async def work(world):
        await asyncio.sleep(time_s)

    return work


# ---- Crashes ---------------------------------------------------------------------------------------------


def test_a_crash_runs_no_finally_of_the_dead():
    """Neither at the crash nor when the run is put away: a dead machine does not tidy up."""
    ran = []

    def boot(node):
        async def main():
            try:
                await asyncio.sleep(100)
            finally:
                if not node.world.over:
                    ran.append("finally")
                says(node)("finally")
                node.ports.transport.send("b", "farewell")
                await node.ports.disk.append("log", "farewell")

        return main()

    history = run({"a": boot, "b": lambda node: None}, after(5), "at 2s crash a").history
    assert ran == []
    assert [record.kind for record in history] == ["fault", "crash"]


def test_a_crash_inside_a_task_group_or_a_timeout_runs_nothing_either():
    def boot(node):
        async def one():
            try:
                async with asyncio.timeout(3):
                    await asyncio.sleep(100)
            except BaseException as error:
                says(node)(type(error).__name__)
                raise

        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(one())
                group.create_task(one())

        return main()

    assert told(run({"a": boot}, after(9), "at 2s crash a").history, "said", "died") == []
    alive = told(run({"a": boot}, after(9)).history, "said")
    assert alive[0] == (3, "TimeoutError")  # or the test above tests nothing


def test_an_async_generator_of_the_dead_is_not_closed():
    def boot(node):
        async def ticks():
            try:
                while True:
                    yield 1
                    await asyncio.sleep(1)
            finally:
                says(node)("generator closed")

        async def main():
            node.memory["ticks"] = generator = ticks()
            await anext(generator)

        return main()

    assert told(run({"a": boot}, after(9), "at 2s crash a for 1s").history, "said") == []


def test_what_the_dead_had_asked_of_the_loop_does_not_happen():
    def boot(node):
        if node.incarnation > 1:
            return
        loop = asyncio.get_running_loop()
        loop.call_later(3, says(node), "timer of the dead")
        loop.call_later(1, says(node), "timer of the living")
        future = loop.create_future()
        future.add_done_callback(lambda _: says(node)("callback of the dead"))
        node.world.loop.after_us(4_000_000, future.set_result, None)

    assert told(run({"a": boot}, after(9), "at 2s crash a for 500ms").history, "said") == [
        (1, "timer of the living")
    ]


def test_memory_is_lost_and_the_disk_stays():
    def boot(node):
        async def main():
            node.memory["count"] = node.memory.get("count", 0) + 1
            await node.ports.disk.append("boots", node.incarnation)
            says(node)([node.memory["count"], await node.ports.disk.read("boots")])

        return main()

    history = run({"a": boot}, after(5), "at 1s crash a for 1s; at 3s crash a for 1s").history
    assert [r.get("what") for r in history.of("said")] == [[1, [1]], [1, [1, 2]], [1, [1, 2, 3]]]
    assert [(r.t_s, r.get("incarnation")) for r in history.of("restart")] == [(2, 2), (4, 3)]


def test_a_disk_may_be_lost_with_its_node():
    def boot(node):
        async def main():
            says(node)(await node.ports.disk.read("boots"))
            await node.ports.disk.append("boots", node.incarnation)

        return main()

    history = run({"a": boot}, after(9), "at 1s crash a for 1s; at 3s crash a losing disk for 1s").history
    assert [r.get("what") for r in history.of("said")] == [[], [1], []]


def test_a_disk_may_be_lost_while_its_node_is_down():
    def boot(node):
        async def main():
            await node.ports.disk.append("boots", node.incarnation)
            says(node)(await node.ports.disk.read("boots"))

        return main()

    plan = "at 1s crash a; at 2s crash a losing disk; at 3s restart a"
    assert [r.get("what") for r in run({"a": boot}, after(5), plan).history.of("said")] == [[1], [2]]


def test_a_restart_builds_the_node_anew_from_its_factory():
    class Service:
        def __init__(self):
            self.calls = 0

        async def call(self):
            self.calls += 1
            return self.calls

    built = []

    def boot(node):
        node.memory["service"] = service = Service()
        built.append(service)

    async def work(world):
        for _ in range(2):
            says(world.nodes["a"])(await world.invoke("a", "call", lambda memory: memory["service"].call()))
            says(world.nodes["a"])(await world.invoke("a", "call", lambda memory: memory["service"].call()))
            await asyncio.sleep(2)

    history = run({"a": boot}, work, "at 1s crash a for 500ms").history
    assert [r.get("what") for r in history.of("said")] == [1, 2, 1, 2]
    assert len(built) == 2 and built[0] is not built[1]


def test_a_crash_without_an_end_lasts_until_a_restart():
    assert told(run({"a": counter()}, after(3.5), "at 1.5s crash a", settle_s=1).history, "said") == [
        (0, 0),
        (1, 1),
    ]
    said = told(
        run({"a": counter()}, after(3.5), "at 1.5s crash a; at 2.5s restart a", settle_s=0.5).history, "said"
    )
    assert said == [(0, 0), (1, 1), (2.5, 0), (3.5, 1)]


def test_a_restart_of_a_node_that_is_up_does_nothing():
    history = run({"a": counter()}, after(2.5), "at 1.5s restart a", settle_s=0).history
    assert told(history, "said") == [(0, 0), (1, 1), (2, 2)] and not history.of("restart")


def test_a_second_crash_is_not_cut_short_by_the_first_ones_end():
    plan = "at 1s crash a for 10s; at 2s restart a; at 5s crash a for 20s"
    assert told(run({"a": counter()}, after(40), plan).history, "restart") == [
        (2, "restart"),
        (25, "restart"),
    ]


def test_a_crash_after_a_write_strikes_when_the_record_is_on_disk_and_before_the_writer_knows():
    def boot(node):
        async def main():
            for i in range(5):
                await node.ports.disk.append("other", i)
                await node.ports.disk.append("log", i)
                says(node)(i)

        return main() if node.incarnation == 1 else None

    result = run({"a": boot}, after(5), "after write 3 to log crash a for 1s")
    history = result.history
    assert [r.get("what") for r in history.of("said")] == [0, 1]
    assert [r.get("record") for r in history.of("written", file="log")] == [0, 1, 2]
    crash, written = history.of("crash").first(), history.of("written", file="log").last()
    assert crash.t_us == written.t_us
    assert history.of("restart").first().t_us == crash.t_us + 1_000_000


# ---- The dead one's ports --------------------------------------------------------------------------------


def test_the_ports_of_a_dead_incarnation_do_nothing():
    """They may have leaked out of the node, into a scenario's own object, and be used by the living."""
    leaked = []

    def boot(node):
        leaked.append(node.ports)

    async def work(world):
        await asyncio.sleep(2)
        old = leaked[0]
        old.transport.send("b", "from the dead")
        for use in (
            old.disk.append("log", 1),
            old.disk.replace("log", [1]),
            old.disk.read("log"),
            old.transport.receive(),
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await use
        leaked[2].transport.send("b", "from the living")
        await leaked[2].disk.append("log", 2)

    def build(world, parts, params):
        world.node("a", boot)
        world.node("b", boot)
        return work(world)

    result = scenario(build).run(plan="at 1s crash a for 500ms")
    assert result.unfinished is None
    assert [r.get("body") for r in result.history.of("sent")] == ["from the living"]
    assert [r.get("record") for r in result.history.of("written", "replaced")] == [2]


def test_no_port_does_anything_once_the_run_is_over():
    kept = {}

    def boot(node):
        kept["ports"], kept["world"] = node.ports, node.world

    history = run({"a": boot}).history
    kept["ports"].transport.send("a", "late")
    kept["world"].record("said", "a", what="late")
    assert len(history) == 0


def test_a_write_in_flight_at_the_crash_is_not_durable():
    def boot(node):
        async def main():
            says(node)(await node.ports.disk.read("log"))
            await node.ports.disk.append("log", "half")
            says(node)("durable")

        return main()

    plan = "0s..0.5s slow-disk a by 2s; at 1s crash a for 4s"
    history = run({"a": boot}, after(9), plan).history
    assert [r.get("what") for r in history.of("said")] == [[], [], "durable"]
    assert [r.t_s for r in history.of("written")] == [5.0002]


# ---- Pauses and slow nodes -------------------------------------------------------------------------------


def test_a_pause_stops_a_node_and_it_goes_on_where_it_was():
    said = told(run({"a": counter()}, after(6.5), "at 1.5s pause a for 3s", settle_s=0).history, "said")
    assert said == [(0, 0), (1, 1), (4.5, 2), (5.5, 3), (6.5, 4)]


def test_what_a_paused_node_missed_comes_in_its_old_order():
    def boot(node):
        loop = asyncio.get_running_loop()
        for i in (3, 1, 2, 5, 4):
            loop.call_later(i, says(node), i)

    said = told(run({"a": boot}, after(9), "at 1500ms pause a for 2s").history, "said")
    assert said == [(1, 1), (3.5, 2), (3.5, 3), (4, 4), (5, 5)]


def test_messages_to_a_paused_node_wait():
    def boot(node):
        async def main():
            while True:
                says(node)((await node.ports.transport.receive())[1])

        return main()

    async def work(world):
        for i in range(4):
            await asyncio.sleep(1)
            world.nodes["b"].ports.transport.send("a", i)
        await asyncio.sleep(1)

    history = run({"a": boot, "b": lambda node: None}, work, "at 1.5s pause a for 2s").history
    said = told(history, "said")
    assert [what for _, what in said] == [0, 1, 2, 3]
    assert [t for t, _ in said[1:3]] == [3.5, 3.5]
    assert [r.kind for r in history.of("pause", "resume")] == ["pause", "resume"]


def test_a_node_that_crashes_while_paused_stays_dead():
    said = told(
        run({"a": counter()}, after(9), "at 1.5s pause a for 2s; at 2s crash a").history, "said", "resume"
    )
    assert said == [(0, 0), (1, 1)]


def test_a_node_that_restarts_while_its_old_self_was_paused_is_not_paused():
    plan = "at 1.5s pause a for 5s; at 2s crash a for 1s"
    said = told(run({"a": counter()}, after(4.5), plan, settle_s=0).history, "said")
    assert said == [(0, 0), (1, 1), (3, 0), (4, 1), (5, 2), (6, 3)]


def test_pausing_a_node_that_is_down_does_nothing():
    assert (
        told(
            run({"a": counter()}, after(5), "at 1s crash a; at 2s pause a for 1s").history, "pause", "resume"
        )
        == []
    )


def test_a_slow_node_lags_at_each_step():
    def boot(node):
        async def main():
            for i in range(4):
                says(node)(i)
                await asyncio.sleep(1)

        return main()

    # To wake takes two steps, the timer's and the task's. The second time the fault is over after the first.
    assert told(run({"a": boot}, after(9), "0.5s..2.5s slow a by 200ms").history, "said") == [
        (0, 0), (1.4, 1), (2.6, 2), (3.6, 3)
    ]  # fmt: skip


def test_two_slownesses_add_up_and_a_restart_does_not_mend_them():
    def boot(node):
        says(node)("booted")

    plan = "0s..9s slow a by 100ms; 1s..9s slow a by 20ms; at 2s crash a for 1s"
    assert told(run({"a": boot}, after(5), plan).history, "said")[-1] == (3.12, "booted")


def test_another_node_is_not_slowed():
    history = run(
        {"a": counter(), "b": counter()}, after(2.5), "0s..9s slow a by 200ms; at 1.5s pause a for 1s"
    ).history
    assert [t for t, _ in told(history.of("said", node="b").where(lambda r: r.t_s < 3), "said")] == [0, 1, 2]


# ---- Clocks ----------------------------------------------------------------------------------------------


def test_the_calendar_starts_in_2026_and_moves_with_the_run():
    def boot(node):
        async def main():
            await asyncio.sleep(90)
            says(node)(node.ports.clock.now() - EPOCH_S)

        return main()

    assert told(run({"a": boot}, after(100)).history, "said") == [(90, 90)]


def test_a_skewed_clock_is_wrong_and_its_timers_are_not():
    def boot(node):
        async def main():
            for _ in range(4):
                says(node)(node.ports.clock.now() - EPOCH_S)
                await asyncio.sleep(1)

        return main()

    history = run(
        {"a": boot, "b": boot}, after(5), "0.5s..2.5s skew a by -10s; 1.5s..9s skew a by 1s"
    ).history
    assert told(history.of("said", node="a"), "said") == [(0, 0), (1, -9), (2, -7), (3, 4)]
    assert told(history.of("said", node="b"), "said") == [(0, 0), (1, 1), (2, 2), (3, 3)]


# ---- Disks -----------------------------------------------------------------------------------------------


def test_a_write_takes_its_time_and_a_slow_disk_longer():
    def boot(node):
        async def main():
            for i in range(3):
                await node.ports.disk.append("log", i)

        return main()

    written = run({"a": boot}, after(5), "100us..1s slow-disk a by 300ms").history.of("written")
    assert [r.t_us for r in written] == [200, 300_400, 600_600]


def test_a_failing_disk_raises_an_os_error_and_writes_nothing():
    def boot(node):
        async def main():
            for i in range(3):
                try:
                    await node.ports.disk.append("log", i)
                except OSError as error:
                    says(node)(str(error))
                await asyncio.sleep(1)
            says(node)(await node.ports.disk.read("log"))

        return main()

    history = run({"a": boot}, after(5), "0.5s..1.5s fail-disk a").history
    assert [r.get("what") for r in history.of("said")] == [
        "[Errno 5] the disk of a failed to write 'log'",
        [0, 2],
    ]
    assert [r.get("file") for r in history.of("write failed")] == ["log"]


def test_a_disk_may_fail_now_and_then():
    def boot(node):
        async def main():
            for i in range(400):
                try:
                    await node.ports.disk.append("log", i)
                except OSError:
                    says(node)(i)

        return main()

    failures = len(run({"a": boot}, after(5), "0s..9s fail-disk a 25%").history.of("said"))
    assert 60 < failures < 140


def test_replace_is_atomic_and_what_is_read_is_a_copy():
    def boot(node):
        async def main():
            disk = node.ports.disk
            if node.incarnation == 1:
                await disk.append("log", {"items": [1]})
                (await disk.read("log"))[0]["items"].append(2)
                records = [{"items": ["new"]}]
                await disk.replace("log", records)
                records[0]["items"].append("changed")
                await disk.append("log", "appended")
                node.world.crash("a", down_s=1)
                await disk.replace("log", ["never"])
            says(node)(await disk.read("log"))

        return main()

    history = run({"a": boot}, after(5)).history
    assert [r.get("what") for r in history.of("said")] == [[{"items": ["new"]}, "appended"]]
    assert [r.get("record") for r in history.of("written")] == [{"items": [1]}, "appended"]
    assert [r.get("records") for r in history.of("replaced")] == [[{"items": ["new"]}]]


def test_only_plain_data_can_be_written():
    def boot(node):
        async def main():
            await node.ports.disk.append("log", {1, 2})

        return main()

    died = run({"a": boot}).history.of("died").first()
    assert died.get("error").startswith("PortError: set {1, 2} cannot cross")
    assert "of main in test_world.py: await node.ports.disk.append" in died.get("error")


# ---- Calls -----------------------------------------------------------------------------------------------


def test_how_calls_may_end():
    def boot(node):
        async def ok():
            await asyncio.sleep(0.1)
            return 42

        async def fails():
            raise ValueError("no stock")

        async def hangs():
            await asyncio.sleep(100)

        node.memory.update(ok=ok, fails=fails, hangs=hangs)

    async def work(world):
        results = [
            await world.invoke("a", op, lambda memory, op=op: memory[op](), order=7)
            for op in ("ok", "fails", "gone")
        ]
        results.append(await world.invoke("a", "hangs", lambda memory: memory["hangs"](), timeout_s=2))
        results.append(await world.invoke("a", "hangs", lambda memory: memory["hangs"]()))  # the crash at 5 s
        results.append(await world.invoke("a", "ok", lambda memory: memory["ok"]()))
        world.record("results", what=results)

    history = run({"a": boot}, work, "at 5s crash a").history
    assert history.of("results").first().get("what") == [42, None, None, None, None, None]
    outcomes = history.of("ok", "failed", "unknown")
    assert [(r.kind, r.get("op"), r.get("call")) for r in outcomes] == [
        ("ok", "ok", 1), ("failed", "fails", 2), ("failed", "gone", 3), ("unknown", "hangs", 4), ("unknown", "hangs", 5),
        ("failed", "ok", 6),
    ]  # fmt: skip
    errors = [r.get("error") for r in outcomes]
    assert errors[0] is None
    assert errors[1].startswith("ValueError: no stock (line ") and "of fails in test_world.py" in errors[1]
    assert errors[2].startswith("KeyError: 'gone'")
    assert errors[3:] == ["no answer within 2 s", "a crashed before it answered", "a is down"]
    assert [r.get("type") for r in outcomes.of("failed")] == ["ValueError", "KeyError", None]
    assert [r.get("call") for r in history.of("invoke")] == [1, 2, 3, 4, 5, 6]
    assert {
        r.get("order") for r in history.of("invoke", "ok", "failed").where(lambda r: r.get("call") < 4)
    } == {7}


def test_a_call_runs_on_its_node_and_dies_with_it():
    def boot(node):
        async def slow():
            await asyncio.sleep(3)
            says(node)("done")

        node.memory["slow"] = slow

    async def work(world):
        await world.invoke("a", "slow", lambda memory: memory["slow"]())
        world.record("outcome", what="known")

    history = run({"a": boot}, work, "at 1s crash a for 1s").history
    assert told(history, "outcome", "said") == [(1, "known")]


def test_a_caller_that_stops_waiting_is_really_stopped():
    def boot(node):
        node.memory["hangs"] = lambda: asyncio.sleep(100)

    async def work(world):
        try:
            async with asyncio.timeout(2):
                await world.invoke("a", "hangs", lambda memory: memory["hangs"]())
        except TimeoutError:
            world.record("outcome", what="timed out")

    history = run({"a": boot}, work).history
    assert told(history, "outcome") == [(2, "timed out")]
    assert history.of("unknown").first().get("error") == "the caller stopped waiting"


def test_a_call_that_goes_on_after_its_caller_gave_up_is_neither_cancelled_nor_reported_twice():
    def boot(node):
        async def slow():
            await asyncio.sleep(3)
            says(node)("done all the same")
            raise ValueError("and nobody hears")

        node.memory["slow"] = slow

    async def work(world):
        await world.invoke("a", "slow", lambda memory: memory["slow"](), timeout_s=1)
        await asyncio.sleep(5)

    history = run({"a": boot}, work).history
    assert told(history, "unknown", "said", "died") == [(1, "unknown"), (3, "done all the same")]


def test_a_call_of_something_that_is_no_coroutine_fails():
    history = run({"a": lambda node: None}, lambda world: world.invoke("a", "op", lambda memory: 5)).history
    assert history.of("failed").first().get("type") == "TypeError"


# ---- What dies, and what never ends ----------------------------------------------------------------------


def test_a_task_that_dies_unseen_is_recorded_at_its_time_of_death():
    def boot(node):
        async def dies():
            await asyncio.sleep(2)
            raise ValueError("unseen")

        async def seen():
            raise KeyError("seen")

        async def main():
            node.memory["kept"] = asyncio.create_task(dies(), name="worker")
            await asyncio.wait([task := asyncio.create_task(seen())])
            task.exception()
            for i in range(4):
                says(node)(i)
                await asyncio.sleep(1)

        return main()

    result = run({"a": boot}, after(5))
    history = result.history
    assert [(r.t_s, r.kind) for r in history][2:4] == [(2, "said"), (2, "died")]
    (died,) = history.of("died")
    assert (died.node, died.get("task")) == ("a", "worker")
    assert died.get("error").startswith("ValueError: unseen (line ")
    assert [v.status for v in result.verdicts] == ["broken"]


def test_a_task_that_had_died_before_its_node_crashed_is_recorded():
    def boot(node):
        raise RuntimeError("cannot start")

    history = run({"a": boot}, after(5), "at 1s crash a for 1s").history
    assert [(r.t_s, r.kind) for r in history.of("died")] == [(0, "died"), (2, "died")]


@pytest.mark.parametrize("how", ["callback", "timer", "exit", "exit in a callback"])
def test_whatever_the_system_breaks_is_recorded_and_not_raised(how):
    def fail(*_):
        if how == "exit in a callback":
            raise SystemExit("enough")
        raise ValueError("enough")

    def boot(node):
        async def main():
            await asyncio.sleep(1)
            if how == "exit":
                raise SystemExit("enough")
            if how == "timer":
                asyncio.get_running_loop().call_later(0, fail)
            else:
                future = asyncio.get_running_loop().create_future()
                future.add_done_callback(fail)
                future.set_result(None)

        return main()

    (died,) = run({"a": boot}, after(3)).history.of("died")
    assert (died.t_s, died.node) == (1, "a")
    assert "enough" in died.get("error")


def test_an_error_text_in_a_record_holds_no_address_and_no_line_of_a_library():
    def boot(node):
        async def one():
            raise ValueError(object())

        async def two():
            return [json.dumps({1, 2}) for _ in range(1)]

        async def three():
            class Rude(Exception):
                def __str__(self):
                    raise ValueError

            raise Rude

        node.memory.update(one=one, two=two, three=three)

    async def work(world):
        for op in ("one", "two", "three"):
            await world.invoke("a", op, lambda memory, op=op: memory[op]())

    one, two, three = (r.get("error") for r in run({"a": boot}, work).history.of("failed"))
    assert one.startswith("ValueError: <object object> (line ")
    assert "of two in test_world.py: return [json.dumps" in two
    assert three.startswith("Rude: (its message cannot be shown: ValueError) (line ")


def test_node_loops_that_run_for_ever_are_ended_without_a_word(capfd):
    result = run({"a": counter(), "b": counter(0.1)}, after(2), settle_s=3)
    assert result.unfinished is None
    assert result.end_us == 5_000_000
    assert not result.history.of("died")
    assert all(result.verdicts)
    assert capfd.readouterr().err == ""


# ---- The history's own -----------------------------------------------------------------------------------


def test_a_record_says_what_was_so_not_what_became_of_it():
    async def work(world):
        stock = {"tea": 3, "mills": [1]}
        world.record("stock", "", stock=stock)
        stock["tea"] = 0
        stock["mills"].append(2)

    history = run({}, work).history
    assert history.of("stock").first().get("stock") == {"tea": 3, "mills": [1]}


def test_a_record_takes_only_plain_data():
    async def work(world):
        world.record("stock", "", stock={1, 2})

    assert "PortError: set {1, 2} cannot cross" in run({}, work).unfinished


def test_a_name_is_given_to_one_node():
    def build(world, parts, params):
        world.node("a", lambda node: None)
        world.node("a", lambda node: None)

    assert "the world already has a node 'a'" in scenario(build).run().unfinished


@pytest.mark.parametrize(
    "fault", ["crash x", "crash x losing disk", "restart x", "pause x for 1s", "1s..2s slow x by 1s", "1s..2s lose 5% from x",
              "1s..2s lose 5% to x", "1s..2s partition a | x", "1s..2s partition x > a", "1s..2s skew x by 1s",
              "1s..2s fail-disk x"],
)  # fmt: skip
def test_a_fault_of_a_node_that_is_not_there_is_an_error_in_one_sentence(fault):
    plan = fault if ".." in fault else f"at 1s {fault}"
    with pytest.raises(LessonError, match="there is no node 'x' here; choose from 'a', 'b'"):
        run({"a": counter(), "b": counter()}, after(5), plan)


# ---- Faults that scenarios carry out ---------------------------------------------------------------------


def test_a_scenario_asks_which_faults_are_active():
    from lessonlib.lab.faults import Burst, HandlerError, Poison, SlowHandler

    def boot(node):
        async def main():
            world = node.world
            for _ in range(6):
                names = [
                    name
                    for name, fault in (
                        ("error", world.active(HandlerError, "stock")),
                        ("slow", world.active(SlowHandler, "stock")),
                        ("poison", world.take(Poison, "stock")),
                        ("burst", world.take(Burst)),
                        ("other", world.active(HandlerError, "mail")),
                    )
                    if fault is not None
                ]
                says(node)(names)
                await asyncio.sleep(1)

        return main()

    plan = "1.5s..3.5s fail stock; 2.5s..4.5s slow-handler stock by 1s; at 3.5s poison stock; at 0.5s burst 3; 4.5s..9s fail mail"
    said = [r.get("what") for r in run({"a": boot}, after(9), plan).history.of("said")]
    assert said == [[], ["burst"], ["error"], ["error", "slow"], ["slow", "poison"], ["other"]]


def test_a_call_may_have_a_field_that_is_called_type():
    def boot(node):
        async def fails():
            raise KeyError("no gate")

        node.memory["fails"] = fails

    async def work(world):
        await world.invoke("a", "announce", lambda memory: memory["fails"](), type="departed")

    history = run({"a": boot}, work).history
    assert history.of("invoke").first().get("type") == "departed"
    assert history.of("failed").first().get("type") == "KeyError"
