"""One image with all that is known of it: its layers of boxes, votes, patches and answers."""

import contextlib
from dataclasses import replace
from typing import Annotated

from fastapi import Form, Path, Query, Request, Response

from gateway.conditions import matches
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer
from gateway.images.shapes import ImageId
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm, local_path
from gateway.pages.images.views import InspectorView, PlaceInList, inspector_view
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from gateway.runs.routes import URGENT
from gateway.shape import Shape
from windmill.core.errors import WindmillError
from windmill.operate.images.reading import read_image
from windmill.operate.inspection.reading import Neighbours, find_neighbours, inspect_image
from windmill.operate.runs.asking import RunAsker, answering_image
from windmill.operate.search.searching import search_images

router = page_router()
PICTURE_SIDE = 1_600
"""Of a picture as it is looked at; boxes are drawn in pixels of the image all the same."""


class InspectorQuery(Shape):
    """The list that somebody came from, and services that the image is to be seen without. `boxes` is the digest of
    those that they see."""

    group: Annotated[str, Query(max_length=200)] = ""
    query: Annotated[str, Query(max_length=2_000)] = ""
    without: Annotated[tuple[str, ...], Query(max_length=100)] = ()
    boxes: Annotated[str, Query(max_length=40)] = ""


Asked = Annotated[InspectorQuery, Query()]


class AskForm(PageForm):
    services: Annotated[tuple[str, ...], Form(max_length=100)] = ()


async def _view(gateway: Gateway, image_id: int, asked: InspectorQuery) -> InspectorView:
    pool, settings = gateway.access.pool, gateway.settings
    inspection = await inspect_image(pool, settings, image_id, asked.without)
    if inspection.size is None:
        inspection = replace(inspection, size=await _size_of_file(gateway, image_id))
    place = PlaceInList(await _neighbours(gateway, image_id, asked), asked.group, asked.query)
    fleet = await gateway.image_fleet.fleet()
    location = gateway.image_fleet.places.shown(inspection.image_path, inspection.image_url)
    return inspector_view(inspection, location, place, list(fleet.services), asked.boxes)


async def _size_of_file(gateway: Gateway, image_id: int) -> tuple[int, int] | None:
    """Of a picture whose size neither its registration nor an answer has told."""
    image = await read_image(gateway.access.pool, gateway.settings, image_id, gateway.settings.image_root)
    with contextlib.suppress(WindmillError):
        return await gateway.image_fleet.files.upright_size(image)
    return None


async def _neighbours(gateway: Gateway, image_id: int, asked: InspectorQuery) -> Neighbours:
    """Hits of a query are found from one on, and not back."""
    pool, settings = gateway.access.pool, gateway.settings
    if not asked.query:
        return await find_neighbours(pool, settings, image_id, asked.group or None)
    hits = (await search_images(pool, settings, asked.query, 1, image_id)).hits
    return Neighbours(None, hits[0].record.image.image_id if hits else None)


def _shown(view: InspectorView) -> Shown:
    image = view.inspection
    query = view.here_url.partition("?")[2]
    live = f"/ui/live/images/{image.image_id}?boxes={view.digest}{'&' + query if query else ''}"
    return Shown("images/inspector.html", image.name, "images", view, live=live, json=f"/images/{image.image_id}")


@router.get("/ui/images/{image_id:int}")
async def inspect(request: Request, gateway: Context, _: Viewer, image_id: ImageId, asked: Asked) -> Response:
    """All that is known of an image; `without` shows what it would be without the answers of some services."""
    return page(request, _shown(await _view(gateway, image_id, asked)))


@router.get("/ui/live/images/{image_id:int}")
async def inspect_changes(request: Request, gateway: Context, _: Viewer, image_id: ImageId, asked: Asked) -> Response:
    """What has come since; of boxes only that they have changed."""
    return changes(request, _shown(await _view(gateway, image_id, asked)))


@router.get("/ui/images/{image_id:int}/{kind}")
async def show_picture(
    request: Request,
    gateway: Context,
    _: Viewer,
    image_id: ImageId,
    kind: Annotated[str, Path(pattern="^(picture|small)$")],
) -> Response:
    """The upright picture as a JPEG, as browsers cannot show every kind of image."""
    image = await read_image(gateway.access.pool, gateway.settings, image_id, gateway.settings.image_root)
    files = gateway.image_fleet.files
    file = await (files.thumbnail(image, PICTURE_SIDE) if kind == "picture" else files.thumbnail(image))
    headers = {"ETag": f'"{file.sha256}"', "Cache-Control": "private, max-age=300"}
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(file.data, headers=headers, media_type=file.media_type)


@router.post("/ui/images/{image_id:int}/ask")
async def ask_again(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    image_id: ImageId,
    form: Annotated[AskForm, Form()],
) -> Response:
    """Ask services about this image now, before all other work."""
    back = local_path(form.back, f"/ui/images/{image_id}")
    if not form.services:
        return go_on(request, back, "Choose at least one service to ask.", "warn")
    caller.priority(URGENT)
    pool, settings = gateway.access.pool, gateway.settings
    chosen = [one.name for one in (await gateway.image_fleet.fleet()).select(form.services)]
    answering = await answering_image(pool, settings, image_id)
    asker = RunAsker(pool, settings, who, caller.key)
    run = await asker.try_image(gateway.image_fleet.sender, answering, chosen, caller.principal)
    said = f"Asked {', '.join(chosen)} (run {run.run_id}). Answers appear below as they come."
    return go_on(request, back, said)
