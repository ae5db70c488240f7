"""Style, script and icon, for everybody; and the way from the root to the pages."""

from typing import Annotated

from fastapi import Path
from starlette.responses import RedirectResponse, Response

from gateway.guard import PUBLIC, noun_router
from gateway.pages.static_files import find_static
from windmill.core.errors import WindmillError

router = noun_router("pages")
FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/", dependencies=[PUBLIC], include_in_schema=False)
async def root() -> RedirectResponse:
    """To the pages."""
    return RedirectResponse("/ui/", 307)


@router.get("/ui/static/{name}", dependencies=[PUBLIC], include_in_schema=False)
async def static(name: Annotated[str, Path(max_length=100)]) -> Response:
    """A file under the address that holds its digest."""
    found = find_static(name)
    if found is None:
        raise WindmillError("NOT_FOUND", "there is no such file")
    return Response(found.body, media_type=found.media_type, headers={"Cache-Control": FOR_EVER})
