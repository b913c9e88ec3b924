"""A learner's pieces of lesson 2 together in their scenarios; and the diagnose exercise's run."""

import importlib.util
from functools import partial
from pathlib import Path

import pytest

from lessonlib.lab.search import search
from lessonlib.learning import as_part
from lessonlib.learning.pieces import PieceError
from lessonlib.stream_processing.assembled import AssembledProcessor
from lessonlib.stream_processing.checks import doomed, guilty_line
from lessonlib.stream_processing.scenario import BATCHES, GROUP, RESTORE, WINDOWS, mystery

_spec = importlib.util.spec_from_file_location("stream_answers", Path(__file__).with_name("answers.py"))
answers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(answers)


def parts(*exercises):
    return {name: part for id_ in exercises for name, part in as_part(id_, answers.RIGHT[id_]).items()}


@pytest.mark.parametrize(
    ("scenario", "exercises", "rules"),
    [
        (BATCHES, ("2.1", "2.2", "2.5"), None),
        (WINDOWS, ("2.3",), None),
        (
            WINDOWS,
            ("2.4",),  # which knows no idleness
            [
                "a window's result is what happened in it, whatever the order of arrival",
                "every event is in a result or in the side output",
                "an event within the promised delay is not called late",
            ],
        ),
        (RESTORE, ("2.6",), None),
        (GROUP, ("2.8",), None),
    ],
)
def test_right_pieces_together_survive_what_the_pattern_survives(scenario, exercises, rules):
    found = search(scenario, parts=parts(*exercises), plans=40, rules=rules)
    assert found.failure is None, found


def test_an_answer_becomes_the_part_that_it_stands_in_for():
    assert list(as_part("2.5", answers.RIGHT["2.5"])) == ["buffer"]
    assert not WINDOWS.run(parts=as_part("2.3", answers.RIGHT["2.3"]), flights=100).broken


def test_an_exercise_without_a_part_cannot_be_put_into_a_scenario():
    with pytest.raises(PieceError, match="has no part in a scenario"):
        as_part("2.7", answers.RIGHT["2.7"])


def test_the_line_that_replays_a_failure_runs_as_it_stands():
    from lessonlib.learning.catalogue import find
    from lessonlib.learning.exercises import judge

    class Unbounded(answers.Bounded):
        unbounded = True

    exercise = find("2.5")
    finding = judge(type(exercise)(**{**_fields(exercise), "probes": ()}), Unbounded)
    run = eval(finding.look, {"BATCHES": BATCHES, "as_part": as_part, "Unbounded": Unbounded})
    assert finding.seen in [verdict.sentence for verdict in run.broken]


def _fields(exercise):
    return {name: getattr(exercise, name) for name in exercise.__slots__}


def test_the_mystery_has_one_broken_rule_and_one_guilty_line():
    run = mystery()
    assert [verdict.rule for verdict in run.broken] == [answers.PROMISE]
    at, late = doomed(run)
    assert at < late
    before = [record for record in run.history.records[:at] if record.kind == "arrived"][-1]
    assert before.data["source"] != "EWR", "another airport's event moved the watermark"
    assert guilty_line() == 10


@pytest.mark.parametrize(
    ("batcher", "status"),
    [
        (answers.QueueBatcher, "holds"),
        (answers.batcher(), "holds"),
        (answers.Unawaited, "broken"),
        (answers.Unbounded, "broken"),
    ],
)
def test_what_piles_up_in_a_batcher_counts_against_the_bound_of_the_buffer(batcher, status):
    parts = {"processor": partial(AssembledProcessor, batcher)}
    run = BATCHES.run(parts=parts, plan="500ms..4s slow-handler departed by 2s")
    assert run.verdict("a buffer never holds more than its bound").status == status
