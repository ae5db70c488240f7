"""The stores that the suite holds to one contract: a folder, and a bucket of each kind on a real server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.image_stores import Place, RealStores
from windmill.core.settings import Settings
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.store import ArtifactStore

_OTHERS = pytest.mark.slow(reason="10 s: a real server for each kind of store, one of which is installed with npm")
KINDS = ("s3", pytest.param("gs", marks=_OTHERS), pytest.param("az", marks=_OTHERS))


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, real_stores: RealStores) -> Place:
    """A bucket of each kind."""
    return real_stores.place(request.param)


@pytest.fixture(params=["folder", *KINDS])
def variables(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What a program needs to reach a store of its own."""
    if request.param == "folder":
        return {"ARTIFACTS_URL": str(tmp_path / "store")}
    stores: RealStores = request.getfixturevalue("real_stores")
    place = stores.place(request.param)
    return {**place.variables, "ARTIFACTS_URL": f"{place.address}/some/where"}


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
