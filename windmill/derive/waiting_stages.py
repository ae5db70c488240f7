"""Stages that wait for another stage's work on an image: once it has ended, they need not wait any longer."""

from collections.abc import Sequence

from windmill.core.stages import STAGES, Stage, StageSpec
from windmill.storage.database import Connection
from windmill.storage.queries import queries


def waiting_for(stage: Stage) -> dict[Stage, StageSpec]:
    """The stages that wait while this one works on an image."""
    return {name: spec for name, spec in STAGES.items() if stage in spec.awaits_stages}


async def wake_waiting_stages(connection: Connection, stage: Stage, image_ids: Sequence[int]) -> None:
    """Call it when the stage has ended its work on these images, in the same transaction. Stages that wait for nothing
    else look at them at once."""
    waiting = waiting_for(stage)
    if waiting and image_ids:
        awaits = [",".join(spec.awaits_stages) for spec in waiting.values()]
        feeds = [spec.awaits_services_of for spec in waiting.values()]
        await connection.execute(queries()["wake_waiting_stages"], list(waiting), awaits, feeds, list(image_ids))
