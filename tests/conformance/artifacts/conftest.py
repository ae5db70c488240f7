"""The stores that the suite holds to one contract: a folder, and a bucket of a real S3 server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.swift_store import Bucket
from windmill.core.settings import Settings
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.store import ArtifactStore


@pytest.fixture(params=["folder", "bucket"])
def variables(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What a program needs to reach a store of its own."""
    if request.param == "folder":
        return {"ARTIFACTS_URL": str(tmp_path / "store")}
    s3: dict[str, str] = request.getfixturevalue("s3")
    return {**s3, "ARTIFACTS_URL": f"s3://{Bucket(s3).name}/some/where"}


@pytest.fixture
def store(variables: dict[str, str]) -> ArtifactStore:
    return open_artifact_store(Settings.from_env(variables))


@pytest.fixture
def made(tmp_path: Path) -> Callable[[bytes], Path]:
    """Makes a file with these bytes."""

    def make(data: bytes) -> Path:
        path = tmp_path / f"made-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(data)
        return path

    return make
