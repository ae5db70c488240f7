"""Fetching images: the private network stays out of reach, however it is named."""

import socket
from pathlib import Path

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.helpers import is_ip_address
from yarl import URL

from tests.unit.imaging import JPEG, at_url, refused, source
from tests.unit.loopback import reply, serving
from tests.unit.media.fetching import PRIVATE, Names, redirecting
from windmill.core.errors import WindmillError
from windmill.kernels.net.private_hosts import looks_like_address
from windmill.media.image.url_fetcher import MAX_REDIRECTS, UrlFetcher


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that exists and does not matter."""
    return tmp_path


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


async def test_redirects_are_followed_so_many_times_and_no_more(root: Path) -> None:
    async with serving(redirecting(MAX_REDIRECTS)) as site, source(root, allow="127.0.0.1") as images:
        assert await images.read(at_url(f"http://127.0.0.1:{site.port}/0")) == JPEG
    async with serving(redirecting(MAX_REDIRECTS + 1)) as site, source(root, allow="127.0.0.1") as images:
        assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/0")) == ("IMAGE_NOT_FOUND", "never")
    assert len(site.requests) == MAX_REDIRECTS + 1


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
