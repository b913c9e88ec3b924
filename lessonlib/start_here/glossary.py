"""The terms of lesson 0, and what others call them. Each is defined where it is bold in the notebook."""

TERMS = {
    "coroutine": {},
    "event loop": {"Tokio": "runtime"},
    "task": {"Trio": "task", "Tokio": "task"},
    "TaskGroup": {"Trio": "nursery", "Tokio": "`JoinSet`"},
    "cancellation": {
        "Trio": "cancellation, by scopes",
        "gRPC": "cancellation, which is passed on to the server",
    },
    "time-out": {"gRPC": "deadline, a moment that is handed on from call to call"},
    "virtual time": {"Trio": "`MockClock` that jumps by itself", "Tokio": "paused time"},
    "scenario": {"Jepsen": "test"},
    "rule": {"Jepsen": "checker", "Hypothesis": "invariant of a state machine"},
    "verdict": {"Jepsen": "result of a checker (`:valid?`)"},
    "fault": {"Jepsen": "what a nemesis does"},
    "fault plan": {"Jepsen": "generator of a nemesis"},
    "lost update": {"databases": "lost update"},
    "history": {"Jepsen": "history"},
    "seed": {"Hypothesis": "seed"},
    "shrinking": {"Hypothesis": "shrinking"},
    "lock": {"databases": "row lock (`SELECT … FOR UPDATE`)"},
}
