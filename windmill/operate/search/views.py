"""What `windmill search` prints, made here or by a gateway."""

from datetime import UTC, datetime

from windmill.core.messages import Job
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.over_http import over_http
from windmill.operate.search import remote
from windmill.operate.search.render import render_hits
from windmill.operate.search.searching import hit_document, page_document, search_images
from windmill.operate.view import View
from windmill.storage import database
from windmill.storage.search.hits import HitRecord

_EVER = datetime.fromtimestamp(0, UTC)


@over_http(remote.view_search)
async def view_search(settings: DatabaseSettings, query: str, limit: int, cursor: str | None, *, explain: bool) -> View:
    """A page of hits. A cursor here is the id before which the page begins."""
    before = int(cursor) if cursor and cursor.isascii() and cursor.isdigit() else None
    async with database.pool(settings, "windmill search", max_size=1) as pool:
        page = await search_images(pool, settings, query, limit, before)
    hits = [hit_document(one, location_of(one.record)) for one in page.hits]
    before = page.found.before
    document = {**page_document(page, hits), "next_cursor": None if before is None else str(before)}
    return View(document, render_hits(document, explain=explain))


def location_of(record: HitRecord) -> str | None:
    """Where the image lies, for whoever works on a machine of the fleet."""
    return Job(record.image.image_id, "", record.image_path, record.image_url, _EVER).location
