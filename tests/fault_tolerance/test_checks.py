"""Checks of lesson 3 beyond what every exercise proves: what is no answer, and answers that are put together."""

import pytest

from fault_tolerance.answers import RIGHT
from lessonlib.fault_tolerance.scenario import CALLS, STORM
from lessonlib.lab.search import search
from lessonlib.learning import CheckFailed, as_part, check


@pytest.mark.parametrize("id_", RIGHT)
@pytest.mark.parametrize(
    "nonsense",
    [None, 7, "text", object(), lambda *_, **__: 1, type("Empty", (), {})],
    ids=["None", "7", "text", "object", "function", "class"],
)
def test_what_is_no_answer_at_all_gets_a_sentence(id_, nonsense):
    with pytest.raises(CheckFailed) as failed:
        check(id_, nonsense)
    assert "Traceback" not in str(failed.value)


def test_right_answers_keep_the_rules_together_under_every_plan_that_search_tries():
    parts = {}
    for id_ in ("3.1", "3.2", "3.3", "3.5"):
        parts |= as_part(id_, RIGHT[id_])
    assert set(parts) == {"jitter", "policy", "breaker", "bulkhead"}
    assert search(CALLS, parts=parts, plans=150).failure is None


def test_a_budget_of_ones_own_turned_on_ends_the_storm():
    ends = "an overload ends when its cause has ended"
    trigger, parts = "5s..8s brown-out payments by 1s", as_part("3.7", RIGHT["3.7"])
    assert STORM.run(parts=parts, plan=trigger, budget=0).verdict(ends).status == "broken"
    assert (
        STORM.run(parts=parts, plan=f"{trigger}; at 20s budget-on", budget=0).verdict(ends).status == "holds"
    )
