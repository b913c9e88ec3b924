"""The failure lab: what its controls do, set in this process as a browser would set them. No browser is needed."""

import asyncio
import dataclasses
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lessonlib.errors import LessonError
from lessonlib.event_driven import InventoryManager
from lessonlib.event_driven.scenario import FANOUT, ORDERS
from lessonlib.lab.faults import Crash, Fault, Loss, Partition, verb
from lessonlib.lab.rules import holds, rule
from lessonlib.lab.scenario import Param, Run, Scenario
from lessonlib.learning import Mission, failure_lab
from lessonlib.learning.panel import watched as budget
from lessonlib.learning.panel.dial import Dial
from lessonlib.limits import one_simulation
from lessonlib.start_here.scenario import COUNTER
from lessonlib.views import fan_out, lag, timeline, verdicts

CRASH = "at 1s crash shop for 1s"


def a_lab(**more: Any) -> Any:
    return failure_lab(ORDERS, **{"orders": 20, **more})


def always(runs: Any) -> bool:
    return True


# ---- What a change does ----------------------------------------------------------------------------------


def test_picture_and_verdicts_are_those_of_the_run_that_stands_in_the_controls() -> None:
    lab = a_lab()
    lab.plan.value = CRASH
    lab.system.value = "pattern"
    lab.seed.value = 3
    lab.params["retries"].value = 1
    runs = [
        ORDERS.run(system, plan=CRASH, seed=3, orders=20, retries=1) for system in ("textbook", "pattern")
    ]
    assert lab.picture.value == timeline(runs[1]).html
    assert [run.history.digest() for run in lab.runs.values()] == [run.history.digest() for run in runs]
    assert f"{runs[0].broken[0].sentence}" in lab.verdicts.value


def test_the_view_can_be_chosen_and_one_that_cannot_draw_this_run_says_so() -> None:
    lab = a_lab(views=[timeline, lag, fan_out], system="pattern")
    lab.view.value = "fan out"
    assert lab.picture.value == fan_out(ORDERS.run(orders=20)).html
    lab.view.value = "lag"
    last_good = lab.picture.value
    lab.system.value = "textbook"
    assert "lag needs a system that keeps one" in lab.message.value
    assert lab.picture.value == last_good


def test_what_is_said_aloud_names_each_systems_broken_rules() -> None:
    lab = a_lab()
    lab.plan.value = CRASH
    assert lab.access.said == "textbook: 1 rule broken. pattern: no rules broken."


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            "at 1s crsh shop",
            "found &#x27;crsh&#x27; after &#x27;at 1s&#x27;; did you mean &#x27;crash&#x27;?",
        ),
        ("at 1s crash shp", "no node &#x27;shp&#x27; here; choose from"),
        ("at 1s crash shp", "did you mean &#x27;shop&#x27;?"),
        ("at 1s crash shop; at soon crash shop", "fault 2 of the plan"),
        ("1s..2s careless email", "ORDERS has no fault like"),
    ],
)
def test_a_wrong_plan_is_explained_beside_it_and_the_last_good_picture_stays(plan: str, words: str) -> None:
    lab = a_lab(plan=CRASH)
    picture, table = lab.picture.value, lab.verdicts.value
    lab.plan.value = plan
    assert words in lab.message.value
    assert "Below stands the last run that worked." in lab.message.value
    assert (lab.picture.value, lab.verdicts.value) == (picture, table)
    lab.plan.value = ""
    assert lab.message.value == ""
    assert lab.picture.value != picture


def test_a_fault_that_strikes_nothing_is_pointed_out() -> None:
    lab = a_lab(plan="at 100s crash shop for 1s")
    assert "struck nothing: it begins at 100 s" in lab.message.value


# ---- Controls come from the scenario ---------------------------------------------------------------------


def test_each_parameter_has_a_dial_with_its_range_unit_and_help() -> None:
    lab = a_lab()
    assert list(lab.params) == [param.name for param in ORDERS.params]
    for param in ORDERS.params:
        dial = lab.params[param.name]
        assert (dial.low, dial.high, dial.unit, dial.help) == (param.low, param.high, param.unit, param.help)
    assert lab.params["orders"].wide and not lab.params["retries"].wide


