"""BlazeFace of full range: faces near and far, with six points each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dev.farm.pictures import Pixels
from dev.models.geometry import Numbers, anchor_centres, best_of_overlapping, letterboxed, sigmoid
from dev.models.networks import converted

_SIDE = 192
_LAYERS = ((4, 1),)
_LEAST = 0.6
_OVERLAP = 0.3


@dataclass(frozen=True)
class Face:
    """In pixels of the picture; the points are the eyes, the nose, the mouth and the ears, the right ones first."""

    edges: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...]
    confidence: float


class BlazeFace:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        self._network = converted(weights, "facemesh-detection-full", ("Identity",))
        self._centres = anchor_centres(_SIDE, _LAYERS)

    def faces(self, rgb: Pixels) -> list[Face]:
        square, letterbox = letterboxed(rgb, _SIDE)
        rows = self._network.run(square[None] / 127.5 - 1)[0][0]
        scores = sigmoid(rows[:, 0])
        edges, points = decode(rows[:, 1:], self._centres)
        sure = np.nonzero(scores >= _LEAST)[0]
        kept = sure[best_of_overlapping(edges[sure], scores[sure], np.zeros(len(sure)), _OVERLAP)]
        return [
            _face(letterbox.back(edges[one].reshape(2, 2)), letterbox.back(points[one]), scores[one]) for one in kept
        ]


def decode(places: Numbers, centres: Numbers) -> tuple[Numbers, Numbers]:
    """Edges and points in pixels of the square; the network gives both relative to the anchors."""
    points = places.reshape(len(places), -1, 2) + (centres * _SIDE)[:, None]
    middle, half = points[:, 0], places[:, 2:4] / 2
    return np.concatenate([middle - half, middle + half], 1), points[:, 2:]


def _face(edges: Numbers, points: Numbers, score: float) -> Face:
    (left, top), (right, bottom) = edges.tolist()
    return Face((left, top, right, bottom), tuple((x, y) for x, y in points.tolist()), float(score))
