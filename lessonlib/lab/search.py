"""Search: try many fault plans on a scenario, and shrink the first one that breaks a rule.

    print(search(ORDERS, "textbook"))

A plan is drawn from the kinds of fault that the scenario allows. What a field of a fault may be follows from
its name, as it does when plans are read and written: `at_s` is a moment, `node` one of the scenario's nodes,
`probability` a chance. So a kind that a lesson or a learner adds takes part without a word about it here; one
that wants to draw itself has a classmethod `sample(random, targets, horizon_s)`.

The plan that is found has faults that do not matter and numbers that could be others. *Shrinking* makes it
simpler one step at a time, a fault less, a shorter time, a lower chance, and keeps each step after which the
same rule is still broken. What is left when no step can be kept is short enough to think about.

The first plan is the empty one: a system that breaks on a good day needs no fault. Plan number i depends on the
seed and on i alone, and runs with the seed `seed + i`, so the replay line needs nothing of the search.

`search` goes through to the end. `searching` is the same search as a generator that stops before each run, so
that a panel can show how far it is, let others in, and cancel.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.faults import Fault, FaultPlan, meaning
from lessonlib.lab.history import seconds
from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import THE_RUN_ENDS, Parts, Run, Scenario

RUNS_BETWEEN_COLLECTIONS = 100
STEPS_MAX = 1_000_000  # of one run; a run of a search takes a few thousand
SHRINK_RUNS_MAX = 500
SHRINK_STEPS_MAX = 10_000_000  # of all runs of one shrinking, so that shrinking a runaway ends too
PROGRESS_EVERY = 10

# What is drawn from. Few and far apart: a run that survives 1 s of trouble will tell little about 1.1 s.
MOMENTS = 20  # a fault begins at one of so many moments, evenly spread over the scenario's horizon
DURATIONS_S = (0.1, 0.5, 1.0, 3.0)
OFFSETS_S = (0.5, 5.0, 60.0, 3600.0)  # of clocks, forwards and backwards
PROBABILITIES = (0.1, 0.3, 0.5, 1.0)
COUNTS = (1, 2, 3, 5, 8, 13, 20)
SIDES = ("left", "right")

Targets = Mapping[str, tuple[str, ...]]
OnProgress = Callable[[int, int], bool | None]


class SearchError(LessonError):
    """A search was asked for that cannot be made."""


@dataclass(frozen=True)
class Failure:
    """A plan that breaks a rule, made as simple as shrinking could.

    Attributes:
        run: the run of the shrunk plan.
        verdict: what the broken rule says of it.
        number: which plan of the search broke the rule, from 0 (the empty plan).
        steps: every plan that was kept while shrinking, from the one that was found to the last, `run.plan`.
        runs: how many runs shrinking took.
        minimal: whether no single step would have made it simpler; False when shrinking was cut short.
    """

    run: Run
    verdict: Verdict
    number: int
    steps: tuple[FaultPlan, ...]
    runs: int
    minimal: bool

    @property
    def plan(self) -> FaultPlan:
        """The shortest plan that was found to break the rule."""
        return self.run.plan


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        scenario, system, seed, plans: what was asked for.
        tried: how many plans were run, the empty one among them.
        cancelled: whether the search was stopped before its end.
        failure: the plan that breaks a rule, or None.
        not_exercised: the names of the rules that no run put to the test.
        left_out: for each kind of fault that could not be drawn, why.
        parts: the names of your own pieces.
    """

    scenario: Scenario
    system: str
    seed: int
    plans: int
    tried: int
    cancelled: bool
    failure: Failure | None
    not_exercised: tuple[str, ...]
    left_out: tuple[str, ...]
    parts: tuple[str, ...] = ()

    @property
    def exhausted(self) -> bool:
        """Whether every plan was tried and none broke a rule."""
        return self.failure is None and self.tried == self.plans

    def describe(self) -> str:
        """Return what was found, as text: the same for the same search."""
        what = f"{self.scenario.name}, {self.system}"
        if self.parts:
            what += f" with {', '.join(self.parts)} of your own"
        if self.failure is not None:
            return "\n".join([f"{what}: {_tried(self.tried)}, and the last broke a rule.", *self._found()])
        if self.cancelled:
            lines = [
                f"{what}: stopped after {self.tried} of {_tried(self.plans)}; no rule was broken so far."
            ]
        else:
            lines = [f"{what}: {_tried(self.tried)}, and no rule was broken."]
        if self.not_exercised and self.tried:
            lines.append("Never put to the test: " + "; ".join(self.not_exercised) + ".")
        lines += [f"Left out: {reason}." for reason in self.left_out]
        return "\n".join(lines)

    def _found(self) -> Iterator[str]:
        failure = self.failure
        assert failure is not None
        verdict = failure.verdict
        when = f" at {seconds(verdict.at_us)}" if verdict.at_us is not None else ""
        yield f"  Broken{when}: {verdict.rule}. {verdict.sentence}"
        if failure.plan.faults:
            shortest = "Shortest plan" if failure.minimal else "Shortest plan so far"
            found, steps = len(failure.steps[0]), len(failure.steps) - 1
            yield f"  {shortest}: {failure.plan}"
            yield f"  It was found with {_count(found, 'fault')} and shrunk in {_count(steps, 'step')}."
        else:
            yield "  It needs no fault."
        yield f"  Again: {failure.run.replay}"

    def __repr__(self) -> str:
        return self.describe()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _tried(number: int) -> str:
    return _count(number, "fault plan")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is.

    Attributes:
        tried, plans: how many plans were run, of how many.
        plan: the one that is run next.
        shrinking: None, or how many runs shrinking has taken so far.
    """

    tried: int
    plans: int
    plan: FaultPlan
    shrinking: int | None = None


# `send(False)` in place of `next` cancels: then it ends at once with what it has.
Searching = Generator[Progress, bool | None, SearchResult]


def search(
    scenario: Scenario,
    system: str = "pattern",
    *,
    parts: Parts | None = None,
    plans: int = 500,
    seed: int = 1,
    faults_max: int = 3,
    rules: Collection[str] | None = None,
    on_progress: OnProgress | None = None,
    **params: Any,
) -> SearchResult:
    """Try fault plans until one breaks a rule, and shrink that one.

    Args:
        scenario: what is run, with its `small` parameters.
        system: which of the scenario's systems.
        parts: your own pieces by name, in place of the system's.
        plans: how many plans to try at most, the empty one among them.
        seed: fixes which plans are tried, and the chance in each run.
        faults_max: how many faults a plan has at most.
        rules: the names of the rules that count; left out, all of them.
        on_progress: called with (tried, plans) every few runs, also while shrinking; False stops the search.
        params: values for the scenario's parameters, over its `small` ones.

    Raises SearchError when the arguments make no sense or none of the scenario's faults can be drawn.
    """
    steps = searching(
        scenario,
        system,
        parts=parts,
        plans=plans,
        seed=seed,
        faults_max=faults_max,
        rules=rules,
        **params,
    )
    answer: bool | None = None
    with collecting_by_hand():
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: SearchResult = end.value
                break
            runs = step.tried if step.shrinking is None else step.shrinking
            tell = on_progress is not None and runs % PROGRESS_EVERY == 0
            answer = on_progress(step.tried, step.plans) if tell and on_progress else None
    if on_progress is not None and not result.cancelled:
        on_progress(result.tried, result.plans)
    return result


def searching(
    scenario: Scenario,
    system: str = "pattern",
    *,
    parts: Parts | None = None,
    plans: int = 500,
    seed: int = 1,
    faults_max: int = 3,
    rules: Collection[str] | None = None,
    **params: Any,
) -> Searching:
    """Return `search` with the same arguments as a generator that yields its Progress before each run.

    How it is interleaved with other things makes no difference to the result, which is what it returns. Wrap
    some steps in `collecting_by_hand()` to make them faster. Raises SearchError at once, and what makes no sense to
    the scenario at the first step.
    """
    for name, value in (("plans", plans), ("faults_max", faults_max)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SearchError(f"{name}={value!r} makes no sense; give a whole number, 1 or more")
    hunt = _Hunt(scenario, system, parts, rules, {**scenario.small, **params})
    kinds, left_out = _drawable(scenario)

    def steps() -> Searching:
        failure = None
        for number in range(plans):
            plan = _draw_plan(scenario, kinds, faults_max, seed, number)
            if (yield Progress(hunt.tried, plans, plan)) is False:
                hunt.cancelled = True
                break
            run = hunt.run(plan, seed + number)
            hunt.tried += 1
            found = hunt.broken(run)
            if found is not None:
                failure = yield from _shrink(hunt, run, found, number, plans)
                break
        return SearchResult(
            scenario=scenario,
            system=system,
            seed=seed,
            plans=plans,
            tried=hunt.tried,
            cancelled=hunt.cancelled,
            failure=failure,
            not_exercised=tuple(name for name in hunt.rules if name not in hunt.exercised),
            left_out=left_out,
            parts=tuple(sorted(parts or {})),
        )

    return steps()


@contextmanager
def collecting_by_hand() -> Iterator[None]:
    """Leave garbage alone for the while: Python would look through it after each of hundreds of small runs.

    What was there before is no garbage of the search, so its own collections need not look at that either.
    """
    collecting = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()


class _Hunt:
    """What stays the same in all runs of one search, and how far it has come."""

    def __init__(
        self,
        scenario: Scenario,
        system: str,
        parts: Parts | None,
        rules: Collection[str] | None,
        params: Mapping[str, Any],
    ) -> None:
        known = [rule.name for rule in scenario.rules]
        for name in rules or ():
            if name not in known and name != THE_RUN_ENDS:
                raise SearchError(f"{scenario.name} has no rule {name!r}; choose from {known}")
        self.rules = [name for name in known if rules is None or name in rules]
        self.exercised: set[str] = set()
        self.tried = 0
        self.cancelled = False
        self._counted = {THE_RUN_ENDS, *known} if rules is None else set(rules)
        self._scenario = scenario
        self._system = system
        self._parts = parts
        self._params = params
        self._runs = 0

    def run(self, plan: FaultPlan, seed: int) -> Run:
        self._runs += 1
        if self._runs % RUNS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
        run = self._scenario.run(
            self._system, parts=self._parts, plan=plan, seed=seed, max_steps=STEPS_MAX, **self._params
        )
        self.exercised.update(v.rule for v in run.verdicts if v.status != "not exercised")
        return run

    def broken(self, run: Run, rule: str | None = None) -> Verdict | None:
        """Return the earliest verdict of a rule that is broken, if it counts; of `rule` when that is given."""
        counted = self._counted if rule is None else {rule}
        return next((verdict for verdict in run.broken if verdict.rule in counted), None)


# ---- Drawing ---------------------------------------------------------------------------------------------


def _draw_plan(
    scenario: Scenario, kinds: list[type[Fault]], faults_max: int, seed: int, number: int
) -> FaultPlan:
    if number == 0:
        return FaultPlan()
    random = Random(f"{seed}/plan {number}")
    faults = [
        draw(random.choice(kinds), random, scenario.targets, scenario.horizon_s)
        for _ in range(random.randint(1, faults_max))
    ]
    return FaultPlan(tuple(sorted(faults, key=lambda fault: fault.begins_s)))


def draw(kind: type[Fault], random: Random, targets: Targets, horizon_s: float) -> Fault:
    """Return a fault of `kind`, as its own `sample` or the names of its fields say.

    Args:
        kind: the kind of fault.
        random: where chance comes from.
        targets: for `node`, `target`, `file`, ... the names to choose from.
        horizon_s: when the fault begins at the latest, in seconds.
    """
    sample = getattr(kind, "sample", None)
    if sample is not None:
        fault: Fault = sample(random, targets, horizon_s)
        return fault
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        # A crash without an end breaks every liveness rule, and tells nothing by it: `down_s` is always drawn.
        optional = field.default is None and field.name != "down_s"
        if optional and random.random() < 0.5:
            values[field.name] = None
        else:
            values[field.name] = _draw_value(field, values, random, targets, horizon_s)
    return kind(**values)


def _draw_value(
    field: dataclasses.Field[Any],
    earlier: Mapping[str, Any],
    random: Random,
    targets: Targets,
    horizon_s: float,
) -> Any:
    """Return a value for one field; `earlier` has those of the fields before it."""
    name = field.name
    if name in ("at_s", "start_s"):
        return horizon_s * random.randrange(MOMENTS) / MOMENTS
    if name == "end_s":
        return earlier.get("start_s", 0.0) + random.choice(DURATIONS_S)
    if name == "offset_s":
        return random.choice(OFFSETS_S) * random.choice((1, -1))
    if name.endswith("_s"):
        return random.choice(DURATIONS_S)
    if name == "probability":
        return random.choice(PROBABILITIES)
    if name == "count":
        return random.choice(COUNTS)
    if isinstance(field.default, bool):
        return random.random() < 0.5
    names = _names(name, targets)
    taken = {earlier.get("source")} if name == "to" else set(earlier.get("left", ()))
    free = [one for one in names if one not in taken]
    if name == "left":
        return _some(names, random.randint(1, len(names) - 1), random)
    if name == "right":  # all others, or, for a partial partition, some of them
        return _some(free, random.choice((len(free), random.randint(1, len(free)))), random)
    return random.choice(free) if free else field.default


def _names(field: str, targets: Targets) -> tuple[str, ...]:
    """The names that a field may take."""
    return targets.get("node" if field in ("source", "to", *SIDES) else field, ())


def _some(names: Collection[str], number: int, random: Random) -> tuple[str, ...]:
    chosen = random.sample(list(names), number)
    return tuple(name for name in names if name in chosen)


def _drawable(scenario: Scenario) -> tuple[list[type[Fault]], tuple[str, ...]]:
    """Return the kinds of fault that can be drawn, and why the others cannot. Raises when there is none."""
    kinds, left_out = [], []
    for kind in scenario.faults:
        lack = _lack(kind, scenario.targets)
        if lack:
            left_out.append(f"{kind.__name__} ({lack})")
        else:
            kinds.append(kind)
    if not kinds:
        reasons = "; ".join(left_out) or "its `faults` are empty"
        raise SearchError(f"{scenario.name} has no fault that a search could draw: {reasons}")
    return kinds, tuple(left_out)


def _lack(kind: type[Fault], targets: Targets) -> str:
    """Say what keeps faults of `kind` from being drawn; "" when nothing does."""
    if not kind.form:
        return "it has no `form`, so no plan could be written down"
    if hasattr(kind, "sample"):
        return ""
    for field in dataclasses.fields(kind):
        name = field.name
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if not needed or name.endswith("_s") or name in ("probability", "count"):
            continue
        if len(_names(name, targets)) < (2 if name in SIDES else 1):
            key = "node" if name in SIDES else name
            what = "two or more names" if name in SIDES else meaning(name)
            return f"it needs {what} for {name!r}, and `targets` has too few for {key!r}"
    return ""


# ---- Shrinking -------------------------------------------------------------------------------------------


def _shrink(
    hunt: _Hunt, run: Run, verdict: Verdict, number: int, plans: int
) -> Generator[Progress, bool | None, Failure]:
    """Simplify greedily, always with the seed of the run that was found, until no step keeps the rule broken."""
    steps, runs, spent, minimal = [run.plan], 0, run.steps, False
    tried = {str(run.plan)}
    while not minimal:
        for plan in _simpler_plans(run.plan):
            if str(plan) in tried:
                continue
            if runs >= SHRINK_RUNS_MAX or spent >= SHRINK_STEPS_MAX:
                return Failure(run, verdict, number, tuple(steps), runs, minimal)
            if (yield Progress(hunt.tried, plans, plan, shrinking=runs)) is False:
                hunt.cancelled = True
                return Failure(run, verdict, number, tuple(steps), runs, minimal)
            tried.add(str(plan))
            simpler = hunt.run(plan, run.seed)
            runs, spent = runs + 1, spent + simpler.steps
            still = hunt.broken(simpler, verdict.rule)
            if still is not None:
                run, verdict = simpler, still
                steps.append(plan)
                break
        else:
            minimal = True
    return Failure(run, verdict, number, tuple(steps), runs, minimal)


def _simpler_plans(plan: FaultPlan) -> Iterator[FaultPlan]:
    """Yield every plan that is one step simpler: first those with a fault less, then with one fault simpler."""
    for i in range(len(plan)):
        yield FaultPlan(plan.faults[:i] + plan.faults[i + 1 :])
    for i, fault in enumerate(plan.faults):
        for field in dataclasses.fields(fault):
            for changes in _simpler(fault, field):
                try:
                    simpler = dataclasses.replace(fault, **changes)
                except LessonError:  # a kind of fault may know more about its fields than their names say
                    continue
                yield FaultPlan((*plan.faults[:i], simpler, *plan.faults[i + 1 :]))


def _simpler(fault: Fault, field: dataclasses.Field[Any]) -> Iterator[dict[str, Any]]:
    """Yield changes to `fault` that make one field simpler, the simplest first.

    Each one lowers what it changes (a length, a chance, a number of names, the digits of a moment) and raises
    nothing, so shrinking comes to an end.
    """
    name, value = field.name, getattr(fault, field.name)
    if value is None:
        return
    if field.default is None and name != "down_s":
        yield {name: None}
    if name in ("at_s", "start_s"):
        length = {"end_s": fault.ends_s - value} if hasattr(fault, "end_s") else {}
        for moment in _rounder(value):
            yield {name: moment, **{k: moment + v for k, v in length.items()}}
    elif name == "end_s":
        start = fault.begins_s
        yield from ({name: start + length} for length in DURATIONS_S if start + length < value)
    elif name == "offset_s":
        yield from ({name: s if value > 0 else -s} for s in OFFSETS_S if s < abs(value))
    elif name.endswith("_s"):
        yield from ({name: length} for length in DURATIONS_S if length < value)
    elif name == "probability":
        yield from ({name: chance} for chance in PROBABILITIES if chance < value)
    elif name == "count":
        yield from ({name: count} for count in (*COUNTS, value - 1) if count < value)
    elif value is True and field.default is False:
        yield {name: False}
    elif name in SIDES and len(value) > 1:
        yield from ({name: value[:i] + value[i + 1 :]} for i in range(len(value)))


def _rounder(moment_s: float) -> Iterator[float]:
    """Yield the neighbours of a moment that are rounder: whole seconds, then halves, then tenths."""
    for unit_s in (1.0, 0.5, 0.1):
        below = moment_s // unit_s * unit_s
        if abs(round(moment_s / unit_s) * unit_s - moment_s) < 1e-6:
            return  # it is as round as that already
        yield from (below, below + unit_s)
