"""Reading the YAML files of deploy/."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from windmill.core.settings import ROOT

DEPLOY = ROOT / "deploy"

Document = dict[str, Any]


def documents(text: str) -> list[Document]:
    """All documents of a YAML text."""
    return [document for document in YAML(typ="safe").load_all(text) if document]


def document(path: Path) -> Document:
    """The only document of a file."""
    (found,) = documents(path.read_text(encoding="utf-8"))
    return found
