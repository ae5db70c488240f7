"""Services, stages and steps of jobs in one process: python -m windmill run."""

import re
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.conftest import Farm
from tests.e2e.test_metrics import HOST, failing, fetched, free_port, number
from tests.integration.fleet import Command, Fleet
from tests.waiting import until
from windmill import broker
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.pipelines.job_steps.catalog import STEPS

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(300)]

PRESET = ("cinematic_portrait_v1", "--input", "prompt=a lighthouse", "--quality", "low", "--engine", "default")
ENDED = [
    ("generate_image", "succeeded"),
    ("apply_film_grain", "succeeded"),
    ("apply_tone_mapping", "skipped"),
    ("apply_color_grading", "skipped"),
]


class OneProcess:
    """A machine that runs everything in one process."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        configured = load_fleet(fleet.settings.service_config)
        self.services, self.voters = list(configured.services), configured.feeding("consensus")

    async def start(self, **variables: str) -> Command:
        command = self.fleet.start("windmill", "run", **variables)
        for said in (" consuming ", " post-processing ", " running steps ", " listening "):
            await command.says(said)
        return command

    async def submit_images(self, count: int, picture: bytes) -> list[int]:
        images = await self.fleet.register_pictures(count, picture)
        end = await self.fleet.produce("--services", "all")
        assert end.code == 0, end.err
        return images

    async def asked(self, *words: str) -> Any:  # noqa: ANN401 - any JSON
        end = await self.fleet.run("windmill", *words, "--json")
        assert end.code == 0, f"{end.err}\n{end.out}\n{self.fleet.logs()}"
        return end.json()

    async def submit_job(self) -> str:
        return str((await self.asked("jobs", "submit", "--preset", *PRESET))["public_id"])

    async def job_has_ended_well(self, job: str) -> None:
        ended = await self.asked("jobs", "watch", job)
        assert [(step["name"], step["status"]) for step in ended["steps"]] == ENDED
        pictures = await self.asked("artifacts", "list", job)
        assert [file["step"] for file in pictures] == ["generate_image", "apply_film_grain"], "each step made one"

    async def images_have_ended_well(self, images: list[int]) -> None:
        """Each has one answer of each service, and a vote that rests on all who vote."""
        await self.fleet.stored(len(images) * len(self.services), 120)
        await until(self._nothing_is_stale, 60, self.fleet.logs)
        rows = [(row["image_id"], row["service"]) for row in await self.fleet.results()]
        assert rows == [(image, service) for image in images for service in sorted(self.services)]
        assert [await self.fleet.depth(service, ".failed") for service in self.services] == [0] * len(self.services)
        whole = "SELECT count(*) FROM consensus WHERE cardinality(source_result_ids) = $1"
        assert await self.fleet.rows.fetchval(whole, len(self.voters)) == len(images)

    async def _nothing_is_stale(self) -> bool:
        return not await self.fleet.rows.fetchval("SELECT count(*) FROM stale")


@pytest.fixture
async def machine(fleet: Fleet, farm: Farm, settings: Settings) -> AsyncIterator[OneProcess]:
    fleet.environ |= {"TASK_LEASE_SECONDS": "3", "GATEWAY_PORT": "0", "ARTIFACTS_URL": str(fleet.folder / "artifacts")}
    yield OneProcess(fleet)
    await fleet.kill_all()
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, [step.name for step in STEPS])


async def test_images_pass_all_services_and_stages_and_a_preset_makes_a_picture_in_one_process(
    machine: OneProcess, picture: bytes
) -> None:
    port = free_port()
    command = await machine.start(METRICS_PORT=str(port), **HOST)
    images = await machine.submit_images(4, picture)
    job = await machine.submit_job()
    await machine.images_have_ended_well(images)
    await machine.job_has_ended_well(job)
    assert await failing(port) == {}
    assert (await fetched(port, "/healthz"))[0] == 200
    _, told = await fetched(port, "/metrics")
    series = re.findall(r"^(windmill_\S+(?:\{.*\})?) \S+$", told, re.MULTILINE)
    assert len(series) == len(set(series)) > 500
    assert await number(port, 'windmill_jobs_total{code="",outcome="stored",service="face"}') == len(images)
    assert await number(port, 'windmill_step_tasks_total{code="",outcome="succeeded",step="film_grain"}') == 1
    assert 'program="windmill run",' in told
    status = await machine.asked("status")
    assert [(one["service"], one["workers"]) for one in status["services"]] == [(one, 1) for one in machine.services]
    assert {(one["step"], one["workers"]) for one in status["steps"]} == {(step.name, 1) for step in STEPS}
    gateway = re.search(r" listening address=http://127.0.0.1:(\d+) .*part=gateway$", command.log, re.MULTILINE)
    assert gateway, command.log
    code, health = await fetched(int(gateway[1]), "/health")
    assert (code, '"worker_running":true' in health) == (200, True), health
    end = await command.stop()
    assert (end.code, "Traceback" in end.err) == (0, False), end.err
    for logger, part in (("workers.generic", "services"), ("postprocessors", "stages"), ("workers.jobs", "steps")):
        assert re.search(rf"^\S+ INFO {logger} stopped .*part={part}$", end.err, re.MULTILINE), end.err


@pytest.mark.slow(reason="25 s: what a killed process held is kept for it for some seconds, and that twice")
async def test_a_process_that_is_killed_and_started_again_loses_nothing_and_does_nothing_twice(
    machine: OneProcess, farm: Farm, picture: bytes
) -> None:
    # How long slots of the fleet and images are kept for a process that was killed.
    machine.fleet.environ |= {"REQUEST_TIMEOUT": "3", "LEASE_SECONDS": "3"}
    farm.misbehave("yolov8", slowness=0.6)
    command = await machine.start()
    images = await machine.submit_images(10, picture)
    job = await machine.submit_job()
    for share in (0.3, 0.6):
        await machine.fleet.stored(int(share * len(images) * len(machine.services)), 120)
        await command.kill()
        assert await machine.fleet.count("service = 'yolov8'") < len(images), "all was done before the kill"
        command = await machine.start()
    await machine.images_have_ended_well(images)
    await machine.job_has_ended_well(job)
    assert farm.calls("yolov8") - len(images) <= 2 * 10, "more than what was held at each kill was done twice"
    assert (await command.stop()).code == 0


@pytest.mark.slow(reason="14 s: leases of what was handed back")
async def test_a_process_that_is_stopped_while_busy_finishes_or_hands_back_what_it_holds(
    machine: OneProcess, farm: Farm, picture: bytes
) -> None:
    machine.fleet.environ["TASK_LEASE_SECONDS"] = "60"  # none ends by itself, however busy the machine is
    farm.misbehave("yolov8", slowness=0.3)
    command = await machine.start()
    images = await machine.submit_images(10, picture)
    job = await machine.submit_job()
    await until(lambda: farm.calls("yolov8") >= 3, 60, machine.fleet.logs)
    end = await command.stop()
    assert (end.code, "Traceback" in end.err) == (0, False), end.err
    stored = await machine.fleet.count("service = 'yolov8'")
    assert 0 < stored < len(images)
    assert farm.calls("yolov8") == stored, "what the service did was paid for and must be stored"
    assert await machine.fleet.rows.fetchval("SELECT count(*) FROM tasks WHERE status = 'running'") == 0
    farm.behave("yolov8")
    await machine.start()
    await machine.images_have_ended_well(images)
    await machine.job_has_ended_well(job)
    assert await machine.fleet.rows.fetchval("SELECT sum(lost) FROM tasks") == 0


@pytest.mark.slow(reason="10 s: one more start of all parts")
async def test_a_second_signal_ends_all_parts_at_once(machine: OneProcess, farm: Farm, picture: bytes) -> None:
    farm.misbehave("yolov8", timeout_rate=1)
    command = await machine.start()
    await machine.submit_images(2, picture)
    await until(lambda: farm.control.counts()["yolov8"]["in_flight"], 30, "calls under way")
    command.process.send_signal(signal.SIGTERM)
    await command.says("stopping")
    end = await command.stop(seconds=10)
    assert (end.code, "Traceback" in end.err) == (130, False), end.err


@pytest.mark.slow(reason="9 s: all parts of a machine start")
async def test_a_part_that_cannot_do_its_work_ends_the_process_and_is_named(machine: OneProcess) -> None:
    command = machine.fleet.start("windmill", "run", QUEUE_PASSWORD="no password of anybody")
    end = await command.finished(60)
    # The driver may log the refusal of a login of its own that was cut short by the end of the other parts.
    assert (end.code, "Traceback" in end.out) == (2, False), end.err
    said = r"ERROR windmill.process.parts a part failed, and all stop .*part=services$"
    assert re.search(said, end.err, re.MULTILINE), end.err
    assert end.err.splitlines()[-1].startswith("CONFIG_INVALID: ")
