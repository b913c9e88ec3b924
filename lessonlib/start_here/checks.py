"""What each exercise of lesson 0 must satisfy, and which misconception deserves which hint."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from lessonlib.lab.history import History
from lessonlib.lab.loop import Refused, clean_traceback, describe_error, simulate
from lessonlib.lab.rules import Verdict
from lessonlib.lab.scenario import Run
from lessonlib.learning.exercises import LOOK, Case, Exercise, Finding, Hint
from lessonlib.start_here import rules
from lessonlib.start_here.puzzle import morning
from lessonlib.start_here.scenario import COUNTER, GiveUp, incident

UNDOES, COUNTS = rules.no_write_undoes_another.name, rules.every_sale_counts.name
TWICE, BLOCKS = rules.no_sale_counts_twice.name, rules.giving_up_blocks_nobody.name

# ---- 0.1 Order the interleaving --------------------------------------------------------------------------


def said() -> str:
    """Return the letters of `morning` in the order in which it says them."""
    letters: list[str] = []
    simulate(morning(letters.append))
    return "".join(letters)


# A pair of letters in the wrong order, and what whoever puts them so should think about.
_MISPLACED = (
    (
        "F",
        "BD",
        "`create_task` starts nothing yet: it puts the task on the loop's list and returns. Who goes on meanwhile?",
    ),
    (
        "G",
        "BD",
        "`await fetch(...)` runs the coroutine on the spot, as a call does. Others get in where something really waits.",
    ),
    (
        "BD",
        "H",
        "A task does not wait to be awaited. It runs as soon as the one before it gives way, here at the first `sleep`.",
    ),
    (
        "E",
        "HI",
        "The milk is there after its second, whoever waits for it. `await milk` only asks for what may be long done.",
    ),
    (
        "EH",
        "C",
        "The one that asked first need not have it first: compare the seconds, all counted from the first `sleep`.",
    ),
    ("C", "J", "`await bread` does not go on before the bread is there."),
)


def _order(answer: Any) -> Finding | None:
    given = answer()
    required = "The letters stand in the order in which the program says them."
    if isinstance(given, list | tuple) and all(isinstance(letter, str) for letter in given):
        given = "".join(given)
    if not isinstance(given, str):
        return Finding("order() returns a str such as 'ABC'.", f"It returned {given!r:.60}.")
    right = said()
    letters = "".join(given.upper().replace(",", " ").split())
    if sorted(letters) != sorted(right):
        return Finding("Each letter from A to J occurs once.", f"order() returned {given!r:.60}.")
    place = next((n for n, (a, b) in enumerate(zip(letters, right, strict=True)) if a != b), None)
    if place is None:
        return None
    hint = next(
        (
            text
            for before, after, text in _MISPLACED
            if max(map(letters.index, before)) > min(map(letters.index, after))
        ),
        "Go line by line: who runs now, and who is waiting for what until when?",
    )
    begun = (
        f"The first {place} letters are right, and"
        if place > 1
        else "The first letter is right, and"
        if place
        else "At the start,"
    )
    return Finding(required, f"{begun} {letters[place]} does not come next.", hint=hint)


# ---- 0.2 Diagnose ----------------------------------------------------------------------------------------


def _investigation(answer: Any) -> Finding | None:
    given = answer()
    if not (isinstance(given, tuple) and len(given) == 3):
        return Finding("investigate() returns (run, rule, record).", f"It returned {given!r:.80}.")
    run, rule, number = given
    wanted = incident()
    wrong_run = _another_run(run, wanted)
    if wrong_run is not None:
        return wrong_run
    if rule not in [v.rule for v in wanted.verdicts]:
        known = "; ".join(repr(v.rule) for v in wanted.verdicts)
        return Finding(
            "The rule is named as the verdicts name it.",
            f"There is no rule {rule!r:.60}. There are: {known}.",
        )
    if rule != wanted.broken[0].rule:
        later = rule in [v.rule for v in wanted.broken]
        return Finding(
            "The rule that broke first is named.",
            f"{rule!r}: that rule {'broke later' if later else 'is not broken in this run'}.",
            hint="Each broken verdict says at what time it broke. The earliest is the cause, the others follow from it.",
        )
    if isinstance(number, float | str):
        return Finding(
            "The record is named by its number.",
            f"In the place of the number stands {number!r:.40}.",
            hint="That is a time or a text. Give the whole number that is printed in front of the record.",
        )
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(wanted.history):
        return Finding(
            "The record is named by its number.", f"{number!r} is not from 0 to {len(wanted.history) - 1}."
        )
    proof, record = wanted.broken[0].records[-1], wanted.history[number]
    if record is not proof:
        hint = "The verdict says when the rule broke. Which record has that time?"
        if record.kind == "fault":
            hint = "A fault is what came from outside. Asked for is what the program then did that broke the rule."
        elif record.kind in ("read", "writing"):
            hint = "Nothing is lost by reading, nor by asking for a write. When did the number in the store change?"
        elif record.kind == "effect":
            hint = "That write is in the store and did no harm by itself. " + hint
        return Finding(
            "The record is the one that broke the rule.", f"Record {number} is: {record}", hint=hint
        )
    return None


def _another_run(run: Any, wanted: Run) -> Finding | None:
    required = "The run is the one of the report, to the last record."
    if not isinstance(run, Run):
        return Finding(
            required, f"In the place of the run stands {run!r:.60}.", hint="COUNTER.run(...) returns a run."
        )
    if run.history.digest() == wanted.history.digest():
        return None
    hints = (
        (run.system != wanted.system, "The report names the system too: which of the two was it?"),
        (str(run.plan) != str(wanted.plan), "The plan is different. Copy it whole, every fault of it."),
        (
            run.seed != wanted.seed,
            "Same plan, another seed: other chance, so another run. The seed belongs to the line.",
        ),
        (dict(run.params) != dict(wanted.params), "The number of sales belongs to the line as well."),
    )
    return Finding(
        required,
        f"Your run is another one: {run.replay}",
        hint=next((text for differs, text in hints if differs), ""),
        rung=LOOK,
    )


# ---- 0.3 The counter that loses a sale --------------------------------------------------------------------


class _Store:
    """A store for a first trial, outside any scenario."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.written: list[object] = []

    async def read(self) -> int:
        value = self.value
        await asyncio.sleep(0.001)
        return value

    async def write(self, value: int) -> None:
        await asyncio.sleep(0.001)
        self.value = value
        self.written.append(value)


