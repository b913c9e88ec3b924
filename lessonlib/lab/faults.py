"""The vocabulary of faults, and plans made of them.

A fault is a frozen dataclass: what goes wrong, where, and when. Each kind says in `form` how it is written, so
that a plan has a one-line text that parses back to itself:

>>> plan = FaultPlan.parse("at 5s crash broker for 3s; 10s..12s partition shop | broker")
>>> str(plan)
'at 5s crash broker for 3s; 10s..12s partition shop | broker'

Faults of the world (`Crash`, `Loss`, ...) are carried out by the laboratory. The others are carried out by a
scenario, which asks `world.active(HandlerError, "inventory")`. A lesson adds kinds of its own by deriving
from `Fault`.

In a form, `{at_s}` is a field and `[for {down_s}]` may be left out.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, ClassVar

from lessonlib.errors import LessonError
from lessonlib.lab.suggest import did_you_mean


class FaultError(LessonError):
    """A fault or a plan that makes no sense; the message says where and what was expected."""


TIME_MAX_S = 1e9  # thirty years; beyond, a float no longer tells microseconds apart

KINDS: list[type[Fault]] = []  # every kind of fault, in order of definition

# What a field holds follows from its name, so that parsing, printing and search need no second description.
_MEANING = {
    "node": "a node's name",
    "target": "a name",
    "source": "a node's name",
    "to": "a node's name",
    "file": "a file's name",
    "key": "a key",
    "left": "names separated by commas",
    "right": "names separated by commas",
    "probability": "a percentage such as 30%",
    "count": "a whole number",
}


def meaning(field: str) -> str:
    """Return what the field named `field` holds, in words."""
    if field.endswith("_s"):
        return "a time such as 5s, 250ms or 2m"
    return _MEANING.get(field, "a word")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. Subclasses say what; `form` says how it is written."""

    form: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # dataclass(slots=True) makes each class twice; the second one, which does not know yet in which function
        # it stands, is the one to keep.
        KINDS[:] = [k for k in KINDS if k.__name__ != cls.__name__ or k.__module__ != cls.__module__]
        KINDS.append(cls)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:  # what may be left out may be None
                _validate(self, field.name, value)
        start, end = getattr(self, "start_s", None), getattr(self, "end_s", None)
        if start is not None and end is not None and end <= start:
            raise FaultError(f"{type(self).__name__}: end_s={end:g} should be after start_s={start:g}")
        both = [name for name in getattr(self, "left", ()) if name in getattr(self, "right", ())]
        if both:
            raise FaultError(
                f"{type(self).__name__}: {both[0]} is on both sides, and nothing cuts a node off from itself; "
                "name it on one"
            )

    @property
    def begins_s(self) -> float:
        """When the fault begins, in seconds of virtual time."""
        return float(getattr(self, "at_s", getattr(self, "start_s", 0.0)))

    @property
    def ends_s(self) -> float:
        """When the fault is over; for one that is never mended, when it begins."""
        if hasattr(self, "end_s"):
            return float(self.end_s)
        return self.begins_s + float(getattr(self, "down_s", None) or 0.0)

    def hits(self, name: str) -> bool:
        """Whether this fault is aimed at `name`. A fault without a target is aimed at everything."""
        aim = getattr(self, "target", None) or getattr(self, "node", None)
        return aim is None or aim == name

    def __str__(self) -> str:
        return _write(_elements(self.form), self)


def _validate(fault: Fault, name: str, value: Any) -> None:
    def refuse(expected: str) -> None:
        raise FaultError(f"{type(fault).__name__}: {name}={value!r} should be {expected}")

    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if name.endswith("_s"):
        lowest = -TIME_MAX_S if name == "offset_s" else 0
        if number is None or not lowest <= number <= TIME_MAX_S:
            refuse(f"a number of seconds from {lowest:g} to {TIME_MAX_S:g}")
        object.__setattr__(fault, name, round(value * 1e6) / 1e6)
    elif name == "probability":
        if number is None or not 0.0001 <= number <= 1:
            refuse("a number from 0.0001 to 1 (0.01% to 100%)")
        object.__setattr__(fault, name, round(float(value), 4))
    elif name == "count":
        if not isinstance(number, int) or not 1 <= number <= 1_000_000:
            refuse("a whole number from 1 to 1000000")
    elif name in ("left", "right"):
        if not isinstance(value, tuple | list) or not value or not all(_is_name(v) for v in value):
            refuse("a tuple of node names, for instance ('a', 'b')")
        object.__setattr__(fault, name, tuple(value))
    elif not _is_name(value):
        refuse("a name of letters, digits, - _ . : #")


