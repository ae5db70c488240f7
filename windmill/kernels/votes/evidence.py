"""How likely it is that an image shows what an emoji means, given where each service stands on it.

Log-odds add up: the prior, what each family of like services says, less what the silence of each means. Within a
family the strongest voice counts whole and the others a share, as they repeat each other's mistakes. So one more yes
never makes an emoji less likely, and one more silence never more.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windmill.kernels.votes.ballots import Ballot, surest
from windmill.kernels.votes.findings import Finding
from windmill.kernels.votes.merged_boxes import SeenBox
from windmill.kernels.votes.vote_calibration import BoxVoice, ServiceVoice, VoteCalibration

_UNSURE, _SURE = 0.01, 0.99
"""Confidences beyond are taken for these: no service is as sure as some say they are."""
_CROWD = 8


@dataclass(frozen=True)
class Standing:
    """Where each service stands on one emoji: in one place only, but that who names it may also confirm it."""

    emoji: str
    yes: Mapping[str, Ballot] = field(default_factory=dict)
    confirming: Mapping[str, Finding] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    could_not_know: tuple[str, ...] = ()
    awaiting: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    boxes: tuple[SeenBox, ...] = ()

    def only_confirming(self) -> dict[str, Finding]:
        """Those that found a face or a body, and did not name the emoji besides."""
        return {service: finding for service, finding in self.confirming.items() if service not in self.yes}


def probability(standing: Standing, calibration: VoteCalibration) -> float:
    """From 0 to 1."""
    return 1 / (1 + math.exp(-log_odds(standing, calibration)))


def needed(standing: Standing, calibration: VoteCalibration) -> float:
    """The probability from which an emoji is listed: lower while none but like services could have named it."""
    opposed = {calibration.family_of(service) for service in standing.silent}
    opposed -= {calibration.family_of(service) for service in standing.yes}
    return calibration.threshold if opposed else calibration.unopposed_threshold


def log_odds(standing: Standing, calibration: VoteCalibration) -> float:
    """The sum of all that is known."""
    said, unsaid = voices(standing, calibration), silences(standing, calibration)
    shares = {name: calibration.family(name) for name in {*said, *unsaid}}
    gains = [together(said[name], shares[name].share) for name in sorted(said)]
    losses = [together(unsaid[name], shares[name].silent_share) for name in sorted(unsaid)]
    prior = calibration.prior + calibration.commoner.get(standing.emoji, 0.0)
    return prior + math.fsum(gains) - math.fsum(losses)


def voices(standing: Standing, calibration: VoteCalibration) -> dict[str, list[float]]:
    """What each yes of a family weighs; a merged box is one more voice of its own."""
    said: dict[str, list[float]] = {}
    for service, ballot in standing.yes.items():
        known = calibration.of(service)
        found = known.confirms if service in standing.confirming else 0.0
        weight = max(strength(known, ballot.confidence, ballot.count), found)
        said.setdefault(calibration.family_of(service), []).append(weight)
    for service in standing.only_confirming():
        said.setdefault(calibration.family_of(service), []).append(calibration.of(service).confirms)
    if standing.boxes:
        weight = strength(calibration.boxes, best_confidence(standing.boxes), len(standing.boxes))
        said.setdefault(calibration.boxes.family, []).append(weight)
    return said


def silences(standing: Standing, calibration: VoteCalibration) -> dict[str, list[float]]:
    """What each silence of a family weighs."""
    unsaid: dict[str, list[float]] = {}
    for service in standing.silent:
        unsaid.setdefault(calibration.family_of(service), []).append(calibration.of(service).silence)
    return unsaid


def together(weights: Iterable[float], share: float) -> float:
    """The strongest, and a share of each of the others."""
    ordered = sorted(weights, reverse=True)
    return math.fsum([*ordered[:1], *(share * weight for weight in ordered[1:])])


def strength(known: ServiceVoice | BoxVoice, confidence: float | None, count: int) -> float:
    """What a yes weighs that was said with this confidence, or with none, of so many places or things."""
    return max(0.0, known.voice + known.slope * logit(confidence) + known.again * log_count(count))


def logit(confidence: float | None) -> float:
    """Log-odds of a confidence; one that is not stated is neither high nor low."""
    if confidence is None:
        return 0.0
    bounded = min(max(confidence, _UNSURE), _SURE)
    return math.log(bounded / (1 - bounded))


def log_count(count: int) -> float:
    """Twice is more than once, but a crowd is not much more than a group."""
    return math.log(min(max(count, 1), _CROWD))


def best_confidence(boxes: Iterable[SeenBox]) -> float | None:
    """That of the surest box."""
    return surest(box.confidence for box in boxes)
