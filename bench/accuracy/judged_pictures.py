"""Figures over any weighting of pictures, judged once: for random halves, and for drawing pictures with replacement."""

from collections.abc import Sequence

import numpy as np

from windmill.kernels.boxes.average_precision import LabelledBoxes, hits
from windmill.kernels.boxes.clustering import Ints
from windmill.kernels.boxes.geometry import Floats

_RECALLS = np.linspace(0, 1, 101)
_EQUAL = 1e-9
_BINS = 10


class JudgedPictures:
    """All boxes of all pictures, by label and falling score; a weight for each picture says how often it counts."""

    def __init__(self, images: Sequence[tuple[LabelledBoxes, LabelledBoxes]]) -> None:
        names = sorted({label for found, true in images for label in (*found.labels, *true.labels)})
        numbers = {name: number for number, name in enumerate(names)}
        self._truths = np.zeros((len(images), len(names)))
        for place, (_, true) in enumerate(images):
            np.add.at(self._truths[place], [numbers[name] for name in true.labels], 1)
        label = np.array([numbers[name] for found, _ in images for name in found.labels], dtype=np.int64)
        score = np.concatenate([np.zeros(0), *(found.scores for found, _ in images)])
        right = np.concatenate([np.zeros((0, 10), dtype=np.bool_), *(hits(found, true) for found, true in images)])
        picture = np.repeat(np.arange(len(images)), [len(found.labels) for found, _ in images])
        order = np.lexsort((-score, label))
        self._label, self._score, self._right = label[order], score[order], right[order]
        self._picture = picture[order]

    def __len__(self) -> int:
        return len(self._truths)

    def figures(self, weights: Floats) -> dict[str, float]:
        """All of them, for pictures of these weights, shape (pictures,)."""
        precisions = self.average_precisions(weights)
        return {
            "mAP": float(precisions.mean()),
            "AP50": float(precisions[0]),
            "AP75": float(precisions[5]),
            "best_F1": self.best_f1(weights),
            "F1": self.f1(weights),
            "ECE": self.calibration_error(weights),
        }

    def average_precisions(self, weights: Floats) -> Floats:
        """The mean over the labels that are true anywhere, at each of ten overlaps, as COCO has it."""
        truths = weights @ self._truths
        counts = weights[self._picture]
        chosen = (counts > 0) & (truths[self._label] > 0)
        label, count, right = self._label[chosen], counts[chosen], self._right[chosen] * counts[chosen][:, None]
        true = np.flatnonzero(truths)
        if not len(true) or not len(label):
            return np.zeros(self._right.shape[1])
        segment = np.searchsorted(true, label)
        found, shown = _within(np.cumsum(right, axis=0), segment), _within(np.cumsum(count)[:, None], segment)
        heights = _best_from_here(found / shown, segment)
        reached = found / truths[label][:, None] + 2.0 * segment[:, None]
        wanted = (_RECALLS[None, :] + 2.0 * np.arange(len(true))[:, None] - _EQUAL).ravel()
        owner = np.repeat(np.arange(len(true)), len(_RECALLS))
        means = []
        for one, height in zip(reached.T, heights.T, strict=True):
            place = np.minimum(np.searchsorted(one, wanted), len(one) - 1)
            hit = (segment[place] == owner) & (one[place] >= wanted)
            means.append(float(np.where(hit, height[place], 0.0).mean()))
        return np.array(means)

    def f1(self, weights: Floats, least: float = 0.5) -> float:
        """F1 at IoU .5 of the boxes with at least this score."""
        counts = weights[self._picture] * (self._score >= least)
        shown, true = float(counts.sum()), float((weights @ self._truths).sum())
        return 2 * float(counts @ self._right[:, 0]) / max(shown + true, 1e-9)

    def best_f1(self, weights: Floats) -> float:
        """The highest F1 over all thresholds."""
        order = np.argsort(-self._score, kind="stable")
        counts = weights[self._picture[order]]
        shown, right = np.cumsum(counts), np.cumsum(counts * self._right[order, 0])
        return float((2 * right / np.maximum(shown + float((weights @ self._truths).sum()), 1e-9)).max(initial=0.0))

    def calibration_error(self, weights: Floats) -> float:
        """The distance of scores from the share of right boxes, over ten bins."""
        counts = weights[self._picture]
        bins = np.clip((self._score * _BINS).astype(np.int64), 0, _BINS - 1)
        off = np.bincount(bins, weights=counts * (self._score - self._right[:, 0]), minlength=_BINS)
        return float(np.abs(off).sum() / max(float(counts.sum()), 1e-9))


def _within(sums: Floats, segment: Ints) -> Floats:
    """Running sums that begin anew in every segment."""
    starts = np.searchsorted(segment, segment)
    before = np.concatenate((np.zeros((1, sums.shape[1])), sums))[starts]
    return np.asarray(sums - before, dtype=np.float64)


def _best_from_here(heights: Floats, segment: Ints) -> Floats:
    """The highest precision at this recall or a higher one, in each segment; segments are told apart by an offset."""
    apart = 2.0 * (segment.max(initial=0) - segment)[:, None]
    return np.asarray(np.maximum.accumulate((heights + apart)[::-1], axis=0)[::-1] - apart, dtype=np.float64)
