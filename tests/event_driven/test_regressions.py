"""Plans that once broke the pattern, each with what was wrong."""

import pytest

from lessonlib.event_driven.scenario import ORDERS, OUTBOX

ONCE_BROKEN = [
    # The relay did not expect its disk to fail: it died at the mark of a sent order, and what came later was
    # stored and never announced.
    (OUTBOX, "0.9s..1.71s fail-disk shop 5%", 2776, {}),
    (OUTBOX, "0.3s..770ms fail-disk shop 20%", 1071, {}),
    # Nor did it expect a broker that is silent for so long that the client gives up.
    (OUTBOX, "500ms..80s partition shop | broker", 1, {}),
    # The e-mail's handler took longer than the time between two orders, so that in the lesson's own workload
    # it lagged by 24 s, and the rules called that a delay by whichever other subscriber was in trouble.
    (ORDERS, "5s..6s slow-handler inventory by 50ms", 1, {"orders": 1_600, "rate_per_s": 200}),
    # A copy of `rewind` that came late moved the cursor back for good, after all had been read again.
    (ORDERS, "at 1.9s rewind orders; 0s..4s duplicate 100% from orders to broker", 72, {}),
    # A commit from before a rewind was overtaken by it, and moved the cursor forward over what was to be
    # read again; a crash then made the subscriber believe it.
    (
        ORDERS,
        "at 1.9s rewind email; 0s..4s reorder 50% by 500ms from email to broker; at 2173ms crash email for 100ms",
        2,
        {},
    ),
]


@pytest.mark.parametrize(("scenario", "plan", "seed", "params"), ONCE_BROKEN)
def test_a_plan_that_once_broke_a_rule_breaks_none(scenario, plan, seed, params):
    run = scenario.run("pattern", plan=plan, seed=seed, **(params or scenario.small))
    assert not run.broken, run.describe()
