"""face: drawn faces from the truth, and on any other picture what OpenCV's bundled cascade finds."""

import math
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock

import cv2

from dev.farm.answers.dice import Prediction, clipped, confidence, dice
from dev.farm.emojis import FACE
from dev.farm.pictures import Picture
from dev.farm.truth import PixelBox, Scene

_LEAST_CONFIDENCE = 0.2
_SMALLEST_SIDE = 18
_ANALYSED_SIDE = 480
_NOTICED, _FALSE_ALARM = 0.5, 0.02
_PLAIN_SIDE, _DRIFT = 40, 0.05
_lock = Lock()

# Where the points of a face lie in its box, as fractions.
_KEYPOINTS = {
    "right_eye": (0.31, 0.36),
    "left_eye": (0.69, 0.36),
    "nose_tip": (0.5, 0.57),
    "mouth_center": (0.5, 0.76),
    "right_ear_tragion": (0.05, 0.45),
    "left_ear_tragion": (0.95, 0.45),
}


def answer(picture: Picture, seed: int) -> list[Prediction]:
    """Faces, the surest first."""
    found = detected(picture) if picture.truth is None else _from_truth(picture, picture.truth, seed)
    return [prediction(box, sureness, _points(box)) for box, sureness in sorted(found, key=lambda face: -face[1])]


def detected(picture: Picture) -> list[tuple[PixelBox, float]]:
    """Boxes and confidences of the cascade's hits, in pixels of the picture."""
    gray = cv2.cvtColor(picture.small, cv2.COLOR_RGB2GRAY)
    shrink = min(1.0, _ANALYSED_SIDE / max(gray.shape))
    if shrink < 1:
        gray = cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    if min(gray.shape) < _SMALLEST_SIDE:
        return []
    with _lock:  # the cascade keeps scratch data in itself
        boxes, _, weights = _cascade().detectMultiScale3(gray, 1.12, 4, minSize=(20, 20), outputRejectLevels=True)
    scale = picture.width / gray.shape[1]
    return [
        (_box(box, scale), clipped(0.45 + float(weight) / 12, _LEAST_CONFIDENCE, 0.99))
        for box, weight in zip(boxes, weights, strict=True)
    ]


@cache
def _cascade() -> cv2.CascadeClassifier:
    folder = Path(cv2.__file__).parent / "data"
    return cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))


def _box(box: Sequence[int], scale: float) -> PixelBox:
    x, y, width, height = (round(float(side) * scale) for side in box)
    return x, y, width, height


def _from_truth(picture: Picture, scene: Scene, seed: int) -> list[tuple[PixelBox, float]]:
    rng = dice("face", seed, picture.identity)
    faces = [thing.face for thing in scene.things if thing.face]
    found = [(_drifted(face, rng), _sureness(face, rng)) for face in faces]
    if rng.random() < _FALSE_ALARM:
        side = min(picture.width, picture.height) // 8
        x, y = int(rng.random() * (picture.width - side)), int(rng.random() * (picture.height - side))
        found.append(((x, y, side, side), rng.uniform(_NOTICED, 0.65)))
    return [(box, sureness) for box, sureness in found if sureness >= _NOTICED]


def _sureness(face: PixelBox, rng: random.Random) -> float:
    """Nearly certain of big faces, in doubt about those of some twenty pixels."""
    return 1 / (1 + math.exp(-rng.gauss(1.6, 0.9)) * _PLAIN_SIDE / face[2])


def _drifted(box: PixelBox, rng: random.Random) -> PixelBox:
    x, y, width, height = box
    return (
        round(x + rng.gauss(0, _DRIFT) * width),
        round(y + rng.gauss(0, _DRIFT) * height),
        round(width * (1 + rng.gauss(0, _DRIFT))),
        round(height * (1 + rng.gauss(0, _DRIFT))),
    )


def _points(box: PixelBox) -> list[tuple[float, float]]:
    x, y, width, height = box
    return [(x + across * width, y + down * height) for across, down in _KEYPOINTS.values()]


def prediction(box: PixelBox, sureness: float, points: Sequence[tuple[float, float]]) -> Prediction:
    """What the service says of one face; the points are in the order of their names."""
    return {
        "label": "face",
        "confidence": confidence(sureness),
        "bbox": list(box),
        "emoji": FACE,
        "keypoints": {name: [round(x), round(y)] for name, (x, y) in zip(_KEYPOINTS, points, strict=True)},
    }
