"""Pictures of runs. Each view takes a run and returns an object that shows itself and has `.describe()`.

timeline(run)     who did what when, which faults struck, where rules broke
space_time(run)   who sent what to whom, in which role: the timeline with messages, terms and partitions
leaders(run)      who believed itself the leader of which term, how long nobody did, when two did
lag(run)          how far each subscription is behind the log's end, over time
states(run)       in which state each breaker was, and the calls meanwhile
attempts(run)     the attempts of each job, and the waits between them
offered(run)      how much was offered to a service, and how much it answered in time
state_machine(t)  a state machine, drawn from its table
fan_out(runs)     what became of each acknowledged order at each subscriber
load(run)         how many events went to each partition, and which key is hot
depth(run)        how many events wait for each partition, over time, and the bound
windows(run)      event time against arrival: the watermark, late events, when windows were reported
assignment(run)   who reads which partition, before and after each rebalance
work(run)         who has which item of work, before and after each reassignment, and whether less could have moved
suspicion(run)    how suspect each node was to a watcher, when it was suspected, when rightly
waiting(runs)     how many events a watermark called late, and how long results were waited for
verdicts(runs)    what the rules say, and the line that gives the run again

Pictures of measurements are in `lessonlib.views.measurements`, which alone needs matplotlib.
"""

from lessonlib.views.assignment_table import assignment
from lessonlib.views.attempt_rows import attempts
from lessonlib.views.buffer_depth import depth
from lessonlib.views.event_time import windows
from lessonlib.views.fan_out_table import fan_out
from lessonlib.views.lag_curves import lag
from lessonlib.views.leader_strips import leaders
from lessonlib.views.load_curves import Flow, offered
from lessonlib.views.machine import state_machine
from lessonlib.views.marks import DEFAULT_MARKS, Mark
from lessonlib.views.partition_load import load
from lessonlib.views.picture import Picture, Table, View, ViewError
from lessonlib.views.roles import ROLES, Bands
from lessonlib.views.run_timeline import timeline
from lessonlib.views.space_time import SPACE_TIME_MARKS, space_time
from lessonlib.views.state_strips import CALL_MARKS, states
from lessonlib.views.suspicion_curves import suspicion
from lessonlib.views.verdict_table import verdicts
from lessonlib.views.waiting_table import waiting
from lessonlib.views.work_table import work

__all__ = [
    "CALL_MARKS",
    "DEFAULT_MARKS",
    "ROLES",
    "SPACE_TIME_MARKS",
    "Bands",
    "Flow",
    "Mark",
    "Picture",
    "Table",
    "View",
    "ViewError",
    "assignment",
    "attempts",
    "depth",
    "fan_out",
    "lag",
    "leaders",
    "load",
    "offered",
    "space_time",
    "state_machine",
    "states",
    "suspicion",
    "timeline",
    "verdicts",
    "waiting",
    "windows",
    "work",
]
