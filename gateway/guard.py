"""Every route says whom it admits, in the signature of its handler: `caller: Operator`. A route that says nothing
cannot be made. Who asks is found out before the body is read."""

import re
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from gateway.caller import LOCAL, Caller, RouteScope
from gateway.context import Gateway, gateway_of
from gateway.direct_route import DirectRoute, OfRequest
from gateway.errors import PROBLEMS
from gateway.request_state import state_of
from gateway.session_keys import cookie_key, header_key
from windmill.core.errors import WindmillError
from windmill.operate.jobs.outlines import SHORT_DIGITS, find_short

_SHORT = re.compile(f"[0-9a-f]{{{SHORT_DIGITS}}}")


class Requires(OfRequest[Caller | None]):
    """A dependency that names the scope of its route."""

    def __init__(self, scope: RouteScope) -> None:
        super().__init__(lambda request: state_of(request).caller)
        self.scope = scope


PUBLIC = Depends(Requires("public"))
"""For `dependencies=[PUBLIC]` of a route that needs no key."""
Viewer = Annotated[Caller, Depends(Requires("viewer"))]
Operator = Annotated[Caller, Depends(Requires("operator"))]
Admin = Annotated[Caller, Depends(Requires("admin"))]


class GuardedRoute(DirectRoute):
    """Admits a request before FastAPI reads its body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, needed = super().get_route_handler(), scope_of(self)

        async def guarded(request: Request) -> Response:
            await admit(request, needed)
            await name_job_in_full(request)
            return await handle(request)

        return guarded


def scope_of(route: APIRoute) -> RouteScope:
    """What the route asks of its callers."""
    found = [one.call.scope for one in route.dependant.dependencies if isinstance(one.call, Requires)]
    if len(found) != 1:
        raise TypeError(f"{route.path} must say whom it admits, once: caller: Viewer, Operator or Admin, or PUBLIC")
    return found[0]


def noun_router(noun: str) -> APIRouter:
    """A router for the routes of one noun."""
    return APIRouter(route_class=GuardedRoute, tags=[noun], responses=PROBLEMS)


async def admit(request: Request, needed: RouteScope) -> None:
    """Find out who asks, count the request, and see whether they may; raises WindmillError."""
    if needed == "public":
        return
    gateway, state = gateway_of(request), state_of(request)
    state.caller = await identify(gateway, request)
    if key := state.caller.key:
        state.headers.update(gateway.rates.take(key.prefix, time.monotonic(), key.requests_per_minute))
    state.caller.must_be(needed)


async def name_job_in_full(request: Request) -> None:
    """Let handlers know nothing of ids with 24 digits; raises NOT_FOUND."""
    given, state = str(request.path_params.get("job_id", "")), state_of(request)
    if _SHORT.fullmatch(given) and state.caller:
        state.short = True
        job = await find_short(gateway_of(request).access, given, state.caller.sees)
        request.path_params["job_id"] = str(job)


async def identify(gateway: Gateway, request: Request) -> Caller:
    """Who asks; raises AUTH_MISSING, AUTH_INVALID or AUTH_EXPIRED."""
    text = header_key(request)
    if not text and gateway.local and not await gateway.keys.required():
        return LOCAL  # also with a cookie, which may be of a time when there were other keys
    if text := text or cookie_key(request):
        key = await gateway.keys.find(text)
        return Caller(key.principal, key.scope, key)
    raise WindmillError("AUTH_MISSING", "this needs a key")
