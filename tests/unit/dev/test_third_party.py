"""The licence table: every locked package has a row, and refused or unknown licences are found."""

from email.message import Message
from importlib.metadata import Distribution
from os import PathLike
from pathlib import Path

import pytest

from dev import third_party
from dev.third_party import HEADING, UNKNOWN, Installed, Licensed, LockedPackage, licence_of

ALPHA, BETA = LockedPackage("alpha", "1.0"), LockedPackage("beta", "2.0")
LOCKS = {"fleet": "alpha==1.0 \\\n    --hash=sha256:00\n", "bench": "alpha==1.0\nbeta==2.0 ; sys_platform == 'win32'\n"}
NOTHING: dict[LockedPackage, Installed] = {}


class Described(Distribution):
    """A fake distribution with given metadata and file names."""

    def __init__(self, *files: str, scripts: str = "", **said: str | list[str]) -> None:
        self._texts = {
            "entry_points.txt": f"[console_scripts]\n{scripts}",
            "RECORD": "".join(f"{f},,\n" for f in files),
        }
        message = Message()
        for name, value in said.items():
            for one in [value] if isinstance(value, str) else value:
                message[name.replace("_", "-")] = one
        self._texts["METADATA"] = str(message)

    def read_text(self, filename: str) -> str | None:
        return self._texts.get(filename)

    def locate_file(self, path: str | PathLike[str]) -> Path:
        return Path(path)


def document(*rows: Licensed) -> str:
    return "\n".join(["# Title", "", HEADING, "|---|---|---|---|---|", *map(str, rows), "", "The end.", ""])


def test_each_locked_package_has_a_row_even_if_its_licence_is_unknown() -> None:
    made = third_party.rows(LOCKS, {}, {ALPHA: Installed("MIT", False)})
    assert made == [Licensed(ALPHA, "MIT", "fleet"), Licensed(BETA, UNKNOWN, "bench")]


def test_a_package_that_is_not_installed_keeps_its_licence_and_a_new_version_keeps_the_remark() -> None:
    record = {
        BETA: Licensed(BETA, "BSD-3-Clause", "bench"),
        LockedPackage("alpha", "0.9"): Licensed(LockedPackage("alpha", "0.9"), "MIT", "fleet", "kept"),
    }
    made = third_party.rows(LOCKS, record, NOTHING)
    assert made == [Licensed(ALPHA, UNKNOWN, "fleet", "kept"), Licensed(BETA, "BSD-3-Clause", "bench")]


def test_a_licence_written_by_hand_is_kept_if_the_package_states_none() -> None:
    record = {ALPHA: Licensed(ALPHA, "MIT", "fleet")}
    made = third_party.rows({"fleet": "alpha==1.0\n"}, record, {ALPHA: Installed(UNKNOWN, False)})
    assert made == [Licensed(ALPHA, "MIT", "fleet")]


def test_a_table_is_read_as_it_was_written() -> None:
    wanted = [Licensed(ALPHA, "MIT", "fleet", "a remark"), Licensed(BETA, "BSD", "bench")]
    text = third_party.written(document(), wanted)
    assert list(third_party.recorded(text).values()) == wanted
    assert third_party.written(text, wanted) == text == document(*wanted)


@pytest.mark.parametrize("licence", ["GPL-3.0-or-later", "AGPL-3.0", "MIT AND GPL-2.0", "GPL"])
def test_the_gpl_and_the_agpl_are_refused(licence: str) -> None:
    (problem,) = third_party.problems([Licensed(ALPHA, licence, "fleet", "a remark")], NOTHING)
    assert "must not be imported or shipped" in problem


@pytest.mark.parametrize("licence", ["LGPL-3.0-only", "MPL-2.0 AND MIT"])
def test_weak_copyleft_needs_a_remark(licence: str) -> None:
    assert len(third_party.problems([Licensed(ALPHA, licence, "fleet")], NOTHING)) == 1
    assert third_party.problems([Licensed(ALPHA, licence, "fleet", "tests alone")], NOTHING) == []


def test_a_package_with_bundled_binaries_needs_a_remark() -> None:
    here = {ALPHA: Installed("MIT", bundles_binaries=True)}
    assert len(third_party.problems([Licensed(ALPHA, "MIT", "fleet")], here)) == 1
    assert third_party.problems([Licensed(ALPHA, "MIT", "fleet", "contains libpq")], here) == []


def test_an_unknown_licence_is_a_problem() -> None:
    assert len(third_party.problems([Licensed(ALPHA, UNKNOWN, "fleet")], NOTHING)) == 1


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        (Described(License_Expression="MIT OR Apache-2.0", License="GPL"), "MIT OR Apache-2.0"),
        (Described(License="Apache 2.0"), "Apache-2.0"),
        (Described(License="BSD-3-Clause"), "BSD-3-Clause"),
        (
            Described(License="the whole text: of it", Classifier="License :: OSI Approved :: MIT License"),
            "MIT",
        ),
        (
            Described(
                License="Dual License",
                Classifier=[f"License :: OSI Approved :: {name} License" for name in ("BSD", "Apache Software")],
            ),
            "Apache-2.0, BSD",
        ),
        (Described(Classifier="Topic :: Internet"), UNKNOWN),
    ],
)  # fmt: skip
def test_a_licence_is_read_from_the_most_precise_field(said: Described, licence: str) -> None:
    assert licence_of(said) == licence


def test_shared_libraries_and_programs_are_found_and_entry_points_are_not() -> None:
    assert third_party.bundles_binaries(Described("alpha.libs/libpq.so"))
    assert third_party.bundles_binaries(Described("../../../bin/shellcheck"))
    own = Described("alpha/bin/a.py", "../../../bin/alpha", scripts="alpha = alpha:main")
    assert not third_party.bundles_binaries(own)


def test_the_document_matches_lock_files_and_installed_packages(capsys: pytest.CaptureFixture[str]) -> None:
    code = third_party.main(["--check"])
    assert (code, capsys.readouterr().err) == (0, "")


def test_a_document_with_a_row_missing_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = third_party.DOCUMENT.read_text(encoding="utf-8").splitlines(keepends=True)
    shorter = tmp_path / "third-party.md"
    shorter.write_text("".join(line for line in lines if not line.startswith("| aiohttp ")), encoding="utf-8")
    assert third_party.main(["--check"], shorter) == 1
    assert "run: python -m dev.third_party" in capsys.readouterr().err
