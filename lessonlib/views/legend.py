"""The legend: a sample and a name for each thing that the picture really shows, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

from lessonlib.views.svg import WIDTH, Sheet, text_width

Sample = Callable[[Sheet, float, float], None]  # draws within 16 × 10 around (x, y)

_ROW = 17


class Legend:
    """Collects entries as things are drawn."""

    def __init__(self) -> None:
        self.entries: dict[str, Sample] = {}

    def note(self, name: str, sample: Sample) -> None:
        """Say that the picture shows `name`; the first sample of a name counts."""
        self.entries.setdefault(name, sample)

    def draw(self, sheet: Sheet, top: float) -> float:
        """Draw the legend below `top`; return where it ends."""
        x, y = 12.0, top + 10
        for name, sample in self.entries.items():
            width = 26 + text_width(name, 10.5)
            if x > 12 and x + width > WIDTH - 8:
                x, y = 12.0, y + _ROW
            sample(sheet, x + 8, y - 4)
            sheet.text(x + 21, y, name, size=10.5)
            x += width + 14
        return y + 8 if self.entries else top
