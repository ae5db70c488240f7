"""Evaluation of scored boxes against true boxes: COCO average precision, F1, calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from windmill.kernels.boxes.geometry import Bools, Floats, ious

THRESHOLDS = np.arange(10) * 0.05 + 0.5
"""IoU thresholds at which a box counts as found: .50, .55 ... .95."""
_RECALLS = np.linspace(0, 1, 101)
_BINS = 10


@dataclass(frozen=True)
class LabelledBoxes:
    """The boxes of one image (corners), with labels, and scores unless they are the truth."""

    corners: Floats
    labels: Sequence[str]
    scores: Floats


@dataclass(frozen=True)
class JudgedBoxes:
    """All boxes of all images: labels, scores (n,) and hits (n, 10), and how many true boxes each label has."""

    labels: Sequence[str]
    scores: Floats
    hits: Bools
    truths: dict[str, int]


def judge_boxes(images: Sequence[tuple[LabelledBoxes, LabelledBoxes]]) -> JudgedBoxes:
    """Evaluate pairs of found and true boxes."""
    labels: list[str] = []
    truths: dict[str, int] = {}
    for found, true in images:
        labels.extend(found.labels)
        for label in true.labels:
            truths[label] = truths.get(label, 0) + 1
    scores = [np.zeros(0), *(found.scores for found, _ in images)]
    rows = [np.zeros((0, len(THRESHOLDS)), dtype=np.bool_), *(hits(found, true) for found, true in images)]
    return JudgedBoxes(labels, np.concatenate(scores), np.concatenate(rows), truths)


def hits(found: LabelledBoxes, true: LabelledBoxes) -> Bools:
    """Whether each box is right at each threshold, (n, 10): in order of score, each takes the best free true box."""
    right = np.zeros((len(found.labels), len(THRESHOLDS)), dtype=np.bool_)
    overlaps = ious(found.corners, true.corners) * _same_label(found.labels, true.labels)
    near = np.flatnonzero(overlaps.max(axis=1, initial=0.0) >= THRESHOLDS[0])  # no other can be right
    free = np.ones((len(THRESHOLDS), len(true.labels)), dtype=np.bool_)
    every = np.arange(len(THRESHOLDS))
    for place in near[np.argsort(-found.scores[near], kind="stable")]:
        open_to = np.where(free, overlaps[place], 0.0)
        best = open_to.argmax(axis=1)
        right[place] = open_to[every, best] >= THRESHOLDS
        free[every[right[place]], best[right[place]]] = False
    return right


def _same_label(some: Sequence[str], others: Sequence[str]) -> Bools:
    """Which pairs have one label, shape (n, m)."""
    names = {name: number for number, name in enumerate(dict.fromkeys((*some, *others)))}
    left, right = ([names[name] for name in labels] for labels in (some, others))
    return np.asarray(np.array(left)[:, None] == np.array(right)[None, :], dtype=np.bool_)


def average_precisions(result: JudgedBoxes) -> Floats:
    """The mean over all labels at each threshold, shape (10,)."""
    order = np.argsort(-result.scores, kind="stable")
    names = np.array(result.labels, dtype=object)[order]
    rows = result.hits[order]
    means = [_curve(rows[names == label], count) for label, count in sorted(result.truths.items())]
    return np.mean(means, axis=0) if means else np.zeros(len(THRESHOLDS))


def _curve(rows: Bools, truths: int) -> Floats:
    """Precision at 101 levels of recall, averaged, for each threshold."""
    right = np.cumsum(rows, axis=0)
    precision = right / np.arange(1, len(rows) + 1)[:, None]
    precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    means = []
    for recall, heights in zip((right / truths).T, precision.T, strict=True):
        places = np.searchsorted(recall, _RECALLS)
        means.append(float(np.append(heights, 0.0)[places].mean()))
    return np.array(means)


def found_at(result: JudgedBoxes, least: float) -> tuple[float, float, float]:
    """Precision, recall and F1 at IoU 0.5 of the boxes with at least this score."""
    chosen = result.scores >= least
    right, total = int(result.hits[chosen, 0].sum()), sum(result.truths.values())
    precision, recall = right / max(int(chosen.sum()), 1), right / max(total, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def best_f1(result: JudgedBoxes) -> float:
    """The highest F1 over all score thresholds."""
    order = np.argsort(-result.scores, kind="stable")
    right = np.cumsum(result.hits[order, 0])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + max(sum(result.truths.values()), 1))
    return float(f1.max()) if len(f1) else 0.0


def calibration_error(result: JudgedBoxes) -> float:
    """Expected calibration error (ECE): the distance of scores from the share of right boxes, over ten bins."""
    if not len(result.scores):
        return 0.0
    bins = np.clip((result.scores * _BINS).astype(np.int64), 0, _BINS - 1)
    off = np.bincount(bins, weights=result.scores - result.hits[:, 0], minlength=_BINS)
    return float(np.abs(off).sum() / len(result.scores))
