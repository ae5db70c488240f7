"""`windmill failed` on a machine that is not of the fleet: it prints what it prints on one that is."""

import pytest

from tests.integration.gateway_scene import GatewayScene
from tests.unit.world import JOB
from windmill.core.messages import CODE_HEADER, REASON_HEADER, encode

pytestmark = [pytest.mark.database, pytest.mark.broker]

NOWHERE = {"DB_PORT": "1", "QUEUE_PORT": "1"}
COMMANDS = (
    "list --services clip",
    "list --services clip --json --limit 2",
    "list --services clip --by-image",
    "list --services clip --summary --code SERVICE_ERROR --newer-than 1h",
    "list --services clip --image-ids 1,2,3",
    "list --services nothing",
    "show 17 --services clip",
    "show 17 --services clip --json",
    "show 99 --services clip",
    "redrive --services clip --dry-run --json",
    "purge --services clip",
)


async def test_parked_jobs_are_looked_at_redriven_and_purged_over_http(scene: GatewayScene) -> None:
    await scene.start()
    await scene.fleet.declare("clip")
    for code in ("SERVICE_ERROR", "SERVICE_ERROR", "IMAGE_UNREADABLE"):
        await scene.fleet.put("clip.failed", encode(JOB), {CODE_HEADER: code, REASON_HEADER: "it said no"})
    there = {**NOWHERE, "WINDMILL_URL": scene.url, "WINDMILL_KEY": await scene.key("operator")}
    for words in COMMANDS:
        remote, local = [await scene.fleet.run("windmill", "failed", *words.split(), **where) for where in (there, {})]
        assert (remote.code, remote.out) == (local.code, local.out), f"{words}: {remote.err}"
    redriven = await scene.fleet.run(
        "windmill", "failed", "redrive", "--services", "clip", "--code", "SERVICE_ERROR", "--json", **there
    )
    assert (redriven.code, redriven.json()["jobs"], await scene.fleet.depth("clip")) == (0, 2, 2), redriven.err
    purged = await scene.fleet.run("windmill", "failed", "purge", "--services", "clip", "--yes", "--json", **there)
    assert (purged.code, purged.json()["jobs"], await scene.fleet.depth("clip", ".failed")) == (0, 1, 0), purged.err
    slow = await scene.fleet.run("windmill", "failed", "redrive", "--rate", "5", **there)
    assert (slow.code, "--rate works on a machine of the fleet alone" in slow.err) == (2, True)
