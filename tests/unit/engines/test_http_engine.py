"""An engine behind HTTP, against a server that answers as a test says."""

import asyncio
import base64
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.conformance.engines.painter import PNG
from tests.conformance.engines.rigs import http_server, request_in, zip_of
from tests.waiting import until
from windmill.core.errors import Code, ConfigInvalid, Retry, WindmillError
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


async def test_the_form_is_that_of_the_first_system(tmp_path: Path) -> None:
    async with server(sends(PNG, "image/png")) as it:
        await it.run(request_in(tmp_path, style="ink", seed=0))
        [asked] = it.asked
        assert (asked.method, asked.path) == ("POST", "/infer")
        assert asked.headers["Authorization"] == "Bearer abcdefgh"
        assert it.forms == [
            {"input_file": ("input_file.png", "image/png", PNG), "prompt": "a mill", "style": "ink", "seed": "0"}
        ]


async def test_a_raw_body_is_the_input_and_the_query_the_rest(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.read())
        return web.Response(body=PNG, content_type="image/png")

    async with server(answer) as it:
        await it.run(request_in(tmp_path), body="raw", path="/v1/go")
        assert bodies == [PNG]
        assert it.asked[0].path == "/v1/go"
        assert dict(it.asked[0].query) == {"prompt": "a mill", "style": "default", "seed": "0"}


async def test_a_json_body_holds_the_input_in_base64_and_a_document_is_a_result(tmp_path: Path) -> None:
    bodies: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(orjson.loads(await request.read()))
        return web.json_response({"predictions": [{"label": "mill"}]})

    async with server(answer) as it:
        output = await it.run(request_in(tmp_path), body="json")
        assert base64.b64decode(bodies[0]["image"]) == PNG
        assert names(output) == ["answer.json"]
        assert orjson.loads(output.files[0].path.read_bytes()) == {"predictions": [{"label": "mill"}]}


async def test_bytes_are_a_file_and_archives_are_unpacked(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("frame.png")
        info.size = len(PNG)
        archive.addfile(info, io.BytesIO(PNG))
    bodies = {
        ("output.png",): sends(PNG, "image/png"),
        ("a.png", "b.png"): sends(zip_of({"b.png": PNG, "a.png": PNG}), "application/octet-stream"),
        ("frame.png",): sends(packed.getvalue(), "application/gzip"),
    }
    for expected, answer in bodies.items():
        async with server(answer) as it:
            assert names(await it.run(request_in(tmp_path))) == list(expected)


async def test_pictures_in_base64_are_files(tmp_path: Path) -> None:
    text = base64.b64encode(PNG).decode()
    async with server(says({"images": [text, f"data:image/png;base64,{text}"]})) as it:
        output = await it.run(request_in(tmp_path))
        assert names(output) == ["output_0000.png", "output_0001.png"]
        assert {file.path.read_bytes() for file in output.files} == {PNG}


async def test_a_path_on_shared_storage_is_copied_before_it_is_gone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "7" / "frames").mkdir(parents=True)
    (shared / "7" / "frames" / "frame_0001.png").write_bytes(PNG)
    async with server(says({"success": True, "frames_path": str(shared / "7")})) as it:
        output = await it.run(request_in(tmp_path), shared_folder=str(shared))
        (shared / "7" / "frames" / "frame_0001.png").unlink()
        assert output.files[0].path.read_bytes() == PNG
        assert names(output) == ["frames/frame_0001.png"]


async def test_a_path_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "link").symlink_to("/etc")
    for path in ("/etc", "../../etc", str(tmp_path / "shared" / "link"), str(tmp_path / "shared" / "nothing")):
        async with server(says({"frames_path": path})) as it:
            assert (
                await it.failure(request_in(tmp_path), shared_folder=str(tmp_path / "shared"))
            ).code == "BAD_RESPONSE"
            without = await it.failure(request_in(tmp_path))
            assert "shared_folder" in without.remedy


