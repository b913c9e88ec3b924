"""`predict`, `compare`, `ask` and `recall`: questions in a notebook. They never block, never score and never raise for an answer.

Each question has one widget in the kernel, however often its cell is run, so an answer outlives the cell's output;
`compare` listens to the prediction's widget and follows when the learner decides late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lessonlib.learning import question_text as text
from lessonlib.learning.questions import (
    CONFIDENCES,
    Choice,
    Concept,
    Number,
    Option,
    Prediction,
    QuestionError,
    Remark,
    Several,
    find_concept,
    find_prediction,
    letter,
    recall_bank,
)
from lessonlib.learning.recalling import choose
from lessonlib.lessons import LESSONS

if TYPE_CHECKING:
    from lessonlib.learning.question_widget import QuestionWidget

# Callbacks may come on another thread while a cell runs.
_lock = threading.RLock()
# By role and id, each with the question that it shows.
_widgets: dict[tuple[str, str], tuple[Any, QuestionWidget]] = {}
_own_predictions: dict[str, Prediction] = {}  # those given in a cell instead of in a lesson's questions.py


class Panel:
    """One or more questions in a notebook: their static twin, then their widgets.

    Attributes:
        widgets: the live ones; a test sets their traits.
    """

    def __init__(self, widgets: Sequence[QuestionWidget], words: str, page: str) -> None:
        self.widgets = tuple(widgets)
        self._words = words
        self._page = page

    @property
    def widget(self) -> QuestionWidget:
        """The first widget."""
        return self.widgets[0]

    def describe(self) -> str:
        """Return the questions in words."""
        return self._words

    def __repr__(self) -> str:
        return self.describe()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/plain": self._words, "text/html": self._page}, raw=True)
        for widget in self.widgets:
            # Outputs of their own, without text: where there is no widget, nothing stands here.
            display({"application/vnd.jupyter.widget-view+json": widget.get_view_spec()}, raw=True)


def predict(
    prediction_id: str, question: str | None = None, options: Sequence[str | Option] | None = None
) -> Panel:
    """Return the panel that takes a prediction: one option, and how sure the learner is.

    Args:
        prediction_id: "<lesson>-<n>"; alone, it is looked up in the lesson's `PREDICTIONS`.
        question, options: given together, they are asked instead; options as text have no feedback.

    Raises:
        QuestionError: there is no such prediction, or the question makes no sense; the message says what to do.
    """
    if question is None and options is None:
        prediction = find_prediction(prediction_id)
        with _lock:
            _own_predictions.pop(prediction_id, None)
    else:
        if not isinstance(prediction_id, str) or not prediction_id:
            raise QuestionError(f'the id of a prediction is {prediction_id!r:.60}; give a text such as "2-3"')
        if question is None or not isinstance(options, list | tuple):
            raise QuestionError("a prediction of your own needs a question and a list of options; give both")
        prediction = Prediction(question, [Option(o, "") if isinstance(o, str) else o for o in options])
        with _lock:
            _own_predictions[prediction_id] = prediction
    label = f"Prediction {prediction_id}"
    return Panel(
        [_prediction_widget(prediction_id, prediction)],
        text.question_in_words(label, prediction),
        text.question_on_a_page(label, prediction),
    )


def compare(prediction_id: str) -> Panel:
    """Return the panel that shows, after the experiment, what was predicted beside what happened, with the feedback.

    Raises QuestionError when there is no such prediction.
    """
    with _lock:
        prediction = _own_predictions.get(prediction_id) or find_prediction(prediction_id)
    predicted = _prediction_widget(prediction_id, prediction)
    label = f"Prediction {prediction_id}, compared"

    def build() -> QuestionWidget:
        widget = _new_widget(label=label)

        def judge() -> tuple[Remark, ...]:
            return prediction.compare(_only(predicted.chosen), predicted.confidence)

        _follow(predicted, ["chosen", "confidence"], widget, judge)()  # it may have been answered already
        return widget

    return Panel(
        [_widget("compare", prediction_id, (prediction, predicted), build)],
        text.comparison_in_words(label, prediction),
        text.comparison_on_a_page(label, prediction),
    )


def ask(concept_id: str) -> Panel:
    """Return the panel of a concept check, looked up in the lesson's `CONCEPTS`; feedback comes at once, points never.

    Raises QuestionError when there is no such concept check.
    """
    return _concept_panel([(f"Check yourself {concept_id}", concept_id, find_concept(concept_id))])


def recall(lesson_number: int) -> Panel:
    """Return the panel of the three questions with which lesson `lesson_number` begins; `recalling` has the rule.

    Raises QuestionError when there is no such lesson, or none before it.
    """
    numbers = [lesson.number for lesson in LESSONS]
    if isinstance(lesson_number, bool) or lesson_number not in numbers:
        known = ", ".join(map(str, numbers))
        raise QuestionError(f"there is no lesson {lesson_number!r:.60}; there are {known}")
    if lesson_number == 0:
        raise QuestionError("lesson 0 is the first and has nothing to recall; give the number of a later one")
    banks = {lesson.number: recall_bank(lesson) for lesson in LESSONS if lesson.number < lesson_number}
    chosen = choose(lesson_number, banks)
    if not chosen:
        nothing = "There is nothing to recall yet: no earlier lesson has questions."
        return Panel([], nothing, f"<p>{nothing}</p>")
    return _concept_panel(
        [
            (f"Recall {n}, from lesson {source}", f"{lesson_number}-{n}", concept)
            for n, (source, concept) in enumerate(chosen, 1)
        ]
    )


def _prediction_widget(prediction_id: str, prediction: Prediction) -> QuestionWidget:
    def build() -> QuestionWidget:
        widget = _new_widget(
            kind="one",
            label=f"Prediction {prediction_id}",
            question=text.question_in_widget(prediction),
            options=[
                f"{letter(n)} {text.inline(option.text)}" for n, option in enumerate(prediction.options)
            ],
            confidences=list(CONFIDENCES),
        )

        def note() -> tuple[Remark, ...]:
            chosen = _only(widget.chosen)
            if chosen is None:
                return (Remark("note", "Choose an option too."),) if widget.confidence else ()
            if not widget.confidence:
                return (Remark("note", f"Noted: {letter(chosen)}.", "How sure are you?"),)
            return (
                Remark("note", f"Noted: {letter(chosen)}, {widget.confidence}.", "Now run the next cell."),
            )

        _follow(widget, ["chosen", "confidence"], widget, note)
        return widget

    return _widget("predict", prediction_id, prediction, build)


def _concept_panel(asked: Sequence[tuple[str, str, Concept]]) -> Panel:
    return Panel(
        [_concept_widget(label, concept_id, concept) for label, concept_id, concept in asked],
        "\n\n".join(text.question_in_words(label, concept) for label, _, concept in asked),
        "".join(text.question_on_a_page(label, concept) for label, _, concept in asked),
    )


def _concept_widget(label: str, concept_id: str, concept: Concept) -> QuestionWidget:
    def build() -> QuestionWidget:
        from lessonlib.learning.question_widget import QuestionWidget

        options = [] if isinstance(concept, Number) else concept.options
        widget = QuestionWidget(
            kind={Choice: "one", Several: "several", Number: "number"}[type(concept)],
            label=label,
            question=text.question_in_widget(concept),
            options=[f"{letter(n)} {text.inline(option.text)}" for n, option in enumerate(options)],
            unit=concept.unit if isinstance(concept, Number) else "",
            button="Check",
        )

        asked, checked = 0, None  # how often the button was pressed, and the answer that stood there

        def judge() -> tuple[Remark, ...]:
            # The browser sends an answer and its check in one message; here they may come in any order.
            nonlocal asked, checked
            answer: Any = widget.typed if isinstance(concept, Number) else list(widget.chosen)
            if widget.asked != asked:
                asked, checked = widget.asked, answer
            return concept.judge(answer) if answer == checked else ()

        _follow(widget, ["chosen", "typed", "asked"], widget, judge)
        return widget

    return _widget(label, concept_id, concept, build)


def _widget(
    role: str, question_id: str, question: Any, build: Callable[[], QuestionWidget]
) -> QuestionWidget:
    """The one widget of a question; a new one when its text has changed or somebody has closed it."""
    with _lock:
        known = _widgets.get((role, question_id))
        if known is None or known[0] != question or known[1].comm is None:
            known = _widgets[role, question_id] = (question, build())
        return known[1]


def _new_widget(**traits: Any) -> QuestionWidget:
    # Not at the top: grading and checks need no widgets, and these take long to import.
    from lessonlib.learning.question_widget import QuestionWidget

    return QuestionWidget(**traits)


def _follow(
    source: QuestionWidget, names: list[str], shown_in: QuestionWidget, say: Callable[[], tuple[Remark, ...]]
) -> Callable[[], None]:
    """Whenever `source` changes, show in `shown_in` what `say` returns; if it fails, the error. Return what does it."""

    def react(_change: object = None) -> None:
        with _lock:
            try:
                remarks = say()
            except Exception as error:
                remarks = (
                    Remark("wrong", "This answer could not be judged.", f"{type(error).__name__}: {error}"),
                )
            shown_in.remarks = text.remarks_for_widget(remarks)

    source.observe(react, names)
    return react


def _only(chosen: Sequence[int]) -> int | None:
    return chosen[0] if chosen else None
