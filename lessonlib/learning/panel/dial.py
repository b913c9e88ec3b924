"""A slider with a number field beside it, for one parameter.

ipywidgets' own slider has no name that a screen reader could say (its handle is a `div`), and its scale is linear.
This one is a native `<input type="range">` with a label, and over a wide range its scale is logarithmic.
"""

from __future__ import annotations

import math
from typing import Any

import anywidget
import traitlets

from lessonlib.lab.scenario import Param

WIDE = 200  # steps; a range with more of them is too wide for a linear scale

_ESM = """
let last = 0;
function render({ model, el }) {
  const id = `dial-${Date.now()}-${last++}`;
  const { low, high, step, wide, unit, label, help } = Object.fromEntries(
    ["low", "high", "step", "wide", "unit", "label", "help"].map((name) => [name, model.get(name)]));
  const text = document.createElement("label");
  const range = document.createElement("input");
  const field = document.createElement("input");
  text.textContent = label;
  text.htmlFor = range.id = id;
  range.type = "range";
  field.type = "number";
  field.setAttribute("aria-label", `${label}, as a number`);
  text.title = range.title = field.title = help;
  Object.assign(field, { min: low, max: high, step });
  Object.assign(range, wide ? { min: 0, max: 100, step: 1 } : { min: low, max: high, step });
  const base = low > 0 ? low : step;
  const toValue = (at) => {
    if (!wide) return Number(at);
    if (Number(at) === 0) return low;
    const raw = base * Math.pow(high / base, at / 100);
    const digit = Math.pow(10, Math.floor(Math.log10(raw)) - 1);  // two digits are exact enough to drag to
    return fit(Math.round(raw / digit) * digit);
  };
  const toPosition = (value) =>
    !wide ? value : value <= base ? 0 : 100 * Math.log(value / base) / Math.log(high / base);
  const fit = (value) => {
    const steps = Math.round((value - low) / step);
    return Number(Math.min(high, Math.max(low, low + steps * step)).toFixed(9));
  };
  const show = () => {
    const value = model.get("value");
    range.value = toPosition(value);
    range.setAttribute("aria-valuetext", `${value} ${unit}`);
    field.value = value;
  };
  const set = (value) => {
    model.set("value", value);
    model.save_changes();
  };
  range.addEventListener("input", () => set(toValue(range.value)));
  field.addEventListener("change", () => {
    if (field.value !== "") set(fit(Number(field.value)));
    show();
  });
  model.on("change:value", show);
  el.append(text, range, field);
  show();
}
export default { render };
"""

_CSS = """
.failure-lab-dial { display: flex; align-items: center; gap: 6px; color: var(--jp-ui-font-color1); font-size: 13px; }
.failure-lab-dial label { white-space: nowrap; }
.failure-lab-dial input[type="range"] { width: 110px; accent-color: var(--jp-brand-color1); }
.failure-lab-dial input[type="number"] {
  width: 76px; box-sizing: border-box; padding: 3px 4px; font-size: 13px;
  color: var(--jp-widgets-input-color, var(--jp-ui-font-color1));
  background: var(--jp-widgets-input-background-color, var(--jp-layout-color1));
  border: 1px solid var(--jp-border-color0, #808080);
}
"""


class Dial(anywidget.AnyWidget):
    """A parameter's value as something to turn. Trait `value` is what the scenario takes."""

    _esm = _ESM
    _css = _CSS
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
