"""Images behind URLs: fetched from public hosts, and from those of the private network that are allowed.

URLs may carry passwords and signatures. None leaves this module: messages show scheme, host and path.
"""

import asyncio
import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from windmill.core.errors import WindmillError
from windmill.kernels.text.hosts import may_name, may_visit

MAX_REDIRECTS = 3
_ELSEWHERE = (301, 302, 303, 307, 308)
_GONE = (404, 410)
# Asked for as it is: what a few compressed bytes unfold into would have to be bounded too.
_HEADERS = {"Accept-Encoding": "identity"}


class Web:
    """Fetches images; one limit of bytes and one of time holds for all redirects of a fetch together."""

    def __init__(
        self, allowed: frozenset[str], most: int, seconds: float, names: AbstractResolver | None = None
    ) -> None:
        self._allowed = allowed
        self._most = most
        self._seconds = seconds
        self._names = names
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Web":
        resolver = _BorderResolver(self._allowed, self._names or ThreadedResolver())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver),
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
        """The body behind the address, following few redirects."""
        url = self._permitted(address)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url)
        except TimeoutError as error:
            said = f"{shown(url)} was not there within {self._seconds:g} s"
            raise WindmillError("IMAGE_NOT_FOUND", said, retry="later") from error

    async def _follow(self, first: URL) -> bytes:
        url = first
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._get(url)
            if isinstance(answer, bytes):
                return answer
            url = self._permitted(answer, url)
        raise WindmillError("IMAGE_NOT_FOUND", f"{shown(first)} redirects more than {MAX_REDIRECTS} times")

    def _permitted(self, address: str, base: URL | None = None) -> URL:
        """The part of the border that needs no name resolution; names are resolved by _BorderResolver.

        The very URL that is judged is fetched: a second parser might see another host in the same text.
        """
        what = f"what {shown(base)} redirects to" if base else "image_url"
        try:
            url = base.join(URL(address)) if base else URL(address)
        except ValueError as error:
            # Which is not shown: who knows how far a password in it goes.
            raise WindmillError("IMAGE_FORBIDDEN", f"{what} is not a URL") from error
        host = url.raw_host
        if url.scheme not in ("http", "https") or not host:
            raise WindmillError("IMAGE_FORBIDDEN", f"{what} is not an http or https URL")
        if not may_name(host, self._allowed):
            raise WindmillError("IMAGE_FORBIDDEN", f"{host} is not a public address")
        return url

    async def _get(self, url: URL) -> bytes | str:
        """The body behind `url`, or where it redirects to."""
        if self._session is None:
            raise RuntimeError("ImageSource is used outside `async with`")
        try:
            async with self._session.get(url, allow_redirects=False) as reply:
                if reply.status in _ELSEWHERE and "Location" in reply.headers:
                    return reply.headers["Location"]
                _must_be_well(reply)
                return await self._body(reply)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            refusal = getattr(error, "os_error", None)  # aiohttp wraps what its resolver raises
            if isinstance(refusal, _Forbidden):
                raise WindmillError("IMAGE_FORBIDDEN", str(refusal)) from error
            # The host of the image is having a bad moment: the job may pass later.
            raise WindmillError("IMAGE_NOT_FOUND", f"{shown(url)}: {_reason(error)}", retry="later") from error

    async def _body(self, reply: aiohttp.ClientResponse) -> bytes:
        """The body, read no further than the limit."""
        if (reply.content_length or 0) > self._most:
            raise self._too_large(reply.url)
        parts: list[bytes] = []
        size = 0
        async for part in reply.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > self._most:
                raise self._too_large(reply.url)
        return b"".join(parts)

    def _too_large(self, url: URL) -> WindmillError:
        said = f"{shown(url)} is over MAX_IMAGE_BYTES={self._most}"
        return WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise MAX_IMAGE_BYTES")


def shown(url: URL) -> str:
    """A URL as it may stand in a message: without user, password, query and fragment."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def _must_be_well(reply: aiohttp.ClientResponse) -> None:
    if reply.status >= 400:
        said = f"{shown(reply.url)} answered {reply.status}"
        raise WindmillError("IMAGE_NOT_FOUND", said, retry="never" if reply.status in _GONE else "later")
    encoding = reply.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise WindmillError("IMAGE_UNREADABLE", f"{shown(reply.url)} is sent compressed, though asked not to be")


def _reason(error: Exception) -> str:
    """What happened, in the words of errors that are known not to quote the URL."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return str(error)
    return "the answer is not HTTP" if isinstance(error, aiohttp.ClientResponseError) else type(error).__name__


class _Forbidden(OSError):
    pass


class _BorderResolver(AbstractResolver):
    """Resolves names, and keeps only the addresses that may be visited. aiohttp connects to these very addresses and
    resolves nothing again, so that a name cannot lead elsewhere after it was judged."""

    def __init__(self, allowed: frozenset[str], names: AbstractResolver) -> None:
        self._allowed = allowed
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        fit = [entry for entry in found if may_visit(host, entry["host"], self._allowed)]
        if not fit:
            raise _Forbidden(f"{host} leads to no public address")
        return fit

    async def close(self) -> None:
        await self._names.close()
