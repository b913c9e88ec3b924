"""The questions of every lesson: each has its one place in the notebook, and each answer its own feedback."""

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lessonlib.learning.questions import (
    Choice,
    Number,
    Option,
    Prediction,
    Several,
    concepts,
    predictions,
    recall_bank,
)
from lessonlib.lessons import LESSONS

ROOT = Path(__file__).parents[2]
EACH_LESSON = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
ASKING = ("predict", "compare", "ask", "recall")


def calls(notebook) -> Iterator[tuple[int, str, object]]:
    """Yield (cell's number, function, id) of each call in code cells that asks something."""
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKING:
                yield number, node.func.id, node.args[0].value if node.args else None


def misplaced(lesson_number, predicted, checked, notebook) -> list[str]:
    """Return what is wrong with the places of a lesson's questions in its notebook."""
    asked = list(calls(notebook))
    expected = [("predict", i) for i in predicted] + [("compare", i) for i in predicted]
    expected += [("ask", i) for i in checked]
    expected += [("recall", lesson_number)] if lesson_number else []
    found = [(function, question_id) for _, function, question_id in asked]
    wrong = [
        f"{f}({i!r}) stands there {found.count((f, i))} times"
        for f, i in expected
        if found.count((f, i)) != 1
    ]
    wrong += [f"{f}({i!r}) has no question" for f, i in found if (f, i) not in expected]
    cell_of = {(function, question_id): number for number, function, question_id in asked}
    for i in predicted:
        if cell_of.get(("compare", i), 2) - cell_of.get(("predict", i), 0) < 2:
            wrong.append(f"no experiment stands between predict({i!r}) and compare({i!r})")
    return wrong


def right_options(questions):
    return [q.right[0] for q in questions if isinstance(q, Prediction | Choice)]


def feedbacks(question):
    if isinstance(question, Number):
        return [question.feedback, question.otherwise, *question.mistakes.values()]
    return [option.feedback for option in question.options]


@EACH_LESSON
def test_each_question_stands_once_in_its_lesson_and_each_prediction_around_an_experiment(lesson):
    notebook = nbformat.read(ROOT / "notebooks" / f"{lesson.stem}.ipynb", as_version=4)
    assert misplaced(lesson.number, predictions(lesson), concepts(lesson), notebook) == []


@EACH_LESSON
def test_questions_are_of_their_kind_and_numbered_in_order(lesson):
    for bank, kinds in ((predictions(lesson), Prediction), (concepts(lesson), Choice | Several | Number)):
        assert list(bank) == [f"{lesson.number}-{n}" for n in range(1, len(bank) + 1)]
        assert all(isinstance(question, kinds) for question in bank.values())
    assert all(isinstance(question, Choice | Several | Number) for question in recall_bank(lesson))


@EACH_LESSON
def test_a_lesson_has_enough_questions_for_its_rhythm_and_for_later_recall(lesson):
    assert len(predictions(lesson)) >= 3
    assert len(concepts(lesson)) >= 3
    assert len(recall_bank(lesson)) >= 5


@EACH_LESSON
def test_every_answer_has_feedback_of_its_own(lesson):
    for question in (*predictions(lesson).values(), *concepts(lesson).values(), *recall_bank(lesson)):
        said = feedbacks(question)
        assert all(text.strip() for text in said), question.question
        assert len(set(said)) == len(said), question.question
    assert all(prediction.judged for prediction in predictions(lesson).values())


@EACH_LESSON
def test_the_right_answer_has_no_place_of_its_own(lesson):
    places = right_options((*predictions(lesson).values(), *concepts(lesson).values(), *recall_bank(lesson)))
    assert all(places.count(place) <= 2 + len(places) / 2 for place in places)


@EACH_LESSON
def test_backticks_and_stars_come_in_pairs(lesson):
    for question in (*predictions(lesson).values(), *concepts(lesson).values(), *recall_bank(lesson)):
        options = [] if isinstance(question, Number) else [option.text for option in question.options]
        for text in (question.question, *options, *feedbacks(question)):
            assert text.count("`") % 2 == 0, text


GOOD = ["predict('1-1')", "run()", "compare('1-1')", "ask('1-1')", "recall(1)"]


def notebook_of(*sources):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def test_a_notebook_with_every_question_in_its_place_has_nothing_misplaced():
    assert misplaced(1, ["1-1"], ["1-1"], notebook_of(*GOOD)) == []
    assert misplaced(0, ["0-1"], [], notebook_of("predict('0-1')", "run()", "compare('0-1')")) == []


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (GOOD[1:], "predict('1-1') stands there 0 times"),
        ([*GOOD, "ask('1-1')"], "ask('1-1') stands there 2 times"),
        (GOOD[:4], "recall(1) stands there 0 times"),
        ([*GOOD, "ask('1-2')"], "ask('1-2') has no question"),
        ([*GOOD, "predict('1-9', 'What?', ['a', 'b'])"], "predict('1-9') has no question"),
        ([GOOD[0], *GOOD[2:]], "no experiment stands between"),
        (["compare('1-1')", "run()", "predict('1-1')", *GOOD[3:]], "no experiment stands between"),
    ],
)
def test_a_question_out_of_its_place_is_found(sources, says):
    assert any(says in problem for problem in misplaced(1, ["1-1"], ["1-1"], notebook_of(*sources)))


def test_where_the_right_options_stand_is_seen():
    one = Choice("q", [Option("a", "f", right=True), Option("b", "g")])
    assert right_options([one, Number("q", 1, 0, "", "f", "g")]) == [0]
