"""`failure_lab(ORDERS)`: break a scenario with your own hands, and see at once what the rules say.

The panel knows no scenario. Its controls are made from what the scenario declares: systems, parameters with ranges
and units, faults and their targets. All that it shows is a function of what stands in its controls, so the line
under the verdicts gives every picture again.

Beside the panel stands a static picture of how it began, for a reopened notebook and for a web page, where no
kernel answers. While the panel lives, it hides that picture.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, TypeVar

import ipywidgets as widgets
from IPython.display import display

from lessonlib.errors import LessonError
from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.missed import missed
from lessonlib.lab.scenario import Parts, Run, Scenario
from lessonlib.lab.search import Failure
from lessonlib.lab.suggest import did_you_mean
from lessonlib.learning.missions import Mission, Missions, Runs, System, kept
from lessonlib.learning.panel.access import Access
from lessonlib.learning.panel.dial import Dial
from lessonlib.learning.panel.fault_form import FaultForm, example
from lessonlib.learning.panel.look import STYLE, labelled, mission_list, note, wrong
from lessonlib.learning.panel.searching import SearchRow
from lessonlib.learning.panel.slices import Latest
from lessonlib.learning.panel.watched import STEPS_MAX, describe, watched
from lessonlib.views import View, timeline, verdicts

T = TypeVar("T")

MINE = "mine"
QUIET_S = 0.03  # a slider rests
QUIET_TYPING_S = 0.08  # somebody has stopped typing
SEED_MAX = 1_000_000
Drawing = Callable[[Run], View]


def failure_lab(
    scenario: Scenario,
    mine: Parts | None = None,
    missions: str | Sequence[Mission] = (),
    *,
    views: Sequence[Drawing] = (timeline,),
    system: str | None = None,
    plan: str | FaultPlan = "",
    seed: int = 1,
    **params: Any,
) -> FailureLab:
    """Return the failure lab of a scenario, to stand at the end of a cell.

    Args:
        scenario: what is run.
        mine: your own pieces by name; with them there is a system "mine", the pattern with these pieces in it.
        missions: what to bring about, or the section whose missions these are ("1.5"). Those of a section stay
            reached when the cell is run again.
        views: the pictures to choose from; each is called with the run of the chosen system.
        system, plan, seed, params: what stands in the panel at first, as `Scenario.run` takes it.

    Raises LessonError when an argument makes no sense.
    """
    if not isinstance(scenario, Scenario):
        raise LessonError(f"failure_lab shows a Scenario, not {scenario!r:.60}; write for instance ORDERS")
    return FailureLab(
        scenario,
        _systems(scenario, mine),
        _missions(missions),
        views=_views(views),
        system=system,
        plan=plan,
        seed=seed,
        params=params,
    )


def _systems(scenario: Scenario, mine: Parts | None) -> dict[str, System]:
    systems: dict[str, System] = {name: (name, {}) for name in scenario.systems}
    if mine is not None and not isinstance(mine, Mapping):
        raise LessonError(
            f"mine={mine!r:.60} should name your pieces; write for instance mine={{'publisher': MyPublisher}}"
        )
    if mine:
        base = "pattern" if "pattern" in systems else list(systems)[-1]
        scenario.check(base, parts=mine)
        systems[MINE] = (base, mine)
    return systems


def _missions(missions: str | Sequence[Mission]) -> Missions:
    if isinstance(missions, str):
        return kept(missions)
    if not isinstance(missions, list | tuple) or not all(isinstance(m, Mission) for m in missions):
        raise LessonError(
            f"missions={missions!r:.60} should be a section such as '1.5', or a list of Mission(goal, reached, shown)"
        )
    return Missions(tuple(missions))


def _views(views: Sequence[Drawing]) -> dict[str, Drawing]:
    if not isinstance(views, list | tuple) or not views or not all(callable(view) for view in views):
        raise LessonError(f"views={views!r:.60} should be a list of views, for instance [timeline]")
    return {getattr(view, "__name__", f"view {n}").replace("_", " "): view for n, view in enumerate(views, 1)}


class FailureLab:
    """The panel. Its parts are widgets; setting the `value` of one is what a reader does with it.

    Attributes:
        system, view, seed, plan: the controls (`view` only chooses the picture).
        params: the parameters' controls by name.
        fault: the form that adds a fault to the plan.
        search: the row that searches.
        message, picture, verdicts, missions: what is shown, as HTML.
        access: says what has changed to those who cannot see it.
        runs: the runs that are shown now, by system.
        shown: the picture and the table of verdicts that are shown now.
        root: the widget that holds them all.
    """

    def __init__(
        self,
        scenario: Scenario,
        systems: Mapping[str, System],
        missions: Missions,
        *,
        views: Mapping[str, Drawing],
        system: str | None,
        plan: str | FaultPlan,
        seed: int,
        params: Mapping[str, Any],
    ) -> None:
        if system is not None and system not in systems:
            raise LessonError(
                f"system={system!r} is none of {', '.join(map(repr, systems))}{did_you_mean(system, systems)}"
            )
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= SEED_MAX:
            raise LessonError(f"seed={seed!r} makes no sense here; give a whole number from 0 to {SEED_MAX}")
        values = scenario.check(plan=plan, params=params)
        self.scenario = scenario
        self._systems = systems
        self._views = views
        self._lock = threading.RLock()
        self._loading = False
        self._kept = missions
        self._build(values, system or next(iter(systems)), str(FaultPlan.parse(plan)), seed)
        self.runs: dict[str, Run] = {}
        self.shown: tuple[View, ...] = ()
        self._latest = Latest(self.refresh, self._say_that_it_waits)
        self.refresh()
        self._static = self._static_output()
        self.style.value = f"<style>{STYLE}\n.{self._static_class} {{ display: none; }}</style>"
        self._listen()

    # ---- What it is made of ------------------------------------------------------------------------------

    def _build(self, values: Mapping[str, Any], system: str, plan: str, seed: int) -> None:
        self.system = labelled(
            widgets.Dropdown(description="System", options=list(self._systems), value=system),
            "system",
            width="180px",
        )
        self.view = labelled(
            widgets.Dropdown(description="Picture", options=list(self._views)), "view", width="180px"
        )
        self.seed = labelled(
            widgets.BoundedIntText(description="Seed", value=seed, min=0, max=SEED_MAX), "seed", width="140px"
        )
        self.params = {param.name: Dial(param, values[param.name]) for param in self.scenario.params}
        self.plan = labelled(
            widgets.Textarea(
                description="Fault plan", value=plan, rows=2, placeholder=example(self.scenario)
            ),
            "plan",
            width="auto",
        )
        self.fault = FaultForm(self.scenario, self._add_fault, self._complain)
        self.search = SearchRow(self.scenario, self._searched, self._load_failure, self._say)
        self.access = Access()
        self.style, self.message, self.picture, self.verdicts, self.missions = (
            widgets.HTML() for _ in range(5)
        )
        for part, name in (
            (self.message, "message"),
            (self.picture, "picture"),
            (self.verdicts, "verdicts"),
            (self.missions, "missions"),
        ):
            part.add_class(f"failure-lab-{name}")
        heading = widgets.HTML(f"<p><b>Failure lab: {escape(self.scenario.name)}</b></p>")
        choices = [self.system, *([self.view] if len(self._views) > 1 else []), self.seed]
        first, second = widgets.HBox(choices), widgets.HBox(list(self.params.values()))
        for row in (first, second, self.fault):
            row.add_class("failure-lab-row")
        self.root = widgets.VBox(
            [
                self.style,
                heading,
                self.missions,
                first,
                second,
                self.fault,
                self.plan,
                self.message,
                self.search,
                self.picture,
                self.verdicts,
                self.access,
            ]
        )
        self.root.add_class("failure-lab")

    def _listen(self) -> None:
        def changed(_: Any) -> None:
            if not self._loading:
                self._latest.ask(QUIET_S)

        def typed(_: Any) -> None:
            if not self._loading:
                self._latest.ask(QUIET_TYPING_S)

        for control in (self.system, self.view, self.seed, *self.params.values()):
            control.observe(changed, "value")
        self.plan.observe(typed, "value")

    # ---- What it does ------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Run what stands in the controls and show it. Whatever goes wrong is said in the panel."""
        with self._lock:
            try:
                runs = self._runs_now()
                run = watched(lambda: runs[self.system.value])
                picture = watched(lambda: self._views[self.view.value](run))
            except (Exception, KeyboardInterrupt) as error:  # the last good picture stays
                self._complain(f"{describe(error)}\nBelow stands the last run that worked.")
                return
            self.picture.value = picture.html
            troubles: list[str] = []

            def attempt(what: str, call: Callable[[], T]) -> T | None:
                try:
                    return watched(call)
                except (Exception, KeyboardInterrupt) as error:
                    troubles.append(f"{what}: {describe(error)}")
                    return None

            for name in runs:
                attempt(name, lambda name=name: runs[name])  # type: ignore[misc]
            self.runs = {name: runs.made[name] for name in runs if name in runs.made}
            table = attempt("verdicts", lambda: verdicts(list(self.runs.values())))
            self.verdicts.value = table.html if table is not None else ""
            self.shown = (picture,) if table is None else (picture, table)
            new = None if troubles else attempt("a mission", lambda: self._kept.look(runs))
            self.missions.value = mission_list(self._kept)
            remarks = _remarks(run)
            self.message.value = "".join(map(wrong, troubles)) + note("\n".join(remarks))
            reached = [f"Mission reached: {mission.goal} {mission.shown}" for mission in new or ()]
            self._say(" ".join([*reached, *troubles, *_broken(self.runs), *remarks]))

    def load(self, *, system: str | None = None, plan: str, seed: int, params: Mapping[str, Any]) -> None:
        """Put all of this into the controls, and run it once."""
        with self._lock:
            self._loading = True
            try:
                self.system.value = system or self.system.value
                self.plan.value, self.seed.value = plan, seed
                for name, value in params.items():
                    self.params[name].value = value
            finally:
                self._loading = False
        self._latest.ask(0)

    def _runs_now(self) -> Runs:
        dials = self.params.values()
        turned = {dial.param.name: dial.number for dial in dials if dial.number != dial.param.default}
        plan = FaultPlan.parse(self.plan.value)
        self.scenario.check(plan=plan)
        return Runs(
            self.scenario, self._systems, plan=plan, seed=self.seed.value, max_steps=STEPS_MAX, **turned
        )

    def _add_fault(self, text: str) -> None:
        before = self.plan.value.strip().rstrip(";")
        self.plan.value = f"{before}; {text}" if before else text

    def _complain(self, sentence: str) -> None:
        self.message.value = wrong(sentence)
        self._say(sentence)

    def _say(self, sentence: str) -> None:
        self.access.said = sentence

    def _searched(self) -> tuple[str, System]:
        return self.system.value, self._systems[self.system.value]

    def _load_failure(self, failure: Failure) -> None:
        run = failure.run
        self.load(plan=str(run.plan), seed=run.seed, params=run.values)

    def _say_that_it_waits(self) -> None:
        self.message.value = note("A cell runs a simulation; the panel goes on when that has ended.")

    # ---- What it leaves in the notebook ------------------------------------------------------------------

    def _static_output(self) -> tuple[str, str]:
        views = "".join(view.html for view in self.shown) or self.message.value
        html = self.missions.value + views
        self._static_class = "failure-lab-static-" + hashlib.sha256(html.encode()).hexdigest()[:10]
        goals = [f"Mission: {mission.goal}" for mission in self._kept.all]
        words = "\n".join([*goals, *(view.describe() for view in self.shown)])
        return f'<div class="{self._static_class}">{html}</div>', words

    def describe(self) -> str:
        """Return in words what the panel showed at first: the same each time."""
        return self._static[1]

    def __repr__(self) -> str:
        return self.describe()

    def _ipython_display_(self) -> None:
        live = self.root._repr_mimebundle_() or {}
        live["text/plain"] = (
            f"The failure lab of {self.scenario.name} needs a running kernel: run this cell. Its first picture follows."
        )
        display(live, raw=True)
        display({"text/html": self._static[0], "text/plain": self._static[1]}, raw=True)


def _broken(runs: Mapping[str, Run]) -> list[str]:
    """Say for each system how many rules are broken."""
    return [
        f"{name}: {len(run.broken) or 'no'} rule{'s' * (len(run.broken) != 1)} broken."
        for name, run in runs.items()
    ]


def _remarks(run: Run) -> list[str]:
    found = list(missed(run))
    if run.steps > run.max_steps:
        found.append(
            f"The panel stops a run after {run.max_steps} steps; in a cell, {run.scenario.name}.run(…) goes on for longer."
        )
    return found
