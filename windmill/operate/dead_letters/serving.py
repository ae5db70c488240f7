"""Redriving and purging for programs that serve many people: counted before, recorded in the audit log, and never more
than was counted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.operate.dead_letters.dead_letter import DeadLetterFilter
from windmill.operate.dead_letters.sweep import SweepAction, SweepOutcome, preview_sweep, purge, redrive
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Pool
from windmill.storage.transactions import transaction

SCANNED = 10_000
"""Messages that are looked at in each queue."""


@dataclass(frozen=True)
class SweepRequest:
    """What is to be done with which dead letters. `expect` is how many there are as the one who asks has seen it."""

    action: SweepAction
    services: Sequence[str]
    selection: DeadLetterFilter
    limit: int
    expect: int | None = None
    dry_run: bool = False


async def sweep_dead_letters(pool: Pool, settings: Settings, actor: Actor, request: SweepRequest) -> SweepOutcome:
    """Raises CONFLICT if there are more or fewer than expected, and then nothing is done."""
    stop, services, selection = asyncio.Event(), request.services, request.selection
    seen = await preview_sweep(settings, services, selection, stop, request.action, scan=SCANNED, limit=request.limit)
    count = seen.counts.total()
    if request.expect not in (None, count):
        said = f"{count:,} jobs match, and not {request.expect:,}"
        raise WindmillError("CONFLICT", said, "look at them again, then decide again")
    if request.dry_run or not count:
        return seen
    async with transaction(pool, settings) as connection:
        subject = ",".join(services)
        await write_audit(connection, actor, f"failed.{request.action}", subject, {"jobs": count}, _told(selection))
    act = redrive if request.action == "redrive" else purge
    return await act(settings, services, selection, stop, limit=count)


def _told(selection: DeadLetterFilter) -> dict[str, Any]:
    return {
        "codes": sorted(selection.codes) if selection.codes is not None else None,
        "image_ids": sorted(selection.image_ids) if selection.image_ids is not None else None,
        "failed_before": _iso(selection.failed_before),
        "failed_after": _iso(selection.failed_after),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
