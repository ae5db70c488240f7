"""Routes of pages: they say whom they admit, as all routes do. Whoever has no key is led to the form for it, and what
goes wrong is told as a page."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.direct_route import DirectRoute
from gateway.errors import as_windmill_error, problem_of, problem_response
from gateway.guard import admit, scope_of
from gateway.mistakes import mistakes_of
from gateway.pages.forms import check_form
from gateway.pages.rendering import SEEN, Shown, page
from gateway.request_state import state_of
from windmill.core.errors import WindmillError

LOGIN = "/ui/login"
_NO_KEY = ("AUTH_MISSING", "AUTH_INVALID", "AUTH_EXPIRED")


class PageRoute(DirectRoute):
    """Admits a request, looks whether a form is ours, and shows errors as pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, needed = super().get_route_handler(), scope_of(self)

        async def guarded(request: Request) -> Response:
            try:
                await admit(request, needed)
                if request.method == "POST":
                    await check_form(request, state_of(request).caller)
                return await handle(request)
            except Exception as error:  # noqa: BLE001 - every failure is shown; a bug is logged by problem_response
                return failure(request, error)

        return guarded


def page_router() -> APIRouter:
    """A router for pages; none of them is in the description of the interface."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def failure(request: Request, error: Exception) -> Response:
    """The page that tells what went wrong; for the script, which asks for changes, the plain problem."""
    told, mistakes = as_windmill_error(error), mistakes_of(error)
    request_id, path = state_of(request).request_id, request.url.path
    if SEEN in request.headers:
        return problem_response(told, request_id, path, mistakes)
    if told.code in _NO_KEY:
        return to_login(request, told)
    problem = problem_of(told, request_id, path, mistakes)
    if problem.status >= 500:
        problem_response(told, request_id, path, mistakes)  # logs it
    return page(request, Shown("problem.html", problem.title, "", problem), problem.status)


def to_login(request: Request, error: WindmillError) -> Response:
    """To the form for the key, and afterwards to where the reader wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    asked = {"next": wanted if request.method == "GET" else "/ui/"}
    if error.code != "AUTH_MISSING":
        asked["code"] = error.code
    return RedirectResponse(f"{LOGIN}?{urlencode(asked)}", 303)
