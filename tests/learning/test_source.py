"""`show`: the very source, without what only tools read, in colours that both themes can carry."""

import importlib.util
import inspect
import re
import textwrap
from pathlib import Path

import pytest
from jupyterlab.commands import get_app_dir

from lessonlib.errors import LessonError
from lessonlib.event_driven import EventPublisher, IdempotentHandler, naive
from lessonlib.event_driven.mystery import consumer
from lessonlib.learning import show
from lessonlib.learning import source as source_module
from lessonlib.lessons import LESSONS

NOISY = '''\
class Noisy:
    # fmt: off
    limit = 3  # of attempts
    # fmt: on

    def told(self) -> str:  # type: ignore[override]
        return "# noqa: in a string"  # why: so  # noqa: T201 - because

    class Inner:
        """A docstring # noqa"""
'''
QUIET = '''\
class Noisy:
    limit = 3  # of attempts

    def told(self) -> str:
        return "# noqa: in a string"  # why: so

    class Inner:
        """A docstring # noqa"""'''


@pytest.fixture
def noisy(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    spec = importlib.util.spec_from_file_location("noisy", tmp_path / "noisy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    import sys

    sys.modules["noisy"] = module  # inspect finds a class by its module
    yield module.Noisy
    del sys.modules["noisy"]


def test_what_is_shown_is_the_very_source():
    assert show(naive.EventPublisher).text == inspect.getsource(naive.EventPublisher).rstrip()


def test_a_method_is_dedented():
    text = show(IdempotentHandler.handle).text
    assert text == textwrap.dedent(inspect.getsource(IdempotentHandler.handle)).rstrip()
    assert text.startswith("async def handle")


def test_comments_for_tools_are_left_out_and_those_for_readers_stay(noisy):
    assert show(noisy).text == QUIET


def test_the_textbooks_remarks_on_its_defects_stay():
    assert "D1" in show(naive.EventPublisher).text


def test_text_twin_and_picture_say_the_same():
    shown = show(EventPublisher.publish)
    text = re.sub(r"<[^>]+>", "", shown._repr_html_().split("<pre")[1].split(">", 1)[1])
    import html

    assert html.unescape(text).strip() == shown.describe() == repr(shown)


def test_numbers_count_from_one_and_are_those_of_the_file():
    shown = show(consumer, numbered=True)
    lines = inspect.getsource(consumer).splitlines()
    assert shown.describe().splitlines() == [f"{n:3}  {line}" for n, line in enumerate(lines, 1)]


def test_it_is_folded_where_asked():
    assert show(consumer, folded=True)._repr_html_().startswith("<details><summary>")
    assert show(consumer)._repr_html_().startswith("<details open>")


def test_names_are_escaped():
    def f():
        return "<b>"

    page = show(f)._repr_html_()
    assert "&lt;locals&gt;" in page and "<b>&" not in page and "&lt;b&gt;" in page


@pytest.mark.parametrize("thing", [7, "text", None, object(), print, int])
def test_what_has_no_source_gets_a_sentence(thing):
    with pytest.raises(LessonError, match="has no source to show; give a class or a function"):
        show(thing)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


NAMED = {"green": "#008000", "white": "#ffffff"}


@pytest.mark.parametrize(("theme", "ground"), [("light", "#ffffff"), ("dark", "#212121")])
def test_the_colours_can_be_read_in_jupyterlabs_themes(theme, ground):
    """Contrast at least 4.5 : 1 (WCAG AA), on the theme's ground for code; that for output is farther away."""
    themes = Path(get_app_dir()) / "themes" / "@jupyterlab"
    css = (themes / f"theme-{theme}-extension" / "index.css").read_text()

    def colour(variable):
        found = re.search(rf"{variable}:\s*(?:var\([^,]+,\s*)?([#\w]+)", css)[1]
        found = NAMED.get(found, found)
        return found if len(found) == 7 else "#" + "".join(2 * digit for digit in found[1:])

    used = set(re.findall(r"--jp-mirror-editor-\w+-color", "".join(vars(source_module)[n] for n in COLOURS)))
    assert len(used) == len(COLOURS)
    for variable in used:
        assert contrast(colour(variable), ground) >= 4.5, variable


COLOURS = ("_KEYWORD", "_STRING", "_NUMBER", "_NAME")


def test_only_the_themes_own_colours_are_used():
    page = show(naive.EventPublisher)._repr_html_()
    assert not re.search(
        r"(?<![-\w])(?:color|background(?:-color)?):\s*(?!var\()(?!inherit|transparent)\S", page
    )


def test_every_lesson_has_a_package_whose_source_can_be_shown():
    for lesson in LESSONS:
        module = importlib.import_module(f"lessonlib.{lesson.name}")
        assert show(module).text
