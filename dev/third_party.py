"""The licences of what Windmill is built of: `python -m dev.third_party` writes their table, `--check` judges it.

The table of docs/third-party.md is the record: it keeps what is known of packages that are not installed here, such as
those for another system, and the remarks, which are written by hand. What is installed speaks for itself.
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
    "development": "requirements-dev.lock",
    "bench": "requirements-bench.lock",
}
"""Who uses a package: the first of these whose lock names it."""
SITES = ("var/bench/venv/lib/python*/site-packages",)
"""Where else packages of ours are installed."""

HEADING = "| package | version | licence | used by | remark |"
UNKNOWN = "unknown"
REFUSED = re.compile(r"(?<!L)\bA?GPL")
"""What must be neither imported nor shipped."""
WEAK = re.compile(r"LGPL|MPL|EPL|CDDL")
"""Copyleft for the package's own files only; where it is used has to be said."""

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
"""What packages say in words of their own, as SPDX writes it."""
EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


@dataclass(frozen=True)
class LockedPackage:
    """One version of a package, as a lock names it."""

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
    """What an installed package says of itself."""

    licence: str
    carries_others: bool
    """Whether it brings compiled programs, or libraries of others, whose licences its metadata need not name."""


def locked(text: str) -> list[LockedPackage]:
    """The packages of a lock, those for other systems and Pythons included."""
    return [LockedPackage(*found) for found in re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", text, re.MULTILINE)]


def canonical(name: str) -> str:
    """A package's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(distribution: Distribution) -> str:
    """What its metadata says: an SPDX expression, else a licence we know by its name, else its classifiers."""
    metadata = distribution.metadata
    if expression := _field(metadata, "License-Expression"):
        return expression
    said = _field(metadata, "License")
    if said and EXPRESSION.fullmatch(NAMES.get(said, said)):
        return NAMES.get(said, said)
    prefix = "License :: OSI Approved :: "
    classifiers = [line.removeprefix(prefix) for line in metadata.get_all("Classifier") or () if prefix in line]
    # Of two, metadata cannot say whether both hold or either may be chosen; nor do we.
    return ", ".join(sorted(NAMES.get(name, name) for name in classifiers)) or UNKNOWN


def _field(metadata: PackageMetadata, name: str) -> str:
    return str(metadata[name]).strip() if name in metadata else ""


def carries_others(distribution: Distribution) -> bool:
    """Whether there are libraries in a folder that build tools made for them, or a program that is not Python's."""
    scripts = {entry.name for entry in distribution.entry_points if entry.group == "console_scripts"}
    files = distribution.files or ()
    return any(
        any(part.endswith(".libs") for part in file.parts)
        or (file.parts[-3:-1] == ("..", "bin") and file.name not in scripts)
        for file in files
    )


def installed(sites: Iterable[str] = ()) -> dict[LockedPackage, Installed]:
    """What is installed here, and in the other places of ours."""
    found = [*distributions(), *distributions(path=list(sites))]
    return {
        LockedPackage(canonical(one.name), one.version): Installed(licence_of(one), carries_others(one))
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
    """A row for each locked package. What is installed speaks before the record; a remark goes with the name."""
    remarks = {package.name: row.remark for package, row in record.items()}
    made: dict[LockedPackage, Licensed] = {}
    for used_by, lock in locks.items():
        for package in locked(lock):
            said = here[package].licence if package in here else UNKNOWN
            licence = record[package].licence if said == UNKNOWN and package in record else said
            made.setdefault(package, Licensed(package, licence, used_by, remarks.get(package.name, "")))
    return sorted(made.values(), key=lambda row: (row.package.name, row.package.version))


def problems(wanted: Sequence[Licensed], here: Mapping[LockedPackage, Installed]) -> list[str]:
    """What may not stand as it is: unknown licences, refused ones, and what needs a remark and has none."""
    found = []
    for row in wanted:
        package = f"{row.package.name} {row.package.version}"
        if row.licence == UNKNOWN:
            found.append(f"{package}: its licence is not known; install it, or write what its page says into the table")
        if REFUSED.search(row.licence):
            found.append(f"{package}: {row.licence} must be neither imported nor shipped")
        if WEAK.search(row.licence) and not row.remark:
            found.append(f"{package}: {row.licence} needs a remark that says where it is used")
        if row.package in here and here[row.package].carries_others and not row.remark:
            found.append(f"{package}: brings programs or libraries of others, so it needs a remark that names them")
    return found


def written(document: str, wanted: Sequence[Licensed]) -> str:
    """The document with this table in place of its own."""
    table = "\n".join([HEADING, "|---|---|---|---|---|", *map(str, wanted)])
    return document.replace("\n".join(_table(document)), table)


def _table(document: str) -> list[str]:
    found = re.search(rf"^{re.escape(HEADING)}\n(\|.*\n)*", document, re.MULTILINE)
    if found is None:
        raise ValueError(f"there is no table that begins with {HEADING}")
    return found[0].splitlines()


def main(arguments: Sequence[str] | None = None, path: Path = DOCUMENT) -> int:
    """Write the table of this document, or compare it; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.third_party",
        description="Write the table of docs/third-party.md from the locks and from what is installed.",
        epilog="exit codes: 0 all is well, 1 a licence is missing, refused or without a remark, 2 wrong usage",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; say what would be different")
    options = parser.parse_args(arguments)
    document = path.read_text(encoding="utf-8")
    here = installed(str(folder) for site in SITES for folder in ROOT.glob(site))
    locks = {used_by: (ROOT / lock).read_text(encoding="utf-8") for used_by, lock in LOCKS.items()}
    wanted = rows(locks, recorded(document), here)
    found = problems(wanted, here)
    if (new := written(document, wanted)) != document:
        if options.check:
            found.append("the table does not say what locks and packages say; run: python -m dev.third_party")
        else:
            path.write_text(new, encoding="utf-8")
    sys.stderr.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
