"""Routes of the gateway answer as those of FastAPI do, which solve everything by themselves."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

import httpx
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi import Body as Embedded
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from gateway.direct_route import DirectRoute, OfRequest
from gateway.shape import PageQuery, Shape

Agent = Annotated[str, Depends(OfRequest(lambda request: request.headers["user-agent"]))]


class Asked(PageQuery):
    names: tuple[str, ...] = ()


class Body(Shape):
    size: int


async def _solved(request: Request) -> str:
    return request.method


def add_bodies(router: APIRouter) -> None:
    @router.post("/boxes/{number}")
    async def pack(agent: Agent, number: int, body: Body) -> dict[str, Any]:
        return {"all": [agent, number, body.size]}

    @router.post("/labels")
    async def label(agent: Agent, body: Body | None = None) -> Response:
        return PlainTextResponse(f"{agent} {body}", 201)

    @router.post("/members")
    async def member(size: Annotated[int, Embedded(embed=True)]) -> int:
        return size


def app_of(route: type[APIRoute]) -> FastAPI:
    router = APIRouter(route_class=route)
    add_bodies(router)

    @router.post("/things/{number}")
    async def make(
        agent: Agent,
        number: int,
        query: Annotated[Asked, Query()],
        body: Body,
        method: Annotated[str, Depends(_solved)],
    ) -> dict[str, Any]:
        return {"all": [agent, number, query.model_dump(), body.size, method]}

    @router.get("/things")
    async def find(request: Request, query: Annotated[Asked, Query()], also: Agent) -> dict[str, Any]:
        return {"all": [request.url.path, query.model_dump(), also]}

    @router.get("/named")
    async def named(agent: Agent, first: str, limit: int = 3) -> dict[str, Any]:
        return {"all": [agent, first, limit]}

    @router.get("/many/{one}/{job_id}")
    async def many(
        one: Literal["a", "b"],
        job_id: uuid.UUID,
        names: Annotated[list[str] | None, Query()] = None,
        at: datetime | None = None,
        short: Annotated[str, Query(alias="s", max_length=3)] = "x",
        user_agent: Annotated[str | None, Header()] = None,
        key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=2)] = None,
        drawn: Annotated[int, Query(ge=4)] = 4,
    ) -> dict[str, Any]:
        return {"all": [one, job_id, names, at, short, user_agent, key, drawn]}

    @router.get("/plain")
    def plain(agent: Agent) -> str:
        return agent

    app = FastAPI(openapi_url=None)
    app.router.routes.extend(router.routes)
    return app


ID = uuid.UUID(int=7)
JSON = {"content-type": "application/json"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/things/7?limit=5", {"json": {"size": 3}}),
    ("POST", "/things/x?limit=0&more=1", {"json": {"size": "x"}}),
    ("POST", "/things/7", {"content": b"{", "headers": {"content-type": "application/json"}}),
    ("POST", "/boxes/7", {"json": {"size": 3}}),
    ("POST", "/boxes/x", {"json": {"size": "x"}}),
    ("POST", "/boxes/7", {"json": None, "headers": JSON}),
    ("POST", "/boxes/7", {"content": b"null", "headers": JSON}),
    ("POST", "/boxes/7", {"content": b"{", "headers": JSON}),
    ("POST", "/boxes/7", {"content": b'"\xff"', "headers": JSON}),
    ("POST", "/boxes/7", {"content": b"[" * 100_000, "headers": JSON}),
    ("POST", "/boxes/7", {"content": b'{"size": 3}'}),
    ("POST", "/boxes/7", {"content": b'{"size": 3}', "headers": {"content-type": "text/plain"}}),
    ("POST", "/boxes/7", {"content": b'{"size": 3}', "headers": {"content-type": "Application/JSON; charset=utf-8"}}),
    ("POST", "/labels", {"json": {"size": 3}}),
    ("POST", "/labels", {}),
    ("POST", "/labels", {"content": b"null", "headers": JSON}),
    ("POST", "/members", {"json": {"size": 3}}),
    ("POST", "/members", {"json": 3}),
    ("GET", "/things", {}),
    ("GET", "/things?names=a&names=b&limit=7", {}),
    ("GET", "/things?names=a", {}),
    ("GET", "/things?limit=1&limit=2", {}),
    ("GET", "/things?limit=", {}),
    ("GET", "/things?limit=501&cursor=%F0%9F&more=1&more=2", {}),
    ("GET", "/named?first=a", {}),
    ("GET", "/named?limit=a", {}),
    ("GET", f"/many/a/{ID}", {}),
    ("GET", f"/many/a/{ID}?names=1&names=2&s=1&s=2&short=7&at=2026-11-29T00:00:00Z", {"headers": {"user_agent": "me"}}),
    ("GET", f"/many/b/{ID}?s=abcd", {"headers": {"idempotency-key": "one"}}),
    ("GET", f"/many/b/{ID}?s=&at=", {"headers": [("Idempotency-Key", "ab"), ("idempotency-key", "c")]}),
    ("GET", "/many/c/7?at=x&drawn=y", {"headers": {"Idempotency-Key": "c"}}),
    ("GET", "/plain", {}),
]


async def answers(app: FastAPI) -> list[tuple[int, bytes]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        found = [await client.request(method, path, **more) for method, path, more in REQUESTS]
    return [(one.status_code, one.content) for one in found]


async def test_answers_and_mistakes_are_those_of_fastapi() -> None:
    found = await answers(app_of(DirectRoute))
    assert found == await answers(app_of(APIRoute))
    assert {status for status, _ in found} == {200, 201, 400, 422}


def test_the_description_is_that_of_fastapi() -> None:
    described = [app_of(kind).openapi() for kind in (DirectRoute, APIRoute)]
    assert described[0] == described[1]
    assert "/things/{number}" in described[0]["paths"]


async def test_what_is_read_off_the_request_alone_is_not_solved_by_fastapi() -> None:
    class Counted(OfRequest[str]):
        solved = 0

        async def __call__(self, request: Request) -> str:
            self.solved += 1
            return self.read(request)

    agent, router = Counted(lambda request: request.url.path), APIRouter(route_class=DirectRoute)

    @router.get("/it")
    async def it(path: Annotated[str, Depends(agent)]) -> str:
        return path

    app = FastAPI(openapi_url=None)
    app.router.routes.extend(router.routes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/it")).json() == "/it"
    assert agent.solved == 0
