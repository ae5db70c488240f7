"""Calling a service over HTTP: one multipart POST of the image, or a GET that names its URL."""

import io
import uuid
from urllib.parse import quote

import aiohttp
from yarl import URL

from windmill.errors import WindmillError
from windmill.outcomes import Stored
from windmill.replies import judge
from windmill.services import Service
from windmill.settings import Settings

LARGE_BYTES = 2**20

# One boundary for the life of the process, so that a body is joined once from three parts.
_BOUNDARY = uuid.uuid4().hex
_HEAD = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="image.jpg"\r\n'
    "Content-Type: image/jpeg\r\n\r\n"
).encode()
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()
_HEADERS = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}


def upload_body(image: bytes) -> bytes:
    """The form that every version of every service accepts: field `file`, called image.jpg, said to be JPEG."""
    return b"".join((_HEAD, image, _TAIL))


class ServiceClient:
    """Calls services and judges their replies; what is not an answer leaves as a WindmillError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "ServiceClient":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def upload(self, service: Service, image: bytes) -> Stored:
        """Send the bytes of an image."""
        body = upload_body(image)
        if len(body) > service.max_upload_bytes:
            raise WindmillError(
                "IMAGE_TOO_LARGE", f"{len(body)} bytes are over {service.name}'s {service.max_upload_bytes}"
            )
        return await self._call(service, "POST", self._url(service), body)

    async def refer(self, service: Service, image_url: str) -> Stored:
        """Let the service fetch the image itself."""
        try:
            return await self._call(service, "GET", f"{self._url(service)}?url={quote(image_url, safe='')}")
        except WindmillError as error:
            if error.code != "SERVICE_REJECTED":
                raise
            # Services answer 400 when they could not fetch the image, and that may pass.
            raise WindmillError(error.code, error.message, retry="later") from error

    def _url(self, service: Service) -> str:
        return service.url(self._settings.service_host, self._settings.service_port_offset)

    async def _call(self, service: Service, method: str, url: str, body: bytes | None = None) -> Stored:
        if self._session is None:
            raise RuntimeError("ServiceClient is used outside `async with`")
        seconds = self._settings.request_timeout or service.timeout_seconds
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds / 2, 10))
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                data=_payload(body),
                headers=_HEADERS if body else None,
                timeout=timeout,
                allow_redirects=False,  # where services are is for the configuration to say
            ) as reply:
                return judge(reply.status, await self._body(reply))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise WindmillError("SERVICE_UNREACHABLE", f"{service.name} at {url}: {error}") from error
        except TimeoutError as error:
            raise WindmillError("SERVICE_TIMEOUT", f"{service.name} gave no answer in {seconds:g} s") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            reason = str(error) or type(error).__name__
            raise WindmillError("BAD_RESPONSE", f"{service.name} cut the reply off: {reason}") from error

    async def _body(self, reply: aiohttp.ClientResponse) -> bytes:
        most = self._settings.max_response_bytes
        if (reply.content_length or 0) > most:
            raise _too_large(most)
        body = bytearray()
        async for part in reply.content.iter_any():
            body += part
            if len(body) > most:
                raise _too_large(most)
        return bytes(body)


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """Large bodies as a file, which aiohttp writes in pieces; bytes it writes in one go, and warns of it."""
    return io.BytesIO(body) if body and len(body) > LARGE_BYTES else body


def _too_large(most: int) -> WindmillError:
    return WindmillError("RESPONSE_TOO_LARGE", f"the reply is over MAX_RESPONSE_BYTES={most}")
