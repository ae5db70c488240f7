"""Images as a list of small pictures."""

from typing import Annotated

from fastapi import Query, Request, Response

from gateway.context import Context
from gateway.guard import Viewer
from gateway.pages.images.tiles import GalleryView, gallery_view
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, page
from gateway.shape import Cursor, Shape
from windmill.operate.inspection.gallery import most_doubtful, newest_of_gallery

router = page_router()
TILES = 48


class GalleryQuery(Shape):
    group: Annotated[str, Query(max_length=200)] = ""
    sort: Annotated[str, Query(pattern="^(newest|doubt)$")] = "newest"
    cursor: Cursor | None = None


@router.get("/ui/images")
async def gallery(request: Request, gateway: Context, _: Viewer, query: Annotated[GalleryQuery, Query()]) -> Response:
    """The newest images, or those on which services disagree most."""
    pool, settings, group = gateway.access.pool, gateway.settings, query.group or None
    wanted = {"list": "gallery", "group": group}
    if query.sort == "doubt":
        images, cursor = await most_doubtful(pool, settings, group, TILES), None
    else:
        before = gateway.cursors.open(wanted, query.cursor)
        images = await newest_of_gallery(pool, settings, group, before, TILES)
        last = images[-1].image_id if len(images) == TILES else None
        cursor = gateway.cursors.seal_next(wanted, last)
    view: GalleryView = gallery_view(images, query.group, query.sort, cursor, first=query.cursor is None)
    return page(request, Shown("images/gallery.html", "Images", "images", view, json="/images"))
