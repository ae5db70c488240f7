"""What specialists found: text, faces, nakedness, and the bodies that pose sees without giving them a name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from windmill.kernels.votes.ballots import Ballot, confidence_of, predictions_of, surest, text_of
from windmill.kernels.votes.emojis import FACE, NSFW, TEXT, group_of

Role = Literal["text", "face", "nsfw", "pose"]
NAMED: Mapping[Role, str] = {"text": TEXT, "face": FACE, "nsfw": NSFW}
"""The emoji that a finding votes for."""
_LONGEST_TEXT = 4000
_MOST_POINTS = 1000


@dataclass(frozen=True)
class Finding:
    """What one service found in one picture: how sure it is of the surest, and how many there are."""

    confidence: float | None
    count: int
    content: str = ""


def find(role: Role, reply: object) -> Finding | None:
    """What a specialist of this role found, if it found anything."""
    return _joined([found for prediction in predictions_of(reply) if (found := _READERS[role](prediction))])


def ballot_of(role: Role, finding: Finding) -> Ballot:
    """The vote of a specialist for its own emoji."""
    return Ballot(finding.confidence, role, {NAMED[role]: 1}, count=finding.count)


def _joined(found: list[Finding]) -> Finding | None:
    if not found:
        return None
    content = text_of(" ".join(finding.content for finding in found if finding.content), _LONGEST_TEXT)
    return Finding(surest(finding.confidence for finding in found), sum(finding.count for finding in found), content)


def _text(prediction: Mapping[str, Any]) -> Finding | None:
    if prediction.get("has_text") is not True and group_of(prediction.get("emoji")) != TEXT:
        return None
    given = prediction.get("text_regions")
    regions = [region for region in given if isinstance(region, Mapping)] if isinstance(given, list) else []
    stated = [confidence_of(holder.get("confidence")) for holder in (prediction, *regions)]
    return Finding(
        max((one for one in stated if one is not None), default=None),
        max(len(regions), 1),
        text_of(prediction.get("text"), _LONGEST_TEXT),
    )


def _face(prediction: Mapping[str, Any]) -> Finding | None:
    is_face = prediction.get("label") == "face" or group_of(prediction.get("emoji")) == FACE
    return Finding(confidence_of(prediction.get("confidence")), 1) if is_face else None


def _nsfw(prediction: Mapping[str, Any]) -> Finding | None:
    is_nsfw = prediction.get("nsfw") is True or group_of(prediction.get("emoji")) == NSFW
    return Finding(confidence_of(prediction.get("confidence")), 1) if is_nsfw else None


def _pose(prediction: Mapping[str, Any]) -> Finding | None:
    """A body; how well its points are seen, on average, is how sure it is."""
    older = prediction.get("properties")
    landmarks = prediction.get("landmarks") or (older.get("landmarks") if isinstance(older, Mapping) else None)
    points = list(landmarks.values()) if isinstance(landmarks, Mapping) else landmarks
    if not isinstance(points, list) or not points:
        return None
    stated = [confidence_of(point.get("visibility")) for point in points[:_MOST_POINTS] if isinstance(point, Mapping)]
    seen = [visibility for visibility in stated if visibility is not None]
    return Finding(sum(seen) / len(seen) if seen else None, 1)


_READERS: Mapping[Role, Callable[[Mapping[str, Any]], Finding | None]] = {
    "text": _text,
    "face": _face,
    "nsfw": _nsfw,
    "pose": _pose,
}