@pytest.mark.parametrize(("sent", "kept"), [(1e9, 20), (-5, 0), (3.4, 3)])
def test_a_value_that_a_browser_could_not_have_sent_is_brought_into_the_range(
    sent: float, kept: float
) -> None:
    lab = a_lab()
    lab.params["retries"].value = sent
    assert lab.params["retries"].value == kept
    assert lab.message.value == ""


def test_a_dial_of_a_fraction_has_steps_of_a_hundredth_of_its_range_or_so() -> None:
    assert Dial(Param("timeout_s", 1.0, 0.1, 5.0, "s"), 1.0).step == 0.01
    assert Dial(Param("share", 0.5, 0.0, 1.0), 0.5).step == 0.01


@pytest.mark.parametrize("scenario", [ORDERS, FANOUT], ids=lambda scenario: scenario.name)
def test_the_form_offers_every_fault_and_what_it_suggests_can_be_added_as_it_is(scenario: Scenario) -> None:
    lab = failure_lab(scenario, orders=12)
    assert [kind for _, kind in lab.fault.kind.options] == list(scenario.faults)
    for kind in scenario.faults:
        lab.plan.value = ""
        lab.fault.kind.value = kind
        lab.fault.add()
        assert "✗" not in lab.message.value
        assert [type(fault) for fault in lab.runs["textbook"].plan] == [kind], verb(kind)


def test_what_is_added_goes_behind_what_stands_there() -> None:
    lab = a_lab(plan="at 1s crash shop for 1s;")
    lab.fault.kind.value = Loss
    lab.fault.fields["probability"].value = "30%"
    lab.fault.fields["to"].value = "broker"
    lab.fault.add()
    assert lab.plan.value == "at 1s crash shop for 1s; 1s..2s lose 30% to broker"
    lab.fault.kind.value = Partition
    lab.fault.fields["left"].value = ("shop", "broker")
    lab.fault.fields["right"].value = ("email",)
    lab.fault.add()
    assert lab.plan.value.endswith("; 1s..2s partition shop,broker | email")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("at_s", "soon", "expected a time such as 5s, 250ms or 2m, found &#x27;soon&#x27;"),
        ("at_s", "", "crash needs &#x27;at_s&#x27;: a time such as 5s"),
    ],
)
def test_a_form_that_makes_no_sense_says_so_and_leaves_the_plan_alone(
    field: str, value: str, words: str
) -> None:
    lab = a_lab()
    lab.fault.kind.value = Crash
    lab.fault.fields[field].value = value
    lab.fault.add()
    assert words in lab.message.value
    assert lab.plan.value == ""


@dataclass(frozen=True, slots=True)
class Yawn(Fault):
    """A later lesson's own kind, with a field that no lesson has had yet."""

    form = "at {at_s} yawn {mood} [by {target}]"
    at_s: float
    mood: str
    target: str | None = None


@rule("all is well")
def well(history: Any) -> Any:
    return holds("It is.")


def a_later_scenario(build: Callable[..., Any] | None = None) -> Scenario:
    async def work(world: Any, pace_s: float) -> None:
        world.node("a", lambda node: None)
        await asyncio.sleep(pace_s)
        world.record("handled", "a", order=1)

    return Scenario(
        name="LATER",
        build=build or (lambda world, parts, params: work(world, params["pace_s"])),
        systems={"only": {"part": lambda: None}},
        params=(Param("pace_s", 0.5, 0.1, 2.0, "s"),),
        faults=(Yawn,),
        rules=(well,),
        targets={"target": ("a", "b"), "mood": ("soft", "loud")},
        settle_s=1,
    )