_NAME = r"[A-Za-z0-9_.:#-]+"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(_NAME, value) is not None


# ---- Faults of the world ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crash(Fault):
    """The node dies: its memory is gone, its disk stays. It restarts after `down_s`, or never."""

    form = "at {at_s} crash {node} [for {down_s}]"
    at_s: float
    node: str
    down_s: float | None = None


@dataclass(frozen=True, slots=True)
class CrashLosingDisk(Fault):
    """The node dies and its disk with it. It restarts empty after `down_s`, or never."""

    form = "at {at_s} crash {node} losing disk [for {down_s}]"
    at_s: float
    node: str
    down_s: float | None = None


@dataclass(frozen=True, slots=True)
class CrashAfterWrite(Fault):
    """The node dies the moment its `count`-th record of `file` is on disk, before it can tell anyone."""

    form = "after write {count} to {file} crash {node} [for {down_s}]"
    count: int
    file: str
    node: str
    down_s: float | None = None


@dataclass(frozen=True, slots=True)
class Restart(Fault):
    """The node starts anew, with the disk that it had. Does nothing while it is up."""

    form = "at {at_s} restart {node}"
    at_s: float
    node: str


@dataclass(frozen=True, slots=True)
class Pause(Fault):
    """The node stops for a while and remembers everything, as in a long garbage collection."""

    form = "at {at_s} pause {node} for {down_s}"
    at_s: float
    node: str
    down_s: float


@dataclass(frozen=True, slots=True)
class SlowNode(Fault):
    """Each step of the node takes `by_s` longer."""

    form = "{start_s}..{end_s} slow {node} by {by_s}"
    start_s: float
    end_s: float
    node: str
    by_s: float


@dataclass(frozen=True, slots=True)
class ClockSkew(Fault):
    """The node's calendar is wrong by `offset_s`. Its timers are not."""

    form = "{start_s}..{end_s} skew {node} by {offset_s}"
    start_s: float
    end_s: float
    node: str
    offset_s: float


@dataclass(frozen=True, slots=True)
class _LinkFault(Fault):
    """A fault of messages on their way from `source` to `to`; left out, of all messages."""

    def on(self, source: str, to: str) -> bool:
        aim_from: str | None = getattr(self, "source", None)
        aim_to: str | None = getattr(self, "to", None)
        return (aim_from is None or aim_from == source) and (aim_to is None or aim_to == to)


@dataclass(frozen=True, slots=True)
class Loss(_LinkFault):
    """Messages are lost with this probability."""

    form = "{start_s}..{end_s} lose {probability} [from {source}] [to {to}]"
    start_s: float
    end_s: float
    probability: float
    source: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Delay(_LinkFault):
    """Messages take `by_s` longer."""

    form = "{start_s}..{end_s} delay {by_s} [from {source}] [to {to}]"
    start_s: float
    end_s: float
    by_s: float
    source: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Duplication(_LinkFault):
    """Messages arrive twice with this probability; the copy comes up to a second after the original."""

    form = "{start_s}..{end_s} duplicate {probability} [from {source}] [to {to}]"
    start_s: float
    end_s: float
    probability: float
    source: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Reordering(_LinkFault):
    """Messages are held back by up to `by_s` with this probability, so that later ones overtake them."""

    form = "{start_s}..{end_s} reorder {probability} by {by_s} [from {source}] [to {to}]"
    start_s: float
    end_s: float
    probability: float
    by_s: float
    source: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Partition(Fault):
    """No message passes between `left` and `right`, in either direction. Nodes on neither side talk to both,
    so naming only some of the nodes makes a partial partition."""

    form = "{start_s}..{end_s} partition {left} | {right}"
    start_s: float
    end_s: float
    left: tuple[str, ...]
    right: tuple[str, ...]

    def cuts(self, source: str, to: str) -> bool:
        return (source in self.left and to in self.right) or (source in self.right and to in self.left)


