"""Images in archives, from registering to the result."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet
from tests.unit.archives import tar_of, zip_of

pytestmark = [pytest.mark.database, pytest.mark.broker]

MEMBERS = 50


@pytest.mark.slow(reason="13 s: all services look at each member")
async def test_members_of_archives_are_registered_and_read_without_unpacking(
    fleet: Fleet, farm: Farm, picture: bytes, tmp_path: Path
) -> None:
    different = [picture + b"%d" % number for number in range(MEMBERS)]  # so that none is a copy of another
    shard = {f"{number:06}.jpg": data for number, data in enumerate(different)} | {"labels.json": b"{}"}
    tar, zipped = tar_of(tmp_path / "shard-0.tar", shard), zip_of(tmp_path / "more.zip", {"in/a #1.jpg": picture})
    first = await fleet.run("producers.images", str(tar), str(zipped), "--json")
    assert (first.code, first.json()["registered"]) == (0, MEMBERS + 1), first.err
    assert first.json()["ignored"] == {".json": 1}
    again = await fleet.run("producers.images", str(tar), "--json")
    assert (again.json()["registered"], again.json()["known"]) == (0, MEMBERS)
    await fleet.produce("--services", "metadata")
    worker = await fleet.worker("metadata")
    await fleet.stored(MEMBERS + 1)
    assert (await worker.stop()).code == 0
    assert farm.calls("metadata") == MEMBERS + 1
    assert list(await asyncio.to_thread(tmp_path.rglob, "*.jpg")) == []
