"""Findings about steps of jobs: work that nobody does, and tasks that nobody takes over."""

from collections.abc import Mapping, Sequence
from typing import Any

from windmill.operate.doctor.findings import DoctorFinding, ok, problem, warning

LATE_SECONDS = 60.0
"""A lease that expired so long ago should have been taken over: somebody looks every 2 s."""
NAME = "jobs"
_REAP = "start any worker or post-processor; if one runs, look for 'reaping failed' in its log"


def judge_steps(work: Sequence[Mapping[str, Any]], late: Sequence[Mapping[str, Any]]) -> list[DoctorFinding]:
    """`work`: a row of step_work for each step, with its number of workers. `late`: steps whose tasks lost their worker
    long ago."""
    unserved = [_unserved(row) for row in work if row["claimable"] + row["unplanned"] and not row["workers"]]
    lost = [_lost(row) for row in late]
    return [*unserved, *lost] or [_well(work)]


def _unserved(row: Mapping[str, Any]) -> DoctorFinding:
    counts = {"tasks wait": row["claimable"], "jobs wait to be planned": row["unplanned"]}
    said = " and ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    remedy = f"start STEPS={row['step']} python -m workers.jobs, or STEPS=all, in the version of the jobs"
    return warning("database", NAME, f"NO_WORKER: no worker that is alive runs {row['step']}: {said}", remedy)


def _lost(row: Mapping[str, Any]) -> DoctorFinding:
    said = f"{row['tasks']:,} tasks of the step {row['step']} lost their worker, the first {row['seconds']:.0f} s ago"
    return problem("database", NAME, f"{said}, and nobody takes them over", _REAP)


def _well(work: Sequence[Mapping[str, Any]]) -> DoctorFinding:
    open_steps = [row["step"] for row in work if row["claimable"] or row["running"]]
    return ok("database", NAME, f"{', '.join(open_steps)}: in work" if open_steps else "nothing waits for a worker")