# What a slip of asyncio's grammar says in Python's words, and what to write instead.
_SLIPS = (
    ("context manager protocol", "An asyncio.Lock is taken with `async with`; plain `with` cannot wait."),
    ("coroutine", "`store.read()` alone is a coroutine, not yet a number: write `await store.read()`."),
)


def _slip(error: TypeError) -> Finding | None:
    for words, hint in _SLIPS:
        if words in str(error):
            return Finding("The piece runs.", describe_error(clean_traceback(error)), hint=hint)
    return None


def _adds_one(answer: Any) -> Finding | None:
    store = _Store(5)

    async def trial() -> Any:
        call = answer(store).add()
        if not inspect.isawaitable(call):
            return "add is no coroutine function"
        await call
        found = store.value
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # a worker of its own is a right answer too
        return found

    try:
        found = simulate(trial())
    except TypeError as error:
        slip = _slip(error)
        if slip is None:
            raise
        return slip
    required = "When add returns, the number in the store is one more than before."
    if found == "add is no coroutine function":
        return Finding(
            "add is awaited by its callers.",
            "add() returned nothing to await.",
            hint="Write `async def add`.",
        )
    if found == 6:
        return None
    if found == 5 and store.written:
        return Finding(
            required,
            "The store held 5; add wrote 5, and returned.",
            hint="It writes the number that it read. What belongs there is one more than what it read.",
        )
    if found == 5:
        return Finding(
            required,
            "The store held 5; add returned, and it still held 5.",
            hint="add returned before its write was done. Await the write: whoever is told 'done' relies on it.",
        )
    return Finding(
        required,
        f"The store held 5; after one add it held {found!r:.30}.",
        hint="The number is in the store, also from yesterday. Read it there before you count on.",
    )


