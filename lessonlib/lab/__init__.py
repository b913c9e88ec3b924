"""The laboratory: run ordinary asyncio code in a simulated world and see what happened. Knows no lesson."""

from lessonlib.lab.faults import FaultPlan
from lessonlib.lab.history import History, Record
from lessonlib.lab.loop import simulate
from lessonlib.lab.rules import Rule, Verdict
from lessonlib.lab.scenario import Param, Run, Scenario

__all__ = ["FaultPlan", "History", "Param", "Record", "Rule", "Run", "Scenario", "Verdict", "simulate"]
