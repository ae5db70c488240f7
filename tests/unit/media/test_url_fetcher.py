"""Fetching images: secrets stay in, bounds hold, and each way to fail has its own code."""

import asyncio
import gzip
import logging
import tracemalloc
from pathlib import Path

import pytest

from tests.unit.imaging import JPEG, at_url, refusal, refused, source
from tests.unit.loopback import reply, serving
from tests.unit.media.fetching import redirecting
from tests.waiting import at_work, forever


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that exists and does not matter."""
    return tmp_path


async def test_a_url_of_an_allowed_host_is_fetched(root: Path) -> None:
    async with serving(lambda path: reply(JPEG)) as site, source(root, allow="127.0.0.1") as images:
        assert await images.read(at_url(f"http://127.0.0.1:{site.port}/a%20b.jpg?x=1")) == JPEG
    assert site.requests[0].startswith(b"GET /a%20b.jpg?x=1 HTTP/1.1\r\n")


async def test_a_name_can_be_allowed_though_it_leads_to_a_private_address(root: Path) -> None:
    async with serving(lambda path: reply(JPEG)) as site, source(root, allow="localhost") as images:
        assert await images.read(at_url(f"http://localhost:{site.port}/")) == JPEG
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_FORBIDDEN", "never")


@pytest.mark.parametrize(
    ("answer", "code", "retry"),
    [
        (reply(b"", "404 Not Found"), "IMAGE_NOT_FOUND", "never"),
        (reply(b"", "410 Gone"), "IMAGE_NOT_FOUND", "never"),
        (reply(b"", "500 Oops"), "IMAGE_NOT_FOUND", "later"),
        (reply(b"", "503 Busy"), "IMAGE_NOT_FOUND", "later"),
        (reply(b"", "429 Slow Down"), "IMAGE_NOT_FOUND", "later"),
        (reply(b"", "403 Forbidden"), "IMAGE_NOT_FOUND", "later"),
        (reply(b"", "302 Nowhere"), "IMAGE_UNREADABLE", "never"),
        (reply(b"<html>login"), "IMAGE_UNREADABLE", "never"),
        (reply(b""), "IMAGE_UNREADABLE", "never"),
        (reply(JPEG + bytes(2048)), "IMAGE_TOO_LARGE", "never"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n" + JPEG, "IMAGE_NOT_FOUND", "later"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "IMAGE_NOT_FOUND", "later"),
    ],
)
async def test_each_answer_of_a_web_server_has_its_code(root: Path, answer: bytes, code: str, retry: str) -> None:
    async def once(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with serving(once) as site, source(root, allow="127.0.0.1") as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == (code, retry)


async def test_an_endless_body_is_read_no_further_than_the_limit(root: Path) -> None:
    sent = 0

    async def flood(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3\r\n\xff\xd8\xff\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            sent += 0x10000
            await writer.drain()

    async with serving(flood) as site, source(root, allow="127.0.0.1", most=100_000) as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_TOO_LARGE", "never")
    assert sent < 50_000_000


async def test_a_host_that_does_not_answer_now_may_answer_later(root: Path) -> None:
    async with serving(lambda path: reply(JPEG)) as site:
        pass
    async with source(root, allow="127.0.0.1") as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_NOT_FOUND", "later")
        assert await refused(images, at_url("http://no-such-host.invalid/")) == ("IMAGE_NOT_FOUND", "later")


async def test_a_host_that_stays_silent_is_given_up_after_a_time(root: Path) -> None:
    async def silent(_: str, writer: asyncio.StreamWriter) -> None:
        await forever()

    async with serving(silent) as site, source(root, allow="127.0.0.1", url_seconds=0.2) as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_NOT_FOUND", "later")


SECRETS = ("hunter2", "SIGNATURE", "FRAGMENT")


def signed(rest: str) -> str:
    return f"http://me:hunter2@{rest}?X-Signature=SIGNATURE#FRAGMENT"


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"", "404 Not Found"),
        reply(b"", "503 Busy"),
        reply(bytes(9999)),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + bytes(0x1000) + b"\r\n",
        reply(b"", "200 OK", "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n",
        b"",
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        reply(b"", "302 Found", "Location: ?again=SIGNATURE"),
        reply(b"", "302 Found", "Location: ftp://me:hunter2@127.0.0.1/p.jpg?SIGNATURE"),
        reply(b"", "302 Found", "Location: http://me:hunter2@127.0.0.1:x/p.jpg?SIGNATURE"),
        reply(b"", "302 Found", "Location: http://me:hunter2@10.0.0.1/p.jpg?SIGNATURE"),
        None,
    ],
)
async def test_no_password_and_no_signature_of_a_url_gets_into_a_message_or_a_log(
    root: Path, answer: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def once(_: str, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await forever()
        writer.write(answer or b"")
        await writer.drain()

    async with serving(once) as site, source(root, allow="127.0.0.1", url_seconds=0.5) as images:
        error = await refusal(images, at_url(signed(f"127.0.0.1:{site.port}/p.jpg")))
    assert not any(secret in str(error) + caplog.text for secret in SECRETS)
    assert "/p.jpg" in error.message or "10.0.0.1" in error.message


@pytest.mark.parametrize(
    "url",
    [
        signed("127.0.0.1:1/p.jpg"),
        signed("no-such-host.invalid/p.jpg"),
        signed("127.0.0.1:x/p.jpg"),
        signed("[::1/p.jpg"),
        signed("10.0.0.1/p.jpg"),
        signed("a" * 70 + ".example/p.jpg"),
        signed("a/p.jpg").replace("http", "ftp"),
        "http://me:hun/ter2@[/p.jpg?SIGNATURE",
        "http://me:hunter2?@:x/p.jpg?SIGNATURE",
        "//me:hunter2@127.0.0.1/p.jpg?SIGNATURE",
        "me:hunter2@127.0.0.1/p.jpg?SIGNATURE",
    ],
)
async def test_urls_that_lead_nowhere_keep_their_secrets_too(root: Path, url: str) -> None:
    async with source(root, allow="127.0.0.1") as images:
        said = str(await refusal(images, at_url(url)))
    assert not any(secret in said for secret in (*SECRETS, "ter2"))


async def test_the_password_of_a_url_is_given_to_its_host(root: Path) -> None:
    async with serving(lambda path: reply(JPEG)) as site, source(root, allow="127.0.0.1") as images:
        assert await images.read(at_url(f"http://me:hunter2@127.0.0.1:{site.port}/")) == JPEG
    assert b"Authorization: Basic " in site.requests[0]


async def test_a_body_that_unfolds_is_neither_asked_for_nor_unfolded(root: Path) -> None:
    bomb = gzip.compress(JPEG + bytes(20_000_000))
    packed = reply(bomb, "200 OK", "Content-Encoding: gzip")
    async with serving(lambda path: packed) as site, source(root, allow="127.0.0.1", most=100_000) as images:
        tracemalloc.start()
        error = await refusal(images, at_url(f"http://127.0.0.1:{site.port}/"))
        most_held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (error.code, error.retry) == ("IMAGE_UNREADABLE", "never")
    assert "compressed" in error.message
    assert most_held < 1_000_000
    assert b"Accept-Encoding: identity\r\n" in site.requests[0]


async def test_a_length_over_the_limit_is_enough_to_read_nothing(root: Path) -> None:
    async def promise(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        await forever()

    async with serving(promise) as site, source(root, allow="127.0.0.1") as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_TOO_LARGE", "never")


async def test_a_body_that_drips_is_given_up_when_its_time_is_over(root: Path) -> None:
    async def drip(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await at_work(0.02)  # a drip, which never comes to its end

    async with serving(drip) as site, source(root, allow="127.0.0.1", url_seconds=0.3) as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_NOT_FOUND", "later")


async def test_all_redirects_together_have_the_time_of_one_fetch(root: Path) -> None:
    async def slowly(path: str, writer: asyncio.StreamWriter) -> None:
        await at_work(0.2)  # less than the time of one fetch, and three of them are more
        writer.write(redirecting(2)(path))
        await writer.drain()

    async with serving(slowly) as site, source(root, allow="127.0.0.1", url_seconds=0.5) as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/0")) == ("IMAGE_NOT_FOUND", "later")