def _three_at_once(answer: Any) -> Finding | None:
    """Whether calls wait for one another. Whether they then count right is for the cases, which have pictures."""

    async def trial() -> list[Any]:
        counter = answer(_Store(5))
        found = await asyncio.gather(*(counter.add() for _ in range(3)), return_exceptions=True)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return found

    error = next((e for e in simulate(trial()) if isinstance(e, Exception)), None)
    if error is None:
        return None
    if isinstance(error, Refused | NotImplementedError):
        raise error
    return Finding(
        "Of three calls at the same moment, all add one.",
        f"One of them failed: {describe_error(clean_traceback(error))}",
        hint="Whoever comes while another is busy waits for its turn, and then adds.",
    )


def _gives_up(run: Run) -> bool:
    return any(isinstance(fault, GiveUp) for fault in run.plan)


def _reads_twice(history: History) -> bool:
    return 2 * len(history.of("read")) > 3 * len(history.of("invoke"))


def _counts_in_memory(history: History) -> bool:
    return 2 * len(history.of("read")) < len(history.of("effect"))


def _writes_overlap(history: History) -> bool:
    """Whether somebody asked for a write while another's was under way."""
    under_way = 0
    for record in history.of("writing", "effect"):
        under_way += 1 if record.kind == "writing" else -1
        if under_way > 1:
            return True
    return False


def _lost(run: Run, verdict: Verdict) -> bool:
    return verdict.rule in (UNDOES, COUNTS)


_SAFE = (UNDOES, COUNTS, TWICE)

