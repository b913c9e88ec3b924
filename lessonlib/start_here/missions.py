"""What to bring about in the failure lab of lesson 0."""

from itertools import pairwise

from lessonlib.lab.scenario import Run
from lessonlib.learning.missions import Mission, Runs
from lessonlib.start_here.rules import giving_up_blocks_nobody


def _written(run: Run) -> list[int]:
    return [record.data["value"] for record in run.history.of("effect")]


def _lost(run: Run) -> int:
    """How many of the acknowledged sales are missing at the end."""
    return len(run.history.of("ok")) - (_written(run) or [0])[-1]


def _goes_back(runs: Runs) -> bool:
    return any(later < before for before, later in pairwise(_written(runs["textbook"])))


def _one_fault_loses_three(runs: Runs) -> bool:
    return len(runs.plan) == 1 and _lost(runs["textbook"]) >= 3


def _no_fault_at_all(runs: Runs) -> bool:
    return len(runs.plan) == 0 and _lost(runs["textbook"]) > 0


def _somebody_gives_up(runs: Runs) -> bool:
    return all(
        runs[system].verdict(giving_up_blocks_nobody.name).status == "holds"
        for system in ("textbook", "pattern")
    )


MISSIONS: dict[str, tuple[Mission, ...]] = {
    "0.3": (
        Mission(
            "Make the textbook's counter go back: a write that is smaller than the one before it.",
            _goes_back,
            "A write that arrives late undoes all that was written since. The longer it is under way, the more it undoes.",
        ),
        Mission(
            "Lose three sales or more with a single fault.",
            _one_fault_loses_three,
            "One slow answer can undo several writes; many slow answers undo one another.",
        ),
        Mission(
            "Lose a sale without any fault.",
            _no_fault_at_all,
            "Load alone is enough. That is why such a defect shows in production and not on your own machine.",
        ),
        Mission(
            "Put the rule 'a till that gives up blocks nobody' to the test, so that it holds for textbook and pattern.",
            _somebody_gives_up,
            "A rule that was not exercised says nothing. Now it does: a cancelled call leaves the lock behind it open.",
        ),
    ),
}
