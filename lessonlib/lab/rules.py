"""Rules judge histories.

A *safety* rule says what must never happen and holds at every moment of a run. A *liveness* rule says what
must happen in the end: it is judged once the faults are over and the settling time has passed. Either way a
rule answers with a verdict: it *holds*, it is *broken* (then when, and which records prove it), or it was
*not exercised*, because this run never put it to the test. A pass must mean something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from lessonlib.lab.history import History, Record, seconds

Status = Literal["holds", "broken", "not exercised"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of a history.

    Attributes:
        rule: the rule's name.
        status: "holds", "broken" or "not exercised".
        sentence: one sentence that says what was seen.
        at_us: for a broken rule, when it broke, in microseconds of virtual time.
        records: for a broken rule, the records that prove it.
    """

    rule: str
    status: Status
    sentence: str
    at_us: int | None = None
    records: tuple[Record, ...] = ()

    def __bool__(self) -> bool:
        """A verdict is true unless the rule is broken."""
        return self.status != "broken"

    def __str__(self) -> str:
        when = f" at {seconds(self.at_us)}" if self.at_us is not None else ""
        return f"{self.rule}: {self.status}{when}. {self.sentence}"


def holds(sentence: str) -> Verdict:
    """The rule was put to the test and held."""
    return Verdict("", "holds", sentence)


def not_exercised(sentence: str) -> Verdict:
    """The run never put the rule to the test; `sentence` says what would have."""
    return Verdict("", "not exercised", sentence)


def broken(sentence: str, *proof: Record, at_us: int | None = None) -> Verdict:
    """The rule is broken, at the time of the last record of `proof` unless `at_us` says otherwise."""
    when = at_us if at_us is not None else (proof[-1].t_us if proof else None)
    return Verdict("", "broken", sentence, when, proof)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named judgement of a history.

    Attributes:
        name: a sentence: what is always so ("each effect happens once").
        judge: the function that decides.
        kind: "safety" or "liveness".
    """

    name: str
    judge: Callable[[History], Verdict]
    kind: Literal["safety", "liveness"] = "safety"

    def __call__(self, history: History) -> Verdict:
        return replace(self.judge(history), rule=self.name)


def rule(
    name: str, kind: Literal["safety", "liveness"] = "safety"
) -> Callable[[Callable[[History], Verdict]], Rule]:
    """Make a rule of a function from a history to a verdict."""
    return lambda judge: Rule(name, judge, kind)


# ---- Rules that many lessons share -----------------------------------------------------------------------


def at_most_once(
    name: str, *, kind: str, key: Callable[[Record], Any], what: Callable[[Record], str]
) -> Rule:
    """No two records of `kind` have the same `key`. `what(record)` names the thing in the sentence."""

    def judge(history: History) -> Verdict:
        seen: dict[Any, Record] = {}
        for record in history.of(kind):
            earlier = seen.setdefault(key(record), record)
            if earlier is not record:
                return broken(
                    f"{what(record)} happened twice: first at {seconds(earlier.t_us)}, "
                    f"again at {seconds(record.t_us)}.",
                    earlier,
                    record,
                )
        if not seen:
            return not_exercised(f"No {kind} was recorded.")
        return holds(f"{len(seen)} times {kind}, each once.")

    return Rule(name, judge)


def in_order(
    name: str,
    *,
    kind: str,
    key: Callable[[Record], Any],
    position: Callable[[Record], Any],
    what: Callable[[Record], str],
) -> Rule:
    """Among records of `kind` with one `key`, a `position` never follows a greater one.

    A position that is seen again is no reordering: at-least-once delivery repeats.
    """

    def judge(history: History) -> Verdict:
        latest: dict[Any, Record] = {}
        seen: set[Any] = set()
        compared = 0
        for record in history.of(kind):
            k = key(record)
            before = latest.get(k)
            if (k, position(record)) in seen:
                continue
            seen.add((k, position(record)))
            if before is not None:
                compared += 1
                if position(record) < position(before):
                    return broken(
                        f"{what(record)} came after {what(before)}, against the order in which they were made.",
                        before,
                        record,
                    )
            latest[k] = record
        if not compared:
            return not_exercised("No key had two records to compare.")
        return holds(f"{compared} pairs of neighbours, all in order.")

    return Rule(name, judge)


def nothing_died(name: str = "no task dies unseen") -> Rule:
    """No task of the system ended with an exception that nobody looked at."""

    def judge(history: History) -> Verdict:
        dead = history.of("died").first()
        if dead is not None:
            return broken(f"{dead.get('task')} on {dead.node or 'the world'} died: {dead.get('error')}", dead)
        if not history.records:
            return not_exercised("Nothing happened.")
        return holds("Every task that failed was noticed by its owner.")

    return Rule(name, judge)


def judge_all(rules: Iterable[Rule], history: History) -> tuple[Verdict, ...]:
    """Return the verdict of each rule, in order."""
    return tuple(one(history) for one in rules)
