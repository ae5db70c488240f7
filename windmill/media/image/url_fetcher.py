"""Fetches image URLs: follows redirects, limits bytes and time, and rejects private hosts that are not allowed (SSRF).

URLs may contain passwords and signatures. They never leave this module: messages show scheme, host and path.
"""

import asyncio

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from windmill.core.errors import WindmillError
from windmill.kernels.net.image_urls import UnfitImageUrl, fit_image_url, render_url
from windmill.media.image.allowlist_resolver import AllowlistResolver, refusal_of

MAX_REDIRECTS = 3
_REDIRECT_STATUSES = (301, 302, 303, 307, 308)
_GONE = (404, 410)
# Uncompressed: the size after decompression would need a limit too.
_HEADERS = {"Accept-Encoding": "identity"}


class UrlFetcher:
    """Fetches images; the time limit covers all redirects of a fetch together."""

    def __init__(
        self, allowed: frozenset[str], max_bytes: int, seconds: float, resolver: AbstractResolver | None = None
    ) -> None:
        self._allowed = allowed
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "UrlFetcher":
        allowlist = AllowlistResolver(self._allowed, self._resolver or ThreadedResolver())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=allowlist),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def read(self, address: str) -> bytes:
        """The body at the address, following up to MAX_REDIRECTS redirects."""
        url = self._permitted(address)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url)
        except TimeoutError as error:
            said = f"{render_url(url)} did not answer within {self._seconds:g} s"
            raise WindmillError("IMAGE_NOT_FOUND", said, retry="later") from error

    async def _follow(self, first: URL) -> bytes:
        url = first
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._get(url)
            if isinstance(answer, bytes):
                return answer
            url = self._permitted(answer, url)
        raise WindmillError("IMAGE_NOT_FOUND", f"{render_url(first)} redirects more than {MAX_REDIRECTS} times")

    def _permitted(self, address: str, base: URL | None = None) -> URL:
        """The checks that need no name resolution; AllowlistResolver checks the resolved addresses.

        The parsed URL that is checked here is the one that is fetched: a second parser might see another host.
        """
        try:
            return fit_image_url(address, self._allowed, base)
        except UnfitImageUrl as error:
            raise WindmillError("IMAGE_FORBIDDEN", str(error)) from error

    async def _get(self, url: URL) -> bytes | str:
        """The body at `url`, or the target of its redirect."""
        if self._session is None:
            raise RuntimeError("ImageSource is used outside `async with`")
        try:
            async with self._session.get(url, allow_redirects=False) as reply:
                if reply.status in _REDIRECT_STATUSES and "Location" in reply.headers:
                    return reply.headers["Location"]
                _must_be_ok(reply)
                return await self._body(reply)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if refusal := refusal_of(error):
                raise WindmillError("IMAGE_FORBIDDEN", str(refusal)) from error
            # The host of the image may recover.
            raise WindmillError("IMAGE_NOT_FOUND", f"{render_url(url)}: {_reason(error)}", retry="later") from error

    async def _body(self, reply: aiohttp.ClientResponse) -> bytes:
        """The body; stops reading at the limit."""
        if (reply.content_length or 0) > self._max_bytes:
            raise self._too_large(reply.url)
        parts: list[bytes] = []
        size = 0
        async for part in reply.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > self._max_bytes:
                raise self._too_large(reply.url)
        return b"".join(parts)

    def _too_large(self, url: URL) -> WindmillError:
        said = f"{render_url(url)} is over MAX_IMAGE_BYTES={self._max_bytes}"
        return WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise MAX_IMAGE_BYTES")


def _must_be_ok(reply: aiohttp.ClientResponse) -> None:
    if reply.status >= 400:
        said = f"{render_url(reply.url)} answered {reply.status}"
        raise WindmillError("IMAGE_NOT_FOUND", said, retry="never" if reply.status in _GONE else "later")
    encoding = reply.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise WindmillError("IMAGE_UNREADABLE", f"{render_url(reply.url)} was sent compressed against the request")


def _reason(error: Exception) -> str:
    """The error text, if the error is known not to quote the URL; else its type."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return str(error)
    return "the reply is not HTTP" if isinstance(error, aiohttp.ClientResponseError) else type(error).__name__
