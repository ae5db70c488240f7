"""CenterNet on MobileNetV3, a detector of the 80 labels of COCO. An object is a peak of its label's heat map."""

from pathlib import Path

import cv2
import numpy as np

from dev.farm.answers.sightings import Sighting
from dev.farm.pictures import Pixels
from dev.models.detections import sightings_of
from dev.models.geometry import Numbers, best_of_overlapping, letterboxed
from dev.models.networks import Floats, converted

_SIDE = 512
_STRIDE = 4
_OVERLAP = 0.5


class CenterNet:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        self._network = converted(weights, "centernet", ("tower_0/wh", "tower_0/keypoints"))

    def detect(self, rgb: Pixels, least: float) -> list[Sighting]:
        square, letterbox = letterboxed(rgb, _SIDE)
        reach, heat = self._network.run(square[None])
        edges, scores, labels = decode(reach[0], heat[0], least)
        kept = best_of_overlapping(edges, scores, labels, _OVERLAP)
        pixels = letterbox.back(edges.reshape(-1, 2, 2)).reshape(-1, 4)
        return sightings_of(pixels[kept], scores[kept], labels[kept])


def decode(reach: Floats, heat: Floats, least: float) -> tuple[Numbers, Numbers, Numbers]:
    """Edges in pixels of the square, scores and labels: one for each cell that no neighbour surpasses."""
    warm = np.nonzero(heat.max((0, 1)) >= least)[0]
    # Only of labels that are anywhere warm enough, as there are eighty maps.
    maps = np.ascontiguousarray(heat[..., warm])
    peaks = (
        np.stack([cv2.dilate(maps[..., one], np.ones((3, 3))) for one in range(len(warm))], -1) if len(warm) else maps
    )
    rows, columns, places = np.nonzero((maps == peaks) & (maps >= least))
    centres = np.stack([columns, rows], 1) * _STRIDE
    far = reach[rows, columns]
    edges = np.concatenate([centres - far[:, :2], centres + far[:, 2:]], 1)
    return edges, maps[rows, columns, places], warm[places]