@dataclass(frozen=True, slots=True)
class OneWayPartition(Fault):
    """No message passes from `left` to `right`; the other way they pass."""

    form = "{start_s}..{end_s} partition {left} > {right}"
    start_s: float
    end_s: float
    left: tuple[str, ...]
    right: tuple[str, ...]

    def cuts(self, source: str, to: str) -> bool:
        return source in self.left and to in self.right


@dataclass(frozen=True, slots=True)
class FlappingLink(Fault):
    """No message passes between `left` and `right` in the first half of every `period_s`; in the second they pass."""

    form = "{start_s}..{end_s} flap-link {left} | {right} every {period_s}"
    start_s: float
    end_s: float
    left: tuple[str, ...]
    right: tuple[str, ...]
    period_s: float

    def cuts(self, source: str, to: str) -> bool:
        return (source in self.left and to in self.right) or (source in self.right and to in self.left)

    def is_cut(self, now_us: int) -> bool:
        """Whether the link is in the first half of a period, in microseconds of virtual time."""
        period_us = max(1, round(self.period_s * 1e6))
        return (now_us - round(self.start_s * 1e6)) % period_us * 2 < period_us


@dataclass(frozen=True, slots=True)
class SlowDisk(Fault):
    """Each write of the node takes `by_s` longer."""

    form = "{start_s}..{end_s} slow-disk {node} by {by_s}"
    start_s: float
    end_s: float
    node: str
    by_s: float


@dataclass(frozen=True, slots=True)
class FailingDisk(Fault):
    """Writes of the node raise OSError with this probability; what was not written is not there."""

    form = "{start_s}..{end_s} fail-disk {node} [{probability}]"
    start_s: float
    end_s: float
    node: str
    probability: float | None = None


# ---- Faults that scenarios carry out ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HandlerError(Fault):
    """The handler of `target` raises, with this probability (always when left out)."""

    form = "{start_s}..{end_s} fail {target} [{probability}]"
    start_s: float
    end_s: float
    target: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class SlowHandler(Fault):
    """The handler of `target` takes `by_s` longer."""

    form = "{start_s}..{end_s} slow-handler {target} by {by_s}"
    start_s: float
    end_s: float
    target: str
    by_s: float


@dataclass(frozen=True, slots=True)
class Poison(Fault):
    """The first event made at or after `at_s` is one that no handler of `target` can digest."""

    form = "at {at_s} poison {target}"
    at_s: float
    target: str


@dataclass(frozen=True, slots=True)
class Burst(Fault):
    """The workload makes `count` more events at once."""

    form = "at {at_s} burst {count}"
    at_s: float
    count: int


# ---- Reading and writing ---------------------------------------------------------------------------------
# A form becomes a list of elements: ("word", "crash"), ("field", "node"), ("span", "start_s", "end_s") and
# ("option", [elements]).

_Element = tuple[Any, ...]


@cache
def _elements(form: str) -> tuple[_Element, ...]:
    found: list[_Element] = []
    for part in re.findall(r"\[[^\]]*\]|\S+", form):
        if part.startswith("["):
            found.append(("option", _elements(part[1:-1])))
        elif span := re.fullmatch(r"\{(\w+)\}\.\.\{(\w+)\}", part):
            found.append(("span", span[1], span[2]))
        elif part.startswith("{"):
            found.append(("field", part[1:-1]))
        else:
            found.append(("word", part))
    return tuple(found)


def _write(elements: Iterable[_Element], fault: Fault) -> str:
    words: list[str] = []
    for element in elements:
        if element[0] == "word":
            words.append(element[1])
        elif element[0] == "field":
            words.append(_show(element[1], getattr(fault, element[1])))
        elif element[0] == "span":
            words.append("..".join(_show(name, getattr(fault, name)) for name in element[1:]))
        else:
            fields = [e[1] for e in element[1] if e[0] == "field"]
            if all(getattr(fault, name) is not None for name in fields):
                words.append(_write(element[1], fault))
    return " ".join(words)


