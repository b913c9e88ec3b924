"""Each lesson's notebook, as shipped, runs from top to bottom in the browser, and what it shows is for everybody."""

import pytest
from playwright.sync_api import expect

from browser.lab_page import DARK, LIGHT
from lessonlib.lessons import LESSONS


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_the_notebook_runs_from_top_to_bottom_and_everybody_can_read_it(page, lesson):
    page.set_theme(LIGHT)
    page.open(f"notebooks/{lesson.stem}.ipynb")
    try:
        page.run_all()
        assert page.error_outputs() == []
        assert page.not_run() == []
        assert page.errors == []
        for trouble in ("Error displaying widget", "Loading widget"):
            expect(page.page.get_by_text(trouble)).to_have_count(0)
        page.unfold()
        for theme in (LIGHT, DARK):
            page.set_theme(theme)
            page.picture(f"{lesson.stem}, {theme}")
            assert page.violations() == [], theme
    finally:
        page.close()
