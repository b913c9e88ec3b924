"""Three lessons of our own with questions, beside the package's: the banks are loaded from files, as real ones are."""

import pytest

import lessonlib
from lessonlib.learning import asking, questions
from lessonlib.lessons import Lesson

SAMPLES = (Lesson(1, "sample_one", "One"), Lesson(2, "sample_two", "Two"), Lesson(3, "sample_three", "Three"))

ONE = """
from lessonlib.learning.questions import Choice, Number, Option, Prediction, Several

PREDICTIONS = {
    "1-1": Prediction(
        "What does `await` do?\\n\\n    await door()\\n    print(1 < 2)",
        [Option("nothing", "It waits."), Option("it waits & lets others in", "So it is.", right=True), Option("it <blocks>", "It does not.")],
    ),
}
CONCEPTS = {
    "1-1": Choice("Which?", [Option("this", "Yes, this.", right=True), Option("that", "That is `wrong`.")]),
    "1-2": Several(
        "Which ones?",
        [Option("red", "Red is one.", right=True), Option("blue", "Blue is one.", right=True), Option("tea", "Tea is none.")],
    ),
    "1-3": Number("How long?", 3, 0.1, "s", "Three it is.", "Add them up.", {30: "That is in tenths."}),
}
RECALL = tuple(Choice(f"one {n}", [Option("a", "Yes.", right=True), Option("b", "No.")]) for n in range(5))
"""
TWO = """
from lessonlib.learning.questions import Choice, Option

RECALL = {f"2-{n}": Choice(f"two {n}", [Option("a", "Yes.", right=True), Option("b", "No.")]) for n in range(2)}
"""


@pytest.fixture
def sample_lessons(tmp_path, monkeypatch):
    """Lessons 1 (all kinds of questions), 2 (recall only) and 3 (a lesson without questions)."""
    for name, text in (("sample_one", ONE), ("sample_two", TWO), ("sample_three", None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
        if text is not None:
            (tmp_path / name / "questions.py").write_text(text)
    monkeypatch.setattr(lessonlib, "__path__", [*lessonlib.__path__, str(tmp_path)])
    monkeypatch.setattr(questions, "LESSONS", SAMPLES)
    monkeypatch.setattr(asking, "LESSONS", SAMPLES)
    monkeypatch.setattr(asking, "_widgets", {})
    monkeypatch.setattr(asking, "_own_predictions", {})
    yield SAMPLES
    import sys

    for name in [name for name in sys.modules if name.startswith("lessonlib.sample_")]:
        del sys.modules[name]
