"""Plans that once showed something wrong with the pattern or with a rule, each with what it was."""

import pytest

from lessonlib.high_availability.scenario import CLUSTER

ONCE_WRONG = [
    # What reaches the leader is late, half a second each: slow, not silent. It keeps its office, and answers after its
    # clients have gone. The rule asked for writes of a majority whose leader was not one of it.
    (CLUSTER, "2s..5s delay 0.5s to node-3", 21913),
    # Clients asked for two writes in four seconds, one of them before there was a leader: the rule missed the others.
    (CLUSTER, "", 50060),
    # A store that has lost its disk cannot know a token any more.
    (CLUSTER, "1s..1.5s slow node-1 by 3s; at 3.6s crash store losing disk for 0.5s", 50665),
]


@pytest.mark.parametrize(("scenario", "plan", "seed"), ONCE_WRONG)
def test_a_plan_that_once_broke_a_rule_breaks_none(scenario, plan, seed):
    run = scenario.run("pattern", plan=plan, seed=seed, **scenario.small)
    assert not run.broken, run.describe()
