"""A browser gives its key once, and keeps it in a cookie that no script can read."""

from typing import Annotated

from fastapi import Form, Query, Request, Response

from gateway.context import Context
from gateway.guard import PUBLIC, Viewer
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm, local_path
from gateway.pages.page_route import LOGIN, page_router
from gateway.pages.rendering import Shown, page
from gateway.session_keys import KEY_COOKIE
from windmill.core.errors import ERROR_CODES, WindmillError

router = page_router()
KEPT_SECONDS = 30 * 86_400


class LoginForm(PageForm):
    key: Annotated[str, Form(max_length=200)]


@router.get(LOGIN, dependencies=[PUBLIC])
async def ask_for_key(
    request: Request,
    next: Annotated[str, Query(max_length=2_000)] = "/ui/",
    code: Annotated[str, Query(max_length=50)] = "",
) -> Response:
    """The form."""
    said = next_step = ""
    if code in ERROR_CODES:
        said, next_step = "That key is not good.", ERROR_CODES[code].remedy
    view = {"next": local_path(next, "/ui/"), "said": said, "remedy": next_step}
    return page(request, Shown("login.html", "Log in", "", view))


@router.post(LOGIN, dependencies=[PUBLIC])
async def take_key(request: Request, gateway: Context, form: Annotated[LoginForm, Form()]) -> Response:
    """Keep the key, if it is good."""
    try:
        await gateway.keys.find(form.key)
    except WindmillError as error:
        return await ask_for_key(request, form.back, error.code)
    response = go_on(request, local_path(form.back, "/ui/"))
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(KEY_COOKIE, form.key, KEPT_SECONDS, httponly=True, samesite="lax", secure=secure)
    return response


@router.post("/ui/logout")
async def forget_key(request: Request, _: Viewer, __: Annotated[PageForm, Form()]) -> Response:
    """Forget the key in this browser."""
    response = go_on(request, LOGIN, "This browser has forgotten the key.")
    response.delete_cookie(KEY_COOKIE)
    return response
