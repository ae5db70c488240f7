"""Sources of a million images are registered in the memory of a small one."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.integration.fleet import Fleet, clean_environment
from tests.made_store import Bucket, Numbered, made_store
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.database, pytest.mark.broker]

FEW, MANY = 10_000, 1_000_000
MOST_MORE_MB = 12.0
logger = logging.getLogger(__name__)


async def peak_megabytes(fleet: Fleet, source: str, **variables: str) -> float:
    """Peak resident memory of the command that registers a source."""
    environ = {**clean_environment(fleet.folder), **fleet.environ, **variables}
    return await asyncio.to_thread(_peak, source, environ)


def _peak(source: str, environ: Mapping[str, str]) -> float:
    with subprocess.Popen(
        [sys.executable, "-m", "producers.images", source, "--quiet"], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


@pytest.mark.slow(reason="a few minutes: a million images are registered")
@pytest.mark.timeout(900)
async def test_a_million_objects_of_a_store_take_the_memory_of_ten_thousand(fleet: Fleet) -> None:
    few = Bucket(keys=Numbered(FEW, lambda number: f"few/{number:07}.jpg"))
    many = Bucket(keys=Numbered(MANY, lambda number: f"many/{number:07}.jpg"))
    with made_store(few=few, many=many) as endpoint:
        allow = {"IMAGE_STORE_ALLOW": "s3://few,s3://many", "AWS_ENDPOINT_URL": endpoint}
        account = {"AWS_ACCESS_KEY_ID": "account", "AWS_SECRET_ACCESS_KEY": "secret"}
        small = await peak_megabytes(fleet, "s3://few", **allow, **account)
        large = await peak_megabytes(fleet, "s3://many", **allow, **account)
    logger.info("peak: %.1f MB for %d objects, %.1f MB for %d", small, FEW, large, MANY)
    assert await fleet.rows.fetchval("SELECT count(*) FROM images") == FEW + MANY
    assert large < small + MOST_MORE_MB
