"""The HTTP client for services: one multipart POST of the image, or a GET that names its URL."""

import asyncio
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from windmill.calling.http1 import ConnectError, Http1Client, HttpReply, ProtocolError, ReplyTooLarge
from windmill.calling.multipart_request import MULTIPART_OVERHEAD, get_request, post_head, post_request
from windmill.calling.reply_parser import parse_reply
from windmill.core.errors import WindmillError
from windmill.core.outcomes import Stored
from windmill.core.services import Service
from windmill.core.settings import Settings

CONNECT_SECONDS = 10.0
_SAFE_IN_PATH = "/?%:@!$&'()*+,;="
_DEFLATE_OR_GZIP = 32 + zlib.MAX_WBITS


class ServiceClient:
    """Calls services and parses their replies; raises WindmillError for everything that is not an answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = Http1Client()
        self._posts: dict[str, tuple[str, int, bytes]] = {}

    async def __aenter__(self) -> "ServiceClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._http.close()

    async def upload(self, service: Service, image: bytes) -> Stored:
        """Send the bytes of an image."""
        size = len(image) + MULTIPART_OVERHEAD
        if size > service.max_upload_bytes:
            said = f"{size} bytes are over {service.name}'s {service.max_upload_bytes}"
            remedy = "set SHRINK_IMAGES=true, shrink the image, or raise the service's max_upload_bytes"
            raise WindmillError("IMAGE_TOO_LARGE", said, remedy)
        host, port, head = self._post(service)
        return await self._call(service, host, port, post_request(head, image))

    async def refer(self, service: Service, image_url: str) -> Stored:
        """Let the service fetch the image itself."""
        host, port, target = self._where(service)
        try:
            return await self._call(service, host, port, (get_request(target, host, port, image_url),))
        except WindmillError as error:
            if error.code != "SERVICE_REJECTED":
                raise
            # Services answer 400 when they cannot fetch the image, and that may be temporary.
            raise WindmillError(error.code, error.message, retry="later") from error

    def _where(self, service: Service) -> tuple[str, int, str]:
        """Host, port and request target of a service."""
        host = (self._settings.service_host or service.host).strip().strip("[]")
        return host, service.port + self._settings.service_port_offset, quote(service.path, safe=_SAFE_IN_PATH)

    def _post(self, service: Service) -> tuple[str, int, bytes]:
        """Host, port and request head of uploads to a service, built once."""
        known = self._posts.get(service.name)
        if known is None:
            host, port, target = self._where(service)
            known = self._posts[service.name] = host, port, post_head(target, host, port)
        return known

    async def _call(self, service: Service, host: str, port: int, request: Sequence[bytes]) -> Stored:
        seconds = self._settings.request_timeout or service.timeout_seconds
        max_bytes = self._settings.max_response_bytes
        try:
            async with asyncio.timeout(seconds):
                connect_seconds = min(seconds / 2, CONNECT_SECONDS)
                reply = await self._http.exchange(
                    host, port, request, max_bytes=max_bytes, connect_seconds=connect_seconds
                )
        except ConnectError as error:
            raise WindmillError("SERVICE_UNREACHABLE", f"{service.name} at {host}:{port}: {error}") from error
        except TimeoutError as error:
            raise WindmillError("SERVICE_TIMEOUT", f"{service.name} gave no answer in {seconds:g} s") from error
        except ProtocolError as error:
            raise WindmillError("BAD_RESPONSE", f"{service.name} cut the reply off: {error}") from error
        except ReplyTooLarge as error:
            raise _too_large(max_bytes) from error
        header = reply.headers.get(b"retry-after")
        retry_after = header.decode("latin-1") if header else None
        body = _decompressed(service, reply, max_bytes)
        return parse_reply(reply.status, body, service.foreign, retry_after, datetime.now(UTC))


def _decompressed(service: Service, reply: HttpReply, max_bytes: int) -> bytes:
    """The body, decompressed if a proxy compressed it unasked."""
    encoding = reply.headers.get(b"content-encoding", b"identity").lower()
    if encoding == b"identity" or not reply.body:
        return reply.body
    inflate = zlib.decompressobj(_DEFLATE_OR_GZIP)
    said = f"{service.name} encodes its reply as {encoding.decode('latin-1')}"
    try:
        plain = inflate.decompress(reply.body, max_bytes + 1)
    except zlib.error as error:
        raise WindmillError("BAD_RESPONSE", f"{said}: {error}") from error
    if len(plain) > max_bytes:
        raise _too_large(max_bytes)
    if not inflate.eof:
        raise WindmillError("BAD_RESPONSE", f"{said}, and its end is missing")
    return plain


def _too_large(max_bytes: int) -> WindmillError:
    return WindmillError("RESPONSE_TOO_LARGE", f"the reply is over MAX_RESPONSE_BYTES={max_bytes}")
