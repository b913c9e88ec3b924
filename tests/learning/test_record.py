"""What has passed is kept in one small file, and no state of that file does harm."""

import json

import pytest

from lessonlib.learning import record


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "my_pieces"
    monkeypatch.setenv("LESSON_PIECES", str(folder))
    monkeypatch.setattr(record, "_here", {})
    return folder


def forget(monkeypatch):
    """As a new kernel would."""
    monkeypatch.setattr(record, "_here", {})


def test_what_passed_is_there_in_the_next_kernel(folder, monkeypatch):
    assert record.count("1.2", 15) == record.count("1.1", 10) == ""
    forget(monkeypatch)
    assert record.passed() == ({"1.1": 10, "1.2": 15}, "")


def test_the_best_counts(folder, monkeypatch):
    record.count("1.1", 10)
    record.count("1.1", 4)
    forget(monkeypatch)
    assert record.passed() == ({"1.1": 10}, "")


def test_where_nothing_is_saved_a_pass_counts_in_its_own_kernel(folder, monkeypatch):
    monkeypatch.setenv("LESSON_PIECES", "")
    assert record.count("1.1", 10) == ""
    assert record.passed() == ({"1.1": 10}, "")
    forget(monkeypatch)
    assert record.passed() == ({}, "")
    assert not folder.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"passed": []}',
        b'{"passed": {"1.1": "10"}}',
        b'{"passed": {"1.1": true}}',
        b'{"passed": {"1.1": -1}}',
        b'{"passed": {"1.1": NaN}}',
    ],
)
def test_a_broken_file_is_kept_aside_and_a_new_one_begun(content, folder, monkeypatch):
    folder.mkdir()
    (folder / "progress.json").write_bytes(content)
    said = record.count("1.2", 15)
    assert (
        said
        == f"{folder / 'progress.json'} was broken: it is kept as progress.broken-1.json, and a new one is begun."
    )
    assert (folder / "progress.broken-1.json").read_bytes() == content
    assert json.loads((folder / "progress.json").read_text()) == {"passed": {"1.2": 15}, "version": 1}
    assert record.count("1.3", 15) == ""


def test_broken_files_do_not_replace_each_other(folder):
    folder.mkdir()
    for number in (1, 2):
        (folder / "progress.json").write_text(f"broken {number}")
        record.passed()
    assert [(folder / f"progress.broken-{n}.json").read_text() for n in (1, 2)] == ["broken 1", "broken 2"]


def test_a_file_that_cannot_be_used_costs_a_sentence_and_stays_as_it_is(folder, monkeypatch):
    (folder / "progress.json").mkdir(parents=True)
    said = record.count("1.1", 10)
    assert said.startswith(f"Your progress is kept in {folder / 'progress.json'}, which cannot be used (")
    assert said.endswith("mend or remove it. Until then this pass counts in this kernel only.")
    assert record.passed()[0] == {"1.1": 10}
    assert list(folder.iterdir()) == [folder / "progress.json"]


def test_exercises_of_another_version_are_kept(folder, monkeypatch):
    folder.mkdir()
    (folder / "progress.json").write_text('{"version": 1, "passed": {"99.9": 5}}')
    record.count("1.1", 10)
    forget(monkeypatch)
    assert record.passed() == ({"1.1": 10, "99.9": 5}, "")
