"""Images as a list of small pictures: the newest, or those that a query finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.context import Context, Gateway
from gateway.guard import Viewer
from gateway.pages.images.tiles import Asked, GalleryView, Total, gallery_view
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, page
from gateway.shape import Cursor, Shape
from windmill.core.errors import WindmillError
from windmill.kernels.query.matching import Reason
from windmill.operate.inspection.gallery import (
    MOST_COMPARED,
    GalleryImage,
    by_doubt,
    most_doubtful,
    newest_of_gallery,
    read_gallery,
)
from windmill.operate.search.searching import SearchPage, search_images

router = page_router()
TILES = 48


class GalleryQuery(Shape):
    """`group` is a group alone, `query` whatever a search takes."""

    query: Annotated[str, Query(max_length=2_000)] = ""
    group: Annotated[str, Query(max_length=200)] = ""
    sort: Annotated[str, Query(pattern="^(newest|doubt)$")] = "newest"
    cursor: Cursor | None = None

    @property
    def asked(self) -> Asked:
        return Asked(self.query.strip(), self.group, self.sort)


@dataclass(frozen=True)
class _Gallery:
    """A page of images for one request."""

    gateway: Gateway
    query: GalleryQuery

    @property
    def _wanted(self) -> Mapping[str, str]:
        asked = self.query.asked
        return {"list": "gallery", "group": asked.group, "query": asked.query}

    @property
    def _before(self) -> int | None:
        before = self.gateway.cursors.open(self._wanted, self.query.cursor)
        return before if isinstance(before, int) else None

    async def view(self) -> GalleryView:
        return await (self._found() if self.query.asked.query else self._newest())

    async def _newest(self) -> GalleryView:
        pool, settings, asked = self.gateway.access.pool, self.gateway.settings, self.query.asked
        if asked.sort == "doubt":
            return self._shown(await most_doubtful(pool, settings, asked.group or None, TILES), None)
        images = await newest_of_gallery(pool, settings, asked.group or None, self._before, TILES)
        return self._shown(images, images[-1].image_id if len(images) == TILES else None)

    async def _found(self) -> GalleryView:
        """A mistake in the query is told where it was typed."""
        asked = self.query.asked
        is_sorted = asked.sort == "doubt"
        pool, settings = self.gateway.access.pool, self.gateway.settings
        before = None if is_sorted else self._before
        try:
            found = await search_images(pool, settings, asked.query, MOST_COMPARED if is_sorted else TILES, before)
        except WindmillError as error:
            if error.code != "USAGE":
                raise
            return self._shown([], None, mistake=error.message)
        images = await read_gallery(pool, settings, [one.record.image.image_id for one in found.hits])
        if is_sorted:
            return self._shown(by_doubt(images)[:TILES], None, found=found)
        return self._shown(images, found.found.before, found=found)

    def _shown(
        self, images: Sequence[GalleryImage], last: int | None, found: SearchPage | None = None, mistake: str = ""
    ) -> GalleryView:
        why: dict[int, Sequence[Reason]] = {one.record.image.image_id: one.why for one in found.hits} if found else {}
        total = found.found.total if found else None
        return gallery_view(
            images,
            self.query.asked,
            self.gateway.cursors.seal_next(self._wanted, last),
            first=self.query.cursor is None,
            why=why,
            total=Total(total.images, total.relation) if total else None,
            complete=found.found.complete if found else True,
            mistake=mistake,
        )


@router.get("/ui/images")
async def gallery(request: Request, gateway: Context, _: Viewer, query: Annotated[GalleryQuery, Query()]) -> Response:
    """The newest images, those that a query finds, or those on which services disagree most."""
    view = await _Gallery(gateway, query).view()
    return page(request, Shown("images/gallery.html", "Images", "images", view, json=view.json_url))
