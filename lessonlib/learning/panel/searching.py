"""The search in the panel: a button, progress, cancel; what is found is handed on."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from lessonlib.errors import LessonError
from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.scenario import Scenario
from lessonlib.lab.search import Failure, Progress, Searching, SearchResult, collecting_by_hand, searching
from lessonlib.learning.missions import System
from lessonlib.learning.panel.look import labelled, note, wrong
from lessonlib.learning.panel.slices import Slices
from lessonlib.learning.panel.watched import describe, watched

PLANS = 300
PLANS_MAX = 5_000


class SearchRow(widgets.VBox):
    """The row.

    Args:
        scenario: whose faults are tried, with its `small` parameters.
        system: returns the name of the system to search, and which it is.
        found: called with the failure when a plan broke a rule.
        say: says a sentence to those who cannot see it.

    Attributes:
        plans: how many plans to try.
        button, cancel: begin and end it.
        message: progress, and what came of it.
        result: what the last search that ended found, or None.
    """

    def __init__(
        self,
        scenario: Scenario,
        system: Callable[[], tuple[str, System]],
        found: Callable[[Failure], None],
        say: Callable[[str], None],
    ) -> None:
        self._scenario, self._system, self._found, self._say = scenario, system, found, say
        self._slices: Slices | None = None
        self._name = ""
        self._trying = FaultPlan()
        self.result: SearchResult | None = None
        self.button = widgets.Button(description="Search for a plan that breaks a rule")
        self.button.layout = widgets.Layout(width="auto")
        self.button.add_class("failure-lab-search")
        self.plans = labelled(
            widgets.BoundedIntText(description="Plans to try", value=PLANS, min=1, max=PLANS_MAX),
            "plans",
            width="170px",
        )
        self.cancel = widgets.Button(description="Cancel the search", disabled=True)
        self.cancel.layout = widgets.Layout(width="auto")
        self.cancel.add_class("failure-lab-cancel")
        self.message = widgets.HTML()
        self.message.add_class("failure-lab-progress")
        row = widgets.HBox([self.button, self.plans, self.cancel])
        row.add_class("failure-lab-row")
        super().__init__([row, self.message])
        self.button.on_click(lambda _: self.start())
        self.cancel.on_click(lambda _: self.stop())

    def start(self) -> None:
        """Begin to search the chosen system, unless a search is going on."""
        if self._slices is not None:
            return
        self._name, (system, parts) = self._system()
        try:
            work = searching(self._scenario, system, parts=parts, plans=self.plans.value)
        except LessonError as error:
            self.message.value = wrong(str(error))
            return
        self.button.disabled, self.cancel.disabled = True, False
        self._say(f"Searching {self._name}.")
        self._tick(Progress(0, self.plans.value, FaultPlan()))
        self._slices = Slices(
            work, tick=self._tick, done=self._done, failed=self._failed, step=self._step, waiting=self._wait
        )
        self._slices.start()

    def stop(self) -> None:
        """Ask the search to end with what it has."""
        if self._slices is not None:
            self._slices.cancel()

    def _step(self, work: Searching, answer: bool | None) -> Progress:
        def step() -> Progress:
            with collecting_by_hand():
                return work.send(answer)

        seen = watched(step)
        self._trying = seen.plan
        return seen

    def _tick(self, seen: Progress) -> None:
        what = f"{seen.tried} of {seen.plans} plans tried on {self._name}"
        if seen.shrinking is not None:
            what = f"Plan {seen.tried} broke a rule; making it shorter ({seen.shrinking} runs)"
        self.message.value = (
            f'<p><progress max="{seen.plans}" value="{seen.tried}" aria-label="Progress of the search"></progress> '
            f"{what}</p>"
        )

    def _wait(self) -> None:
        self.message.value = note(
            f"A cell runs a simulation; the search of {self._name} goes on when that has ended."
        )

    def _done(self, result: SearchResult) -> None:
        self._ended()
        self.result = result
        said = result.describe().splitlines()
        said[0] = said[0].replace(f", {result.system}:", f", {self._name}:", 1)
        if result.failure is not None:
            said = [line.strip() for line in said if not line.strip().startswith("Again:")]
            said.append("It stands in the panel now, with its seed and parameters.")
        self.message.value = note("\n".join(said))
        self._say(" ".join(said))
        if result.failure is not None:
            self._found(result.failure)

    def _failed(self, error: BaseException) -> None:
        self._ended()
        said = f"{describe(error)} It happened under the plan '{self._trying or 'no fault'}'."
        self.message.value = wrong(said)
        self._say(said)

    def _ended(self) -> None:
        self._slices = None
        self.button.disabled, self.cancel.disabled = False, True
