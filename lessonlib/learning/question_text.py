"""How a question looks where no widget lives: in words, and on a web page or in a notebook that was opened but not run.

What stands here never depends on what was answered, so a notebook's stored outputs are those of everyone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from lessonlib.learning.questions import Choice, Number, Option, Prediction, Remark, Several, letter

# Where the widget is alive its twin is hidden (question.css). Where a trusted notebook is opened again without its
# kernel, JupyterLab writes an error in the widget's place: that helps nobody, since the twin stands above it.
_WITHOUT_WIDGET = (
    "<style>.jp-OutputArea:has(.lesson-static) .jp-OutputArea-output.jupyter-widgets:not(:has(*)) "
    "{ display: none }</style>"
)


_CODE = re.compile(r"`([^`]+)`")
_EMPHASIS = re.compile(r"(?<![\w*])\*(\S|\S[^*]*\S)\*(?![\w*])")


def inline(text: str) -> str:
    """Return a piece of text as HTML: `code` between backticks, *emphasis* between stars."""
    pieces = _CODE.split(escape(" ".join(text.split())))  # in turn: words, code, words, …
    return "".join(
        f"<code>{piece}</code>" if n % 2 else _EMPHASIS.sub(r"<em>\1</em>", piece)
        for n, piece in enumerate(pieces)
    )


def blocks(text: str) -> str:
    """Return paragraphs as HTML; one whose every line is indented by four spaces is code."""
    return "".join(
        f"<pre>{escape(_dedented(part))}</pre>" if _is_code(part) else f"<p>{inline(part)}</p>"
        for part in _parts(text)
    )


def plain(text: str) -> str:
    """Return paragraphs as plain text; code keeps its lines."""
    return "\n".join(part if _is_code(part) else " ".join(part.split()) for part in _parts(text))


def question_in_words(label: str, question: Prediction | Choice | Several | Number) -> str:
    """Return a question and its options, as text."""
    return "\n".join([f"{label}: {plain(question.question)}", *_options_in_words(question), _how(question)])


def question_in_widget(question: Prediction | Choice | Several | Number) -> str:
    """Return a question as HTML, without what the widget's controls show."""
    return blocks(question.question) + (f"<p>{_how(question)}</p>" if isinstance(question, Several) else "")


def question_on_a_page(label: str, question: Prediction | Choice | Several | Number) -> str:
    """Return a question and its options as HTML; of a concept check also the answers, folded."""
    asked = (
        blocks(question.question) + _list(_options_on_a_page(question)) + f"<p>{inline(_how(question))}</p>"
    )
    folded = "" if isinstance(question, Prediction) else _folded("Answer", _answers(question))
    return _page(label, asked + folded)


def comparison_in_words(label: str, prediction: Prediction) -> str:
    """Return what happened, as text."""
    if not prediction.judged:
        return f"{label}: compare what you predicted with what you saw."
    return f"{label}: " + "\n".join(str(remark) for remark in prediction.truth())


def comparison_on_a_page(label: str, prediction: Prediction) -> str:
    """Return what happened as HTML, and what is to be said to the other predictions."""
    if not prediction.judged:
        return _page(label, "<p>Compare what you predicted with what you saw.</p>")
    happened = "".join(
        f"<p><strong>{inline(r.head)}</strong> {inline(r.text)}</p>" for r in prediction.truth()
    )
    others = _list(
        f"If you predicted {letter(n)}: {inline(option.feedback)}"
        for n, option in enumerate(prediction.options)
        if not option.right
    )
    return _page(label, _folded("What happened, and why", happened + others))


def remarks_for_widget(remarks: Iterable[Remark]) -> list[dict[str, str]]:
    """Return remarks as the widget shows them."""
    return [{"tone": r.tone, "head": inline(r.head), "text": inline(r.text)} for r in remarks]


def _parts(text: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n\s*\n", text) if part.strip()]


def _is_code(part: str) -> bool:
    return all(line.startswith("    ") for line in part.splitlines())


def _dedented(part: str) -> str:
    return "\n".join(line[4:] for line in part.splitlines())


def _options_in_words(question: Prediction | Choice | Several | Number) -> list[str]:
    if isinstance(question, Number):
        return []
    return [
        f"  {letter(index)} {' '.join(option.text.split())}" for index, option in enumerate(question.options)
    ]


def _how(question: Prediction | Choice | Several | Number) -> str:
    if isinstance(question, Number):
        return f"Type a number{f' ({question.unit})' if question.unit else ''}."
    return "Choose all that are right." if isinstance(question, Several) else "Choose one."


def _options_on_a_page(question: Prediction | Choice | Several | Number) -> list[str]:
    if isinstance(question, Number):
        return []
    return [f"{letter(index)} {inline(option.text)}" for index, option in enumerate(question.options)]


def _answers(question: Choice | Several | Number) -> str:
    if isinstance(question, Number):
        mistakes = [f"{value:g}: {inline(text)}" for value, text in question.mistakes.items()]
        return f"<p><strong>{inline(question.truth())}.</strong> {inline(question.feedback)}</p>" + _list(
            mistakes
        )
    return _list(
        f"{letter(n)} {_verdict(option)} {inline(option.feedback)}"
        for n, option in enumerate(question.options)
    )


def _verdict(option: Option) -> str:
    return "<strong>Right.</strong>" if option.right else "Not right."


def _list(items: Iterable[str]) -> str:
    listed: Sequence[str] = [f"<li>{item}</li>" for item in items]
    return f'<ul style="list-style: none; padding-left: 1em">{"".join(listed)}</ul>' if listed else ""


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>{body}</details>"


def _page(label: str, body: str) -> str:
    return f'{_WITHOUT_WIDGET}<div class="lesson-static"><p><strong>{inline(label)}</strong></p>{body}</div>'
