"""Missions: a goal in the failure lab, recognised when it is reached, with a sentence on what was shown.

    Mission("Make publish fail for one order only.", lambda runs: len(failed(runs["textbook"])) == 1, "…")

They stand beside the lesson as data, `MISSIONS["1.5"]` in `lessonlib/<lesson>/missions.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.scenario import Parts, Run, Scenario
from lessonlib.lab.suggest import did_you_mean
from lessonlib.lessons import LESSONS
from lessonlib.limits import MAX_STEPS

System = tuple[str, Parts]  # one of a scenario's systems, and the parts that are replaced in it


class Runs(Mapping[str, Run]):
    """The runs of each system under one plan, seed and parameters; each is made when it is first asked for.

    Args:
        scenario: what is run.
        systems: left out, the scenario's own.
        plan, seed, max_steps, params: as `Scenario.run` takes them.

    Attributes:
        made: the runs that have been made so far.
        words: the plan, and what else was turned.
    """

    def __init__(
        self,
        scenario: Scenario,
        systems: Mapping[str, System] | None = None,
        *,
        plan: str | FaultPlan = "",
        seed: int = 1,
        max_steps: int = MAX_STEPS,
        **params: Any,
    ) -> None:
        self.scenario = scenario
        self.plan = FaultPlan.parse(plan)
        self._systems = {name: (name, {}) for name in scenario.systems} if systems is None else systems
        self._arguments = {"plan": self.plan, "seed": seed, "max_steps": max_steps, **params}
        self.made: dict[str, Run] = {}
        turned = [f"{name}={value}" for name, value in params.items()]
        self.words = ", ".join(
            [str(self.plan) or "no fault", *([f"seed={seed}"] if seed != 1 else []), *turned]
        )

    def __getitem__(self, name: str) -> Run:
        if name not in self._systems:
            known = ", ".join(map(repr, self._systems))
            raise LessonError(
                f"there is no system {name!r} here; choose from {known}{did_you_mean(name, self._systems)}"
            )
        if name not in self.made:
            system, parts = self._systems[name]
            self.made[name] = self.scenario.run(system, parts=parts, **self._arguments)
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._systems)

    def __len__(self) -> int:
        return len(self._systems)

    def __contains__(self, name: object) -> bool:
        return name in self._systems


@dataclass(frozen=True, slots=True)
class Mission:
    """Something to bring about in the failure lab.

    Attributes:
        goal: what to bring about, as an imperative sentence.
        reached: whether these runs bring it about. Ask `runs["textbook"]` and the like; "mine" is there only when
            the learner has pieces of their own.
        shown: one or two sentences on what has been shown by it.
    """

    goal: str
    reached: Callable[[Runs], bool]
    shown: str

    def __post_init__(self) -> None:
        for name in ("goal", "shown"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise LessonError(f"Mission: {name}={value!r:.60} should be a sentence")
        if not callable(self.reached):
            raise LessonError(
                f"Mission: reached={self.reached!r:.60} cannot be called; give a function from runs to True or False"
            )


def missions(section: str) -> tuple[Mission, ...]:
    """Return the missions of a section, "1.5". Raises LessonError naming those that there are."""
    known: dict[str, tuple[Mission, ...]] = {}
    for lesson in LESSONS:
        try:
            module = importlib.import_module(f"lessonlib.{lesson.name}.missions")
        except ModuleNotFoundError as error:
            if error.name != f"lessonlib.{lesson.name}.missions":
                raise
            continue  # a lesson without missions
        known |= module.MISSIONS
    if section not in known:
        raise LessonError(
            f"there are no missions of section {section!r}; there are those of {', '.join(known)}"
        )
    return known[section]


class Missions:
    """Which missions have been reached, and by which plan. Once reached, a mission stays so."""

    def __init__(self, missions: tuple[Mission, ...]) -> None:
        self.all = missions
        self.reached: dict[Mission, str] = {}  # and what did it: plan, seed, parameters

    def look(self, runs: Runs) -> list[Mission]:
        """Return the missions that these runs reach for the first time."""
        new = [mission for mission in self.all if mission not in self.reached and mission.reached(runs)]
        self.reached |= dict.fromkeys(new, runs.words)
        return new

    @property
    def progress(self) -> str:
        return f"{len(self.reached)} of {len(self.all)} missions"


_KEPT: dict[str, Missions] = {}


def kept(section: str) -> Missions:
    """Return the missions of a section as they stand: whoever runs the cell again loses none that was reached."""
    if section not in _KEPT:
        _KEPT[section] = Missions(missions(section))
    return _KEPT[section]
