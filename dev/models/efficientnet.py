"""EfficientNet-lite3 in whole numbers: the thousand labels of ImageNet."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from dev.farm.pictures import Pixels
from dev.models.geometry import Numbers, resized


class EfficientNet:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._labels = labels_of(weights)
        self._network = Interpreter(str(weights / "efficientnet_lite3.tflite"), num_threads=1)
        self._network.allocate_tensors()
        self._input, self._output = self._network.get_input_details()[0], self._network.get_output_details()[0]
        self._lock = Lock()  # the interpreter keeps the picture and the result in itself

    def labels(self, rgb: Pixels, least: float) -> list[tuple[str, float]]:
        """Labels of the picture with their probabilities, the surest first."""
        _, height, width, _ = self._input["shape"]
        square = resized(middle_of(rgb), (int(width), int(height)))
        with self._lock:
            self._network.set_tensor(self._input["index"], square[None].astype(self._input["dtype"]))
            self._network.invoke()
            scores = self._network.get_tensor(self._output["index"])[0]
        scale, zero = self._output["quantization"]
        return surest((scores.astype(np.float32) - zero) * scale, self._labels, least)


def labels_of(weights: Path) -> list[str]:
    return [label_of(line) for line in (weights / "efficientnet_labels.txt").read_text().splitlines()]


def label_of(line: str) -> str:
    """The first of the names in a line, as Inception writes it."""
    return line.partition(",")[0].strip().replace(" ", "_").lower()


def middle_of(rgb: Pixels) -> Pixels:
    """The largest square in the middle of the picture."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]


def surest(scores: Numbers, labels: Sequence[str], least: float) -> list[tuple[str, float]]:
    order = scores.argsort()[::-1]
    return [(labels[n], float(scores[n])) for n in order if scores[n] >= least]
