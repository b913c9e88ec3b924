"""Where things stand: the checkout, and the folder of what a learner has made."""

from pathlib import Path

import pytest

from lessonlib import places
from lessonlib.errors import LessonError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "a clone"
    for folder in ("notebooks", "exercises", "solutions"):
        (root / folder).mkdir(parents=True)
    monkeypatch.delenv(places.MINE_VARIABLE)
    monkeypatch.chdir(root / "exercises")
    return root


def test_outside_a_clone_the_installed_one_is_used(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert places.find_root(root / "notebooks") == root
    monkeypatch.setattr(places, "__file__", str(root / "lessonlib" / "places.py"))
    assert places.find_root(elsewhere) == root
    monkeypatch.setattr(places, "__file__", str(elsewhere / "lessonlib" / "places.py"))
    with pytest.raises(LessonError, match="go to your clone"):
        places.find_root(elsewhere)


@pytest.mark.parametrize("folder", ["exercises", "notebooks", "."])
def test_what_a_learner_makes_stands_in_the_clone(
    folder: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / folder)
    mine = places.my_folder()
    assert mine == root / "my_pieces"
    assert places.short(mine / "x.py") == "my_pieces/x.py"


def test_the_variable_chooses_another_folder_or_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.MINE_VARIABLE, "~/pieces")
    assert places.my_folder() == Path.home() / "pieces"
    monkeypatch.setenv(places.MINE_VARIABLE, " ")
    assert places.my_folder() is None


def test_our_solutions_and_a_place_without_a_clone_have_no_such_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "solutions")
    assert places.my_folder() is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "__file__", str(tmp_path / "lessonlib" / "places.py"))
    assert places.my_folder() is None


def test_a_file_elsewhere_is_named_whole(root: Path, tmp_path: Path) -> None:
    assert places.short(tmp_path / "x.py") == str(tmp_path / "x.py")
