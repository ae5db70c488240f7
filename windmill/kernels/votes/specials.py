"""Findings beside the vote: text, faces and nakedness, which need no second voice."""

from collections.abc import Collection
from typing import Any

from windmill.kernels.votes.ballots import surest
from windmill.kernels.votes.curation import WITH_HUMANS, WITHOUT_HUMANS
from windmill.kernels.votes.emojis import PERSON
from windmill.kernels.votes.findings import NAMED, Finding, Role
from windmill.kernels.votes.standings import Hall
from windmill.kernels.votes.vote_calibration import VoteCalibration


def specials(heard: Hall, listed: Collection[str], calibration: VoteCalibration) -> dict[str, Any]:
    """One entry for each kind of finding, also where nothing was found; `listed` are the emojis that won."""
    text, face, nsfw = (_special(role, heard, calibration) for role in NAMED)
    if text["detected"]:
        found = _in_image("text", heard, calibration)
        text["content"] = "\n".join(one.content for one in found.values() if one.content)
    if face["detected"]:
        face["pose"] = _found("pose", heard, calibration)
    if nsfw["detected"]:
        nsfw["validation"] = [WITH_HUMANS if PERSON in listed else WITHOUT_HUMANS]
    return {"text": text, "face": face, "nsfw": nsfw}


def _special(role: Role, heard: Hall, calibration: VoteCalibration) -> dict[str, Any]:
    found = _found(role, heard, calibration)
    if not found["detected"]:
        return found
    return found | {"emoji": NAMED[role], "services": sorted(_in_image(role, heard, calibration))}


def _found(role: Role, heard: Hall, calibration: VoteCalibration) -> dict[str, Any]:
    """In the whole image, in crops of boxes, or in both."""
    whole, crops = _in_image(role, heard, calibration), _in_crops(role, heard, calibration)
    if not whole and not crops:
        return {"detected": False}
    return {
        "detected": True,
        "confidence": _rounded(surest(one.confidence for one in (*whole.values(), *crops.values()))),
        "count": max((one.count for one in whole.values()), default=len(crops)),
        "boxes": sorted(crops),
    }


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 3)


def _in_image(role: Role, heard: Hall, calibration: VoteCalibration) -> dict[str, Finding]:
    """What services of this role found in the whole image."""
    return {name: heard.findings[name] for name in sorted(heard.findings) if calibration.of(name).role == role}


def _in_crops(role: Role, heard: Hall, calibration: VoteCalibration) -> dict[str, Finding]:
    """What they found in the crops of boxes, by box."""
    return {
        box_key: found
        for box_key, crop in heard.crops.items()
        for service, found in crop.items()
        if calibration.of(service).role == role
    }
