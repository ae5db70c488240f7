"""What an exchange with a service costs a process: by windmill.calling.http1, and by aiohttp's ClientSession.

    python bench/http_clients.py [--exchanges N] [--rounds N] [--image-bytes N] [--tls]

An exchange is the POST of a form with an image and the reply in JSON. The server is a child process. Each measurement
is a child process of its own on the event loop that workers use; the two clients take turns, and medians are printed.
CPU is that of the client's process, memory what it needs more than one that has only the event loop. With --tls both
speak TLS, to a server with a certificate that openssl makes for the run.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop

# Spawned, so that a child has only loaded what it needs.
SPAWN = multiprocessing.get_context("spawn")
HOST = "127.0.0.1"
AT_A_TIME = (1, 8)
WARM_UP = 200
BOXES = [{"label": "person", "confidence": 0.875, "bbox": {"x": 10, "y": 20, "width": 30, "height": 40}}] * 8
REPLY = json.dumps({"status": "success", "predictions": BOXES, "metadata": {"processing_time": 0.02}}).encode()

Exchange = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Task:
    """The task of a client's process."""

    client: str
    port: int
    image_bytes: int
    exchanges: int
    authority: str
    """The file with the server's certificate; empty without TLS."""

    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.authority) if self.authority else None


@dataclass(frozen=True)
class Cost:
    """CPU per exchange, by the number of exchanges at a time, and the memory of the process in the end."""

    microseconds: dict[int, float]
    megabytes: float


class StubService(asyncio.Protocol):
    """Reads a request of known length and answers it, on a connection that it keeps."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._left:
            head, ended, body = (self._head + data).partition(b"\r\n\r\n")
            if not ended:
                self._head = head
                return
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            self._head, self._left, data = b"", int(fields[b"content-length"]), body
        self._left -= len(data)
        if not self._left:
            kind = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.write(kind % len(REPLY) + REPLY)


def serve(pipe: Connection, certificate: str) -> None:
    """A service that does no work of its own, until it is terminated."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(StubService, HOST, 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def measure(task: Task, pipe: Connection) -> None:
    """The main of a client's process."""
    pipe.send(uvloop.run(CLIENTS[task.client](task)))


async def only_the_loop(_: Task) -> Cost:
    return Cost({}, resident_megabytes())


async def by_http1(task: Task) -> Cost:
    """As windmill.calling.service_client does it, without checking replies."""
    from windmill.calling.http1 import Http1Client, HttpServer

    image = bytes(task.image_bytes)
    head = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="image.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    tail = b"\r\n--b--\r\n"
    size = len(head) + len(image) + len(tail)
    request = (
        f"POST /analyse HTTP/1.1\r\nHost: {HOST}:{task.port}\r\nAccept: application/json\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {size}\r\n\r\n"
    ).encode()
    client, server = Http1Client(), HttpServer(HOST, task.port, task.tls())

    async def exchange() -> None:
        parts = (request, head, image, tail)
        reply = await client.exchange(server, parts, max_bytes=1_000_000, connect_seconds=10)
        assert reply.body == REPLY

    try:
        return await cost(exchange, task.exchanges)
    finally:
        client.close()


async def by_aiohttp(task: Task) -> Cost:
    """As aiohttp's own front page shows it."""
    import aiohttp

    image = bytes(task.image_bytes)
    url = f"{'https' if task.authority else 'http'}://{HOST}:{task.port}/analyse"
    connector = aiohttp.TCPConnector(ssl=task.tls() or True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def exchange() -> None:
            form = aiohttp.FormData()
            form.add_field("file", image, filename="image.jpg", content_type="image/jpeg")
            async with session.post(url, data=form) as response:
                assert await response.read() == REPLY

        return await cost(exchange, task.exchanges)


CLIENTS: dict[str, Callable[[Task], Coroutine[None, None, Cost]]] = {
    "loop only": only_the_loop,
    "windmill.calling.http1": by_http1,
    "aiohttp": by_aiohttp,
}


async def cost(exchange: Exchange, exchanges: int) -> Cost:
    """Of so many exchanges, one after the other and several at a time."""
    await repeat(exchange, WARM_UP, max(AT_A_TIME))
    microseconds = {}
    for at_a_time in AT_A_TIME:
        before = time.process_time()
        await repeat(exchange, exchanges, at_a_time)
        microseconds[at_a_time] = (time.process_time() - before) / exchanges * 1e6
    return Cost(microseconds, resident_megabytes())


async def repeat(exchange: Exchange, times: int, at_a_time: int) -> None:
    left = iter(range(times))

    async def one_after_the_other() -> None:
        for _ in left:
            await exchange()

    await asyncio.gather(*(one_after_the_other() for _ in range(at_a_time)))


def resident_megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def in_a_child(task: Task) -> Cost:
    receiving, sending = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=measure, args=(task, sending))
    process.start()
    sending.close()  # so that the pipe closes when the child fails
    try:
        found = receiving.recv()
    except EOFError:
        sys.exit(f"the process of {task.client} failed")
    process.join()
    assert isinstance(found, Cost)
    return found


def render_costs(costs: dict[str, list[Cost]]) -> str:
    base = statistics.median(cost.megabytes for cost in costs.pop("loop only"))
    lines = ["medians          " + "".join(f"{f'us CPU, {n} at a time':>20}" for n in AT_A_TIME) + f"{'MB more':>12}"]
    for client, rounds in costs.items():
        cpu = [statistics.median(cost.microseconds[n] for cost in rounds) for n in AT_A_TIME]
        memory = statistics.median(cost.megabytes for cost in rounds) - base
        lines.append(f"{client:<17}" + "".join(f"{one:>20.0f}" for one in cpu) + f"{memory:>12.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchanges", type=int, default=3000, help="in each measurement (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="of all clients in turn (%(default)s)")
    parser.add_argument("--image-bytes", type=int, default=100_000, help="size of an upload (%(default)s)")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments, make_certificate(Path(folder)) if arguments.tls else "")


def make_certificate(folder: Path) -> str:
    """A certificate for HOST that signs itself, with its key in the same file."""
    file = folder / "server.pem"
    kind = ("-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-addext", f"subjectAltName=IP:{HOST}")
    command = ["openssl", "req", "-x509", *kind, "-keyout", str(file), "-out", str(folder / "certificate")]
    subprocess.run(command, check=True, capture_output=True)
    with file.open("ab") as whole:
        whole.write((folder / "certificate").read_bytes())
    return str(file)


def compare(arguments: argparse.Namespace, certificate: str) -> None:
    """All clients in turn, with one server."""
    receiving, sending = SPAWN.Pipe(duplex=False)
    server = SPAWN.Process(target=serve, args=(sending, certificate), daemon=True)
    server.start()
    try:
        port = receiving.recv()
        costs: dict[str, list[Cost]] = {client: [] for client in CLIENTS}
        for _ in range(arguments.rounds):
            for client, found in costs.items():
                found.append(in_a_child(Task(client, port, arguments.image_bytes, arguments.exchanges, certificate)))
    finally:
        server.terminate()
        server.join()
    print(render_costs(costs))


if __name__ == "__main__":
    main()
