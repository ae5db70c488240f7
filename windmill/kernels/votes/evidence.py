"""The probability that an image shows what an emoji means, given the position of each service.

Log-odds add up: the prior, plus the votes of each family of similar services, minus the silences. Within a family the
strongest vote counts fully and the others by a share, because their errors correlate. So one more yes never lowers the
probability, and one more silence never raises it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windmill.kernels.votes.ballots import Ballot, logit, surest
from windmill.kernels.votes.merged_boxes import SeenBox
from windmill.kernels.votes.specialist_findings import SpecialistFinding
from windmill.kernels.votes.vote_calibration import BoxVoice, ServiceVoice, VoteCalibration

_CROWD = 8


@dataclass(frozen=True)
class Standing:
    """The position of each service on one emoji: exactly one, except that a service that names it may also confirm
    it."""

    emoji: str
    yes: Mapping[str, Ballot] = field(default_factory=dict)
    confirming: Mapping[str, SpecialistFinding] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    could_not_know: tuple[str, ...] = ()
    awaiting: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    boxes: tuple[SeenBox, ...] = ()

    def only_confirming(self) -> dict[str, SpecialistFinding]:
        """The services that found a face or a body without naming the emoji."""
        return {service: finding for service, finding in self.confirming.items() if service not in self.yes}


def probability(standing: Standing, calibration: VoteCalibration) -> float:
    """From 0 to 1."""
    return probability_of(log_odds(standing, calibration))


def probability_of(odds: float) -> float:
    """The probability that these log-odds mean."""
    return 1 / (1 + math.exp(-odds))


def listing_threshold(standing: Standing, calibration: VoteCalibration) -> float:
    """The probability from which an emoji is listed: lower if only services of the same family could have named it."""
    opposed = {calibration.family_of(service) for service in standing.silent}
    opposed -= {calibration.family_of(service) for service in standing.yes}
    return calibration.threshold if opposed else calibration.unopposed_threshold


def log_odds(standing: Standing, calibration: VoteCalibration) -> float:
    """The sum of all evidence."""
    said, unsaid = voices(standing, calibration), silences(standing, calibration)
    shares = {name: calibration.family(name) for name in {*said, *unsaid}}
    gains = [combine(said[name], shares[name].share) for name in sorted(said)]
    losses = [combine(unsaid[name], shares[name].silent_share) for name in sorted(unsaid)]
    prior = calibration.prior + calibration.commoner.get(standing.emoji, 0.0)
    return prior + math.fsum(gains) - math.fsum(losses)


def voices(standing: Standing, calibration: VoteCalibration) -> dict[str, list[float]]:
    """The weights of the yes votes by family; merged boxes are one more vote."""
    said: dict[str, list[float]] = {}
    for service, ballot in standing.yes.items():
        known = calibration.of(service)
        found = known.confirms if service in standing.confirming else 0.0
        weight = max(strength(known, ballot.confidence, ballot.count, ballot.behind), found)
        said.setdefault(calibration.family_of(service), []).append(weight)
    for service in standing.only_confirming():
        said.setdefault(calibration.family_of(service), []).append(calibration.of(service).confirms)
    if standing.boxes:
        weight = strength(calibration.boxes, best_confidence(standing.boxes), len(standing.boxes))
        said.setdefault(calibration.boxes.family, []).append(weight)
    return said


def silences(standing: Standing, calibration: VoteCalibration) -> dict[str, list[float]]:
    """The weights of the silences by family."""
    unsaid: dict[str, list[float]] = {}
    for service in standing.silent:
        unsaid.setdefault(calibration.family_of(service), []).append(calibration.of(service).silence)
    return unsaid


def combine(weights: Iterable[float], share: float) -> float:
    """The strongest weight plus a share of each of the others."""
    ordered = sorted(weights, reverse=True)
    return math.fsum([*ordered[:1], *(share * weight for weight in ordered[1:])])


def strength(known: ServiceVoice | BoxVoice, confidence: float | None, count: int, behind: float = 0.0) -> float:
    """The weight of a yes with this confidence (or without one), count, and distance to the surest of the service."""
    lag = known.lag * behind if isinstance(known, ServiceVoice) else 0.0
    return max(0.0, known.voice + known.slope * logit(confidence) + known.again * log_count(count) - lag)


def log_count(count: int) -> float:
    """The logarithm of a count, capped: a crowd says little more than a group."""
    return math.log(min(max(count, 1), _CROWD))


def best_confidence(boxes: Iterable[SeenBox]) -> float | None:
    """The highest confidence of the boxes."""
    return surest(box.confidence for box in boxes)