def test_a_scenario_of_another_lesson_gets_its_panel_without_a_word_about_widgets() -> None:
    lab = failure_lab(a_later_scenario(), mine={"part": lambda: None})
    assert lab.system.options == ("only", "mine")
    lab.params["pace_s"].value = 1.5
    lab.fault.fields["mood"].value = "loud"
    lab.fault.fields["target"].value = "b"
    lab.fault.add()
    assert lab.plan.value == "at 1s yawn loud by b"
    assert lab.runs["only"].history.of("handled").first().t_us == 1_500_000
    lab.search.start()
    assert "300 fault plans, and no rule was broken" in lab.search.message.value


# ---- Your own pieces -------------------------------------------------------------------------------------


def test_your_own_pieces_make_a_system_of_their_own() -> None:
    class Forgetful(InventoryManager):
        def apply(self, change: Any) -> None:
            raise RuntimeError("no stock for you")

    lab = a_lab(mine={"inventory": Forgetful}, system="mine")
    assert lab.system.options == ("textbook", "pattern", "mine")
    assert lab.runs["mine"].parts == ("inventory",)
    assert lab.runs["mine"].broken and not lab.runs["pattern"].broken
    assert "with your inventory" in lab.picture.value


def test_without_a_piece_there_is_no_such_system() -> None:
    assert a_lab(mine={}).system.options == ("textbook", "pattern")


def test_the_empty_plans_example_is_one_of_the_scenario() -> None:
    for scenario in (COUNTER, ORDERS):
        assert scenario.run(plan=failure_lab(scenario).plan.placeholder).plan.faults


def test_a_piece_that_never_gives_way_is_stopped_and_the_panel_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "STUCK_S", 0.3)

    class Endless(InventoryManager):
        def decide(self, event: Any) -> Any:
            while True:
                pass

    lab = a_lab(mine={"inventory": Endless})
    assert "mine: The run was stopped: a piece ran for 0.3 s without a pause" in lab.message.value
    assert list(lab.runs) == ["textbook", "pattern"]
    lab.plan.value = CRASH
    assert lab.picture.value == timeline(ORDERS.run("textbook", plan=CRASH, orders=20)).html
    lab.search.start()
    assert lab.search.result is not None  # the textbook's
    lab.system.value = "mine"
    lab.search.start()
    assert "It happened under the plan &#x27;no fault&#x27;." in lab.search.message.value
    assert not lab.search.button.disabled and lab.search.cancel.disabled


def test_a_run_that_awaits_for_ever_ends_by_its_budget_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    def build(world: Any, parts: Any, params: Any) -> Any:
        world.node("a", lambda node: None)
        world.record("handled", "a", order=1)
        return spin()

    lab = failure_lab(a_later_scenario(build))
    assert "The panel stops a run after 150000 steps" in lab.message.value
    assert "does a loop run without end?" in lab.verdicts.value


def test_an_error_in_a_callback_is_shown_in_the_panel() -> None:
    def broken_view(run: Run) -> Any:
        if run.plan.faults:
            raise ZeroDivisionError("no such luck")
        return timeline(run)

    lab = a_lab(views=[broken_view])
    lab.plan.value = CRASH
    assert "This failed with ZeroDivisionError: no such luck" in lab.message.value


# ---- Missions --------------------------------------------------------------------------------------------


MISSIONS = (
    Mission("Lose an order.", lambda runs: bool(runs["textbook"].broken), "Nobody kept it."),
    Mission("Break ours.", lambda runs: bool(runs["pattern"].broken), "You found a mistake of ours."),
)


def test_a_mission_is_recognised_when_it_is_reached_and_stays_so() -> None:
    lab = a_lab(missions=MISSIONS)
    assert "0 of 2 missions" in lab.missions.value
    assert "Nobody kept it." not in lab.missions.value
    lab.plan.value = CRASH
    assert "1 of 2 missions" in lab.missions.value
    assert "Nobody kept it." in lab.missions.value
    assert lab.access.said.startswith("Mission reached: Lose an order. Nobody kept it.")
    lab.plan.value = ""
    assert "1 of 2 missions" in lab.missions.value
    assert f"({CRASH}, orders=20)" in lab.missions.value


