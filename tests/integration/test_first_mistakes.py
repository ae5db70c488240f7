"""What a newcomer gets wrong is told at the start, in one message with its remedy, and with exit code 2."""

import pytest

from tests.integration.fleet import Fleet

pytestmark = [pytest.mark.database, pytest.mark.broker]

SECRET = "wrong-and-secret"
MISTAKES = [
    ({"DB_PASSWORD": SECRET}, "correct DB_USER and DB_PASSWORD"),
    ({"DB_NAME": "nosuchdatabase"}, "CREATE DATABASE nosuchdatabase OWNER windmill"),
    ({"QUEUE_PASSWORD": SECRET}, "correct QUEUE_USER, QUEUE_PASSWORD and QUEUE_VHOST"),
    ({"QUEUE_VHOST": "nosuchvhost"}, "correct QUEUE_USER, QUEUE_PASSWORD and QUEUE_VHOST"),
]


@pytest.mark.parametrize(("variables", "remedy"), MISTAKES, ids=lambda value: str(value)[:30])
async def test_a_worker_with_a_wrong_account_ends_at_once(fleet: Fleet, variables: dict[str, str], remedy: str) -> None:
    end = await fleet.run("workers.generic", **variables, SERVICE_NAME="yolov8")
    assert end.code == 2, end.err
    assert remedy in end.err
    assert SECRET not in end.err
    assert "Traceback" not in end.err


@pytest.mark.parametrize(("variables", "remedy"), MISTAKES, ids=lambda value: str(value)[:30])
async def test_so_does_a_producer(fleet: Fleet, variables: dict[str, str], remedy: str) -> None:
    await fleet.register(3)
    end = await fleet.run("producers.generic", "--services", "yolov8", **variables)
    assert end.code == 2, end.err
    assert remedy in end.err
    assert SECRET not in end.err
    assert "Traceback" not in end.err


async def test_a_misspelt_group_is_told_with_the_groups_that_there_are(fleet: Fleet) -> None:
    await fleet.register(2, group="holidays")
    await fleet.register(2, group="garden")
    end = await fleet.run("producers.generic", "--services", "yolov8", "--group", "holiday")
    assert end.code == 2
    assert "no image has the group 'holiday'" in end.err
    assert "there are: garden, holidays" in end.err


async def test_a_repetition_that_finds_nothing_new_leaves_no_run_behind(fleet: Fleet) -> None:
    await fleet.register(3)
    for _ in range(3):
        end = await fleet.run("producers.generic", "--services", "yolov8")
        assert end.code == 0, end.err
    assert await fleet.rows.fetchval("SELECT count(*) FROM runs") == 1
    assert "nothing is left to submit" in end.out


async def test_a_job_that_fails_is_named_in_the_log(fleet: Fleet) -> None:
    await fleet.rows.execute("INSERT INTO images (image_filename, image_path) VALUES ('gone.jpg', '/no/such/gone.jpg')")
    await fleet.run("producers.generic", "--services", "yolov8")
    worker = await fleet.worker("yolov8")
    await worker.says("job failed")
    assert "image_id=1 image=/no/such/gone.jpg" in worker.log
    assert "code=IMAGE_NOT_FOUND" in worker.log


async def test_status_shows_what_waits_and_what_is_parked(fleet: Fleet) -> None:
    await fleet.register(2)
    await fleet.run("producers.generic", "--services", "yolov8,clip")
    shown = await fleet.run("windmill", "status", "--json")
    document = shown.json()
    queued = {one["service"]: one["queued"] for one in document["services"]}
    assert (document["images"], document["retrying"]) == (2, 0)
    assert (queued["yolov8"], queued["clip"], queued["pose"]) == (2, 2, 0)
    blind = await fleet.run("windmill", "status", QUEUE_PASSWORD=SECRET)
    assert blind.code == 0
    assert "the queues cannot be seen: CONFIG_INVALID" in blind.err
