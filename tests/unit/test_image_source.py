"""Reading images: what lies outside the border is refused, and each way to fail has its own code."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.loopback import reply, serving
from windmill.errors import WindmillError
from windmill.image_source import MAX_REDIRECTS, ImageSource, looks_like_image
from windmill.messages import Job
from windmill.settings import Settings

JPEG = b"\xff\xd8\xff\xe0 the rest of a picture"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at_path(path: str | Path) -> Job:
    return Job(1, "1.jpg", str(path), None, NOON)


def at_url(url: str) -> Job:
    return Job(1, "1.jpg", None, url, NOON)


@asynccontextmanager
async def source(root: Path, allow: str = "", most: int = 2048) -> AsyncIterator[ImageSource]:
    environ = {"IMAGE_ROOT": str(root), "IMAGE_URL_ALLOW": allow, "MAX_IMAGE_BYTES": str(most)}
    async with ImageSource(Settings.from_env(environ)) as opened:
        yield opened


async def refused(images: ImageSource, job: Job) -> tuple[str, str]:
    with pytest.raises(WindmillError) as error:
        async with asyncio.timeout(10):
            await images.read(job)
    return error.value.code, error.value.retry


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a picture, beside one that must not be read."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(JPEG)
    (tmp_path / "secret.jpg").write_bytes(JPEG)
    (tmp_path / "pictures-of-others").mkdir()
    (tmp_path / "pictures-of-others" / "a.jpg").write_bytes(JPEG)
    return folder


async def test_a_file_is_read_by_absolute_and_by_relative_path(root: Path) -> None:
    (root / "x").mkdir()
    (root / "inner").symlink_to("a.jpg")
    async with source(root) as images:
        for path in (root / "a.jpg", "a.jpg", "./x/../a.jpg", "inner"):
            assert await images.read(at_path(path)) == JPEG


async def test_a_path_wins_over_a_url(root: Path) -> None:
    async with source(root) as images:
        assert await images.read(Job(1, "", "a.jpg", "http://127.0.0.1:1/never", NOON)) == JPEG


@pytest.mark.parametrize(
    "path", ["../secret.jpg", "x/../../secret.jpg", "/etc/passwd", "../pictures-of-others/a.jpg", "out", "outdir/a.jpg"]
)
async def test_a_path_that_leaves_image_root_is_forbidden(root: Path, path: str) -> None:
    (root / "out").symlink_to("../secret.jpg")
    (root / "outdir").symlink_to("../pictures-of-others")
    async with source(root) as images:
        assert await refused(images, at_path(path)) == ("IMAGE_FORBIDDEN", "never")


async def test_an_absolute_path_outside_the_root_is_forbidden_even_when_nothing_is_there(root: Path) -> None:
    async with source(root) as images:
        assert await refused(images, at_path(root.parent / "nothing.jpg")) == ("IMAGE_FORBIDDEN", "never")


async def test_each_file_that_cannot_be_read_says_why(root: Path) -> None:
    (root / "empty.jpg").touch()
    (root / "text.jpg").write_text("<html>")
    (root / "large.jpg").write_bytes(JPEG + bytes(2048))
    (root / "folder.jpg").mkdir()
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "dangling.jpg").symlink_to("nothing.jpg")
    os.mkfifo(root / "pipe.jpg")
    expected = {
        "missing.jpg": ("IMAGE_NOT_FOUND", "never"),
        "dangling.jpg": ("IMAGE_NOT_FOUND", "never"),
        "empty.jpg": ("IMAGE_UNREADABLE", "never"),
        "text.jpg": ("IMAGE_UNREADABLE", "never"),
        "folder.jpg": ("IMAGE_UNREADABLE", "never"),
        "loop.jpg": ("IMAGE_UNREADABLE", "never"),
        "pipe.jpg": ("IMAGE_UNREADABLE", "never"),
        "nul\0.jpg": ("IMAGE_UNREADABLE", "never"),
        "large.jpg": ("IMAGE_TOO_LARGE", "never"),
        # The system could not say whether it is there: not the image's fault for certain.
        "x" * 300: ("IMAGE_UNREADABLE", "later"),
    }
    async with source(root) as images:
        assert {name: await refused(images, at_path(name)) for name in expected} == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
async def test_a_file_that_may_not_be_read_is_forbidden(root: Path) -> None:
    (root / "a.jpg").chmod(0)
    async with source(root) as images:
        assert await refused(images, at_path("a.jpg")) == ("IMAGE_FORBIDDEN", "never")


async def test_a_file_of_exactly_the_limit_is_read(root: Path) -> None:
    (root / "full.jpg").write_bytes(JPEG.ljust(2048, b"x"))
    async with source(root) as images:
        assert len(await images.read(at_path("full.jpg"))) == 2048


@pytest.mark.parametrize(
    ("head", "fits"),
    [
        (b"\xff\xd8\xff\xdb", True),
        (b"\x89PNG\r\n\x1a\n\x00", True),
        (b"GIF89a", True),
        (b"BM\x00\x00", True),
        (b"RIFF\x00\x00\x00\x00WEBP", True),
        (b"II*\x00", True),
        (b"MM\x00*", True),
        (b"", False),
        (b"\xff\xd8", False),
        (b"<!doctype html>", False),
        (b"%PDF-1.7", False),
        (b"\x00\x00\x00\x00", False),
    ],
)
def test_images_are_told_by_how_they_begin(head: bytes, fits: bool) -> None:
    assert looks_like_image(head) is fits


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
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fc00::1]",
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
        await asyncio.sleep(60)

    async with serving(silent) as site:
        settings = Settings.from_env({"IMAGE_ROOT": str(root), "IMAGE_URL_ALLOW": "127.0.0.1"})
        async with ImageSource(settings, url_seconds=0.2) as images:
            assert await refused(images, at_url(f"http://127.0.0.1:{site.port}/")) == ("IMAGE_NOT_FOUND", "later")


@pytest.mark.parametrize("there", [True, False])
async def test_while_image_root_is_empty_or_gone_the_image_is_waited_for(tmp_path: Path, there: bool) -> None:
    """A share that is not mounted would otherwise fail every job for good."""
    root = tmp_path / "share"
    if there:
        root.mkdir()
    async with source(root) as images:
        assert await refused(images, at_path("a.jpg")) == ("IMAGE_NOT_FOUND", "pause")
