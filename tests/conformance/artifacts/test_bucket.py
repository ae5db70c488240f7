"""What goes wrong with a bucket in particular, shown with a real server of each kind."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.artifacts.late_errors import failing_to_join
from tests.image_stores import Place, RealStores
from windmill.core.bucket_client import open_store
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.kernels.net.store_urls import parsed
from windmill.storage.artifacts.bucket import AGAIN, PART, BucketStore
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.store import ArtifactStore


class Meddling:
    """A bucket; as soon as an upload begins, somebody writes to the file that is uploaded."""

    def __init__(
        self,
        bucket: Any,  # noqa: ANN401 - whatever obstore makes
        source: Path,
    ) -> None:
        self._bucket = bucket
        self._source = source

    def __getattr__(self, name: str) -> object:
        return getattr(self._bucket, name)

    async def put_async(self, *arguments: object, **named: object) -> object:
        with self._source.open("r+b") as file:
            file.seek(self._source.stat().st_size - 10)
            file.write(b"0123456789")
        return await self._bucket.put_async(*arguments, **named)


def opened(place: Place, below: str = "", **changed: str) -> ArtifactStore:
    return open_artifact_store(
        Settings.from_env({**place.variables, "ARTIFACTS_URL": f"{place.address}{below}", **changed})
    )


async def unavailable(store: ArtifactStore, source: Path) -> list[WindmillError]:
    """What is said of a store that can neither be written nor listed."""
    told = []
    for asked in (store.put(source, "a/b"), anext(store.list())):
        with pytest.raises(WindmillError, match="ARTIFACT_STORE_UNAVAILABLE") as raised:
            await asyncio.wait_for(asked, 100)
        told.append(raised.value)
    return told


@pytest.fixture
def some(tmp_path: Path) -> Path:
    path = tmp_path / "some"
    path.write_bytes(b"some")
    return path


async def test_a_file_that_changes_while_it_is_sent_is_not_stored(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(3 * PART))
    url = parsed(place.address)
    bucket = open_store(Settings.from_env(place.variables), url, 30, 1)
    store = BucketStore(Meddling(bucket, source), url)  # type: ignore[arg-type]
    with pytest.raises(WindmillError, match="CHECKSUM_MISMATCH"):
        await store.put(source, "a/b")
    assert [entry async for entry in store.list()] == []


async def test_a_file_whose_parts_the_store_failed_to_join_after_its_200_is_sent_again(
    real_stores: RealStores, tmp_path: Path
) -> None:
    place = real_stores.place("s3")
    source = tmp_path / "large"
    source.write_bytes(os.urandom(PART + 1))
    with failing_to_join(place.variables["AWS_ENDPOINT_URL"], 2) as endpoint:
        key = (await opened(place, AWS_ENDPOINT_URL=endpoint).put(source, "a/b")).key
    await opened(place).fetch(key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    with (
        failing_to_join(place.variables["AWS_ENDPOINT_URL"], AGAIN + 1) as endpoint,
        pytest.raises(WindmillError, match="ARTIFACT_STORE_UNAVAILABLE"),
    ):
        await opened(place, AWS_ENDPOINT_URL=endpoint).put(source, "a/b")


async def test_a_store_that_refuses_the_account_is_unavailable_and_tells_no_secret(place: Place, some: Path) -> None:
    if not place.wrong:
        pytest.skip("fake-gcs-server looks at no account")
    secrets = [*place.wrong.values(), *(place.variables[name] for name in place.wrong)]
    for error in await unavailable(opened(place, **place.wrong), some):
        assert error.retry == "pause"
        assert next(iter(place.wrong)).partition("_")[0] in error.remedy
        assert not [secret for secret in secrets if secret in f"{error} {error.remedy}"]


async def test_a_store_without_the_bucket_is_unavailable_and_nothing_is_missing(place: Place, some: Path) -> None:
    """A HEAD has no body and so no word; whoever believed it would report every file as lost."""
    scheme = place.address.partition("://")[0]
    for error in await unavailable(opened(place, ARTIFACTS_URL=f"{scheme}://there-is-none/here"), some):
        assert "no such bucket" in error.message or "NoSuchBucket" in error.message or "NotFound" in error.message


async def test_a_store_that_is_away_is_waited_for(place: Place, some: Path) -> None:
    for error in await unavailable(opened(place, **place.away), some):
        assert error.retry == "pause"


async def test_artifacts_of_two_prefixes_do_not_see_each_other(place: Place, some: Path) -> None:
    one, other = (opened(place, below) for below in ("/a", "/a/b"))
    key = (await one.put(some, "a/b")).key
    assert await other.find(key) is None
    assert [entry async for entry in other.list()] == []
    assert [entry.key async for entry in one.list()] == [key]


async def test_what_else_lies_in_the_bucket_is_no_artifact(place: Place) -> None:
    await place.fill({"readme.txt": b"hands off", "ab/notes": b"mine"})
    assert [entry async for entry in opened(place).list()] == []


async def test_more_files_than_a_page_are_listed_in_the_order_of_their_keys(place: Place) -> None:
    if place.address.startswith("s3://"):
        pytest.skip("Swift takes a minute to get so many")
    digests = sorted(os.urandom(32).hex() for _ in range(1_100))
    await place.fill({f"in/{one[:2]}/{one}": b"some" for one in reversed(digests)})
    assert [entry.key async for entry in opened(place, "/in").list()] == [f"{one[:2]}/{one}" for one in digests]
