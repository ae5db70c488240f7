"""Images for programs that serve many people: a page of them, and one with all that is known of it."""

from pathlib import Path
from typing import Any

from windmill.core.image_places import PlaceRules
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.show.image_report import ImageRecord
from windmill.operate.show.reading import find_image, read_report
from windmill.operate.show.render import render_report_json
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

NEWEST = 2**63 - 1


async def page_of_images(
    pool: Pool, settings: DatabaseSettings, group: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """The newest images before the one with this id, of a group or of all."""
    first = NEWEST if before is None else before
    async with transaction(pool, settings) as connection:
        if group is None:
            rows = await connection.fetch(queries()["page_of_images"], first, limit)
        else:
            rows = await connection.fetch(queries()["page_of_group"], first, limit, group)
    return [dict(row) for row in rows]


async def read_image(pool: Pool, settings: DatabaseSettings, image_id: int, root: Path) -> ImageRecord:
    """Raises NOT_FOUND."""
    async with transaction(pool, settings) as connection:
        return await find_image(connection, str(image_id), root)


async def show_known_image(pool: Pool, settings: DatabaseSettings, image_id: int, rules: PlaceRules) -> dict[str, Any]:
    """All that is known of it, as `windmill show --json` tells it."""
    async with transaction(pool, settings) as connection:
        image = await find_image(connection, str(image_id), Path("/"))
        document = render_report_json(await read_report(connection, image))
    shown = rules.shown(image.image_path, image.image_url)
    kept = {name: value for name, value in document["image"].items() if name not in ("image_path", "location")}
    return {**document, "image": {**kept, "location": shown}}
