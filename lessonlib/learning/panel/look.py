"""How the panel looks, in JupyterLab's light and dark theme, and its pieces of HTML."""

from __future__ import annotations

from html import escape
from typing import TypeVar

import ipywidgets as widgets

from lessonlib.learning.missions import Missions

W = TypeVar("W", bound=widgets.DOMWidget)

STYLE = """
.failure-lab { max-width: 900px; padding: 8px 10px; border: 1px solid var(--jp-border-color1); border-radius: 4px; }
.failure-lab .widget-html-content, .failure-lab .jupyter-widget-html-content { line-height: 1.4; }
.failure-lab p, .failure-lab ol { margin: 2px 0; color: var(--jp-ui-font-color1); font-size: 13px; }
.failure-lab-row { display: flex; flex-flow: row wrap; gap: 4px 14px; align-items: center; overflow: visible; }
.failure-lab-plan textarea { font-family: var(--jp-code-font-family, monospace); }
.failure-lab-wrong { border-left: 4px solid #b03a00; padding: 2px 8px; white-space: pre-wrap; }
.failure-lab-note { border-left: 4px solid var(--jp-border-color0, #808080); padding: 2px 8px; white-space: pre-wrap; }
.failure-lab-missions ol { padding-left: 1.6em; }
.failure-lab progress { width: 180px; vertical-align: middle; }
.failure-lab-picture img { display: block; }
"""


def labelled(control: W, name: str, *, width: str) -> W:
    """Return the control with its label as wide as its words, its class names, and a width."""
    control.style = {"description_width": "initial"}
    control.layout = widgets.Layout(width=width)
    for one in name.split():
        control.add_class(one if one.startswith("failure-lab") else f"failure-lab-{one}")
    return control


def wrong(text: str) -> str:
    """Return a complaint, which a screen reader says at once."""
    return f'<p role="alert" class="failure-lab-wrong"><b>✗</b> {escape(text)}</p>' if text else ""


def note(text: str) -> str:
    """Return a remark."""
    return f'<p role="status" class="failure-lab-note">{escape(text)}</p>' if text else ""


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
    return f'<p role="status"><b>Missions:</b> {escape(missions.progress)}</p><ol>{"".join(items)}</ol>'
