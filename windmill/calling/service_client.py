"""The HTTP client for services: one multipart POST of the image, or a GET that names its URL."""

import asyncio
import itertools
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from windmill.calling.http1 import (
    MAX_ERROR_BYTES,
    ConnectError,
    Http1Client,
    HttpReply,
    HttpServer,
    MismatchedReply,
    ProtocolError,
    ReplyTooLarge,
    TlsError,
)
from windmill.calling.image_url import reject_unfit_url
from windmill.calling.multipart_request import (
    MULTIPART_OVERHEAD,
    answers_another_request,
    get_request,
    post_head,
    post_request,
    request_id,
)
from windmill.calling.probe_image import PROBE_IMAGE
from windmill.calling.reply_parser import parse_reply
from windmill.calling.service_addresses import FailedAtAddress, ServiceAddress, ServiceAddresses
from windmill.core.errors import TOO_LARGE_REMEDY, WindmillError
from windmill.core.outcomes import Stored
from windmill.core.service_access import ServiceAccess, tls_context
from windmill.core.services import Service
from windmill.core.settings import Settings

CONNECT_SECONDS = 10.0
_DEFLATE_OR_GZIP = 32 + zlib.MAX_WBITS
_TLS_REMEDY = "renew the service's certificate, or correct its url, ca and client_certificate in SERVICE_CONFIG"
_MISMATCHED_REMEDY = "see whether the service, or a proxy in front of it, sends replies twice"

_Request = Callable[[ServiceAddress, bytes], Sequence[bytes]]


@dataclass(frozen=True)
class _Route:
    """What all calls to one service have in common."""

    access: ServiceAccess
    addresses: ServiceAddresses
    post_heads: dict[ServiceAddress, bytes]


