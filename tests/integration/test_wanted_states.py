"""Services and steps are paused, go on and change their concurrency while workers run."""

import pytest

from tests.integration.fleet import Fleet
from tests.waiting import until

pytestmark = pytest.mark.database


async def listed(fleet: Fleet) -> list[tuple[str, bool, int | None, str]]:
    end = await fleet.run("windmill", "services", "list", "--json")
    return [(one["name"], one["paused"], one["concurrency"], one["reason"]) for one in end.json()]


async def test_pauses_and_concurrency_are_shown_to_everybody_and_in_the_audit_log(fleet: Fleet) -> None:
    paused = await fleet.run("windmill", "services", "pause", "clip,ocr", "--reason", "new cards", "--for", "2h")
    assert paused.code == 0, paused.err
    assert "new cards" in paused.out
    await fleet.run("windmill", "services", "set", "clip", "--concurrency", "3")
    assert ("clip", True, 3, "new cards") in await listed(fleet)
    told = (await fleet.run("windmill", "status", "--services", "clip")).out
    assert "clip is paused until" in told
    assert "and makes 3 calls at once in each process" in told
    assert "new cards" in told
    await fleet.rows.execute("UPDATE wanted_states SET paused_until = now()")
    assert await listed(fleet) == [("clip", False, 3, "new cards")]
    await fleet.run("windmill", "services", "set", "clip", "--as-configured")
    assert (await fleet.run("windmill", "services", "list")).out == "all is as configured\n"
    actions = await fleet.rows.fetch("SELECT action FROM audit_log WHERE subject = 'clip' ORDER BY audit_id")
    assert [one["action"] for one in actions] == ["services.pause", *["services.concurrency"] * 2]


@pytest.mark.parametrize("names", [["nothing"], [], ["clip", "--for", "2x"]])
async def test_what_cannot_be_paused_is_refused(fleet: Fleet, names: list[str]) -> None:
    assert (await fleet.run("windmill", "services", "pause", *names)).code == 2
    assert await listed(fleet) == []


@pytest.mark.broker
async def test_a_worker_begins_nothing_while_all_is_paused_and_goes_on_without_a_restart(fleet: Fleet) -> None:
    await fleet.run("windmill", "services", "pause", "--everything", "--reason", "upgrade")
    images = await fleet.register(3)
    assert (await fleet.produce("--services", "clip")).code == 0
    worker = await fleet.worker("clip")
    await worker.says("paused: what is begun is finished")
    assert await fleet.depth("clip") == len(images)
    await fleet.run("windmill", "services", "resume", "--everything")
    await worker.says("goes on after a pause")

    async def taken() -> bool:
        return await fleet.depth("clip") == 0

    await until(taken, 30, fleet.logs)
    await fleet.run("windmill", "services", "pause", "clip")
    await worker.says("paused: what is begun is finished", times=2)
    assert (await worker.stop()).code == 0
