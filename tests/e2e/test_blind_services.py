"""A service that goes blind: it is noticed, and nothing that it answered meanwhile stays."""

import json

import pytest

from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill.calling.canaries import canary_image

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(180)]

PORTRAIT = canary_image("body")
SEEN = "service = 'face' AND status = 'success' AND json_array_length(data -> 'predictions') > 0"


async def shows_blind(fleet: Fleet) -> bool:
    return "BLIND 1/1" in (await fleet.run("windmill", "status")).out


@pytest.mark.slow(reason="22 s: canaries are shown to a service, time after time")
async def test_what_a_blind_service_answered_is_asked_again_once_it_sees(fleet: Fleet, farm: Farm) -> None:
    await fleet.register_pictures(30, PORTRAIT)
    worker = await fleet.worker("face", CANARY_SECONDS="3600")  # so a run of empty answers tells

    async def learned() -> bool:
        return bool(await fleet.rows.fetchval("SELECT EXISTS (SELECT FROM canaries)"))

    async def blind() -> bool:
        return bool(await fleet.rows.fetchval("SELECT blind_since IS NOT NULL FROM canaries"))

    async def seen() -> bool:
        return await fleet.count(SEEN) == 60

    await fleet.produce("--services", "face")
    await until(learned, 30, fleet.logs)
    await fleet.stored(30)
    farm.misbehave("face", blind=1)
    await fleet.register_pictures(30, PORTRAIT)
    await fleet.produce("--services", "face")
    await until(blind, 30, fleet.logs)
    await until(lambda: shows_blind(fleet), 30, fleet.logs)
    assert await fleet.count("status = 'success'") > await fleet.count(SEEN), "nothing was answered blindly"
    farm.behave("face")
    await until(seen, 90, fleet.logs)
    await worker.says("SERVICE_BLIND")
    assert await fleet.rows.fetchval("SELECT count(*) FROM blind_answers") == 0
    assert not await blind()


async def test_a_service_that_never_sees_is_left_alone(fleet: Fleet, farm: Farm) -> None:
    farm.misbehave("face", blind=1)
    await fleet.register_pictures(5, PORTRAIT)
    worker = await fleet.worker("face", CANARY_SECONDS="1")
    await fleet.produce("--services", "face")
    await fleet.stored(5)
    await until(lambda: farm.calls("face") >= 7, 30, fleet.logs)
    await worker.stop()
    assert await fleet.count("status = 'success'") == 5
    assert await fleet.rows.fetchval("SELECT count(*) FROM canaries") == 0


async def examined(fleet: Fleet, *arguments: str) -> dict[str, dict[str, str]]:
    """What the doctor finds out about `face`, by name."""
    told = await fleet.run("windmill", "doctor", "--services", "face", "--health", "--json", *arguments)
    return {one["name"]: one for one in json.loads(told.out) if one["area"] == "services"}


async def test_the_doctor_says_that_a_service_is_blind(fleet: Fleet, farm: Farm) -> None:
    assert (await examined(fleet))["face canary"]["state"] == "ok"
    farm.misbehave("face", blind=1)
    found = await examined(fleet)
    assert found["face health"]["state"] == "ok", "it does not know"
    assert (found["face canary"]["state"], found["face canary"]["found"]) == (
        "problem",
        "finds no face in a picture that shows it",
    )
    assert await fleet.rows.fetchval("SELECT until <= now() FROM fleet_slots"), "the doctor frees its slot"


async def test_the_doctor_disturbs_no_service_whose_slots_are_taken(fleet: Fleet, farm: Farm) -> None:
    await fleet.rows.execute(
        "INSERT INTO fleet_slots (service, slot, lease, until)"
        " VALUES ('face', 0, gen_random_uuid(), now() + interval '1 hour')"
    )
    found = await examined(fleet, "--timeout", "1")
    assert found["face health"]["state"] == "warning"
    assert "no slot of the fleet became free" in found["face health"]["found"]
    assert "face canary" not in found
    assert farm.calls("face") == 1, "the one without a picture, which runs no model"
