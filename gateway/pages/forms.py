"""What a page sends: a form with a token, from the same site."""

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from gateway.caller import Caller
from gateway.context import gateway_of
from gateway.pages.form_tokens import FIELD
from windmill.core.errors import WindmillError

RELOAD = "load the page again, then repeat what you did"


class PageForm(BaseModel):
    """The base of every form. Empty fields count as not given, as browsers send all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    token: str
    back: str = ""
    """The page that is shown afterwards."""


async def check_form(request: Request, caller: Caller | None) -> None:
    """Raises PERMISSION_DENIED for a form that is none of ours."""
    if not is_from_here(request):
        raise WindmillError("PERMISSION_DENIED", "the form comes from another site", RELOAD)
    form = await request.form()
    if not gateway_of(request).form_tokens.is_good(caller, form.get(FIELD)):
        raise WindmillError("PERMISSION_DENIED", "the form is not of this session", RELOAD)


def is_from_here(request: Request) -> bool:
    """By what browsers add themselves; programs add neither."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
    host = request.headers.get("host", "")
    return site in ("same-origin", "none") and origin in (None, f"http://{host}", f"https://{host}")


def local_path(given: str, otherwise: str) -> str:
    """A page of ours to go on to: never another site."""
    is_ours = given.startswith("/ui/") and not given.startswith("//") and "\\" not in given and given.isprintable()
    return given if is_ours else otherwise
