"""What each exercise of lesson 4 must satisfy, and which misconception deserves which hint."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.high_availability import rules
from lessonlib.high_availability.errors import StaleToken
from lessonlib.high_availability.mystery import ColleaguesBallot
from lessonlib.high_availability.scenario import ACCRUAL, CLUSTER, CLUSTER_OF_5, HEARTBEATS, mystery
from lessonlib.lab.history import History, Record
from lessonlib.lab.loop import clean_traceback, describe_error, simulate
from lessonlib.learning.exercises import Case, Exercise, Finding
from lessonlib.learning.probing import Culprit, Example, Name, by_example
from lessonlib.limits import Runaway
from lessonlib.ports import MemoryDisk, Message

THREE = ["node-1", "node-2", "node-3"]
GIVEN = "The numbers are those that were given, and not those of the example."
NOTHING = "Nothing came back: is a `return` missing?"

# ---- 4.1 A timeout detector ------------------------------------------------------------------------------

_monitor = partial(by_example, "MyMonitor", time_is_given=True)
A_B = "monitor = MyMonitor(1.0); monitor.watch('a', 0.0); monitor.watch('b', 0.0)"
ASKED = "It counts how often it is asked, not how long a node was silent. One missed heartbeat is no death: messages get lost."
_silent = _monitor(
    "A node is suspected when it has been silent for more than timeout_s, and as long as it is.",
    Example(A_B, "monitor.suspects(0.9)", [], "Silence begins with watch: nobody is suspected before it has lasted timeout_s."),
    Example(
        f"{A_B}; monitor.heard('a', 0.9)",
        "monitor.suspects(1.2)",
        ["b"],
        (
            (["a", "b"], "A heartbeat begins the silence anew: heard notes the time, whatever was there before."),
            ([], "A node that has never sent anything is silent too, since watch."),
        ),
    ),
    Example(
        "monitor = MyMonitor(5.0); monitor.watch('a', 0.0)",
        "monitor.suspects(4.9)",
        [],
        f"{GIVEN} Compare with self.timeout_s.",
    ),
    Example(
        "monitor = MyMonitor(0.3); monitor.watch('a', 0.0)",
        "monitor.suspects(0.4)",
        ["a"],
        f"{GIVEN} Compare with self.timeout_s.",
    ),
    Example(
        "monitor = MyMonitor(1.0); monitor.watch('a', 7000.0)",
        "monitor.suspects(7000.5)",
        [],
        "Silence is the time since the node was last heard, not since the clock began.",
    ),
    Example(
        "monitor = MyMonitor(1.0); monitor.watch('a', 0.0)",
        "monitor.suspects(1.0)",
        [],
        "Silent for exactly timeout_s is not yet *more than* timeout_s.",
    ),
    Example(A_B, "monitor.suspects(1.0005)", ["a", "b"], "A little more than timeout_s is more than timeout_s."),
)  # fmt: skip
ALPHABET = "In the order of the alphabet: sorted(...), so that each run is the same."
_asked_often = _monitor(
    "Who asks, and how often, changes nothing.",
    Example(f"{A_B}; monitor.suspects(0.3); monitor.suspects(0.6)", "monitor.suspects(0.9)", [], ASKED),
)
_back = _monitor(
    "A suspicion lasts until the next heartbeat, and ends with it.",
    Example(f"{A_B}; monitor.suspects(1.2)", "monitor.suspects(1.3)", ["a", "b"],
            ((["b", "a"], ALPHABET), ([], "It forgets whom it suspects, so that nobody hears of it a second time. Leave self.heard_s as it is."))),
    Example(f"{A_B}; monitor.heard('a', 1.1); monitor.suspects(1.2); monitor.heard('b', 1.3)", "monitor.suspects(1.4)", [],
            "A suspicion is no death certificate: a node that was slow, paused or cut off comes back."),
    Example(f"{A_B}; monitor.suspects(1.2); monitor.heard(node='b', now_s=1.3)", "monitor.suspects(now_s=2.4)", ["a", "b"],
            "A node that came back is watched as before: it may fall silent again."),
)  # fmt: skip
_in_order = _monitor(
    "suspects and alive give names in the order of the alphabet, each node once and in one of the two.",
    Example(
        "monitor = MyMonitor(1.0); monitor.watch('c', 0.0); monitor.watch('a', 0.0); monitor.watch('b', 0.0)",
        "monitor.suspects(1.5)",
        ["a", "b", "c"],
        ALPHABET,
    ),
    Example("monitor = MyMonitor(1.0); monitor.watch('n-9', 0.0); monitor.watch('n-10', 0.0)", "monitor.suspects(1.5)",
            ["n-10", "n-9"], "Names are no numbers, and 'n-10' stands before 'n-9': sorted(...) alone."),
    Example(f"{A_B}; monitor.heard('b', 0.5)", "(monitor.suspects(1.0), monitor.alive(1.0))", ([], ["a", "b"]),
            "Who is silent for exactly timeout_s is not suspected yet, and so alive."),
    Example(f"{A_B}; monitor.suspects(1.1); monitor.watch('a', 1.2)", "monitor.suspects(1.3)", ["b"],
            "Whoever calls watch for a node that is watched wants it judged from now on."),
    Example(f"{A_B}; monitor.suspects(1.2); monitor.forget('a'); monitor.watch('a', 2.0)", "monitor.suspects(2.5)", ["b"],
            "After forget nothing is left of a node: a later watch begins its silence anew."),
    Example(f"{A_B}; monitor.suspects(1.2); monitor.forget('a')", "monitor.suspects(1.3)", ["b"],
            "Who has been forgotten is suspected no more."),
    Example(f"{A_B}; monitor.forget('z')", "monitor.suspects(1.5)", ["a", "b"], "To forget who is not watched changes nothing."),
    Example(f"{A_B}; monitor.heard('b', 0.7)", "(monitor.suspects(1.5), monitor.alive(1.5))", (["a"], ["b"]),
            "alive is everybody who is watched and not suspected."),
    Example(f"{A_B}; monitor.forget('a')", "(monitor.alive(0.5), monitor.suspects(1.5))", (["b"], ["b"]),
            "forget takes a node out altogether."),
    Example(
        f"{A_B}; monitor.forget('a'); monitor.heard('a', 0.4)",
        "(monitor.alive(0.5), monitor.suspects(1.2))",
        (["b"], ["b"]),
        "A heartbeat that was long on its way brings back a node that was forgotten. Only who is watched can be heard.",
    ),
)  # fmt: skip

# ---- 4.2 Majority and terms ------------------------------------------------------------------------------

BALLOT = "ballot = MyBallot(['node-1', 'node-2', 'node-3'])"
EMPTY = "its_log=(0, 0), my_log=(0, 0)"
_learns = by_example(
    "MyBallot",
    "A higher term is adopted, and with it goes the vote; learn says whether the term was higher.",
    Example(BALLOT, "ballot.learn(3)", True,
            "True when the term is higher than one's own, else False."),
    Example(f"{BALLOT}; ballot.learn(3)", "ballot.term", 3,
            "A higher term is adopted: self.term = term."),
    Example(f"{BALLOT}; ballot.learn(3)", "(ballot.learn(2), ballot.term)", (False, 3),
            (((None, 3), NOTHING), (..., "A term never goes back: what is lower than one's own is old news, and changes nothing."))),
    Example(f"{BALLOT}; ballot.learn(3)", "ballot.learn(3)", False,
            "One's own term is no higher one."),
    Example(f"{BALLOT}; ballot.stand('node-1'); ballot.learn(2)", "ballot.promise", {"term": 2, "voted_for": None},
            "A vote is for one term: in a new one it is free again."),
    Example(f"{BALLOT}; ballot.stand('node-1'); ballot.learn(1)", "ballot.promise", {"term": 1, "voted_for": "node-1"},
            "It forgets its vote whenever it hears of a term, of its own term too, and can then vote a second time in it. "
            "Only a *higher* term sets the vote free."),
    Example(f"{BALLOT}; ballot.learn(3)", "(ballot.learn(9), ballot.term)", (True, 9),
            "A term may be higher by more than one: a node that was away has missed several elections."),
)  # fmt: skip
_votes = by_example(
    "MyBallot",
    "One vote a term, for the first who asks and is fit.",
    Example(
        f"{BALLOT}; ballot.learn(1)",
        f"ballot.grant('node-2', 1, {EMPTY})",
        True,
        "Nobody has its vote in this term, and the candidate's log is as good as its own: it votes. At the beginning "
        "all logs are empty, and (0, 0) is at least as up to date as (0, 0).",
    ),
    Example(
        f"{BALLOT}; ballot.learn(1); ballot.grant('node-2', 1, {EMPTY})",
        "ballot.promise",
        {"term": 1, "voted_for": "node-2"},
        "Who grants a vote notes it, in self.voted_for, so that it can be stored before the answer is sent.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(1); ballot.grant('node-2', 1, {EMPTY})",
        f"ballot.grant('node-3', 1, {EMPTY})",
        False,
        "Two votes in one term: both candidates may count this node, and each believe that it leads. Look at "
        "self.voted_for first.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(1); ballot.grant('node-2', 1, {EMPTY})",
        f"ballot.grant('node-2', 1, {EMPTY})",
        True,
        "The same candidate asks again when the answer was lost: it is the same vote, so the answer is the same.",
    ),
    Example(
        f"{BALLOT}; ballot.stand('node-1')",
        f"ballot.grant('node-2', 1, {EMPTY})",
        False,
        "Two votes in one term: a candidate has voted already, for itself.",
    ),
    Example(
        f"{BALLOT}; ballot.stand('node-1')",
        f"(ballot.grant('node-2', 2, {EMPTY}), ballot.promise)",
        (True, {"term": 2, "voted_for": "node-2"}),
        "A request may be the first that is heard of a higher term: learn it, and then decide.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(5)",
        f"(ballot.grant('node-2', 4, {EMPTY}), ballot.promise)",
        (False, {"term": 5, "voted_for": None}),
        "A candidate of an older term comes too late: it gets no vote, and changes nothing.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(3); ballot.grant('node-2', 3, {EMPTY}); ballot.learn(2)",
        "ballot.promise",
        {"term": 3, "voted_for": "node-2"},
        "News of an older term frees the vote of this one. Another term is not enough: it must be higher.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(5); ballot.grant('node-1', 5, {EMPTY}); ballot.grant('node-2', 4, {EMPTY})",
        f"(ballot.grant('node-3', 5, {EMPTY}), ballot.promise)",
        (False, {"term": 5, "voted_for": "node-1"}),
        "A request of a past term, which was long on its way, frees the vote that this term has had: two votes in one term, "
        "for node-1 and for node-3. Refuse it before anything is changed.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(5); ballot.grant('node-2', 5, {EMPTY})",
        f"(ballot.grant('node-2', 4, {EMPTY}), ballot.promise)",
        (False, {"term": 5, "voted_for": "node-2"}),
        "It has voted for this candidate, but in another term: look at the term before you look at self.voted_for.",
    ),
)
STALE = (
    "A stale log wins: what this node holds may have been acknowledged, and a leader that lacks it deletes it "
    "everywhere (§5.4.1). Compare its_log with my_log."
)
LENGTH = (
    "It compares the logs' lengths before their last terms. A long log of an old term holds what was never committed: "
    "the last term decides, and the length only between equals (§5.4.1)."
)
ONE_NUMBER = (
    "It makes one number or one text of a log's last term and index: an index of 100 000 then outweighs a term, and '10' comes "
    "before '9'. Compare the pairs as they are."
)
_logs = by_example(
    "MyBallot",
    "A vote goes only to a candidate whose log is at least as up to date: its last term first, then its last index.",
    Example(
        f"{BALLOT}; ballot.learn(4)",
        "ballot.grant('node-2', 4, its_log=(3, 7), my_log=(3, 7))",
        True,
        "*At least* as up to date: an equal log is good enough, or a cluster at rest could elect nobody.",
    ),
    Example(f"{BALLOT}; ballot.learn(4)", "ballot.grant('node-2', 4, its_log=(3, 6), my_log=(3, 7))", False, STALE),
    Example(f"{BALLOT}; ballot.learn(4)", "ballot.grant('node-2', 4, its_log=(2, 9), my_log=(3, 7))", False, LENGTH),
    Example(f"{BALLOT}; ballot.learn(4)", "ballot.grant('node-2', 4, its_log=(3, 2), my_log=(2, 7))", True, LENGTH),
    Example(
        f"{BALLOT}; ballot.learn(4); ballot.grant('node-2', 4, its_log=(0, 0), my_log=(3, 7))",
        "ballot.grant('node-3', 4, its_log=(3, 7), my_log=(3, 7))",
        True,
        "A refused candidate has not got the vote: note self.voted_for only when you grant it.",
    ),
    Example(
        f"{BALLOT}; ballot.stand('node-1')",
        "(ballot.grant('node-2', 5, its_log=(0, 0), my_log=(3, 7)), ballot.promise)",
        (False, {"term": 5, "voted_for": None}),
        "The term of a candidate that is refused is learnt all the same: learn first, then judge the log. Else this node stays "
        "behind, and its own next term is refused by all.",
    ),
    Example(
        f"{BALLOT}; ballot.grant('node-2', 4, its_log=(3, 7), my_log=(3, 7)); ballot.grant('node-2', 4, its_log=(1, 1), my_log=(3, 7))",
        "ballot.grant('node-3', 4, its_log=(3, 7), my_log=(3, 7))",
        False,
        "A refusal frees the vote that was given before: whoever is refused, self.voted_for stays.",
    ),
    Example(f"{BALLOT}; ballot.learn(4)", "ballot.grant('node-2', 4, its_log=(3, 10), my_log=(3, 9))", True, ONE_NUMBER),
    Example(f"{BALLOT}; ballot.learn(4)", "ballot.grant('node-2', 4, its_log=(2, 100_000), my_log=(3, 1))", False, ONE_NUMBER),
    Example(f"{BALLOT}; ballot.learn(4)", "ballot.grant('node-2', 4, its_log=(10, 1), my_log=(9, 1))", True, ONE_NUMBER),
)  # fmt: skip
_restarted = by_example(
    "MyBallot",
    "A restarted node keeps what it promised: its term, and its vote in it.",
    Example(
        f"{BALLOT}; ballot.learn(7)",
        "MyBallot(['node-1', 'node-2', 'node-3'], ballot.promise).term",
        7,
        "The term is forgotten at the restart: take it from `promise`, which was on the disk.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(7); ballot.grant('node-2', 7, {EMPTY}); "
        "again = MyBallot(['node-1', 'node-2', 'node-3'], ballot.promise)",
        f"again.grant('node-3', 7, {EMPTY})",
        False,
        "The vote is forgotten at the restart, and given a second time in the same term: take voted_for from `promise`, "
        "as the term.",
    ),
    Example(
        f"{BALLOT}; ballot.learn(7); ballot.grant('node-2', 7, {EMPTY}); "
        "again = MyBallot(['node-1', 'node-2', 'node-3'], promise=ballot.promise); again.stand('node-3')",
        "(ballot.promise, again.promise)",
        ({"term": 7, "voted_for": "node-2"}, {"term": 8, "voted_for": "node-3"}),
        "Each ballot has a promise of its own: what one notes must not change another's.",
    ),
)
REACHABLE = (
    "It is a majority of the votes that came in, and not of the members: on each side of a partition somebody wins. "
    "Compare with len(self.members), whoever can be reached."
)
HALF = "Half is no majority: two halves could each have a leader. More than half of the members."


def _count(size: int, votes: str, expected: str, hint: str) -> Example:
    """`votes` are letters: y and n, and _ for one who has not answered."""
    members = [f"node-{n}" for n in range(1, size + 1)]
    said = {m: v == "y" for m, v in zip(members, votes, strict=False) if v != "_"}
    return Example(f"ballot = MyBallot({members})", f"ballot.count({said})", expected, hint)


PENDING = "Nobody has a majority yet, and each still can: those who have not answered may vote either way."
LOST = "It is lost as soon as a majority cannot be reached any more, even if all who are left say yes."
_counts = by_example(
    "MyBallot",
    'An election is "won" with a majority of all members, "lost" when that cannot be reached any more, else "pending".',
    _count(3, "yy", "won", "Two of three are a majority, whatever the third says."),
    _count(3, "y", "pending", REACHABLE),
    _count(3, "", "pending", PENDING),
    _count(3, "yn", "pending", PENDING),
    _count(3, "nn", "lost", LOST),
    _count(3, "yyy", "won", "More than a majority is one, too."),
    _count(3, "yny", "won", "Two of three are a majority."),
    _count(5, "yy", "pending", REACHABLE),
    _count(5, "ynn", "pending", PENDING),
    _count(5, "yynn", "pending", PENDING),
    _count(5, "yyy", "won", f"Three of five are a majority. {GIVEN}"),
    _count(7, "yyynn", "pending", PENDING),
    _count(7, "ynynynn", "lost", LOST),
    _count(2, "y", "pending", HALF),
    _count(2, "n", "lost", LOST),
    _count(4, "yy", "pending", HALF),
    _count(4, "yyn", "pending", HALF),
    _count(4, "yynn", "lost", f"{HALF} And with two against it, it cannot be reached any more."),
    _count(1, "y", "won", "One of one is a majority: a cluster may have a single member."),
    Example(
        BALLOT,
        "ballot.count({'node-1': True, 'node-8': True, 'node-9': True})",
        "pending",
        "Only members count: who has been removed, or is only learning, has no vote.",
    ),
    Example(
        BALLOT,
        "ballot.count({'node-1': True, 'node-8': False, 'node-9': False})",
        "pending",
        "Nor does the refusal of somebody count who is no member.",
    ),
    Example(
        f"{BALLOT}; ballot.count({{'node-1': True, 'node-2': True}})",
        "ballot.count({'node-1': True})",
        "pending",
        "count judges the votes that it is given, and remembers none of an earlier election.",
    ),
)

# ---- 4.3 A fencing token, at the resource ----------------------------------------------------------------


class SlowDisk(MemoryDisk):
    """A disk that takes 0.1 s to write."""

    async def append(self, file: str, record: Message) -> None:
        await asyncio.sleep(0.1)
        await super().append(file, record)


class FullDisk(MemoryDisk):
    """A disk that takes one record, and no more."""

    async def append(self, file: str, record: Message) -> None:
        if self.files:
            raise OSError("no space left")
        await super().append(file, record)


STORE_NAMES = {"MemoryDisk": MemoryDisk, "SlowDisk": SlowDisk, "FullDisk": FullDisk, "asyncio": asyncio}
STORE = "store = MyStore(MemoryDisk()); await store.write('stock', 7, 34)"
LATE = "await asyncio.gather(store.write('stock', 9, 33), return_exceptions=True)"
EVERYBODY = (
    "It lets everybody write. A lock alone does not fence, nor does a check by the client: between its check and its write "
    "it may be paused for ten seconds. The resource compares the token, at the write."
)
SILENT = "It refuses, and tells nobody: raise StaleToken, or the writer takes its value for written."
AFTER = "It writes first, and refuses afterwards. Check the token before anything is changed."
ANY_VALUE = (
    "0, '' and None are values like any other: ask whether there is an entry, and not what its value is."
)
RACE = (
    "Between the check and the record another write came in. Check and record belong together, under self.lock. "
    "(SlowDisk takes 0.1 s for a record.)"
)
_fences = by_example(
    "MyStore",
    "A write whose token is lower than the highest that its key has seen raises StaleToken, and changes nothing.",
    Example(STORE, "await store.read('stock')", 7, "What was written is read: the record goes into self.entries too."),
    Example(f"{STORE}; other = MyStore(MemoryDisk())", "await other.read('stock')", None,
            "Two stores share their entries: make them in __init__, and not in the class."),
    Example(f"{STORE}; late = asyncio.create_task(store.write('stock', 9, 12)); await asyncio.wait([late])",
            "(late.exception() is None, await store.read('stock'))", (False, 7),
            (((True, 7), SILENT), ((False, 9), AFTER), (..., EVERYBODY))),
    Example(STORE, "await store.write('stock', 9, 33)", StaleToken,
            "34 has been seen, and 33 passes: every lower token is stale, one that is lower by 1 too."),
    Example(f"{STORE}; (refused,) = await asyncio.gather(store.write('stock', 9, 33), return_exceptions=True)",
            "(refused.token, refused.highest)", (33, 34), "StaleToken tells the writer its own token, and then the highest."),
    Example(f"{STORE}; {LATE}", "await store.write('stock', 9, 33)", StaleToken,
            "A refused write lowers the highest token, so that its second attempt passes. Only an accepted write sets it."),
    Example(f"{STORE}; await store.write('stock', 9, 34)", "await store.read('stock')", 9,
            "An equal token passes: the leader of term 34 writes more than once. Only a *lower* one is stale."),
    Example(f"{STORE}; await store.write('stock', 9, 40); await asyncio.gather(store.write('stock', 1, 36), return_exceptions=True)",
            "await store.read('stock')", 9, "A higher token has been seen since: the *highest* counts, and not the first."),
    Example("store = MyStore(); await store.write('stock', 7, 9); await store.write(key='stock', value=8, token=10)",
            "await store.read('stock')", 8, "Tokens are numbers: 10 is higher than 9."),
    Example("store = MyStore(); await store.write('stock', 7, 0)", "await store.read('stock')", 7,
            "0 is a token like any other: what has never been written has seen none, so the first write passes."),
    Example(f"{STORE}; await store.write('stock', 0, 35)", "await store.read('stock')", 0,
            "0 and None are values like any other. Ask whether there is an entry, and not whether it is true."),
    Example(f"{STORE}; await store.write('stock', None, 35)", "await store.read('stock')", None, "None is a value like any other."),
    Example("store = MyStore(MemoryDisk()); await store.write('stock', 0, 34)", "await store.write('stock', 9, 33)", StaleToken,
            f"A stored 0 is not fenced. {ANY_VALUE}"),
    Example("store = MyStore(MemoryDisk()); await store.write('stock', None, 34)", "await store.write('stock', 9, 33)", StaleToken,
            f"A stored None is not fenced. {ANY_VALUE}"),
    Example(f"{STORE}; await store.write('price', 3, 33)", "(await store.read('price'), await store.read('none'))", (3, None),
            "One highest token for all keys refuses too much: each key is a resource of its own, with its own highest token."),
    names=STORE_NAMES,
)  # fmt: skip
_survives = by_example(
    "MyStore",
    "The token is on the disk before the write is acknowledged, and known again after a restart.",
    Example(
        "disk = MemoryDisk(); store = MyStore(disk); await store.write('stock', 7, 34); store = MyStore(disk)",
        "await store.read('stock')",
        7,
        "The write was acknowledged and is gone after a restart: await self.disk.append(...) with key, value and token.",
    ),
    Example(
        "disk = MemoryDisk(); store = MyStore(disk); await store.write('stock', 7, 34); store = MyStore(disk=disk)",
        "await store.write('stock', 9, 33)",
        StaleToken,
        "After a restart it has forgotten that it has seen 34, and lets 33 through: the token belongs into the record on the "
        "disk.",
    ),
    Example(f"disk = MemoryDisk(); store = MyStore(disk); await store.write('stock', 7, 34); {LATE}; store = MyStore(disk)",
            "await store.read('stock')", 7,
            "A refused write is on the disk, and comes back at the restart. Compare first, then append."),
    Example("disk = MemoryDisk(); store = MyStore(disk); await store.write('job', 'node-1/7', 34); store = MyStore(disk)",
            "await store.write('job', 'node-2/3', 33)", StaleToken,
            "Some values reach the disk, and others do not: a text is to survive as a number does."),
    Example(
        "store = MyStore(FullDisk()); await store.write('stock', 7, 34)",
        "await store.write('stock', 9, 35)",
        OSError,
        "The disk refused the record, and the writer was told that all is well. Let the OSError pass. (FullDisk takes one record, and no "
        "more.)",
    ),
    Example(
        "store = MyStore(FullDisk()); await store.write('stock', 7, 34); "
        "await asyncio.gather(store.write('stock', 9, 35), return_exceptions=True)",
        "await store.read('stock')",
        7,
        "A value can be read that never reached the disk. First the disk, then self.entries. (FullDisk takes one record, and no "
        "more.)",
    ),
    names=STORE_NAMES,
)  # fmt: skip
_together = by_example(
    "MyStore",
    "Writes that come at the same time are decided one after the other.",
    Example(
        "store = MyStore(SlowDisk()); "
        "both = await asyncio.gather(store.write('stock', 7, 34), store.write('stock', 9, 33), return_exceptions=True)",
        "(type(both[1]).__name__, await store.read('stock'))",
        ("StaleToken", 7),
        RACE,
    ),
    Example(
        "disk = SlowDisk(); store = MyStore(disk); await asyncio.gather(store.write('stock', 7, 33), store.write('stock', 9, 34)); "
        "store = MyStore(disk)",
        "await store.read('stock')",
        9,
        RACE,
    ),
    names=STORE_NAMES,
)  # fmt: skip

# ---- 4.4 Acknowledge after a quorum ----------------------------------------------------------------------

OLD_TERM = (
    "It counts an entry of an old term. A majority may hold it and a later leader still delete it (figure 8, §5.4.2): count "
    "only entries of the leader's own term. What stands before such a one is then committed with it."
)
UNKNOWN = (
    "`matched` knows only who has answered, matched.get(member, 0), and the log may have dropped what is committed: ask "
    "term_of only about later ones, and never about 0, which is no entry."
)
DROPPED = (
    "It asks term_of about what is committed already, which the log may have dropped. term_of knows the entries *above* "
    "`committed`: compare the index with `committed` first."
)
QUORUM = "Only what a majority of *all* members holds: those that are silent count in len(members) too."


def _quorum(
    matched: Sequence[int],
    log: Mapping[int, int],
    term: int,
    committed: int,
    expected: int,
    hint: Any,
    *,
    size: int = 0,
) -> Example:
    """`matched` of the first members; `log` is the term of each entry; `size` how many members there are."""
    members = [f"node-{n}" for n in range(1, (size or len(matched)) + 1)]
    held = dict(zip(members, matched, strict=False))
    own = ((..., hint),) if isinstance(hint, str) else hint
    return Example(
        f"members = {members}; log = {dict(log)}",
        f"quorum_index({held}, members, log.__getitem__, term={term}, committed={committed})",
        expected,
        ((KeyError, UNKNOWN), (None, NOTHING), *own),
    )  # fmt: skip


ONES = {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
_quorums = by_example(
    "quorum_index",
    "Committed is the highest entry that a majority of all members holds.",
    _quorum((5, 4, 2), ONES, 1, 0, 4, ((5, "The leader alone is no quorum."), (2, "A majority is enough: not all need to hold it."),
                                       (..., QUORUM))),
    _quorum((5, 5, 0, 0, 0), ONES, 1, 0, 0, "Two of five are no quorum. " + QUORUM),
    _quorum((5, 5, 3, 1, 0), ONES, 1, 0, 3, "Three of five are a quorum. " + GIVEN),
    _quorum((5, 5), ONES, 1, 0, 0, QUORUM, size=5),
    _quorum((5, 5, 4), ONES, 1, 0, 4, QUORUM, size=5),
    _quorum((5, 3, 2, 1), ONES, 1, 0, 2, "Half is no quorum: of four members it takes three."),
    _quorum((5, 3), ONES, 1, 0, 3, "Of two members it takes both."),
    _quorum((5,), ONES, 1, 0, 5, "A single member is its own majority."),
    _quorum((0, 0, 0), {}, 1, 0, 0, "Nothing has been written: nothing is committed, and term_of has nothing to say."),
)  # fmt: skip
_members_only = by_example(
    "quorum_index",
    "Only members count towards the quorum.",
    Example(
        "members = ['node-1', 'node-2', 'node-3']; log = {1: 1, 2: 1}; held = {'node-1': 2, 'node-8': 2, 'node-9': 2}",
        "quorum_index(held, members, log.__getitem__, term=1, committed=0)",
        0,
        "It counts whoever is in `matched`. A learner, or who has been removed, may hold all entries and is no member.",
    ),
)


def _clusters(answer: Any) -> Finding | None:
    return _quorums(answer) or _members_only(answer)


_own_term = by_example(
    "quorum_index",
    "Only an entry of the leader's own term is committed by counting; all before it are committed with it.",
    _quorum((2, 2, 1), {1: 1, 2: 2}, 4, 1, 1, OLD_TERM),
    _quorum((3, 3, 1), {1: 1, 2: 2, 3: 4}, 4, 1, 3,
            "The entry of its own term is held by a majority: it is committed, and with it the older one before it. "
            "Do not stop at the first that may not be counted."),
    _quorum((4, 3, 3, 3, 1), {1: 1, 2: 2, 3: 2, 4: 5}, 5, 1, 1, OLD_TERM),
)  # fmt: skip
_never_back = by_example(
    "quorum_index",
    "What is committed stays committed: the result is never less than `committed`.",
    _quorum((5, 1, 1), ONES, 1, 3, 3, "It goes back behind `committed`: a leader that has just been elected does not know yet "
            "what the others hold. At least `committed`."),
    _quorum((5, 5, 5), {4: 1, 5: 1}, 1, 3, 5, UNKNOWN),
    _quorum((5, 5, 5), ONES, 2, 5, 5, "Nothing is new: the result is `committed`."),
    Example(
        "members = ['node-1', 'node-2', 'node-3']; log = {3: 1}; held = {'node-1': 2, 'node-2': 2, 'node-3': 2}",
        "quorum_index(held, members, log.__getitem__, term=1, committed=2)",
        2,
        ((KeyError, DROPPED), (None, NOTHING), (..., "Nothing is new: the result is `committed`.")),
    ),
)  # fmt: skip
_untouched = by_example(
    "quorum_index",
    "The arguments are left as they are.",
    Example(
        "members = ['node-2', 'node-1', 'node-3']; log = {1: 1, 2: 1}; held = {'node-2': 2, 'node-1': 1}; "
        "quorum_index(held, members, log.__getitem__, term=1, committed=0)",
        "(held, members)",
        ({"node-2": 2, "node-1": 1}, ["node-2", "node-1", "node-3"]),
        "The leader goes on with what it gave you: work on a copy, as sorted(...) makes one, and ask matched.get(member, 0).",
    ),
)


def _called(look: str, answer: Any, *given: Any, **named: Any) -> Any:
    """Return what a call gives, or, where it raises, a finding that names the call."""
    try:
        return answer(*given, **named)
    except (NotImplementedError, LessonError, Runaway):
        raise
    except Exception as error:
        return Finding("The piece runs.", describe_error(clean_traceback(error)), look=look)


def _any_cluster(answer: Any) -> Finding | None:
    """Five hundred drawn logs, against the definition, taken literally."""
    random = Random("quorum")
    for _ in range(500):
        size, last = random.randint(1, 7), random.randint(0, 8)
        members = [f"node-{n}" for n in range(1, size + 1)]
        log, term = {}, 1
        for index in range(1, last + 1):
            term += random.choice((0, 0, 1, 2))
            log[index] = term
        term += random.choice((0, 0, 1))
        committed = random.randint(0, last)
        held = {m: random.randint(0, last) for m in random.sample(members, random.randint(1, size))}
        expected = max(
            (i for i in range(committed + 1, last + 1)
             if log[i] == term and 2 * sum(h >= i for h in held.values()) > size),
            default=committed,
        )  # fmt: skip
        given = dict(held)
        look = f"quorum_index({held}, {members}, {log}.__getitem__, term={term}, committed={committed})"
        came = _called(look, answer, given, list(members), log.__getitem__, term=term, committed=committed)
        if isinstance(came, Finding):
            return came
        if came != expected:
            return Finding(
                "Committed is the highest entry of the leader's own term that a majority of all members holds.",
                f"Of {size} members, the log's terms being {log}: it gave {came!r:.40} in place of {expected}.",
                look=look,
            )
    return None


# ---- 4.5 Redistribute ------------------------------------------------------------------------------------


def _spread(answer: Any, owners: Mapping[str, str | None], nodes: Sequence[str], salt: int = 0) -> Any:
    """Call the answer with copies; return what it made, in plain names, or a finding."""
    look = _spread_example(owners, nodes)
    given = {
        Name.of(item, salt): None if node is None else Name.of(node, salt) for item, node in owners.items()
    }
    names = [Name.of(node, salt) for node in nodes]
    made = _called(look, answer, given, names)
    if isinstance(made, Finding):
        return made
    if not isinstance(made, Mapping):
        return Finding("spread returns {item: node}.", f"It returned {made!r:.80}.", look=look)
    changed = "owners" if Name.bare(given) != dict(owners) else "nodes" if names != list(nodes) else ""
    if changed:
        return Finding(
            "The arguments are left as they are.",
            f"{changed} was changed by the call.",
            look=look,
            hint="Others read that table too: make one of your own, dict(owners), and sorted(nodes) for a list.",
        )
    return Name.bare(made)


def _spread_example(owners: Mapping[str, str | None], nodes: Sequence[str]) -> str:
    return f"spread({dict(owners)}, {list(nodes)})"


def _judge_spread(
    answer: Any, owners: Mapping[str, str | None], nodes: Sequence[str], hints: Mapping[str, str]
) -> Finding | None:
    """Try one distribution: complete, even, and with as few moves as must be."""
    look = _spread_example(owners, nodes)
    made = _spread(answer, owners, nodes)
    if isinstance(made, Finding):
        return made
    lost = sorted(set(owners) - set(made))
    if lost or len(made) != len(owners):
        return Finding(
            "Every item has an owner, and no other item has.",
            f"Of {len(owners)} items {len(made)} are in the result; missing: {', '.join(lost) or 'none'}.",
            look=look,
            hint="An item without an owner (None) needs one as well: it belonged to nobody yet, or to a node that is gone.",
        )
    dead = sorted(str(item) for item, node in made.items() if node not in nodes)
    if dead:
        return Finding(
            "Work goes to the nodes that are there.",
            f"{', '.join(dead[:3])} went to {made[dead[0]]!r:.40}, which is not among {', '.join(nodes)}.",
            look=look,
            hint="The dead node keeps its work, and nobody does it. Who is not in `nodes` owns nothing any more.",
        )
    load = Counter(made.values())
    most, least = max(load[n] for n in nodes), min(load[n] for n in nodes)
    if most - least > 1:
        return Finding(
            "The busiest node has at most one item more than the idlest.",
            "Items a node: " + ", ".join(f"{n} {load[n]}" for n in nodes) + ".",
            look=look,
            hint=hints["uneven"],
        )
    needed = _moves_needed(owners, nodes)
    moved = sum(made[item] != node for item, node in owners.items())
    if moved > needed:
        return Finding(
            "No more items move than must.",
            f"Items with another owner than before: {moved}. So few would have been enough: {needed}.",
            look=look,
            hint=hints["moves"],
        )
    return None


def _moves_needed(owners: Mapping[str, str | None], nodes: Sequence[str]) -> int:
    """What an even spread leaves in place is most when the nodes with most items keep one more."""
    share, extra = divmod(len(owners), len(nodes))
    had = Counter(owners.values())
    loads = sorted((had[node] for node in nodes), reverse=True)
    return len(owners) - sum(min(n, share + (place < extra)) for place, n in enumerate(loads))


NEIGHBOUR = "All the load goes to one neighbour, which may be the next to fall. Give each item to whoever has least at that moment."
ANEW = "It deals all items anew, and each item that moves has to stop, hand over and warm up. Leave in place what can stay."
RETURNED = "A node that has come back, or is new, gets no share. Beyond finding homes for orphans, take from those that have too many."
ONE_MORE = (
    "Where the items do not divide evenly some nodes have one more: let it be those that have one more already, and nothing "
    "has to move."
)  # fmt: skip
DIES, BACK = {"uneven": NEIGHBOUR, "moves": ANEW}, {"uneven": RETURNED, "moves": ONE_MORE}


def _nodes(*numbers: int) -> tuple[str, ...]:
    return tuple(f"node-{number}" for number in numbers)


def _owned(**items: int | None) -> dict[str, str | None]:
    """Return a table of owners: item="number of its node"."""
    return {item: None if number is None else f"node-{number}" for item, number in items.items()}


SPREADS: tuple[tuple[dict[str, str | None], tuple[str, ...], dict[str, str]], ...] = (
    ({f"shard-{n}": f"node-{(n - 1) % 3 + 1}" for n in range(1, 10)}, _nodes(1, 2), DIES),
    ({f"shard-{n}": f"node-{(n - 1) % 5 + 1}" for n in range(1, 21)}, _nodes(1, 2, 4, 5), DIES),
    (_owned(a=None, b=None, c=None, d=None), _nodes(1, 2), DIES),
    (_owned(a=1, b=1, c=1, d=2, e=2, f=2), _nodes(1, 2, 3), BACK | {"moves": ANEW}),
    (_owned(a=2, b=2, c=1), _nodes(1, 2), BACK),
    (_owned(a=3, b=3, c=2, d=2, e=1, f=9), _nodes(1, 2, 3, 4), BACK),
    (_owned(a=9), _nodes(1, 2, 3), DIES),
    ({}, _nodes(1, 2), DIES),
)


def _spreads(answer: Any) -> Finding | None:
    for owners, nodes, hints in SPREADS:
        if (found := _judge_spread(answer, owners, nodes, hints)) is not None:
            return found
    return None


def _any_spread(answer: Any) -> Finding | None:
    """Three hundred drawn distributions, some of their nodes gone and some new."""
    random = Random("spread")
    for _ in range(300):
        nodes = [f"node-{n}" for n in random.sample(range(1, 9), random.randint(1, 7))]
        owners = {
            f"item-{n}": random.choice((None, *(f"node-{k}" for k in range(1, 9))))
            for n in random.sample(range(100), random.randint(0, 20))
        }
        if (found := _judge_spread(answer, owners, nodes, BACK)) is not None:
            return found
    return None


TABLES: tuple[tuple[dict[str, str | None], tuple[str, ...]], ...] = (
    (_owned(a=4, b=4, c=4, d=1), _nodes(1, 2, 3)),
    (_owned(a=1, b=1, c=1, d=1), _nodes(1, 2)),
    (_owned(a=1, b=2, c=3, d=9), _nodes(1, 2, 3)),
    ({f"shard-{n}": f"node-{n % 4 + 1}" for n in range(1, 15)}, _nodes(1, 2, 3)),
    ({f"shard-{n}": f"node-{n % 2 + 1}" for n in range(1, 11)}, _nodes(1, 2, 3, 4)),
)


def _same_everywhere(answer: Any) -> Finding | None:
    """Orphans and a surplus, in several orders, and with names whose hashes differ, as they do between processes."""

    async def trial() -> Finding | None:
        for owners, nodes in TABLES:
            first = _spread(answer, owners, nodes)
            if isinstance(first, Finding):
                return first
            turned = [*list(owners)[2:], *list(owners)[:2]]
            others: list[tuple[str, Mapping[str, str | None], Sequence[str], int]] = [
                ("when asked again", owners, nodes, 0),
                ("when asked again", owners, nodes, 0),
                ("with the items in another order", dict(reversed(owners.items())), nodes, 0),
                ("with the items in another order", {item: owners[item] for item in turned}, nodes, 0),
                ("with the nodes in another order", owners, nodes[::-1], 0),
                ("with the nodes in another order", owners, nodes[1:] + nodes[:1], 0),
            ]
            others += [
                ("in another process, where hash() of a name is another", owners, nodes, n)
                for n in range(1, 7)
            ]
            for how, table, names, salt in others:
                again = _spread(answer, table, names, salt)
                if isinstance(again, Finding):
                    return again
                if again != first:
                    item = next(item for item in owners if again.get(item) != first.get(item))
                    return Finding(
                        "The same work and the same nodes give the same result, in whatever order they are named.",
                        f"{item} goes to {first.get(item)}, but {how} to {again.get(item)}: {first} and {again}.",
                        look=_spread_example(owners, nodes)
                        + ("" if salt else f"; {_spread_example(table, names)}"),
                        hint=HASHES if salt else NO_ORDER,
                    )
        return None

    return simulate(trial)  # which lends a seed to the module `random`, so that chance repeats itself


NO_ORDER = (
    "No chance, and no order of a dict or a message: go through sorted(...) names, and let the name decide between equals. "
    "Then whoever repeats the decision gets the same one."
)
HASHES = (
    "It goes by the order of a set, or by hash(): both are other ones in each process, so that two nodes that decide "
    "disagree. Go through sorted(...) names."
)


# ---- 4.6 Diagnose ----------------------------------------------------------------------------------------


def second_votes(history: History) -> list[Record]:
    """Return the messages by which a member gives a vote to one candidate after it had voted for another in the same
    term: for itself, when it stood, or by an earlier message."""
    voted: dict[tuple[str, int], str] = {}
    found = []
    for record in history.of("sent"):
        body = record.data["body"]
        if body["type"] == "vote request":
            voted.setdefault((record.node, body["term"]), record.node)
        elif body["type"] == "vote" and body["granted"]:
            candidate = record.data["to"]
            if voted.setdefault((record.node, body["term"]), candidate) != candidate:
                found.append(record)
    return found


def _not_the_vote(record: Record) -> str:
    body = record.get("body") or {}
    hint = "Two members lead in one term, so somebody has voted twice in it. A candidate's first vote is its own."
    if record.kind == "transition":
        return (
            "A role changes when messages come, or do not. Which message should not have been sent? " + hint
        )
    if record.kind in ("delivered", "replaced"):
        return "Name the message itself, where it was sent. " + hint
    if body.get("type") in ("pre-vote", "pre-vote reply"):
        return "A pre-vote promises nothing: it only asks whether a vote would be given. " + hint
    if body.get("type") == "vote request":
        return "Whoever asks for votes has given its own to itself. That is its first in this term. " + hint
    if body.get("type") == "vote" and body.get("granted"):
        return ""  # a message that gives a vote, and perhaps the second
    return "That message gives nobody a vote. " + hint


def _diagnosis(answer: Any) -> Finding | None:
    run = mystery()
    second = second_votes(run.history)
    culprit = Culprit(
        rule=rules.one_leader_a_term.name,
        record_is="The record is a message by which a member votes a second time in one term.",
        proves=lambda record: any(record is vote for vote in second),
        record_hint=_not_the_vote,
        piece=ColleaguesBallot,
        line_has=("if term < self.term:", "self.term, self.voted_for = term, None"),
        hint="Follow that member through the term, from its first vote: its own, if it stood. Is the message the first that "
        "gives another one? And before it the vote was noted: which line lets go of it, and which condition lets that line be "
        "reached, though the term is no new one?",
    )
    return culprit.judge(run, answer())


# ---- 4.7 Cassandra's phi ---------------------------------------------------------------------------------

_phi = partial(by_example, "ExponentialPhi", time_is_given=True)
PHI = "detector = ExponentialPhi(8.0, longest_s=3.0, first_interval_s=1.0); detector.watch('a', 0.0)"
STEADY = f"{PHI}; [detector.heard('a', 1.0 * n) for n in range(1, 6)]"
LN10 = math.log(10)
UNDERFLOW = (
    "After a long silence exp(-silence / mean) is so small that it is rounded to 0.0, which has no logarithm. Take the "
    "logarithm on paper: -log10(exp(-x)) is x / ln 10, without exp."
)
_levels = _phi(
    "phi is the silence, divided by the mean interval and by ln 10.",
    Example(PHI, "detector.level('a', 0.0)", 0.0, "No silence, no suspicion: phi grows from 0."),
    Example(PHI, "detector.level('a', 5.0)", 5 / LN10, (
        (5.0, "That is the natural logarithm of the probability. phi counts powers of *ten*: divide by ln 10."),
        (..., "The history begins with first_interval_s, at watch: phi = silence / (mean * math.log(10))."),
    )),
    Example(STEADY, "detector.level('a', 7.0)", 2 / LN10, "Silence is the time since the last heartbeat: heard notes it."),
    Example("detector = ExponentialPhi(8.0, longest_s=9.0, first_interval_s=2.0); detector.watch('a', 0.0); "
            "[detector.heard('a', 4.0 * n) for n in range(1, 4)]", "detector.level('a', 19.0)", 7 / 3.5 / LN10,
            f"The mean is that of all intervals of the history, the first estimate among them. {GIVEN}"),
    Example("detector = ExponentialPhi(8.0, window=4, longest_s=9.0, first_interval_s=9.0); detector.watch('a', 0.0); "
            "[detector.heard('a', at_s) for at_s in (1.0, 3.0, 6.0, 10.0)]", "detector.level('a', 15.0)", 2 / LN10, (
        (5 / 3 / LN10, "The last `window` intervals are kept, and one of them is missing here: four are 1, 2, 3 and 4 s long."),
        (..., "Only the last `window` intervals are kept: a network is judged by how it is, not by how it was once."),
    )),
    Example(f"{STEADY}; detector.heard('a', 5.0)", "detector.level('a', 7.0)", 2 / (6 / 7) / LN10,
            "Two heartbeats may come at the same time: an interval of 0 s is one, too."),
    Example(STEADY, "detector.level('a', 100_005.0)", 100_000 / LN10, (
        (ValueError, UNDERFLOW), (OverflowError, UNDERFLOW), (ZeroDivisionError, UNDERFLOW), (math.inf, UNDERFLOW),
        (..., "phi has no upper bound: it grows with the silence."),
    )),
    Example(f"{PHI}; detector.watch('b', 0.0); [detector.heard('b', n / 10) for n in range(1, 50)]",
            "detector.level('a', 1.0)", 1 / LN10, "Each node has a history of its own."),
    Example(f"{STEADY}; detector.forget('a'); detector.heard('a', 6.0); detector.watch('b', 0.0)",
            "detector.alive(6.5)", ["b"], "A heartbeat of a node that is not watched changes nothing."),
)  # fmt: skip
_outages = _phi(
    "An interval above longest_s is an outage: it ends the silence, and does not enter the history.",
    Example(f"{STEADY}; detector.heard('a', 60.0)", "detector.level('a', 60.0)", 0.0,
            "The heartbeat after an outage ends the silence, as each does. Only its interval is left out."),
    Example(f"{STEADY}; detector.heard('a', 60.0)", "detector.level('a', 62.0)", 2 / LN10,
            "The outage is recorded in the history: the mean is now so long that the next death is not noticed for minutes."),
    Example("detector = ExponentialPhi(8.0, longest_s=9.0, first_interval_s=2.0); detector.watch('a', 0.0); "
            "[detector.heard('a', 4.0 * n) for n in range(1, 4)]; detector.heard('a', 60.0)", "detector.level('a', 67.0)",
            7 / 3.5 / LN10, (
        (7 / 2 / LN10, "The outage clears the history: what was learnt before it is lost, and the first estimate stands again."),
        (7 / 3.2 / LN10, "The outage enters as first_interval_s. It does not enter at all: nothing was measured."),
        (..., "The history after the outage is the one before it: 2, 4, 4 and 4 s."),
    )),
    Example(f"{STEADY}; detector.heard('a', 7.5)", "detector.level('a', 9.5)", 2 / (8.5 / 7) / LN10,
            "A slow heartbeat is no outage: what is not above longest_s enters, or the detector never learns that the network "
            "has become slower."),
    Example(f"{STEADY}; detector.heard('a', 8.0)", "detector.level('a', 10.0)", 2 / (9 / 7) / LN10,
            "An interval of exactly longest_s is not *above* it, and enters."),
)  # fmt: skip
_threshold = _phi(
    "A node is suspected once its phi reaches the threshold.",
    Example(STEADY, "detector.suspects(23.0)", [], "At threshold 8 and a mean of 1 s a node is suspected after 8 * ln 10 = 18.4 s."),
    Example(STEADY, "detector.suspects(24.0)", ["a"], "At threshold 8 and a mean of 1 s a node is suspected after 8 * ln 10 = 18.4 s."),
    Example("detector = ExponentialPhi(threshold=1.0, longest_s=3.0, first_interval_s=1.0); detector.watch('a', 0.0)",
            "(detector.suspects(2.2), detector.suspects(2.4))", ([], ["a"]), f"{GIVEN} Compare with self.threshold."),
    Example(
        "one = ExponentialPhi(1.0, longest_s=3.0, first_interval_s=1.0); one.watch('a', 0.0); level = one.level('a', 5.0); "
        "detector = ExponentialPhi(level, longest_s=3.0, first_interval_s=1.0); detector.watch('a', 0.0)",
        "detector.suspects(5.0)",
        ["a"],
        "Suspected once phi *reaches* the threshold: >=.",
    ),
    Example(f"{STEADY}; detector.suspects(24.0); detector.heard('a', 25.0)", "detector.suspects(26.0)", [],
            "A suspicion ends with the next heartbeat."),
    Example("detector = ExponentialPhi(1.0, longest_s=3.0, first_interval_s=1.0); detector.watch('b', 0.0); detector.watch('a', 0.0)",
            "detector.suspects(9.0)", ["a", "b"], "In the order of the alphabet: sorted(...)."),
)  # fmt: skip


def _stays_small(answer: Any) -> Finding | None:
    detector = answer(8.0, window=20, longest_s=3.0, first_interval_s=1.0)
    detector.watch("a", 0.0)
    for n in range(1, 3_001):
        detector.heard("a", 1.0 * n)
        detector.level("a", 1.0 * n)
        detector.suspects(1.0 * n)  # a piece may cut its history wherever it likes
    held = _held(vars(detector), 4)
    if held <= 200:
        return None
    return Finding(
        "Memory has a bound: the last `window` intervals.",
        f"With window=20, after 3000 heartbeats {held} things were held.",
        hint="collections.deque(maxlen=window) forgets the oldest by itself.",
    )


def _held(thing: Any, depth: int) -> int:
    """How many things a piece holds, in collections within collections and in objects."""
    parts = (
        thing.values()
        if isinstance(thing, Mapping)
        else thing
        if isinstance(thing, list | tuple | deque | set)
        else ()
    )
    if not depth or not parts:
        return 1
    return sum(_held(part, depth - 1) for part in parts)


# ---- The exercises ---------------------------------------------------------------------------------------


COMPLETE, ACCURATE, WITHDRAWN = rules.complete.name, rules.accurate.name, rules.withdrawn.name
ONE_LEADER, FENCED, SURVIVES = rules.one_leader_a_term.name, rules.fenced_off.name, rules.writes_survive.name
SAME, REGISTER, AGAIN = rules.same_prefix.name, rules.linearizable.name, rules.leader_again.name
STEPS_DOWN, EVEN, DONE = rules.steps_down.name, rules.even_work.name, rules.work_is_done.name
LONG = {**CLUSTER.small, "duration_s": 9, "job_ms": 100}
# One after the other, so that whoever leads is among them.
CRASHES = "at 1s crash node-1 for 1500ms; at 4s crash node-2 for 1500ms; at 7s crash node-3 for 1500ms"
PAUSES = "at 1s pause node-1 for 1500ms; at 4s pause node-2 for 1500ms; at 7s pause node-3 for 1500ms"
# Between the restart and the late write of node-2 nobody writes: only the disk knows the newer token.
RESTART = "at 1s pause node-1 for 1500ms; at 4s pause node-2 for 1550ms; at 5510ms crash store for 20ms; at 7s pause node-3 for 1500ms"
PARTITIONS = "1s..3s partition node-1 | node-2, node-3; 4s..6s partition node-2 | node-1, node-3; 7s..9s partition node-3 | node-1, node-2"
PAIRS = "at 1s crash node-1 for 2s; at 1500ms crash node-2 for 2s; at 5s crash node-3 for 2s; at 5500ms crash node-4 for 2s"

EXERCISES: dict[str, Exercise] = {
    "4.1": Exercise(
        title="a timeout detector",
        points=10,
        ladder=(
            '`suspicion(HEARTBEATS.run("textbook", plan="at 3s crash node-1 for 4s"))`: the table knows when each node was heard. Who looks '
            "into it?",
            "A heartbeat notes the time. Suspicion is not noted at all: it follows, whenever somebody asks, from the time "
            "of the last heartbeat and the time now.",
            "```\nheard: if node is watched: heard_s[node] = now_s\n"
            "suspects: sorted(the watched nodes whose silence is more than timeout_s)\n```",
        ),
        scenario=HEARTBEATS,
        part="detector",
        probes=(
            ("questions asked often", _asked_often),
            ("silences shorter, longer and as long as the timeout", _silent),
            ("nodes that come back", _back),
            ("names and their order, and who is watched", _in_order),
        ),
        cases=(
            Case(
                "node-1 crashes for 4 s",
                "at 2s crash node-1 for 4s",
                rules=(COMPLETE, ACCURATE, WITHDRAWN),
                params={"duration_s": 10},
            ),
            Case(
                "most of node-2's heartbeats are lost",
                "1s..7s lose 60% from node-2",
                rules=(COMPLETE, ACCURATE),
                params={"duration_s": 10},
            ),
        ),
        forbids=("HeartbeatMonitor",),
        untested="whether the timeout fits your network: the next section measures that.",
    ),
    "4.2": Exercise(
        title="majority and terms",
        points=20,
        ladder=(
            f'`leaders(CLUSTER.run("textbook", plan="{PARTITIONS.split(";")[0]}"))`: who leads on each side of the partition, and how many '
            "members did each of them ask?",
            "A ballot keeps two things, a term and whom it has voted for in it. A higher term sets the vote free, and nothing "
            "else does. Before a vote: is the term past, is the vote given, is the candidate's log behind? And a majority is "
            "one of all members, whoever answers.",
            "```\nlearn: if term > self.term: self.term = term; self.voted_for = None; return True\n"
            "grant: learn(term)\n"
            "    refuse if term < self.term, if its_log < my_log (tuples compare the term first),\n"
            "    or if voted_for is somebody else; otherwise note the candidate\n"
            'count: yes and no among the members; "won" if 2 * yes > members\n'
            '    "lost" if 2 * (members - no) <= members, else "pending"\n```',
        ),
        scenario=CLUSTER,
        part="ballot",
        probes=(
            ("terms that are higher, lower and equal", _learns),
            ("two candidates in one term", _votes),
            ("logs that are longer, newer and empty", _logs),
            ("a restart in the middle of a term", _restarted),
            ("elections among 1 to 7 members", _counts),
        ),
        cases=(
            Case("each member crashes once", CRASHES, rules=(ONE_LEADER, SURVIVES, SAME, AGAIN), params=LONG),
            Case(
                "each member is cut off once", PARTITIONS, rules=(ONE_LEADER, SAME, STEPS_DOWN), params=LONG
            ),
        ),
        forbids=("Ballot", "ColleaguesBallot"),
        untested="when to stand: timeouts, and why they are drawn at random, are the election's; the lesson measures them.",
    ),
    "4.3": Exercise(
        title="a fencing token, at the resource",
        points=15,
        ladder=(
            f'`CLUSTER.run("textbook", plan="{PAUSES.split(";")[0]}")`, its records of the kind "stored": who wrote after whom, and '
            "with which token?",
            "The store remembers, for each key, the highest token that it has seen, and refuses a lower one. That memory has to "
            "be as durable as the value: so they are one record.",
            "```\nunder self.lock:\n    entry = self.entries.get(key)\n"
            '    if there is one and token < entry["token"]: raise StaleToken\n'
            '    record = {"key": key, "value": value, "token": token}\n'
            "    await self.disk.append(file, record)   # first\n    self.entries[key] = record             # then\n```",
        ),
        scenario=CLUSTER,
        part="store",
        probes=(
            ("tokens lower, equal and higher", _fences),
            ("a restart, and a disk that is full", _survives),
            ("two writes at once", _together),
        ),
        cases=(
            Case("each member is paused once", PAUSES, rules=(FENCED,), params=LONG),
            Case(
                "the store restarts just before a replaced leader wakes",
                RESTART,
                rules=(FENCED,),
                params=LONG,
            ),
        ),
        forbids=("FencedStore",),
        untested="a bound on the number of keys, which the package's store has.",
    ),
    "4.4": Exercise(
        title="acknowledge after a quorum",
        points=15,
        ladder=(
            "The table of five logs in section 3.1 of the lesson, step c: mark up to where three of them agree, and of which term that entry is. "
            "`commit_index` is asked after each answer of a follower: what does it know of those that did not answer?",
            "Write down how far each member's log is known to go, 0 for who has not answered, in order. The one in the middle "
            "says what a majority holds. It counts only if that entry is of the leader's own term.",
            "```\nheld = sorted(matched.get(member, 0) for member in members), the largest first\n"
            "index = held[len(members) // 2]\n"
            "if index > committed and term_of(index) == term: return index\nreturn committed\n```",
        ),
        scenario=CLUSTER_OF_5,
        part="quorum",
        probes=(
            ("clusters of 1 to 5 members", _clusters),
            ("entries of an old term", _own_term),
            ("what has been committed before", _never_back),
            ("arguments that others use too", _untouched),
            ("500 drawn logs", _any_cluster),
        ),
        cases=(
            Case(
                "two members of five crash, twice",
                PAIRS,
                rules=(SURVIVES, SAME, REGISTER, AGAIN),
                params=LONG,
            ),
        ),
        forbids=("commit_index",),
        untested="how followers come to hold the entries: the replicated log's own rules see to that.",
    ),
    "4.5": Exercise(
        title="work that moves",
        points=20,
        ladder=(
            '`work(CLUSTER.run(plan="at 1s crash node-3 for 4s", duration_s=8))`: which items '
            "moved when node-3 died, which when it came back, and which never?",
            "First say how many items each node may keep: n // nodes, and one more for as many nodes as n % nodes. The larger "
            "shares go to those that have most. Everybody keeps up to its share; what is left over fills the gaps.",
            "```\nshare, larger = divmod(number of items, number of nodes)\n"
            "sort the nodes: those with most items first, then by name\n"
            "room of a node: share + 1 for the first `larger` of them, share for the others\n\n"
            "for each node: of its items, sorted, the first `room` stay with it\n"
            "all other items are free, those without a living owner too\n\n"
            "for each node: it takes free items, in their order, until its room is full\n```",
        ),
        scenario=CLUSTER,
        part="rebalance",
        probes=(
            ("nodes that die and come back", _spreads),
            ("the order of names", _same_everywhere),
            ("300 drawn tables", _any_spread),
        ),
        cases=(
            Case("each member crashes once", CRASHES, rules=(EVEN, DONE), params=LONG),
            Case("each member is cut off once", PARTITIONS, rules=(EVEN, DONE), params=LONG),
        ),
        forbids=("rebalance_work",),
        untested="items of unequal size: a weight for each would be the next step.",
    ),
    "4.6": Exercise(
        title="diagnose",
        points=20,
        ladder=(
            '`space_time(run, start_s=1.88, end_s=1.9)` shows who asked whom. Then print the records of the kind "sent" just before the '
            'two transitions to "leader", and read `body`: type, term, granted.',
            "Two leaders in one term have two majorities, and two majorities of three members share one. That one has promised "
            "its vote twice. A candidate has promised it to itself.",
            'for each member and term keep the first one it voted for: itself at its first "vote request", or the receiver of a '
            '"vote" that is granted; the first "vote" for another is the record. Then: which line of the ballot sets `voted_for` '
            "to None, and when?",
        ),
        probes=(("the rule, the record and the line", _diagnosis),),
    ),
    "4.7": Exercise(
        title="Cassandra's phi",
        points=0,
        ladder=(
            '`suspicion(ACCRUAL.run(plan="at 2s pause node-1 for 5s"))`: how fast does phi rise after the pause, '
            "and how fast would it, had the pause entered the history?",
            "If intervals follow the exponential distribution, P(later than t) = exp(-t / mean). phi is minus its logarithm, to "
            "base 10: simplify that first, and no exp is left. The mean is that of the intervals which were no outages.",
            "```\nheard: if watched:\n    interval = now_s - last; last = now_s\n"
            "    if interval <= longest_s: intervals.append(interval)   # a deque with maxlen=window\n"
            "level: silence / (mean of intervals * math.log(10))\nsuspects: sorted(nodes whose level >= threshold)\n```",
        ),
        scenario=ACCRUAL,
        part="detector",
        probes=(
            ("phi after some silences", _levels),
            ("outages", _outages),
            ("thresholds", _threshold),
            ("3000 heartbeats with memory for 20", _stays_small),
        ),
        cases=(
            Case(
                "node-1 is paused for 6 s",
                "at 2s pause node-1 for 6s",
                rules=(COMPLETE, ACCURATE, WITHDRAWN),
                params={"duration_s": 15},
            ),
            Case(
                "node-2 crashes twice",
                "at 1s crash node-2 for 6s; at 9s crash node-2 for 6s",
                rules=(COMPLETE, ACCURATE, WITHDRAWN),
                params={"duration_s": 20},
            ),
        ),
        forbids=("PhiAccrualDetector", "phi_exact", "phi_akka"),
        untested="what it costs: at the same threshold this detector waits longer than the lesson's, because it knows no "
        "deviation.",
    ),
}
