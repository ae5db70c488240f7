"""The control port: counting what services were asked, and changing faults from outside."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from dev.farm.commands import render_counts, render_faults
from dev.farm.control import Control
from dev.farm.counts import RequestCounts
from tests.conformance.services import pictures
from tests.conformance.services.serving import Client, serving
from tests.waiting import until


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A farm of two services."""
    async with serving("yolov8", "clip") as client:
        yield client


@pytest.fixture
async def control(client: Client) -> AsyncIterator[Control]:
    """Its control port."""
    async with Control(client.farm, 0) as control:
        yield control


async def ask(control: Control, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, control.url + path, json=body) as reply,
    ):
        return reply.status, await reply.json()


async def test_requests_are_counted_by_route_and_status(client: Client, control: Control) -> None:
    await client.upload("yolov8", pictures.PLAIN)
    await client.upload("yolov8", pictures.PLAIN, path="/v3/analyze")
    await client.upload("yolov8", pictures.NOT_A_PICTURE)
    await client.get("yolov8", "/health")
    for path in ("/a", "/b"):
        await client.get("yolov8", path)
    _, counted = await ask(control, "GET", "/counts")
    assert counted["yolov8"]["requests"] == {
        "GET /health": {"200": 1},
        "GET other": {"404": 2},
        "POST /analyze": {"200": 1, "500": 1},
        "POST /v3/analyze": {"200": 1},
    }
    assert counted["yolov8"]["total"] == 6
    assert counted["clip"]["total"] == 0


async def test_requests_in_flight_are_counted_and_the_most_is_remembered(client: Client, control: Control) -> None:
    await client.farm.set_faults(["clip"], {"slowness": 0.5})
    uploads = [asyncio.create_task(client.upload("clip", pictures.PLAIN)) for _ in range(3)]
    await until(lambda: client.farm.handlers["clip"].counts.in_flight == 3)
    _, during = await ask(control, "GET", "/counts")
    await asyncio.gather(*uploads)
    _, after = await ask(control, "GET", "/counts")
    seen = [(c["clip"]["in_flight"], c["clip"]["max_in_flight"], c["clip"]["total"]) for c in (during, after)]
    assert seen == [(3, 3, 0), (0, 3, 3)]


async def test_counts_start_again_from_zero_and_name_the_faults(client: Client, control: Control) -> None:
    await client.upload("clip", pictures.PLAIN)
    await ask(control, "DELETE", "/counts")
    await client.farm.set_faults(["clip"], {"error-rate": 1})
    await client.upload("clip", pictures.PLAIN)
    _, counted = await ask(control, "GET", "/counts")
    assert counted["clip"]["requests"] == {"POST /analyze": {"500": 1}}
    assert counted["clip"]["faults"] == {"error-rate": 1}


async def test_faults_are_set_shown_and_cleared_over_the_control_port(client: Client, control: Control) -> None:
    change = {"services": ["yolov8"], "faults": {"error-rate": 1, "slowness": 0.01}}
    assert await ask(control, "PUT", "/faults", change) == (
        200,
        {"yolov8": {"error-rate": 1, "slowness": 0.01}, "clip": {}},
    )
    assert (await client.upload("yolov8", pictures.PLAIN)).status == 500
    assert (await ask(control, "DELETE", "/faults", {"services": ["yolov8"]}))[1]["yolov8"] == {}
    assert (await client.upload("yolov8", pictures.PLAIN)).status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"services": ["nobody"], "faults": {}}, "not served here"),
        ({"services": "yolov8", "faults": {}}, "not served here"),
        ({"services": ["yolov8"], "faults": {"eror-rate": 1}}, "unknown fault"),
        ({"services": ["yolov8"], "faults": {"error-rate": "1"}}, "object of numbers"),
        ({"services": ["yolov8"]}, "object of numbers"),
        ([], "not a JSON object"),
    ],
)
async def test_a_senseless_change_is_refused_with_a_remedy(control: Control, body: object, said: str) -> None:
    status, answer = await ask(control, "PUT", "/faults", body)
    assert status == 400
    assert said in answer["error"]
    assert answer["remedy"]


async def test_a_port_that_was_taken_meanwhile_is_said_when_a_service_comes_up(
    client: Client, control: Control
) -> None:
    await client.farm.set_faults(["clip"], {"down": 1})
    port = client.farm.gates["clip"].port
    squatter = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", port)
    status, answer = await ask(control, "DELETE", "/faults", {"services": ["clip"]})
    squatter.close()
    await squatter.wait_closed()
    assert (status, str(port) in answer["error"]) == (400, True)
    assert (await ask(control, "DELETE", "/faults", {"services": ["clip"]}))[0] == 200
    assert (await client.get("clip", "/health")).status == 200


async def test_the_control_port_knows_where_each_service_listens(client: Client, control: Control) -> None:
    _, addresses = await ask(control, "GET", "/services")
    assert addresses == {name: client.farm.url(name) for name in ("yolov8", "clip")}


async def test_service_ports_do_not_have_the_control_routes(client: Client) -> None:
    assert [(await client.get("clip", path)).status for path in ("/faults", "/counts", "/services")] == [404] * 3


def test_a_reset_keeps_what_is_in_flight() -> None:
    counts = RequestCounts()
    with counts.request():
        counts.reset()
        assert (counts.in_flight, counts.max_in_flight) == (1, 1)
    assert counts.in_flight == 0


def test_counts_and_faults_are_shown_line_by_line() -> None:
    counts = RequestCounts()
    counts.replied("POST", "/analyze", 200)
    assert "POST /analyze" in render_counts({"clip": counts.render_json()}).splitlines()[1]
    assert render_faults({"clip": {"down": 1.0}, "face": {}}).split() == ["clip", "down=1"]
    assert render_faults({"face": {}}) == "no faults are on"
