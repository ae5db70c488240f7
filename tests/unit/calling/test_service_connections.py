"""Connections to a service: opened ahead, used again, and the encodings of what comes over them."""

import asyncio
import gzip

import pytest

from tests.unit.calling.calling_scene import JPEG, OK, both, client, refused
from tests.unit.loopback import on_each_loop, reply, serving
from windmill.core.errors import WindmillError


@on_each_loop
async def test_a_connection_can_be_opened_ahead_of_the_call_that_uses_it() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        await opened.connect(service)
        await opened.upload(service, JPEG)
        assert site.connections == 1


@on_each_loop
async def test_a_service_that_takes_no_connection_was_not_reached() -> None:
    async with serving(lambda path: reply(OK)) as site:
        pass
    async with client(site.port) as (opened, service):
        with pytest.raises(WindmillError, match=f"yolov8 at 127.0.0.1:{site.port}: ") as error:
            await opened.connect(service)
        assert (error.value.code, error.value.retry, error.value.reached) == ("SERVICE_UNREACHABLE", "pause", False)
        assert not (await refused(opened, service)).reached


@on_each_loop
async def test_a_reply_of_exactly_the_limit_is_taken() -> None:
    body = OK.ljust(2048)
    async with both(lambda path: reply(body), MAX_RESPONSE_BYTES="2048") as (opened, service, _):
        assert (await opened.upload(service, JPEG)).data == body.decode()


@on_each_loop
async def test_a_connection_is_used_again() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        for _ in range(5):
            await opened.upload(service, JPEG)
    assert (len(site.requests), site.connections) == (5, 1)


@on_each_loop
async def test_a_service_that_hangs_up_after_every_reply_works_too() -> None:
    async def once(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(OK, "200 OK", "Connection: close"))
        await writer.drain()

    async with both(once) as (opened, service, site):
        for _ in range(3):
            await opened.upload(service, JPEG)
    assert site.connections == 3


@on_each_loop
async def test_a_compressed_reply_is_read() -> None:

    body = gzip.compress(OK)
    async with both(lambda path: reply(body, "200 OK", "Content-Encoding: gzip")) as (opened, service, _):
        assert (await opened.upload(service, JPEG)).data == OK.decode()


@on_each_loop
async def test_a_compressed_reply_is_held_to_the_limit_and_to_its_end() -> None:
    exactly, over = gzip.compress(OK.ljust(2048)), gzip.compress(OK.ljust(2049))
    codes = {exactly: "", over: "RESPONSE_TOO_LARGE", gzip.compress(OK)[:-8]: "BAD_RESPONSE"}
    for body, code in codes.items():
        said = reply(body, "200 OK", "Content-Encoding: gzip")
        async with both(lambda path, said=said: said, MAX_RESPONSE_BYTES="2048") as (opened, service, _):
            if code:
                assert (await refused(opened, service)).code == code
            else:
                await opened.upload(service, JPEG)


@on_each_loop
async def test_a_refusal_without_a_body_is_heard_whatever_it_says_of_its_encoding() -> None:
    async with both(lambda path: reply(b"", "503 Busy", "Content-Encoding: br")) as (opened, service, _):
        assert (await refused(opened, service)).code == "SERVICE_OVERLOADED"


@on_each_loop
async def test_an_encoding_is_not_asked_for() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        await opened.upload(service, JPEG)
    assert b"\r\nAccept-Encoding: identity\r\n" in site.requests[0]
