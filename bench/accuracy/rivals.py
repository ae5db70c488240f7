"""Other published ways to merge the boxes of several detectors, for comparison.

Each takes the detections of one image and returns boxes with labels and scores. Labels never mix.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from windmill.kernels.boxes.average_precision import LabelledBoxes
from windmill.kernels.boxes.detections import Detections
from windmill.kernels.boxes.geometry import Floats, ious, suppressed

IntArray = npt.NDArray[np.int64]
NMS_OVERLAP, WBF_OVERLAP, QUORUM_OVERLAP = 0.5, 0.55, 0.5


def alone(detections: Detections) -> LabelledBoxes:
    """All boxes, unmerged."""
    names = [detections.labels[place] for place in detections.label.tolist()]
    return LabelledBoxes(detections.corners, names, detections.confidence)


def nms(detections: Detections) -> LabelledBoxes:
    """Non-maximum suppression: of boxes with the same label that overlap by more than a half, the most confident."""
    ranked = _ranked(detections)
    near = ious(ranked.corners, ranked.corners) > NMS_OVERLAP
    return alone(ranked.only(~suppressed(near & _alike(ranked))))


def wbf(detections: Detections, weights: Mapping[str, float] | None = None) -> LabelledBoxes:
    """Weighted Boxes Fusion: running means weighted by confidence; the score falls with the share of models missing.

    With weights, confidences are multiplied by them, and the score is divided by their sum.
    """
    boxes, names, scores = [], [], []
    trust = np.array([(weights or {}).get(one, 1.0) for one in detections.services])
    score = detections.confidence * trust[detections.service] if len(detections) else detections.confidence
    for label, members in _each_label(detections, score):
        for cluster in _running_clusters(detections, members, score):
            boxes.append(_mean_box(detections, cluster, score))
            names.append(label)
            scores.append(float(score[cluster].mean()) * min(len(trust), len(cluster)) / float(trust.sum()))
    return LabelledBoxes(np.array(boxes).reshape(-1, 4), names, np.array(scores))


def quorum(detections: Detections) -> LabelledBoxes:
    """The most confident box of each overlapping group that two services agree on; with one service, its boxes."""
    needed = min(2, len(detections.services))
    ranked = _ranked(detections)
    near = (ious(ranked.corners, ranked.corners) > QUORUM_OVERLAP) & _alike(ranked)
    heads = ~suppressed(near)
    voters = np.array([len(set(ranked.service[row].tolist())) for row in near], dtype=np.int64)
    return alone(ranked.only(heads & (voters >= needed)))


def _running_clusters(detections: Detections, members: IntArray, score: Floats) -> list[list[int]]:
    clusters: list[list[int]] = []
    means = np.zeros((0, 4))
    for place in members.tolist():
        overlaps = ious(detections.corners[[place]], means)[0]
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best >= 0 and overlaps[best] > WBF_OVERLAP:
            clusters[best].append(place)
            means[best] = _mean_box(detections, clusters[best], score)
        else:
            clusters.append([place])
            means = np.concatenate((means, detections.corners[[place]]))
    return clusters


def _mean_box(detections: Detections, cluster: list[int], score: Floats) -> Floats:
    weights = score[cluster] + 1e-9
    mean: Floats = weights @ detections.corners[cluster] / weights.sum()
    return mean


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
