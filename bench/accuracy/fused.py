"""Ways to fuse the boxes of pictures: fixed ones, and ones that are fitted on some of the pictures first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from bench.accuracy.judged_pictures import JudgedPictures
from bench.accuracy.rivals import alone, nms, wbf
from windmill.kernels.boxes.average_precision import LabelledBoxes
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.box_fitting import BoxExample, fit_gathered, gather, services_of, with_thresholds
from windmill.kernels.boxes.box_learning import learn
from windmill.kernels.boxes.detections import Detections, parse_detections
from windmill.kernels.boxes.fusion import rank
from windmill.kernels.boxes.geometry import Bools, corners
from windmill.kernels.boxes.grouping import MatchedDetections, groups_of, match_detections

Trained = Callable[[Bools], JudgedPictures]
"""Takes the pictures to fit on, and judges the boxes of the others (at least)."""
_Size = tuple[int, int] | None
_OVERLAPS = (0.55, 0.6, 0.65, 0.7)
_TRUSTS = (1.0, 2.0)


@dataclass(frozen=True)
class PreparedPicture:
    """What all methods share of one picture, so that it is done once."""

    detections: Detections
    matched: MatchedDetections
    truth: LabelledBoxes
    size: _Size

    def merged(self, calibration: BoxCalibration) -> LabelledBoxes:
        """What windmill makes of it: labels, boxes and confidences, as `merge` has them."""
        groups, services = groups_of(self.matched, calibration), self.matched.detections.services
        chance, places, order = rank(groups, services, calibration, self.size)
        names = [self.matched.detections.labels[place] for place in groups.label[order].tolist()]
        return LabelledBoxes(corners(places[order]), names, np.array([round(one, 3) for one in chance[order].tolist()]))


def prepared(examples: Iterable[BoxExample]) -> list[PreparedPicture]:
    """Parsed, and matched with the overlaps that all calibrations have."""
    pictures = []
    for one in examples:
        detections = parse_detections(one.answers, one.size)[0]
        matched = match_detections(detections, BoxCalibration())
        pictures.append(PreparedPicture(detections, matched, one.truth(), one.size))
    return pictures


def fixed_methods(examples: Sequence[BoxExample]) -> Iterator[tuple[str, JudgedPictures]]:
    """Each detector alone, non-maximum suppression, and Weighted Boxes Fusion at two overlaps."""
    for service in services_of(examples):
        lone = [replace(one, answers={service: one.answers[service]}) for one in examples]
        yield service, _judged(prepared(lone), alone)
    pictures = prepared(examples)
    yield "NMS .5", _judged(pictures, nms)
    yield "WBF .55", _judged(pictures, lambda one: wbf(one, overlap=0.55))
    yield "WBF .6", _judged(pictures, lambda one: wbf(one, overlap=0.6))
    yield "windmill, nothing known", judged_merge(pictures, BoxCalibration())


def tuned_wbf(examples: Sequence[BoxExample]) -> Trained:
    """Weighted Boxes Fusion with the overlap and the weights that are best on the pictures to fit on."""
    services, pictures = services_of(examples), prepared(examples)
    grid = [
        _judged(pictures, lambda one, trust=trust, overlap=overlap: wbf(one, dict(trust), overlap))  # type: ignore[misc]
        for overlap, trust in product(_OVERLAPS, _weights(services))
    ]
    return lambda known: max(grid, key=lambda one: float(one.average_precisions(known.astype(np.float64)).mean()))


def calibrated(examples: Sequence[BoxExample]) -> Trained:
    """Windmill, calibrated to the truth of the pictures to fit on."""
    services, pictures = services_of(examples), prepared(examples)
    start = with_thresholds(examples, services, BoxCalibration())
    images = [gather(one, services, start) for one in examples]

    def train(known: Bools) -> JudgedPictures:
        fitted = fit_gathered(
            [image for image, is_known in zip(images, known, strict=True) if is_known], services, start
        )
        return _judged_others(pictures, known, fitted)

    return train


def learned(examples: Sequence[BoxExample]) -> Trained:
    """Windmill, with what it learns from the answers to the pictures to fit on, without their truth."""
    pictures = prepared(examples)

    def train(known: Bools) -> JudgedPictures:
        history = [one.answers for one, is_known in zip(examples, known, strict=True) if is_known]
        return _judged_others(pictures, known, learn(history, BoxCalibration()).calibration)

    return train


def judged_merge(pictures: Sequence[PreparedPicture], calibration: BoxCalibration) -> JudgedPictures:
    """What windmill makes of them."""
    return JudgedPictures([(one.merged(calibration), one.truth) for one in pictures])


def _judged_others(pictures: Sequence[PreparedPicture], known: Bools, calibration: BoxCalibration) -> JudgedPictures:
    nothing = LabelledBoxes(np.zeros((0, 4)), [], np.zeros(0))
    return JudgedPictures(
        [
            (nothing if is_known else one.merged(calibration), one.truth)
            for one, is_known in zip(pictures, known, strict=True)
        ]
    )


def _judged(pictures: Sequence[PreparedPicture], method: Callable[[Detections], LabelledBoxes]) -> JudgedPictures:
    pairs = []
    for one in pictures:
        found = method(one.detections)
        inside = np.clip(found.corners, 0, [*one.size, *one.size]) if one.size else found.corners
        pairs.append((replace(found, corners=inside), one.truth))
    return JudgedPictures(pairs)


def _weights(services: Sequence[str]) -> list[dict[str, float]]:
    """All ways to trust some of them twice as much as others."""
    trusts = [dict(zip(services, trust, strict=True)) for trust in product(_TRUSTS, repeat=len(services))]
    return [one for one in trusts if min(one.values()) == 1]
