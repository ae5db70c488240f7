"""A server behind an engine: its connections, what its statuses mean, and bodies written to files as they come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from yarl import URL

from windmill.calling.reply_parser import parse_retry_after
from windmill.core.errors import Code, WindmillError
from windmill.core.service_access import ServiceAccess, tls_context
from windmill.core.service_urls import ServiceUrl
from windmill.engines.entries import RemoteEntry
from windmill.engines.told_codes import told_code
from windmill.kernels.text.printable import render_printable, shorten

CONNECT_SECONDS = 10.0
MAX_JSON_BYTES = 64 * 1024 * 1024
_PIECE = 1024 * 1024
_EXCERPT = 300
_REFUSAL_BYTES = 64 * 1024
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "windmill"}
_LOCKED = (401, 403, 407)
_BY_STATUS: dict[int, Code] = {
    404: "ENGINE_OFFLINE",
    405: "ENGINE_OFFLINE",
    408: "ENGINE_TIMEOUT",
    429: "SERVICE_OVERLOADED",
    502: "ENGINE_OFFLINE",
    503: "SERVICE_OVERLOADED",
    504: "ENGINE_TIMEOUT",
    507: "SERVICE_ERROR",
}
_OTHER_ADDRESS = "correct the url of the engine in SERVICE_CONFIG"
Response = aiohttp.ClientResponse


class Remote:
    """Requests to one server. Redirects are not followed: they would take keys elsewhere."""

    def __init__(self, name: str, entry: RemoteEntry, access: ServiceAccess, url: ServiceUrl | None = None) -> None:
        """`url` is one of several addresses of the entry."""
        self.name = name
        self.url = url or entry.url
        self.max_bytes = entry.max_response_bytes
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Opened when it is first needed."""
        if self._session is None:
            ssl = tls_context(self.name, self._access) if self.url.tls else True
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=ssl, limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()

    def address(self, path: str) -> str:
        """The URL of a path of the server."""
        return f"{self.url.origin}{self.url.prefix}{path}"

    @property
    def headers(self) -> dict[str, str]:
        """What goes to this server alone."""
        return dict(self._access.headers)

    def hide(self, text: str) -> str:
        """The text without keys: a server may repeat what it was sent."""
        return self._access.hide(text)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str | URL,
        *,
        own: bool = True,
        refuse: bool = True,
        **options: Any,  # noqa: ANN401 - aiohttp's
    ) -> AsyncIterator[Response]:
        """The reply to a request; raises the error that fits if there is none or, with `refuse`, it is a refusal."""
        headers = {**(self.headers if own else {}), **options.pop("headers", {})}
        try:
            async with self.session.request(method, url, headers=headers, allow_redirects=False, **options) as reply:
                if refuse and reply.status != 200:
                    raise await self._refusal(reply)
                yield reply
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._unreachable(error) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            said = f"the engine {self.name} broke off: {self.hide(str(error) or type(error).__name__)}"
            raise WindmillError("SERVICE_ERROR", said) from error

    async def json(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - any JSON
        """The document in the reply."""
        async with self.request(method, self.address(path), **options) as reply:
            return self.parse(await self.read(reply))

    async def read(self, reply: Response) -> bytes:
        """A body for the memory."""
        body = bytearray()
        most = min(self.max_bytes, MAX_JSON_BYTES)
        async for piece in reply.content.iter_any():
            body += piece
            if len(body) > most:
                raise self._too_large(most)
        return bytes(body)

    def parse(self, body: bytes) -> Any:  # noqa: ANN401 - any JSON
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise WindmillError(
                "BAD_RESPONSE", f"the engine {self.name} did not answer JSON: {excerpt(body)}"
            ) from error

    async def save(self, reply: Response, target: Path) -> int:
        """Write a body to a file, whole; returns its size."""
        if (reply.content_length or 0) > self.max_bytes:
            raise self._too_large(self.max_bytes)
        size = 0
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            async for piece in reply.content.iter_chunked(_PIECE):
                size += len(piece)
                if size > self.max_bytes:
                    raise self._too_large(self.max_bytes)
                await asyncio.to_thread(file.write, piece)
        return size

    def _too_large(self, most: int) -> WindmillError:
        said = f"the engine {self.name} answered more than {most:,} bytes"
        return WindmillError("RESPONSE_TOO_LARGE", said, "raise max_response_bytes of the engine if that is right")

    def _unreachable(self, error: Exception) -> WindmillError:
        said = f"the engine {self.name} cannot be reached at {self.url.origin}: {error}"
        return WindmillError("ENGINE_OFFLINE", said, f"start it, or {_OTHER_ADDRESS}", reached=False)

    async def _refusal(self, reply: Response) -> WindmillError:
        body = await reply.content.read(_REFUSAL_BYTES)
        wait = parse_retry_after(reply.headers.get("Retry-After", ""), datetime.now(UTC))
        return refusal(self.name, reply.status, self.hide(excerpt(body)), wait, told_code(_document(body)))


def refusal(
    name: str, status: int, said: str, retry_after: float | None = None, told: Code | None = None
) -> WindmillError:
    """The error for a reply that is not 200; `told` is the code that it names itself."""
    text = f"the engine {name} answered {status}: {said}"
    if told:
        return WindmillError(told, text)
    if status in _LOCKED:
        remedy = "correct the headers of the engine in SERVICE_CONFIG"
        return WindmillError("SERVICE_REJECTED", text, remedy, "pause", retry_after)
    code = _BY_STATUS.get(status) or ("SERVICE_ERROR" if status >= 500 else "SERVICE_REJECTED")
    if status < 400:
        code = "BAD_RESPONSE"
    remedy = f"start it, or {_OTHER_ADDRESS}" if code == "ENGINE_OFFLINE" else ""
    return WindmillError(code, text, remedy, retry_after=retry_after)


def _document(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def excerpt(body: bytes) -> str:
    """The start of a body, safe in one line."""
    return shorten(render_printable(body.decode("utf-8", "replace")), _EXCERPT) or "an empty body"
