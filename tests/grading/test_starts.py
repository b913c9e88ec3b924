"""A kernel that does not start has run nothing of the learner's: it costs no exercise, it is started again."""

import sys

import pytest

from lessonlib.grading.run import STARTS_MAX, CellEnd, Limits, Run, run

MODULE = sys.modules[run.__module__]
NOT_BEGUN = Run({}, "The run could not begin: Kernel died before replying to kernel_info", (), begun=False)
BEGUN = Run({"a": CellEnd(True)}, "", ())


@pytest.fixture
def starts(monkeypatch):
    """Plays the starts that it is given, one after the other, and keeps the deadline of each."""

    def play(*results):
        left, deadlines = list(results), []

        def once(notebook, limits, deadline):
            deadlines.append(deadline)
            return left.pop(0)

        monkeypatch.setattr(MODULE, "_run_once", once)
        return deadlines

    return play


def test_a_kernel_that_does_not_start_is_started_again(starts, tmp_path):
    deadlines = starts(NOT_BEGUN, BEGUN)
    assert run(tmp_path / "a.ipynb", Limits(), 60) is BEGUN
    assert len(deadlines) == 2 and len(set(deadlines)) == 1, "all starts share the time of one"


def test_one_that_never_starts_is_given_up(starts, tmp_path):
    deadlines = starts(*[NOT_BEGUN] * STARTS_MAX)
    assert run(tmp_path / "a.ipynb", Limits(), 60) is NOT_BEGUN
    assert len(deadlines) == STARTS_MAX


def test_a_run_that_began_is_not_repeated_whatever_became_of_it(starts, tmp_path):
    died = Run({}, "The process that runs the cells died.", ())
    deadlines = starts(died)
    assert run(tmp_path / "a.ipynb", Limits(), 60) is died
    assert len(deadlines) == 1
