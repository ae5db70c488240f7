"""Search: images by what is in them, what hits have in common, images that look alike, and searches that are kept."""

from typing import Annotated, Any

from fastapi import Query, Response

from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer, noun_router
from gateway.images.shapes import ImageId
from gateway.search.shapes import (
    FacetAnswer,
    FacetQuery,
    FacetShape,
    FacetValue,
    SavedSearchAnswer,
    SavedSearchBody,
    SavedSearchList,
    SavedSearchShape,
    SearchAnswer,
    SearchId,
    SearchQuery,
    SimilarAnswer,
    SimilarQuery,
    SimilarShape,
)
from windmill.operate.search.facets import narrowing, read_facets
from windmill.operate.search.saved import SavedSearch, delete_search, list_searches, save_search
from windmill.operate.search.searching import SearchHit, hit_document, page_document, search_images
from windmill.operate.search.similar import find_similar

router = noun_router("search")


@router.get("/search")
async def search(gateway: Context, _: Viewer, query: Annotated[SearchQuery, Query()]) -> SearchAnswer:
    """Images by a query such as `label:dog -person`, the newest first, each with why it is a hit."""
    wanted = {"list": "search", "query": query.query}
    before = gateway.cursors.open(wanted, query.cursor)
    page = await search_images(gateway.access.pool, gateway.settings, query.query, query.limit, before)
    hits = [_hit(gateway, one) for one in page.hits]
    cursor = gateway.cursors.seal_next(wanted, page.found.before)
    return SearchAnswer.model_validate({**page_document(page, hits), "next_cursor": cursor})


def _hit(gateway: Gateway, hit: SearchHit) -> dict[str, Any]:
    record = hit.record
    return hit_document(hit, gateway.image_fleet.places.shown(record.image_path, record.image_url))


@router.get("/search/facets")
async def facets(gateway: Context, _: Viewer, query: Annotated[FacetQuery, Query()]) -> FacetAnswer:
    """What the hits of a query have in common, and how many have it."""
    found = await read_facets(gateway.access.pool, gateway.settings, query.query)
    shapes = [
        FacetShape(
            field=field,
            values=[FacetValue(value=one, images=images, query=narrowing(field, one)) for one, images in values],
        )
        for field, values in found.values.items()
    ]
    return FacetAnswer(facets=shapes, of=found.of, sampled=found.sampled)


@router.get("/search/similar/{image_id}")
async def similar(
    gateway: Context, _: Viewer, image_id: ImageId, query: Annotated[SimilarQuery, Query()]
) -> SimilarAnswer:
    """Images that look like this one or show the same things, the most similar first."""
    found = await find_similar(gateway.access.pool, gateway.settings, image_id, query.distance, query.limit, query.by)
    hits = [
        SimilarShape.model_validate({**_hit(gateway, SearchHit(record, ())), "distance": distance})
        for record, distance in found.hits
    ]
    return SimilarAnswer(
        hits=hits, count=len(hits), hashed=found.hashed, by=found.by, ways=list(found.ways), complete=found.complete
    )


def _saved(search: SavedSearch) -> SavedSearchShape:
    return SavedSearchShape(id=search.search_id, name=search.name, query=search.query, created_at=search.created_at)


@router.post(
    "/searches",
    status_code=201,
    responses={200: {"model": SavedSearchAnswer, "description": "It has taken the place of one of this name."}},
)
async def save(gateway: Context, _: Operator, who: Who, body: SavedSearchBody, response: Response) -> SavedSearchAnswer:
    """Keep a query under a name."""
    saved, new = await save_search(gateway.access.pool, gateway.settings, who, body.name, body.query)
    response.status_code = 201 if new else 200
    return SavedSearchAnswer(search=_saved(saved))


@router.get("/searches")
async def list_saved(gateway: Context, caller: Viewer) -> SavedSearchList:
    """Your saved searches, by their names."""
    searches = [_saved(one) for one in await list_searches(gateway.access.pool, gateway.settings, caller.sees)]
    return SavedSearchList(searches=searches, count=len(searches))


@router.delete("/searches/{search_id}", status_code=204)
async def forget(gateway: Context, caller: Operator, who: Who, search_id: SearchId) -> None:
    """Forget a saved search."""
    await delete_search(gateway.access.pool, gateway.settings, who, search_id, caller.sees)
