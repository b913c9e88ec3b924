"""Scenarios: bad arguments get one sentence, and whatever the system does becomes a run with verdicts."""

import asyncio
import gc

import pytest
from worlds import TROUBLE, gossip_scenario

from lessonlib.errors import LessonError
from lessonlib.lab import FaultPlan, Param, Scenario, simulate
from lessonlib.lab.faults import Crash, FaultError, HandlerError, Loss, Partition
from lessonlib.lab.rules import at_most_once, nothing_died, rule
from lessonlib.lab.scenario import ScenarioError


class Counter:
    """The part of the trial below."""

    def __init__(self):
        self.count = 0

    async def add(self, n):
        await asyncio.sleep(0.1)
        self.count += n
        return self.count


class Broken(Counter):
    async def add(self, n):
        raise ValueError("cannot add")


class Hanging(Counter):
    async def add(self, n):
        await asyncio.Event().wait()


class Spinning(Counter):
    async def add(self, n):
        while True:
            await asyncio.sleep(0)


class Waiting(Counter):
    async def add(self, n):
        while True:
            await asyncio.sleep(1)


class Unmakeable:
    def __init__(self):
        raise RuntimeError("cannot be made")


@rule("some additions succeed", kind="liveness")
def some_succeed(history):
    from lessonlib.lab.rules import broken, holds

    return holds("They did.") if history.of("ok") else broken("None did.", at_us=history.end_us)


def build(world, parts, params):
    def boot(node):
        node.memory["counter"] = parts["counter"]()

    world.node("a", boot)

    async def workload():
        for i in range(params["calls"]):
            await world.invoke("a", "add", lambda memory, i=i: memory["counter"].add(i), i=i)
            await asyncio.sleep(params["gap_s"])

    return workload()


TRIAL = Scenario(
    name="TRIAL",
    build=build,
    systems={"textbook": {"counter": Hanging}, "pattern": {"counter": Counter}},
    params=(Param("calls", 3, 1, 10, "calls"), Param("gap_s", 0.5, 0.0, 2.0, "s")),
    faults=(Crash, HandlerError, Loss, Partition),
    rules=(
        some_succeed,
        at_most_once("each call ends once", kind="ok", key=lambda r: r.get("call"), what=str),
        nothing_died(),
    ),
    targets={"node": ("a",), "target": ("add",)},
    settle_s=2,
    limit_s=60,
)

# ---- Bad arguments ---------------------------------------------------------------------------------------

