"""Show source where it stands, so that a notebook never retypes what the package says."""

from __future__ import annotations

import html
import inspect
import textwrap
from typing import Any

from lessonlib.errors import LessonError


class Source:
    """A piece of the package's source, shown folded in a notebook and as plain text elsewhere."""

    def __init__(self, name: str, text: str, *, folded: bool, numbered: bool) -> None:
        self.name = name
        self.text = text
        self._folded = folded
        self._numbered = numbered

    def describe(self) -> str:
        """Return the source, numbered where asked for."""
        if not self._numbered:
            return self.text
        return "\n".join(f"{n:3}  {line}" for n, line in enumerate(self.text.splitlines(), 1))

    def __repr__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        formatter = HtmlFormatter(
            noclasses=True,
            nobackground=True,
            linenos="inline" if self._numbered else False,
            # A notebook gives code the ground and the ink of its theme, on which these colours would not show.
            cssstyles="background:none;color:inherit",
            prestyles="font-family:monospace;line-height:1.35;margin:0;background:none;color:inherit",
        )
        code = highlight(self.text, PythonLexer(), formatter)
        opened = "" if self._folded else " open"
        panel = "background:#fafafa;color:#1a1a1a;padding:.5em 1em;border-radius:4px;overflow-x:auto"
        return (
            f"<details{opened}><summary><b>Source of <code>{html.escape(self.name)}</code></b></summary>"
            f'<div style="{panel}">{code}</div></details>'
        )


def show(thing: Any, *, folded: bool = False, numbered: bool = False) -> Source:
    """Return the very source of a class, function or method of this package, to be shown.

    Args:
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
        text,
        folded=folded,
        numbered=numbered,
    )
