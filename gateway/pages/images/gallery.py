"""Images as a list of small pictures: the newest, those that a query finds, or those that look like one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.caller import Caller
from gateway.context import Context, Gateway
from gateway.guard import Viewer
from gateway.pages.images.tiles import Asked, FacetView, GalleryView, Total, facet_views, gallery_view
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
from windmill.operate.search.facets import SMALL_SAMPLE, read_facets
from windmill.operate.search.saved import list_searches
from windmill.operate.search.searching import SearchPage, search_images
from windmill.operate.search.similar import HASH, LABELS, MOST_DISTANCE, SimilarImages, find_similar

router = page_router()
TILES = 48


class GalleryQuery(Shape):
    """`group` is a group alone, `query` whatever a search takes, `similar` an image that is compared `by` something."""

    query: Annotated[str, Query(max_length=2_000)] = ""
    group: Annotated[str, Query(max_length=200)] = ""
    similar: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0
    by: Annotated[str, Query(max_length=100)] = ""
    sort: Annotated[str, Query(pattern="^(newest|doubt)$")] = "newest"
    cursor: Cursor | None = None

    @property
    def asked(self) -> Asked:
        return Asked(self.query.strip(), self.group, self.sort, self.similar, self.by)


@dataclass(frozen=True)
class _Gallery:
    """A page of images for one request."""

    gateway: Gateway
    caller: Caller
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
        if self.query.similar:
            return await self._similar()
        return await (self._found() if self.query.asked.query else self._newest())

    async def _newest(self) -> GalleryView:
        pool, settings, asked = self.gateway.access.pool, self.gateway.settings, self.query.asked
        if asked.sort == "doubt":
            return await self._shown(await most_doubtful(pool, settings, asked.group or None, TILES), None)
        images = await newest_of_gallery(pool, settings, asked.group or None, self._before, TILES)
        return await self._shown(images, images[-1].image_id if len(images) == TILES else None)

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
            return await self._shown([], None, mistake=error.message)
        images = await read_gallery(pool, settings, [one.record.image.image_id for one in found.hits])
        if is_sorted:
            return await self._shown(by_doubt(images)[:TILES], None, found=found)
        return await self._shown(images, found.found.before, found=found)

    async def _similar(self) -> GalleryView:
        """An image that is not indexed, or has no such vector, has none that look like it."""
        pool, settings = self.gateway.access.pool, self.gateway.settings
        try:
            found = await find_similar(pool, settings, self.query.similar, MOST_DISTANCE, TILES, self.query.by)
        except WindmillError as error:
            if error.code not in ("NOT_FOUND", "USAGE"):
                raise
            return await self._shown([], None)
        distances = {record.image.image_id: distance for record, distance in found.hits}
        images = await read_gallery(pool, settings, list(distances))
        why = {one: (_distance_told(found.by, distance),) for one, distance in distances.items()}
        return await self._shown(images, None, why=why, alike=found)

    async def _facets(self) -> tuple[FacetView, ...]:
        """Of what is found; images that look alike, and those of a group, are few."""
        asked = self.query.asked
        if asked.similar or asked.group:
            return ()
        pool, settings = self.gateway.access.pool, self.gateway.settings
        return facet_views(await read_facets(pool, settings, asked.query, SMALL_SAMPLE), asked)

    async def _shown(
        self,
        images: Sequence[GalleryImage],
        last: int | None,
        found: SearchPage | None = None,
        mistake: str = "",
        why: Mapping[int, Sequence[Reason]] | None = None,
        alike: SimilarImages | None = None,
    ) -> GalleryView:
        total = found.found.total if found else None
        pool, settings = self.gateway.access.pool, self.gateway.settings
        return gallery_view(
            images,
            self.query.asked,
            self.gateway.cursors.seal_next(self._wanted, last),
            first=self.query.cursor is None,
            why=why or ({one.record.image.image_id: one.why for one in found.hits} if found else {}),
            total=Total(total.images, total.relation) if total else None,
            complete=found.found.complete if found else alike.complete if alike else True,
            mistake=mistake,
            facets=() if mistake else await self._facets(),
            saved=await list_searches(pool, settings, self.caller.sees),
            ways=alike.ways if alike else (),
            by=alike.by if alike else "",
        )


def _distance_told(by: str, distance: float) -> Reason:
    if by == HASH:
        return Reason("bits that differ", str(int(distance)))
    if by == LABELS:
        return Reason("in common", f"{1 - distance:.0%}")
    return Reason(f"{by} differs by", f"{distance:.2f}")


@router.get("/ui/images")
async def gallery(
    request: Request, gateway: Context, caller: Viewer, query: Annotated[GalleryQuery, Query()]
) -> Response:
    """The newest images, those that a query finds, those that look like one, or those on which services disagree."""
    view = await _Gallery(gateway, caller, query).view()
    return page(request, Shown("images/gallery.html", "Images", "images", view, json=view.json_url))
