"""A client of a service, and services that answer as a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.unit.loopback import Answer, Site, serving
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import WindmillError
from windmill.core.service_urls import ServiceUrl
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings

OK = b'{"status": "success", "predictions": [{"label": "cat"}], "metadata": {"processing_time": 0.2}}'
JPEG = b"\xff\xd8\xff\xe0\r\n--\x00\r\n\r\npicture"
YOLOV8 = load_fleet(ROOT / "service_config.json").services["yolov8"]


@asynccontextmanager
async def client(port: int, **variables: str) -> AsyncIterator[tuple[ServiceClient, Service]]:
    """A client, and a service at a port of this machine."""
    service = Service(**{**vars(YOLOV8), "host": "127.0.0.1", "port": port, "max_upload_bytes": 4096})
    async with ServiceClient(Settings.from_env(variables)) as opened:
        yield opened, service


@asynccontextmanager
async def both(
    answer: Callable[[str], bytes] | Answer, **variables: str
) -> AsyncIterator[tuple[ServiceClient, Service, Site]]:
    async with serving(answer) as site, client(site.port, **variables) as (opened, service):
        yield opened, service, site


async def refused(opened: ServiceClient, service: Service) -> WindmillError:
    with pytest.raises(WindmillError) as error:
        async with asyncio.timeout(10):
            await opened.upload(service, JPEG)
    return error.value


def at(*sites: Site) -> Service:
    """A service at all these."""
    urls = tuple(ServiceUrl("http", "127.0.0.1", site.port) for site in sites)
    return replace(YOLOV8, urls=urls)