BAD = [
    ({"system": "best"}, "TRIAL has no system 'best'; choose from 'textbook', 'pattern'"),
    ({"system": ["pattern"]}, "TRIAL has no system ['pattern']; choose from 'textbook', 'pattern'"),
    ({"system": None}, "TRIAL has no system None; choose from 'textbook', 'pattern'"),
    ({"parts": {"broker": Counter}}, "TRIAL has no part 'broker'; choose from 'counter'"),
    ({"parts": {"counter": 5}}, "part 'counter' is 5, which cannot be called; give a class or a function, not an object, since a restart builds it anew"),
    ({"parts": {"counter": None}}, "part 'counter' is None, which cannot be called; give a class or a function, not an object, since a restart builds it anew"),
    ({"parts": [Counter]}, "parts are given by name, not as [<class 'test_scenario.Counter'>]; write parts={'name': ...} with a name from 'counter'"),
    ({"steps": 5}, "TRIAL has no parameter 'steps'; choose from 'calls', 'gap_s'"),
    ({"calls": 0}, "calls=0 makes no sense; give a whole number from 1 to 10 calls"),
    ({"calls": 11}, "calls=11 makes no sense; give a whole number from 1 to 10 calls"),
    ({"calls": 2.5}, "calls=2.5 makes no sense; give a whole number from 1 to 10 calls"),
    ({"calls": "3"}, "calls='3' makes no sense; give a whole number from 1 to 10 calls"),
    ({"calls": True}, "calls=True makes no sense; give a whole number from 1 to 10 calls"),
    ({"calls": None}, "calls=None makes no sense; give a whole number from 1 to 10 calls"),
    ({"gap_s": float("nan")}, "gap_s=nan makes no sense; give a number from 0.0 to 2.0 s"),
    ({"gap_s": float("inf")}, "gap_s=inf makes no sense; give a number from 0.0 to 2.0 s"),
    ({"gap_s": -1}, "gap_s=-1 makes no sense; give a number from 0.0 to 2.0 s"),
    ({"plan": "at 5s restart a"}, "TRIAL has no fault like 'at 5s restart a'; it knows crash, fail, lose, partition"),
    ({"plan": "at 5s crash a losing disk"}, "TRIAL has no fault like 'at 5s crash a losing disk'; it knows crash, fail, lose, partition"),
    ({"plan": "at 5s crash b"}, "'at 5s crash b': no node 'b' here; choose from 'a'"),
    ({"plan": "1s..2s lose 5% to b"}, "'1s..2s lose 5% to b': no node 'b' here; choose from 'a'"),
    ({"plan": "1s..2s partition a | b"}, "'1s..2s partition a | b': no node 'b' here; choose from 'a'"),
    ({"plan": "1s..2s fail multiply"}, "'1s..2s fail multiply': no target 'multiply' here; choose from 'add'"),
    ({"plan": FaultPlan([Crash(5, "b")])}, "'at 5s crash b': no node 'b' here; choose from 'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_a_bad_argument_gets_one_sentence(arguments, sentence):
    with pytest.raises(ScenarioError) as caught:
        TRIAL.run(**arguments)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("plan", ["at 5s crsh a", 5, None, ["at 5s crash a"]])
def test_a_bad_plan_is_a_fault_error(plan):
    with pytest.raises(FaultError):
        TRIAL.run(plan=plan)


def test_a_misspelt_plan_is_told_the_faults_of_this_scenario_alone():
    with pytest.raises(FaultError) as caught:
        TRIAL.run(plan="at 5s crsh a")
    assert str(caught.value) == (
        "fault 1 of the plan, 'at 5s crsh a': expected 'crash', found 'crsh' after 'at 5s'; did you mean 'crash'?"
    )


def test_a_run_inside_a_simulation_is_refused():
    async def main():
        TRIAL.run()

    with pytest.raises(LessonError, match="cannot start another one inside itself"):
        simulate(main)


def test_parameters_take_the_type_of_their_default():
    assert TRIAL.run(calls=2.0).values == {"calls": 2, "gap_s": 0.5}
    assert type(TRIAL.run(calls=2.0).values["calls"]) is int
    assert type(TRIAL.run(gap_s=1).values["gap_s"]) is float
    assert TRIAL.run(calls=10, gap_s=0).values == {"calls": 10, "gap_s": 0.0}


# ---- Runs ------------------------------------------------------------------------------------------------


def statuses(run):
    return [(v.rule, v.status) for v in run.verdicts]


def test_a_run_of_the_pattern():
    run = TRIAL.run()
    assert run.unfinished is None and run.system == "pattern" and run.seed == 1 and run.params == {}
    assert statuses(run) == [
        ("some additions succeed", "holds"), ("each call ends once", "holds"), ("no task dies unseen", "holds")
    ]  # fmt: skip
    assert run.broken == () and list(run) == list(run.verdicts)
    assert (
        run.end_us == 1_800_000
    )  # three calls of 0.1 s and three gaps of 0.5 s; then nothing is left to happen
    assert run.verdict("some additions succeed")
    with pytest.raises(ScenarioError, match="no rule 'nope'; choose from 'some additions succeed'"):
        run.verdict("nope")


def test_a_part_of_ones_own_takes_the_place_of_the_systems():
    run = TRIAL.run("textbook", parts={"counter": Counter})
    assert run.unfinished is None and run.parts == ("counter",)
    assert len(run.history.of("ok")) == 3


@pytest.mark.parametrize(
    ("part", "unfinished", "at_us"),
    [
        (Hanging, "The workload waits at 0 s and nothing is left to wake it.", None),
        (Waiting, "The workload had not ended 60 s after the last fault.", None),
        (Spinning, "stopped after 20000 steps, at ", None),
    ],
)
def test_a_system_that_hangs_gets_a_verdict_of_its_own(part, unfinished, at_us):
    run = TRIAL.run(parts={"counter": part}, max_steps=20_000)
    assert run.unfinished.startswith(unfinished)
    first = run.verdicts[0]
    assert (first.rule, first.status, first.at_us) == ("the run ends", "broken", run.end_us)
    assert run.broken


def test_a_system_that_hangs_is_given_up_a_while_after_the_last_fault():
    run = TRIAL.run(parts={"counter": Waiting}, plan="10s..40s lose 1%")
    assert run.end_us == (40 + 60 + 2) * 1_000_000


def test_a_node_that_hangs_only_after_the_workload_is_still_within_the_budget():
    def build(world, parts, params):
        async def spin():
            await asyncio.sleep(1)
            while True:
                await asyncio.sleep(0)

        world.node("a", lambda node: spin())
        return asyncio.sleep(0.5)

    run = Scenario("S", build, {"pattern": {}}, (), (), ()).run(max_steps=20_000)
    assert run.verdicts[0].rule == "the run ends"


def test_whatever_the_system_does_run_does_not_raise():
    broken = TRIAL.run(parts={"counter": Broken})
    assert [r.get("error").split(" (line")[0] for r in broken.history.of("failed")] == [
        "ValueError: cannot add"
    ] * 3
    assert [v.rule for v in broken.broken] == ["some additions succeed"]
    unmakeable = TRIAL.run(parts={"counter": Unmakeable})
    assert (
        unmakeable.history.of("died").first().get("error").startswith("RuntimeError: cannot be made (line ")
    )
    assert "no task dies unseen" in [v.rule for v in unmakeable.broken]


@pytest.mark.parametrize("where", ["build", "workload", "cancel", "exit", "group"])
def test_a_part_that_fails_in_the_workload_itself_breaks_the_run_with_the_line_at_fault(where):
    async def part():
        await asyncio.sleep(1)
        if where == "cancel":
            asyncio.current_task().cancel()
            await asyncio.sleep(1)
        if where == "exit":
            raise SystemExit(3)
        if where == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.wait_for(asyncio.sleep(9), 0))
        raise ValueError("my part")  # here

    def build(world, parts, params):
        if where == "build":
            raise ValueError("my part")
        return part()

    run = Scenario("S", build, {"pattern": {}}, (), (), (nothing_died(),)).run()
    assert run.verdicts[0].rule == "the run ends" and run.verdicts[0].status == "broken"
    assert {
        "build": "The workload failed at 0 s: ValueError: my part (line ",
        "workload": "The workload failed at 1 s: ValueError: my part (line ",
        "cancel": "The workload was cancelled at 1 s.",
        "exit": "The workload failed at 1 s: SystemExit: 3 (line ",
        "group": "The workload failed at 1 s: TimeoutError: ",
    }[where] in run.unfinished


def test_an_interrupt_passes_through_and_leaves_the_process_clean():
    class Interrupting(Counter):
        async def add(self, n):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TRIAL.run(parts={"counter": Interrupting})
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert gc.isenabled()
    assert TRIAL.run().unfinished is None


def test_runs_leave_no_world_behind():
    """A search makes thousands of runs: each must be freed with its Run."""
    import weakref

    runs = [weakref.ref(TRIAL.run(system, plan="at 0.2s crash a for 1s")) for system in TRIAL.systems]
    gc.collect()
    assert [one() for one in runs] == [None, None]
    from lessonlib.lab.world import World

    assert not [thing for thing in gc.get_objects() if type(thing) is World]


# ---- Replay ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"system": "textbook"},
        {"plan": "at 0.2s crash a for 500ms; 1s..2s lose 12.5% from a", "seed": 7, "calls": 5, "gap_s": 0.25},
        {"seed": "a 'quoted' text"},
        {"seed": 10**30, "gap_s": 0.1 + 0.2},
    ],
)
def test_the_replay_line_gives_the_same_run(arguments):
    run = TRIAL.run(**arguments)
    again = eval(run.replay, {"TRIAL": TRIAL})
    assert again.replay == run.replay
    assert again.history == run.history and again.history.digest() == run.history.digest()
    assert again.verdicts == run.verdicts


