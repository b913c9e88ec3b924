"""What to bring about in the failure labs of this lesson, by section. Each mission reads runs under one plan."""

from __future__ import annotations

from lessonlib.event_driven import rules
from lessonlib.event_driven.rules import SUBSCRIBERS
from lessonlib.lab.faults import Crash, Fault, HandlerError, Loss, Poison, SlowHandler
from lessonlib.lab.history import History
from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import Run
from lessonlib.learning.missions import Mission, Runs

ISOLATED, REACHES, STOCK_ONCE = rules.isolated.name, rules.reaches.name, rules.leaves_the_stock_once.name
SHORTEST_S = 1.05  # a little above what breaks the rule about delays
LAG_MIN = 15
LEVEL_MAX = 3  # who is no further behind than this has noticed nothing


def _status(run: Run, rule: str) -> str:
    return next((verdict.status for verdict in run.verdicts if verdict.rule == rule), "no such rule")


def _keeps_everything(run: Run) -> bool:
    return not run.broken


def _exercised(run: Run) -> list[Verdict]:
    return [verdict for verdict in run.verdicts if verdict.status != "not exercised"]


# ---- 1.5 -------------------------------------------------------------------------------------------------


def _one_publish_fails(runs: Runs) -> bool:
    return len(runs["textbook"].history.of("failed", op="publish")) == 1


def _shortest_slow_handler(runs: Runs) -> bool:
    faults = runs.plan.faults
    return (
        len(faults) == 1
        and isinstance(faults[0], SlowHandler)
        and faults[0].by_s <= SHORTEST_S
        and _status(runs["textbook"], ISOLATED) == "broken"
    )


def _struck(fault: Fault, history: History) -> bool:
    """Whether the fault left its mark on a call of the textbook's publish."""
    if isinstance(fault, SlowHandler):
        asked = {r.get("call"): r.t_s for r in history.of("invoke", op="publish")}
        answers = history.of("ok", "failed", op="publish")
        return any(answer.t_s - asked[answer.get("call")] >= fault.by_s for answer in answers)
    error = "ValueError" if isinstance(fault, Poison) else "ConnectionError"
    return bool(history.of("failed", op="publish", type=error))


def _two_troubles_and_nobody_notices(runs: Runs) -> bool:
    troubles = [fault for fault in runs.plan if isinstance(fault, HandlerError | SlowHandler | Poison)]
    return (
        len({type(fault) for fault in troubles}) >= 2
        and len({fault.target for fault in troubles}) == 1
        and len(troubles) == len(runs.plan)
        and bool(runs["textbook"].broken)
        and all(_struck(fault, runs["textbook"].history) for fault in troubles)
        and _status(runs["pattern"], ISOLATED) == "holds"
        and _keeps_everything(runs["pattern"])
    )


# ---- 2.6 -------------------------------------------------------------------------------------------------


def _waits_for_the_broker(runs: Runs) -> bool:
    if not any(isinstance(fault, Crash) and fault.node == "broker" for fault in runs.plan):
        return False
    run = runs["pattern"]
    crash, back = (
        run.history.of("crash", node="broker").first(),
        run.history.of("restart", node="broker").last(),
    )
    if crash is None or back is None:
        return False
    asked = {r.get("call"): r.t_us for r in run.history.of("invoke", op="publish")}
    waited = [
        ok
        for ok in run.history.of("ok", op="publish")
        if crash.t_us <= asked[ok.get("call")] < back.t_us <= ok.t_us
    ]
    return bool(waited) and _keeps_everything(run) and _keeps_everything(runs["textbook"])


def most_behind(history: History, subscription: str) -> int:
    """Return the greatest lag of a subscription: the log's end less the offset that it has committed."""
    end = committed = most = 0
    for record in history.of("written", "replaced"):
        if record.get("file") == "log" and record.kind == "written":
            end += 1
        elif record.get("file") == "cursors":
            for cursor in record.get("records") or (record.get("record"),):
                if cursor["subscription"] == subscription:
                    committed = cursor["offset"]
        most = max(most, end - committed)
    return most


