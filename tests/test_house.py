"""What holds for the repository as a whole: the documents are there, and nothing names the machine it was made on."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Not part of a longer path or an address; a kernel's temporary files show in outputs that should not be stored.
MACHINE_PATH = re.compile(
    r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+|tmp/ipykernel_\d+)/|\b[A-Z]:\\\\?Users\\"
)


def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_tracked_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    named = {
        str(path.relative_to(ROOT)): match[0]
        for path in tracked()
        if path != Path(__file__) and (match := MACHINE_PATH.search(path.read_text("utf-8", errors="ignore")))
    }
    assert named == {}


@pytest.mark.parametrize(
    "text",
    [
        "see /{}/x".format("work"),
        "'/{}/.venv'".format("root"),
        "File /home/ada/a.py",
        "(/Users/ada/a)",
        "/tmp/ipykernel_12/3.py",
        r"C:\Users\ada",
    ],
)
def test_a_machine_path_is_recognised(text: str) -> None:
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/{}/a".format("work"),
        "homework/a",
        "./{}/a".format("root"),
        "/usr/bin/env",
        "/tmp/x",
    ],
)
def test_other_text_is_no_machine_path(text: str) -> None:
    assert not MACHINE_PATH.search(text)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "TEACHING.md"])
def test_the_document_is_there_and_its_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert text.startswith("# ")
    assert [link for link in links if not (ROOT / link).exists()] == []