def _show(name: str, value: Any) -> str:
    if name.endswith("_s"):
        return show_time(value)
    if name == "probability":
        return f"{Decimal(str(value)) * 100:f}".rstrip("0").rstrip(".") + "%" if value != 1 else "100%"
    if name in ("left", "right"):
        return ",".join(value)
    return str(value)


def show_time(time_s: float) -> str:
    """Return a time as plans write it: 5s, 1.5s, 250ms, 30us."""
    us = round(time_s * 1e6)
    if us % 100_000 == 0:
        return f"{us / 1e6:.1f}".removesuffix(".0") + "s"
    if us % 1_000 == 0:
        return f"{us // 1_000}ms" if abs(us) < 1_000_000 else f"{us / 1e6:.3f}".rstrip("0") + "s"
    return f"{us}us"


_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}


def read_time(text: str) -> float | None:
    """Return the seconds that `text` (5s, 250ms, 2m) means, or None when it is no time."""
    match = re.fullmatch(r"([+-]?[0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h)", text)
    return None if match is None else float(Decimal(match[1]) * _UNITS[match[2]] / 1_000_000)


def _read(name: str, token: str) -> Any:
    """Return the value that `token` gives the field `name`, or None when it cannot be one."""
    if name.endswith("_s"):
        return read_time(token)
    if name == "probability":
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%", token)
        return float(Decimal(match[1]) / 100) if match else None
    if name == "count":
        return int(token) if re.fullmatch(r"[0-9]{1,20}", token) else None
    if name in ("left", "right"):
        names = tuple(token.split(","))
        return names if all(_is_name(n) for n in names) else None
    return token if _is_name(token) else None


@dataclass
class _Attempt:
    """How far one form matched a clause: `at` tokens, and what it wanted next."""

    at: int = 0
    wanted: str = ""
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    ok: bool = True


def _match(elements: Iterable[_Element], tokens: list[str], attempt: _Attempt) -> None:
    elements = tuple(elements)
    for n, element in enumerate(elements):
        token = tokens[attempt.at] if attempt.at < len(tokens) else ""
        if element[0] == "word":
            if token != element[1]:
                attempt.wanted, attempt.ok = repr(element[1]), False
                before = elements[n - 1] if n else ("",)
                if before[0] == "field" and tokens[attempt.at - 1] == element[1]:  # the name was left out
                    attempt.at, attempt.wanted = attempt.at - 1, meaning(before[1])
        elif element[0] == "field":
            value = _read(element[1], token)
            if value is None:
                attempt.wanted, attempt.ok = meaning(element[1]), False
            attempt.values[element[1]] = value
        elif element[0] == "span":
            ends = token.split("..")
            values = [read_time(end) for end in ends]
            if len(ends) != 2 or None in values:
                attempt.wanted, attempt.ok = "a span of time such as 10s..12s", False
            else:
                attempt.values.update(zip(element[1:], values, strict=True))
        else:
            inner = _Attempt(attempt.at)
            _match(element[1], tokens, inner)
            if inner.ok:
                attempt.at = inner.at
                attempt.values.update(inner.values)
            elif inner.at > attempt.at:  # it began with the option's word: the rest must follow
                attempt.at, attempt.wanted, attempt.ok = inner.at, inner.wanted, False
                return
            continue
        if not attempt.ok:
            return
        attempt.at += 1


