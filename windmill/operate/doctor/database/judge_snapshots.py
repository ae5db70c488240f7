"""Findings about what keeps vacuum from removing dead rows. Stages update and delete marks all the time, so looking at
the marks takes ever longer meanwhile."""

from collections.abc import Mapping, Sequence
from typing import Any

from windmill.operate.doctor.findings import DoctorFinding, ok, warning

LONG_SECONDS = 600.0
IDLE_SECONDS = 60.0
"""A transaction that works may last; one that is idle was forgotten."""
HELD_TRANSACTIONS = 100_000
"""Some minutes of a busy fleet."""

_REMEDIES = {
    "prepared transaction": "end it: ROLLBACK PREPARED '{name}'",
    "replication slot": "start the standby that uses it, or: SELECT pg_drop_replication_slot('{name}')",
    "standby": "end the long query on it, or set hot_standby_feedback = off there",
}


def judge_long_transactions(rows: Sequence[Mapping[str, Any]]) -> list[DoctorFinding]:
    """A long transaction keeps dead rows in every table."""
    return [
        warning(
            "database",
            "long transactions",
            f"{row['application_name'] or row['usename']} is in one for {row['seconds']:.0f} s ({row['state']})",
            f"end it: SELECT pg_terminate_backend({row['pid']})",
        )
        for row in rows
    ] or [ok("database", "long transactions", f"none is open for {LONG_SECONDS:g} s, or idle for {IDLE_SECONDS:g}")]


def judge_held_snapshots(rows: Sequence[Mapping[str, Any]]) -> list[DoctorFinding]:
    """The same for what holds a snapshot without being a session of this database."""
    return [
        warning(
            "database",
            "held snapshots",
            f"{row['kind']} {row['name']} keeps the dead rows of {row['transactions']:,} transactions,"
            " which slows post-processing",
            _REMEDIES[row["kind"]].format(name=row["name"].replace("'", "''")),
        )
        for row in rows
    ] or [ok("database", "held snapshots", "no prepared transaction, slot or standby keeps dead rows for long")]
