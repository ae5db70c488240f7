"""Images that are artifacts: what lies in the store under their digest, and nothing else."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.made_store import Bucket, made_store
from tests.unit.imaging import JPEG, at_url, refused
from windmill.core.messages import Job
from windmill.core.settings import ROOT, Settings
from windmill.kernels.net.artifact_urls import artifact_path, artifact_url
from windmill.media.image.source import ImageSource

DIGEST = hashlib.sha256(JPEG).hexdigest()
ADDRESS = artifact_url(DIGEST)


def stored(folder: Path, data: bytes = JPEG) -> ImageSource:
    """A source whose store has these bytes under the digest of the picture."""
    path = folder / artifact_path(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return ImageSource(Settings.from_env({"ARTIFACTS_URL": str(folder), "IMAGE_ROOT": "/nowhere"}))


async def test_an_artifact_is_read_from_the_folder_whatever_image_root_is(tmp_path: Path) -> None:
    async with stored(tmp_path) as images:
        assert await images.read(at_url(ADDRESS)) == JPEG


async def test_an_artifact_is_read_from_a_bucket_that_no_image_may_be_read_from() -> None:
    bucket = Bucket({f"made/{artifact_path(DIGEST)}": JPEG})
    with made_store(files=bucket) as endpoint:
        account = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "account", "AWS_SECRET_ACCESS_KEY": "secret"}
        async with ImageSource(Settings.from_env({**account, "ARTIFACTS_URL": "s3://files/made"}), 2) as images:
            assert await images.read(at_url(ADDRESS)) == JPEG
            other = f"s3://files/made/{artifact_path(DIGEST)}"
            assert await refused(images, at_url(other)) == ("IMAGE_FORBIDDEN", "never")


async def test_bytes_that_are_not_those_of_the_digest_are_refused(tmp_path: Path) -> None:
    async with stored(tmp_path, JPEG + b"more") as images:
        assert await refused(images, at_url(ADDRESS)) == ("IMAGE_UNREADABLE", "never")


@pytest.mark.parametrize("address", ["artifact:", "artifact:../../etc/passwd", f"artifact:{DIGEST.upper()}"])
async def test_what_is_no_digest_is_no_artifact(tmp_path: Path, address: str) -> None:
    async with stored(tmp_path) as images:
        assert await refused(images, at_url(address)) == ("IMAGE_UNREADABLE", "never")


async def test_a_file_that_is_gone_has_failed_and_a_store_that_is_not_mounted_is_waited_for(tmp_path: Path) -> None:
    gone = at_url(artifact_url("0" * 64))
    async with stored(tmp_path) as images:
        assert await refused(images, gone) == ("IMAGE_NOT_FOUND", "never")
    away = Settings.from_env({"ARTIFACTS_URL": str(tmp_path / "share")})
    async with ImageSource(away) as images:
        assert await refused(images, gone) == ("IMAGE_NOT_FOUND", "pause")


async def test_a_link_out_of_the_store_is_forbidden(tmp_path: Path) -> None:
    outside = tmp_path / "secret.jpg"
    outside.write_bytes(JPEG)
    link = tmp_path / "store" / artifact_path(DIGEST)
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    async with ImageSource(Settings.from_env({"ARTIFACTS_URL": str(tmp_path / "store")})) as images:
        assert await refused(images, at_url(ADDRESS)) == ("IMAGE_FORBIDDEN", "never")


def test_its_location_is_shown_as_it_is() -> None:
    job: Job = at_url(ADDRESS)
    assert job.location == ADDRESS


def test_who_reads_no_artifact_loads_none_of_the_code() -> None:
    script = "import workers.generic, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "windmill.media.image.artifact_reader" not in loaded
    assert not [name for name in loaded if name.startswith("windmill.storage.artifacts")]