def _far_behind(runs: Runs) -> bool:
    history = runs["pattern"].history
    return (
        len(runs.plan) == 1
        and most_behind(history, "orders") >= LAG_MIN
        and all(most_behind(history, name) <= LEVEL_MAX for name in SUBSCRIBERS if name != "orders")
    )


def _half_lost_and_nothing_lost(runs: Runs) -> bool:
    long = [f for f in runs.plan if isinstance(f, Loss) and f.probability >= 0.5 and f.end_s - f.start_s >= 2]
    run = runs["pattern"]
    last_order = run.history.of("invoke", op="publish").last()
    return (
        last_order is not None
        and any(fault.start_s < last_order.t_s for fault in long)
        and bool(run.history.of("dropped"))
        and _status(run, REACHES) == "holds"
        and _keeps_everything(run)
    )


# ---- 3.6 -------------------------------------------------------------------------------------------------


def _one_fault_is_enough(runs: Runs) -> bool:
    return (
        len(runs.plan) == 1
        and _status(runs["textbook"], REACHES) == "broken"
        and _keeps_everything(runs["pattern"])
    )


def _taken_twice(runs: Runs) -> bool:
    return (
        _status(runs["textbook"], STOCK_ONCE) == "broken" and _status(runs["pattern"], STOCK_ONCE) == "holds"
    )


def _put_to_the_test(runs: Runs) -> bool:
    run = runs["pattern"]
    return len(_exercised(run)) == len(run.verdicts) and _keeps_everything(run)


MISSIONS: dict[str, tuple[Mission, ...]] = {
    "1.5": (
        Mission(
            "Make the textbook's publish fail for one order only.",
            _one_publish_fails,
            "One exception of one handler is enough: gather hands it to whoever published (D1), and the other "
            "handlers have the order all the same.",
        ),
        Mission(
            "Find the shortest slow-handler that breaks the textbook's rule about delays (to within 50 ms).",
            _shortest_slow_handler,
            "publish returns when the slowest handler does (D2). The rule gives it one second, so the fault has to "
            "use up that second; the handler's own millisecond comes on top.",
        ),
        Mission(
            f"Give one of {', '.join(SUBSCRIBERS)} two kinds of trouble in one plan, so that both strike, the "
            "textbook breaks a rule, and in the pattern nobody else notices.",
            _two_troubles_and_nobody_notices,
            "Each subscriber reads the log at its own pace, in a task of its own. To harm another it would need "
            "something that they share: the process, its memory, the event loop.",
        ),
    ),
    "2.6": (
        Mission(
            "Crash the broker so that the pattern acknowledges orders only when it is back, and breaks no rule.",
            _waits_for_the_broker,
            "The shop sends again until the log has the order. The textbook breaks no rule either: it never talks "
            "to the broker, so it cannot miss it.",
        ),
        Mission(
            f"Find one fault after which the pattern's subscription orders is at least {LAG_MIN} events behind, and "
            "no other notices.",
            _far_behind,
            "Whatever keeps a subscriber from its log for long enough does it; the log keeps what it missed, and "
            "the shop and the others do not notice.",
        ),
        Mission(
            "Lose half of all messages for two seconds, while the pattern loses no order.",
            _half_lost_and_nothing_lost,
            "Each lost message is sent again after 250 ms, so loss becomes delay. Draw fan out to see how much.",
        ),
    ),
    "3.6": (
        Mission(
            "Let the search find a single fault that makes the textbook lose an order, and the pattern not.",
            _one_fault_is_enough,
            "The list of subscribers is in the shop's memory (D3), an event without a subscriber vanishes (D6), and "
            "one who was down has missed it (D9).",
        ),
        Mission(
            "Make the textbook take an order from the stock twice, where the pattern takes it once.",
            _taken_twice,
            "What is sent again comes again, from the network or from a customer. The pattern's log recognises "
            "(source, id), and so does its inventory, which writes them in one record with the effect.",
        ),
        Mission(
            "Put every rule to the test with one plan, and let the pattern keep them all.",
            _put_to_the_test,
            "A rule that was not exercised says nothing. The faults that exercise most are those that the rules "
            "speak of: poison, a rewind, a subscriber in trouble, a call that is made again.",
        ),
    ),
}
