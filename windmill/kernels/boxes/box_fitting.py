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
from windmill.kernels.boxes.clustering import Ints
from windmill.kernels.boxes.detections import Detections, parse_detections
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.boxes.geometry import Bools, Floats, corners, ious
from windmill.kernels.boxes.grouping import Groups, group_detections
from windmill.kernels.text.labels import normalise_label

_OF_EACH = {"offset": 0.7, "slope": 1.0, "silence": 0.5}
_OF_ALL = {"agreement": 0.3, "damping": 0.15, "size": 0.25, "part": 0.5}
"""Standard deviations of the prior around the initial constants."""
_MAX_SERVICES_FOR_SUBSETS = 4
"""With more services, only each alone and all together are evaluated."""
_FEW_EDGES = 200
"""The weight of the prior looseness, in edges."""
_STEPS, _ENOUGH = 30, 1e-3


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
class _Sample:
    """Groups of many images with a column per service, whether each is right, and its weight."""

    groups: Groups
    right: Bools
    weight: Floats


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
    services = tuple(sorted({service for example in examples for service in example.answers}))
    tight = _with_looseness(examples, services, start)
    samples = [sample for example in examples for sample in _samples(example, services, tight)]
    return _fitted(_stacked(samples, len(services)), services, tight) if samples else tight


def _merged(example: BoxExample, calibration: BoxCalibration) -> LabelledBoxes:
    boxes = merge(example.answers, calibration, example.size).boxes
    return LabelledBoxes(
        corners([box.box for box in boxes]),
        [box.label for box in boxes],
        np.array([box.confidence for box in boxes], dtype=np.float64),
    )


def _samples(example: BoxExample, services: tuple[str, ...], calibration: BoxCalibration) -> Iterator[_Sample]:
    """The groups for each subset of the services: constants must also fit while answers are pending."""
    truth, subsets = example.truth(), list(_subsets(sorted(example.answers)))
    for subset in subsets:
        everything, _ = parse_detections({service: example.answers[service] for service in subset}, example.size)
        detections, groups, _ = group_detections(everything, calibration)
        chance = probabilities(log_odds(groups, Constants.of(calibration, subset)), groups.rivals)
        names = [detections.labels[place] for place in groups.label.tolist()]
        right = hits(LabelledBoxes(groups.corners, names, chance), truth)[:, 0]
        wide = _widened(groups, [services.index(service) for service in subset], len(services))
        yield _Sample(wide, right, np.full(len(right), 1 / len(subsets)))


def _subsets(services: Sequence[str]) -> Iterator[tuple[str, ...]]:
    sizes = range(1, len(services) + 1) if len(services) <= _MAX_SERVICES_FOR_SUBSETS else (1, len(services))
    for size in sizes:
        yield from combinations(services, size)


def _widened(groups: Groups, places: Sequence[int], width: int) -> Groups:
    def wide(values: Floats | Bools) -> Floats:
        full = np.zeros((len(values), width))
        full[:, places] = values
        return full

    return replace(
        groups,
        confidence=wide(groups.confidence),
        said=wide(groups.said).astype(np.bool_),
        silent=wide(groups.silent).astype(np.bool_),
    )


def _stacked(samples: Sequence[_Sample], width: int) -> _Sample:
    counts = [len(sample.right) for sample in samples]
    before = np.cumsum([0, *counts[:-1]])
    rivals = [sample.groups.rivals + offset for sample, offset in zip(samples, before.tolist(), strict=True)]
    parts = [sample.groups for sample in samples]
    groups = Groups(
        np.zeros(0, dtype=np.int64),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.corners for part in parts]),
        np.concatenate([part.confidence for part in parts]).reshape(-1, width),
        np.concatenate([part.said for part in parts]).reshape(-1, width),
        np.concatenate([part.silent for part in parts]).reshape(-1, width),
        np.concatenate([part.side for part in parts]),
        np.concatenate([part.part for part in parts]),
        np.concatenate(rivals),
    )
    right = np.concatenate([sample.right for sample in samples])
    return _Sample(groups, right, np.concatenate([sample.weight for sample in samples]))


