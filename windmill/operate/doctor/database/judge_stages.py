"""Findings about the stages of post-processing."""

from collections.abc import Mapping, Sequence
from typing import Any

from windmill.core.services import Fleet
from windmill.core.stages import STAGES
from windmill.operate.doctor.findings import DoctorFinding, ok, warning

LATE_SECONDS = 600.0
NAME = "post-processing"


def judge_stages(rows: Sequence[Mapping[str, Any]], fleet: Fleet) -> list[DoctorFinding]:
    """Each row is a stage that has run at some time. Running stages is optional."""
    found = [finding for row in rows for finding in (*_services(row, fleet), *_backlog(row))]
    named = ", ".join(row["stage"] for row in rows)
    return found or [ok("database", NAME, f"{named}: nothing waits for long" if named else "nobody runs any")]


def _services(row: Mapping[str, Any], fleet: Fleet) -> list[DoctorFinding]:
    """Answers of a service that the database does not list mark nothing as stale."""
    stage, known = row["stage"], set(row["services"])
    wanted = set(fleet.feeding(stage))
    if wanted == known:
        return []
    differing = ", ".join(sorted(wanted ^ known))
    said = f"SERVICE_CONFIG and the database disagree on what feeds the stage {stage}: {differing}"
    return [warning("database", NAME, said, "restart the post-processors with this SERVICE_CONFIG: they write it down")]


def _backlog(row: Mapping[str, Any]) -> list[DoctorFinding]:
    overdue = row["overdue_seconds"]
    if overdue is None or overdue < LATE_SECONDS:
        return []
    stage = row["stage"]
    said = f"{row['marks']:,} open marks of the stage {stage}, the oldest due for {overdue / 60:.0f} minutes"
    return [warning("database", NAME, said, f"start python -m {STAGES[stage].module}, or more of them")]
