"""Marks: what else a timeline shows in a lane, each kind of thing with a shape, a colour and a name of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from lessonlib.lab.history import Record
from lessonlib.views.picture import ViewError
from lessonlib.views.svg import BLUE, BROWN, GREEN, INK, PURPLE, RED

# A shape is drawn within a square of 8 around (0, 0). True: its outline is filled.
SHAPES: dict[str, tuple[str, bool]] = {
    "disc": ("M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", True),
    "ring": ("M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", False),
    "square": ("M-3-3h6v6h-6z", True),
    "diamond": ("M0-4L4 0L0 4L-4 0z", True),
    "triangle": ("M0-4L4 3H-4z", True),
    "cross": ("M-3-3L3 3M-3 3L3-3", False),
    "bar": ("M0-4V4", False),
    "plus": ("M0-4V4M-4 0H4", False),
    "double": (
        "M-4 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0zM-1 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0z",
        False,
    ),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of the table of marks.

    Attributes:
        name: what the legend and the words call it ("handled").
        kinds: the kinds of record that it stands for.
        shape: one of SHAPES.
        colour: any CSS colour; 4.5:1 against white, since text wears it too.
        key: what makes two records of one lane the same thing; the second is then drawn and counted as
            "handled again". Left out, each record stands for itself.
        test: which of these records; left out, all.
    """

    name: str
    kinds: tuple[str, ...]
    shape: str = "disc"
    colour: str = INK
    key: Callable[[Record], Hashable] | None = None
    test: Callable[[Record], bool] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.kinds, str) or not self.kinds:
            raise ViewError(
                f"mark {self.name!r} stands for kinds={self.kinds!r}; give a tuple such as ('handled',)"
            )
        if self.shape not in SHAPES:
            raise ViewError(
                f"mark {self.name!r} cannot have the shape {self.shape!r}; choose from {', '.join(SHAPES)}"
            )

    def matches(self, record: Record) -> bool:
        return record.kind in self.kinds and (self.test is None or self.test(record))


def by_order(record: Record) -> Hashable:
    """Return what identifies the thing that a record is about: its order, or else its event's id."""
    value: Any = record.get("order", record.get("id"))
    return value if isinstance(value, Hashable) else str(value)


def is_dead_letter(record: Record) -> bool:
    """Whether an event was set aside: a `dead letter`, or one written to the file of dead letters."""
    return record.kind == "dead letter" or (
        record.kind == "written"
        and record.get("file") == "dead-letters"
        and isinstance(record.get("record"), dict)
        and "event" in record.data["record"]
    )


HANDLED = Mark("handled", ("handled",), "disc", GREEN, key=by_order)
LOST = Mark("message lost", ("dropped",), "cross", RED)

DEFAULT_MARKS: tuple[Mark, ...] = (
    HANDLED,
    Mark("read", ("read",), "ring", PURPLE),
    Mark("effect", ("effect",), "diamond", BLUE),
    Mark("dead letter", ("dead letter", "written"), "square", PURPLE, test=is_dead_letter),
    LOST,
    Mark("write failed", ("write failed",), "triangle", BROWN),
    Mark("task died", ("died",), "plus", RED),
)
