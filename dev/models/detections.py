"""From the numbers of a detector to what it says it has seen. Pure."""

from dev.farm.answers.sightings import Sighting
from dev.farm.coco import LABELS
from dev.models.geometry import Numbers


def sightings_of(edges: Numbers, scores: Numbers, labels: Numbers) -> list[Sighting]:
    """The surest first; a label is a place in COCO's list of 80."""
    found = [
        Sighting(LABELS[int(label)], float(score), (float(left), float(top), float(right), float(bottom)))
        for (left, top, right, bottom), score, label in zip(edges, scores, labels, strict=True)
    ]
    return sorted(found, key=lambda sighting: -sighting.confidence)
