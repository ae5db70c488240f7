"""A message that the next page shows once, such as what an action has done. It travels in a signed cookie, as any
gateway may serve the next page."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.context import gateway_of
from windmill.core.errors import WindmillError

COOKIE = "windmill_said"
SECONDS = 60
_WANTED = {"cookie": "flash"}


@dataclass(frozen=True)
class Flash:
    """`tone` is good, warn or bad."""

    text: str
    tone: str = "good"


def go_on(request: Request, url: str, text: str = "", tone: str = "good") -> Response:
    """To another page, which shows the text."""
    response = RedirectResponse(url, 303)
    if text:
        sealed = gateway_of(request).cursors.seal(_WANTED, [text[:500], tone])
        response.set_cookie(COOKIE, sealed, SECONDS, path="/ui/", httponly=True, samesite="lax")
    return response


def flash_of(request: Request) -> Flash | None:
    """What the page before has left."""
    try:
        said = gateway_of(request).cursors.open(_WANTED, request.cookies.get(COOKIE))
    except WindmillError:
        return None
    return Flash(*said) if said else None
