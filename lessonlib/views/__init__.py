"""Pictures of runs. Each view takes a run and returns an object that shows itself and has `.describe()`.

timeline(run)     who did what when, which faults struck, where rules broke
"""

from lessonlib.views.marks import DEFAULT_MARKS, Mark
from lessonlib.views.picture import Picture, Table, View, ViewError
from lessonlib.views.run_timeline import timeline

__all__ = ["DEFAULT_MARKS", "Mark", "Picture", "Table", "View", "ViewError", "timeline"]
