"""What each way of not answering becomes."""

import asyncio
import gzip
import select
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.unit.calling.calling_scene import JPEG, OK, both, client, refused
from tests.unit.loopback import on_each_loop, reply, serving
from tests.waiting import forever, until
from windmill.core.services import Service


@on_each_loop
async def test_a_refused_port_means_that_the_service_is_down() -> None:
    async with serving(lambda path: reply(OK)) as site:
        pass
    async with client(site.port) as (opened, service):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")
    assert error.message.startswith(f"yolov8 at 127.0.0.1:{site.port}: ")


@on_each_loop
async def test_an_unknown_host_means_that_the_service_is_down() -> None:
    async with client(7773, SERVICE_HOST="no-such-host.invalid") as (opened, service):
        assert (await refused(opened, service)).code == "SERVICE_UNREACHABLE"


@on_each_loop
async def test_a_host_that_does_not_take_the_connection_is_down_and_no_try_of_the_job_is_spent() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for taken in (first, second):  # Linux queues one more than the backlog and then drops what comes.
            taken.setblocking(False)
            taken.connect_ex(full.getsockname())
        await until(lambda: select.select([], [first], [], 0)[1])
        async with client(full.getsockname()[1], REQUEST_TIMEOUT="0.4") as (opened, service):
            error = await refused(opened, service)
    assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")


@on_each_loop
async def test_a_service_that_does_not_answer_in_time_has_timed_out() -> None:
    async def silent(_: str, writer: asyncio.StreamWriter) -> None:
        await forever()

    async with both(silent, REQUEST_TIMEOUT="0.2") as (opened, service, _):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("SERVICE_TIMEOUT", "later")
    assert error.message == "yolov8 gave no answer in 0.2 s"


@on_each_loop
async def test_the_time_of_the_service_holds_where_the_settings_name_none() -> None:
    async def dripping(_: str, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" if not writer.is_closing() else b"")
            await forever()

    async with both(dripping) as (opened, service, _):
        impatient = Service(**{**vars(service), "timeout_seconds": 0.2})
        assert (await refused(opened, impatient)).code == "SERVICE_TIMEOUT"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    ],
)
@on_each_loop
async def test_a_reply_that_is_cut_off_or_no_http_is_a_bad_response(said: bytes) -> None:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with both(answer) as (opened, service, _):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("BAD_RESPONSE", "later")
    assert error.message.startswith("yolov8")


@on_each_loop
async def test_a_reset_connection_is_a_bad_response() -> None:
    async def reset(_: str, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with both(reset) as (opened, service, _):
        assert (await refused(opened, service)).code == "BAD_RESPONSE"


@pytest.mark.parametrize("kind", ["Content-Length: 1000000", "Transfer-Encoding: chunked", "Connection: close"])
@on_each_loop
async def test_a_reply_over_the_limit_is_not_read_to_its_end(kind: str) -> None:
    sent = 0

    async def flood(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\n\r\n".encode())
        while sent < 50_000_000:
            writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n" if "chunked" in kind else b" " * 0x1000)
            sent += 0x1000
            await writer.drain()

    async with both(flood, MAX_RESPONSE_BYTES="2048") as (opened, service, _):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("RESPONSE_TOO_LARGE", "never")
    assert sent < 50_000_000


STATUSES = {
    "500 Oops": "SERVICE_ERROR",
    "400 No": "SERVICE_REJECTED",
    "503 Busy": "SERVICE_OVERLOADED",
    "404 Where": "SERVICE_UNREACHABLE",
    "502 Gone": "SERVICE_UNREACHABLE",
}


@pytest.mark.parametrize("kind", ["Content-Length: 50000000", "Transfer-Encoding: chunked", "Connection: close"])
@pytest.mark.parametrize("status", STATUSES)
@on_each_loop
async def test_the_status_of_an_error_counts_and_not_the_size_of_its_page(status: str, kind: str) -> None:
    sent = 0

    async def flood(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 {status}\r\n{kind}\r\n\r\n".encode())
        while sent < 50_000_000:
            writer.write(
                b"1000\r\n" + b"stack " * 682 + b"end.\r\n" if "chunked" in kind else b"stack " * 682 + b"end."
            )
            sent += 0x1000
            await writer.drain()

    async with both(flood, MAX_RESPONSE_BYTES="1000000") as (opened, service, site):
        error = await refused(opened, service)
        assert (error.code, error.reached) == (STATUSES[status], True)
        assert sent < 50_000_000
        assert len(error.message) < 1000
        await refused(opened, service)
        assert site.connections == 2, "the rest of the page is no reply to what is asked next"


@on_each_loop
async def test_an_error_that_is_longer_than_a_reply_may_be_keeps_its_beginning() -> None:
    page = b"CUDA out of memory " * 1000
    for body, encoding in ((page, "identity"), (gzip.compress(page), "gzip"), (page, "gzip"), (page, "br")):
        said = reply(body, "500 Oops", f"Content-Encoding: {encoding}")
        async with both(lambda path, said=said: said, MAX_RESPONSE_BYTES="2048") as (opened, service, _):
            error = await refused(opened, service)
        assert error.code == "SERVICE_ERROR"
        assert "CUDA out of memory" in error.message


@on_each_loop
async def test_a_redirect_is_not_followed() -> None:
    async with serving(lambda path: reply(OK)) as other:
        away = reply(b"", "302 Found", f"Location: http://127.0.0.1:{other.port}/analyze")
        async with both(lambda path: away) as (opened, service, _):
            error = await refused(opened, service)
    assert (error.code, error.retry) == ("BAD_RESPONSE", "later")
    assert "302" in error.message
    assert other.connections == 0


@on_each_loop
async def test_the_answer_of_another_service_of_the_fleet_is_not_taken() -> None:
    said = OK.replace(b"{", b'{"service": "colors", ', 1)
    async with both(lambda path: reply(said)) as (opened, service, _):
        error = await refused(opened, service)
        assert (await opened.upload(replace(service, foreign=frozenset()), JPEG)).data == said.decode()
    assert (error.code, error.retry) == ("BAD_RESPONSE", "pause")
    assert error.message == "colors answers at this address"


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@on_each_loop
async def test_a_service_that_has_too_much_to_do_says_when_to_come_again(status: str) -> None:
    in_a_while = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    async with (
        both(lambda path: reply(b"", status, "Retry-After: 7")) as (opened, service, _),
        both(lambda path: reply(b"", status, f"Retry-After: {in_a_while}")) as (other, dated, _),
        both(lambda path: reply(b"", status)) as (third, silent, _),
    ):
        assert (await refused(opened, service)).retry_after == 7
        assert 590 < ((await refused(other, dated)).retry_after or 0) <= 600
        assert (await refused(third, silent)).retry_after is None
