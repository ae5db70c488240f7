"""Which images a batch is of, and what was said of them."""

from collections.abc import Sequence

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.batches.asking import MOST_ITEMS, BatchItem
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement
from windmill.submit.selection import RegisteredImages

_NEWEST = 2**63 - 1


async def image_items(
    pool: Pool, settings: DatabaseSettings, image_ids: Sequence[int], group: str | None
) -> list[BatchItem]:
    """These images, or those of a group; raises NOT_FOUND for what is not there, and USAGE for a group that is too
    large."""
    async with single_statement(pool, settings) as connection:
        if group is None:
            missing = await connection.fetch(queries()["find_missing_images"], list(image_ids))
            if missing:
                said = ", ".join(str(row["image_id"]) for row in missing)
                raise WindmillError("NOT_FOUND", f"there is no image {said}", "list the images")
            return [BatchItem(image_id=one) for one in dict.fromkeys(image_ids)]
        images = RegisteredImages(connection, settings)
        await images.require_group(group)
        found = await images.next_ids(0, _NEWEST, group, MOST_ITEMS + 1)
    if len(found) > MOST_ITEMS:
        said = f"the group has more than {MOST_ITEMS:,} images, which is what a batch may have"
        raise WindmillError("USAGE", said, "submit the group as a run: it may have any number")
    return [BatchItem(image_id=one) for one in found]
