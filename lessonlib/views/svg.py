"""A sheet to draw on: a few SVG elements, text that knows how wide it is, and hatches.

Nothing here asks a font how wide it is, so that a drawing is the same on every machine. `text_width` is that of
DejaVu Sans, the widest of the usual fonts: in any other, text leaves a little more room.
"""

from __future__ import annotations

import hashlib
import re
from xml.sax.saxutils import escape as _xml

from lessonlib.views.picture import Picture, words

WIDTH = 760  # a notebook's column in JupyterLab on a small screen
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

# After Okabe and Ito (2008), darkened until each has 4.5:1 on white, so that it can also be a letter's colour.
INK, GREY, RULE, PANEL = "#1a1a1a", "#555555", "#d0d0d0", "#ffffff"
BLUE, RED, PURPLE, GREEN, BROWN, SKY = "#0067a5", "#b03a00", "#8b3a72", "#00714f", "#7a5200", "#1f6f9f"
SHADE = "#fbe9c3"  # of a fault's time

# Each hatch: its ground, its tile's size, the lines in it and their colour.
HATCHES = {
    "down": ("#e3e3e3", 7, "M-1 8L8 -1M-1 1L1 -1M6 8L8 6", "#6b6b6b"),
    "paused": ("#eef3f7", 6, "M3 0V6", "#5f7f95"),
    "fault": (SHADE, 8, "M-1 -1L9 9M-1 7L1 9M7 -1L9 1", "#d9a93a"),
    "unknown": ("#f3e3ee", 4, "M-1 5L5 -1M-1 1L1 -1M3 5L5 3", PURPLE),
    "failed": ("#fbe4d8", 4, "M-1 2H5", RED),
    "again": ("#ffffff", 4, "M-1 -1L5 5M-1 5L5 -1", GREEN),
    "asleep": ("none", 6, "M3 0V6", "#8fa6b5"),  # on a band, whose colour stays
    "two": ("#ffffff", 5, "M-1 6L6 -1M-1 1L1 -1M4 6L6 4", RED),
}

_ID = "\ue000"  # stands for the picture's own prefix until its content, and so its digest, is known
_PAINT = re.compile(rf"url\(#{_ID}[a-z]+\)").fullmatch
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue001-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = frozenset("iljtfrI.,:;|!'()[]/ "), frozenset("mwMW%@—…✓✗")


def escape(text: str) -> str:
    """Return text as it may stand in XML; what XML cannot hold at all is replaced."""
    return _xml(_UNPRINTABLE.sub("\ufffd", text), {'"': "&quot;"})


def number(value: float) -> str:
    """Return a coordinate with at most one decimal."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def text_width(text: str, size: float = 11) -> float:
    """Return about how wide `text` is at most, in the drawing's units."""
    units = 0.0
    for letter in text:
        if letter in _NARROW:
            units += 0.38
        elif letter in _WIDE:
            units += 1.0
        else:
            units += 0.7 if letter.isupper() else 0.62 if letter < "\u2e80" else 1.0
    return units * size


def shorten(text: str, width: float, size: float = 11) -> str:
    """Return `text`, cut with an ellipsis where it would be wider than `width`."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, width: float, size: float = 11, *, lines_max: int = 4) -> list[str]:
    """Return `text` in lines no wider than `width`; the last is cut where there would be more."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    if len(lines) > lines_max:
        lines = [*lines[: lines_max - 1], " ".join(lines[lines_max - 1 :])]
    return [shorten(line, width, size) for line in lines]


class Sheet:
    """A drawing in progress. Coordinates are in pixels at full width; later elements lie on top of earlier ones."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._hatches: set[str] = set()

    def add(self, tag: str, content: str | None = None, /, **attributes: float | str | None) -> None:
        """Add an element. In attribute names `_` stands for `-`; None is left out; `content` is text."""
        pieces = [tag]
        for name, value in attributes.items():
            if value is not None:
                shown = (
                    number(value) if not isinstance(value, str) else value if _PAINT(value) else escape(value)
                )
                pieces.append(f'{name.replace("_", "-")}="{shown}"')
        opening = " ".join(pieces)
        self._parts.append(f"<{opening}/>" if content is None else f"<{opening}>{escape(content)}</{tag}>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 11,
        fill: str = INK,
        anchor: str | None = None,
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """Write `text` with its baseline at `y`. A halo keeps it readable on top of lines."""
        self.add(
            "text",
            text,
            x=x,
            y=y,
            font_size=None if size == 11 else size,
            fill=None if fill == INK else fill,
            text_anchor=anchor,
            font_weight="bold" if bold else None,
            stroke=PANEL if halo else None,
            stroke_width=3 if halo else None,
            paint_order="stroke" if halo else None,
        )

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, **more: float | str | None
    ) -> None:
        self.add("rect", x=x, y=y, width=width, height=height, fill=fill, **more)

    def path(self, d: str, **more: float | str | None) -> None:
        if d:
            self.add("path", d=d, **more)

    def hatch(self, name: str) -> str:
        """Return the paint of the hatch `name`."""
        self._hatches.add(name)
        return f"url(#{_ID}{name})"

    def finish(self, title: str, lines: list[str], height: float) -> Picture:
        """Return the picture. `lines` say in words what it shows."""
        told = words(lines)
        defs = "".join(
            f'<pattern id="{_ID}{name}" width="{size}" height="{size}" patternUnits="userSpaceOnUse">'
            f'<rect width="{size}" height="{size}" fill="{ground}"/>'
            f'<path d="{d}" stroke="{ink}" fill="none"/></pattern>'
            for name, (ground, size, d, ink) in HATCHES.items()
            if name in self._hatches
        )
        inside = (
            f'<title id="{_ID}title">{escape(title)}</title>'
            f'<desc id="{_ID}desc">{escape(" ".join(told))}</desc>'
            + (f"<defs>{defs}</defs>" if defs else "")
            + f'<rect width="{WIDTH}" height="{number(height)}" rx="4" fill="{PANEL}"/>'
            + "".join(self._parts)
        )
        prefix = "v" + hashlib.sha256(inside.encode("utf-8")).hexdigest()[:10] + "-"
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {number(height)}" width="{WIDTH}" '
            f'height="{number(height)}" style="max-width:100%;height:auto" role="img" '
            f'aria-labelledby="{_ID}title {_ID}desc" font-family="{FONT}" font-size="11" fill="{INK}">{inside}</svg>'
        )
        # The private character cannot come from text: `escape` replaces it.
        return Picture(title, told, svg.replace(_ID, prefix))
