"""Questions as data: what a lesson asks, each answer's feedback, and how an answer is judged. No widget here.

A lesson keeps its questions beside its pattern, in `lessonlib/<lesson>/questions.py`, under three names:

- `PREDICTIONS`, `Prediction`s by id, asked before an experiment and compared after it;
- `CONCEPTS`, concept checks (`Choice`, `Several`, `Number`) by id;
- `RECALL`, a tuple of concept checks that later lessons ask, the most important first.

An id is "<lesson>-<n>": "1-2" is the second of lesson 1. Texts are plain; `code` stands between backticks and *emphasis*
between stars, a blank line begins a paragraph, and a paragraph indented by four spaces is code.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lessonlib.errors import LessonError
from lessonlib.lessons import LESSONS, Lesson

CONFIDENCES = ("a guess", "fairly sure", "certain")
OPTIONS_MAX = 8
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")

Tone = Literal["right", "wrong", "note"]


class QuestionError(LessonError):
    """A question that makes no sense, or one that does not exist."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A piece of feedback: `head` is the verdict in a few words, so that it needs no colour; `text` is the reason."""

    tone: Tone
    head: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.head} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that may be chosen.

    Attributes:
        text: the answer.
        feedback: what to say to whoever chose it: why it is right, or where the misconception behind it goes wrong.
        right: whether it is right.
    """

    text: str
    feedback: str
    right: bool = False

    def __post_init__(self) -> None:
        _require_text("an option's text", self.text)
        if not isinstance(self.feedback, str):
            raise QuestionError(
                f"the feedback of {self.text!r:.60} is {self.feedback!r:.60}; give a sentence"
            )


def letter(index: int) -> str:
    """Return how the option at `index` is called: "(a)", "(b)", …"""
    return f"({'abcdefgh'[index]})"


@dataclass(frozen=True, slots=True)
class _Optional:
    """What the questions with options have in common."""

    question: str
    options: Sequence[Option]

    def __post_init__(self) -> None:
        _require_text("the question", self.question)
        # A list is what one types; a tuple is what stays as it is.
        object.__setattr__(self, "options", _options(self.question, self.options))
        self._validate()

    def _validate(self) -> None:
        for option in self.options:
            if not option.feedback.strip():
                raise QuestionError(
                    f"the option {option.text!r:.60} has no feedback; say why it is right or wrong"
                )

    @property
    def right(self) -> tuple[int, ...]:
        """The indices of the right options."""
        return tuple(index for index, option in enumerate(self.options) if option.right)

    def _require_one_right(self) -> None:
        if len(self.right) != 1:
            raise QuestionError(
                f"{self.question!r:.60} has {len(self.right)} right options; mark exactly one with right=True"
            )

    def _require_known(self, chosen: Collection[int]) -> None:
        for index in chosen:
            if not 0 <= index < len(self.options):
                raise QuestionError(f"there is no option {index}; there are 0 to {len(self.options) - 1}")


class Prediction(_Optional):
    """What will the experiment show? One option is right, or none is marked and the learner judges alone.

    Args:
        question: what is to be predicted.
        options: 2 to 8; each with feedback and exactly one right, or all of them without feedback and none right.
    """

    __slots__ = ()

    @property
    def judged(self) -> bool:
        """Whether it is known which option is right."""
        return bool(self.right)

    def _validate(self) -> None:
        if any(option.feedback.strip() or option.right for option in self.options):
            super()._validate()
            self._require_one_right()

    def compare(self, chosen: int | None, confidence: str = "") -> tuple[Remark, ...]:
        """Return the remarks on the option `chosen` (None: none was) once the experiment has been seen."""
        if confidence not in ("", *CONFIDENCES):
            raise QuestionError(f"the confidence {confidence!r:.60} is none of {', '.join(CONFIDENCES)}")
        if chosen is None:
            first = Remark(
                "note",
                "You made no prediction.",
                "Decide first, the next time: a guess that you have to mend stays longer than an answer that you read.",
            )
            return (first, *self.truth()) if self.judged else (first,)
        self._require_known([chosen])
        said = f"You predicted {letter(chosen)}" + (f", {_AS_SAID[confidence]}" if confidence else "")
        if not self.judged:
            return (Remark("note", f"{said}.", "Compare it with what you saw."),)
        option = self.options[chosen]
        after = _CALIBRATION.get((option.right, confidence), "")
        remark = Remark(
            "right" if option.right else "wrong",
            f"{said}, and that is right." if option.right else f"{said}, and that is not what happened.",
            f"{option.feedback} {after}".strip(),
        )
        return (remark,) if option.right else (remark, *self.truth())

    def truth(self) -> tuple[Remark, ...]:
        """Return the remark that says which option is right and why."""
        [index] = self.right
        option = self.options[index]
        return (
            Remark(
                "right", f"What happened is {letter(index)}: {_as_sentence(option.text)}", option.feedback
            ),
        )


_AS_SAID = {"a guess": "as a guess", "fairly sure": "fairly sure", "certain": "certain of it"}

# What a learner should make of it. Errors made with high confidence are the ones best mended by feedback, if it is
# noticed that they were (hypercorrection: Butterfield and Metcalfe 2001); a lucky guess is not yet knowledge.
_CALIBRATION = {
    (True, "a guess"): "You called it a guess: make sure that you could now give the reason.",
    (True, "fairly sure"): "You may trust this idea more.",
    (False, "fairly sure"): "Say in one sentence what is different from what you expected.",
    (
        False,
        "certain",
    ): "You were certain, so this one is worth a pause: which assumption led you there, and where else do "
    "you rely on it?",
}


class Choice(_Optional):
    """A concept check: one of several.

    Args:
        question: what is asked.
        options: 2 to 8, each with feedback, exactly one right.
    """

    __slots__ = ()

    def _validate(self) -> None:
        super()._validate()
        self._require_one_right()

    def judge(self, chosen: Sequence[int]) -> tuple[Remark, ...]:
        """Return the remarks on the option chosen."""
        self._require_known(chosen)
        if len(chosen) != 1:
            return (Remark("note", "Choose an answer first."),)
        option = self.options[chosen[0]]
        head = f"{letter(chosen[0])} is right." if option.right else f"{letter(chosen[0])} is not right."
        return (Remark("right" if option.right else "wrong", head, option.feedback),)


class Several(_Optional):
    """A concept check: any number of several.

    Args:
        question: what is asked.
        options: 2 to 8, each with feedback that makes sense whether it was chosen or not; at least one right.
    """

    __slots__ = ()

    def _validate(self) -> None:
        super()._validate()
        if not self.right:
            raise QuestionError(
                f"{self.question!r:.60} has no right option; mark at least one with right=True"
            )

    def judge(self, chosen: Sequence[int]) -> tuple[Remark, ...]:
        """Return a remark on the whole and one on each option."""
        self._require_known(chosen)
        if not chosen:
            return (Remark("note", "Choose at least one answer first."),)
        amiss = [index for index, option in enumerate(self.options) if option.right != (index in chosen)]
        if amiss:
            listed = ", ".join(letter(index) for index in amiss)
            whole = Remark("wrong", "Not quite.", f"Think again about {listed}.")
        else:
            whole = Remark("right", "All as it should be.")
        return (whole, *(self._remark(index, index in chosen) for index in range(len(self.options))))

    def _remark(self, index: int, chosen: bool) -> Remark:
        option = self.options[index]
        heads = {
            (True, True): "chosen, and right.",
            (True, False): "not chosen, but right.",
            (False, True): "chosen, but not right.",
            (False, False): "not chosen, and rightly so.",
        }
        tone: Tone = "right" if option.right == chosen else "wrong"
        return Remark(tone, f"{letter(index)} {heads[option.right, chosen]}", option.feedback)


@dataclass(frozen=True, slots=True)
class Number:
    """A concept check: a number.

    Attributes:
        question: what is asked.
        answer: the right value.
        tolerance: how far from `answer` is still right, in the same unit; 0 or more.
        unit: what stands behind the field ("s", "events"); "" for a bare number.
        feedback: what to say to the right value.
        otherwise: what to say to a wrong one that nothing is known about.
        mistakes: wrong values that a misconception leads to, each with its feedback; recognised within `tolerance`, or
            within a thousandth of the value where that is more.
    """

    question: str
    answer: float
    tolerance: float
    unit: str
    feedback: str
    otherwise: str
    mistakes: Mapping[float, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_text("the question", self.question)
        _require_number("the answer", self.answer)
        _require_number("the tolerance", self.tolerance)
        if self.tolerance < 0:
            raise QuestionError(f"the tolerance is {self.tolerance!r}; give 0 or more")
        if not isinstance(self.unit, str):
            raise QuestionError(f'the unit is {self.unit!r:.60}; give a text, "" for a bare number')
        _require_text("the feedback", self.feedback)
        _require_text("the feedback for a wrong number (otherwise)", self.otherwise)
        if not isinstance(self.mistakes, Mapping):
            raise QuestionError(f"the mistakes are {self.mistakes!r:.60}; give a dict from value to feedback")
        for value, text in self.mistakes.items():
            _require_number("a mistake", value)
            _require_text(f"the feedback for {value}", text)
            if self._is_near(value, self.answer):
                raise QuestionError(
                    f"the mistake {value} is within the tolerance of the answer {self.answer}; leave it out or narrow "
                    "the tolerance"
                )

    def judge(self, typed: str) -> tuple[Remark, ...]:
        """Return the remarks on what was typed."""
        text = typed.strip().removesuffix(self.unit or " ").strip()
        if not text:
            return (Remark("note", "Type a number first."),)
        try:
            value = float(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)
            if not math.isfinite(value):
                raise ValueError
        except ValueError:
            return (
                Remark("note", f"“{text:.30}” cannot be read as a number.", "Write it like 1200 or 0.5."),
            )
        if self._is_near(value, self.answer):
            return (Remark("right", f"{_with_unit(value, self.unit)} is right.", self.feedback),)
        near = sorted((abs(value - m), m) for m in self.mistakes if self._is_near(value, m))
        reason = self.mistakes[near[0][1]] if near else self.otherwise
        return (Remark("wrong", f"{_with_unit(value, self.unit)} is not right.", reason),)

    def _is_near(self, value: float, target: float) -> bool:
        # 1e-9 for what floats cannot write: 0.3 within 0.1 of 0.2.
        room = self.tolerance if target == self.answer else max(self.tolerance, abs(target) / 1000)
        return abs(value - target) <= room + 1e-9 * max(1.0, abs(target))

    def truth(self) -> str:
        """Return the right value in words, with its unit and tolerance."""
        about = f" (± {self.tolerance:g})" if self.tolerance else ""
        return f"{_with_unit(self.answer, self.unit)}{about}"


Concept = Choice | Several | Number


def _with_unit(value: float, unit: str) -> str:
    if value == 1 and unit in ("hours", "minutes", "seconds", "events"):
        unit = unit.removesuffix("s")
    return f"{value:.10g} {unit}".strip()


def _as_sentence(text: str) -> str:
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text}."


def _require_text(what: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise QuestionError(f"{what} is {value!r:.60}; give a text that is not empty")


def _require_number(what: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise QuestionError(f"{what} is {value!r:.60}; give a finite number")


def _options(question: str, options: Any) -> tuple[Option, ...]:
    if not isinstance(options, list | tuple) or not 2 <= len(options) <= OPTIONS_MAX:
        raise QuestionError(
            f"the options of {question!r:.60} are {options!r:.60}; give a list of 2 to {OPTIONS_MAX}"
        )
    for option in options:
        if not isinstance(option, Option):
            raise QuestionError(f"{option!r:.60} is no option; give Option(text, feedback, right=…)")
    if len({option.text for option in options}) < len(options):
        raise QuestionError(f"{question!r:.60} has the same option twice; leave one out")
    return tuple(options)


# Where questions stand


def lesson_of(question_id: str) -> Lesson:
    """Return the lesson that a question's id begins with."""
    if isinstance(question_id, str):
        number, dash, rest = question_id.partition("-")
        for lesson in LESSONS:
            if dash and rest and number == str(lesson.number):
                return lesson
    numbers = ", ".join(str(lesson.number) for lesson in LESSONS)
    raise QuestionError(
        f'{question_id!r:.60} is no question\'s id; write "<lesson>-<n>", such as "1-2" (there are the lessons {numbers})'
    )


