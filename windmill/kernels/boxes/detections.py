"""Parses the predictions of detectors, from any JSON, into arrays; drops and counts unusable ones."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from windmill.kernels.boxes.geometry import Floats, corners
from windmill.kernels.text.labels import normalise_label, parse_emoji

MAX_DETECTIONS = 300
"""The maximum number of boxes per service, by confidence. Real services stop at 100."""
DEFAULT_CONFIDENCE = 0.5
"""The confidence of a detection without one: neutral."""
_MAX_COORDINATE = 1e6
"""Pixels; a box with a larger number is invalid."""

Ints = npt.NDArray[np.int64]
Reason = Literal[
    "not_a_list", "not_an_object", "no_label", "no_bbox", "bad_bbox", "empty_bbox", "bad_confidence",
    "outside_image", "too_many", "duplicate",
]  # fmt: skip
Dropped = dict[str, dict[str, int]]


class Detection(NamedTuple):
    """One usable prediction; the box is x, y, width, height."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]
    emoji: str


@dataclass(frozen=True)
class Detections:
    """Detections of all services, in an order independent of the input order.

    `service` and `label` are indexes into `services` and `labels`, which are sorted. Arrays have shape (n,), corners
    (n, 4).
    """

    services: tuple[str, ...]
    labels: tuple[str, ...]
    corners: Floats
    confidence: Floats
    service: Ints
    label: Ints
    emojis: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.emojis)

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Detections":
        """The chosen ones, in the same order."""
        emojis = tuple(emoji for emoji, stays in zip(self.emojis, chosen.tolist(), strict=True) if stays)
        arrays = self.corners[chosen], self.confidence[chosen], self.service[chosen], self.label[chosen]
        return Detections(self.services, self.labels, *arrays, emojis)


def parse_detections(answers: Mapping[str, object], size: tuple[int, int] | None = None) -> tuple[Detections, Dropped]:
    """Parse the `predictions` of each service, whatever they are; returns also how many were dropped and why."""
    services = tuple(sorted(answers))
    found: list[tuple[int, Detection]] = []
    dropped: Dropped = {}
    for number, service in enumerate(services):
        reasons: Counter[str] = Counter()
        kept = _strongest(_usable(answers[service], size, reasons), reasons)
        found.extend((number, detection) for detection in kept)
        if reasons:
            dropped[service] = dict(sorted(reasons.items()))
    return _arrays(services, found), dropped


def _usable(predictions: object, size: tuple[int, int] | None, reasons: Counter[str]) -> Iterator[Detection]:
    if not isinstance(predictions, list | tuple):
        reasons["not_a_list"] += 1
        return
    for prediction in predictions:
        detection = _detection(prediction, size)
        if isinstance(detection, Detection):
            yield detection
        else:
            reasons[detection] += 1


def _detection(prediction: object, size: tuple[int, int] | None) -> Detection | Reason:
    """The parsed prediction, or the reason to drop it."""
    if not isinstance(prediction, dict):
        return "not_an_object"
    label = normalise_label(prediction.get("label"))
    if not label:
        return "no_label"
    confidence = _confidence(prediction.get("confidence"))
    if confidence is None:
        return "bad_confidence"
    box = _box(prediction.get("bbox"))
    if isinstance(box, str):
        return box
    if size is not None and _is_outside(box, size):
        return "outside_image"
    return Detection(label, confidence, box, parse_emoji(prediction.get("emoji")))


def _box(value: object) -> tuple[float, float, float, float] | Reason:
    if value is None:
        return "no_bbox"
    if isinstance(value, dict):
        value = (value.get("x"), value.get("y"), value.get("width"), value.get("height"))
    if not isinstance(value, list | tuple) or len(value) != 4 or not all(map(_is_number, value)):
        return "bad_bbox"
    x, y, width, height = map(float, value)
    return (x, y, width, height) if width > 0 and height > 0 else "empty_bbox"


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and -_MAX_COORDINATE <= value <= _MAX_COORDINATE  # type: ignore[operator]


def _is_outside(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    x, y, width, height = box
    return x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0


def _confidence(value: object) -> float | None:
    if value is None:
        return DEFAULT_CONFIDENCE
    return float(value) if type(value) in {int, float} and 0 <= value <= 1 else None  # type: ignore[arg-type, operator]


def _strongest(found: Iterator[Detection], reasons: Counter[str]) -> list[Detection]:
    kept = list(found)
    if len(kept) > MAX_DETECTIONS:
        reasons["too_many"] += len(kept) - MAX_DETECTIONS
        kept = sorted(kept, key=lambda one: (-one.confidence, one))[:MAX_DETECTIONS]
    return kept


def _arrays(services: tuple[str, ...], found: list[tuple[int, Detection]]) -> Detections:
    """Sorted by contents, not by service: swapping services changes nothing."""
    found.sort(key=lambda one: (one[1].label, one[1].box, -one[1].confidence, one[1].emoji, one[0]))
    labels = tuple(sorted({detection.label for _, detection in found}))
    places = {label: place for place, label in enumerate(labels)}
    return Detections(
        services,
        labels,
        corners([detection.box for _, detection in found]),
        np.array([detection.confidence for _, detection in found], dtype=np.float64),
        np.array([service for service, _ in found], dtype=np.int64),
        np.array([places[detection.label] for _, detection in found], dtype=np.int64),
        tuple(detection.emoji for _, detection in found),
    )
