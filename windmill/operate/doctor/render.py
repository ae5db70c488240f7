"""Findings as text and as JSON. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby
from typing import get_args

from windmill.kernels.text.printable import render_printable
from windmill.operate.doctor.findings import DoctorFinding, FindingState

_COLOURS: dict[FindingState, str] = {"ok": "\x1b[32m", "warning": "\x1b[33m", "problem": "\x1b[31m"}
_PLAIN = "\x1b[0m"
_printable = partial(render_printable, instead="?")
_STATE_WIDTH = max(map(len, get_args(FindingState)))


def render_findings_json(findings: Sequence[DoctorFinding]) -> list[dict[str, str]]:
    return [asdict(finding) for finding in findings]


def render_findings_text(findings: Sequence[DoctorFinding], *, colours: bool) -> str:
    """One line for each finding under its area, and a summary. A remedy follows, once for findings that share it."""
    lines = []
    for area, group in groupby(findings, key=lambda finding: finding.area):
        members = list(group)
        width = max(len(_printable(finding.name)) for finding in members)
        lines.append(area)
        for finding, following in zip(members, [*members[1:], None], strict=True):
            lines.append(_render_finding(finding, width, colours=colours))
            if finding.remedy and not (following and following.remedy == finding.remedy):
                lines.append(f"  {'':{_STATE_WIDTH}}  remedy: {_printable(finding.remedy)}")
    return "\n".join([*lines, render_summary(findings), ""])


def _render_finding(finding: DoctorFinding, width: int, *, colours: bool) -> str:
    state = finding.state.ljust(_STATE_WIDTH)
    shown = f"{_COLOURS[finding.state]}{state}{_PLAIN}" if colours else state
    return f"  {shown}  {_printable(finding.name).ljust(width)}  {_printable(finding.found)}"


def render_summary(findings: Sequence[DoctorFinding]) -> str:
    counts = Counter(finding.state for finding in findings)
    warnings, problems = (_render_count(counts[state], state) for state in ("warning", "problem"))
    return f"{counts['ok']} ok, {warnings}, {problems}"


def _render_count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