class _Search:
    """Finds the most likely constants by damped Gauss-Newton steps with numerical derivatives."""

    def __init__(self, sample: _Sample, services: tuple[str, ...], start: BoxCalibration) -> None:
        self._sample = sample
        self._services = services
        self._least = start.column("least", services)
        columns = [start.column(name, services) for name in _OF_EACH]
        self._start = np.concatenate([*columns, [getattr(start, name) for name in _OF_ALL]])
        spreads = [np.full(len(services), spread) for spread in _OF_EACH.values()]
        self._belief = np.concatenate([*spreads, list(_OF_ALL.values())]) ** -2.0
        self._names = [name for name in _OF_EACH for _ in services] + list(_OF_ALL)

    def run(self) -> Floats:
        point, damping, cost = self._start, 1.0, self._cost(self._start)
        for _ in range(_STEPS):
            after = self._step(point, damping)
            gain = cost - self._cost(after)
            if gain > 0:
                point, cost, damping = after, cost - gain, damping / 5
            else:
                damping *= 10
            if 0 < gain < _ENOUGH or damping > 1e9:
                break
        return point

    def constants(self, point: Floats) -> Constants:
        count = len(self._services)
        offset, slope, silence = point[: 3 * count].reshape(3, count)
        return Constants(self._least, offset, slope, silence, *point[3 * count :].tolist())

    def _chance(self, point: Floats) -> Floats:
        groups = self._sample.groups
        return np.clip(probabilities(log_odds(groups, self.constants(point)), groups.rivals), 1e-6, 1 - 1e-6)

    def _cost(self, point: Floats) -> float:
        chance, right = self._chance(point), self._sample.right
        misfit = -np.log(np.where(right, chance, 1 - chance)) @ self._sample.weight
        return float(misfit + self._belief @ (point - self._start) ** 2 / 2)

    def _step(self, point: Floats, damping: float) -> Floats:
        chance = self._chance(point)
        nudge = 1e-4 * np.eye(len(point))
        slopes = np.stack([(self._chance(point + one) - chance) / 1e-4 for one in nudge], axis=1)
        weight = self._sample.weight / (chance * (1 - chance))
        downhill = slopes.T @ (weight * (self._sample.right - chance)) - self._belief * (point - self._start)
        curvature = (slopes.T * weight) @ slopes + np.diag(self._belief + damping)
        after = point + np.linalg.solve(curvature, downhill)
        return np.array([clamp(name, value) for name, value in zip(self._names, after.tolist(), strict=True)])


def _fitted(sample: _Sample, services: tuple[str, ...], start: BoxCalibration) -> BoxCalibration:
    search = _Search(sample, services, start)
    found = search.constants(search.run())
    detectors = dict(start.detectors)
    for place, service in enumerate(services):
        offset, slope, silence = (round(float(getattr(found, name)[place]), 3) for name in _OF_EACH)
        detectors[service] = replace(start.of(service), offset=offset, slope=slope, silence=silence)
    return replace(start, detectors=detectors, **{name: round(getattr(found, name), 3) for name in _OF_ALL})


def _with_looseness(examples: Sequence[BoxExample], services: tuple[str, ...], start: BoxCalibration) -> BoxCalibration:
    detectors = dict(start.detectors)
    for service in services:
        shares = [_edge_errors(one, service) for one in examples if service in one.answers]
        errors = np.concatenate([np.zeros(0), *shares])
        believed = start.of(service).looseness
        typical = float(np.median(np.abs(errors))) * 1.4826 if len(errors) else believed
        looseness = (len(errors) * typical + _FEW_EDGES * believed) / (len(errors) + _FEW_EDGES)
        detectors[service] = replace(start.of(service), looseness=round(clamp("looseness", looseness), 4))
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