def _bank(lesson: Lesson, name: str) -> Any:
    """A lesson's PREDICTIONS, CONCEPTS or RECALL; empty where the lesson has no questions (yet)."""
    module = f"lessonlib.{lesson.name}.questions"
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # the lesson's package itself
        found = None
    return getattr(importlib.import_module(module), name, {}) if found else {}


def _find(question_id: str, name: str, what: str) -> Any:
    lesson = lesson_of(question_id)
    bank = _bank(lesson, name)
    if question_id not in bank:
        known = ", ".join(bank) or "none yet"
        raise QuestionError(f"lesson {lesson.number} has no {what} {question_id!r}; there are: {known}")
    return bank[question_id]


def find_prediction(question_id: str) -> Prediction:
    """Return the prediction of that id. Raises QuestionError naming those that there are."""
    found: Prediction = _find(question_id, "PREDICTIONS", "prediction")
    return found


def find_concept(question_id: str) -> Concept:
    """Return the concept check of that id. Raises QuestionError naming those that there are."""
    found: Concept = _find(question_id, "CONCEPTS", "concept check")
    return found


def predictions(lesson: Lesson) -> dict[str, Prediction]:
    """Return a lesson's predictions by id."""
    return dict(_bank(lesson, "PREDICTIONS"))


def concepts(lesson: Lesson) -> dict[str, Concept]:
    """Return a lesson's concept checks by id."""
    return dict(_bank(lesson, "CONCEPTS"))


def recall_bank(lesson: Lesson) -> tuple[Concept, ...]:
    """Return what later lessons may ask about a lesson."""
    bank = _bank(lesson, "RECALL")
    return tuple(bank.values() if isinstance(bank, Mapping) else bank)
