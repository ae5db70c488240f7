"""Licences of the dependencies: `python -m dev.third_party` updates docs/third-party.md, `--check` verifies it.

The table in that document is the record. It keeps the licences of packages that are not installed here, such as those
for another platform, and the remarks, which are written by hand. An installed package's metadata override the record.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path

from windmill.core.settings import ROOT

DOCUMENT = ROOT / "docs" / "third-party.md"
LOCKS = {
    "fleet": "requirements.lock",
    "farm": "requirements-farm.lock",
    "stores": "requirements-stores.lock",
    "gateway": "requirements-gateway.lock",
    "models": "requirements-models.lock",
    "audio": "requirements-audio.lock",
    "voices": "dev/voices/resemblyzer.lock",
    "development": "requirements-dev.lock",
    "bench": "requirements-bench.lock",
    "test server": "dev/servers/swift.lock",
    "test stores": "dev/servers/image_stores.lock",
}
"""Users of a package and their lock files; the table names the first one that locks the package."""
SITES = ("var/bench/venv/lib/python*/site-packages",)
"""Other places where locked packages may be installed."""

HEADING = "| package | version | licence | used by | remark |"
UNKNOWN = "unknown"
REFUSED = re.compile(r"(?<!L)\bA?GPL")
"""Licences of which nothing may be imported or shipped."""
WEAK = re.compile(r"LGPL|MPL|EPL|CDDL")
"""Copyleft limited to the package's own files: allowed, but the table must say where the package is used."""

NAMES = {
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD",
    "GNU Affero General Public License v3": "AGPL-3.0",
    "GNU General Public License (GPL)": "GPL",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""SPDX identifiers of licences that metadata name in other words."""
EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


@dataclass(frozen=True)
class LockedPackage:
    """One version of a package in a lock file."""

    name: str
    version: str


@dataclass(frozen=True)
class Licensed:
    """One row of the table."""

    package: LockedPackage
    licence: str
    used_by: str
    remark: str = ""

    def __str__(self) -> str:
        cells = (self.package.name, self.package.version, self.licence, self.used_by, self.remark)
        return "| " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class Installed:
    """What the metadata and files of an installed package tell."""

    licence: str
    bundles_binaries: bool
    """Whether it contains programs or shared libraries, whose licences its metadata need not state."""


def locked(text: str) -> list[LockedPackage]:
    """The packages of a lock file, including those for other platforms and Python versions."""
    return [LockedPackage(*found) for found in re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", text, re.MULTILINE)]


def canonical(name: str) -> str:
    """A package's name as lock files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(distribution: Distribution) -> str:
    """The licence in its metadata: the SPDX expression, else a known licence name, else the classifiers."""
    metadata = distribution.metadata
    if expression := _field(metadata, "License-Expression"):
        return expression
    said = _field(metadata, "License")
    if said and EXPRESSION.fullmatch(NAMES.get(said, said)):
        return NAMES.get(said, said)
    prefix = "License :: OSI Approved :: "
    classifiers = [line.removeprefix(prefix) for line in metadata.get_all("Classifier") or () if prefix in line]
    # Classifiers do not say whether all of them apply or one may be chosen, so the table does not either.
    return ", ".join(sorted(NAMES.get(name, name) for name in classifiers)) or UNKNOWN


def _field(metadata: PackageMetadata, name: str) -> str:
    return str(metadata[name]).strip() if name in metadata else ""


def bundles_binaries(distribution: Distribution) -> bool:
    """Whether it has a `.libs` folder, where build tools put shared libraries, or a program that is no entry point."""
    scripts = {entry.name for entry in distribution.entry_points if entry.group == "console_scripts"}
    files = distribution.files or ()
    return any(
        any(part.endswith(".libs") for part in file.parts)
        or (file.parts[-3:-1] == ("..", "bin") and file.name not in scripts)
        for file in files
    )


def installed(sites: Iterable[str] = ()) -> dict[LockedPackage, Installed]:
    """The packages installed in this environment and in these folders."""
    found = [*distributions(), *distributions(path=list(sites))]
    return {
        LockedPackage(canonical(one.name), one.version): Installed(licence_of(one), bundles_binaries(one))
        for one in found
    }


def recorded(document: str) -> dict[LockedPackage, Licensed]:
    """The rows of the table."""
    rows = {}
    for line in _table(document)[2:]:
        name, version, licence, used_by, remark = (cell.strip() for cell in line.strip().strip("|").split("|"))
        rows[LockedPackage(name, version)] = Licensed(LockedPackage(name, version), licence, used_by, remark)
    return rows


def rows(
    locks: Mapping[str, str], record: Mapping[LockedPackage, Licensed], here: Mapping[LockedPackage, Installed]
) -> list[Licensed]:
    """A row per locked package. Installed metadata override the record; remarks carry over to a new version."""
    remarks = {package.name: row.remark for package, row in record.items()}
    made: dict[LockedPackage, Licensed] = {}
    for used_by, lock in locks.items():
        for package in locked(lock):
            said = here[package].licence if package in here else UNKNOWN
            licence = record[package].licence if said == UNKNOWN and package in record else said
            made.setdefault(package, Licensed(package, licence, used_by, remarks.get(package.name, "")))
    return sorted(made.values(), key=lambda row: (row.package.name, row.package.version))


def problems(wanted: Sequence[Licensed], here: Mapping[LockedPackage, Installed]) -> list[str]:
    """Unknown licences, refused licences, and missing remarks."""
    found = []
    for row in wanted:
        package = f"{row.package.name} {row.package.version}"
        if row.licence == UNKNOWN:
            found.append(f"{package}: its licence is unknown; install it, or write the licence into the table by hand")
        if REFUSED.search(row.licence):
            found.append(f"{package}: {row.licence} must not be imported or shipped")
        if WEAK.search(row.licence) and not row.remark:
            found.append(f"{package}: {row.licence} needs a remark on where it is used")
        if row.package in here and here[row.package].bundles_binaries and not row.remark:
            found.append(f"{package}: contains programs or shared libraries, so it needs a remark that names them")
    return found


def written(document: str, wanted: Sequence[Licensed]) -> str:
    """The document with its table replaced by these rows."""
    table = "\n".join([HEADING, "|---|---|---|---|---|", *map(str, wanted)])
    return document.replace("\n".join(_table(document)), table)


def _table(document: str) -> list[str]:
    found = re.search(rf"^{re.escape(HEADING)}\n(\|.*\n)*", document, re.MULTILINE)
    if found is None:
        raise ValueError(f"there is no table that begins with {HEADING}")
    return found[0].splitlines()


def main(arguments: Sequence[str] | None = None, path: Path = DOCUMENT) -> int:
    """Update or verify the table of a document; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.third_party",
        description="Update the licence table of docs/third-party.md from the lock files and installed packages.",
        epilog="exit codes: 0 no problem, 1 a licence or a remark is missing, or a licence is refused, 2 wrong usage",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; report differences")
    options = parser.parse_args(arguments)
    document = path.read_text(encoding="utf-8")
    here = installed(str(folder) for site in SITES for folder in ROOT.glob(site))
    locks = {used_by: (ROOT / lock).read_text(encoding="utf-8") for used_by, lock in LOCKS.items()}
    wanted = rows(locks, recorded(document), here)
    found = problems(wanted, here)
    if (new := written(document, wanted)) != document:
        if options.check:
            found.append("the table differs from lock files or installed packages; run: python -m dev.third_party")
        else:
            path.write_text(new, encoding="utf-8")
    sys.stderr.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
