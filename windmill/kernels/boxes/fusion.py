"""Merges the detections of all services into one box per object, with label, confidence and contributing services."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.box_evidence import Constants, log_odds, probabilities
from windmill.kernels.boxes.clustering import Ints
from windmill.kernels.boxes.detections import Detections, Dropped, parse_detections
from windmill.kernels.boxes.geometry import Bools, Floats, suppressed, to_whole_pixels
from windmill.kernels.boxes.grouping import Groups, group_detections

VERSION = 3
"""Increase it when the same answers give other boxes."""
ALGORITHM = "windmill_evidence_v1"


@dataclass(frozen=True)
class Rival:
    """A rival label for the object of a box, with its probability."""

    label: str
    emoji: str
    probability: float
    services: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "emoji": self.emoji,
            "probability": self.probability,
            "services": list(self.services),
        }


@dataclass(frozen=True)
class MergedBox:
    """An object: its box (x, y, width, height in pixels) and the probability that it exists.

    `rival_of` is the cluster_id of the likelier box on the same pixels, of which this is another name; mostly empty.
    Such a box is ranked with the others, but an object is counted once, so votes and crops leave it out.
    """

    cluster_id: str
    label: str
    emoji: str
    box: tuple[int, int, int, int]
    confidence: float
    detections: tuple[tuple[str, float], ...]
    silent_services: tuple[str, ...]
    rivals: tuple[Rival, ...]
    rival_of: str = ""

    def as_data(self) -> dict[str, Any]:
        """The stored document; the keys up to `harmonization_algorithm` are those of the first version."""
        confidences = [confidence for _, confidence in self.detections]
        return {
            "cluster_id": self.cluster_id,
            "emoji": self.emoji,
            "label": self.label,
            "merged_bbox": dict(zip(("x", "y", "width", "height"), self.box, strict=True)),
            "detection_count": len(self.detections),
            "avg_confidence": round(sum(confidences) / len(confidences), 3),
            "contributing_services": [service for service, _ in self.detections],
            "detections": [{"service": service, "confidence": value} for service, value in self.detections],
            "harmonization_algorithm": ALGORITHM,
            "confidence": self.confidence,
            "silent_services": list(self.silent_services),
            "rivals": [rival.as_data() for rival in self.rivals],
            "rival_of": self.rival_of,
        }


@dataclass(frozen=True)
class Merged:
    """Boxes in order of confidence, and how many predictions of each service were dropped, and why."""

    boxes: list[MergedBox]
    dropped: Dropped


def merge(answers: Mapping[str, object], calibration: BoxCalibration, size: tuple[int, int] | None = None) -> Merged:
    """Merge the `predictions` of all services that answered, for an image of this (width, height) if known.

    The order of services and predictions does not matter.
    """
    everything, dropped = parse_detections(answers, size)
    detections, groups, repeats = group_detections(everything, calibration)
    chance, places, order = rank(groups, detections.services, calibration, size)
    weaker = suppressed(_matrix(groups.rivals, len(order))[np.ix_(order, order)])
    builder = _BoxBuilder(detections, groups, chance, places)
    return Merged(builder.boxes(order.tolist(), set(order[weaker].tolist())), _added(dropped, repeats))


def rank(
    groups: Groups, services: tuple[str, ...], calibration: BoxCalibration, size: tuple[int, int] | None
) -> tuple[Floats, Ints, Ints]:
    """The probability of each group, its x, y, width and height in whole pixels, and the groups, likeliest first."""
    odds = log_odds(groups, Constants.of(calibration, services))
    chance = probabilities(odds, groups.rivals)
    places = to_whole_pixels(groups.corners, size)
    return chance, places, np.lexsort((*places.T[::-1], groups.label, -odds, -chance))


class _BoxBuilder:
    """Builds MergedBox values from the arrays."""

    def __init__(self, detections: Detections, groups: Groups, chance: Floats, places: Ints) -> None:
        self._services = detections.services
        self._labels = [detections.labels[place] for place in groups.label.tolist()]
        self._emojis = _emojis(detections, groups)
        self._said = groups.said.tolist()
        self._confidence = groups.confidence.tolist()
        self._silent = groups.silent.tolist()
        self._chance = [round(value, 3) for value in chance.tolist()]
        self._places = places.tolist()
        self._others: dict[int, list[int]] = {}
        for group, other in groups.rivals.tolist():
            self._others.setdefault(group, []).append(other)

    def boxes(self, ranked: list[int], weaker: set[int]) -> list[MergedBox]:
        """All of them in this order; the weaker ones as rivals of the likeliest box that they overlap."""
        numbers: Counter[str] = Counter()
        names: dict[int, str] = {}
        for group in ranked:
            label = self._labels[group]
            numbers[label] += 1
            names[group] = f"{label}_{numbers[label]}"
        stronger = {
            group: next(names[one] for one in ranked if one not in weaker and one in self._others[group])
            for group in weaker
        }
        return [self._box(group, names[group], stronger.get(group, "")) for group in ranked]

    def _box(self, group: int, name: str, rival_of: str) -> MergedBox:
        rivals = self._rivals(group)
        seen = {service for rival in rivals for service in rival.services}
        silent = (one for one, is_silent in zip(self._services, self._silent[group], strict=True) if is_silent)
        x, y, width, height = self._places[group]
        return MergedBox(
            name,
            self._labels[group],
            self._emojis[group],
            (x, y, width, height),
            self._chance[group],
            tuple((one, self._confidence[group][k]) for k, one in enumerate(self._services) if self._said[group][k]),
            tuple(one for one in silent if one not in seen),
            rivals,
            rival_of,
        )

    def _rivals(self, group: int) -> tuple[Rival, ...]:
        others = self._others.get(group, [])
        others.sort(key=lambda other: (-self._chance[other], self._labels[other], self._places[other]))
        return tuple(
            Rival(self._labels[other], self._emojis[other], self._chance[other], self._sayers(other))
            for other in others
        )

    def _sayers(self, group: int) -> tuple[str, ...]:
        return tuple(one for one, said in zip(self._services, self._said[group], strict=True) if said)


def _emojis(detections: Detections, groups: Groups) -> list[str]:
    """For each group, the emoji with the highest total confidence of its members."""
    weights: list[Counter[str]] = [Counter() for _ in range(len(groups.label))]
    members = zip(groups.member.tolist(), detections.emojis, detections.confidence.tolist(), strict=True)
    for group, emoji, confidence in members:
        if emoji:
            weights[group][emoji] += confidence
    return [min(found, key=lambda emoji: (-found[emoji], emoji), default="") for found in weights]


def _matrix(pairs: Ints, count: int) -> Bools:
    full = np.zeros((count, count), dtype=np.bool_)
    full[pairs[:, 0], pairs[:, 1]] = True
    return full


def _added(some: Dropped, more: Dropped) -> Dropped:
    return {service: some.get(service, {}) | more.get(service, {}) for service in sorted(some.keys() | more.keys())}
