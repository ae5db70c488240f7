"""Fits the constants of box merging to labelled images, with a prior: with few images they hardly move."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from windmill.kernels.boxes.average_precision import (
    LabelledBoxes,
    average_precisions,
    best_f1,
    calibration_error,
    found_at,
    hits,
    judge_boxes,
)
from windmill.kernels.boxes.box_calibration import BoxCalibration, clamp
from windmill.kernels.boxes.box_evidence import Constants, log_odds, probabilities
from windmill.kernels.boxes.box_search import BoxSample, BoxSearch, stacked, widened, with_constants
from windmill.kernels.boxes.clustering import Ints
from windmill.kernels.boxes.detections import Detections, parse_detections
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.boxes.geometry import Bools, Floats, corners, ious
from windmill.kernels.boxes.grouping import Groups, group_detections
from windmill.kernels.text.labels import normalise_label

_MAX_SERVICES_FOR_SUBSETS = 4
"""With more services, only each alone and all together are evaluated."""
_FEW_EDGES = 200
"""The weight of the prior looseness, in edges. From so many on a detector counts as calibrated."""


@dataclass(frozen=True)
class BoxExample:
    """The `predictions` of each service that answered, with the true boxes (x, y, width, height) and labels."""

    answers: Mapping[str, object]
    boxes: Sequence[Sequence[float]]
    labels: Sequence[str]
    size: tuple[int, int] | None = None

    def truth(self) -> LabelledBoxes:
        return LabelledBoxes(
            corners(self.boxes), [normalise_label(label) for label in self.labels], np.zeros(len(self.labels))
        )


@dataclass(frozen=True)
class GatheredBoxes:
    """What fitting needs of one image: its groups under each subset of the services, and the errors of edges."""

    samples: Sequence[BoxSample]
    edge_errors: Mapping[str, Floats]


def score(examples: Iterable[BoxExample], calibration: BoxCalibration) -> dict[str, float]:
    """Evaluate merged boxes: mAP (and at .50 and .75), precision, recall and F1 at confidence 0.5, the best F1 at any
    confidence, and the calibration error (ECE)."""
    return rated([(_merged(example, calibration), example.truth()) for example in examples])


def rated(images: Sequence[tuple[LabelledBoxes, LabelledBoxes]]) -> dict[str, float]:
    """The same for any pairs of found and true boxes."""
    result = judge_boxes(images)
    means = average_precisions(result)
    precision, recall, f1 = found_at(result, 0.5)
    return {
        "mAP": float(means.mean()),
        "AP50": float(means[0]),
        "AP75": float(means[5]),
        "precision": precision,
        "recall": recall,
        "F1": f1,
        "best_F1": best_f1(result),
        "ECE": calibration_error(result),
    }


def fit(examples: Sequence[BoxExample], start: BoxCalibration) -> BoxCalibration:
    """The most likely calibration for these images, with `start` as prior."""
    services = services_of(examples)
    known = with_thresholds(examples, services, start)
    return fit_gathered([gather(example, services, known) for example in examples], services, known)


def services_of(examples: Iterable[BoxExample]) -> tuple[str, ...]:
    return tuple(sorted({service for example in examples for service in example.answers}))


def with_thresholds(examples: Sequence[BoxExample], services: Sequence[str], start: BoxCalibration) -> BoxCalibration:
    """Services without an entry get one, with the lowest confidence that they ever stated as their threshold."""
    detectors = dict(start.detectors)
    for service in services:
        parsed = [parse_detections({service: one.answers[service]})[0] for one in examples if service in one.answers]
        lowest = min((float(found.confidence.min()) for found in parsed if len(found)), default=None)
        if service not in detectors and lowest is not None:
            detectors[service] = start.unknown.told_from(round(clamp("least", lowest), 2))
    return replace(start, detectors=detectors)


def fit_gathered(images: Sequence[GatheredBoxes], services: tuple[str, ...], start: BoxCalibration) -> BoxCalibration:
    """The same for what was gathered of them under `start`, so that many fits share the work."""
    samples = [sample for image in images for sample in image.samples]
    tight = _with_looseness(images, services, start)
    if not samples:
        return tight
    sample = stacked(samples, len(services))
    return with_constants(tight, services, BoxSearch(sample, services, start).run())


def _merged(example: BoxExample, calibration: BoxCalibration) -> LabelledBoxes:
    boxes = merge(example.answers, calibration, example.size).boxes
    return LabelledBoxes(
        corners([box.box for box in boxes]),
        [box.label for box in boxes],
        np.array([box.confidence for box in boxes], dtype=np.float64),
    )


def gather(example: BoxExample, services: tuple[str, ...], calibration: BoxCalibration) -> GatheredBoxes:
    """The groups for each subset of the services: constants must also fit while answers are pending."""
    errors = {service: _edge_errors(example, service) for service in services if service in example.answers}
    return GatheredBoxes(list(_samples(example, services, calibration)), errors)


def _samples(example: BoxExample, services: tuple[str, ...], calibration: BoxCalibration) -> Iterator[BoxSample]:
    truth, subsets = example.truth(), list(_subsets(sorted(example.answers)))
    for subset in subsets:
        detections, groups = grouped(example, subset, calibration)
        chance = probabilities(log_odds(groups, Constants.of(calibration, subset)), groups.rivals)
        names = [detections.labels[place] for place in groups.label.tolist()]
        right = hits(LabelledBoxes(groups.corners, names, chance), truth)[:, 0]
        wide = widened(groups, [services.index(service) for service in subset], len(services))
        yield BoxSample(wide, right.astype(np.float64), np.full(len(right), 1 / len(subsets)))


def grouped(example: BoxExample, subset: Sequence[str], calibration: BoxCalibration) -> tuple[Detections, Groups]:
    """What these services found, and its groups."""
    everything, _ = parse_detections({service: example.answers[service] for service in subset}, example.size)
    detections, groups, _ = group_detections(everything, calibration)
    return detections, groups


def _subsets(services: Sequence[str]) -> Iterator[tuple[str, ...]]:
    sizes = range(1, len(services) + 1) if len(services) <= _MAX_SERVICES_FOR_SUBSETS else (1, len(services))
    for size in sizes:
        yield from combinations(services, size)


def _with_looseness(
    images: Sequence[GatheredBoxes], services: tuple[str, ...], start: BoxCalibration
) -> BoxCalibration:
    detectors = dict(start.detectors)
    for service in services:
        shares = [image.edge_errors[service] for image in images if service in image.edge_errors]
        errors = np.concatenate([np.zeros(0), *shares])
        believed = start.of(service).looseness
        typical = float(np.median(np.abs(errors))) * 1.4826 if len(errors) else believed
        looseness = (len(errors) * typical + _FEW_EDGES * believed) / (len(errors) + _FEW_EDGES)
        detectors[service] = replace(
            start.of(service),
            looseness=round(clamp("looseness", looseness), 4),
            calibrated=start.of(service).calibrated or len(errors) >= _FEW_EDGES,
        )
    return replace(start, detectors=detectors)


def _edge_errors(example: BoxExample, service: str) -> Floats:
    """The errors of a service's edges against the matching true boxes, as shares of the side."""
    detections, _ = parse_detections({service: example.answers[service]}, example.size)
    truth = example.truth()
    overlaps = ious(detections.corners, truth.corners) * _same(detections, truth.labels)
    if not overlaps.size:
        return np.zeros(0)
    best = overlaps.argmax(axis=1)
    found = overlaps.max(axis=1) >= 0.5
    true = truth.corners[best[found]]
    sides = np.tile(true[:, 2:] - true[:, :2], 2)
    errors: Floats = ((detections.corners[found] - true) / np.maximum(sides, 1)).ravel()
    return errors


def _same(detections: Detections, labels: Sequence[str]) -> Bools:
    names: Ints = np.array([detections.labels.index(one) if one in detections.labels else -1 for one in labels])
    return np.asarray(detections.label[:, None] == names.reshape(1, -1), dtype=np.bool_)
