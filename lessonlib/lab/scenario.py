"""A scenario puts a system into a world with a workload, faults and rules; a run is what came of it.

run = ORDERS.run("textbook", plan="at 5s crash inventory for 3s", seed=1)
run.history     what happened
run.verdicts    what the rules say of it
run.replay      the line that gives this very run again
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.faults import Fault, FaultError, FaultPlan, verb
from lessonlib.lab.history import History, seconds
from lessonlib.lab.loop import VirtualLoop, describe_error
from lessonlib.lab.rules import Rule, Verdict, broken, judge_all
from lessonlib.lab.suggest import did_you_mean
from lessonlib.lab.world import World
from lessonlib.limits import MAX_STEPS, StepBudgetExceeded

THE_RUN_ENDS = "the run ends"  # a rule of every scenario: the workload comes to its end
Parts = Mapping[str, Callable[..., Any]]


class ScenarioError(LessonError):
    """A scenario was asked for something that it does not have."""


@dataclass(frozen=True, slots=True)
class Param:
    """Something about a run that a reader may turn.

    Attributes:
        name: as `Scenario.run` takes it; ends in its unit (`latency_ms`) where it has one.
        default: the value when nothing is said.
        low, high: the range, both ends included. The type of `default` is the type of the value.
        unit: for people ("orders", "orders/s", "s"); "" for a plain number.
        help: one sentence.
    """

    name: str
    default: int | float
    low: int | float
    high: int | float
    unit: str = ""
    help: str = ""

    def check(self, value: Any) -> int | float:
        """Return `value` if it makes sense; raise ScenarioError naming the range otherwise."""
        whole = isinstance(self.default, int)
        good = (
            isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high
        )
        if not good or (whole and value != int(value)):
            raise ScenarioError(
                f"{self.name}={value!r} makes no sense; give a {'whole ' if whole else ''}number "
                f"from {self.low} to {self.high}{' ' + self.unit if self.unit else ''}"
            )
        return int(value) if whole else float(value)


@dataclass(frozen=True)
class Scenario:
    """A system's trial: what is built, what may be turned and broken, and what must hold.

    Attributes:
        name: as it is imported, so that a replay line can be pasted ("ORDERS").
        build: `(world, parts, params) -> workload`; adds the nodes and returns the workload's coroutine.
        systems: for each system's name its parts, by name. A part is a factory: a restart builds it anew.
        params: what a reader may turn.
        faults: the kinds of fault that make sense here.
        rules: what must hold, in the order in which a reader should look at them.
        targets: for each field of a fault (`node`, `target`, `file`) the names it may take.
        settle_s: how long after the last fault liveness is judged, in seconds of virtual time.
        limit_s: when a workload that does not end is given up, after the last fault.
        horizon_s: within what time search places its faults.
        small: parameters for search, where a run should take milliseconds.
        lanes: the nodes from top to bottom, as pictures show them; left out, in order of appearance.
    """

    name: str
    build: Callable[[World, Parts, Mapping[str, Any]], Coroutine[Any, Any, Any]]
    systems: Mapping[str, Parts]
    params: tuple[Param, ...]
    faults: tuple[type[Fault], ...]
    rules: tuple[Rule, ...]
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settle_s: float = 30
    limit_s: float = 600
    horizon_s: float = 10
    small: Mapping[str, Any] = field(default_factory=dict)
    lanes: tuple[str, ...] = ()

    def run(
        self,
        system: str = "pattern",
        *,
        parts: Parts | None = None,
        plan: str | FaultPlan = "",
        seed: int = 1,
        max_steps: int = MAX_STEPS,
        messages: bool = True,
        **params: Any,
    ) -> Run:
        """Run the workload once, in virtual time, and return what happened.

        Args:
            system: which of `systems`.
            parts: your own pieces by name, in place of the system's.
            plan: the faults, as text or as a FaultPlan.
            seed: fixes every draw of chance.
            max_steps: how many steps the run may take before it is stopped.
            messages: whether `sent` and `delivered` messages are recorded; without them a long run takes a third
                of the memory. Nothing else changes.
            params: values for `self.params`.

        Whatever the system does, it is in the history: this raises only for arguments that make no sense.
        """
        pieces = self._pieces(system, {} if parts is None else parts)
        faults = self._plan(plan)
        values = self._values(params)
        loop = VirtualLoop(max_steps=max_steps)
        ended: str | None = None
        with loop.opened(seed):
            world = World(loop, seed=seed, messages=messages)
            try:
                world.schedule(faults)
                workload = loop.create_task(
                    self._workload(world, pieces, values), name="workload", context=world.lab_context
                )
                last_fault_us = round(faults.ends_s * 1e6)
                how = loop.run(workload, deadline_us=last_fault_us + round(self.limit_s * 1e6))
                if how == "done":
                    ended = _failure(workload, loop.now_us)
                else:
                    ended = (
                        f"The workload had not ended {self.limit_s:g} s after the last fault."
                        if how == "deadline"
                        else f"The workload waits at {seconds(loop.now_us)} and nothing is left to wake it."
                    )
                until_us = max(loop.now_us, last_fault_us) + round(self.settle_s * 1e6)
                loop.run(deadline_us=until_us)
            except StepBudgetExceeded as error:
                ended = str(error).splitlines()[0]
            world.finish()
        history = world.history
        return Run(
            scenario=self,
            system=system,
            parts=tuple(sorted(parts or {})),
            plan=faults,
            seed=seed,
            params={k: v for k, v in values.items() if k in params},
            values=values,
            history=history,
            end_us=loop.now_us,
            steps=loop.steps,
            unfinished=ended,
            max_steps=max_steps,
            messages=messages,
            parts_written=_written(parts or {}),
        )

    def check(
        self,
        system: str = "pattern",
        *,
        parts: Parts | None = None,
        plan: str | FaultPlan = "",
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, int | float]:
        """Return the value of every parameter, and run nothing. Raises what `run` would raise for these arguments."""
        if parts is not None:
            self._pieces(system, parts)
        self._plan(plan)
        return self._values({} if params is None else params)

    def _workload(self, world: World, pieces: Parts, values: Mapping[str, Any]) -> Coroutine[Any, Any, Any]:
        """Build the system. If that fails, the run has a workload that fails in the same way."""
        try:
            return self.build(world, pieces, values)
        except Exception as error:
            failure = error

        async def fail() -> None:
            raise failure

        return fail()

    def _pieces(self, system: str, parts: Parts) -> Parts:
        if not isinstance(system, str) or system not in self.systems:
            raise ScenarioError(f"{self.name} has no system {system!r}; {_choose(system, self.systems)}")
        if not isinstance(parts, Mapping):
            raise ScenarioError(
                f"parts are given by name, not as {parts!r:.60}; write parts={{'name': ...}} with a name from "
                f"{_names(self.systems[system])}"
            )
        pieces = dict(self.systems[system])
        for name, part in parts.items():
            if name not in pieces:
                raise ScenarioError(f"{self.name} has no part {name!r}; {_choose(name, pieces)}")
            if not callable(part):
                raise ScenarioError(
                    f"part {name!r} is {part!r:.60}, which cannot be called; give a class or a function, "
                    "not an object, since a restart builds it anew"
                )
            pieces[name] = part
        return pieces

    def _plan(self, plan: str | FaultPlan) -> FaultPlan:
        try:
            faults = FaultPlan.parse(plan, self.faults)
        except FaultError as error:
            try:
                faults = FaultPlan.parse(plan)  # a fault of another scenario: that is said below
            except FaultError:
                raise error from None
        for fault in faults:
            if type(fault) not in self.faults:
                known = ", ".join(sorted({verb(kind) for kind in self.faults}))
                raise ScenarioError(f"{self.name} has no fault like '{fault}'; it knows {known}")
            for name in ("node", "target", "source", "to", "file", "left", "right"):
                value = getattr(fault, name, None)
                what = "node" if name in ("source", "to", "left", "right") else name
                allowed = self.targets.get(what)
                for one in value if isinstance(value, tuple) else (value,):
                    if one is not None and allowed is not None and one not in allowed:
                        raise ScenarioError(f"'{fault}': no {what} {one!r} here; {_choose(one, allowed)}")
        return faults

    def _values(self, params: Mapping[str, Any]) -> dict[str, int | float]:
        known = {param.name: param for param in self.params}
        for name in params:
            if name not in known:
                raise ScenarioError(f"{self.name} has no parameter {name!r}; {_choose(name, known)}")
        return {name: param.check(params.get(name, param.default)) for name, param in known.items()}


def _failure(workload: Any, now_us: int) -> str | None:
    """Say how the workload failed, if it did. Only arguments that make no sense are raised."""
    if workload.cancelled():
        return f"The workload was cancelled at {seconds(now_us)}."
    error = workload.exception()
    if isinstance(error, ScenarioError):
        raise error
    return None if error is None else f"The workload failed at {seconds(now_us)}: {describe_error(error)}."


def _names(names: Any) -> str:
    return ", ".join(repr(name) for name in names)


def _choose(word: Any, names: Any) -> str:
    return f"choose from {_names(names)}{did_you_mean(word, names)}"


def _written(parts: Parts) -> str:
    """Parts may say themselves, in `line`, which call makes them. Else they stand there by the factories' names."""
    line = getattr(parts, "line", "")
    if line:
        return str(line)
    names = {name: getattr(part, "__name__", "") for name, part in sorted(parts.items())}
    written = (f"{name!r}: {known if known.isidentifier() else '...'}" for name, known in names.items())
    return "{" + ", ".join(written) + "}"


