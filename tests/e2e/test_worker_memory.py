"""What a worker costs in memory: a Raspberry Pi runs several."""

import functools
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import CONFIG
from tests.integration.fleet import SMALL_JPEG, Fleet
from tests.parallel import free_offset
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.database, pytest.mark.broker]

JOBS = 5_000
MOST_MB = 50
STEPS = ["workers.jobs", "windmill.jobs.reaping", "windmill.jobs.step", "windmill.pipelines", "windmill.engines"]
HEAVY = [*STEPS, "numpy", "cv2", "PIL", "obstore", "requests", "psycopg", "tqdm", "farm", "producers", "deploy"]


@pytest.mark.slow(reason="14 s: memory that is lost shows only after thousands of jobs")
@pytest.mark.timeout(180)
async def test_after_5000_jobs_a_worker_holds_at_most_50_mb(fleet: Fleet) -> None:
    port = json.loads(CONFIG.read_text())["services"]["yolov8"]["port"]
    offset = free_offset([port])
    fleet.start_fresh("tests.e2e.answering", str(port + offset))
    images = await fleet.register_pictures(JOBS, SMALL_JPEG + bytes(20_000))
    await fleet.produce("--services", "yolov8")
    worker = await fleet.fresh_worker("yolov8", SERVICE_PORT_OFFSET=str(offset), WORKER_CONCURRENCY="8")
    await fleet.stored(len(images), 150)
    resident = worker.resident_mb()
    logging.getLogger(__name__).info("resident after %d jobs: %.1f MB", JOBS, resident)
    assert (await worker.stop()).code == 0
    assert resident <= MOST_MB


@pytest.mark.parametrize("name", HEAVY)
def test_a_worker_does_not_import(name: str) -> None:
    assert name not in modules_with("workers.generic")


@pytest.mark.parametrize("name", ["asyncio", "ssl", "socket", "windmill.core.settings"])
def test_the_child_that_decodes_does_not_import(name: str) -> None:
    assert name not in modules_with("windmill.media.image.decoder_child")


@functools.cache
def modules_with(program: str) -> list[str]:
    """The modules that a program has in memory once it is imported."""
    script = f"import {program}, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(ROOT), capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.split()
