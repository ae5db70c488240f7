"""What README and docs/ say is there is there."""

import re
from pathlib import Path

import pytest

from tests.unit.command_lines import commands, refused
from windmill.core.error_names import OTHER_NAMES
from windmill.core.errors import ERROR_CODES
from windmill.core.settings import ROOT, defaults
from windmill.process.runner import DONE, FAILED, INTERRUPTED

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(document.read_text() for document in DOCUMENTS)


ERRORS = (ROOT / "docs" / "errors.md").read_text()


def test_the_table_of_error_codes_is_what_the_code_says_of_them() -> None:
    rows = [line for line in ERRORS.splitlines() if re.match(r"\| `[A-Z_]+` \| \w+ \|", line)]
    assert rows == [
        f"| `{code}` | {kind.culprit} | {kind.retry} | {kind.exit_code} | {kind.http_status} | {kind.remedy} |"
        for code, kind in ERROR_CODES.items()
    ]


EXIT_CODES = {DONE, FAILED, INTERRUPTED} | {kind.exit_code for kind in ERROR_CODES.values()}
HELPS = [
    (file.relative_to(ROOT).as_posix(), said)
    for folder in ("windmill", "producers", "postprocessors", "workers", "gateway", "dev", "deploy")
    for file in sorted((ROOT / folder).rglob("*.py"))
    for said in re.findall(r"exit codes: ((?:.|\n)*?)\"\"\"", file.read_text())
]


def test_every_exit_code_is_explained() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", ERRORS, re.MULTILINE)} == EXIT_CODES


@pytest.mark.parametrize(("file", "said"), HELPS, ids=[file for file, _ in HELPS])
def test_a_help_tells_exit_codes_that_there_are_in_their_order(file: str, said: str) -> None:
    told = [int(code) for code in re.findall(r"\b(\d+) [a-z]", said)]
    assert {DONE, FAILED, 2} <= set(told) <= EXIT_CODES, file
    assert told == sorted(told)


def anchors(document: Path) -> set[str]:
    """What the headings of a document are called in links: as GitHub makes them."""
    if document.suffix != ".md":
        return set()
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(document: Path) -> list[str]:
    """The links of a document that lead nowhere."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            found.append(link)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(document: Path) -> None:
    assert broken(document) == []


def test_a_link_to_a_file_or_heading_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# The `one` thing!\n[a](#the-one-thing) [b](#other) [c](no.md) [d](page.md#the-one-thing) [e](x.md#y)"
    )
    assert broken(page) == ["#other", "no.md", "x.md#y"]


def test_every_file_of_questions_that_is_named_exists() -> None:
    named = set(re.findall(r"\bsql/\w+/\w+\.sql", TEXT))
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_module_that_is_named_exists() -> None:
    """`docs/extending.md` names modules that its reader writes."""
    pages = [document.read_text() for document in DOCUMENTS if document.name != "extending.md"]
    named = set(re.findall(r"`((?:[a-z]\w*/)*\w+\.py)`", "\n".join(pages)))
    roots = ("bench", "deploy", "dev", "gateway", "postprocessors", "producers", "tests", "windmill", "workers")
    modules = [file for root in roots for file in (ROOT / root).rglob("*.py")]
    there = {"/".join(file.parts[-count:]) for file in modules for count in range(1, 6)}
    assert len(named) > 20
    assert named - there == set()


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    |&& )make ([a-z]+)", TEXT, re.MULTILINE)) - targets == set()


MODULES = set(re.findall(r"python -m ([a-z_.]+[a-z])", TEXT))
PAGES = "\n\n".join(document.read_text() for document in DOCUMENTS if document.name != "CHANGELOG.md")


def test_every_documented_command_is_one_that_its_program_takes_and_every_program_explains_itself() -> None:
    lines = commands(PAGES)
    assert len(lines) > 50
    assert refused(sorted(lines | {f"{module} --help" for module in MODULES})) == {}


def test_commands_that_their_programs_do_not_take_are_found() -> None:
    wrong = [
        "windmill failed list --sumary",
        "windmill plan",
        "producers.generic --services all extra",
        "nothing.here",
        "this --help",
    ]
    assert list(refused(["windmill doctor --health", *wrong])) == wrong


def test_every_setting_that_is_named_exists() -> None:
    known = {*defaults(), "ENV_FILE"}
    named = set(re.findall(r"\b((?:QUEUE|DB|SERVICE|IMAGE|MAX|RETRY|BATCH|LOG|WORKER|REQUEST)_[A-Z_]*[A-Z])\b", TEXT))
    assert named - known - set(ERROR_CODES) - set(OTHER_NAMES) == set()


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


ELSEWHERE = {".git", ".hypothesis", ".venv", "var"}


def test_the_project_speaks_of_no_other_place() -> None:
    """No path of the machine it was written on, and nothing of what lies beside it."""
    strange = re.compile(r"(?<!/ui)/(?:root|work|home/[a-z]+)/\w|\.\./shared")
    folders = [entry for entry in ROOT.iterdir() if entry.name not in ELSEWHERE and not entry.name.endswith("_cache")]
    files = [file for entry in folders for file in ([entry] if entry.is_file() else entry.rglob("*")) if file.is_file()]
    sources = [file for file in files if file.suffix != ".pyc" and file != Path(__file__)]
    assert [str(file) for file in sources if strange.search(file.read_text(errors="ignore"))] == []


def test_every_word_of_the_glossary_is_defined_once_and_the_entries_are_sorted() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = re.findall(r"\*\*(.+?)\*\*", text)
    assert len(words) > 20
    assert [word for word in words if words.count(word) > 1] == []
    entries = [entry.lower() for entry in re.findall(r"^- \*\*(.+?)\*\*", text, re.MULTILINE)]
    assert entries == sorted(entries)
