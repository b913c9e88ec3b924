"""The source of something that was written in a notebook, complete enough to run without that notebook.

`inspect.getsource` does not find a class that was defined in a cell, and a function's source alone lacks what it uses.
So we take the statement that defined the thing, then those that defined what it names, and so on: a helper in
another cell, a constant, and of the imports just the names that are needed.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import symtable
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lessonlib.errors import LessonError

_KNOWN = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}


class NotSelfContained(LessonError):
    """The source of a thing cannot be put together from the cells that have run."""


def source_of(name: str, cells: Sequence[str], names: Mapping[str, Any]) -> str:
    """Return a module's text that defines `name` and all that it needs.

    Args:
        name: what is wanted, bound at the top level of a cell.
        cells: the sources of the cells that have run, oldest first.
        names: what the notebook's names are bound to now.

    Raises NotSelfContained when a name is used whose definition is in no cell.
    """
    gathering = _Gathering(cells, names)
    gathering.want(name, name)
    return gathering.text()


class _Gathering:
    def __init__(self, cells: Sequence[str], names: Mapping[str, Any]) -> None:
        self._cells, self._names = cells, names
        self._seen: set[str] = set()
        self._imports: dict[str, None] = {}  # in order, each once
        self._statements: dict[str, None] = {}
        for cell in cells:  # such an import holds for every later cell
            for statement in _parsed(cell):
                if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                    self._imports[ast.unparse(statement)] = None

    def want(self, name: str, user: str) -> None:
        """Add what defines `name`, after what that needs itself."""
        if name in self._seen:
            return
        self._seen.add(name)
        found = self._definition(name)
        if found is None:
            if name in self._names:
                raise NotSelfContained(
                    f"`{user}` uses `{name}`, which no cell defines at its top level; define it in the same cell"
                )
            return  # a builtin, or a name that is bound nowhere: then the piece does without it here too
        statement, text = found
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self._imports[_import_of(name, statement)] = None
            return
        for used in _free(text):
            self.want(used, name)
        self._statements[text] = None

    def text(self) -> str:
        future = [line for line in self._imports if line.startswith("from __future__")]
        plain = sorted(line for line in self._imports if line.startswith("import "))
        others = sorted(set(self._imports) - {*future, *plain})
        blocks = ["\n".join(block) for block in (future, plain, others) if block]
        imports = ["\n\n".join(blocks)] if blocks else []
        return "\n\n\n".join([*imports, *self._statements])

    def _definition(self, name: str) -> tuple[ast.stmt, str] | None:
        for cell in self._latest_first(name):
            for statement in reversed(_parsed(cell)):
                if name in _bound(statement):
                    return statement, _lines(cell, statement)
        return None

    def _latest_first(self, name: str) -> Iterator[str]:
        """The cell that defined what the name stands for now, where that can be told; then all, the latest first."""
        thing = self._names.get(name)
        if getattr(thing, "__module__", None) == self._names.get("__name__"):  # else it was imported
            for member in (thing, *(vars(thing).values() if isinstance(thing, type) else ())):
                code = getattr(inspect.unwrap(member), "__code__", None) if callable(member) else None
                if code is not None and (lines := linecache.getlines(code.co_filename)):
                    yield "".join(lines)
                    break
        yield from reversed(self._cells)


def _parsed(cell: str) -> list[ast.stmt]:
    try:
        tree = compile(cell, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        return []  # it did not run, so it defined nothing
    return list(tree.body)


def _import_of(name: str, statement: ast.Import | ast.ImportFrom) -> str:
    """The import of this one name."""
    for alias in statement.names:
        if name == (alias.asname or alias.name.split(".")[0]):
            if isinstance(statement, ast.Import):
                return ast.unparse(ast.Import([alias]))
            return ast.unparse(ast.ImportFrom(statement.module, [alias], statement.level))
    raise AssertionError(name)


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement binds in its own scope."""
    bound: set[str] = set()
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            pass
        else:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.add(node.id)
            todo += ast.iter_child_nodes(node)
    return bound


def _free(text: str) -> list[str]:
    """The names that a statement, or code inside it, takes from the notebook or from Python, in alphabetical order."""
    top = symtable.symtable(text, "<cell>", "exec")
    free: set[str] = set()
    todo = [top]
    while todo:
        table = todo.pop()
        outer = table is top
        free |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (outer or s.is_global())}
        todo += table.get_children()
    return sorted(free - {s.get_name() for s in top.get_symbols() if s.is_assigned()} - _KNOWN)


def _lines(cell: str, statement: ast.stmt) -> str:
    """The whole lines of a statement, its decorators and the comment right above it included."""
    lines = cell.splitlines()
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)]) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : statement.end_lineno])
