"""What checks have in common: probes made of examples, and the judge of a diagnosis.

An example is the lines that a learner would type to try a piece, and what must come of them.

    Example(
        "monitor = MyMonitor(2.0); monitor.watch('a', 0.0)",
        "monitor.suspects(2.0)",
        [],
        "Exactly the timeout is not yet more than the timeout.",
    )

It is text, so that what a check tries and what it tells to try are the same, and cannot drift apart. The
lines run in virtual time and may `await`.
"""

from __future__ import annotations

import ast
import dis
import inspect
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.history import Record
from lessonlib.lab.loop import clean_traceback, describe_error, simulate
from lessonlib.lab.scenario import Run
from lessonlib.learning.exercises import LOOK, Finding, Probe

STEPS_MAX = 200_000  # steps of the event loop that one example may take
CLOCKS = ("time", "datetime")
GIVEN_TIME = (
    "It reads a clock of its own. Time is the argument now_s, which the caller takes from the event loop: a calendar can be "
    "set, and the clocks of two machines differ."
)


@dataclass(frozen=True, slots=True)
class Example:
    """One trial of a piece.

    Attributes:
        given: lines that prepare it, parted by `; `; "" for none.
        asked: the expression that is judged.
        expected: its value, or the class of the exception that it must raise.
        hint: what to say when it is another: a text, or pairs of what came and a text (`...` for anything else).
            An exception that nobody expects, or a value of another kind, gets it only by name: it is no
            misconception of the subject.
    """

    given: str
    asked: str
    expected: Any
    hint: str | tuple[tuple[Any, str], ...] = ""

    @property
    def lines(self) -> str:
        """What a learner may type to see it."""
        return f"{self.given}; {self.asked}" if self.given else self.asked

    def hint_for(self, came: Any) -> str:
        """Return the hint for what came instead of what is expected."""
        pairs = ((..., self.hint),) if isinstance(self.hint, str) else self.hint
        odd = _odd(came, self.expected)
        return next((text for seen, text in pairs if _same(came, seen) or (seen is ... and not odd)), odd)


def by_example(
    name: str,
    requirement: str,
    *examples: Example,
    names: Mapping[str, Any] | None = None,
    time_is_given: bool = False,
) -> Probe:
    """Return a probe that tries the examples in order and reports the first one that an answer gets wrong.

    Args:
        name: what the lines call the answer.
        requirement: the sentence that all of them serve.
        names: what else the lines may use.
        time_is_given: whether a piece that reads a clock itself deserves that hint before any other.
    """

    def probe(answer: Any) -> Finding | None:
        for example in examples:
            line, came = outcome(example, {**(names or {}), name: answer})
            if line != example.asked or not _same(came, example.expected):
                clock = time_is_given and reads_a_clock(answer)
                gave = "gave what its clock says" if clock else _gave(came)  # which is another each time
                instead = f" in place of {_shown(example.expected)}" if line == example.asked else ""
                return Finding(
                    requirement,
                    f"{line} {gave}{instead}.",
                    look=example.lines,
                    hint=GIVEN_TIME if clock else example.hint_for(came),
                )
        return None

    return probe


