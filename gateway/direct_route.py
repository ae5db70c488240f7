"""Routes whose handlers are given what the gateway has at hand. FastAPI solves each dependency by itself and reads the
parameters one by one, which costs a short request as much as all that is its own."""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any, Generic, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from gateway.parameter_readers import Mistaken, Read, is_json_body, read_json_body, reader_of

Found = TypeVar("Found")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = Callable[..., Coroutine[Any, Any, Any]]
_ANSWER = "windmill.answer"
_PARAMETERS = ("dependencies", "path_params", "query_params", "header_params", "cookie_params", "body_params")
_OF_FASTAPI = ("http_connection_param_name", "response_param_name", "background_tasks_param_name",
               "security_scopes_param_name")  # fmt: skip


class OfRequest(Generic[Found]):
    """A dependency that is read off the request alone."""

    def __init__(self, read: Callable[[Request], Found]) -> None:
        self.read = read

    async def __call__(self, request: Request) -> Found:
        """A coroutine, as FastAPI calls any other function in a thread, where it solves this itself."""
        return self.read(request)


class DirectRoute(APIRoute):
    """Reads all that its handler takes, if it can read all of it; else FastAPI does. A request in which something is
    wrong is read by FastAPI, too, which tells all mistakes at once."""

    def get_route_handler(self) -> Handler:
        thorough, whole, endpoint = super().get_route_handler(), self.dependant, self.dependant.call
        reads, body = reads_of(whole), self.body_field
        if endpoint is None or not inspect.iscoroutinefunction(endpoint) or not _are_all(reads, whole, body):
            return thorough
        write = self._writer(endpoint)

        async def route(request: Request) -> Response:
            try:
                given = {name: read(request) for name, read in reads.items()}
                if body:
                    given[body.name] = await read_json_body(request, body)
            except Mistaken:
                return await thorough(request)
            answer = await endpoint(**given)
            if isinstance(answer, Response):
                return answer
            request.scope[_ANSWER] = answer
            return await write(request)

        return route

    def _writer(self, endpoint: Endpoint) -> Handler:
        """Answers in the way of FastAPI what the handler has made."""

        @wraps(endpoint)
        async def made(request: Request) -> Any:  # noqa: ANN401 - what the handler answers
            return request.scope[_ANSWER]

        whole, body = self.dependant, self.body_field
        nothing: dict[str, Any] = {name: [] for name in _PARAMETERS}
        self.dependant, self.body_field = replace(whole, **nothing, request_param_name="request", call=made), None
        try:
            return super().get_route_handler()
        finally:
            self.dependant, self.body_field = whole, body


def reads_of(whole: Dependant) -> dict[str, Read]:
    """How what a handler takes is read, by its names, as far as FastAPI is not needed for it."""
    found: dict[str, Read | None] = {
        one.name: one.call.read for one in whole.dependencies if one.name and isinstance(one.call, OfRequest)
    }
    found |= {one.name: reader_of(one, "path") for one in whole.path_params}
    found |= {one.name: reader_of(one, "query", alone=len(whole.query_params) == 1) for one in whole.query_params}
    found |= {one.name: reader_of(one, "header") for one in whole.header_params}
    if whole.request_param_name:
        found[whole.request_param_name] = lambda request: request
    return {name: read for name, read in found.items() if read}


def _are_all(reads: dict[str, Read], whole: Dependant, body: Any) -> bool:  # noqa: ANN401 - FastAPI exports no type
    """Whether nothing is left to FastAPI."""
    parameters = [*whole.path_params, *whole.query_params, *whole.header_params, *whole.cookie_params]
    if any(one.name not in reads for one in parameters) or any(getattr(whole, name) for name in _OF_FASTAPI):
        return False
    if not all(isinstance(one.call, OfRequest) for one in whole.dependencies):
        return False
    return body is None or is_json_body(body, whole.body_params)
