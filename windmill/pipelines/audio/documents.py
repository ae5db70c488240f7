"""The documents that steps on talk hand to each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError


def read_document(files: Sequence[Path]) -> dict[str, Any]:
    """The one JSON object among the files of an input."""
    found = [path for path in files if path.suffix == ".json"]
    if len(found) != 1:
        raise WindmillError("DEFECT", f"the step before has handed on {len(found)} documents, and not one")
    document = orjson.loads(found[0].read_bytes())
    if not isinstance(document, dict):
        raise WindmillError("DEFECT", "the step before has handed on what is no object")
    return document
