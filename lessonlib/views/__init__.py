"""Pictures of runs. Each view takes a run and returns an object that shows itself and has `.describe()`.

timeline(run)     who did what when, which faults struck, where rules broke
lag(run)          how far each subscription is behind the log's end, over time
states(run)       in which state each breaker was, and the calls meanwhile
attempts(run)     the attempts of each job, and the waits between them
load(run)         how much was offered to a service, and how much it answered in time
state_machine(t)  a state machine, drawn from its table
fan_out(runs)     what became of each acknowledged order at each subscriber
verdicts(runs)    what the rules say, and the line that gives the run again

Pictures of measurements are in `lessonlib.views.measurements`, which alone needs matplotlib.
"""

from lessonlib.views.attempt_rows import attempts
from lessonlib.views.fan_out_table import fan_out
from lessonlib.views.lag_curves import lag
from lessonlib.views.load_curves import Flow, load
from lessonlib.views.machine import state_machine
from lessonlib.views.marks import DEFAULT_MARKS, Mark
from lessonlib.views.picture import Picture, Table, View, ViewError
from lessonlib.views.run_timeline import timeline
from lessonlib.views.state_strips import CALL_MARKS, states
from lessonlib.views.verdict_table import verdicts

__all__ = [
    "CALL_MARKS",
    "DEFAULT_MARKS",
    "Flow",
    "Mark",
    "Picture",
    "Table",
    "View",
    "ViewError",
    "attempts",
    "fan_out",
    "lag",
    "load",
    "state_machine",
    "states",
    "timeline",
    "verdicts",
]
