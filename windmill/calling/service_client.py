"""Calling a service over HTTP: one multipart POST of the image, or a GET that names its URL."""

import asyncio
import uuid
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from windmill.calling.http1 import CutOff, Http1Client, NotReached, Reply, ReplyTooLarge
from windmill.calling.replies import judge
from windmill.core.errors import WindmillError
from windmill.core.outcomes import Stored
from windmill.core.services import Service
from windmill.core.settings import Settings

# One boundary for the life of the process, so that the form around an image is made once.
_BOUNDARY = uuid.uuid4().hex
_FORM_HEAD = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="image.jpg"\r\n'
    "Content-Type: image/jpeg\r\n\r\n"
).encode()
_FORM_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()
_FORM_BYTES = len(_FORM_HEAD) + len(_FORM_TAIL)
CONNECT_SECONDS = 10.0
_PLAIN_IN_A_PATH = "/?%:@!$&'()*+,;="
_DEFLATE_OR_GZIP = 32 + zlib.MAX_WBITS


def form(image: bytes) -> Sequence[bytes]:
    """The form that every version of every service accepts: field `file`, called image.jpg, said to be JPEG."""
    return (_FORM_HEAD, image, _FORM_TAIL)


class ServiceClient:
    """Calls services and judges their replies; what is not an answer leaves as a WindmillError."""

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
        size = len(image) + _FORM_BYTES
        if size > service.max_upload_bytes:
            said = f"{size} bytes are over {service.name}'s {service.max_upload_bytes}"
            raise WindmillError("IMAGE_TOO_LARGE", said)
        host, port, head = self._post(service)
        return await self._call(service, host, port, (b"%s%d\r\n\r\n" % (head, size), *form(image)))

    async def refer(self, service: Service, image_url: str) -> Stored:
        """Let the service fetch the image itself."""
        host, port, target = self._where(service)
        mark = "&" if "?" in target else "?"
        request = _head("GET", f"{target}{mark}url={quote(image_url, safe='')}", host, port) + "\r\n"
        try:
            return await self._call(service, host, port, (request.encode(),))
        except WindmillError as error:
            if error.code != "SERVICE_REJECTED":
                raise
            # Services answer 400 when they could not fetch the image, and that may pass.
            raise WindmillError(error.code, error.message, retry="later") from error

    def _where(self, service: Service) -> tuple[str, int, str]:
        """Host, port, and path with its query, of a service."""
        host = (self._settings.service_host or service.host).strip().strip("[]")
        return host, service.port + self._settings.service_port_offset, quote(service.path, safe=_PLAIN_IN_A_PATH)

    def _post(self, service: Service) -> tuple[str, int, bytes]:
        """The same for each upload to a service: where to, and its header up to the number of bytes."""
        known = self._posts.get(service.name)
        if known is None:
            host, port, target = self._where(service)
            kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: "
            known = self._posts[service.name] = host, port, (_head("POST", target, host, port) + kind).encode()
        return known

    async def _call(self, service: Service, host: str, port: int, request: Sequence[bytes]) -> Stored:
        seconds = self._settings.request_timeout or service.timeout_seconds
        most = self._settings.max_response_bytes
        try:
            async with asyncio.timeout(seconds):
                patience = min(seconds / 2, CONNECT_SECONDS)
                reply = await self._http.exchange(host, port, request, most=most, connect_seconds=patience)
        except NotReached as error:
            raise WindmillError("SERVICE_UNREACHABLE", f"{service.name} at {host}:{port}: {error}") from error
        except TimeoutError as error:
            raise WindmillError("SERVICE_TIMEOUT", f"{service.name} gave no answer in {seconds:g} s") from error
        except CutOff as error:
            raise WindmillError("BAD_RESPONSE", f"{service.name} cut the reply off: {error}") from error
        except ReplyTooLarge as error:
            raise _too_large(most) from error
        asked = reply.headers.get(b"retry-after")
        waits = asked.decode("latin-1") if asked else None
        return judge(reply.status, _plain(service, reply, most), service.foreign, waits, datetime.now(UTC))


def _head(method: str, target: str, host: str, port: int) -> str:
    """A request up to where its own header lines begin. Nothing of an image gets in here unquoted."""
    name = f"[{host}]" if ":" in host else host
    wants = "Accept: application/json\r\nAccept-Encoding: identity\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: {name}:{port}\r\n{wants}User-Agent: windmill\r\n"


def _plain(service: Service, reply: Reply, most: int) -> bytes:
    """The body as it was before a proxy compressed it, which nobody asked for."""
    encoding = reply.headers.get(b"content-encoding", b"identity").lower()
    if encoding == b"identity" or not reply.body:
        return reply.body
    inflate = zlib.decompressobj(_DEFLATE_OR_GZIP)
    said = f"{service.name} encodes its reply as {encoding.decode('latin-1')}"
    try:
        plain = inflate.decompress(reply.body, most + 1)
    except zlib.error as error:
        raise WindmillError("BAD_RESPONSE", f"{said}: {error}") from error
    if len(plain) > most:
        raise _too_large(most)
    if not inflate.eof:
        raise WindmillError("BAD_RESPONSE", f"{said}, and its end is missing")
    return plain


def _too_large(most: int) -> WindmillError:
    return WindmillError("RESPONSE_TOO_LARGE", f"the reply is over MAX_RESPONSE_BYTES={most}")
