"""A slider with a number field beside it, for one parameter.

ipywidgets' own slider has no name that a screen reader could say (its handle is a `div`), and its scale is linear.
This one is a native `<input type="range">` with a label, and over a wide range its scale is logarithmic.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lessonlib.lab.scenario import Param

_HERE = Path(__file__).parent
WIDE = 200  # steps; a range with more of them is too wide for a linear scale


class Dial(anywidget.AnyWidget):
    """A parameter's value as something to turn. Trait `value` is what the scenario takes."""

    _esm = (_HERE / "dial.js").read_text(encoding="utf-8")
    _css = (_HERE / "dial.css").read_text(encoding="utf-8")
    value = traitlets.Float().tag(sync=True)
    low = traitlets.Float().tag(sync=True)
    high = traitlets.Float().tag(sync=True)
    step = traitlets.Float().tag(sync=True)
    wide = traitlets.Bool().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    help = traitlets.Unicode().tag(sync=True)

    def __init__(self, param: Param, value: float) -> None:
        self.param = param
        step = _step(param)
        super().__init__(
            low=param.low,
            high=param.high,
            step=step,
            wide=(param.high - param.low) / step > WIDE,
            label=_label(param),
            unit=param.unit,
            help=param.help,
            value=value,
        )
        self.add_class("failure-lab-dial")
        self.add_class("failure-lab-param")
        self.add_class(f"failure-lab-param-{param.name}")

    @property
    def number(self) -> int | float:
        """The value as the scenario takes it."""
        return int(self.value) if isinstance(self.param.default, int) else self.value

    @traitlets.validate("value")
    def _within_the_range(self, proposal: Any) -> float:
        """What the browser sends is not trusted: a value outside is brought in."""
        value = min(max(proposal["value"], self.param.low), self.param.high)
        return float(round(value)) if isinstance(self.param.default, int) else float(value)


def _step(param: Param) -> float:
    """1 for whole numbers; else a round number, about a hundredth of the range."""
    if isinstance(param.default, int):
        return 1.0
    span = (param.high - param.low) / 100 or 1.0
    return float(10 ** math.floor(math.log10(span)))


def _label(param: Param) -> str:
    words = param.name.replace("_", " ")
    return words if not param.unit or param.unit in words else f"{words} ({param.unit})"
