"""A post-processor that is frozen past its lease, as by a suspended machine, and wakes when another has finished."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from tests.e2e.conftest import CONFIG
from tests.e2e.postprocessor_scene import box, fresh, picture, says
from tests.integration.fleet import Fleet
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.timeout(180)]

HOST = "127.0.0.1"
GOOD = {"service": "colors", "status": "success", "predictions": [], "metadata": {"processing_time": 0.01}}


@dataclass
class Service:
    """Holds its first call until told to fail it, and answers every other at once."""

    status: int
    calls: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.calls += 1
        if self.calls > 1:
            return web.json_response(GOOD)
        await self.release.wait()
        return web.json_response({"status": "error", "error": {"message": "no"}}, status=self.status)


@pytest.fixture
async def service(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> AsyncIterator[Service]:
    """The only service that this fleet sends boxes to."""
    one = Service(request.param)
    application = web.Application(client_max_size=2**25)
    application.router.add_route("*", "/{path:.*}", one.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    port = runner.addresses[0][1]
    config = tmp_path / "services.json"
    services = {
        "colors": {
            "host": HOST,
            "port": port,
            "timeout_seconds": 60,
            "feeds": [],
            "enriches": "boxes",
            "sets": ["light"],
        },
        "yolov8": {"port": 1, "feeds": ["merge", "consensus"], "sets": ["light"]},
    }
    config.write_text(json.dumps(json.loads(CONFIG.read_text()) | {"services": services}))
    fleet.environ |= {"SERVICE_CONFIG": str(config), "LEASE_SECONDS": "1"}
    yield one
    one.release.set()
    await runner.cleanup()


@pytest.mark.parametrize("service", [500, 400], indirect=True)
async def test_who_wakes_after_its_lease_does_not_overwrite_what_another_has_finished(
    fleet: Fleet, service: Service
) -> None:
    image_id = await picture(fleet)
    await fleet.rows.execute("INSERT INTO stages (stage) VALUES ('enrich')")
    sleeper = fleet.start("postprocessors.spatial_enrichment")
    await sleeper.says(" post-processing ")
    merger = fleet.start("postprocessors.bbox_merger")
    await merger.says(" post-processing ")
    await says(fleet, image_id, "yolov8", [box(0)])
    await until(lambda: service.calls == 1, 30, fleet.logs)
    sleeper.process.send_signal(signal.SIGSTOP)
    other = fleet.start("postprocessors.spatial_enrichment")
    await fresh(fleet)
    done = "SELECT box_key, service, status, error_code, final, post_id FROM postprocessing"
    before = await fleet.rows.fetch(done)
    assert [(row["status"], row["final"]) for row in before] == [("success", True)]
    service.release.set()
    sleeper.process.send_signal(signal.SIGCONT)
    await sleeper.says("a lease expired while its image was enriched")
    assert await fleet.rows.fetch(done) == before
    assert not await fleet.rows.fetchval("SELECT count(*) FROM stale")
    assert (await other.stop()).code == (await sleeper.stop()).code == 0
