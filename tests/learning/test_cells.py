"""The source of a piece from the cells of a notebook: all that it needs, and nothing else."""

import linecache

import pytest

from lessonlib.learning.cells import NotSelfContained, source_of


def gathered(name, *cells):
    """Run the cells as a notebook does and return the source of `name`, having run that alone as well."""
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        file = f"<cell {number}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
        exec(compile(cell, file, "exec"), names)
    source = source_of(name, ["", *cells], names)
    exec(source, alone := {"__name__": "alone"})
    assert name in alone
    return source


def test_a_function_brings_the_imports_that_it_needs_and_no_others():
    source = gathered(
        "f",
        "import asyncio, json, os.path\nfrom collections import OrderedDict as Ordered, deque",
        "def f(x):\n    return os.path.join(json.dumps(x), str(Ordered()))",
    )
    assert source == (
        "import json\nimport os.path\n\nfrom collections import OrderedDict as Ordered\n\n\n"
        "def f(x):\n    return os.path.join(json.dumps(x), str(Ordered()))"
    )


def test_helpers_and_constants_of_other_cells_come_before_what_uses_them():
    source = gathered(
        "Mine",
        "# how often\nLIMIT, REST = 5, 1",
        "def mark(kind):\n    return kind",
        "class Base:\n    limit = LIMIT",
        "@mark\nclass Mine(Base):\n    def f(self):\n        return help_me()",
        "def help_me():\n    return Mine",
    )
    order = [source.index(text) for text in ("# how often", "class Base", "@mark")]
    assert order == sorted(order)
    assert "def help_me" in source and source.index("def mark") < source.index("@mark")


def test_names_that_are_local_to_a_function_bring_nothing():
    source = gathered(
        "f",
        "run = [1, 2]\nfor number in run:\n    record = number",
        "def f(run):\n    return [number for number in run] + [record for record in run]",
    )
    assert "for number in run:\n" not in source


def test_the_definition_that_ran_last_counts():
    source = gathered("f", "def f():\n    return 1", "import json", "def f():\n    return 2")
    assert source == "def f():\n    return 2"


def test_a_cell_that_stopped_before_its_definition_does_not_count():
    names = {"__name__": "__main__"}
    good, bad = "def f():\n    return 1", "1 / 0\ndef f():\n    return 2"
    linecache.cache["<good>"] = (len(good), None, good.splitlines(keepends=True), "<good>")
    exec(compile(good, "<good>", "exec"), names)
    assert source_of("f", [good, bad], names) == good


def test_a_cell_that_is_not_python_is_passed_over():
    names = {"x": 1}
    assert source_of("x", ["x = 1", "x = = 2"], names) == "x = 1"


def test_future_imports_stand_first():
    source = gathered(
        "f", "from __future__ import annotations\nimport json\ndef f(x: Later):\n    return json"
    )
    assert source.startswith("from __future__ import annotations\n\nimport json\n")


def test_what_no_cell_defines_is_named():
    with pytest.raises(NotSelfContained, match="`f` uses `x`, which no cell defines"):
        source_of("f", ["def f(): return x"], {"f": 1, "x": 2})
