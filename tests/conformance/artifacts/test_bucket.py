"""What goes wrong with a bucket in particular, shown with a real S3 server."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.swift_store import Bucket
from windmill.core.bucket_client import open_bucket
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage.artifacts.bucket import PART, BucketStore
from windmill.storage.artifacts.opening import open_artifact_store


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


async def test_a_file_that_changes_while_it_is_sent_is_not_stored(s3: Mapping[str, str], tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(3 * PART))
    bucket = open_bucket(Settings.from_env(s3), Bucket(s3).name, 30, 1)
    store = BucketStore(Meddling(bucket, source), "", "s3://it")  # type: ignore[arg-type]
    with pytest.raises(WindmillError, match="CHECKSUM_MISMATCH"):
        await store.put(source, "a/b")
    assert [entry async for entry in store.list()] == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "of another account"}, "SignatureDoesNotMatch"),
        ({"ARTIFACTS_URL": "s3://there-is-none/here"}, "NoSuchBucket"),
    ],
)
async def test_a_store_that_refuses_the_account_or_lacks_the_bucket_is_unavailable_and_nothing_is_missing(
    s3: Mapping[str, str], tmp_path: Path, changed: dict[str, str], word: str
) -> None:
    (tmp_path / "some").write_bytes(b"some")
    variables = {**s3, "ARTIFACTS_URL": f"s3://{Bucket(s3).name}", **changed}
    store = open_artifact_store(Settings.from_env(variables))
    with pytest.raises(WindmillError, match=f"ARTIFACT_STORE_UNAVAILABLE.*{word}") as raised:
        await store.put(tmp_path / "some", "a/b")
    assert raised.value.retry == "pause"
    assert variables["AWS_SECRET_ACCESS_KEY"] not in str(raised.value)


async def test_artifacts_of_two_prefixes_do_not_see_each_other(s3: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "some").write_bytes(b"some")
    bucket = Bucket(s3)
    one, other = (
        open_artifact_store(Settings.from_env({**s3, "ARTIFACTS_URL": f"s3://{bucket.name}/{prefix}"}))
        for prefix in ("a", "a/b")
    )
    key = (await one.put(tmp_path / "some", "a/b")).key
    assert await other.find(key) is None
    assert [entry async for entry in other.list()] == []
    assert [entry.key async for entry in one.list()] == [key]


async def test_what_else_lies_in_the_bucket_is_no_artifact(s3: Mapping[str, str]) -> None:
    bucket = Bucket(s3)
    await bucket.fill({"readme.txt": b"hands off", "ab/notes": b"mine"})
    store = open_artifact_store(Settings.from_env({**s3, "ARTIFACTS_URL": f"s3://{bucket.name}"}))
    assert [entry async for entry in store.list()] == []


async def test_a_head_of_a_missing_bucket_is_not_taken_for_a_missing_file(s3: Mapping[str, str]) -> None:
    """A HEAD has no body and so no word; whoever believed it would report every file as lost."""
    store = open_artifact_store(Settings.from_env({**s3, "ARTIFACTS_URL": "s3://there-is-none"}))
    with pytest.raises(WindmillError, match="ARTIFACT_STORE_UNAVAILABLE"):
        await asyncio.wait_for(anext(store.list()), 60)
