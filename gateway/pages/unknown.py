"""What no page has: told as a page, too. Its router comes last."""

from fastapi import Request, Response

from gateway.guard import Viewer
from gateway.pages.page_route import page_router
from windmill.core.errors import WindmillError

router = page_router()


@router.get("/ui/{rest:path}")
async def unknown(request: Request, _: Viewer) -> Response:
    """Nothing."""
    raise WindmillError("NOT_FOUND", f"there is no page {request.url.path:.200}", "begin at the overview")
