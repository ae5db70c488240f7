"""Findings as lines for people and as objects for programs. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import get_args

from windmill.operate.doctor.findings import DoctorFinding, FindingState

_COLOURS: dict[FindingState, str] = {"ok": "\x1b[32m", "warning": "\x1b[33m", "problem": "\x1b[31m"}
_PLAIN = "\x1b[0m"
_STATE_WIDTH = max(map(len, get_args(FindingState)))


def as_json(findings: Sequence[DoctorFinding]) -> list[dict[str, str]]:
    return [asdict(finding) for finding in findings]


def as_text(findings: Sequence[DoctorFinding], *, colours: bool) -> str:
    """One line for each finding under its area, its remedy on a second one, and a summary."""
    lines = []
    for area, group in groupby(findings, key=lambda finding: finding.area):
        members = list(group)
        width = max(len(_printable(finding.name)) for finding in members)
        lines.append(area)
        for finding in members:
            lines += _lines(finding, width, colours=colours)
    return "\n".join([*lines, summary(findings), ""])


def _lines(finding: DoctorFinding, width: int, *, colours: bool) -> list[str]:
    state = finding.state.ljust(_STATE_WIDTH)
    shown = f"{_COLOURS[finding.state]}{state}{_PLAIN}" if colours else state
    first = f"  {shown}  {_printable(finding.name).ljust(width)}  {_printable(finding.found)}"
    return [first, f"  {'':{_STATE_WIDTH}}  remedy: {_printable(finding.remedy)}"] if finding.remedy else [first]


def _printable(text: str) -> str:
    """On one line, and without what would move a terminal's cursor: services and queues are named by others."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def summary(findings: Sequence[DoctorFinding]) -> str:
    counts = Counter(finding.state for finding in findings)
    return f"{counts['ok']} ok, {_counted(counts['warning'], 'warning')}, {_counted(counts['problem'], 'problem')}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
