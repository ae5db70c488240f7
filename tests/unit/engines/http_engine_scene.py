"""A server that answers as a test says, and an engine that asks it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from tests.conformance.engines.rigs import http_server
from windmill.core.errors import WindmillError
from windmill.core.service_access import ServiceAccess
from windmill.core.service_urls import service_url
from windmill.engines.engine import EngineOutput, EngineRequest
from windmill.engines.entries import HttpEntry
from windmill.engines.http.aws_signature import AwsCredentials, AwsScope, SignedRequest, signature_headers
from windmill.engines.http.engine import HttpEngine
from windmill.engines.http.signing import request_signer

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
ACCOUNT = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_REGION": "eu-central-1"}
KEYS = ServiceAccess((("Authorization", "Bearer abcdefgh"),), ("Bearer abcdefgh", "abcdefgh"))


@dataclass
class Server:
    """A server and what it was asked."""

    answer: Answer
    url: str = ""
    asked: list[web.Request] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if request.content_type == "multipart/form-data":
            self.forms.append({name: _value(value) for name, value in (await request.post()).items()})
        return await self.answer(request)

    async def run(self, request: EngineRequest, **entry: Any) -> EngineOutput:  # noqa: ANN401 - any key of an entry
        made = HttpEntry(url=service_url(self.url, "url"), **entry)
        engine = HttpEngine("it", made, KEYS, request_signer("it", made, ACCOUNT))
        try:
            return await engine.run(request, lambda _: None, asyncio.Event())
        finally:
            await engine.close()

    async def failure(self, request: EngineRequest, **entry: Any) -> WindmillError:  # noqa: ANN401 - any key of an entry
        with pytest.raises(WindmillError) as raised:
            await self.run(request, **entry)
        return raised.value


def _value(value: object) -> object:
    if not isinstance(value, web.FileField):
        return value
    with value.file:
        return value.filename, value.content_type, value.file.read()


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[Server]:
    made = Server(answer)
    async with http_server(made.take) as url:
        made.url = url
        yield made


def says(document: object, status: int = 200) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(document, status=status)

    return answer


def sends(body: bytes, kind: str, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=kind, headers=headers)

    return answer


def names(output: EngineOutput) -> list[str]:
    return [file.name for file in output.files]


class SignatureCheck:
    """A server that does what AWS does: it computes the signature of what has arrived, and compares."""

    def __init__(self, secret: str = "s3cret", predict: Callable[[bytes], list[Any]] = lambda _: []) -> None:
        self.secret, self.predict = secret, predict
        self.bodies: list[bytes] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.headers.get("Authorization") != self.expected(request, body):
            return web.json_response({"message": "The request signature does not match"}, status=403)
        self.bodies.append(body)
        return web.json_response({"predictions": self.predict(body)})

    def expected(self, request: web.Request, body: bytes) -> str:
        scope, signed = request.headers["Authorization"].split(", ")[:2]
        names = signed.removeprefix("SignedHeaders=").split(";")
        _, day, region, service, _ = scope.split("/")
        headers = {name: request.headers[name] for name in names if not name.startswith("x-amz-")}
        at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert day == f"{at:%Y%m%d}"
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
        asked = SignedRequest(
            request.method, request.rel_url.raw_path, headers, hashlib.sha256(body).hexdigest(), request.query.items()
        )
        account = AwsCredentials("AKIDEXAMPLE", self.secret)
        return signature_headers(asked, account, AwsScope(region, service), at)["Authorization"]
