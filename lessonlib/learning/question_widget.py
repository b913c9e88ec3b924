"""The widget that shows any question. Its state lives here, in the kernel; the browser's half is question.js."""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import Dict, Int, List, Unicode

_HERE = Path(__file__).parent


class QuestionWidget(anywidget.AnyWidget):
    """A question with its controls, and below them the remarks on the answer, which are announced when they change.

    Not ipywidgets' own RadioButtons: these have no fieldset and their label does not name the group.

    Attributes:
        kind: "one" (radio buttons), "several" (check boxes), "number" (a field) or "none" (remarks alone).
        label, question, options, unit: what is shown; `question` and `options` are HTML.
        confidences: how sure one can be; empty where nobody asks.
        button: what the button says; "" where an answer counts as soon as it is chosen.
        chosen, confidence, typed: the answer.
        asked: how often the button was pressed.
        remarks: what is said to it, each with "tone", "head" and "text" (HTML).
    """

    _esm = (_HERE / "question.js").read_text(encoding="utf-8")
    _css = (_HERE / "question.css").read_text(encoding="utf-8")

    kind = Unicode("none").tag(sync=True)
    label = Unicode().tag(sync=True)
    question = Unicode().tag(sync=True)
    options = List(Unicode()).tag(sync=True)
    unit = Unicode().tag(sync=True)
    confidences = List(Unicode()).tag(sync=True)
    button = Unicode().tag(sync=True)
    chosen = List(Int()).tag(sync=True)
    confidence = Unicode().tag(sync=True)
    typed = Unicode().tag(sync=True)
    asked = Int().tag(sync=True)
    remarks = List(Dict()).tag(sync=True)
