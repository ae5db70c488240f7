"""Large files over HTTP: cut in the middle, sent to a wrong place, and by somebody else."""

import base64
import hashlib
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.gateway.step_hand import picture
from tests.integration.gateway_scene import GatewayScene, problem
from tests.waiting import until
from windmill.client import AsyncClient

pytestmark = pytest.mark.database

TUS = {"Tus-Resumable": "1.0.0"}
NAME = base64.b64encode(b"../a.png").decode()
DATA = picture() + bytes(300_000)
"""What comes after a picture does not change what it is."""


def piece(offset: int) -> dict[str, str]:
    return {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}


async def begun(client: httpx.AsyncClient, length: int = len(DATA)) -> str:
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"filename {NAME}"}
    answer = await client.post("/uploads", headers=headers)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "0")
    return answer.headers["location"]


async def offset(client: httpx.AsyncClient, place: str) -> int:
    answer = await client.head(place, headers=TUS)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return int(answer.headers["upload-offset"])


def send_and_cut(client: httpx.AsyncClient, place: str, promised: bytes, sent: int) -> None:
    """A request whose connection breaks."""
    address = urlsplit(str(client.base_url))
    assert address.hostname
    assert address.port
    headers = {**piece(0), "Host": address.netloc, "Content-Length": str(len(promised))}
    headers["Authorization"] = client.headers["authorization"]
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"PATCH {place} HTTP/1.1\r\n{told}\r\n".encode() + promised[:sent])


async def test_a_file_goes_on_after_a_cut_and_in_another_process_and_becomes_an_asset(scene: GatewayScene) -> None:
    gateway = await scene.start(GATEWAY_UPLOADS_DIR=str(scene.store / "uploads"))
    key = await scene.key("operator")
    ann = await scene.client(key)
    place = await begun(ann)
    send_and_cut(ann, place, DATA, 100_000)

    async def has_come() -> bool:
        return await offset(ann, place) == 100_000

    await until(has_come)

    async def the_wrong_place_is_told() -> bool:
        """Once the request that was cut has let go of the upload."""
        wrong = await ann.patch(place, headers=piece(99_999), content=DATA[99_999:])
        return "the upload is at 100,000" in problem(wrong, 409, "CONFLICT")["message"].replace("100000", "100,000")

    await until(the_wrong_place_is_told)
    await gateway.kill()
    await scene.start(GATEWAY_UPLOADS_DIR=str(scene.store / "uploads"))
    ann, bob = await scene.client(key), await scene.user("operator", "bob")
    assert (await bob.head(place, headers=TUS)).status_code == 404
    assert await offset(ann, place) == 100_000
    more = await ann.patch(place, headers=piece(100_000), content=DATA[100_000:200_000])
    assert (more.status_code, more.headers["upload-offset"], more.headers["tus-resumable"]) == (204, "200000", "1.0.0")
    done = await ann.patch(place, headers=piece(200_000), content=DATA[200_000:])
    assert done.headers["location"] == f"/assets/{hashlib.sha256(DATA).hexdigest()}"
    asset = (await ann.get(done.headers["location"])).json()["asset"]
    assert (asset["name"], asset["media_type"], asset["bytes"]) == ("a.png", "image/png", len(DATA))
    again = await ann.head(place, headers=TUS)
    assert again.headers["location"] == done.headers["location"], "who missed the answer is told again"
    assert (await ann.patch(place, headers=piece(len(DATA)), content=b"")).status_code == 204
    assert (await ann.delete(place, headers=TUS)).status_code == 204
    problem(await ann.delete(place, headers=TUS), 404, "NOT_FOUND")


async def test_what_cannot_be_right_is_refused(scene: GatewayScene) -> None:
    uploads = scene.store / "uploads"
    await scene.start(GATEWAY_UPLOADS_DIR=str(uploads), GATEWAY_MAX_RESUMABLE_BYTES="1000000")
    ann = await scene.user("operator")
    told = (await ann.options("/uploads")).headers
    assert (told["tus-version"], told["tus-max-size"]) == ("1.0.0", "1000000")
    problem(await ann.post("/uploads", headers={"Upload-Length": "10"}), 412, "PRECONDITION_FAILED")
    problem(await ann.post("/uploads", headers={**TUS, "Upload-Length": "1000001"}), 413, "PAYLOAD_TOO_LARGE")
    problem(await ann.post("/uploads", headers={**TUS, "Upload-Length": "0"}), 422, "CONTRACT_MISMATCH")
    place = await begun(ann, 1_000)
    other = {**piece(0), "Content-Type": "application/octet-stream"}
    problem(await ann.patch(place, headers=other, content=DATA[:10]), 415, "MEDIA_TYPE_UNSUPPORTED")
    problem(await ann.patch(place, headers=piece(0), content=DATA[:1_001]), 413, "PAYLOAD_TOO_LARGE")
    problem(await ann.patch(place, headers=piece(0), content=b"#!/bin/sh\n" * 100), 415, "MEDIA_TYPE_UNSUPPORTED")
    assert await offset(ann, place) == 0


async def test_the_client_sends_in_pieces(scene: GatewayScene) -> None:
    await scene.start(GATEWAY_UPLOADS_DIR=str(scene.store / "uploads"))
    (path := scene.fleet.folder / "a.png").write_bytes(DATA)
    async with AsyncClient(scene.url, await scene.key("operator")) as windmill:
        assert await windmill.send_pieces(path, 70_000) == hashlib.sha256(DATA).hexdigest()
