"""What the doctor says of whatever listens where the gateway would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from windmill import VERSION
from windmill.core.settings import Settings
from windmill.operate.doctor.gateway import _listening, reachable


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("body", "state", "found"),
    [
        (orjson.dumps({"version": VERSION, "worker_running": True}), "ok", "listens, and somebody works"),
        (orjson.dumps({"version": VERSION, "worker_running": False}), "ok", "listens, and nobody works on steps"),
        (orjson.dumps({"version": "0.1", "worker_running": True}), "warning", "a gateway of version 0.1 listens"),
        (orjson.dumps(["another"]), "warning", "something else listens there"),
        (b"<html>", "warning", "something else listens there"),
    ],
)
async def test_what_listens_is_told_apart(body: bytes, state: str, found: str) -> None:
    async with answering(body) as port:
        said = await _listening(Settings.from_env({"GATEWAY_PORT": str(port)}), 5)
    assert (said.state, said.found.startswith(found)) == (state, True), said


async def test_a_machine_without_a_gateway_is_in_order() -> None:
    async with answering(b"") as port:
        pass
    said = await _listening(Settings.from_env({"GATEWAY_PORT": str(port)}), 5)
    assert (said.state, said.found) == ("ok", "nothing listens there; start one: python -m gateway")


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "127.0.0.1"), ("[::]", "::1"), ("10.0.0.7", "10.0.0.7"), ("[::1]", "::1")]
)  # fmt: skip
def test_an_address_that_stands_for_all_is_asked_on_this_machine(host: str, address: str) -> None:
    assert reachable(host) == address
