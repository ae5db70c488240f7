"""The three detectors: yolov8, rtdetr and detectron2, each with its own habits, thresholds and emoji look-up."""

from collections.abc import Callable

from dev.farm.answers.dice import Prediction, confidence, dice
from dev.farm.answers.looks import look
from dev.farm.answers.sightings import DetectorProfile, Sighting, sightings
from dev.farm.emojis import exact, singular
from dev.farm.pictures import Picture

_Lookup = Callable[[str], str | None]

YOLOV8 = DetectorProfile(
    "yolov8", 0.25, strength=1.1, size_gain=0.95, own_strength=1.15, caution=-0.15, inflation=0.6,
    looseness=0.028, phantoms=-3.7, mislabels=0.035, doubles=0.05,
)  # fmt: skip
RTDETR = DetectorProfile(
    "rtdetr", 0.2506, strength=1.6, size_gain=0.95, own_strength=1.1, caution=0.1, inflation=0.58,
    looseness=0.0225, phantoms=-3.05, mislabels=0.05, doubles=0.09,
)  # fmt: skip
DETECTRON2 = DetectorProfile(
    "detectron2", 0.5, strength=1.3, size_gain=0.85, own_strength=0.95, caution=0.1, inflation=1.4,
    looseness=0.039, phantoms=-3.05, mislabels=0.05, doubles=0.09,
)  # fmt: skip
_DETECTRON2_LIMIT, _YOLOV8_LIMIT = 20, 100
_DULL_LABELS = ("book", "bowl", "chair", "cup", "potted plant")


def yolov8(picture: Picture, seed: int) -> list[Prediction]:
    return as_yolov8(picture, _found(YOLOV8, picture, seed))


def rtdetr(picture: Picture, seed: int) -> list[Prediction]:
    return as_rtdetr(picture, _found(RTDETR, picture, seed))


def detectron2(picture: Picture, seed: int) -> list[Prediction]:
    return as_detectron2(picture, _found(DETECTRON2, picture, seed))


def as_yolov8(_picture: Picture, found: list[Sighting]) -> list[Prediction]:
    """Grouped by class; boxes may leave the picture."""
    return [_prediction(sighting, exact, None) for sighting in _by_label(found)[:_YOLOV8_LIMIT]]


def as_rtdetr(_picture: Picture, found: list[Sighting]) -> list[Prediction]:
    """By confidence; boxes may leave the picture."""
    return [_prediction(sighting, exact, None) for sighting in found]


def as_detectron2(picture: Picture, found: list[Sighting]) -> list[Prediction]:
    """Few and sure of itself, grouped by class, boxes within the picture."""
    limited = _by_label(found[:_DETECTRON2_LIMIT])
    return [_prediction(sighting, singular, (picture.width, picture.height)) for sighting in limited]


def _found(detector: DetectorProfile, picture: Picture, seed: int) -> list[Sighting]:
    if picture.truth is None:
        return _simulated(detector, picture, seed)
    return sightings(detector, look(picture, picture.truth, seed))


def _simulated(detector: DetectorProfile, picture: Picture, seed: int) -> list[Sighting]:
    """At most two false positives, just above the threshold."""
    rng = dice("simulated", detector.name, seed, picture.identity)
    found = []
    for label in rng.sample(_DULL_LABELS, rng.choice((0, 0, 1, 2))):
        x, y = rng.uniform(0, 0.7) * picture.width, rng.uniform(0, 0.7) * picture.height
        right, bottom = x + 0.25 * picture.width, y + 0.25 * picture.height
        found.append(Sighting(label, detector.threshold + rng.uniform(0.001, 0.08), (x, y, right, bottom)))
    return sorted(found, key=lambda sighting: -sighting.confidence)


def _by_label(found: list[Sighting]) -> list[Sighting]:
    """Labels in order of their surest sighting, and in that order within a label."""
    first = {label: place for place, label in reversed(list(enumerate(s.label for s in found)))}
    return sorted(found, key=lambda sighting: first[sighting.label])


def _prediction(sighting: Sighting, lookup: _Lookup, clip_to: tuple[int, int] | None) -> Prediction:
    left, top, right, bottom = (round(edge) for edge in sighting.edges)
    if clip_to:
        left, right = (min(max(x, 0), clip_to[0]) for x in (left, right))
        top, bottom = (min(max(y, 0), clip_to[1]) for y in (top, bottom))
    prediction: Prediction = {
        "label": sighting.label,
        "confidence": confidence(sighting.confidence),
        "bbox": {"x": left, "y": top, "width": right - left, "height": bottom - top},
    }
    emoji = lookup(sighting.label)
    return prediction | {"emoji": emoji} if emoji else prediction
