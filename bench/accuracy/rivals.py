"""Other published ways to merge the boxes of several detectors, for comparison.

Each takes the detections of one image and returns boxes with labels and scores. Labels never mix.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.boxes.average_precision import LabelledBoxes
from windmill.kernels.boxes.detections import Detections
from windmill.kernels.boxes.geometry import Floats, ious, suppressed

IntArray = npt.NDArray[np.int64]
NMS_OVERLAP, WBF_OVERLAP, QUORUM_OVERLAP = 0.5, 0.55, 0.5
_LITTLE = 1e-9


def alone(detections: Detections) -> LabelledBoxes:
    """All boxes, unmerged."""
    names = [detections.labels[place] for place in detections.label.tolist()]
    return LabelledBoxes(detections.corners, names, detections.confidence)


def nms(detections: Detections) -> LabelledBoxes:
    """Non-maximum suppression: of boxes with the same label that overlap by more than a half, the most confident."""
    ranked = _ranked(detections)
    near = ious(ranked.corners, ranked.corners) > NMS_OVERLAP
    return alone(ranked.only(~suppressed(near & _alike(ranked))))


def wbf(
    detections: Detections, weights: Mapping[str, float] | None = None, overlap: float = WBF_OVERLAP
) -> LabelledBoxes:
    """Weighted Boxes Fusion: running means weighted by confidence; the score falls with the share of models missing.

    With weights, confidences are multiplied by them, and the score is divided by their sum.
    """
    boxes, names, scores = [], [], []
    trust = np.array([(weights or {}).get(one, 1.0) for one in detections.services])
    score = detections.confidence * trust[detections.service] if len(detections) else detections.confidence
    for label, members in _each_label(detections, score):
        for cluster in _running_clusters(detections.corners[members].tolist(), score[members].tolist(), overlap):
            boxes.append(cluster.mean)
            names.append(label)
            scores.append(cluster.total / cluster.count * min(len(trust), cluster.count) / float(trust.sum()))
    return LabelledBoxes(np.array(boxes).reshape(-1, 4), names, np.array(scores))


def quorum(detections: Detections) -> LabelledBoxes:
    """The most confident box of each overlapping group that two services agree on; with one service, its boxes."""
    needed = min(2, len(detections.services))
    ranked = _ranked(detections)
    near = (ious(ranked.corners, ranked.corners) > QUORUM_OVERLAP) & _alike(ranked)
    heads = ~suppressed(near)
    voters = np.array([len(set(ranked.service[row].tolist())) for row in near], dtype=np.int64)
    return alone(ranked.only(heads & (voters >= needed)))


@dataclass
class _Cluster:
    """The running mean of some boxes, and the sum of their scores. Plain numbers are faster here than small arrays."""

    mean: list[float]
    total: float
    count: int = 1

    def add(self, box: list[float], score: float) -> None:
        share = (score + _LITTLE) / (self.total + score + _LITTLE * (self.count + 1))
        self.mean = [old + share * (new - old) for old, new in zip(self.mean, box, strict=True)]
        self.total += score
        self.count += 1


def _running_clusters(boxes: list[list[float]], scores: list[float], overlap: float) -> list[_Cluster]:
    clusters: list[_Cluster] = []
    for box, score in zip(boxes, scores, strict=True):
        best = max(clusters, key=lambda one: _iou(one.mean, box), default=None)
        if best is not None and _iou(best.mean, box) > overlap:
            best.add(box, score)
        else:
            clusters.append(_Cluster(box, score))
    return clusters


def _iou(some: list[float], other: list[float]) -> float:
    width = min(some[2], other[2]) - max(some[0], other[0])
    height = min(some[3], other[3]) - max(some[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = (some[2] - some[0]) * (some[3] - some[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return both / (areas - both)


def _each_label(detections: Detections, score: Floats) -> Iterator[tuple[str, IntArray]]:
    """The members of each label, most confident first."""
    order = np.argsort(-score, kind="stable")
    for place, label in enumerate(detections.labels):
        yield label, order[detections.label[order] == place]


def _ranked(detections: Detections) -> Detections:
    order = np.argsort(-detections.confidence, kind="stable")
    emojis = tuple(detections.emojis[place] for place in order.tolist())
    corners, confidence = detections.corners[order], detections.confidence[order]
    service, label = detections.service[order], detections.label[order]
    return Detections(detections.services, detections.labels, corners, confidence, service, label, emojis)


def _alike(detections: Detections) -> npt.NDArray[np.bool_]:
    return np.asarray(detections.label[:, None] == detections.label[None, :], dtype=np.bool_)
