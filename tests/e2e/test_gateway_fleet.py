"""A new user's way: a folder of pictures is submitted over HTTP, and its answers are fetched, in three requests."""

from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet
from tests.integration.gateway_scene import gateway_scene
from windmill.core.settings import Settings

pytestmark = [pytest.mark.database, pytest.mark.broker]


async def fetched(client: httpx.AsyncClient) -> list[tuple[str, list[str]]]:
    """Who has answered for each picture."""
    await client.post("/images", json={"folder": "holidays", "group": "holidays"})
    submitted = {"services": ["clip", "colors"], "group": "holidays"}
    run = await client.post("/runs", json=submitted, headers={"Prefer": "wait=60"})
    assert (run.status_code, run.json()["run"]["status"]) == (200, "succeeded"), run.text
    results = (await client.get(f"{run.headers['location']}/results")).json()["results"]
    return [(one["name"], [answer["service"] for answer in one["answers"] if answer["data"]]) for one in results]


async def test_a_folder_of_pictures_is_submitted_and_its_answers_are_fetched_in_three_requests(
    fleet: Fleet, settings: Settings, farm: Farm, picture: bytes, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "holidays").mkdir(parents=True)
    for number in range(3):
        (root / "holidays" / f"{number}.jpg").write_bytes(picture + bytes([number]))
    fleet.environ["IMAGE_ROOT"] = str(root)
    async with gateway_scene(fleet, settings, tmp_path) as scene:
        await fleet.worker("clip,colors")
        await scene.start()
        ann = await scene.user("operator")
        assert await fetched(ann) == [(f"{number}.jpg", ["clip", "colors"]) for number in range(3)]
        [image] = (await ann.get("/images?limit=1")).json()["images"]
        body, prefer = {"services": ["clip"]}, {"Prefer": "wait=30"}
        tried = await ann.post(f"/images/{image['image_id']}/try", json=body, headers=prefer)
        assert (tried.status_code, farm.calls("clip")) == (200, 4)
