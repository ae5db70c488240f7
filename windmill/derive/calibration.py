"""Reading the calibration file: how reliable each service is. Derived rows record its version."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windmill.core.errors import ConfigInvalid, Problem
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.text.json_readers import object_of, text
from windmill.kernels.votes.vote_calibration import VoteCalibration


@dataclass(frozen=True)
class Calibration:
    """The constants of the box and vote kernels; `origin` says which data they were fitted on."""

    version: str
    origin: str
    boxes: BoxCalibration
    votes: VoteCalibration

    def as_document(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "origin": self.origin,
            "boxes": self.boxes.as_document(),
            "votes": self.votes.as_document(),
        }


_READ = object_of(
    {
        "version": text,
        "origin": text,
        "boxes": lambda value, _: BoxCalibration.from_document(value),
        "votes": lambda value, _: VoteCalibration.from_document(value),
    },
    required=["version", "origin"],
    notes=["notes"],
)


def load_calibration(path: Path) -> Calibration:
    """Read and check a calibration file."""
    try:
        return parse_calibration(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        allowed = f"must name a file such as calibration.json; it cannot be read: {error}"
    except ValueError as error:
        allowed = f"must name a calibration such as calibration.json: {error}"
    raise ConfigInvalid([Problem("CALIBRATION", str(path), allowed)])


def parse_calibration(document: object) -> Calibration:
    """The calibration that a parsed JSON document describes; raises DocumentInvalid with every problem."""
    defaults: dict[str, Any] = {"boxes": BoxCalibration(), "votes": VoteCalibration()}
    return Calibration(**defaults | _READ(document, ""))
