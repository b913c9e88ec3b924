"""What an exercise asks, and how an answer is judged.

An `Exercise` is a list of cases. A case runs the learner's piece in a scenario under one fault plan and looks at
some rules; a probe tries the piece directly. The first case that breaks something decides what is reported, and
of what it breaks, the earliest. Where a hint's misconception matches what was seen, the hint is added; either way
one rung of the exercise's ladder of hints fits what was seen.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.history import seconds
from lessonlib.lab.loop import clean_traceback, describe_error
from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import Run, Scenario
from lessonlib.limits import Runaway, watchdog

MAX_STEPS = 1_500_000  # steps that one case may take: some seconds
STUCK_S = 5.0  # real seconds without a turn of the event loop
LOOK, IDEA, PSEUDOCODE = 1, 2, 3
NO_RUNG = -1
RUNGS = ("what to look at", "the idea", "pseudocode")  # of every ladder of hints, from the lowest


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement that an answer breaks.

    Attributes:
        requirement: what is asked, as a sentence.
        seen: what happened instead.
        when: virtual time, "" where there is none.
        look: what to look at next: a line that replays the run, or a call to try.
        hint: the misconception's hint, "" when none matches.
        unwritten: whether the answer is still the stub.
        rung: the number of the rung of the ladder that helps here; left out, the idea where a misconception was
            recognised, else what to look at. NO_RUNG where none can help.
    """

    requirement: str
    seen: str
    when: str = ""
    look: str = ""
    hint: str = ""
    unwritten: bool = False
    rung: int = 0

    @property
    def opens(self) -> int:
        """The rung that helps here; 0 where none does, as where the answer has not been begun."""
        return 0 if self.unwritten or self.rung == NO_RUNG else self.rung or (IDEA if self.hint else LOOK)


@dataclass(frozen=True, slots=True)
class Case:
    """One run of the learner's piece in a scenario.

    Attributes:
        about: what is tried, in a few words ("inventory crashes for 2 s").
        plan: the faults.
        rules: the names of the rules that must hold; each must also have been exercised.
        seed, params: of the run.
        drawn: whether chance made it for grading; then a rule that it does not exercise costs nothing.
    """

    about: str
    plan: str = ""
    rules: tuple[str, ...] = ()
    seed: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """A misconception: how it shows in a run (and the broken verdict), what to say about it, and which rung of the
    ladder helps."""

    name: str
    matches: Callable[[Run, Verdict], bool]
    text: str
    rung: int = IDEA


Probe = Callable[[Any], Finding | None]


@dataclass(frozen=True, slots=True)
class Exercise:
    """What an exercise asks.

    Attributes:
        title: as the notebook's heading has it.
        points: 0 for a stretch exercise.
        scenario: where cases run.
        part: which part of the scenario's pattern the answer replaces.
        adapt: makes the part's factory of the answer; left out, the answer is the factory.
        shown_part: how `parts=` is written in the line that replays a run, with {} for the answer's name; left out,
            the answer itself, or a lambda that makes one for each node where there is `adapt`.
        probes: direct trials, before the cases.
        cases: runs, in order.
        hints: for the cases.
        ladder: the three rungs of its hints, in Markdown: what to look at, the idea, pseudocode.
        forbids: names of the package that the answer may not use, since they are what it should build.
        untested: what success does not show, for the closing sentence.
    """

    title: str
    points: int
    scenario: Scenario | None = None
    part: str = ""
    adapt: Callable[[Any], Callable[..., Any]] | None = None
    shown_part: str = ""
    probes: tuple[tuple[str, Probe], ...] = ()
    cases: tuple[Case, ...] = ()
    hints: tuple[Hint, ...] = ()
    ladder: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    untested: str = ""

    def __post_init__(self) -> None:
        rungs = isinstance(self.ladder, tuple) and all(isinstance(rung, str) for rung in self.ladder)
        if not rungs or len(self.ladder) not in (0, len(RUNGS)):
            raise LessonError(
                f"ladder={self.ladder!r:.60} of exercise {self.title!r} makes no sense; give a tuple of three "
                f"texts: {', '.join(RUNGS)}"
            )


