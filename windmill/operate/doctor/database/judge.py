"""Findings from the database's answers."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.doctor import disk_space, hosts, versions
from windmill.operate.doctor.findings import DoctorFinding, ok, problem, warning
from windmill.operate.render import render_bytes

OLDEST, NEWEST_MAJOR = (15, 0), 18
_ENCRYPT = "set DB_SSLMODE=verify-full and DB_SSLROOTCERT, and ssl = on in postgresql.conf"

JOB_TABLES = ("jobs", "steps", "tasks", "step_queues", "job_events", "artifacts")
PRIVILEGES = [
    *(("images", privilege) for privilege in ("SELECT", "INSERT", "UPDATE")),
    *(("image_groups", privilege) for privilege in ("SELECT", "INSERT")),
    *(("results", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *(("runs", privilege) for privilege in ("SELECT", "INSERT", "UPDATE")),
    *(("workers", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *(("row_counts", privilege) for privilege in ("SELECT", "INSERT", "DELETE")),
    ("result_ids", "USAGE"),
    # Triggers on results make marks with the privileges of the user who writes.
    *((name, "SELECT") for name in ("stages", "feeds")),
    *(("stale", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *((name, privilege) for name in JOB_TABLES for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *(("turns", privilege) for privilege in ("SELECT", "INSERT", "UPDATE")),
    ("step_work", "SELECT"),
    *(("image_vectors", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *(("picture_hashes", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *(("image_search", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    *(("search_terms", privilege) for privilege in ("SELECT", "INSERT")),
    *(("search_counts", privilege) for privilege in ("SELECT", "INSERT", "DELETE")),
    *(("wanted_states", privilege) for privilege in ("SELECT", "INSERT", "UPDATE")),
]
"""The privileges that workers, producers and commands need."""


@dataclass(frozen=True)
class CostlyValue:
    """A value of a parameter that does harm: which harm, and the value to set instead."""

    value: str
    cost: str
    better: str
    for_the_server: bool = False


PARAMETERS = {
    "default_toast_compression": CostlyValue("pglz", "long answers are compressed slowly", "lz4"),
    "idle_in_transaction_session_timeout": CostlyValue(
        "0", "a client that hangs in a transaction keeps dead rows for ever", "'10min'"
    ),
    "autovacuum": CostlyValue("off", "dead rows stay, and all becomes slow", "on", for_the_server=True),
    "fsync": CostlyValue("off", "a power cut destroys the database", "on", for_the_server=True),
    "full_page_writes": CostlyValue("off", "a power cut destroys pages of the database", "on", for_the_server=True),
    "synchronous_commit": CostlyValue("off", "a power cut loses results whose jobs are acknowledged", "on"),
}


def server(settings: DatabaseSettings, row: Mapping[str, Any], skew: float, exact: float) -> list[DoctorFinding]:
    size = f"{render_bytes(row['bytes'])} in tablespace {row['tablespace']}"
    return [
        versions.judge_version("database", "PostgreSQL", row["version"], OLDEST, NEWEST_MAJOR),
        hosts.judge_encryption("database", settings.db_host, _ENCRYPT, tls=row["tls"]),
        hosts.judge_clock("database", skew, exact),
        _encoding(settings, row["encoding"]),
        *_standby(row["standby"]),
        ok("database", "size", size),
    ]


def _encoding(settings: DatabaseSettings, encoding: str) -> DoctorFinding:
    if encoding == "UTF8":
        return ok("database", "encoding", encoding)
    said = f"{encoding}: captions and emojis cannot be stored"
    remedy = f"move it into a database of UTF8: CREATE DATABASE {settings.db_name} ENCODING 'UTF8' TEMPLATE template0"
    return problem("database", "encoding", said, remedy)


def _standby(standby: bool) -> list[DoctorFinding]:
    said = "the server is a standby, which takes no rows"
    return [problem("database", "standby", said, "let DB_HOST name the primary")] if standby else []


def privileges(settings: DatabaseSettings, absent: Sequence[tuple[str, str]]) -> list[DoctorFinding]:
    if not absent:
        return [ok("database", "privileges", f"{settings.db_user} may do what workers and producers do")]
    by_relation = {name: [right for other, right in absent if other == name] for name, _ in absent}
    listed = "; ".join(f"{', '.join(rights)} on {name}" for name, rights in by_relation.items())
    grants = "; ".join(
        f"GRANT {', '.join(rights)} ON {'SEQUENCE ' if 'USAGE' in rights else ''}{name} TO {settings.db_user}"
        for name, rights in by_relation.items()
    )
    return [problem("database", "privileges", f"{settings.db_user} lacks {listed}", f"as the owner: {grants}")]


def parameters(
    settings: DatabaseSettings, values: Mapping[str, str], offered: Mapping[str, Collection[str]]
) -> list[DoctorFinding]:
    """Warnings for harmful values, where this server offers a better one."""
    hurtful = [
        (name, hurts)
        for name, hurts in PARAMETERS.items()
        if values.get(name) == hurts.value and (not offered.get(name) or hurts.better in offered[name])
    ]
    found = [
        warning("database", name, f"{hurts.value}: {hurts.cost}", _command(settings, name, hurts))
        for name, hurts in hurtful
    ]
    return found or [ok("database", "parameters", "none has a value that hurts")]


def _command(settings: DatabaseSettings, name: str, hurts: CostlyValue) -> str:
    if hurts.for_the_server:
        return f"ALTER SYSTEM SET {name} = {hurts.better}; then SELECT pg_reload_conf()"
    return f"ALTER DATABASE {settings.db_name} SET {name} = {hurts.better}"


def free_space(settings: DatabaseSettings, directory: str) -> list[DoctorFinding]:
    """Free space of the disk, if the server's files are on this machine."""
    if not hosts.is_loopback(settings.db_host):
        return []
    try:
        usage = shutil.disk_usage(Path(directory))
    except OSError:
        return []  # the server runs in a container, or behind a tunnel
    return [disk_space.judge_free_space("database", "disk", usage.free, directory, total=usage.total)]


def connections(used: int, most: int) -> DoctorFinding:
    said = f"{used} of {most} are used"
    if used <= 0.8 * most:
        return ok("database", "connections", said)
    return warning("database", "connections", said, "raise max_connections: each worker needs up to 4")


def orphans(looked_at: int, found: int) -> DoctorFinding:
    """Rows of `results` without an image: deleting an image deletes its results only since migration 4."""
    if not found:
        return ok("database", "orphans", f"the {looked_at:,} images with results that were looked at are registered")
    return warning(
        "database",
        "orphans",
        f"{found:,} of {looked_at:,} images with results that were looked at are not registered",
        "if they were deleted, delete their results (what derives from these follows): DELETE FROM results AS r"
        " WHERE NOT EXISTS (SELECT FROM images AS i WHERE i.image_id = r.image_id)",
    )
