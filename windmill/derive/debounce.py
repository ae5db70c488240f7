"""Debouncing stale images: an image of which more results are expected soon waits for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import STAGES, Stage
from windmill.kernels.flow.debounce import debounce_seconds
from windmill.storage.database import Connection
from windmill.storage.queries import queries


@dataclass(frozen=True)
class Debounce:
    """How long an image waits, and whether another mark makes it due by then anyway."""

    seconds: float
    due_anyway: bool


async def read_debounces(
    connection: Connection, settings: DerivationSettings, stage: Stage, image_ids: Sequence[int]
) -> dict[int, Debounce]:
    """Those of the images that have to wait because more results are expected."""
    if not image_ids:
        return {}
    sql, spec, ids = queries(), STAGES[stage], list(image_ids)
    rows = await connection.fetch(sql["read_waits"], stage, spec.awaits_services_of, ids, list(spec.awaits_stages))
    expecting = [row["image_id"] for row in rows if row["more_to_come"]]
    seen = await connection.fetch(sql[spec.looked_at_query], expecting) if expecting else []
    looked_at = {row["image_id"] for row in seen}
    debounces = {}
    for row in rows:
        seconds = debounce_seconds(
            more_to_come=row["more_to_come"],
            looked_at_before=row["image_id"] in looked_at,
            age=row["age"],
            minimum=settings.debounce_milliseconds / 1000,
            maximum=settings.debounce_most_seconds,
        )
        if seconds:
            looks_in = row["looks_in"]
            debounces[row["image_id"]] = Debounce(seconds, looks_in is not None and looks_in <= seconds)
    return debounces
