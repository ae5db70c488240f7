"""What is kept of a file that comes in pieces."""

import asyncio
import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.operate.resumable_uploads import KEPT_SECONDS, MOST_OPEN, PartialUpload, PartialUploads


async def append(uploads: PartialUploads, upload: PartialUpload, offset: int, data: bytes) -> None:
    async with uploads.appending(upload, offset) as target:
        target.write(data)


def is_locked(path: Path) -> bool:
    with path.open("ab") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


async def test_pieces_are_appended_one_at_a_time_and_only_where_the_file_ends(tmp_path: Path) -> None:
    uploads = PartialUploads(tmp_path / "partial")
    upload = uploads.begin("ann", "a.mp4", 10)
    async with uploads.appending(upload, 0) as target:
        target.write(b"0123")
        with pytest.raises(WindmillError, match="another request"):
            await append(uploads, upload, 0, b"")
    for wrong in (0, 3, 5):
        with pytest.raises(WindmillError, match=f"is at 4, not at {wrong}"):
            await append(uploads, upload, wrong, b"")
    other = PartialUploads(tmp_path / "partial")
    assert other.offset(other.find(upload.upload_id, "ann")) == 4
    await append(other, upload, 4, b"456789")
    assert uploads.data(upload).read_bytes() == b"0123456789"


async def test_what_was_written_before_a_fault_is_kept(tmp_path: Path) -> None:
    uploads = PartialUploads(tmp_path)
    upload = uploads.begin("ann", "a.mp4", 10)
    with suppress(ConnectionError):
        async with uploads.appending(upload, 0) as target:
            target.write(b"012")
            raise ConnectionError
    assert uploads.offset(upload) == 3


class SlowDisk:
    """Stores nothing until it may."""

    def __init__(self) -> None:
        self.asked, self.may = threading.Event(), threading.Event()
        self.stored: list[bool] = []

    def sync(self, _: int) -> None:
        self.asked.set()
        self.stored.append(self.may.wait(20))


async def test_while_a_disk_is_slow_others_are_served_and_the_file_stays_locked_even_if_its_sender_is_gone(
    tmp_path: Path,
) -> None:
    disk, upload = SlowDisk(), PartialUploads(tmp_path).begin("ann", "a.mp4", 10)
    uploads = PartialUploads(tmp_path, disk.sync)
    sending = asyncio.create_task(append(uploads, upload, 0, b"012"))
    await until(disk.asked.is_set)
    sending.cancel()
    await asyncio.wait([sending])
    with pytest.raises(WindmillError, match="another request"):
        await append(PartialUploads(tmp_path), upload, 3, b"3")
    disk.may.set()
    await until(lambda: not is_locked(uploads.data(upload)))
    assert disk.stored == [True]
    await append(PartialUploads(tmp_path), upload, 3, b"3")
    assert uploads.data(upload).read_bytes() == b"0123"


def test_only_who_began_it_finds_it(tmp_path: Path) -> None:
    uploads = PartialUploads(tmp_path)
    upload = uploads.begin("ann", "a.mp4", 10)
    for upload_id, principal in ((upload.upload_id, "bob"), ("0" * 32, "ann")):
        with pytest.raises(WindmillError, match="NOT_FOUND"):
            uploads.find(upload_id, principal)


def test_one_that_is_finished_is_told_of_and_its_bytes_are_gone(tmp_path: Path) -> None:
    uploads = PartialUploads(tmp_path)
    upload = uploads.begin("ann", "a.mp4", 10)
    uploads.finish(upload, "f" * 64)
    found = uploads.find(upload.upload_id, "ann")
    assert (found.asset, uploads.offset(found)) == ("f" * 64, 10)
    assert not uploads.data(upload).exists()


def test_what_nobody_goes_on_with_is_forgotten_and_nobody_begins_too_many(tmp_path: Path) -> None:
    uploads = PartialUploads(tmp_path)
    old, kept = uploads.begin("ann", "a.mp4", 10), uploads.begin("ann", "b.mp4", 10)
    long_ago = time.time() - KEPT_SECONDS - 1
    for path in tmp_path.glob(f"{old.upload_id}.*"):
        os.utime(path, (long_ago, long_ago))
    os.utime(tmp_path / f"{kept.upload_id}.json", (long_ago, long_ago))
    for _ in range(MOST_OPEN - 1):
        uploads.begin("ann", "c.mp4", 10)
    with pytest.raises(WindmillError, match="NOT_FOUND"):
        uploads.find(old.upload_id, "ann")
    assert uploads.find(kept.upload_id, "ann") == kept
    with pytest.raises(WindmillError, match="uploads that are not finished"):
        uploads.begin("ann", "d.mp4", 10)
    assert uploads.begin("bob", "d.mp4", 10)
