"""The HTTP server of a process on METRICS_PORT: /metrics, /healthz and /readyz.

It listens only if METRICS_PORT is set, on the first free port from there on, because the processes of one machine share
their settings.
"""

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict

import orjson

from windmill.core.errors import ConfigInvalid, Problem, WindmillError
from windmill.core.setting_parts import ProcessSettings
from windmill.process.health import Health, HealthReport
from windmill.process.metric import Sample
from windmill.process.metrics import process_samples

logger = logging.getLogger(__name__)

PORTS_TO_TRY = 32
REQUEST_SECONDS = 10.0
MAX_REQUEST_BYTES = 16_384
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"

ReadSamples = Callable[[], Awaitable[Iterable[Sample]]]
HttpResponse = tuple[int, str, bytes]


@asynccontextmanager
async def serve_metrics_and_health(
    settings: ProcessSettings, program: str, health: Health, read_samples: ReadSamples
) -> AsyncIterator[None]:
    """Serve while the block runs, if METRICS_PORT is set."""
    if not settings.metrics_port:
        yield
        return
    server = await _listen(settings, _RequestHandler(program, health, read_samples))
    port = server.sockets[0].getsockname()[1]
    logger.info("serving metrics and health", extra={"host": settings.metrics_host, "port": port})
    try:
        yield
    finally:
        server.close()


async def _listen(settings: ProcessSettings, handler: "_RequestHandler") -> asyncio.Server:
    first, host = settings.metrics_port, settings.metrics_host
    for port in range(first, min(first + PORTS_TO_TRY, 65_536)):
        try:
            return await asyncio.start_server(handler.serve, host, port, limit=MAX_REQUEST_BYTES)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigInvalid(
                    [Problem("METRICS_HOST", host, f"must be an address of this machine: {error}")]
                ) from error
    message = f"METRICS_PORT={first}: neither it nor one of the {PORTS_TO_TRY - 1} after it is free"
    raise WindmillError("BUSY", message, "stop what listens there, or set another METRICS_PORT")


class _RequestHandler:
    """One request for each connection."""

    def __init__(self, program: str, health: Health, read_samples: ReadSamples) -> None:
        self._program = program
        self._health = health
        self._read_samples = read_samples

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        disconnects = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        with contextlib.suppress(*disconnects):
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._respond(request))
                await writer.drain()
        writer.close()

    async def _respond(self, request: bytes) -> bytes:
        words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3:
            return _render_response(400, _TEXT, b"no HTTP request\n")
        method, target, _ = words
        if method not in ("GET", "HEAD"):
            return _render_response(405, _TEXT, b"GET or HEAD\n")
        try:
            status, kind, body = await self._route(target.partition("?")[0])
        except Exception:
            logger.exception("unexpected fault", extra={"target": target})
            status, kind, body = 500, _TEXT, b"unexpected fault, see the log\n"
        return _render_response(status, kind, body, with_body=method == "GET")

    async def _route(self, path: str) -> HttpResponse:
        match path:
            case "/metrics":
                return await self._metrics_response()
            case "/healthz":
                return _health_response(self._health.alive())
            case "/readyz":
                return _health_response(self._health.ready())
        return 404, _TEXT, b"/metrics /healthz /readyz\n"

    async def _metrics_response(self) -> HttpResponse:
        from windmill.process.prometheus_exposition import CONTENT_TYPE, render_metrics

        samples = [*process_samples(self._program, self._health), *await self._read_samples()]
        return 200, CONTENT_TYPE, render_metrics(samples)


def _health_response(report: HealthReport) -> HttpResponse:
    return 503 if report.failing else 200, _JSON, orjson.dumps(asdict(report)) + b"\n"


def _render_response(status: int, kind: str, body: bytes, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
