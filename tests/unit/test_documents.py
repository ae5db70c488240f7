"""What README and docs/ say is there is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from windmill.errors import KINDS
from windmill.settings import ROOT, defaults

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(document.read_text() for document in DOCUMENTS)


def test_every_error_code_is_documented_with_its_remedy() -> None:
    rows = (ROOT / "docs" / "errors.md").read_text()
    absent = [code for code, kind in KINDS.items() if f"| `{code}` |" not in rows or kind.remedy not in rows]
    assert absent == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()) if not link.startswith("http")]
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    |&& )make ([a-z]+)", TEXT, re.MULTILINE)) - targets == set()


MODULES = sorted(set(re.findall(r"python -m ([a-z_.]+[a-z])", TEXT)))


@pytest.mark.parametrize("module", MODULES)
def test_every_command_exists_and_explains_itself(module: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "usage:" in ran.stdout


def options_of(line: str) -> set[str]:
    return set(re.findall(r"(?<=\s)--[a-z-]+", line))


@pytest.mark.parametrize("line", sorted(set(re.findall(r"python -m (producers\.\w+[^\n`]*)", TEXT))))
def test_every_option_of_a_documented_command_is_one(line: str) -> None:
    module = line.split()[0]
    ran = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert options_of(line) <= options_of(ran.stdout)


def test_every_setting_that_is_named_exists() -> None:
    known = {*defaults(), "ENV_FILE"}
    named = set(re.findall(r"\b((?:QUEUE|DB|SERVICE|IMAGE|MAX|RETRY|BATCH|LOG|WORKER|REQUEST)_[A-Z_]*[A-Z])\b", TEXT))
    assert named - known - set(KINDS) == set()


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


ELSEWHERE = {".git", ".hypothesis", ".venv", "var"}


def test_the_project_speaks_of_no_other_place() -> None:
    """No path of the machine it was written on, and nothing of what lies beside it."""
    strange = re.compile(r"/(?:root|work|home/[a-z]+)/\w|\.\./shared")
    folders = [entry for entry in ROOT.iterdir() if entry.name not in ELSEWHERE and not entry.name.endswith("_cache")]
    files = [file for entry in folders for file in ([entry] if entry.is_file() else entry.rglob("*")) if file.is_file()]
    sources = [file for file in files if file.suffix != ".pyc" and file != Path(__file__)]
    assert [str(file) for file in sources if strange.search(file.read_text(errors="ignore"))] == []
