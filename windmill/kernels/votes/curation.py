"""Scores that the first version published beside the votes, and how one emoji confirms or contradicts another."""

from collections.abc import Collection
from typing import Any

from windmill.kernels.votes.emojis import NSFW, PERSON
from windmill.kernels.votes.evidence import Standing, best_confidence
from windmill.kernels.votes.standings import ParsedAnswers
from windmill.kernels.votes.vote_calibration import Evidence, VoteCalibration

FACE_CONFIRMED, POSE_CONFIRMED = "face_confirmed", "pose_confirmed"
WITH_HUMANS, WITHOUT_HUMANS = "human_context_confirmed", "suspicious_no_humans"
_ADJUSTMENTS = {FACE_CONFIRMED: 1, POSE_CONFIRMED: 1, WITH_HUMANS: 1, WITHOUT_HUMANS: -1}
_MAX_BOXES = 100
"""The maximum number of boxes listed per emoji; all are counted."""


def weight_of(standing: Standing, notes: Collection[str], calibration: VoteCalibration) -> int:
    """Votes, further services that saw the best box, agreement of captioners and classifiers, and adjustments from
    notes."""
    spoken = [calibration.of(service).evidence for service in standing.yes]
    whole_image = spoken.count("semantic") + spoken.count("classification")
    best_box = max((box.detection_count for box in standing.boxes), default=1)
    weight = len(standing.yes) + best_box - 1 + max(0, whole_image - 1)
    return max(0, weight + sum(_ADJUSTMENTS[note] for note in notes))


def notes_on(standing: Standing, listed: Collection[str], calibration: VoteCalibration) -> list[str]:
    """Notes that confirm an emoji or cast doubt on it, given the `listed` ones."""
    if standing.emoji == PERSON:
        roles = {calibration.of(service).role for service in standing.confirming}
        return [note for role, note in (("face", FACE_CONFIRMED), ("pose", POSE_CONFIRMED)) if role in roles]
    if standing.emoji == NSFW:
        return [WITH_HUMANS if PERSON in listed else WITHOUT_HUMANS]
    return []


def instances_of(standing: Standing, parsed: ParsedAnswers) -> dict[str, Any]:
    """How many instances there are, and where; without boxes one without a position."""
    if not standing.boxes:
        return {"count": 1, "type": "non_spatial"}
    places = [
        {
            "box_key": box.key,
            "bbox": dict(box.bbox),
            "confidence": box.confidence,
            "detection_count": box.detection_count,
            "confirmed_by": parsed.confirmed_by(box),
        }
        for box in standing.boxes[:_MAX_BOXES]
    ]
    return {"count": len(standing.boxes), "type": "spatial", "bounding_boxes": places}


def evidence_of(standing: Standing, calibration: VoteCalibration) -> dict[str, Any]:
    """The votes by kind of evidence; null for kinds without votes."""
    semantic = _speakers("semantic", standing, calibration)
    classification = _speakers("classification", standing, calibration)
    words = sorted({standing.yes[name].word for name in semantic} - {""})
    return {
        "spatial": _spatial(standing, calibration),
        "semantic": _counted(semantic, calibration) | {"words": words} if semantic else None,
        "classification": _counted(classification, calibration) if classification else None,
        "specialized": _shown(_speakers("specialized", standing, calibration), calibration) or None,
    }


def _spatial(standing: Standing, calibration: VoteCalibration) -> dict[str, Any] | None:
    """Merged boxes, or the detectors themselves before there are any."""
    detectors = _speakers("spatial", standing, calibration)
    if not standing.boxes and not detectors:
        return None
    stated = [standing.yes[name].confidence or 0.0 for name in detectors]
    best_box = best_confidence(standing.boxes)
    return _counted(detectors, calibration) | {
        "detection_count": max((box.detection_count for box in standing.boxes), default=1),
        "box_count": len(standing.boxes),
        "best_confidence": best_box if best_box is not None else max(stated, default=0.0),
    }


def _speakers(kind: Evidence, standing: Standing, calibration: VoteCalibration) -> list[str]:
    found = [*standing.yes, *standing.only_confirming()] if kind == "specialized" else [*standing.yes]
    return [service for service in found if calibration.of(service).evidence == kind]


def _counted(services: list[str], calibration: VoteCalibration) -> dict[str, Any]:
    return {"service_count": len(services), "sources": _shown(services, calibration)}


def _shown(services: list[str], calibration: VoteCalibration) -> list[str]:
    return sorted({calibration.display(service) for service in services})