EXERCISES: dict[str, Exercise] = {
    "0.1": Exercise(
        title="order the interleaving",
        points=25,
        ladder=(
            "Write down, for each coroutine, at which line it stands. There are three of them: `morning` itself, and the "
            "tasks `bread` and `milk`. At the beginning only `morning` runs.",
            "Whoever runs goes on until it really waits. Then whoever is ready goes on, first in, first out. A sleeper is "
            "ready when its time has come.",
            "`morning` says A, puts two tasks on the list, says F, and runs its own `fetch` up to the `sleep`. Then the two "
            "tasks have their turn, in the order in which they were made. From then on only the seconds count: 1, 2, 3.",
        ),
        probes=(("the order of all ten letters", _order),),
        forbids=("morning",),
        untested="why. Say the reason for each letter to somebody, or to yourself.",
    ),
    "0.2": Exercise(
        title="diagnose",
        points=20,
        ladder=(
            "The line of the report, whole: system, plan, seed and sales. Then `verdicts(run)`: each broken verdict says when the rule broke. Which was the earliest?",
            "A lost update is done at the moment at which the second write reaches the store: an `effect`. The verdict's "
            "time is that moment.",
            "Copy the line, and print the records around the time of the "
            "earliest broken verdict, with their numbers. Take the one whose time is the verdict's.",
        ),
        probes=(
            (
                "the run, to the last record; the rule that broke first; the record that broke it",
                _investigation,
            ),
        ),
    ),
    "0.3": Exercise(
        title="the counter that loses a sale",
        points=55,
        ladder=(
            "The picture of the shortest plan, in section 3.2 of the lesson. When does the second till read, and when should "
            "it?",
            "Reading, adding and writing must be one step for all others. One lock for all calls, held from before the read "
            "until after the write, and freed whatever happens.",
            "```\n"
            "once, for all calls: make an asyncio.Lock\n"
            "\n"
            "add:\n"
            "    with the lock:\n"
            "        read\n"
            "        write what was read, plus one\n"
            "```",
        ),
        scenario=COUNTER,
        part="counter",
        probes=(("one sale", _adds_one), ("three sales at once", _three_at_once)),
        cases=(
            Case("a good day", rules=_SAFE),
            Case("what till-1 writes arrives late", "400ms..1s slow-write by 250ms for till-1", rules=_SAFE),
            Case("the store answers till-2 late", "1s..1.2s slow-read by 150ms for till-2", rules=_SAFE),
            Case("sixty sales a second", rules=_SAFE, params={"rate_per_s": 60, "sales": 60}),
            Case(
                "customers give up while they wait",
                # The write is slow, not the read: a counter that remembers the number reads once and never again.
                "500ms..900ms slow-write by 3s; 500ms..900ms give-up till-2 after 200ms; "
                "500ms..900ms give-up till-3 after 50ms",
                rules=(*_SAFE, BLOCKS),
            ),
            # The store itself takes 4 to 40 ms for a sale, so these strike before, in and after the write.
            *(
                Case(
                    "customers give up within milliseconds",
                    f"500ms..3s give-up till-2 after {after_ms}ms",
                    rules=_SAFE,
                    params={"sales": 30},
                )
                for after_ms in (5, 10, 15, 20)
            ),
            Case("the store takes 2 s to answer", "500ms..600ms slow-read by 2s", rules=_SAFE),
        ),
        hints=(
            Hint(
                "reads twice",
                lambda run, verdict: _lost(run, verdict) and _reads_twice(run.history),
                "It reads twice. Between the second read and the write there is an `await` too, so the same can happen "
                "there. Looking again does not keep anybody out.",
            ),
            Hint(
                "remembers too late",
                lambda run, verdict: (
                    _lost(run, verdict) and _gives_up(run) and _counts_in_memory(run.history)
                ),
                "What it remembers is a step behind when the call is cancelled after its write took effect. Remember the "
                "new number before the write, or read it anew.",
            ),
            Hint(
                "swallows the cancellation",
                lambda run, verdict: (
                    verdict.rule == COUNTS
                    and _gives_up(run)
                    and len(run.history.of("writing")) > len(run.history.of("effect"))
                ),
                "A cancelled call of add returned as if its write were done. Let CancelledError pass; never swallow it "
                "(section 1.4).",
            ),
            Hint(
                "tries again when cancelled",
                lambda run, verdict: verdict.rule == TWICE and _gives_up(run),
                "When a call is cancelled, its write may be in the store already (section 1.5). Whoever then adds once more "
                "counts the sale twice. Let CancelledError pass.",
            ),
            Hint(
                "counts in memory",
                lambda run, verdict: _lost(run, verdict) and _counts_in_memory(run.history),
                "In memory the number is right. But two writes are under way at once, and the older one arrives last. "
                "One after the other, please.",
            ),
            Hint(
                "nothing written",
                lambda run, verdict: (
                    verdict.rule == COUNTS and len(run.history.of("effect")) < len(run.history.of("ok"))
                ),
                "A call of add returned and had written nothing. When another is busy, wait for your turn; do not leave.",
            ),
            Hint(
                "no lock for all",
                lambda run, verdict: _lost(run, verdict) and _writes_overlap(run.history),
                "Nothing keeps a second call out between the read and the write of the first. If you use a lock: is it one "
                "for all calls, made once in __init__?",
            ),
            Hint(
                "lock around the write alone",
                lambda run, verdict: _lost(run, verdict),
                "The writes come one after the other, yet each writes what it had read before. The read belongs inside too.",
            ),
            Hint(
                "never opened again",
                lambda run, verdict: verdict.rule == BLOCKS,
                "Whoever gave up had closed the door behind it and never opened it. `async with lock` opens it on every way "
                "out, cancellation too.",
            ),
            Hint(
                "spins",
                lambda run, verdict: verdict.rule == "the run ends" and "steps" in verdict.sentence,
                "While one waits for the store, the others ask again and again without pause. Let them sleep until it is "
                "their turn: that is what a lock does.",
            ),
        ),
        forbids=("Counter",),
        untested="two processes with one store: a lock in memory does nothing for them.",
    ),
}
