"""Pictures of runs. Each view takes a run and returns an object that shows itself and has `.describe()`.

timeline(run)     who did what when, which faults struck, where rules broke
lag(run)          how far each subscription is behind the log's end, over time
fan_out(runs)     what became of each acknowledged order at each subscriber
verdicts(runs)    what the rules say, and the line that gives the run again

Pictures of measurements are in `lessonlib.views.measurements`, which alone needs matplotlib.
"""

from lessonlib.views.fan_out_table import fan_out
from lessonlib.views.lag_curves import lag
from lessonlib.views.marks import DEFAULT_MARKS, Mark
from lessonlib.views.picture import Picture, Table, View, ViewError
from lessonlib.views.run_timeline import timeline
from lessonlib.views.verdict_table import verdicts

__all__ = [
    "DEFAULT_MARKS",
    "Mark",
    "Picture",
    "Table",
    "View",
    "ViewError",
    "fan_out",
    "lag",
    "timeline",
    "verdicts",
]
