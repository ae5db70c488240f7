"""What the transactions of post-processors do first: lock their images."""

from collections.abc import Sequence

from windmill.core.stages import Stage
from windmill.storage.database import Connection
from windmill.storage.queries import queries


async def lock_images(connection: Connection, stage: Stage, image_ids: Sequence[int]) -> None:
    """Lock these images (ascending) for the stage until the transaction ends; waits for whoever holds them. Call it
    before anything is read: rows of an older form are converted then."""
    await connection.execute(queries()["lock_images"], stage, list(image_ids))
