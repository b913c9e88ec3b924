"""Show source where it stands, so that a notebook never retypes what the package says."""

from __future__ import annotations

import html
import inspect
import io
import re
import textwrap
import tokenize
from typing import Any

from lessonlib.errors import LessonError

# What is said to tools and not to readers.
_NOISE = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma|fmt|ruff|mypy|pylint|isort)\b.*", re.IGNORECASE)

# JupyterLab's own colours, so that a change of theme changes them; elsewhere the text's own. Of these only the ones
# whose contrast is at least 4.5 : 1 in the light and the dark theme; the one for comments is not (3.6), and here
# comments are half of what is said, so they have the text's colour.
_KEYWORD, _STRING, _NUMBER, _NAME = (
    f"var(--jp-mirror-editor-{what}-color,inherit)" for what in ("keyword", "string", "number", "property")
)


class Source:
    """A piece of the package's source: highlighted and folded in a notebook, plain text elsewhere."""

    def __init__(self, name: str, text: str, *, folded: bool, numbered: bool) -> None:
        self.name = name
        self.text = text
        self._folded = folded
        self._numbered = numbered

    def describe(self) -> str:
        """Return the source as text, numbered where asked for."""
        if not self._numbered:
            return self.text
        return "\n".join(f"{n:3}  {line}" for n, line in enumerate(self.text.splitlines(), 1))

    def __repr__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
        from pygments.style import Style
        from pygments.token import Comment, Keyword, Name, Number, Operator, String

        class Theme(Style):
            styles = {
                Comment: "italic",
                Keyword: f"bold {_KEYWORD}",
                Operator.Word: f"bold {_KEYWORD}",
                String: _STRING,
                Number: _NUMBER,
                Name.Class: f"bold {_NAME}",
                Name.Function: f"bold {_NAME}",
                Name.Decorator: _NAME,
            }

        formatter = HtmlFormatter(
            style=Theme,
            noclasses=True,  # a notebook that is not trusted loses a style sheet
            nobackground=True,
            linenos="inline" if self._numbered else False,
            prestyles="font-family:var(--jp-code-font-family,monospace);margin:0;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere",
        )
        code = highlight(self.text, PythonLexer(stripnl=False), formatter)
        opened = "" if self._folded else " open"
        frame = "border-left:3px solid var(--jp-border-color1,#8888);padding:.3em 0 .3em 1em"
        return (
            f"<details{opened}><summary><b>Source of <code>{html.escape(self.name)}</code></b></summary>"
            f'<div style="{frame}">{code}</div></details>'
        )


def show(thing: Any, *, folded: bool = False, numbered: bool = False) -> Source:
    """Return the very source of a class, function or method of this package, to be shown.

    It is dedented, and without the comments that only tools read (`noqa`, `type: ignore` and the like).

    Args:
        thing: a class, function, method or module.
        folded: whether a click is needed to see it.
        numbered: whether lines carry numbers, from 1.

    Raises LessonError when `thing` has no source, for instance an object.
    """
    try:
        text = textwrap.dedent(inspect.getsource(thing)).rstrip()
    except (TypeError, OSError) as error:
        raise LessonError(f"{thing!r:.60} has no source to show; give a class or a function") from error
    return Source(
        getattr(thing, "__qualname__", getattr(thing, "__name__", str(thing))),
        _without_noise(text),
        folded=folded,
        numbered=numbered,
    )


def _without_noise(text: str) -> str:
    """Return the source without comments for tools; a line that was nothing else is left out."""
    lines: list[str | None] = list(text.splitlines())
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (noise := _NOISE.search(token.string)):
            row, column = token.start
            left = token.line[: column + noise.start()].rstrip()
            lines[row - 1] = left or None
    return "\n".join(line for line in lines if line is not None)