def judge(exercise: Exercise, answer: Any) -> Finding | None:
    """Return the first requirement that `answer` breaks, or None when it keeps all. Never raises for what the
    answer does, an endless loop included."""
    refused = _no_piece(answer) or _borrowed(exercise, answer)
    if refused is not None:
        return refused
    for about, probe in exercise.probes:
        finding = _guarded(about, lambda probe=probe: probe(answer))  # type: ignore[misc]
        if finding is not None:
            return finding
    for case in exercise.cases:
        finding = _guarded(case.about, lambda case=case: _run_case(exercise, case, answer))  # type: ignore[misc]
        if finding is not None:
            return finding
    return None


def _no_piece(answer: Any) -> Finding | None:
    """Every answer is a class or a function; anything else was given by mistake, and no hint is about that."""
    if callable(answer):
        return None
    return Finding(
        "The piece is a class or a function.",
        f"The check was given {answer!r:.60}, which is neither; give the name of what you have defined.",
        rung=NO_RUNG,
    )


def _borrowed(exercise: Exercise, answer: Any) -> Finding | None:
    """An exercise is not passed by importing the pattern that it asks for, nor by deriving from or calling it.

    What counts is where a thing comes from: an own class may have the name of the package's.
    """
    if _from_the_package(answer):
        borrowed = [getattr(answer, "__name__", repr(answer))]
    else:
        kinds = answer.__mro__ if isinstance(answer, type) else ()
        own = [value for kind in kinds if not _from_the_package(kind) for value in vars(kind).values()]
        things = [*kinds, *own, answer]
        used = {name for thing in things for name in _borrowed_by(thing, frozenset(exercise.forbids))}
        borrowed = sorted(used)
    if not borrowed:
        return None
    return Finding(
        "The piece is your own.",
        f"It uses {', '.join(borrowed)} of this package, which is what the exercise asks you to build.",
        hint="Write it in the cell above; compare with the package afterwards.",
    )


def _from_the_package(thing: Any) -> bool:
    module = thing.__name__ if isinstance(thing, types.ModuleType) else getattr(thing, "__module__", None)
    return isinstance(module, str) and f"{module}.".startswith("lessonlib.")


