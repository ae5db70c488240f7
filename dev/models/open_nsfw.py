"""open-nsfw: how probably a picture is not for children's eyes."""

from pathlib import Path

import numpy as np

from dev.farm.pictures import Pixels
from dev.models.geometry import resized
from dev.models.networks import Network

_SIDE, _CROP = 256, 224
# Of the channels blue, green and red, in this order.
_MEAN = (104, 117, 123)


class OpenNsfw:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        self._network = Network(weights / "open-nsfw.onnx")

    def probability(self, rgb: Pixels) -> float:
        """From 0, for everybody, to 1. The network was made for the middle of a picture pressed into a square."""
        edge = (_SIDE - _CROP) // 2
        square = resized(rgb, (_SIDE, _SIDE))[edge:-edge, edge:-edge, ::-1]
        return float(self._network.run((square - np.array(_MEAN))[None])[0][0, 1])
