"""What whoever keeps files relies on, asked of a folder and of a bucket alike."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.waiting import turns
from windmill.core.errors import WindmillError
from windmill.storage.artifacts.store import ArtifactStore, StoredBlob, blob_key

Made = Callable[[bytes], Path]
LARGE = 9 * 1024 * 1024 + 17
"""More than one part of an upload."""


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def keys(store: ArtifactStore, prefix: str = "") -> list[str]:
    return [entry.key async for entry in store.list(prefix)]


def key_of(data: bytes) -> str:
    return blob_key(hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("data", [b"", b"some", os.urandom(LARGE)], ids=["empty", "small", "several parts"])
async def test_what_is_put_is_named_by_its_digest_and_comes_back(
    store: ArtifactStore, made: Made, tmp_path: Path, data: bytes
) -> None:
    digest = hashlib.sha256(data).hexdigest()
    assert await store.put(made(data), "image/png") == StoredBlob(digest, len(data), key_of(data), "image/png")
    await store.fetch(key_of(data), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


async def test_the_same_bytes_are_stored_once(store: ArtifactStore, made: Made) -> None:
    first, second = [await store.put(made(b"same"), "text/plain") for _ in range(2)]
    assert first == second
    assert await keys(store) == [first.key]


async def test_a_part_is_read_from_its_start_and_no_further_than_the_end(store: ArtifactStore, made: Made) -> None:
    data = os.urandom(LARGE)
    key = (await store.put(made(data), "a/b")).key
    for start, length in [
        (0, 10),
        (5, LARGE),
        (LARGE - 3, 100),
        (8 * 1024 * 1024 - 2, 5),
        (LARGE, 1),
        (LARGE + 9, 9),
        (3, 0),
    ]:
        assert await joined(store.read_range(key, start, length)) == data[start : start + length]


async def test_a_file_that_is_not_there_is_told_as_such(store: ArtifactStore, tmp_path: Path) -> None:
    key = key_of(b"never stored")
    assert await store.find(key) is None
    for asked in (store.fetch(key, tmp_path / "x"), joined(store.read_range(key, 0, 1))):
        with pytest.raises(WindmillError, match="ARTIFACT_NOT_FOUND"):
            await asked
    assert not (tmp_path / "x").exists()


async def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(store: ArtifactStore, made: Made) -> None:
    key = (await store.put(made(b"some"), "a/b")).key
    for _ in range(2):
        await store.delete(key)
        assert await store.find(key) is None
    assert await keys(store) == []


async def test_a_listing_has_each_file_once_in_the_order_of_keys_with_size_and_time(
    store: ArtifactStore, made: Made
) -> None:
    began = datetime.now(UTC)
    put = {(await store.put(made(b"x" * size), "a/b")).key: size for size in range(12)}
    listed = [entry async for entry in store.list()]
    assert [entry.key for entry in listed] == sorted(put)
    assert {entry.key: entry.size for entry in listed} == put
    assert all(abs(entry.modified - began) < timedelta(minutes=2) for entry in listed)
    assert await store.find(listed[0].key) == listed[0]


@pytest.mark.parametrize("length", [1, 2, 3, 10, 67])
async def test_a_prefix_lists_what_begins_with_it(store: ArtifactStore, made: Made, length: int) -> None:
    put = [(await store.put(made(b"x" * size), "a/b")).key for size in range(12)]
    prefix = put[0][:length]
    assert await keys(store, prefix) == sorted(key for key in put if key.startswith(prefix))


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", "ab/cd", "ab/" + "0" * 64, "aa/" + "a" * 63 + "\n", "/etc/passwd"]
)
async def test_what_cannot_be_a_key_is_refused_before_it_is_looked_for(
    store: ArtifactStore, tmp_path: Path, key: str
) -> None:
    for asked in (
        store.fetch(key, tmp_path / "x"),
        joined(store.read_range(key, 0, 1)),
        store.delete(key),
        store.find(key),
    ):
        with pytest.raises(WindmillError, match="USAGE"):
            await asked


async def test_only_regular_files_are_stored(store: ArtifactStore, made: Made, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(made(b"secret"))
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing", "."):
        with pytest.raises(WindmillError, match="cannot be stored"):
            await store.put(tmp_path / name, "a/b")
    assert await keys(store) == []


async def test_many_puts_and_reads_of_the_same_file_at_once_are_each_whole(
    store: ArtifactStore, made: Made, tmp_path: Path
) -> None:
    data = os.urandom(LARGE)
    source = made(data)
    first = await store.put(source, "a/b")

    async def again(number: int) -> bytes:
        await store.put(source, "a/b")
        await store.fetch(first.key, tmp_path / f"copy-{number}")
        return (tmp_path / f"copy-{number}").read_bytes()

    assert set(await asyncio.gather(*(again(number) for number in range(4)))) == {data}


async def test_a_put_that_is_cancelled_leaves_nothing_under_the_final_name(
    store: ArtifactStore, tmp_path: Path
) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    putting = asyncio.create_task(store.put(source, "a/b"))
    await turns(1)  # it has begun
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await keys(store) == []
