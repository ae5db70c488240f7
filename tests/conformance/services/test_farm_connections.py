"""Connections of a stand-in, one request at a time, and services without a model."""

import asyncio
import re
import socket
from pathlib import Path
from time import sleep

import pytest

from dev.farm.contract import NO_MODEL
from dev.farm.counts import NO_REPLY
from dev.farm.labels import class_names
from dev.farm.pictures import Picture
from dev.farm.prediction_pool import NoModel
from tests.conformance.services import pictures
from tests.conformance.services.serving import serving
from tests.waiting import until


async def test_a_client_that_waits_for_permission_gets_it_before_sending_its_body() -> None:
    async with serving("colors") as client:
        port = client.farm.gates["colors"].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        permission = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(b"hi")
        reply = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await writer.wait_closed()
    assert permission == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert reply.startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_leaves_while_sending_is_counted_and_makes_no_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving("colors") as client:
        counts = client.farm.handlers["colors"].counts
        _, writer = await asyncio.open_connection("127.0.0.1", client.farm.gates["colors"].port)
        writer.write(b"POST /analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        await writer.drain()
        await until(lambda: counts.in_flight == 1)
        writer.close()
        await writer.wait_closed()
        await until(lambda: counts.replies["POST /analyze", NO_REPLY] == 1)
    assert caplog.records == []


async def test_pose_works_on_one_request_at_a_time_health_included() -> None:
    knowledge = SlowKnowledge()
    async with serving("pose", "face", knowledge=knowledge) as client:
        for service in ("pose", "face"):
            knowledge.most = 0
            uploads = [client.upload(service, pictures.PLAIN) for _ in range(4)]
            await asyncio.gather(*uploads, client.get(service, "/health"))
            assert knowledge.most == (1 if service == "pose" else 2), service


async def test_replies_are_read_by_a_client_that_knows_nothing_but_sockets() -> None:
    async with serving("yolov8") as client:
        port = client.farm.gates["yolov8"].port
        raw = await asyncio.to_thread(_over_a_socket, port)
    head, _, body = raw.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    assert int(length[1]) == len(body)


async def test_a_service_without_a_model_says_so_to_every_picture_and_is_not_healthy() -> None:
    async with serving("ocr", "metadata", "clip", "yolov8", knowledge=NoKnowledge()) as client:
        got = await client.upload("ocr", pictures.PLAIN)
        informed = await client.upload("metadata", pictures.PLAIN)
        health = await client.get("ocr", "/health")
        classes = await client.get("yolov8", "/classes")
        scored = await client.get("clip", "/score", caption="a dog", file=str(Path(__file__)))
    assert (got.status, got.document["predictions"]) == (503, [])
    assert got.document["error"] == {"message": "there is no model for ocr"}
    assert informed.document["metadata"]["model_info"] == {"framework": NO_MODEL}
    assert (health.status, health.document["reason"]) == (503, "Model not loaded")
    assert scored.document["similarity_score"] is None
    assert (classes.status, classes.document["error"]) == (503, {"message": "there is no model for yolov8"})


class NoKnowledge:
    """Has no model for anything."""

    def predictions(self, service: str, picture: Picture, seed: int) -> list[dict[str, object]]:
        raise NoModel(f"there is no model for {service}")

    def model_info(self, service: str) -> dict[str, str]:
        return {"framework": NO_MODEL}

    def class_names(self, service: str) -> list[str]:
        raise NoModel(f"there is no model for {service}")

    def is_simulated(self, service: str, picture: Picture) -> bool:
        return False


class SlowKnowledge:
    """Knows nothing, takes its time, and remembers how many asked at once."""

    def __init__(self) -> None:
        self.most = self._now = 0

    def predictions(self, service: str, picture: Picture, seed: int) -> list[dict[str, object]]:
        self._now += 1
        self.most = max(self.most, self._now)
        sleep(0.05)  # long enough for a second one to come, were it let in
        self._now -= 1
        return []

    def model_info(self, service: str) -> dict[str, str]:
        return {"framework": "made for a test"}

    def class_names(self, service: str) -> list[str]:
        return class_names(service)

    def is_simulated(self, service: str, picture: Picture) -> bool:
        return True


def _over_a_socket(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received
