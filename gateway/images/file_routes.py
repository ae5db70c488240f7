"""The file of an image, as it is or small. A browser saves it, and runs nothing of it."""

from typing import Any

from fastapi import Request, Response

from gateway.artifacts.serving import SANDBOX
from gateway.attachments import attachment
from gateway.conditions import matches
from gateway.context import Context
from gateway.guard import Viewer, noun_router
from gateway.images.shapes import ImageId
from windmill.operate.images.files import ImageFile
from windmill.operate.images.reading import read_image

router = noun_router("images")
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."},
    304: {"description": "It is as you know it."},
}


@router.get("/images/{image_id}/content", response_class=Response, responses=FILE)
async def fetch_original(request: Request, gateway: Context, _: Viewer, image_id: ImageId) -> Response:
    """The file of an image, from wherever it is."""
    image = await read_image(gateway.access.pool, gateway.settings, image_id, gateway.settings.image_root)
    return _answer(request, await gateway.image_fleet.files.original(image), image.image_filename)


@router.get("/images/{image_id}/thumbnail", response_class=Response, responses=FILE)
async def fetch_thumbnail(request: Request, gateway: Context, _: Viewer, image_id: ImageId) -> Response:
    """A small JPEG of an image."""
    image = await read_image(gateway.access.pool, gateway.settings, image_id, gateway.settings.image_root)
    return _answer(request, await gateway.image_fleet.files.thumbnail(image), f"{image_id}.jpg")


def _answer(request: Request, file: ImageFile, name: str) -> Response:
    headers = {
        "ETag": f'"{file.sha256}"',
        "Cache-Control": "private, no-cache",
        "Content-Disposition": attachment(name),
        "Content-Security-Policy": SANDBOX,
    }
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(file.data, headers=headers, media_type=file.media_type)
