"""Buffer depth: how many events wait for each partition, over time, and the bound."""

from __future__ import annotations

from collections.abc import Sequence

from lessonlib.lab.scenario import Run
from lessonlib.views.picture import Picture, ViewError, one
from lessonlib.views.steps import CURVES_MAX, Curve, draw_steps


def depth(
    run: Run,
    *,
    partitions: Sequence[int] | None = None,
    bound: int | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Picture:
    """Draw how many events wait for each partition. Where there is a bound, a dashed line shows it.

    Reads records `depth` with `partition` and `depth`.

    Args:
        run: what `scenario.run(...)` returned.
        partitions: which to draw; left out, those in which most events waited, eight at most.
        bound: how many may wait; left out, what a record `configured` says of `buffer`.
        start_s, end_s: the part to show, in seconds of virtual time.

    Raises ViewError for a run in which nothing waited, or a partition that is none.
    """
    run = one(run)
    steps: dict[int, list[tuple[int, int]]] = {}
    for record in run.history.of("depth"):
        mine = steps.setdefault(record.data["partition"], [(0, 0)])
        if mine[-1][0] == record.t_us:
            mine[-1] = (record.t_us, record.data["depth"])
        else:
            mine.append((record.t_us, record.data["depth"]))
    if not steps:
        raise ViewError(f"no buffer was looked at in {run.replay}; depth needs records of kind 'depth'")
    if partitions is None:
        fullest = sorted(steps, key=lambda p: (-max(value for _, value in steps[p]), p))
        partitions = sorted(fullest[:CURVES_MAX])
    if isinstance(partitions, str) or not partitions:
        raise ViewError(f"partitions={partitions!r} names none; give a list, for instance [0, 1]")
    for partition in partitions:
        if partition not in steps:
            raise ViewError(
                f"nothing waited for partition {partition!r}; choose from {', '.join(map(str, sorted(steps)))}"
            )
    if bound is None:
        configured = run.history.of("configured").first()
        bound = configured.get("buffer") if configured is not None else None
    return draw_steps(
        run,
        [Curve(f"partition {p}", tuple(steps[p])) for p in partitions],
        what="Events that wait, by partition",
        axis_words=("events", "waiting"),
        peak_words="waiting",
        note="Events that were taken and are not in work yet. The number at a curve's end is how many wait there then.",
        choose="partitions=[...]",
        start_s=start_s,
        end_s=end_s,
        bound=None if bound is None else ("bound", bound),
    )
