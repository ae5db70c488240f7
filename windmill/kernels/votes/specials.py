"""The `special` section of the result: text, faces and NSFW, which count without a second vote."""

from collections.abc import Collection
from typing import Any

from windmill.kernels.votes.ballots import surest
from windmill.kernels.votes.curation import WITH_HUMANS, WITHOUT_HUMANS
from windmill.kernels.votes.emojis import PERSON
from windmill.kernels.votes.specialist_findings import NAMED, Role, SpecialistFinding
from windmill.kernels.votes.standings import ParsedAnswers
from windmill.kernels.votes.vote_calibration import VoteCalibration


def specials(parsed: ParsedAnswers, listed: Collection[str], calibration: VoteCalibration) -> dict[str, Any]:
    """One entry per kind of finding, even if nothing was found; `listed` are the emojis that won."""
    text, face, nsfw = (_special(role, parsed, calibration) for role in NAMED)
    if text["detected"]:
        found = _in_image("text", parsed, calibration)
        text["content"] = "\n".join(one.content for one in found.values() if one.content)
    if face["detected"]:
        face["pose"] = _found("pose", parsed, calibration)
    if nsfw["detected"]:
        nsfw["validation"] = [WITH_HUMANS if PERSON in listed else WITHOUT_HUMANS]
    return {"text": text, "face": face, "nsfw": nsfw}


def _special(role: Role, parsed: ParsedAnswers, calibration: VoteCalibration) -> dict[str, Any]:
    found = _found(role, parsed, calibration)
    if not found["detected"]:
        return found
    return found | {"emoji": NAMED[role], "services": sorted(_in_image(role, parsed, calibration))}


def _found(role: Role, parsed: ParsedAnswers, calibration: VoteCalibration) -> dict[str, Any]:
    """In the whole image, in crops of boxes, or in both."""
    whole, crops = _in_image(role, parsed, calibration), _in_crops(role, parsed, calibration)
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


def _in_image(role: Role, parsed: ParsedAnswers, calibration: VoteCalibration) -> dict[str, SpecialistFinding]:
    """What services of this role found in the whole image."""
    return {name: parsed.findings[name] for name in sorted(parsed.findings) if calibration.of(name).role == role}


def _in_crops(role: Role, parsed: ParsedAnswers, calibration: VoteCalibration) -> dict[str, SpecialistFinding]:
    """What they found in the crops of boxes, by box."""
    return {
        box_key: found
        for box_key, crop in parsed.crops.items()
        for service, found in crop.items()
        if calibration.of(service).role == role
    }
