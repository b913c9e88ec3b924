"""The glossary, a notebook that is generated from the lessons: each term with the sentence that defines it.

A term is bold where it is defined, in the notebook of its lesson. What the engines call it stands beside the lesson, in
`lessonlib/<lesson>/glossary.py`, as plain data:

    TERMS = {"offset": {"Kafka": "offset", "NATS JetStream": "stream sequence"}, "loose coupling": {}}
    FORMS = {"commits": "commit"}          # where the sentence needs another form of the word

Bold is used for two more things. A run-in heading ends with a full stop, a colon or a question mark (`**The idea.**`) or
is one of RUN_INS, and a defect has a letter and a number (`**D1**`). Emphasis is *italic*. So any other
bold words are a term, and one that has no entry is an error, as is an entry that no lesson defines.

The file is `notebooks/glossary.ipynb`, without a number: it is no lesson, and a list by name shows it after all of them.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from lessonlib.errors import LessonError
from lessonlib.grading.build import NOTEBOOK_METADATA, notebook_text
from lessonlib.lessons import LESSONS, Lesson
from lessonlib.places import write_atomically

# Whose words are given, in the order in which they are shown.
ENGINES = (
    *("Kafka", "Kafka Connect", "Kafka Streams", "NATS JetStream", "RabbitMQ", "Amazon SQS", "Apache Pulsar"),
    *("Flink", "Debezium", "CloudEvents", "gRPC", "databases", "Trio", "Tokio", "Jepsen", "Hypothesis"),
    *("resilience4j", "Polly", "Envoy", "AWS SDK", "tenacity"),
    *("etcd", "ZooKeeper", "Consul", "Akka", "Cassandra", "Kubernetes"),
)
RUN_INS = ("Predict", "Missions", "Now build it", "You will be able to")
_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?][)\"'*]*\s+")

INTRODUCTION = """\
# Glossary

Every term of the lessons: the sentence that defines it, the place where that stands, and what the engines call it. An engine that is not
named has no word of its own for it.

