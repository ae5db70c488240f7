"""NanoDet-m, an object detector of the 80 labels of COCO. A side of a box is a distribution over distances."""

from pathlib import Path

import numpy as np

from dev.farm.answers.sightings import Sighting
from dev.farm.pictures import Pixels
from dev.models.detections import sightings_of
from dev.models.geometry import Numbers, best_of_overlapping, letterboxed
from dev.models.networks import Floats, converted

_SIDE = 416
_BINS = 11
# Of the channels blue, green and red, in this order.
_MEAN, _SPREAD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
_OVERLAP = 0.5
_OUTPUTS = ("Identity", "Identity_3", "Identity_1", "Identity_4", "Identity_2", "Identity_5")
"""Scores and distances of each of the three levels, in turn."""


class NanoDet:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        self._network = converted(weights, "nanodet", _OUTPUTS)

    def detect(self, rgb: Pixels, least: float) -> list[Sighting]:
        square, letterbox = letterboxed(rgb, _SIDE)
        normalised = (square[..., ::-1] - np.array(_MEAN)) / np.array(_SPREAD)
        edges, scores, labels = decode(self._network.run(normalised.transpose(2, 0, 1)[None]), least)
        kept = best_of_overlapping(edges, scores, labels, _OVERLAP)
        pixels = letterbox.back(edges.reshape(-1, 2, 2)).reshape(-1, 4)
        return sightings_of(pixels[kept], scores[kept], labels[kept])


def decode(outputs: list[Floats], least: float) -> tuple[Numbers, Numbers, Numbers]:
    """Edges in pixels of the square, scores and labels."""
    pairs = zip(outputs[::2], outputs[1::2], strict=True)
    levels = [_decode_level(scores[0], distances[0], least) for scores, distances in pairs]
    edges, scores, labels = (np.concatenate(parts) for parts in zip(*levels, strict=True))
    return edges, scores, labels


def _decode_level(scores: Floats, distances: Floats, least: float) -> tuple[Numbers, Numbers, Numbers]:
    side = round(len(scores) ** 0.5)
    stride = _SIDE / side
    cells, labels = np.nonzero(scores >= least)
    centres = (np.stack([cells % side, cells // side], 1) + 0.5) * stride
    reach = _expected(distances[cells].reshape(-1, 4, _BINS)) * stride
    edges = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], 1)
    return edges, scores[cells, labels], labels


def _expected(logits: Numbers) -> Numbers:
    """The mean of each distribution."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    result: Numbers = (powers * np.arange(_BINS)).sum(-1) / powers.sum(-1)
    return result
