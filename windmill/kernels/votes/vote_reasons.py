"""The reasons for the probability of an emoji: stable codes for programs, and one sentence for people."""

from collections.abc import Iterable, Sequence
from typing import Any

from windmill.kernels.votes.ballots import logit
from windmill.kernels.votes.evidence import Standing, listing_threshold
from windmill.kernels.votes.vote_calibration import VoteCalibration

_MAX_NAMES = 6


def why(standing: Standing, notes: Sequence[str], calibration: VoteCalibration) -> dict[str, Any]:
    """Codes by importance, and the sentence."""
    return {"codes": [*_voices(standing, calibration), *notes, *_doubts(standing)], "sentence": _sentence(standing)}


def missing(standing: Standing, odds: float, calibration: VoteCalibration) -> dict[str, Any]:
    """What a runner-up with these log-odds lacks: evidence, and the services that may still provide it."""
    threshold = listing_threshold(standing, calibration)
    lacking = logit(threshold) - odds
    may = [name for name in (*standing.awaiting, *standing.failed) if calibration.could_say(name, standing.emoji)]
    return {"probability": threshold, "log_odds": round(max(0.0, lacking), 2), "could_still_say": sorted(may)}


def _voices(standing: Standing, calibration: VoteCalibration) -> list[str]:
    families = {calibration.family_of(service) for service in standing.yes}
    if len(families) > 1:
        codes = ["different_kinds_agree"]
    elif len(standing.yes) > 1:
        codes = ["one_kind_agrees"]
    else:
        codes = ["one_voice"] if standing.yes else ["boxes_only"]
    return codes + (["detectors_share_a_box"] if any(box.detection_count > 1 for box in standing.boxes) else [])


def _doubts(standing: Standing) -> list[str]:
    codes = {
        "silence_against": standing.silent,
        "answers_awaited": standing.awaiting,
        "answers_failed": standing.failed,
    }
    return [code for code, services in codes.items() if services]


def _sentence(standing: Standing) -> str:
    said = f"Said by {_names(standing.yes)}" if standing.yes else "Nobody named it, but a merged box shows it"
    parts = [
        f"confirmed by {_names(standing.only_confirming())}" if standing.only_confirming() else "",
        f"{_names(standing.silent)} could have said it and did not" if standing.silent else "",
        f"no answer yet from {_names(standing.awaiting)}" if standing.awaiting else "",
        f"no answer from {_names(standing.failed)}, which failed" if standing.failed else "",
    ]
    return "; ".join([said, *filter(None, parts)]) + "."


def _names(services: Iterable[str]) -> str:
    names = list(services)
    if len(names) > _MAX_NAMES:
        names = [*names[:_MAX_NAMES], f"{len(names) - _MAX_NAMES} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
