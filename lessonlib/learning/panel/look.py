"""How the panel looks, in JupyterLab's light and dark theme, and its pieces of HTML."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TypeVar

import ipywidgets as widgets

from lessonlib.learning.missions import Missions

W = TypeVar("W", bound=widgets.DOMWidget)

STYLE = (Path(__file__).parent / "panel.css").read_text(encoding="utf-8")


def labelled(control: W, name: str, *, width: str) -> W:
    """Return the control with its label as wide as its words, its class names, and a width."""
    control.style = {"description_width": "initial"}
    control.layout = widgets.Layout(width=width)
    for one in name.split():
        control.add_class(one if one.startswith("failure-lab") else f"failure-lab-{one}")
    return control


def wrong(text: str) -> str:
    """Return a complaint."""
    return f'<p class="failure-lab-wrong"><b>✗</b> {escape(text)}</p>' if text else ""


def note(text: str) -> str:
    """Return a remark."""
    return f'<p class="failure-lab-note">{escape(text)}</p>' if text else ""


def mission_list(missions: Missions) -> str:
    """Return the missions, which of them are reached, and what was shown."""
    if not missions.all:
        return ""
    items = []
    for mission in missions.all:
        plan = missions.reached.get(mission)
        items.append(
            f"<li>○ open: {escape(mission.goal)}</li>"
            if plan is None
            else f"<li><b>✓ reached</b> ({escape(plan)}): {escape(mission.goal)}<br>{escape(mission.shown)}</li>"
        )
    return f"<p><b>Missions:</b> {escape(missions.progress)}</p><ol>{''.join(items)}</ol>"
