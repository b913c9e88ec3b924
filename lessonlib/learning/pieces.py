"""What the learner has built, kept from one notebook to the next.

When a check passes in a notebook, the piece is saved as plain Python in the learner's folder, a file an exercise.
`mine(ORDERS)` brings them back as parts of a scenario:

    ORDERS.run(parts=mine(ORDERS))
    search(ORDERS, parts=mine(ORDERS, "1.3"))
    failure_lab(ORDERS, mine=mine(ORDERS))
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.lab.loop import clean_traceback, describe_error
from lessonlib.lab.scenario import Scenario
from lessonlib.learning.catalogue import everything, find
from lessonlib.learning.cells import NotSelfContained, source_of
from lessonlib.learning.exercises import STUCK_S, Exercise
from lessonlib.limits import Runaway, watchdog
from lessonlib.places import my_folder, short, write_atomically

PIECE = "PIECE"  # what a saved file calls the answer that it holds


class PieceError(LessonError):
    """A piece was asked for that cannot be had."""


def file_of(exercise_id: str) -> str:
    """Return the name of the file that holds the answer to an exercise."""
    return f"exercise_{exercise_id.replace('.', '_')}.py"


def save(exercise_id: str, answer: Any, shell: Any) -> str:
    """Save an answer that was written in the notebook which `shell` runs.

    Returns a sentence for the learner, "" where nothing is to be saved. Never raises: the check has passed all the same.
    """
    folder = my_folder()
    if folder is None:
        return ""
    path = folder / file_of(exercise_id)
    exercise = find(exercise_id)
    fits = f" mine({exercise.scenario.name}) brings it back." if exercise.scenario and exercise.part else ""
    try:
        name = _name_in(shell.user_ns, answer)
        source = source_of(name, shell.history_manager.input_hist_parsed, shell.user_ns)
        text = (
            f'"""Exercise {exercise_id}, {exercise.title}: your answer, saved when its check passed.\n\n'
            f'Passing the check again replaces this file.{fits}\n"""\n\n{source}\n\n\n{PIECE} = {name}\n'
        )
        compile(text, str(path), "exec")
        write_atomically(path, text)
    except NotSelfContained as error:
        return f"Your piece was not saved: {error}, and run the check again."
    except (OSError, SyntaxError, ValueError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "msg", None) or error
        return f"Your piece could not be saved as {short(path)} ({why}); mend that and run the check again."
    return f"Saved as {short(path)}.{fits}"


def _name_in(names: dict[str, Any], answer: Any) -> str:
    own = getattr(answer, "__name__", "")
    for name in (own, *sorted(name for name in names if not name.startswith("_"))):
        if name in names and names[name] is answer:
            return name
    raise NotSelfContained("it has no name in this notebook; define it with `def` or `class` in a cell")


def load(exercise_id: str) -> Any:
    """Return the saved answer to an exercise.

    Raises:
        FileNotFoundError: none is saved.
        PieceError: the file does not load; the message names it, what happened, and the remedy.
    """
    folder = my_folder()
    if folder is None:
        raise FileNotFoundError(exercise_id)
    path = folder / file_of(exercise_id)
    try:
        text = path.read_text(encoding="utf-8")
        answer = getattr(_module(path, text), PIECE)
        if callable(answer):
            return answer
        why = f"{PIECE} is {answer!r:.40}, not a class or a function"
    except FileNotFoundError:
        if not path.exists():
            raise
        why = "it reads a file that is not there"
    except Runaway:
        why = f"it ran for {STUCK_S:g} s without an end"
    except SyntaxError as error:
        why = f"line {error.lineno}: {error.msg}"
    except AttributeError as error:
        why = f"it no longer sets {PIECE}" if error.name == PIECE else describe_error(clean_traceback(error))
    except (Exception, SystemExit) as error:  # whatever the learner's own lines do
        why = describe_error(clean_traceback(error))
    raise PieceError(
        f"{short(path)} does not load ({why.rstrip('.')}); mend it, or run the check of {exercise_id} again"
    )


def _module(path: Path, text: str) -> types.ModuleType:
    """Run the text as a module. Not by an import: that keeps bytecode, and misses a change within the same second."""
    module = types.ModuleType(f"my_pieces.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    code = compile(text, str(path), "exec")
    with watchdog(STUCK_S):
        exec(code, vars(module))
    return module


class Pieces(dict[str, Callable[..., Any]]):
    """Pieces by the name of their part, and the call that gives them, for the line that replays a run."""

    line = ""


def _fitting(scenario: Scenario) -> dict[str, Exercise]:
    """Return the exercises whose pieces have a place in `scenario`, by id: those that are checked in it, or in one that is
    made of the same parts (a cluster of another size)."""
    return {
        id_: e
        for _, id_, e in everything()
        if e.part and e.scenario is not None and e.scenario.systems == scenario.systems
    }


def mine(scenario: Scenario, *exercise_ids: str) -> dict[str, Callable[..., Any]]:
    """Return your saved pieces that fit a scenario, by the name of the part that each stands in for; say which they are.

    Args:
        scenario: such as ORDERS.
        exercise_ids: take the pieces of these exercises only ("1.3"); left out, all.

    For a piece that is missing, or no longer loads, the package's own stands in.
    Raises PieceError when `scenario` is none, or an exercise has no part in it.
    """
    if not isinstance(scenario, Scenario):
        raise PieceError(f"{scenario!r:.60} is no scenario; write for instance mine(ORDERS)")
    fitting = _fitting(scenario)
    for id_ in exercise_ids:
        if not isinstance(id_, str) or id_ not in fitting:
            names = ", ".join(f'"{known}"' for known in fitting) or "none"
            raise PieceError(f"exercise {id_!r:.60} has no part in {scenario.name}; those that have: {names}")
    found = Pieces()
    found.line = f"mine({', '.join([scenario.name, *map(json.dumps, exercise_ids)])})"
    lines = [f"Your pieces in {scenario.name}:"]
    for id_, exercise in fitting.items():
        if exercise_ids and id_ not in exercise_ids:
            continue
        about = f"  {exercise.part} ({id_}, {exercise.title}): "
        try:
            answer = load(id_)
            found[exercise.part] = exercise.adapt(answer) if exercise.adapt else answer
            lines.append(about + "yours.")
        except FileNotFoundError:
            lines.append(
                about + f"not there yet, so ours stands in; the check of {id_} saves yours when it passes."
            )
        except PieceError as error:
            lines.append(about + f"ours stands in: {error}.")
    if len(lines) == 1:
        lines = [f"No exercise builds a part of {scenario.name}, so everything is ours."]
    print("\n".join(lines))  # noqa: T201 - to say plainly whose pieces run is half of the purpose
    return found


def as_part(exercise_id: str, answer: Any) -> dict[str, Callable[..., Any]]:
    """Return an answer as the part of its scenario that it stands in for: `WINDOWS.run(parts=as_part("2.4", Mine))`.

    Raises PieceError when the exercise has no part in a scenario, LessonError when there is no such exercise.
    """
    exercise = find(exercise_id)
    if not exercise.part:
        raise PieceError(f"exercise {exercise_id!r} has no part in a scenario; look at its check alone")
    return {exercise.part: exercise.adapt(answer) if exercise.adapt else answer}
