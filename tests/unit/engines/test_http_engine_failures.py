"""How an engine behind HTTP fails: by its status, its words, its bounds and its absence."""

from pathlib import Path

import pytest
from aiohttp import web

from tests.conformance.engines.rigs import request_in, zip_of
from tests.unit.engines.http_engine_scene import KEYS, Server, says, sends, server
from windmill.core.errors import Code, Retry
from windmill.core.service_urls import service_url
from windmill.engines.entries import HttpEntry
from windmill.engines.http.engine import HttpEngine


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
