"""An engine with several addresses: which gets a request, and what happens when one is away."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from tests.conformance.engines.painter import PNG
from tests.conformance.engines.rigs import request_in
from tests.unit.engines.http_engine_scene import KEYS, Server, names, sends, server
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.core.service_urls import service_url
from windmill.engines.engine import EngineOutput
from windmill.engines.entries import HttpEntry
from windmill.engines.http.engine import HttpEngine


class SeveralServers:
    """Servers of one engine, each of which answers as it is told."""

    def __init__(self, *servers: Server) -> None:
        self.servers = servers
        urls = tuple(service_url(one.url, "urls") for one in servers)
        self.engine = HttpEngine("it", HttpEntry(url=urls[0], urls=urls), KEYS)

    async def run(self, folder: Path, name: str = "job-7_paint_0") -> EngineOutput:
        return await self.engine.run(request_in(folder, name), lambda _: None, asyncio.Event())

    @property
    def posts(self) -> list[int]:
        return [sum(asked.method == "POST" for asked in one.asked) for one in self.servers]


async def test_a_request_goes_to_the_address_with_the_fewest_in_hand(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow(_request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response(body=PNG, content_type="image/png")

    async with server(slow) as one, server(slow) as other:
        several = SeveralServers(one, other)
        runs = [asyncio.create_task(several.run(tmp_path, f"job-{number}")) for number in range(4)]
        await until(lambda: sum(several.posts) == 4)
        assert several.posts == [2, 2]
        go_on.set()
        await asyncio.gather(*runs)
        await several.engine.close()


@pytest.mark.parametrize("status", [500, 503])
async def test_what_fails_at_an_address_that_is_away_is_done_at_another(status: int, tmp_path: Path) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502 if request.method == "GET" else status)

    async with server(broken) as ill, server(sends(PNG, "image/png")) as well:
        several = SeveralServers(ill, well)
        for number in range(3):
            assert names(await several.run(tmp_path, f"job-{number}")) == ["output.png"]
        assert several.posts == [1, 3]
        assert several.engine.addresses_away == 1
        health = await several.engine.check()
        assert (health.ok, health.says.startswith("1 of 2 addresses answer")) == (True, True)
        await several.engine.close()


async def test_a_failure_at_an_address_that_is_well_is_the_jobs(tmp_path: Path) -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        return web.Response(status=405 if request.method == "GET" else 500)

    async with server(fails) as one, server(fails) as other:
        several = SeveralServers(one, other)
        with pytest.raises(WindmillError, match="SERVICE_ERROR") as failed:
            await several.run(tmp_path)
        assert (failed.value.retry, sum(several.posts)) == ("later", 1)
        await several.engine.close()


async def test_when_all_addresses_are_away_jobs_wait_and_the_one_that_is_back_gets_them(tmp_path: Path) -> None:
    back = asyncio.Event()

    async def away(request: web.Request) -> web.StreamResponse:
        if back.is_set():
            return web.Response(body=PNG, content_type="image/png")
        return web.Response(status=503 if request.method == "POST" else 502)

    async with server(away) as one, server(away) as other:
        several = SeveralServers(one, other)
        with pytest.raises(WindmillError, match="all 2 addresses of it are away") as failed:
            await several.run(tmp_path)
        assert failed.value.retry == "pause"
        back.set()

        async def works() -> bool:
            try:
                return bool(await several.run(tmp_path))
            except WindmillError:
                return False

        await until(works)
        await several.engine.close()