class ServiceClient:
    """Calls services and parses their replies; raises WindmillError for everything that is not an answer.

    `access` has the keys and certificates of the services that need some (windmill.core.service_access)."""

    def __init__(
        self,
        settings: Settings,
        access: Mapping[str, ServiceAccess] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._access = access or {}
        self._http = Http1Client()
        self._routes: dict[str, _Route] = {}
        self._numbers = itertools.count(1)
        self._allowed_hosts = frozenset(settings.image_url_allow)

    async def __aenter__(self) -> "ServiceClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        for route in self._routes.values():
            route.addresses.close()
        self._http.close()

    def addresses(self, service: Service) -> ServiceAddresses:
        """The addresses of a service, with their breakers. Raises CONFIG_INVALID for a certificate that is none."""
        return self._route(service).addresses

    async def upload(self, service: Service, image: bytes, at: ServiceAddress | None = None) -> Stored:
        """Send the bytes of an image, to any address of the service unless one is named."""
        size = len(image) + MULTIPART_OVERHEAD
        if size > service.max_upload_bytes:
            said = f"{size} bytes are over {service.name}'s {service.max_upload_bytes}"
            raise WindmillError("IMAGE_TOO_LARGE", said, TOO_LARGE_REMEDY, reached=False)
        route = self._route(service)

        def request(address: ServiceAddress, number: bytes) -> Sequence[bytes]:
            return post_request(route.post_heads[address], number, image)

        if at is None:
            return await self._call_any(route, service, request)
        return await self._call(route, service, at, request)

    async def refer(self, service: Service, image_url: str) -> Stored:
        """Let the service fetch the image itself. It resolves the name, so only the URL itself can be checked here."""
        reject_unfit_url(image_url, self._allowed_hosts)
        route = self._route(service)

        def request(address: ServiceAddress, number: bytes) -> Sequence[bytes]:
            url = address.url
            return (get_request(url.target, url.authority, number, image_url, route.access.headers),)

        try:
            return await self._call_any(route, service, request)
        except WindmillError as error:
            if error.code == "SERVICE_REJECTED":
                # Services answer 400 when they cannot fetch the image, and that may be temporary.
                error.retry = "later"
            raise

    async def connect(self, service: Service) -> None:
        """Open a connection and keep it for the next call; raises if the service takes none."""
        address = self._route(service).addresses.pick()
        seconds = self._settings.request_timeout or service.timeout_seconds
        try:
            await self._http.connect(address.server, min(seconds / 2, CONNECT_SECONDS))
        except ConnectError as error:
            raise _unreachable(service, address, error) from error

    def _route(self, service: Service) -> _Route:
        """Addresses and request heads of a service, made once."""
        known = self._routes.get(service.name)
        if known is None:
            known = self._routes[service.name] = self._new_route(service)
        return known

    def _new_route(self, service: Service) -> _Route:
        access = self._access.get(service.name)
        if access is None:
            if service.headers or service.ca or service.client_certificate:
                raise RuntimeError(f"the client was given no access to {service.name}")
            access = ServiceAccess()
        urls = service.addresses(self._settings.service_host, self._settings.service_port_offset)
        tls = tls_context(service.name, access) if any(url.tls for url in urls) else None
        servers = [(url, HttpServer(url.host, url.port, tls if url.tls else None)) for url in urls]

        async def probe(address: ServiceAddress) -> None:
            head = heads[address]
            await self._call(route, service, address, lambda _, number: post_request(head, number, PROBE_IMAGE))

        addresses = ServiceAddresses(
            service.name, servers, probe, surplus_connections=self._http.surplus_connections.__getitem__
        )
        heads = {one: post_head(one.url.target, one.url.authority, access.headers) for one in addresses}
        route = _Route(access, addresses, heads)
        return route

    async def _call_any(self, route: _Route, service: Service, request: _Request) -> Stored:
        """Call the address with the fewest calls in flight. One that does not take the call is away, and the next one
        gets it; a failure after that is for the caller to judge. Only addresses that answer slowly use up the time in
        which the next one gets it: one time-out, for which a slot of the fleet allows."""
        addresses = route.addresses
        last_start = self._clock() + (self._settings.request_timeout or service.timeout_seconds)
        while True:
            address = addresses.pick()
            try:
                stored = await self._call(route, service, address, request)
            except WindmillError as error:
                if not addresses.several:
                    raise
                if error.reached:
                    raise FailedAtAddress(error, address) from error
                address.breaker.trip(error)
                if self._clock() >= last_start:
                    raise
            else:
                if addresses.several:
                    address.breaker.answered()
                return stored

    async def _call(self, route: _Route, service: Service, address: ServiceAddress, request: _Request) -> Stored:
        address.in_flight += 1
        address.calls += 1
        try:
            return await self._exchange(service, address, request)
        except WindmillError as error:
            if route.access.secrets:
                raise _hidden(error, route.access) from None
            raise
        finally:
            address.in_flight -= 1

    async def _exchange(self, service: Service, address: ServiceAddress, request: _Request) -> Stored:
        seconds = self._settings.request_timeout or service.timeout_seconds
        max_bytes = self._settings.max_response_bytes
        number = request_id(next(self._numbers))
        try:
            async with asyncio.timeout(seconds):
                reply = await self._http.exchange(
                    address.server,
                    request(address, number),
                    max_bytes=max_bytes,
                    connect_seconds=min(seconds / 2, CONNECT_SECONDS),
                    belongs=lambda reply: not answers_another_request(reply.headers.get(b"x-request-id"), number),
                )
        except ConnectError as error:
            raise _unreachable(service, address, error) from error
        except TimeoutError as error:
            raise WindmillError("SERVICE_TIMEOUT", f"{service.name} gave no answer in {seconds:g} s") from error
        except MismatchedReply as error:
            said = f"{service.name} sent the reply to another request"
            raise WindmillError("BAD_RESPONSE", said, _MISMATCHED_REMEDY) from error
        except ProtocolError as error:
            raise WindmillError("BAD_RESPONSE", f"{service.name} cut the reply off: {error}") from error
        except ReplyTooLarge as error:
            raise _too_large(max_bytes) from error
        header = reply.headers.get(b"retry-after")
        retry_after = header.decode("latin-1") if header else None
        body = _decompressed(service, reply, max_bytes)
        return parse_reply(reply.status, body, service.foreign, retry_after, datetime.now(UTC))


def _hidden(error: WindmillError, access: ServiceAccess) -> WindmillError:
    """The error without the keys that the service may have repeated in its reply."""
    message = access.hide(error.message)
    return WindmillError(error.code, message, error.remedy, error.retry, error.retry_after, reached=error.reached)


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
        if reply.status != 200:
            return reply.body
        raise WindmillError("BAD_RESPONSE", f"{said}: {error}") from error
    if reply.status != 200:
        return plain[:MAX_ERROR_BYTES]  # the status has said what matters
    if len(plain) > max_bytes:
        raise _too_large(max_bytes)
    if not inflate.eof:
        raise WindmillError("BAD_RESPONSE", f"{said}, and its end is missing")
    return plain


def _unreachable(service: Service, address: ServiceAddress, error: ConnectError) -> WindmillError:
    remedy = _TLS_REMEDY if isinstance(error, TlsError) else ""
    said = f"{service.name} at {address.url.host}:{address.url.port}: {error}"
    return WindmillError("SERVICE_UNREACHABLE", said, remedy, reached=False)


def _too_large(max_bytes: int) -> WindmillError:
    return WindmillError("RESPONSE_TOO_LARGE", f"the reply is over MAX_RESPONSE_BYTES={max_bytes}")