async def test_a_url_of_the_server_itself_is_fetched(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.Response(body=PNG, content_type="image/png")
        return web.json_response({"urls": ["/files/a.png", "/other/a.png"]})

    async with server(answer) as it:
        assert names(await it.run(request_in(tmp_path))) == ["1_a.png", "a.png"]
        assert it.asked[1].headers["Authorization"] == "Bearer abcdefgh"


async def test_a_url_elsewhere_is_fetched_if_the_entry_names_its_host_and_gets_no_key(tmp_path: Path) -> None:
    async with server(sends(PNG, "image/png")) as other:
        host = other.url.removeprefix("http://")
        async with server(says({"url": f"{other.url}/a.png"})) as it:
            refused = await it.failure(request_in(tmp_path))
            assert refused.code == "BAD_RESPONSE"
            assert "download_from" in refused.remedy
            assert other.asked == []
            assert names(await it.run(request_in(tmp_path), download_from=(host,))) == ["a.png"]
            assert "Authorization" not in other.asked[0].headers


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://localhost/a", "http://169.254.169.254/latest"])
async def test_a_url_that_leads_anywhere_else_is_refused(url: str, tmp_path: Path) -> None:
    async with server(says({"url": url})) as it:
        assert (await it.failure(request_in(tmp_path))).code == "BAD_RESPONSE"


async def test_success_false_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    async with server(says({"success": False, "error": "no face in the picture, abcdefgh"})) as it:
        error = await it.failure(request_in(tmp_path))
        assert (error.code, error.retry) == ("SERVICE_ERROR", "later")
        assert "no face in the picture" in error.message
        assert "abcdefgh" not in error.message


async def test_an_answer_has_a_bound_whether_or_not_its_length_is_told(tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Type": "image/png"})
        await reply.prepare(request)
        for _ in range(1_000):
            await reply.write(b"x" * 65_536)
        return reply

    for answer in (
        sends(b"x" * 1_000_000, "image/png"),
        endless,
        sends(zip_of({"a": b"\0" * 1_000_000}), "application/zip"),
    ):
        async with server(answer) as it:
            error = await it.failure(request_in(tmp_path), max_response_bytes=100_000)
            assert error.code in ("RESPONSE_TOO_LARGE", "BAD_RESPONSE")


STATUSES: list[tuple[int, Code, Retry]] = [
    (302, "BAD_RESPONSE", "later"),
    (400, "SERVICE_REJECTED", "never"),
    (401, "SERVICE_REJECTED", "pause"),
    (404, "ENGINE_OFFLINE", "pause"),
    (429, "SERVICE_OVERLOADED", "pause"),
    (500, "SERVICE_ERROR", "later"),
    (503, "SERVICE_OVERLOADED", "pause"),
    (504, "ENGINE_TIMEOUT", "later"),
]


@pytest.mark.parametrize(("status", "code", "retry"), STATUSES)
async def test_a_status_has_its_code_and_shows_no_key(status: int, code: Code, retry: Retry, tmp_path: Path) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        headers = {"Retry-After": "7", "Location": "http://169.254.169.254/"}
        return web.Response(status=status, text="bad key abcdefgh", headers=headers)

    async with server(answer) as it:
        error = await it.failure(request_in(tmp_path))
        assert (error.code, error.retry, error.retry_after) == (code, retry, 7)
        assert "abcdefgh" not in str(error)
        assert len(it.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"success": False, "error": "no", "error_code": "SAFETY_FILTER"}, "SAFETY_FILTER"),
        (422, {"error": {"code": "SAFETY_FILTER", "message": "no"}}, "SAFETY_FILTER"),
        (500, {"error": "CUDA out of memory", "error_code": "OUT_OF_MEMORY"}, "OUT_OF_MEMORY"),
        (507, {"error_code": "DISK_FULL"}, "INSUFFICIENT_DISK_SPACE"),
        (200, {"success": False, "error": "a safety filter, out of memory"}, "SERVICE_ERROR"),
        (500, {"error_code": "DATABASE_UNAVAILABLE"}, "SERVICE_ERROR"),
    ],
)
async def test_an_engine_may_name_the_code_itself_and_its_words_decide_nothing(
    status: int, body: dict[str, object], code: Code, tmp_path: Path
) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    async with server(answer) as it:
        assert (await it.failure(request_in(tmp_path))).code == code


async def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    it = Server(says({}), url="http://127.0.0.1:1")
    error = await it.failure(request_in(tmp_path))
    assert (error.code, error.reached) == ("ENGINE_OFFLINE", False)
    engine = HttpEngine("it", HttpEntry(url=service_url("http://127.0.0.1:1", "url")), KEYS)
    assert not (await engine.check()).ok
    await engine.close()


class SignatureCheck:
    """A server that does what AWS does: it computes the signature of what has arrived, and compares."""

    def __init__(self, secret: str = "s3cret") -> None:
        self.secret = secret
        self.bodies: list[bytes] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.headers.get("Authorization") != self.expected(request, body):
            return web.json_response({"message": "The request signature does not match"}, status=403)
        self.bodies.append(body)
        return web.json_response({"predictions": []})

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


@pytest.mark.parametrize("body", ["raw", "json", "base64"])
async def test_a_signed_request_is_signed_as_it_arrives(body: str, tmp_path: Path) -> None:
    check = SignatureCheck()
    async with server(check) as it:
        request = request_in(tmp_path, prompt="a mill & more/+")
        await it.run(request, body=body, sign="aws", path="/endpoints/my%20model/invocations")
        assert "/eu-central-1/sagemaker/aws4_request" in it.asked[0].headers["Authorization"]
        assert len(check.bodies) == 1


