"""The port at which a long-running process tells how it does: /metrics, /healthz and /readyz.

It has no port unless METRICS_PORT names one; then the first free one from there on is taken, as the processes of one
machine share their settings.
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
from windmill.process.health import Health, Report
from windmill.process.metrics import Sample, of_process

logger = logging.getLogger(__name__)

PORTS = 32
ASK_SECONDS = 10.0
MOST_BYTES = 16_384
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"

Samples = Callable[[], Awaitable[Iterable[Sample]]]
Answer = tuple[int, str, bytes]


@asynccontextmanager
async def monitored(settings: ProcessSettings, program: str, health: Health, samples: Samples) -> AsyncIterator[None]:
    """Answer while the block runs, where METRICS_PORT says so."""
    if not settings.metrics_port:
        yield
        return
    server = await _listen(settings, _Site(program, health, samples))
    port = server.sockets[0].getsockname()[1]
    logger.info("metrics and health are told", extra={"host": settings.metrics_host, "port": port})
    try:
        yield
    finally:
        server.close()


async def _listen(settings: ProcessSettings, site: "_Site") -> asyncio.Server:
    first, host = settings.metrics_port, settings.metrics_host
    for port in range(first, min(first + PORTS, 65_536)):
        try:
            return await asyncio.start_server(site.serve, host, port, limit=MOST_BYTES)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigInvalid([Problem("METRICS_HOST", host, f"must be an address of ours: {error}")]) from error
    said = f"METRICS_PORT={first}: neither it nor one of the {PORTS - 1} after it is free"
    raise WindmillError("BUSY", said, "stop what listens there, or set METRICS_PORT to others")


class _Site:
    """One request, one answer, one connection."""

    def __init__(self, program: str, health: Health, samples: Samples) -> None:
        self._program = program
        self._health = health
        self._samples = samples

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        with contextlib.suppress(*gone):
            async with asyncio.timeout(ASK_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._reply(request))
                await writer.drain()
        writer.close()

    async def _reply(self, request: bytes) -> bytes:
        words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3:
            return _written(400, _TEXT, b"no HTTP request\n")
        method, target, _ = words
        if method not in ("GET", "HEAD"):
            return _written(405, _TEXT, b"GET or HEAD\n")
        try:
            status, kind, body = await self._answer(target.partition("?")[0])
        except Exception:
            logger.exception("unexpected fault", extra={"target": target})
            status, kind, body = 500, _TEXT, b"a fault, which the log tells\n"
        return _written(status, kind, body, with_body=method == "GET")

    async def _answer(self, path: str) -> Answer:
        match path:
            case "/metrics":
                return await self._metrics()
            case "/healthz":
                return _told(self._health.alive())
            case "/readyz":
                return _told(self._health.ready())
        return 404, _TEXT, b"/metrics /healthz /readyz\n"

    async def _metrics(self) -> Answer:
        from windmill.process.exposition import CONTENT_TYPE, page

        samples = [*of_process(self._program, self._health), *await self._samples()]
        return 200, CONTENT_TYPE, page(samples)


def _told(report: Report) -> Answer:
    return 503 if report.failing else 200, _JSON, orjson.dumps(asdict(report)) + b"\n"


def _written(status: int, kind: str, body: bytes, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
