"""A store is compared with its rows both ways."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fake_artifact_rows import FakeArtifactRows
from windmill.core.errors import WindmillError
from windmill.storage.artifacts.store import ArtifactStore, blob_key
from windmill.storage.artifacts.sweep import FaultyArtifact, RecordedBlob, SweepReport, delete_old, sweep, verify

Made = Callable[[bytes], Path]


def later() -> datetime:
    """A time by which everything in the store is old."""
    return datetime.now(UTC) + timedelta(hours=1)


async def keys(store: ArtifactStore) -> set[str]:
    return {entry.key async for entry in store.list()}


async def test_what_no_row_names_is_deleted_once_it_is_old_and_nothing_else(store: ArtifactStore, made: Made) -> None:
    kept = [await store.put(made(b"kept" * number), "a/b") for number in range(1, 5)]
    left = [await store.put(made(b"left" * number), "a/b") for number in range(1, 5)]
    rows = FakeArtifactRows(*kept)
    young = await sweep(store, rows, datetime.now(UTC) - timedelta(hours=1), delete=True)
    assert young == SweepReport(stored=8, young=4)
    previewed = await sweep(store, rows, later(), delete=False)
    assert await keys(store) == {blob.key for blob in kept + left}
    assert await sweep(store, rows, later(), delete=True) == previewed == SweepReport(
        stored=8, deleted=4, deleted_bytes=sum(blob.size for blob in left)
    )  # fmt: skip
    assert await keys(store) == {blob.key for blob in kept}


async def test_files_that_are_no_longer_wanted_are_deleted_unless_they_are_young(
    store: ArtifactStore, made: Made
) -> None:
    unwanted, other = [(await store.put(made(text), "a/b")).key for text in (b"unwanted", b"other")]
    asked = [unwanted, blob_key("0" * 64)]
    assert await delete_old(store, asked, datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await keys(store) == {unwanted, other}
    assert await delete_old(store, asked, later()) == 1
    assert await keys(store) == {other}


async def test_what_rows_name_in_vain_is_counted_and_told(store: ArtifactStore, made: Made) -> None:
    blobs = [await store.put(made(b"x" * number), "a/b") for number in range(1, 6)]
    await store.delete(blobs[2].key)
    rows = FakeArtifactRows(*blobs)
    rows.sizes[blobs[4].key] += 1
    assert (await sweep(store, rows, later(), delete=True)).missing == 1
    found = [one async for one in verify(store, rows)]
    assert found == sorted(
        [FaultyArtifact(blobs[2].key, "missing"), FaultyArtifact(blobs[4].key, "other size")], key=lambda one: one.key
    )


async def test_a_row_written_while_the_walk_goes_on_saves_its_file(store: ArtifactStore, made: Made) -> None:
    blob = await store.put(made(b"just stored"), "a/b")

    class Late(FakeArtifactRows):
        async def recorded(self) -> AsyncIterator[RecordedBlob]:
            self.sizes[blob.key] = blob.size
            return
            yield

    assert await sweep(store, Late(), later(), delete=True) == SweepReport(stored=1)
    assert await keys(store) == {blob.key}


async def test_rows_in_the_wrong_order_delete_nothing_that_they_name(store: ArtifactStore, made: Made) -> None:
    blobs = sorted([await store.put(made(b"x" * number), "a/b") for number in range(1, 6)], key=lambda one: one.key)

    class Reversed(FakeArtifactRows):
        async def recorded(self) -> AsyncIterator[RecordedBlob]:
            for key in sorted(self.sizes, reverse=True):
                yield RecordedBlob(key, self.sizes[key])

    with pytest.raises(WindmillError, match="wrong order"):
        await sweep(store, Reversed(*blobs), later(), delete=True)
    assert await keys(store) == {blob.key for blob in blobs}


@pytest.mark.parametrize("variables", ["folder"], indirect=True)
async def test_damaged_bytes_are_told_and_never_handed_out_and_putting_them_again_mends_them(
    store: ArtifactStore, made: Made, tmp_path: Path
) -> None:
    source = made(os.urandom(3_000_000))
    blob = await store.put(source, "a/b")
    with (tmp_path / "store" / blob.key).open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"damaged!")
    rows = FakeArtifactRows(blob)
    assert [one async for one in verify(store, rows)] == [FaultyArtifact(blob.key, "damaged")]
    assert [one async for one in verify(store, rows, content=False)] == []
    with pytest.raises(WindmillError, match="CHECKSUM_MISMATCH"):
        await store.fetch(blob.key, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    await store.put(source, "a/b")
    assert [one async for one in verify(store, rows)] == []


async def test_an_empty_store_without_rows_has_nothing_to_sweep(store: ArtifactStore) -> None:
    assert await sweep(store, FakeArtifactRows(), later(), delete=True) == SweepReport()
    assert [one async for one in verify(store, FakeArtifactRows())] == []


def test_a_key_is_made_of_a_digest_only() -> None:
    with pytest.raises(WindmillError, match="USAGE"):
        blob_key("../../../../etc/passwd")
