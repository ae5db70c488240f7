"""The server for metrics and health."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.parallel import free_offset
from tests.unit.process.metrics_scene import HEALTH, OFF, asked, get
from windmill.core.errors import ConfigInvalid, WindmillError
from windmill.core.settings import ROOT, Settings
from windmill.process.health import Health
from windmill.process.metric import Sample
from windmill.process.metrics import (
    publishing_samples,
)
from windmill.process.metrics_and_health_server import serve_metrics_and_health


@asynccontextmanager
async def site(health: Health = HEALTH, fails: bool = False) -> AsyncIterator[int]:
    """The port of a process."""

    async def samples() -> Iterable[Sample]:
        if fails:
            raise RuntimeError("no numbers")
        return publishing_samples(2, {})

    first = 20_000 + free_offset([20_000])
    settings = replace(OFF, metrics_port=first, metrics_host="127.0.0.1")
    async with serve_metrics_and_health(settings, "a.program", health, samples):
        yield first


async def test_metrics_are_served_in_the_format_of_prometheus() -> None:
    async with site() as port:
        status, header, body = await asked(port, get("/metrics?x=1"))
    assert (status, header["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert int(header["Content-Length"]) == len(body.encode())
    names = {family.name for family in text_string_to_metric_families(body)}
    assert {"windmill_build_info", "windmill_ready", "windmill_published_images", "process_open_fds"} <= names


async def test_a_process_that_waits_is_healthy_and_not_ready() -> None:
    async with site() as port:
        well, waits = await asked(port, get("/healthz")), await asked(port, get("/readyz"))
    assert (well[0], json.loads(well[2])) == (200, {"ok": ["main loop"], "failing": {}})
    assert (waits[0], json.loads(waits[2])) == (
        503,
        {"ok": ["main loop"], "failing": {"broker": "unavailable for 3 s"}},
    )


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/metrics", "POST"), 405),
        ("nonsense\r\n\r\n", 400),
        (get("/healthz", "HEAD"), 200),
    ],
)
async def test_a_bad_request_gets_a_response(request_: str, status: int) -> None:
    async with site() as port:
        found, header, body = await asked(port, request_)
        assert found == status
        assert len(body) == (0 if request_.startswith("HEAD") else int(header["Content-Length"]))


async def test_a_fault_while_reading_samples_is_a_500_and_the_server_goes_on() -> None:
    async with site(fails=True) as port:
        assert (await asked(port, get("/metrics")))[0] == 500
        assert (await asked(port, get("/healthz")))[0] == 200


async def test_a_client_that_sends_too_much_or_disconnects_does_no_harm() -> None:
    async with site() as port:
        assert await said(port, b"GET /" + b"x" * 100_000) == b""
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        assert (await asked(port, get("/healthz")))[0] == 200


async def said(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_processes_that_share_their_settings_take_one_port_each() -> None:
    first = 20_000 + free_offset([20_000, 20_001])
    settings = replace(OFF, metrics_port=first, metrics_host="127.0.0.1")

    async with (
        serve_metrics_and_health(settings, "one", HEALTH, nothing),
        serve_metrics_and_health(settings, "other", HEALTH, nothing),
    ):
        told = [await asked(port, get("/metrics")) for port in (first, first + 1)]
    assert [re.findall('program="(.*?)"', body) for _, _, body in told] == [["one"], ["other"]]
    with pytest.raises(OSError, match=r"."):
        await asked(first, get("/metrics"))


async def nothing() -> Iterable[Sample]:
    return []


async def test_an_address_of_another_machine_is_a_config_error() -> None:
    settings = replace(OFF, metrics_port=20_000, metrics_host="192.0.2.1")
    with pytest.raises(ConfigInvalid, match=r"METRICS_HOST='192\.0\.2\.1': must be an address of this machine"):
        async with serve_metrics_and_health(settings, "x", HEALTH, nothing):
            raise AssertionError("it listens")


async def test_without_a_free_port_the_error_names_the_ports_and_is_busy() -> None:
    port = 65_535
    settings = replace(OFF, metrics_port=port, metrics_host="127.0.0.1")
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(WindmillError, match="BUSY: METRICS_PORT=65535: neither it nor one of the 31 after it is free"),
    ):
        async with serve_metrics_and_health(settings, "x", HEALTH, nothing):
            raise AssertionError("it listens")


async def test_without_a_port_nothing_listens_and_the_library_is_not_loaded() -> None:
    script = (
        "import asyncio, socket, sys, workers.generic, producers.generic;"
        "import windmill.process.metrics_and_health_server as m;"
        "from windmill.core.settings import Settings;"
        "from windmill.process.health import Health;"
        "socket.socket.bind = None;"
        "run = m.serve_metrics_and_health(Settings.from_env({}), 'x', Health(alive={}, ready={}), None);"
        "asyncio.run(run.__aenter__());"
        "print(*(name for name in sys.modules if 'prometheus' in name))"
    )
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("\n", "")


def test_the_port_is_closed_by_default_and_otherwise_open_on_all_addresses() -> None:
    assert Settings.from_env({}).metrics_port == 0
    assert socket.inet_aton(Settings.from_env({}).metrics_host) == bytes(4), "Prometheus scrapes from another machine"
