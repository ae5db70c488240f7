"""What boxes and votes would be without the answers of some services: computed anew from what is stored, and stored
nowhere. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from windmill.derive.calibration import Calibration
from windmill.derive.source_results import SourceResults
from windmill.kernels.boxes.box_identity import KnownBox, carry_over_keys
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.votes.voting import CropAnswer, VoteInputs, vote

BoxDocuments = Mapping[str, Mapping[str, Any]]
"""`merged_data` by the key of the box."""


@dataclass(frozen=True)
class StoredInputs:
    """What boxes and votes of an image are made from. `known` are its boxes as they are stored."""

    detected: SourceResults
    voiced: SourceResults
    size: tuple[int, int] | None
    known: Sequence[KnownBox]
    crops: Sequence[CropAnswer]


@dataclass(frozen=True)
class Preview:
    """Boxes and votes as they would be."""

    boxes: BoxDocuments
    vote: Mapping[str, Any]


def preview_without(inputs: StoredInputs, services: Collection[str], calibration: Calibration) -> Preview:
    """As if these services had never been asked."""
    detected, voiced = _without(inputs.detected, services), _without(inputs.voiced, services)
    predictions = {service: reply.get("predictions") for service, reply in detected.replies.items()}
    merged = merge(predictions, calibration.boxes, inputs.size)
    keys = [key for key, _ in carry_over_keys(inputs.known, merged.boxes)]
    boxes = {key: box.as_data() for key, box in zip(keys, merged.boxes, strict=True)}
    found = vote(
        VoteInputs(
            answers=voiced.replies,
            calibration=calibration.votes,
            failed=voiced.failed,
            awaiting=voiced.awaiting,
            boxes=[data | {"box_key": key} for key, data in boxes.items()],
            enrichments=[one for one in inputs.crops if one.box_key in boxes and one.service not in services],
        )
    )
    return Preview(boxes, found)


def _without(results: SourceResults, services: Collection[str]) -> SourceResults:
    return replace(
        results,
        rows=[one for one in results.rows if one.service not in services],
        awaiting=[one for one in results.awaiting if one not in services],
    )
