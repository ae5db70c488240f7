"""The outermost part: every request gets an id, is looked at before anything reads its body, and is logged."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.bodies import CountedBody, Message, body_limit
from gateway.context import Gateway
from gateway.errors import as_windmill_error, problem_response
from gateway.host_rules import foreign_request
from gateway.metrics import STREAM, UNKNOWN
from gateway.rate_limits import join_limits, quota_headers
from gateway.request_state import REQUEST_ID, RequestState, keep_state, request_id_of
from gateway.session_keys import PAGES

logger = logging.getLogger("gateway")

GONE = 499
ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Border:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app, self._gateway = app, gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"]
        state = RequestState(request_id_of(given[0] if given else None))
        keep_state(scope, state)
        token = REQUEST_ID.set(state.request_id)
        try:
            await self._serve(scope, receive, _Answer(send, state), state)
        finally:
            REQUEST_ID.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer", state: RequestState) -> None:
        started, body = time.monotonic(), CountedBody(receive)
        try:
            body.limit = await self._admit(scope)
            await self._app(scope, body, answer)
        except Exception as error:
            failure = as_windmill_error(error)
            if failure.code == "DEFECT":
                logger.exception("unexpected fault")
            if not answer.status:
                await body.discard(scope["headers"])
                state.headers["Connection"] = "close"
                await problem_response(failure, state.request_id, scope["path"])(scope, receive, answer)
        finally:
            self._note(scope, state, answer, time.monotonic() - started)

    async def _admit(self, scope: Scope) -> int:
        """How large the body may be; raises WindmillError."""
        to_page = scope["path"].startswith(PAGES)
        if self._gateway.local and not await self._gateway.keys.required():
            refused = foreign_request(scope["headers"], to_page=to_page)
            if refused:
                raise refused
        return body_limit(scope["headers"], self._gateway.settings.gateway_max_upload_bytes, to_page=to_page)

    def _note(self, scope: Scope, state: RequestState, answer: "_Answer", seconds: float) -> None:
        """Count it, and log it; one that the client has left is counted as 499."""
        status = answer.status or GONE
        route = getattr(scope.get("route"), "path_format", UNKNOWN)
        self._gateway.counts.note(route, scope["method"], status, None if answer.is_stream else seconds)
        told: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "status": status}
        told["ms"] = round(seconds * 1000, 1)
        if state.caller:
            told["principal"] = state.caller.principal
        logger.info("request", extra=told)


def told_headers(state: RequestState) -> dict[str, str]:
    """Those of the request, and what is left of a quota of jobs after it."""
    key = state.caller.key if state.caller else None
    if key is None or key.quota_jobs is None:
        return state.headers
    told = dict(state.headers)
    join_limits(told, quota_headers(key.quota_jobs, key.jobs_made, "jobs"))
    return told


class _Answer:
    """Sends the answer with the headers that every one has; remembers its status."""

    def __init__(self, send: Callable[[Message], Awaitable[None]], state: RequestState) -> None:
        self._send, self._state = send, state
        self.status = 0
        self.is_stream = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if any(name == b"content-type" and value.startswith(STREAM) for name, value in message["headers"]):
                self.is_stream = True
            own = {**ALWAYS, **told_headers(self._state), "X-Request-ID": self._state.request_id}
            there = {name.lower() for name, _ in message["headers"]}
            added = [(name.lower().encode(), value.encode("latin-1")) for name, value in own.items()]
            message["headers"] = [*message["headers"], *(one for one in added if one[0] not in there)]
        await self._send(message)
