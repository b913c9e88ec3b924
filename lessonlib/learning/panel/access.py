"""What ipywidgets lacks for those who use a keyboard alone, and for those who cannot see the picture change."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class Access(anywidget.AnyWidget):
    """Stands in the panel unseen; what is put into the trait `said` is read aloud, politely."""

    _esm = (Path(__file__).parent / "access.js").read_text(encoding="utf-8")
    said = traitlets.Unicode().tag(sync=True)
