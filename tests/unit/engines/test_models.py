import hashlib
from pathlib import Path

import pytest

from windmill.core.errors import Code
from windmill.engines.entries import BuiltinEntry, ModelFile
from windmill.engines.models import ModelFinding, check_models

DATA = b"weights"
SHA = hashlib.sha256(DATA).hexdigest()


def findings(folder: Path | str, model: ModelFile, installed: list[str] | None = None) -> list[ModelFinding]:
    return check_models(BuiltinEntry(models=(model,), models_folder=str(folder)), installed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.safetensors").write_bytes(DATA)
    return tmp_path


CASES: list[tuple[ModelFile, list[Code]]] = [
    (ModelFile("a.safetensors", SHA, "MIT"), []),
    (ModelFile("a.safetensors", SHA[::-1], "MIT"), ["CHECKSUM_MISMATCH"]),
    (ModelFile("a.safetensors", "", "MIT"), ["CHECKSUM_MISSING"]),
    (ModelFile("a.safetensors", SHA, "Unknown"), ["LICENSE_UNKNOWN"]),
    (ModelFile("a.safetensors", SHA, "", "Ada"), []),
    (ModelFile("a.safetensors"), ["CHECKSUM_MISSING", "LICENSE_UNKNOWN"]),
    (ModelFile("b.safetensors", SHA, "MIT"), ["DEPENDENCY_MISSING"]),
]


@pytest.mark.parametrize(("model", "codes"), CASES)
def test_a_model_must_be_there_be_the_right_one_and_have_a_licence(
    folder: Path, model: ModelFile, codes: list[Code]
) -> None:
    found = findings(folder, model)
    assert [one.code for one in found if one.code] == codes
    assert found
    assert all(bool(one.remedy) == bool(one.code) for one in found)


def test_a_missing_checksum_is_told_so_that_it_can_be_added(folder: Path) -> None:
    [found] = findings(folder, ModelFile("a.safetensors", "", "MIT"))
    assert SHA in found.says


def test_on_a_server_only_the_name_is_known(tmp_path: Path) -> None:
    model = ModelFile("checkpoints/a.safetensors", SHA, "MIT")
    [there] = findings("", model, ["a.safetensors"])
    assert (there.code, "models_folder" in there.remedy) == ("CHECKSUM_MISSING", True)
    [missing] = findings("", model, ["b.safetensors"])
    assert missing.code == "DEPENDENCY_MISSING"
    assert "b.safetensors" in missing.says
