"""The vote: which emojis an image shows according to all services.

Each emoji gets a probability from the evidence (windmill.kernels.votes.evidence), and is listed if it is high enough.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windmill.kernels.votes.curation import evidence_of, instances_of, notes_on, weight_of
from windmill.kernels.votes.emojis import render_emoji
from windmill.kernels.votes.evidence import Standing, listing_threshold, log_odds, probability_of
from windmill.kernels.votes.specials import specials
from windmill.kernels.votes.standings import CropAnswer, ParsedAnswers, parse_answers, standings
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.vote_reasons import missing, why

__all__ = ["ALGORITHM", "VERSION", "CropAnswer", "VoteInputs", "vote"]

VERSION = 2
"""Increase it when the same answers give another result."""
ALGORITHM = "windmill_evidence_vote_v1"
_MAX_RUNNERS_UP = 20
"""The most likely ones; a classifier may name dozens."""


@dataclass(frozen=True)
class VoteInputs:
    """The inputs for one image: stored answers, merged boxes and enrichment."""

    answers: Mapping[str, object]
    calibration: VoteCalibration
    failed: Mapping[str, str] = field(default_factory=dict)
    awaiting: Collection[str] = ()
    boxes: Sequence[Mapping[str, Any]] = ()
    enrichments: Sequence[CropAnswer] = ()
    total_processing_time: float | None = None
    latest_result_time: str | None = None


def vote(inputs: VoteInputs) -> dict[str, Any]:
    """The result; identical to the byte for the same inputs in any order."""
    calibration = inputs.calibration
    parsed = parse_answers(
        inputs.answers,
        calibration,
        failed=inputs.failed,
        awaiting=inputs.awaiting,
        boxes=inputs.boxes,
        enrichments=inputs.enrichments,
    )
    found, dropped = standings(parsed, calibration)
    odds = {one.emoji: log_odds(one, calibration) for one in found}
    chances = {emoji: round(probability_of(value), 3) for emoji, value in odds.items()}
    listed = {one.emoji for one in found if chances[one.emoji] >= listing_threshold(one, calibration)}
    items = _ranked([_item(one, odds[one.emoji], listed, parsed, calibration) for one in found])
    runners_up = [item for emoji, item in items if emoji not in listed]
    return {
        "services_count": len(inputs.answers),
        "services_list": sorted(inputs.answers),
        "awaiting_services": sorted(inputs.awaiting),
        "failed_services": sorted(inputs.failed),
        "total_processing_time": inputs.total_processing_time,
        "latest_result_time": inputs.latest_result_time,
        "consensus_algorithm": ALGORITHM,
        "votes": {
            "consensus": [item for emoji, item in items if emoji in listed],
            "runners_up": runners_up[:_MAX_RUNNERS_UP],
        },
        "special": specials(parsed, listed, calibration),
        "debug": {
            "detection_count": sum(len(said) for said in parsed.ballots.values()),
            "emoji_groups": len(found),
            "emojis_dropped": dropped,
            "runners_up_dropped": max(0, len(runners_up) - _MAX_RUNNERS_UP),
        },
    }


def _ranked(items: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """By probability, score and votes; a total order."""
    return sorted(
        items, key=lambda pair: (-pair[1]["probability"], -pair[1]["final_score"], -pair[1]["votes"], pair[0])
    )


def _item(
    standing: Standing, odds: float, listed: Collection[str], parsed: ParsedAnswers, calibration: VoteCalibration
) -> tuple[str, dict[str, Any]]:
    """An emoji and its entry: first the keys of the first version, then the position of each service."""
    notes = notes_on(standing, listed, calibration)
    weight = weight_of(standing, notes, calibration)
    spellings = _spellings(standing)
    item = {
        "emoji": render_emoji(standing.emoji, spellings),
        "votes": len(standing.yes),
        "evidence_weight": weight,
        "final_score": len(standing.yes) + weight,
        "probability": round(probability_of(odds), 3),
        "instances": instances_of(standing, parsed),
        "evidence": evidence_of(standing, calibration),
        "services": sorted(calibration.display(service) for service in standing.yes),
        **_places(standing),
        "why": why(standing, notes, calibration),
    }
    if standing.emoji not in listed:
        item["missing"] = missing(standing, odds, calibration)
    if len(spellings) > 1:
        item["variants"] = sorted(spellings)
    if notes:
        item["validation"] = notes
    if any(ballot.shiny for ballot in standing.yes.values()):
        item["shiny"] = True
    return standing.emoji, item


def _spellings(standing: Standing) -> Counter[str]:
    spellings: Counter[str] = Counter()
    ballots, boxes = standing.yes.values(), standing.boxes
    for known in (*(one.spellings for one in ballots), *(one.spellings for one in boxes)):
        for spelt, times in known.items():
            spellings[spelt] += times
    return spellings


def _places(standing: Standing) -> dict[str, Any]:
    """The position of each service, in exactly one list."""
    return {
        "said_yes": [
            {"service": service, "confidence": _rounded(ballot.confidence), "word": ballot.word}
            for service, ballot in standing.yes.items()
        ],
        "confirmed_by": [
            {"service": service, "confidence": _rounded(finding.confidence)}
            for service, finding in standing.only_confirming().items()
        ],
        "silent": list(standing.silent),
        "could_not_know": list(standing.could_not_know),
        "awaiting": list(standing.awaiting),
        "failed": [{"service": service, "code": code} for service, code in standing.failed.items()],
    }


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 3)