def test_the_missions_of_a_section_are_found_by_its_number_and_stay_reached_when_the_cell_is_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lessonlib.learning.missions._KEPT", {})
    lab = failure_lab(FANOUT, missions="1.5")
    assert "0 of 3 missions" in lab.missions.value
    lab.plan.value = "1s..1050ms fail email"
    again = failure_lab(FANOUT, missions="1.5")
    assert "1 of 3 missions" in again.missions.value
    assert "(1s..1.05s fail email)" in again.missions.value


def test_a_mission_that_cannot_be_judged_is_an_error_in_the_panel_and_no_more() -> None:
    lab = a_lab(missions=[Mission("Ask for what is not there.", lambda runs: bool(runs["patern"]), "Never.")])
    assert "a mission: there is no system &#x27;patern&#x27;" in lab.message.value
    assert "did you mean &#x27;pattern&#x27;?" in lab.message.value
    assert lab.picture.value


# ---- Search ----------------------------------------------------------------------------------------------


def test_what_search_finds_is_loaded_with_its_seed_and_parameters() -> None:
    lab = a_lab()
    lab.search.start()
    failure = lab.search.result.failure
    assert (lab.plan.value, lab.seed.value) == (str(failure.plan), failure.run.seed)
    assert {name: dial.number for name, dial in lab.params.items()} == failure.run.values
    assert lab.runs["textbook"].history.digest() == failure.run.history.digest()
    assert "Shortest plan" in lab.search.message.value


def test_a_search_that_finds_nothing_says_so() -> None:
    lab = a_lab(system="pattern")
    lab.search.plans.value = 20
    lab.search.start()
    assert "ORDERS, pattern: 20 fault plans, and no rule was broken." in lab.search.message.value
    assert lab.plan.value == ""


def test_a_search_lets_others_in_and_can_be_cancelled() -> None:
    async def use() -> Any:
        lab = a_lab(system="pattern")
        lab.search.plans.value = 5_000
        lab.search.start()
        seen = []
        while lab.search.result is None:
            seen.append(lab.search.message.value)
            if "<progress" in seen[-1] and 'value="0"' not in seen[-1]:
                assert lab.search.button.disabled and not lab.search.cancel.disabled
                lab.search.button.click()  # a second search does not begin
                lab.search.cancel.click()
            await asyncio.sleep(0.01)
        return lab

    lab = asyncio.run(use())
    assert lab.search.result.cancelled and 0 < lab.search.result.tried < 5_000
    assert "stopped after" in lab.search.message.value
    assert not lab.search.button.disabled and lab.search.cancel.disabled


def test_panel_and_search_wait_for_a_simulation_of_another_thread_and_can_be_cancelled_meanwhile() -> None:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with one_simulation():
            held.set()
            over.wait(30)

    async def use() -> list[str]:
        lab = a_lab(system="pattern")
        threading.Thread(target=hold).start()
        held.wait(30)
        said = []
        lab.search.start()
        lab.plan.value = CRASH
        while not (lab.message.value and "<progress" not in lab.search.message.value):
            await asyncio.sleep(0.01)
        said += [lab.message.value, lab.search.message.value]
        lab.search.cancel.click()
        while lab.search.result is None:
            await asyncio.sleep(0.01)
        said.append(lab.search.message.value)
        over.set()
        while CRASH not in lab.picture.value:
            await asyncio.sleep(0.01)
        return said

    panel, search, cancelled = asyncio.run(use())
    assert "A cell runs a simulation; the panel goes on when that has ended." in panel
    assert "A cell runs a simulation; the search of pattern goes on" in search
    assert "stopped after 0 of 300 fault plans" in cancelled


def test_a_search_in_slices_finds_what_the_search_in_one_go_finds() -> None:
    async def use() -> Any:
        lab = a_lab()
        lab.search.start()
        while lab.search.result is None:
            await asyncio.sleep(0.01)
        return lab.search.result

    at_once = a_lab()
    at_once.search.start()
    assert str(asyncio.run(use())) == str(at_once.search.result)


# ---- Many changes at once --------------------------------------------------------------------------------


