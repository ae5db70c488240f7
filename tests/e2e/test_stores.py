"""Images in real stores, from registering to the result."""

from collections.abc import Mapping

import pytest

from tests.e2e.conftest import Farm
from tests.e2e.swift_store import Bucket
from tests.image_stores import RealStores
from tests.integration.fleet import SMALL_JPEG, Fleet

pytestmark = [pytest.mark.database, pytest.mark.broker]

OBJECTS = 1_000


@pytest.fixture
def bucket(s3: Mapping[str, str], fleet: Fleet) -> Bucket:
    """A bucket of its own, which all commands of this test's fleet may read."""
    made = Bucket(s3)
    fleet.environ |= s3
    fleet.environ["IMAGE_STORE_ALLOW"] = f"s3://{made.name}"
    return made


@pytest.mark.slow(reason="two minutes: the store takes in some 20 objects a second, and gives out as many")
@pytest.mark.timeout(300)
async def test_a_thousand_objects_are_registered_by_their_folder_and_read_by_a_worker(
    fleet: Fleet, farm: Farm, bucket: Bucket, picture: bytes
) -> None:
    await bucket.fill({f"in/{number // 100}/{number} ü#%.jpg": picture for number in range(OBJECTS)})
    await bucket.fill({"in/notes.md": b"text", "beside/b.jpg": picture, "in/0/empty.jpg": b""})
    registered = await fleet.run("producers.images", f"s3://{bucket.name}/in/", "--json")
    assert (registered.code, registered.json()["registered"]) == (0, OBJECTS), registered.err
    assert registered.json()["ignored"] == {".md": 1}
    assert registered.json()["bad_entries"] == [{"name": f"s3://{bucket.name}/in/0/empty.jpg", "reason": "is empty"}]
    again = await fleet.run("producers.images", f"s3://{bucket.name}/in", "--json")
    assert (again.json()["registered"], again.json()["known"]) == (0, OBJECTS)
    await fleet.produce("--services", "metadata")
    worker = await fleet.worker("metadata")
    await fleet.stored(OBJECTS, 150)
    assert await fleet.count("status = 'success' AND attempt = 1") == OBJECTS
    assert farm.calls("metadata") == OBJECTS
    assert (await worker.stop()).code == 0
    assert fleet.environ["AWS_SECRET_ACCESS_KEY"] not in fleet.logs()


@pytest.mark.slow(reason="5 s: a store of its own")
async def test_what_is_gone_or_not_allowed_fails_for_good(fleet: Fleet, farm: Farm, bucket: Bucket) -> None:
    await bucket.fill({"a/gone.jpg": SMALL_JPEG, "b/kept.jpg": SMALL_JPEG})
    assert (await fleet.run("producers.images", f"s3://{bucket.name}/")).code == 0
    await bucket.remove("a/gone.jpg")
    await fleet.produce("--services", "metadata")
    worker = await fleet.worker("metadata", IMAGE_STORE_ALLOW=f"s3://{bucket.name}/a")
    await fleet.failed("metadata", 2)
    assert (await worker.stop()).code == 0
    failed = {row["error_code"] for row in await fleet.results("metadata")}
    assert failed == {"IMAGE_NOT_FOUND", "IMAGE_FORBIDDEN"}


@pytest.mark.slow(reason="6 s: the store has to refuse for a while")
async def test_while_the_store_refuses_the_account_jobs_wait_and_lose_no_try(
    fleet: Fleet, farm: Farm, bucket: Bucket, picture: bytes
) -> None:
    await bucket.fill({"a.jpg": picture})
    assert (await fleet.run("producers.images", f"s3://{bucket.name}/a.jpg")).code == 0
    await fleet.produce("--services", "metadata")
    ill = await fleet.worker("metadata", AWS_SECRET_ACCESS_KEY="of another account")
    await ill.says("SignatureDoesNotMatch")
    assert (await ill.stop()).code == 0
    assert await fleet.results() == []
    well = await fleet.worker("metadata")
    await fleet.stored(1)
    assert (await well.stop()).code == 0
    assert [row["attempt"] for row in await fleet.results()] == [1]


@pytest.mark.slow(reason="10 s: real servers, one of which is installed with npm")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["gs", "az", "dav"])
async def test_images_of_every_kind_of_store_are_analysed(
    fleet: Fleet, farm: Farm, real_stores: RealStores, picture: bytes, kind: str
) -> None:
    place = real_stores.place(kind)
    await place.fill({f"in/{number}/{number} ü#%.jpg": picture for number in range(10)})
    fleet.environ |= place.allowed
    registered = await fleet.run("producers.images", f"{place.address}/in", "--json")
    assert (registered.code, registered.json()["registered"]) == (0, 10), registered.err
    await fleet.produce("--services", "metadata")
    worker = await fleet.worker("metadata")
    await fleet.stored(10)
    assert await fleet.count("status = 'success' AND attempt = 1") == 10
    assert (await worker.stop()).code == 0
    secrets = [value for name, value in place.variables.items() if name.endswith(("_KEY", "_PASSWORD"))]
    assert not [secret for secret in secrets if secret in fleet.logs()]
