"""Pictures of a job at the services of the fleet: from the command that submits it to the boxes that are fetched."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dev.farm.scenes import encode, make_scene
from tests.e2e.conftest import CONFIG, Farm
from tests.integration.fleet import Command, Fleet
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings
from windmill.pipelines.job_steps.catalog import STEPS

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(300)]

SERVICES = ("yolov8", "rtdetr")
PICTURES = 12


class DetectionScene:
    """Workers of services and workers of steps, each in a process of its own."""

    def __init__(self, fleet: Fleet, farm: Farm, folder: Path) -> None:
        self.fleet, self.farm, self.folder = fleet, farm, folder
        self.steps: dict[str, Command] = {}

    async def step_worker(self, name: str) -> Command:
        self.steps[name] = self.fleet.start("workers.jobs", STEPS="engine", WORKER_ID=name)
        await self.steps[name].says(" running steps ")
        return self.steps[name]

    async def asked(self, *words: str) -> Any:  # noqa: ANN401 - any JSON
        end = await self.fleet.run("windmill", *words, "--json")
        assert end.code == 0, f"{end.err}\n{end.out}\n{self.fleet.logs()}"
        return end.json()

    async def submit(self) -> str:
        files = [self.folder / f"{number}.jpg" for number in range(PICTURES)]
        for number, file in enumerate(files):
            file.write_bytes(encode(make_scene(number, 1)))
        words = [word for file in files for word in ("--file", f"pictures={file}")]
        asked = ("--preset", "detect_objects_v1", "--input", f"services={','.join(SERVICES)}", *words)
        return str((await self.asked("jobs", "submit", *asked))["public_id"])

    async def document(self, job: str) -> Any:  # noqa: ANN401 - any JSON
        (path,) = await self.asked("artifacts", "fetch", job, "--to", str(self.folder / "results"))
        return json.loads(await asyncio.to_thread(Path(path).read_text))

    async def answered(self, number: int) -> None:
        async def are_there() -> bool:
            return await self.fleet.count() >= number

        await until(are_there, 90, lambda: f"{number} answers\n{self.fleet.logs()}")

    async def kill_a_step_worker_that_works(self) -> None:
        """With -9, while it holds the task."""
        holds = "SELECT worker FROM tasks WHERE status = 'running'"
        while True:
            await until(lambda: self.fleet.rows.fetchval(holds), 60, self.fleet.logs)
            name = await self.fleet.rows.fetchval(holds)
            if name:
                self.steps[name].process.send_signal(signal.SIGSTOP)
                if await self.fleet.rows.fetchval(holds) == name:
                    break
                self.steps[name].process.send_signal(signal.SIGCONT)
        await self.steps.pop(name).kill()


@pytest.fixture
async def scene(fleet: Fleet, farm: Farm, settings: Settings, tmp_path: Path) -> AsyncIterator[DetectionScene]:
    config = tmp_path / "services.json"
    engines = {"fleet": {"kind": "fleet", "window": 3, "resubmit_seconds": 5}}
    config.write_text(json.dumps({**json.loads(CONFIG.read_text()), "engines": engines}))
    fleet.environ |= {
        "SERVICE_CONFIG": str(config),
        "TASK_LEASE_SECONDS": "3",
        "ARTIFACTS_URL": str(tmp_path / "artifacts"),
    }
    yield DetectionScene(fleet, farm, tmp_path)
    await fleet.kill_all()
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, [step.name for step in STEPS])


async def test_every_picture_gets_its_boxes_although_a_worker_of_each_kind_is_killed_in_the_middle(
    scene: DetectionScene,
) -> None:
    for service in SERVICES:
        scene.farm.misbehave(service, slowness=0.3)
    first, second = await scene.fleet.worker(",".join(SERVICES)), await scene.fleet.worker(",".join(SERVICES))
    await scene.step_worker("one")
    await scene.step_worker("two")
    job = await scene.submit()
    await scene.answered(4)
    await first.kill()
    await scene.kill_a_step_worker_that_works()
    ended = await scene.asked("jobs", "watch", job)
    assert ended["status"] == "succeeded", scene.fleet.logs()
    found = await scene.document(job)
    assert (len(found["images"]), found["failed"]) == (PICTURES, {})
    assert all(image["boxes"] and image["width"] for image in found["images"])
    assert {
        name for image in found["images"] for box in image["boxes"] for name in box["contributing_services"]
    } == set(SERVICES)
    assert await scene.fleet.count("status = 'success'") == PICTURES * len(SERVICES)
    assert await scene.fleet.rows.fetchval("SELECT count(*) FROM awaited_results") == 0
    (left,) = scene.steps.values()
    assert (await left.stop()).code == 0
    assert (await second.stop()).code == 0


@pytest.mark.slow(reason="13 s: every picture passes every service")
async def test_without_losses_each_picture_is_sent_to_each_service_once(scene: DetectionScene) -> None:
    await scene.fleet.worker(",".join(SERVICES))
    await scene.step_worker("one")
    await scene.step_worker("two")
    job = await scene.submit()
    assert (await scene.asked("jobs", "watch", job))["status"] == "succeeded"
    assert [scene.farm.calls(service) for service in SERVICES] == [PICTURES] * len(SERVICES)


@pytest.mark.slow(reason="8 s: a window of pictures has to be on its way")
async def test_cancelling_stops_the_window(scene: DetectionScene) -> None:
    await scene.step_worker("one")
    job = await scene.submit()

    async def waits() -> bool:
        return bool(await scene.fleet.rows.fetchval("SELECT count(*) FROM tasks WHERE status = 'waiting'"))

    await until(waits, 60, scene.fleet.logs)
    await scene.asked("jobs", "cancel", job)
    await scene.fleet.worker(",".join(SERVICES))
    await scene.answered(3 * len(SERVICES))
    assert (await scene.asked("jobs", "show", job))["status"] == "cancelled"
    assert await scene.fleet.rows.fetchval("SELECT count(*) FROM results") == 3 * len(SERVICES)
    assert [await scene.fleet.depth(service, "_urgent") for service in SERVICES] == [0, 0]
