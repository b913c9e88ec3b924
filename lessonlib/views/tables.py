"""Pieces of HTML tables that read well in JupyterLab's light and dark theme, trusted or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

# JupyterLab aligns cells to the right and sets no bound on a line; both are wrong for words.
_CELL = "text-align: left; vertical-align: top; padding: 3px 8px; white-space: normal; font-weight: normal; font-size: 12px"
_TIGHT = "text-align: center; padding: 2px 4px; font-size: 12px; font-weight: normal"
_TABLE = "border-collapse: collapse; max-width: 760px; margin-left: 0"
_HEAD = "; border-bottom: 1px solid #808080; font-weight: bold"  # a grey with 3:1 on white and on black
_BAD = "background-color: #a83200; color: #ffffff; padding: 0 4px; border-radius: 3px; font-weight: bold; white-space: nowrap"
_CODE = "white-space: pre-wrap; max-width: 760px; font-size: 12px"


def bad(text: str) -> str:
    """Return text marked as a failure: white on dark red, bold, so that it stands out in either theme."""
    return f'<span style="{_BAD}">{escape(text)}</span>'


def cell(content: str, tag: str = "td", *, scope: str = "", rows: int = 1, tight: bool = False) -> str:
    """Return a cell around HTML that is escaped already."""
    scoped = f' scope="{scope}"' if scope else ""
    spans = f' rowspan="{rows}"' if rows > 1 else ""
    style = (_TIGHT if tight else _CELL) + (_HEAD if scope == "col" else "")
    return f'<{tag}{scoped}{spans} style="{style}">{content}</{tag}>'


def table(caption: str, head: Sequence[str], body: Iterable[Sequence[str]], *, tight: bool = False) -> str:
    """Return a table. `head` is text; the rows of `body` are finished cells."""
    columns = "".join(
        cell(escape(text), "th", scope="col", tight=tight and i > 0) for i, text in enumerate(head)
    )
    rows = "".join(f"<tr>{''.join(cells)}</tr>" for cells in body)
    title = f'<p style="font-weight: bold; margin: 6px 0 2px 0; font-size: 13px">{escape(caption)}</p>'
    return f'{title}<table style="{_TABLE}"><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>'


def paragraph(text: str) -> str:
    return f'<p style="max-width: 760px; margin: 4px 0; font-size: 12px">{escape(text)}</p>'


def code(lines: Iterable[str]) -> str:
    """Return lines to copy."""
    return f'<pre style="{_CODE}"><code>{escape(chr(10).join(lines))}</code></pre>'
