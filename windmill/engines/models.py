"""The files of models that an engine needs: whether they are there, are what they should be, and may be used."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from windmill.core.errors import ERROR_CODES, Code
from windmill.engines.entries import CommonEntry, ModelFile

UNKNOWN_LICENCES = ("", "unknown")


@dataclass(frozen=True)
class ModelFinding:
    """What is wrong with a model, or, without a code, that all is well."""

    file: str
    says: str
    code: Code | None = None
    hint: str = ""

    @property
    def remedy(self) -> str:
        return self.hint or (ERROR_CODES[self.code].remedy if self.code else "")


def check_models(entry: CommonEntry, installed: Sequence[str] | None = None) -> list[ModelFinding]:
    """One finding at least for each model of the entry. `installed` are the names that a server tells, for an entry
    without a folder of models. Reads whole files: call it in a thread."""
    return [finding for model in entry.models for finding in _findings(model, entry.models_folder, installed)]


def _findings(model: ModelFile, folder: str, installed: Sequence[str] | None) -> Iterator[ModelFinding]:
    faults = [*_file_faults(model, folder, installed), *_licence_faults(model)]
    yield from faults
    if not faults:
        yield ModelFinding(model.file, f"verified; licence {model.licence}")


def _file_faults(model: ModelFile, folder: str, installed: Sequence[str] | None) -> Iterator[ModelFinding]:
    if not folder and installed is not None:
        yield _remote_fault(model, installed)
        return
    path = Path(folder, model.file)
    if not path.is_file():
        yield ModelFinding(model.file, f"there is no file {path}", "DEPENDENCY_MISSING")
        return
    found = _digest(path)
    if not model.sha256:
        yield ModelFinding(model.file, f"its entry has no sha256; that of the file is {found}", "CHECKSUM_MISSING")
    elif found != model.sha256:
        yield ModelFinding(model.file, f"its sha256 is {found}, and should be {model.sha256}", "CHECKSUM_MISMATCH")


def _remote_fault(model: ModelFile, installed: Sequence[str]) -> ModelFinding:
    """Of a file on another machine nothing is known but its name."""
    if Path(model.file).name not in installed:
        known = ", ".join(installed) or "nothing"
        return ModelFinding(model.file, f"the server does not have it; it has {known}", "DEPENDENCY_MISSING")
    said = "the server has it, but it cannot be verified from here"
    return ModelFinding(model.file, said, "CHECKSUM_MISSING", "set models_folder to where the models can be read")


def _licence_faults(model: ModelFile) -> Iterator[ModelFinding]:
    if model.licence.strip().lower() in UNKNOWN_LICENCES and not model.acknowledged_by:
        yield ModelFinding(model.file, "its licence is not known, and nobody has acknowledged that", "LICENSE_UNKNOWN")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