@dataclass(frozen=True)
class Run:
    """One run of a scenario.

    Attributes:
        scenario, system, parts, plan, seed, params: how it was made; `parts` are the names of your own pieces.
        values: every parameter's value, the defaults among them.
        history: what happened.
        end_us: when the run ended, in microseconds of virtual time.
        steps: how many callbacks the event loop ran.
        unfinished: why the workload did not end, or None.
        max_steps: after how many steps it would have been stopped.
        messages: whether `sent` and `delivered` messages were recorded.
        parts_written: how a line writes `parts`, so that it can be pasted where your pieces are at hand.
    """

    scenario: Scenario
    system: str
    parts: tuple[str, ...]
    plan: FaultPlan
    seed: int
    params: Mapping[str, Any]
    values: Mapping[str, Any]
    history: History
    end_us: int
    steps: int
    unfinished: str | None = None
    max_steps: int = MAX_STEPS
    messages: bool = True
    parts_written: str = ""

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each rule says. A run that did not end breaks a rule of its own, listed first."""
        verdicts = judge_all(self.scenario.rules, self.history)
        if self.unfinished is not None:
            stuck = dataclasses.replace(broken(self.unfinished, at_us=self.end_us), rule=THE_RUN_ENDS)
            return (stuck, *verdicts)
        return verdicts

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The verdicts of broken rules, the earliest in virtual time first."""
        bad = [v for v in self.verdicts if v.status == "broken"]
        return tuple(sorted(bad, key=lambda v: self.end_us if v.at_us is None else v.at_us))

    def verdict(self, rule: str) -> Verdict:
        """Return what the rule of this name says. Raises ScenarioError when there is none."""
        for verdict in self.verdicts:
            if verdict.rule == rule:
                return verdict
        raise ScenarioError(f"no rule {rule!r}; choose from {_names(v.rule for v in self.verdicts)}")

    @property
    def replay(self) -> str:
        """The line that gives this run again."""
        arguments = [repr(self.system)]
        if self.parts:
            arguments.append(f"parts={self.parts_written}")
        if self.plan.faults:
            arguments.append(f'plan="{self.plan}"')
        arguments.append(f"seed={self.seed!r}")
        if self.steps > self.max_steps != MAX_STEPS:  # else the limit made no difference
            arguments.append(f"max_steps={self.max_steps}")
        if not self.messages:
            arguments.append("messages=False")
        arguments += [f"{name}={value!r}" for name, value in self.params.items()]
        return f"{self.scenario.name}.run({', '.join(arguments)})"

    def describe(self) -> str:
        """Return the verdicts as text, one a line."""
        marks = {"holds": "holds        ", "broken": "BROKEN       ", "not exercised": "not exercised"}
        lines = [self.replay]
        for v in self.verdicts:
            when = f" at {seconds(v.at_us)}" if v.at_us is not None else ""
            lines.append(f"  {marks[v.status]}{when}  {v.rule}: {v.sentence}")
        return "\n".join(lines)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __repr__(self) -> str:
        return self.describe()


__all__ = ["Param", "Parts", "Run", "Scenario", "ScenarioError", "describe_error"]