def _borrowed_by(thing: Any, forbidden: frozenset[str]) -> set[str]:
    """Which of the forbidden things of the package this class, function or method is, or refers to."""
    thing = getattr(thing, "fget", None) or getattr(thing, "func", None) or getattr(thing, "__func__", thing)
    if _from_the_package(thing):
        return {getattr(thing, "__qualname__", "").partition(".")[0]} & forbidden
    code = getattr(thing, "__code__", None)
    if not isinstance(code, types.CodeType):
        return set()
    names, scope = _names_used(code, 0), getattr(thing, "__globals__", {})
    held = [cell.cell_contents for cell in thing.__closure__ or () if _filled(cell)]
    held += [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
    held += [scope[name] for name in names if name in scope]
    package = [found for found in held if _from_the_package(found)]
    modules = [found for found in package if isinstance(found, types.ModuleType)]
    found = {getattr(found, "__name__", "") for found in package} & forbidden
    if modules and "getattr" in names:  # which it names is not to be seen
        found |= {module.__name__ for module in modules}
    by_import = "import_module" in names or any(f"{name}.".startswith("lessonlib.") for name in names)
    found |= {
        name
        for name in (names - scope.keys()) & forbidden
        if by_import or modules or any(hasattr(thing, name) for thing in package)
    }
    return found


def _filled(cell: types.CellType) -> bool:
    with contextlib.suppress(ValueError):
        return cell.cell_contents is not cell
    return False


def _names_used(code: types.CodeType, depth: int) -> set[str]:
    """The names that a function, and those within it, refer to: globals, attributes, what it imports."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)] if depth < 5 else []
    return set(code.co_names).union(*(_names_used(c, depth + 1) for c in inner))


def _guarded(about: str, trial: Callable[[], Finding | None]) -> Finding | None:
    try:
        with watchdog(STUCK_S):
            return trial()
    except NotImplementedError:
        return Finding("The piece is written.", "It still raises NotImplementedError.", unwritten=True)
    except Runaway:
        return Finding(
            "The piece gives way to others.",
            f"It held up the event loop for {STUCK_S:g} s without a pause, so it was stopped ({about}).",
            hint="Look for a loop that neither ends nor awaits anything, or a call that waits without `await`, such as "
            "one for a lock of threads.",
        )
    except LessonError as error:
        return Finding("The piece keeps to its interface.", str(error).splitlines()[0])
    except Exception as error:
        return Finding(
            "The piece runs.",
            describe_error(clean_traceback(error)),
            look=f"It happened while trying: {about}.",
        )


def _run_case(exercise: Exercise, case: Case, answer: Any) -> Finding | None:
    assert exercise.scenario is not None
    factory = exercise.adapt(answer) if exercise.adapt is not None else answer
    run = exercise.scenario.run(
        parts={exercise.part: factory}, plan=case.plan, seed=case.seed, max_steps=MAX_STEPS, **case.params
    )
    for death in run.history.of("died"):
        if "NotImplementedError" in death.data["error"]:
            raise NotImplementedError
    if any(r.get("type") == "NotImplementedError" for r in run.history.of("failed")):
        raise NotImplementedError
    refused = run.history.of("failed", type="Refused").first()  # without this, just a call that failed
    if refused is not None:
        return Finding(
            "The piece keeps to its interface.",
            refused.data["error"].removeprefix("Refused: "),
            when=seconds(refused.t_us),
            look=_look(exercise, case, answer),
        )
    broken = [v for v in run.broken if v.rule in (*case.rules, "the run ends", "no task dies unseen")]
    if not broken:
        unproved = [v for v in run.verdicts if v.rule in case.rules and v.status != "holds"]
        if case.drawn or not unproved:
            return None
        return Finding(
            f"The rule “{unproved[0].rule}” is put to the test.",
            f"With your piece this run never came to it: {unproved[0].sentence} So nobody can say yet whether it holds.",
            look=_look(exercise, case, answer),
        )
    worst = broken[0]
    deaths = [v for v in broken if v.rule == "no task dies unseen"]
    if deaths:  # what killed a task explains all that it then failed to do
        worst = deaths[0]
    hint = next((h for h in exercise.hints if _matches(h, run, worst)), None)
    return Finding(
        requirement=worst.rule[0].upper() + worst.rule[1:] + ".",
        seen=worst.sentence,
        when=seconds(worst.at_us) if worst.at_us is not None else "",
        look=_look(exercise, case, answer),
        hint=hint.text if hint else "",
        rung=hint.rung if hint else 0,
    )


def _matches(hint: Hint, run: Run, verdict: Verdict) -> bool:
    with contextlib.suppress(Exception):
        return bool(hint.matches(run, verdict))
    return False


def _look(exercise: Exercise, case: Case, answer: Any) -> str:
    assert exercise.scenario is not None
    extra = "".join(f", {name}={value!r}" for name, value in case.params.items())
    plan = f', plan="{FaultPlan.parse(case.plan)}"' if case.plan else ""
    name = getattr(answer, "__name__", "...")
    parts = f'{{"{exercise.part}": {name}}}'
    if exercise.adapt is not None:
        parts = exercise.shown_part.format(name) or f'{{"{exercise.part}": lambda node: {name}()}}'
    return f"{exercise.scenario.name}.run(parts={parts}{plan}, seed={case.seed}{extra})"
