"""A form for one fault: choose a kind, fill its fields, add it to the plan.

What a field is follows from its name, as when plans are read: names are chosen from the scenario's targets, all
else is written as plans write it (5s, 30%).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import ipywidgets as widgets

from lessonlib.errors import LessonError
from lessonlib.lab.faults import Fault, clause, meaning, verb
from lessonlib.lab.scenario import Scenario
from lessonlib.lab.search import SIDES
from lessonlib.learning.panel.look import labelled

LEFT_OUT = "(left out)"
_FIRST = {"at_s": "1s", "start_s": "1s", "end_s": "2s", "down_s": "1s", "probability": "50%", "count": "5"}


def example(scenario: Scenario) -> str:
    """Return a plan such as one may write for this scenario, of its first two kinds of fault."""
    faults = []
    for kind in [kind for kind in scenario.faults if kind.form][:2]:
        tokens = {
            field.name: (_names(scenario, field.name) or (_first(field.name),))[
                -1 if field.name == "right" else 0
            ]
            for field in dataclasses.fields(kind)
            if field.default is not None
        }
        faults.append(clause(kind, tokens))
    return "; ".join(faults)


def _names(scenario: Scenario, name: str) -> tuple[str, ...]:
    return scenario.targets.get("node" if name in ("source", "to", *SIDES) else name, ())


def _first(name: str) -> str:
    return _FIRST.get(name, "500ms" if name.endswith("_s") else "")


class FaultForm(widgets.HBox):
    """The form.

    Args:
        scenario: whose faults and targets are offered.
        add: called with the fault as a plan writes it.
        complain: called with a sentence when the form makes no sense, "" when it does.

    Attributes:
        kind: the choice of the kind, a Dropdown.
        fields: the fields of the chosen kind by name; `value` of each is a str, or a tuple for several names.
        button: adds the fault.
    """

    def __init__(
        self, scenario: Scenario, add: Callable[[str], None], complain: Callable[[str], None]
    ) -> None:
        self._scenario, self._add, self._complain = scenario, add, complain
        kinds = [(verb(kind), kind) for kind in scenario.faults if kind.form]
        self.kind = labelled(
            widgets.Dropdown(description="Fault", options=kinds), "fault-kind", width="200px"
        )
        self.fields: dict[str, widgets.DOMWidget] = {}
        self.button = widgets.Button(description="Add to plan")
        self.button.add_class("failure-lab-add")
        super().__init__()
        self.add_class("failure-lab-fault")
        self.kind.observe(lambda _: self._choose(), "value")
        self.button.on_click(lambda _: self.add())
        self._choose()

    def add(self) -> None:
        """Add the fault to the plan, or say what does not make sense."""
        tokens = {
            name: ",".join(field.value) if isinstance(field.value, tuple) else field.value.strip()
            for name, field in self.fields.items()
            if field.value != LEFT_OUT
        }
        try:
            text = clause(self.kind.value, tokens)
        except LessonError as error:
            self._complain(str(error))
            return
        self._complain("")
        self._add(text)

    def _choose(self) -> None:
        kind = self.kind.value
        if kind is None:  # a scenario without faults
            return
        self.kind.tooltip = (kind.__doc__ or "").strip()
        self.fields = {field.name: self._field(kind, field) for field in dataclasses.fields(kind)}
        self.children = (self.kind, *self.fields.values(), self.button)

    def _field(self, kind: type[Fault], field: dataclasses.Field[object]) -> widgets.DOMWidget:
        name = field.name
        optional = field.default is None
        label = name.removesuffix("_s")
        if name == "by_s" and (word := re.search(r"(\w+) \{by_s\}", kind.form)):
            label = word[1]  # as plans write it: give-up … after
        label += " (optional)" if optional and name not in _FIRST else ""
        names = _names(self._scenario, name)
        control: widgets.DOMWidget
        if name in SIDES and names:
            chosen = names[:1] if name == "left" else names[1:]
            control = widgets.SelectMultiple(
                description=label, options=names, value=chosen, rows=min(len(names), 4)
            )
        elif names:
            options = [LEFT_OUT, *names] if optional else list(names)
            control = widgets.Dropdown(description=label, options=options)
        else:
            first = _first(name)
            if optional and name != "down_s":
                first = ""
            control = widgets.Text(description=label, value=first, placeholder="left out" if optional else "")
            control.tooltip = meaning(name)
        width = "220px" if names and optional else "170px" if names or optional else "110px"
        return labelled(control, f"fault-field failure-lab-fault-{name}", width=width)
