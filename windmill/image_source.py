"""Reading the bytes of an image, from a path under IMAGE_ROOT or a URL that may be fetched. Nothing is decoded."""

import asyncio
import ipaddress
import socket
import stat

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from windmill.errors import WindmillError
from windmill.messages import Job
from windmill.settings import Settings

URL_SECONDS = 30.0
MAX_REDIRECTS = 3
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF", b"II*\x00", b"MM\x00*")
"""How the files begin that the services read: JPEG, PNG, GIF, BMP, WebP, TIFF."""


def looks_like_image(head: bytes) -> bool:
    """Whether a file that begins so is worth sending: a glance that decodes nothing."""
    return head.startswith(_MAGIC)


class ImageSource:
    """Hands out image bytes, or an IMAGE_* error that says why not."""

    def __init__(self, settings: Settings, url_seconds: float = URL_SECONDS) -> None:
        self._root = settings.image_root.resolve()
        self._most = settings.max_image_bytes
        self._timeout = aiohttp.ClientTimeout(total=url_seconds)
        self._allowed = frozenset(settings.image_url_allow)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "ImageSource":
        connector = aiohttp.TCPConnector(resolver=_PublicResolver(self._allowed))
        cookies = aiohttp.DummyCookieJar()
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout, cookie_jar=cookies)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def read(self, job: Job) -> bytes:
        """The file behind the job's path or, where it has none, behind its URL."""
        if job.image_path:
            # In a thread: a network share that hangs must not stop the heartbeats.
            data = await asyncio.to_thread(self._read_path, job.image_path)
        else:
            data = await self._fetch(job.image_url or "")
        if not looks_like_image(data):
            raise WindmillError("IMAGE_UNREADABLE", f"the file does not begin as an image: {data[:8]!r}")
        return data

    def _read_path(self, image_path: str) -> bytes:
        path = self._root / image_path
        try:
            if not path.resolve().is_relative_to(self._root):
                raise WindmillError("IMAGE_FORBIDDEN", f"{image_path} lies outside IMAGE_ROOT={self._root}")
            if not stat.S_ISREG(path.stat().st_mode):
                # Opening a named pipe would wait for ever.
                raise WindmillError("IMAGE_UNREADABLE", f"{image_path} is not a file")
            with path.open("rb") as file:
                data = file.read(self._most + 1)
        except FileNotFoundError as error:
            self._must_have_root()
            raise WindmillError("IMAGE_NOT_FOUND", f"there is no file {image_path}") from error
        except PermissionError as error:
            raise WindmillError("IMAGE_FORBIDDEN", f"{image_path} may not be read") from error
        except OSError as error:
            # A disk, a network share or this process (too many open files) is having a bad moment.
            raise WindmillError("IMAGE_UNREADABLE", f"{image_path}: {error.strerror}", retry="later") from error
        except (ValueError, RuntimeError) as error:
            # What pathlib raises for a NUL in a path, and for links that lead in a circle.
            raise WindmillError("IMAGE_UNREADABLE", f"{image_path}: {error}") from error
        return self._within_limit(data)

    def _must_have_root(self) -> None:
        """A share that is not mounted makes every image look deleted: better to wait for it."""
        if not self._root.is_dir() or not any(self._root.iterdir()):
            said = f"IMAGE_ROOT={self._root} is empty or not there"
            raise WindmillError("IMAGE_NOT_FOUND", said, "mount it; jobs wait meanwhile", retry="pause")

    def _within_limit(self, data: bytes) -> bytes:
        if len(data) > self._most:
            raise WindmillError("IMAGE_TOO_LARGE", f"the file is over MAX_IMAGE_BYTES={self._most}")
        return data

    async def _fetch(self, address: str) -> bytes:
        url = self._permitted(address)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._get(url)
            if isinstance(answer, bytes):
                return self._within_limit(answer)
            url = self._permitted(answer, url)
        raise WindmillError("IMAGE_NOT_FOUND", f"{address} redirects more than {MAX_REDIRECTS} times")

    def _permitted(self, address: str, base: URL | None = None) -> URL:
        """The part of the border that needs no name resolution; aiohttp resolves names by _PublicResolver.

        The very URL that is judged is fetched: a second parser might see another host in the same text.
        """
        try:
            url = base.join(URL(address)) if base else URL(address)
        except ValueError as error:
            raise WindmillError("IMAGE_FORBIDDEN", f"{address} is not a URL: {error}") from error
        host = url.raw_host
        if url.scheme not in ("http", "https") or not host:
            raise WindmillError("IMAGE_FORBIDDEN", f"{url} is not an http or https URL")
        if not may_name(host, self._allowed):
            raise WindmillError("IMAGE_FORBIDDEN", f"{host} is not a public address")
        return url

    async def _get(self, url: URL) -> bytes | str:
        """The body behind `url`, or where it redirects to."""
        if self._session is None:
            raise RuntimeError("ImageSource is used outside `async with`")
        try:
            async with self._session.get(url, allow_redirects=False) as reply:
                if reply.status in (301, 302, 303, 307, 308) and "Location" in reply.headers:
                    return reply.headers["Location"]
                if reply.status in (404, 410):
                    raise WindmillError("IMAGE_NOT_FOUND", f"{url} answered {reply.status}")
                reply.raise_for_status()
                return await _bounded(reply, self._most)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            refusal = getattr(error, "os_error", None)  # aiohttp wraps what its resolver raises
            if isinstance(refusal, _Forbidden):
                raise WindmillError("IMAGE_FORBIDDEN", str(refusal)) from error
            # The host of the image is having a bad moment: the job may pass later.
            reason = str(error) or type(error).__name__
            raise WindmillError("IMAGE_NOT_FOUND", f"{url}: {reason}", retry="later") from error


async def _bounded(reply: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, read no further than one byte past the limit."""
    parts: list[bytes] = []
    size = 0
    async for part in reply.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            break
    return b"".join(parts)


class _Forbidden(OSError):
    pass


class _PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that lead into the private network."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        fit = [entry for entry in found if _may_visit(host, entry["host"], self._allowed)]
        if not fit:
            raise _Forbidden(f"{host} leads to no public address")
        return fit

    async def close(self) -> None:
        await self._inner.close()


def may_name(host: str, allowed: frozenset[str]) -> bool:
    """Whether a URL may name this host, as far as that is known before its name is resolved."""
    known = ("127.0.0.1", "::1") if host == "localhost" else (host,) if _is_address(host) else ()
    return not known or any(_may_visit(host, address, allowed) for address in known)


def _is_address(host: str) -> bool:
    """Whether it is taken for an address, also in short forms such as 127.1, instead of resolved as a name."""
    return ":" in host or host.replace(".", "").isdigit()


def _may_visit(host: str, address: str, allowed: frozenset[str]) -> bool:
    if host in allowed or address in allowed:
        return True
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
