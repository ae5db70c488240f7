"""Findings of specialist services: text, faces, NSFW, and bodies from pose estimation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from windmill.kernels.votes.ballots import Ballot, confidence_of, predictions_of, surest, text_of
from windmill.kernels.votes.emojis import FACE, NSFW, TEXT, group_of

Role = Literal["text", "face", "nsfw", "pose"]
NAMED: Mapping[Role, str] = {"text": TEXT, "face": FACE, "nsfw": NSFW}
"""The emoji that each role votes for."""
_MAX_TEXT_LENGTH = 4000
_MAX_POINTS = 1000


@dataclass(frozen=True)
class SpecialistFinding:
    """What one service found in one image: the highest confidence, and how many."""

    confidence: float | None
    count: int
    content: str = ""


def find(role: Role, reply: object) -> SpecialistFinding | None:
    """The findings of a specialist with this role, or None."""
    return _joined([found for prediction in predictions_of(reply) if (found := _READERS[role](prediction))])


def ballot_of(role: Role, finding: SpecialistFinding) -> Ballot:
    """A specialist's vote for the emoji of its role."""
    return Ballot(finding.confidence, role, {NAMED[role]: 1}, count=finding.count)


def _joined(found: list[SpecialistFinding]) -> SpecialistFinding | None:
    if not found:
        return None
    content = text_of(" ".join(finding.content for finding in found if finding.content), _MAX_TEXT_LENGTH)
    return SpecialistFinding(
        surest(finding.confidence for finding in found), sum(finding.count for finding in found), content
    )


def _text(prediction: Mapping[str, Any]) -> SpecialistFinding | None:
    if prediction.get("has_text") is not True and group_of(prediction.get("emoji")) != TEXT:
        return None
    given = prediction.get("text_regions")
    regions = [region for region in given if isinstance(region, dict)] if isinstance(given, list) else []
    stated = [confidence_of(holder.get("confidence")) for holder in (prediction, *regions)]
    return SpecialistFinding(
        max((one for one in stated if one is not None), default=None),
        max(len(regions), 1),
        text_of(prediction.get("text"), _MAX_TEXT_LENGTH),
    )


def _face(prediction: Mapping[str, Any]) -> SpecialistFinding | None:
    is_face = prediction.get("label") == "face" or group_of(prediction.get("emoji")) == FACE
    return SpecialistFinding(confidence_of(prediction.get("confidence")), 1) if is_face else None


def _nsfw(prediction: Mapping[str, Any]) -> SpecialistFinding | None:
    is_nsfw = prediction.get("nsfw") is True or group_of(prediction.get("emoji")) == NSFW
    return SpecialistFinding(confidence_of(prediction.get("confidence")), 1) if is_nsfw else None


def _pose(prediction: Mapping[str, Any]) -> SpecialistFinding | None:
    """A body; its confidence is the mean visibility of its points."""
    older = prediction.get("properties")
    landmarks = prediction.get("landmarks") or (older.get("landmarks") if isinstance(older, dict) else None)
    points = list(landmarks.values()) if isinstance(landmarks, dict) else landmarks
    if not isinstance(points, list) or not points:
        return None
    stated = [confidence_of(point.get("visibility")) for point in points[:_MAX_POINTS] if isinstance(point, dict)]
    seen = [visibility for visibility in stated if visibility is not None]
    return SpecialistFinding(sum(seen) / len(seen) if seen else None, 1)


_READERS: Mapping[Role, Callable[[Mapping[str, Any]], SpecialistFinding | None]] = {
    "text": _text,
    "face": _face,
    "nsfw": _nsfw,
    "pose": _pose,
}
