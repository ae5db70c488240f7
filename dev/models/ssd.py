"""SSD on MobileNet v2, a detector of COCO's labels. OpenCV reads the graph of TensorFlow and decodes its boxes."""

from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from dev.farm.answers.sightings import Sighting
from dev.farm.pictures import Pixels
from dev.models.detections import sightings_of

_SIDE = 300
_UNUSED_NUMBERS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
_PLACES = {number: place for place, number in enumerate(n for n in range(1, 91) if n not in _UNUSED_NUMBERS)}
"""COCO numbers its 80 labels up to 90, and leaves some numbers out."""


class SsdMobileNet:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        graph, layers = weights / "frozen_inference_graph.pb", weights / "ssd_mobilenet_v2_coco_2018_03_29.pbtxt"
        self._network = cv2.dnn.readNetFromTensorflow(str(graph), str(layers))
        self._lock = Lock()  # OpenCV keeps the picture and the results in the network

    def detect(self, rgb: Pixels, least: float) -> list[Sighting]:
        height, width = rgb.shape[:2]
        with self._lock:
            self._network.setInput(cv2.dnn.blobFromImage(rgb, size=(_SIDE, _SIDE)))
            rows = self._network.forward()[0, 0]
        rows = np.array([row for row in rows if row[2] >= least and int(row[1]) in _PLACES]).reshape(-1, 7)
        labels = np.array([_PLACES[int(number)] for number in rows[:, 1]])
        return sightings_of(rows[:, 3:] * [width, height, width, height], rows[:, 2], labels)