async def test_a_request_that_is_signed_with_another_secret_is_refused_and_costs_no_try(tmp_path: Path) -> None:
    async with server(SignatureCheck("another")) as it:
        error = await it.failure(request_in(tmp_path), body="json", sign="aws")
        assert (error.code, error.retry) == ("SERVICE_REJECTED", "pause")


def test_signing_needs_an_account() -> None:
    entry = HttpEntry(url=service_url("http://h", "url"), body="json", sign="aws")
    with pytest.raises(ConfigInvalid, match="AWS_SECRET_ACCESS_KEY"):
        request_signer("it", entry, {"AWS_ACCESS_KEY_ID": "id"})
    assert request_signer("it", HttpEntry(url=service_url("http://h", "url")), {}) is None


async def test_a_base64_body_holds_nothing_but_the_picture_and_what_was_given(tmp_path: Path) -> None:
    bodies: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(orjson.loads(await request.read()))
        return web.json_response({"predictions": [{"label": "mill"}], "image": "what it was asked"})

    async with server(answer) as it:
        request = replace(request_in(tmp_path), parameters={"task": "detect", "top": 5, "style": None})
        output = await it.run(request, body="base64")
        assert bodies == [{"image": base64.b64encode(PNG).decode(), "top": 5}]
        assert names(output) == ["answer.json"]


async def test_an_answer_to_a_base64_body_without_predictions_is_none(tmp_path: Path) -> None:
    for document, code in (({"labels": []}, "BAD_RESPONSE"), ({"success": False, "error": "no"}, "SERVICE_ERROR")):
        async with server(says(document)) as it:
            assert (await it.failure(request_in(tmp_path), body="base64")).code == code


class SeveralServers:
    """Servers of one engine, each of which answers as it is told."""

    def __init__(self, *servers: Server) -> None:
        self.servers = servers
        urls = tuple(service_url(one.url, "urls") for one in servers)
        self.engine = HttpEngine("it", HttpEntry(url=urls[0], urls=urls), KEYS)

    async def run(self, folder: Path, name: str = "job-7_paint_0") -> EngineOutput:
        return await self.engine.run(request_in(folder, name), lambda _: None, asyncio.Event())

    @property
    def posts(self) -> list[int]:
        return [sum(asked.method == "POST" for asked in one.asked) for one in self.servers]


async def test_a_request_goes_to_the_address_with_the_fewest_in_hand(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow(_request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response(body=PNG, content_type="image/png")

    async with server(slow) as one, server(slow) as other:
        several = SeveralServers(one, other)
        runs = [asyncio.create_task(several.run(tmp_path, f"job-{number}")) for number in range(4)]
        await until(lambda: sum(several.posts) == 4)
        assert several.posts == [2, 2]
        go_on.set()
        await asyncio.gather(*runs)
        await several.engine.close()


@pytest.mark.parametrize("status", [500, 503])
async def test_what_fails_at_an_address_that_is_away_is_done_at_another(status: int, tmp_path: Path) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502 if request.method == "GET" else status)

    async with server(broken) as ill, server(sends(PNG, "image/png")) as well:
        several = SeveralServers(ill, well)
        for number in range(3):
            assert names(await several.run(tmp_path, f"job-{number}")) == ["output.png"]
        assert several.posts == [1, 3]
        assert several.engine.addresses_away == 1
        health = await several.engine.check()
        assert (health.ok, health.says.startswith("1 of 2 addresses answer")) == (True, True)
        await several.engine.close()


async def test_a_failure_at_an_address_that_is_well_is_the_jobs(tmp_path: Path) -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        return web.Response(status=405 if request.method == "GET" else 500)

    async with server(fails) as one, server(fails) as other:
        several = SeveralServers(one, other)
        with pytest.raises(WindmillError, match="SERVICE_ERROR") as failed:
            await several.run(tmp_path)
        assert (failed.value.retry, sum(several.posts)) == ("later", 1)
        await several.engine.close()


async def test_when_all_addresses_are_away_jobs_wait_and_the_one_that_is_back_gets_them(tmp_path: Path) -> None:
    back = asyncio.Event()

    async def away(request: web.Request) -> web.StreamResponse:
        if back.is_set():
            return web.Response(body=PNG, content_type="image/png")
        return web.Response(status=503 if request.method == "POST" else 502)

    async with server(away) as one, server(away) as other:
        several = SeveralServers(one, other)
        with pytest.raises(WindmillError, match="all 2 addresses of it are away") as failed:
            await several.run(tmp_path)
        assert failed.value.retry == "pause"
        back.set()

        async def works() -> bool:
            try:
                return bool(await several.run(tmp_path))
            except WindmillError:
                return False

        await until(works)
        await several.engine.close()