*This notebook is written by `lesson build` from the lessons; change it there.*"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a lesson's `glossary.py` says.

    Attributes:
        engines: for each term what the engines call it, by the engine's name.
        forms: for another form of a term, as it is bold in a sentence, the term.
    """

    engines: Mapping[str, Mapping[str, str]]
    forms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Definition:
    """A place where words are bold.

    Attributes:
        words: as they are bold.
        sentence: in which they stand, in Markdown, nothing but these words bold.
        cell: the id of its cell.
        section: the heading above it.
    """

    words: str
    sentence: str
    cell: str
    section: str


def terms_of(lesson: Lesson) -> Terms:
    """Return what a lesson's `glossary.py` says; nothing where there is none.

    Raises:
        LessonError: it names an engine that is not one of ENGINES.
    """
    name = f"lessonlib.{lesson.name}.glossary"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return Terms({}, {})
    terms = Terms(module.TERMS, getattr(module, "FORMS", {}))
    for term, engines in terms.engines.items():
        for engine in engines:
            if engine not in ENGINES:
                raise LessonError(
                    f"{name}, {term!r}: {engine!r} is no engine; choose from {', '.join(ENGINES)}."
                )
    return terms


def definitions(notebook: NotebookNode) -> Iterator[Definition]:
    """Yield the terms of a lesson's notebook: what is bold and neither a run-in heading nor a defect's label."""
    section = ""
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        before = ""
        for token in MarkdownIt("commonmark").enable("table").parse(cell.source):
            if token.type == "inline" and before == "heading_open":
                section = token.content
            elif token.type == "inline":
                for words, sentence in _bold(token.content):
                    if not _is_run_in(words):
                        yield Definition(words, sentence, cell.id, section)
            before = token.type


def _bold(text: str) -> Iterator[tuple[str, str]]:
    """Yield bold words and their sentence. Stars in code are no marks."""
    text = " ".join(text.split())
    masked = _CODE.sub(lambda code: "_" * len(code[0]), text)
    ends = [0, *(end.end() for end in _SENTENCE_END.finditer(masked)), len(text)]
    for found in _BOLD.finditer(masked):
        start = max(end for end in ends if end <= found.start())
        stop = min(end for end in ends if end >= found.end())
        before, after = text[start : found.start()], text[found.end() : stop].rstrip()
        words = text[found.start(1) : found.end(1)]
        yield words, f"{before.replace('**', '')}**{words}**{after.replace('**', '')}"


def _is_run_in(words: str) -> bool:
    return (
        words.endswith((".", ":", "?", "!"))
        or words.startswith(RUN_INS)
        or bool(re.fullmatch(r"D\d+", words))
    )


def glossary(
    root: Path, *, lessons: Sequence[Lesson] = LESSONS, terms: Callable[[Lesson], Terms] = terms_of
) -> NotebookNode:
    """Return the glossary of the lessons that have a notebook.

    Raises:
        LessonError: bold words are no term, a term is not defined, or a notebook cannot be read.
    """
    places: dict[str, list[tuple[Lesson, Definition]]] = {}
    engines: dict[str, Mapping[str, str]] = {}
    for lesson in lessons:
        path = root / "notebooks" / f"{lesson.stem}.ipynb"
        if not path.is_file():
            continue
        own = terms(lesson)
        engines = {**own.engines, **engines}
        known = {term.casefold(): term for term in engines}
        known |= {form.casefold(): term for form, term in own.forms.items()}
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat raises whatever its parsers do
            raise LessonError(f"{path} is not a notebook ({type(error).__name__}): restore it.") from error
        for found in definitions(notebook):
            term = known.get(found.words.casefold())
            if term is None:
                raise LessonError(
                    f"notebooks/{path.name}, cell {found.cell}: '{found.words}' is bold and no term of "
                    f"lessonlib/{lesson.name}/glossary.py: add it there, or write *{found.words}* if it is emphasis."
                )
            places.setdefault(term, []).append((lesson, found))
        for term in own.engines:
            if not any(where is lesson for where, _ in places.get(term, ())):
                raise LessonError(
                    f"lessonlib/{lesson.name}/glossary.py: {term!r} is bold nowhere in notebooks/{path.name}: "
                    "define it there, or take it out."
                )
    cells = [new_markdown_cell(INTRODUCTION, id="title")]
    for term in sorted(places, key=lambda term: (term.casefold(), term)):
        cells.append(new_markdown_cell(_entry(term, places[term], engines[term]), id=_cell_id(term)))
    return new_notebook(cells=cells, metadata=nbformat.from_dict(NOTEBOOK_METADATA))


def _entry(term: str, places: Sequence[tuple[Lesson, Definition]], engines: Mapping[str, str]) -> str:
    links: dict[Lesson, str] = {}  # a lesson is named once, with its first place
    for lesson, found in places:
        links.setdefault(
            lesson, f"[lesson {lesson.number}, {found.section}]({lesson.stem}.ipynb#cell-id={found.cell})"
        )
    lines = [f"### {term}", "", places[0][1].sentence, "", "; ".join(links.values())]
    if engines:
        names = (f"*{engine}*: {engines[engine]}" for engine in ENGINES if engine in engines)
        lines += ["", " · ".join(names)]
    return "\n".join(lines)


def _cell_id(term: str) -> str:
    return f"term-{re.sub(r'[^a-z0-9]+', '-', term.casefold()).strip('-')}"[:64]


def build_glossary(root: Path, *, lessons: Sequence[Lesson] = LESSONS) -> Path:
    """Write `notebooks/glossary.ipynb` and return its path. Raises LessonError as `glossary` does."""
    path = root / "notebooks" / "glossary.ipynb"
    write_atomically(path, notebook_text(glossary(root, lessons=lessons)))
    return path