def outcome(example: Example, names: Mapping[str, Any]) -> tuple[str, Any]:
    """Run an example's lines; return the last and its value, or the one that raised an exception and that.

    A piece that is not written yet, and what stops a runaway, are raised.
    """
    steps = [(ast.unparse(line), "exec") for line in ast.parse(example.given).body] + [
        (example.asked, "eval")
    ]
    scope, begun = dict(names), ""

    async def trial() -> Any:
        nonlocal begun
        for begun, mode in steps:
            made = eval(compile(begun, "<example>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), scope)
            if inspect.iscoroutine(made):
                made = await made
        return made

    try:
        value = simulate(trial, max_steps=STEPS_MAX)
        return begun, value
    except NotImplementedError:
        raise
    except Exception as error:
        return begun, clean_traceback(error)


def reads_a_clock(answer: Any) -> bool:
    """Whether a function, or a method of a class, uses one of the modules that know the time."""
    kinds = answer.__mro__ if isinstance(answer, type) else ()
    functions = [f for kind in kinds for f in vars(kind).values()] or [answer]
    for function in functions:
        function = getattr(function, "fget", function)
        code, scope = getattr(function, "__code__", None), getattr(function, "__globals__", {})
        steps = list(dis.get_instructions(code)) if code else []
        loaded = [step.argval for step in steps if step.opname == "LOAD_GLOBAL"]
        imported = [step.argval for step in steps if step.opname == "IMPORT_NAME"]
        if any(name in CLOCKS for name in imported) or any(
            _owner(scope.get(name)) in CLOCKS for name in loaded
        ):
            return True
    return False


def _owner(thing: Any) -> str:
    return str(getattr(thing, "__module__", None) or getattr(thing, "__name__", ""))


def _same(came: Any, expected: Any) -> bool:
    if isinstance(expected, type) and issubclass(expected, Exception):
        return isinstance(came, expected)
    if isinstance(came, Exception):
        return False
    if isinstance(expected, float):
        near = 1e-6 * max(1.0, abs(expected))
        return isinstance(came, int | float) and (came == expected or abs(came - expected) <= near < math.inf)
    try:
        return bool(came == expected) and isinstance(came, bool) == isinstance(expected, bool)
    except Exception:
        return False


def _odd(came: Any, expected: Any) -> str:
    """What to say of an exception, or of a kind of value, that has nothing to do with the subject; "" if it may have."""
    awaited = isinstance(expected, type) and issubclass(expected, Exception)
    if isinstance(came, Exception):
        if type(came).__module__.startswith(("lessonlib.lab.", "lessonlib.limits")):
            return "The laboratory stopped that, and its sentence says why."
        if isinstance(came, LessonError) or type(came) is expected:
            return ""
        if awaited:
            return f"{expected.__name__} is what the caller looks for: raise that one."
        return "Nothing should be raised here. Paste the line above into a cell: the traceback shows where it comes from."
    if came is None:
        return "Nothing came back: is a `return` missing?" if isinstance(expected, bool | list) else ""
    plain = (bool, int, float, str, list, tuple, dict, set)
    if awaited or type(came) is type(expected) or type(came) not in plain or type(expected) not in plain:
        return ""
    if isinstance(came, int | float) and isinstance(expected, int | float) and not isinstance(expected, bool):
        return ""
    return f"A {type(came).__name__} came back, where a {type(expected).__name__} is asked for."


def _gave(came: Any) -> str:
    if isinstance(came, LessonError):
        return f"raised {type(came).__name__} ({str(came).splitlines()[0]})"
    if isinstance(came, Exception):
        return f"raised {describe_error(came)}"
    return f"gave {_shown(came)}"


def _shown(value: Any) -> str:
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, float):
        return f"{value:.6g}"
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 160 else text[:157] + "..."


@dataclass(frozen=True, slots=True)
class Culprit:
    """What a diagnose exercise asks for, and the hints for what is named instead.

    The record and the line are judged together, so that who guesses has to guess both at once. What a hint says of a
    rule or of a kind of record, the run shows to everybody.

    Attributes:
        rule: the broken rule.
        record_is: what the record is, as a sentence.
        proves: whether a record is one that proves it.
        record_hint: what to say of a record of another kind; "" for one that might be it.
        piece: the class with the mistake; the learner sees its source with numbers.
        line_has: texts, each in one line that is to blame.
        hint: what to say when the record might be it, and one of the two is not it.
    """

    rule: str
    record_is: str
    proves: Callable[[Record], bool]
    record_hint: Callable[[Record], str]
    piece: type
    line_has: tuple[str, ...]
    hint: str

    def judge(self, run: Run, given: Any) -> Finding | None:
        """Judge a diagnosis, (rule, record, line)."""
        if not (isinstance(given, tuple | list) and len(given) == 3):
            return Finding("diagnose() returns (rule, record, line).", f"It returned {_shown(given)}.")
        rule, number, line = given
        lines = inspect.getsource(self.piece).splitlines()
        return (
            _no_number("record", number, 0, len(run.history) - 1)
            or _no_number("line", line, 1, len(lines))
            or self._judge_rule(run, rule)
            or self._judge_both(run.history[number], number, lines[line - 1].strip(), line)
        )

    def _judge_rule(self, run: Run, rule: Any) -> Finding | None:
        if type(rule) is str and rule == self.rule:
            return None
        if not isinstance(rule, str) or rule not in [v.rule for v in run.verdicts]:
            return Finding(
                "The rule is named as the verdicts name it.",
                f"There is no rule of the name {_shown(rule)}.",
                hint="Copy the rule's whole text from the verdicts that print(run) shows.",
                rung=LOOK,
            )
        if rule in [v.rule for v in run.broken]:
            return Finding(
                "The rule is the one that broke first.",
                f"{rule!r} is broken too, but later: {run.verdict(rule).sentence}",
                hint="One mistake broke several rules. The verdicts say when; the earliest is nearest to the cause.",
                rung=LOOK,
            )
        return Finding(
            "The broken rule is named.",
            f"{rule!r}: that rule is not broken in this run.",
            hint="Print the run and read the verdicts.",
            rung=LOOK,
        )

    def _judge_both(self, record: Record, number: int, text: str, line: int) -> Finding | None:
        if self.proves(record) and any(part in text for part in self.line_has):
            return None
        return Finding(
            f"{self.record_is} The line is the one that let it happen.",
            f"One of the two, or both, are not it. Record {number} is: {record} Line {line} is: {text}",
            hint=self.record_hint(record) or self.hint,
        )


def _no_number(what: str, given: Any, first: int, last: int) -> Finding | None:
    if type(given) is not int:
        return Finding(
            f"The {what} is named by its number.",
            f"{repr(given) if isinstance(given, float) else _shown(given)} is no whole number.",
        )
    if not first <= given <= last:
        return Finding(f"The {what} is named by its number.", f"{given} is not from {first} to {last}.")
    return None


class Name(str):
    """A text with a hash that is given, so that a set of names has one order here and the same in each process.

    A text's own hash is another in each process. Whose result goes by it gives another one with other hashes.
    """

    salt = 0

    @classmethod
    def of(cls, text: str, salt: int) -> Name:
        name = cls(text)
        name.salt = salt
        return name

    def __hash__(self) -> int:
        return zlib.crc32(f"{self.salt} {self!s}".encode())

    @staticmethod
    def bare(table: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return a table of names as one of plain texts, which alone may be compared with others."""

        def text(thing: Any) -> Any:
            return str(thing) if isinstance(thing, str) else thing

        return {text(key): text(value) for key, value in table.items()}
