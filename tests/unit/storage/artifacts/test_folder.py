"""What is particular to artifacts in a folder."""

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fake_artifact_rows import FakeArtifactRows
from windmill.core.errors import WindmillError
from windmill.core.settings import ROOT, Settings
from windmill.kernels.net.store_urls import StoreUrl
from windmill.storage.artifacts.files import explained_disk_errors
from windmill.storage.artifacts.folder import INCOMING, FolderStore
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.sweep import SweepReport, sweep


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "INSUFFICIENT_DISK_SPACE"), (errno.EIO, "ARTIFACT_STORE_UNAVAILABLE")]
)
def test_a_full_disk_is_told_from_one_that_is_ill_and_neither_costs_a_try(
    tmp_path: Path, number: int, code: str
) -> None:
    with pytest.raises(WindmillError, match=code) as raised, explained_disk_errors(tmp_path):
        raise OSError(number, os.strerror(number))
    assert raised.value.retry == "pause"


async def test_a_put_that_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    (tmp_path / "some").write_bytes(b"some")
    blob = await store.put(tmp_path / "some", "a/b")
    (tmp_path / "store" / blob.key).unlink()
    (tmp_path / "store" / blob.key).mkdir()  # in the way of the name
    with pytest.raises(WindmillError, match="ARTIFACT_STORE_UNAVAILABLE"):
        await store.put(tmp_path / "some", "a/b")
    assert list((tmp_path / "store" / INCOMING).iterdir()) == []


async def test_what_killed_programs_left_half_written_is_removed_once_it_is_old(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert await store.forget_incoming(datetime.now(UTC)) == 0
    (tmp_path / INCOMING).mkdir()
    (tmp_path / INCOMING / ".half").write_bytes(b"ha")
    assert await store.forget_incoming(datetime.now(UTC) - timedelta(hours=1)) == 0
    swept = await sweep(store, FakeArtifactRows(), datetime.now(UTC) + timedelta(hours=1), delete=True)
    assert swept == SweepReport(half_written=1)
    assert list((tmp_path / INCOMING).iterdir()) == []


async def test_foreign_files_in_the_folder_are_no_artifacts(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "notes.txt").write_bytes(b"mine")
    (tmp_path / "readme").write_bytes(b"hands off")
    assert [entry async for entry in FolderStore(tmp_path).list()] == []


def test_the_setting_names_a_folder_or_a_bucket() -> None:
    assert Settings.from_env({}).artifacts_url == ROOT / "var" / "artifacts"
    assert Settings.from_env({"ARTIFACTS_URL": "/srv/a"}).artifacts_url == Path("/srv/a")
    for scheme in ("s3", "gs", "az"):
        assert Settings.from_env({"ARTIFACTS_URL": f"{scheme}://b/a/c"}).artifacts_url == StoreUrl(scheme, "b", "a/c")


@pytest.mark.parametrize("wrong", ["s3://", "http://store/bucket", "s3://b/../c", ""])
def test_another_place_is_refused_with_what_is_allowed(wrong: str) -> None:
    with pytest.raises(WindmillError, match="ARTIFACTS_URL"):
        Settings.from_env({"ARTIFACTS_URL": wrong})


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_without_the_client_of_stores_a_bucket_is_refused_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(WindmillError, match=r"CONFIG_INVALID.*pip install"):
        open_artifact_store(Settings.from_env({"ARTIFACTS_URL": f"{scheme}://b"}))


def test_an_account_that_cannot_be_read_is_told_with_its_setting_and_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("the secret of somebody")
    variables = {"ARTIFACTS_URL": "gs://b", "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")}
    with pytest.raises(WindmillError, match=r"CONFIG_INVALID.*gs://b cannot be opened") as refused:
        open_artifact_store(Settings.from_env(variables))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in refused.value.remedy
    assert "secret" not in str(refused.value)


def test_a_folder_needs_no_client_of_stores() -> None:
    script = "import sys, windmill.storage.artifacts.opening as o; from windmill.core.settings import Settings;"
    script += "o.open_artifact_store(Settings.from_env({})); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "obstore" not in ran.stdout.split()
