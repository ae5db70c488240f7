"""Between the picture and the square that a network takes: there, and back again. Pure."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dev.farm.pictures import Pixels
from dev.models.networks import Floats

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Letterbox:
    """How a picture lies in a square: made smaller or larger, and in the middle, its sides in proportion."""

    scale: float
    left: float
    top: float

    def back(self, points: Numbers) -> Numbers:
        """Points of the square, x and y in the last axis, as points of the picture."""
        result: Numbers = (points - np.array([self.left, self.top])) / self.scale
        return result


def letterboxed(rgb: Pixels, side: int) -> tuple[Pixels, Letterbox]:
    """The picture in a black square of this side."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    inside = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (side - inside[0]) // 2, (side - inside[1]) // 2
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + inside[1], left : left + inside[0]] = resized(rgb, inside)
    return square, Letterbox(scale, left, top)


def resized(rgb: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture in this width and height; what gets much smaller is averaged."""
    smaller = rgb.shape[1] > 2 * size[0] or rgb.shape[0] > 2 * size[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, size, interpolation=how), np.uint8)


def sigmoid(values: Numbers) -> Numbers:
    result: Numbers = 1 / (1 + np.exp(-np.clip(values, -80, 80)))
    return result


def best_of_overlapping(edges: Numbers, scores: Numbers, labels: Numbers, limit: float) -> list[int]:
    """Which boxes remain when of those of one label that overlap more than this only the surest is kept."""
    if not len(edges):
        return []
    boxes = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], 1)
    kept = cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), labels.astype(int).tolist(), 0.0, limit)
    return sorted((int(one) for one in kept), key=lambda one: -scores[one])


def anchor_centres(side: int, layers: tuple[tuple[int, int], ...]) -> Floats:
    """Centres of the anchors, as fractions of the square; a layer is a stride and the anchors of each of its cells."""
    centres = []
    for stride, each in layers:
        cells = -(-side // stride)
        rows, columns = np.mgrid[:cells, :cells]
        layer = np.stack([columns, rows], -1).reshape(-1, 2)
        centres.append(np.repeat((layer + 0.5) / cells, each, axis=0))
    return np.concatenate(centres).astype(np.float32)
