"""The glossary: every bold term with its sentence, its place and its names; bold for anything else is an error."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lessonlib.errors import LessonError
from lessonlib.grading.build import notebook_text
from lessonlib.grading.glossary import ENGINES, Terms, build_glossary, definitions, glossary, terms_of
from lessonlib.lessons import LESSONS, Lesson

ROOT = Path(__file__).parents[2]
EARLY, LATE = Lesson(90, "early", "Early"), Lesson(91, "late", "Late")


def page(*texts):
    return new_notebook(cells=[new_markdown_cell(text, id=f"c{n}") for n, text in enumerate(texts)])


def found(*texts):
    return [(d.words, d.sentence, d.cell, d.section) for d in definitions(page(*texts))]


def test_the_glossary_is_in_step_with_the_lessons():
    """So each bold term of each lesson is in it, each term of the tables is defined, and no other words are bold."""
    stored = (ROOT / "notebooks" / "glossary.ipynb").read_text(encoding="utf-8")
    assert stored == notebook_text(glossary(ROOT)), "run `lesson build`"


def test_every_term_leads_to_a_cell_of_its_lesson_that_defines_it():
    links = 0
    for cell in nbformat.read(ROOT / "notebooks" / "glossary.ipynb", as_version=4).cells[1:]:
        term = cell.source.splitlines()[0].removeprefix("### ")
        for stem, id_ in re.findall(r"\]\((\w+)\.ipynb#cell-id=([\w-]+)\)", cell.source):
            lesson = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
            [target] = [cell for cell in lesson.cells if cell.id == id_]
            assert f"**{term.casefold()}" in target.source.casefold()
            links += 1
    assert links >= len(LESSONS)


def test_a_term_has_its_sentence_its_cell_and_the_heading_above_it():
    assert found(
        "# Title\nFirst. A **log** keeps\nevents. Last.", "More **lag**, here.\n## Then\n- a **cursor**"
    ) == [
        ("log", "A **log** keeps events.", "c0", "Title"),
        ("lag", "More **lag**, here.", "c1", "Title"),
        ("cursor", "a **cursor**", "c1", "Then"),
    ]


def test_of_two_terms_in_one_sentence_each_is_bold_in_its_own():
    assert [sentence for _, sentence, *_ in found("A **log** has an **offset** (*a number*). End.")] == [
        "A **log** has an offset (*a number*).",
        "A log has an **offset** (*a number*).",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "**The idea.** Wait.",
        "**Next:** on.",
        "**Why?** So.",
        "**Predict** now.",
        "> **Now build it: exercise 1.1**, an id.",
        "**Missions**\n1. One.",
        "It raises (**D1**).",
        "`f(**options)` and `g(**more)`",
        "    indented(**code) ** 2",
        "```\nfenced **code** here\n```",
        "2 ** 3 ** 2 is 512",
        "*emphasis*",
    ],
)
def test_run_in_headings_labels_and_code_are_no_terms(text):
    assert found(text) == []


def test_a_term_may_stand_in_a_table_a_list_or_a_fold():
    text = "| a | **cell** |\n|---|---|\n| 1 | a **row** |\n\n<details><summary>x</summary>\n\nA **fold** here.\n</details>"
    assert [words for words, *_ in found(text)] == ["cell", "row", "fold"]


def test_code_cells_are_not_read():
    notebook = new_notebook(cells=[new_code_cell("x = '**not a term**'")])
    assert list(definitions(notebook)) == []


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks").mkdir()

    def write(early, late=None):
        for lesson, text in ((EARLY, early), (LATE, late)):
            if text is not None:
                nbformat.write(page(text), tmp_path / "notebooks" / f"{lesson.stem}.ipynb")
        return tmp_path

    return write


def made(root, early, late=None):
    tables = {"early": early, "late": late or Terms({}, {})}
    return glossary(root, lessons=[EARLY, LATE], terms=lambda lesson: tables[lesson.name])


def test_terms_stand_in_the_order_of_the_alphabet_with_the_engines_names(root):
    where = root("# One\nHe **commits**. An **Offset** and an **at-least** rule.")
    engines = {"offset": {"RabbitMQ": "offset of a stream", "Kafka": "offset"}, "commit": {}, "at-least": {}}
    _, *entries = made(where, Terms(engines, {"commits": "commit"})).cells
    assert [cell.id for cell in entries] == ["term-at-least", "term-commit", "term-offset"]
    assert entries[1].source == "### commit\n\nHe **commits**.\n\n[lesson 90, One](90_early.ipynb#cell-id=c0)"
    assert entries[2].source.endswith("\n\n*Kafka*: offset · *RabbitMQ*: offset of a stream")


def test_a_term_that_two_lessons_define_stands_once_with_both_links(root):
    where = root("# One\nA **rule** holds. A **rule**.", "# Two\nA **rule** still.")
    [_, entry] = made(where, Terms({"rule": {}}, {})).cells
    assert "A **rule** holds." in entry.source
    links = "[lesson 90, One](90_early.ipynb#cell-id=c0); [lesson 91, Two](91_late.ipynb#cell-id=c0)"
    assert entry.source.endswith(links)


def test_a_bold_term_without_an_entry_is_named(root):
    with pytest.raises(
        LessonError, match=r"90_early.ipynb, cell c0: 'lag' is bold and no term of lessonlib/early/"
    ):
        made(root("A **log** and its **lag**."), Terms({"log": {}}, {}))


def test_an_entry_that_no_lesson_defines_is_named(root):
    with pytest.raises(LessonError, match=r"'lag' is bold nowhere in notebooks/90_early.ipynb"):
        made(root("A **log**."), Terms({"log": {}, "lag": {}}, {}))


def test_an_entry_of_a_later_lesson_must_be_defined_there(root):
    with pytest.raises(
        LessonError, match=r"lessonlib/late/glossary.py: 'log' is bold nowhere in notebooks/91_late"
    ):
        made(root("A **log**.", "Nothing."), Terms({"log": {}}, {}), Terms({"log": {}}, {}))


def test_a_lesson_may_not_use_what_only_a_later_one_defines(root):
    with pytest.raises(LessonError, match=r"90_early.ipynb, cell c0: 'window'"):
        made(root("A **window**.", "A **window**."), Terms({}, {}), Terms({"window": {}}, {}))


def test_a_lesson_whose_notebook_is_not_written_yet_is_left_out(root):
    assert len(made(root("A **log**."), Terms({"log": {}}, {}), Terms({"window": {}}, {})).cells) == 2


def test_a_file_that_is_no_notebook_is_named(root):
    where = root("A **log**.")
    (where / "notebooks" / "90_early.ipynb").write_text("{")
    with pytest.raises(LessonError, match=r"90_early.ipynb is not a notebook"):
        made(where, Terms({"log": {}}, {}))


def test_an_unknown_engine_is_named(monkeypatch):
    import lessonlib.event_driven.glossary as table

    monkeypatch.setitem(table.TERMS, "offset", {"Kafak": "offset"})
    lesson = next(lesson for lesson in LESSONS if lesson.name == "event_driven")
    with pytest.raises(LessonError, match=r"'offset': 'Kafak' is no engine; choose from Kafka"):
        terms_of(lesson)


def test_each_engine_has_one_name():
    assert len(set(ENGINES)) == len(ENGINES)


def test_writing_it_twice_gives_the_same_bytes(root):
    where = root("Nothing.")
    path = build_glossary(where, lessons=[])
    first = path.read_bytes()
    assert build_glossary(where, lessons=[]).read_bytes() == first
    assert path.name == "glossary.ipynb"
