"""Every exercise proves itself: stub, solution, other right answers, and each misconception."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

from lessonlib.grading.build import exercise_from
from lessonlib.learning import CheckFailed, check
from lessonlib.learning.check import exercises
from lessonlib.lessons import LESSONS

ROOT = Path(__file__).parents[2]


def answers(lesson):
    spec = importlib.util.spec_from_file_location("answers", ROOT / "tests" / lesson.name / "answers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases(pick):
    return [(lesson, id_) for lesson in LESSONS for id_, e in exercises(lesson.name).items() if pick(e)]


def run_cells(notebook, exercise_id):
    """Run the set-up, what the exercise needs, and its check, as a learner would."""
    wanted = ("setup", exercise_id.replace(".", "-") + "-")
    names = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell["id"].startswith(wanted):
            exec(compile(cell.source, cell["id"], "exec"), names)


def solution(lesson):
    return nbformat.read(ROOT / "solutions" / f"{lesson.stem}.ipynb", as_version=4)


@pytest.mark.parametrize(("lesson", "id_"), cases(lambda e: True))
class TestAnExercise:
    def test_the_stub_fails_and_says_that_it_is_not_written(self, lesson, id_):
        stub = exercise_from(solution(lesson))
        with pytest.raises(CheckFailed, match=f"Exercise {id_} is not written yet"):
            run_cells(stub, id_)

    def test_the_solution_passes_and_always_in_the_same_words(self, lesson, id_, capsys):
        run_cells(solution(lesson), id_)
        first = capsys.readouterr().out
        run_cells(solution(lesson), id_)
        assert f"Exercise {id_} passed" in first
        assert capsys.readouterr().out == first

    def test_a_right_answer_written_differently_passes(self, lesson, id_, capsys):
        check(id_, answers(lesson).RIGHT[id_])
        assert f"Exercise {id_} passed" in capsys.readouterr().out

    def test_at_least_three_misconceptions_fail_each_with_its_own_hint(self, lesson, id_):
        wrong = answers(lesson).MISCONCEPTIONS[id_]
        hints = set()
        for hint, answer in wrong:
            with pytest.raises(CheckFailed) as failed:
                check(id_, answer)
            assert hint in str(failed.value)
            assert "Traceback" not in str(failed.value)
            hints.add(hint)
        assert len(hints) >= 3


@pytest.mark.parametrize(("lesson", "id_"), cases(lambda e: e.forbids))
def test_importing_what_the_exercise_asks_for_does_not_pass(lesson, id_):
    package = importlib.import_module(f"lessonlib.{lesson.name}")
    for name in exercises(lesson.name)[id_].forbids:
        if hasattr(package, name):
            with pytest.raises(CheckFailed, match="The piece is your own"):
                check(id_, getattr(package, name))
            with pytest.raises(CheckFailed, match="The piece is your own"):
                names = {name: getattr(package, name)}
                exec(f"def wrapped(*args, **kwargs):\n    return {name}(*args, **kwargs)", names)
                check(id_, names["wrapped"])
            return
    pytest.fail(f"none of what {id_} forbids is in the package")


def test_an_endless_loop_ends_with_a_message_and_the_process_lives():
    async def consume(log, name, deliver):
        while True:
            pass

    with pytest.raises(CheckFailed, match="without a pause"):
        check("1.3", consume)


def test_a_loop_that_awaits_for_ever_without_waiting_ends_too():
    import asyncio

    async def consume(log, name, deliver):
        while True:
            await asyncio.sleep(0)

    with pytest.raises(CheckFailed, match="not there yet"):
        check("1.3", consume)


def test_warnings_and_printed_text_cost_nothing(capsys):
    import warnings

    right = next(answers(lesson) for lesson in LESSONS if lesson.number == 1).RIGHT["1.1"]

    def event_id(event_type, event_data):
        warnings.warn("beware", stacklevel=1)
        print("hello")  # noqa: T201
        return right(event_type, event_data)

    with pytest.warns(UserWarning, match="beware"):
        check("1.1", event_id)
    assert "passed" in capsys.readouterr().out


def test_what_is_no_answer_at_all_gets_a_sentence():
    for nonsense in (None, 7, "text", print, object()):
        for id_ in ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"):
            with pytest.raises(CheckFailed):
                check(id_, nonsense)


def test_a_piece_that_is_half_written_says_so():
    class HalfWritten(answers(next(lesson for lesson in LESSONS if lesson.number == 1)).Workers):
        async def work(self, handler, queue):
            raise NotImplementedError

    with pytest.raises(CheckFailed, match=r"Exercise 1\.2 is not written yet"):
        check("1.2", HalfWritten)