def test_the_replay_line_of_a_run_with_much_trouble_does_so_too():
    run = gossip_scenario().run(plan=TROUBLE, seed=3, calls=7)
    assert eval(run.replay, {"TRIAL": gossip_scenario()}).history.digest() == run.history.digest()


def test_the_replay_line_names_parts_of_ones_own():
    line = TRIAL.run(parts={"counter": Counter}).replay
    assert line == "TRIAL.run('pattern', parts={'counter': Counter}, seed=1)"


def test_a_run_shows_itself_as_its_verdicts():
    run = TRIAL.run("textbook", plan="at 2s crash a for 1s")
    assert repr(run) == run.describe()
    assert run.describe().splitlines()[0] == run.replay
    assert "  BROKEN        at " in run.describe() and "not exercised" in run.describe()


def test_the_earliest_broken_rule_comes_first():
    from lessonlib.lab.rules import broken as is_broken

    late, early = (
        rule(name)(lambda history, at=at: is_broken("So.", at_us=at))
        for name, at in (("late", 9), ("early", 5))
    )
    timeless = rule("timeless")(lambda history: is_broken("So."))
    run = Scenario("S", lambda *_: asyncio.sleep(1), {"pattern": {}}, (), (), (timeless, late, early)).run()
    assert [v.rule for v in run.broken] == ["early", "late", "timeless"]
