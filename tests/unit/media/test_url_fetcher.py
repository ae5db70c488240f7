"""Fetching images: the private network stays out of reach, secrets stay in, and each way to fail has its own code."""

import asyncio
import gzip
import logging
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.helpers import is_ip_address
from yarl import URL

from tests.unit.imaging import JPEG, at_url, refusal, refused, source
from tests.unit.loopback import reply, serving
from tests.waiting import at_work, forever
from windmill.core.errors import WindmillError
from windmill.kernels.net.private_hosts import looks_like_address
from windmill.media.image.url_fetcher import MAX_REDIRECTS, UrlFetcher


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


PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "localhost.",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1%25lo]",
    "[::ffff:127.0.0.1%25lo]",
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
    "168.63.129.16",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "2130706433",
    "127.1",
    "0177.0.0.1",
    "017700000001",
    "0x7f.1",
    "0x7f000001",
    "127.0.0.1.",
    "127.000.000.001",
    "\uff11\uff12\uff17.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "example.com@127.0.0.1",
    "example.com:80@127.0.0.1",
]


@pytest.mark.parametrize("host", PRIVATE)
async def test_the_private_network_is_forbidden_however_it_is_spelt(root: Path, host: str) -> None:
    async with serving(lambda path: reply(JPEG)) as site, source(root) as images:
        assert await refused(images, at_url(f"http://{host}:{site.port}/")) == ("IMAGE_FORBIDDEN", "never")
    assert site.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a.jpg",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "data:image/png;base64,AAAA",
        "//127.0.0.1/a",
        "/etc/passwd",
        "http://",
        "http:///a.jpg",
        "http://[::1/a.jpg",
        "http://example.com\\@127.0.0.1/",
        "http://a:99999999/",
        "javascript:alert(1)",
        "",
    ],
)
async def test_what_is_no_web_address_is_forbidden(root: Path, url: str) -> None:
    async with source(root) as images:
        assert await refused(images, at_url(url)) == ("IMAGE_FORBIDDEN", "never")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f.1", "169.254.169.254", "2130706433"])
async def test_a_redirect_cannot_lead_into_the_private_network(root: Path, host: str) -> None:
    async with serving(lambda path: reply(JPEG)) as inner:
        away = reply(b"", "302 Found", f"Location: http://{host}:{inner.port}/")
        async with serving(lambda path: away) as site, source(root, allow="localhost") as images:
            assert await refused(images, at_url(f"http://localhost:{site.port}/")) == ("IMAGE_FORBIDDEN", "never")
        assert len(site.requests) == 1
    assert inner.connections == 0


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://[", "ftp://127.0.0.1/"])
async def test_a_redirect_to_what_is_no_web_address_is_forbidden(root: Path, target: str) -> None:
    away = reply(b"", "301 Moved", f"Location: {target}")
    async with serving(lambda path: away) as site, source(root, allow="127.0.0.1") as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_FORBIDDEN", "never")


def redirecting(times: int) -> Callable[[str], bytes]:
    """Leads from /n to /n+1, until the picture after so many `times`."""

    def answer(path: str) -> bytes:
        step = int(path.strip("/") or 0)
        return reply(JPEG) if step == times else reply(b"", "307 Temporary Redirect", f"Location: {step + 1}")

    return answer


async def test_redirects_are_followed_so_many_times_and_no_more(root: Path) -> None:
    async with serving(redirecting(MAX_REDIRECTS)) as site, source(root, allow="127.0.0.1") as images:
        assert await images.read(at_url(f"http://127.0.0.1:{site.port}/0")) == JPEG
    async with serving(redirecting(MAX_REDIRECTS + 1)) as site, source(root, allow="127.0.0.1") as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/0")) == ("IMAGE_NOT_FOUND", "never")
    assert len(site.requests) == MAX_REDIRECTS + 1


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
            await asyncio.sleep(0.02)  # a drip, which never comes to its end

    async with serving(drip) as site, source(root, allow="127.0.0.1", url_seconds=0.3) as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_NOT_FOUND", "later")


async def test_all_redirects_together_have_the_time_of_one_fetch(root: Path) -> None:
    async def slowly(path: str, writer: asyncio.StreamWriter) -> None:
        await at_work(0.2)  # less than the time of one fetch, and three of them are more
        writer.write(redirecting(2)(path))
        await writer.drain()

    async with serving(slowly) as site, source(root, allow="127.0.0.1", url_seconds=0.5) as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/0")) == ("IMAGE_NOT_FOUND", "later")


class Names(AbstractResolver):
    """Answers each question for any name with the next of these addresses, and the last one for ever."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self._addresses[min(self.asked, len(self._addresses) - 1)]
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0),
        ]

    async def close(self) -> None:
        pass


async def test_the_address_that_was_judged_is_the_one_that_is_asked() -> None:
    """A name that led to a permitted address leads to a forbidden one when it is looked up again."""
    names = Names("127.0.0.1", "127.0.0.2")
    async with serving(lambda path: reply(JPEG)) as site:
        async with UrlFetcher(frozenset({"127.0.0.1/32"}), 2048, 5, names) as web:
            assert await web.read(f"http://turning.example:{site.port}/") == JPEG
            assert (names.asked, site.connections) == (1, 1)
        async with UrlFetcher(frozenset({"127.0.0.1/32"}), 2048, 5, names) as web:
            with pytest.raises(WindmillError, match="resolves to no public address") as error:
                await web.read(f"http://turning.example:{site.port}/")
    assert error.value.code == "IMAGE_FORBIDDEN"
    assert (names.asked, site.connections) == (2, 1)


async def test_a_name_that_leads_to_public_and_private_addresses_is_asked_at_the_permitted_ones_only() -> None:
    class Both(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            return [*await super().resolve(host, port), *await super().resolve(host, port)]

    web = UrlFetcher(frozenset({"127.0.0.2/32"}), 2048, 5, Both("127.0.0.1", "127.0.0.2"))
    async with serving(lambda path: reply(JPEG)) as site, web:
        with pytest.raises(WindmillError, match="Cannot connect") as error:
            await web.read(f"http://both.example:{site.port}/")
    assert (error.value.code, site.connections) == ("IMAGE_NOT_FOUND", 0)


@pytest.mark.parametrize("host", [*PRIVATE, "8.8.8.8", "[2600::1]", "example.com", "1.example", "0x7f.1", "1e1", "a:b"])
def test_what_the_client_takes_for_an_address_is_judged_as_one(host: str) -> None:
    """It asks no resolver then, so that nothing else would judge it."""
    try:
        raw = URL(f"http://{host}/").raw_host or ""
    except ValueError:
        return
    assert looks_like_address(raw) or not is_ip_address(raw)


async def test_networks_of_the_private_network_can_be_allowed(root: Path) -> None:
    async with serving(lambda path: reply(JPEG)) as site, source(root, allow="10.0.0.0/8,127.0.0.0/8") as images:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            assert await images.read(at_url(f"http://{host}:{site.port}/")) == JPEG
        assert await refused(images, at_url(f"http://[::1]:{site.port}/")) == ("IMAGE_FORBIDDEN", "never")
