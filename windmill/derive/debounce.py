"""Debouncing stale images: an image of which more results are expected soon waits for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import STAGES, Stage, StageSpec
from windmill.kernels.flow.debounce import debounce_seconds, patience_seconds
from windmill.storage.database import Connection
from windmill.storage.queries import queries

PATIENCE_SECONDS = 0.2
"""The first wait for another stage that works on the image. That stage says when it is done, so this only bounds what
is lost if it ends at the very moment in which the wait begins."""
AGAIN_SECONDS = 0.8
"""The least time until an image is looked at again before its last answer is there: most have all of them by then."""


@dataclass(frozen=True)
class Debounce:
    """How long an image waits, and whether another mark makes it due by then anyway."""

    seconds: float
    due_anyway: bool


async def read_debounces(
    connection: Connection,
    settings: DerivationSettings,
    stage: Stage,
    image_ids: Sequence[int],
    deferred: Collection[int] = (),
) -> dict[int, Debounce]:
    """Those of the images that have to wait because more results are expected. Those that are `deferred` have waited
    for answers already, and wait on for other stages alone."""
    if not image_ids:
        return {}
    sql, spec, ids = queries(), STAGES[stage], list(image_ids)
    rows = await connection.fetch(sql["read_waits"], stage, spec.awaits_services_of, ids, list(spec.awaits_stages))
    expecting = [row["image_id"] for row in rows if row["awaits_services"] or row["awaits_stages"]]
    seen = await connection.fetch(sql[spec.looked_at_query], expecting) if expecting else []
    looked_at = {row["image_id"] for row in seen}
    debounces = {}
    for row in rows:
        image_id, looks_in = row["image_id"], row["looks_in"]
        seconds = _seconds(row, settings, spec, looked_at_before=image_id in looked_at, deferred=image_id in deferred)
        if seconds:
            debounces[image_id] = Debounce(seconds, looks_in is not None and looks_in <= seconds)
    return debounces


def _seconds(
    row: Any,  # noqa: ANN401 - a record of the driver, which only windmill.storage.database knows
    settings: DerivationSettings,
    spec: StageSpec,
    *,
    looked_at_before: bool,
    deferred: bool,
) -> float:
    minimum, maximum = settings.debounce_milliseconds / 1000, settings.debounce_most_seconds
    if looked_at_before and row["awaits_stages"] and not row["awaits_services"] and not spec.patient:
        return patience_seconds(quiet=row["quiet"], minimum=PATIENCE_SECONDS, maximum=maximum)
    if deferred or (spec.at_last_answer and not looked_at_before and not row["awaits_services"]):
        return 0.0
    if looked_at_before or spec.at_last_answer:
        minimum = max(minimum, AGAIN_SECONDS)
    return debounce_seconds(
        more_to_come=row["awaits_services"] or row["awaits_stages"],
        looked_at_before=looked_at_before,
        age=row["age"],
        minimum=maximum if spec.patient else minimum,
        maximum=maximum,
    )