def test_of_a_sliders_many_changes_only_the_last_is_run() -> None:
    drawn = []

    def counting(run: Run) -> Any:
        drawn.append(run.values["orders"])
        return timeline(run)

    async def drag() -> None:
        lab = a_lab(views=[counting])
        drawn.clear()
        for orders in range(1, 40):
            lab.params["orders"].value = orders
        while not drawn:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)

    asyncio.run(drag())
    assert drawn == [39]


# ---- What stays in the notebook --------------------------------------------------------------------------


def shown(lab: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    bundles: list[dict[str, str]] = []
    module = sys.modules["lessonlib.learning.failure_lab"]  # the function of that name hides it
    monkeypatch.setattr(module, "display", lambda data, raw: bundles.append(data))
    lab._ipython_display_()
    return bundles


def test_beside_the_panel_stands_a_static_picture_with_its_words_equal_byte_for_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = a_lab(plan=CRASH, missions=MISSIONS)
    panel, static = shown(lab, monkeypatch)
    assert "application/vnd.jupyter.widget-view+json" in panel
    assert set(static) == {"text/html", "text/plain"}
    runs = [ORDERS.run(system, plan=CRASH, orders=20) for system in ORDERS.systems]
    assert timeline(runs[0]).html in static["text/html"]
    assert static["text/plain"] == lab.describe()
    assert static["text/plain"].endswith(verdicts(runs).describe())
    lab.plan.value = ""
    again = shown(a_lab(plan=CRASH, missions=MISSIONS), monkeypatch)
    assert json.dumps(again[1]) == json.dumps(shown(lab, monkeypatch)[1]) == json.dumps(static)
    assert again[0]["text/plain"] == panel["text/plain"]


def test_the_living_panel_hides_its_own_static_picture_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = a_lab(), a_lab(plan=CRASH)
    hidden = [shown(lab, monkeypatch)[1]["text/html"].split('"')[1] for lab in (one, other)]
    assert f".{hidden[0]} {{ display: none; }}" in one.style.value
    assert hidden[1] not in one.style.value


# ---- Bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scenario": "ORDERS"}, "failure_lab shows a Scenario, not 'ORDERS'"),
        ({"mine": InventoryManager}, "write for instance mine={'publisher': MyPublisher}"),
        ({"mine": {"invntory": InventoryManager}}, "did you mean 'inventory'?"),
        ({"mine": {"inventory": InventoryManager()}}, "which cannot be called; give a class or a function"),
        ({"missions": "9.9"}, "there are no missions of section '9.9'; there are those of 0.3"),
        ({"missions": [always]}, "or a list of Mission(goal, reached, shown)"),
        ({"views": timeline}, "should be a list of views, for instance [timeline]"),
        ({"views": []}, "should be a list of views"),
        ({"system": "patern"}, "did you mean 'pattern'?"),
        ({"system": "mine"}, "system='mine' is none of 'textbook', 'pattern'"),
        ({"plan": "at 1s crsh shop"}, "did you mean 'crash'?"),
        ({"seed": -1}, "give a whole number from 0 to"),
        ({"seed": "x"}, "seed='x' makes no sense"),
        ({"orders": 0}, "orders=0 makes no sense; give a whole number from 1 to 100000 orders"),
        ({"order": 5}, "did you mean 'orders'?"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(LessonError) as refused:
        failure_lab(**{"scenario": ORDERS, **arguments})
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("", always, "x"), "Mission: goal='' should be a sentence"),
        (("x", always, None), "Mission: shown=None should be a sentence"),
        (("x", True, "x"), "Mission: reached=True cannot be called"),
    ],
)
def test_a_mission_that_makes_no_sense_is_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(LessonError, match=words.replace("(", r"\(")):
        Mission(*arguments)


def test_a_scenario_without_faults_has_a_panel_without_a_form() -> None:
    lab = failure_lab(dataclasses.replace(a_later_scenario(), faults=()))
    assert lab.fault.kind.value is None
    lab.search.start()
    assert "has no fault that a search could draw" in lab.search.message.value