@lru_cache(maxsize=1_000)  # rules read the faults of a history again and again
def _parse_clause(clause: str, position: int, kinds: tuple[type[Fault], ...]) -> Fault:
    tokens = clause.replace("|", " | ").replace(">", " > ").split()
    tokens = re.sub(r"\s*,\s*", ",", " ".join(tokens)).split()
    if "partition" in tokens and sum(token in ("|", ">") for token in tokens) > 1:
        raise FaultError(
            f"fault {position} of the plan, {clause.strip()!r}: a partition has two sides; for three, write one for each "
            "pair, such as 3s..6s partition a | b,c; 3s..6s partition b | c"
        )
    best: _Attempt | None = None
    wanted: list[str] = []
    for kind in kinds:
        if not kind.form:
            continue
        attempt = _Attempt()
        _match(_elements(kind.form), tokens, attempt)
        if attempt.ok and attempt.at < len(tokens):
            attempt.wanted, attempt.ok = "the end of the fault, or ';'", False
        if attempt.ok:
            try:
                return kind(**attempt.values)
            except FaultError as error:
                raise FaultError(f"fault {position} of the plan, {clause.strip()!r}: {error}") from None
        if best is None or attempt.at > best.at:
            best = attempt
            wanted = [attempt.wanted]
        elif attempt.at == best.at and attempt.wanted not in wanted:
            wanted.append(attempt.wanted)
    assert best is not None
    found = repr(tokens[best.at]) if best.at < len(tokens) else "the end"
    words = [word.strip("'") for word in wanted if word.startswith("'")]
    raise FaultError(
        f"fault {position} of the plan, {clause.strip()!r}: expected {' or '.join(wanted)}, found {found}"
        + (f" after {' '.join(tokens[: best.at])!r}" if best.at else "")
        + (did_you_mean(tokens[best.at], words) if best.at < len(tokens) else "")
    )


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A sequence of faults. Its text form is one line, and `parse` reads it back."""

    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.faults, tuple | list):
            raise FaultError(f"a plan is made of a tuple of faults, not {self.faults!r:.60}")
        object.__setattr__(self, "faults", tuple(self.faults))
        for fault in self.faults:
            if not isinstance(fault, Fault):
                raise FaultError(f"{fault!r} is not a fault; write Crash(5, 'broker') or use FaultPlan.parse")

    @classmethod
    def parse(cls, text: str | FaultPlan, kinds: Iterable[type[Fault]] | None = None) -> FaultPlan:
        """Return the plan that `text` writes. Raises FaultError saying where, what was expected, what found.

        `kinds` are the faults that may stand in it; left out, all that are known.
        """
        if isinstance(text, FaultPlan):
            return text
        if not isinstance(text, str):
            raise FaultError(f"a plan is a line of text or a FaultPlan, not {text!r:.60}")
        clauses = [c for c in re.split(r"[;\n]", text) if c.strip()]
        known = tuple(KINDS if kinds is None else kinds)
        return cls(tuple(_parse_clause(clause, i, known) for i, clause in enumerate(clauses, 1)))

    def __str__(self) -> str:
        return "; ".join(str(fault) for fault in self.faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.faults)

    def __len__(self) -> int:
        return len(self.faults)

    @property
    def ends_s(self) -> float:
        """When the last fault is over, and what it held back has come, in seconds of virtual time."""
        return max((fault.ends_s + getattr(fault, "by_s", 0.0) for fault in self.faults), default=0.0)


def clause(kind: type[Fault], tokens: Mapping[str, str]) -> str:
    """Return a fault of `kind` as a plan writes it, from a token for each field: `{"at_s": "5s", "node": "broker"}`.

    An optional field may be missing or blank. Raises FaultError naming the field that lacks a value, or has a wrong one.
    """
    given = {name: token.strip() for name, token in tokens.items() if token and token.strip()}

    def fill(elements: Iterable[_Element], optional: bool = False) -> list[str]:
        words: list[str] = []
        for element in elements:
            if element[0] == "word":
                words.append(element[1])
            elif element[0] == "option":
                words += fill(element[1], optional=True)
            else:
                missing = [name for name in element[1:] if name not in given]
                if missing and optional:
                    return []
                if missing:
                    raise FaultError(f"{verb(kind)} needs {missing[0]!r}: {meaning(missing[0])}")
                words.append("..".join(given[name] for name in element[1:]))
        return words

    text = " ".join(fill(_elements(kind.form)))
    FaultPlan.parse(text)
    return text


def verb(kind: type[Fault]) -> str:
    """Return the words by which plans call this kind of fault: "crash", "after write", "slow-disk"."""
    words = [word for word in re.sub(r"\[[^\]]*\]", "", kind.form).split() if re.fullmatch(r"[a-z-]+", word)]
    own = [word for word in words if word not in ("at", "for", "from", "to", "by")]
    return " ".join(own) or kind.__name__


def forms() -> str:
    """Return every kind of fault as it is written, one a line, for help texts."""

    def name(match: re.Match[str]) -> str:
        return "TIME" if match[1].endswith("_s") else match[1].upper()

    return "\n".join(re.sub(r"\{(\w+)\}", name, kind.form) for kind in KINDS if kind.form)
