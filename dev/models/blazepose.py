"""BlazePose: where somebody is and which way up, and then the 33 landmarks of that body."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2

from dev.farm.pictures import Pixels
from dev.models.geometry import Numbers, anchor_centres, letterboxed, sigmoid
from dev.models.networks import converted

_SEEN_SIDE, _BODY_SIDE = 224, 256
_LAYERS = ((8, 2), (16, 2), (32, 6))
_LEAST = 0.5
_MARGIN = 1.25
_LANDMARKS = 33

# In the order of the network.
NAMES = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip


@dataclass(frozen=True)
class Landmark:
    """x and y in pixels of the picture, z as deep as x is wide, and how probably the camera sees it."""

    x: float
    y: float
    z: float
    visibility: float


class BlazePose:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        self._detector = converted(weights, "blazepose-detector", ("Identity",))
        self._body = converted(weights, "blazepose-full", ("Identity_2", "Identity_3"))
        self._centres = anchor_centres(_SEEN_SIDE, _LAYERS)

    def body(self, rgb: Pixels) -> dict[str, Landmark] | None:
        """The landmarks of the most prominent person; None if there is nobody."""
        square, letterbox = letterboxed(rgb, _SEEN_SIDE)
        found = most_prominent(self._detector.run(square[None] / 127.5 - 1)[0][0], self._centres)
        if found is None:
            return None
        hip, top = letterbox.back(found)
        to_square = upright(hip, top)
        crop = cv2.warpAffine(rgb, to_square, (_BODY_SIDE, _BODY_SIDE))
        values, presence = self._body.run(crop[None] / 255.0)
        if float(presence.ravel()[0]) < _LEAST:
            return None
        return landmarks(values.reshape(-1, 5)[:_LANDMARKS], cv2.invertAffineTransform(to_square))


def most_prominent(rows: Numbers, centres: Numbers) -> Numbers | None:
    """The middle of the hips and a point above the head of the surest person, in pixels of the square."""
    best = int(rows[:, 0].argmax())
    if sigmoid(rows[best, 0]) < _LEAST:
        return None
    points: Numbers = rows[best, 1:].reshape(-1, 2) + centres[best] * _SEEN_SIDE
    return points[2:4]


def upright(hip: Numbers, top: Numbers) -> Numbers:
    """What turns, moves and scales a picture so that the body stands upright and fills the network's square."""
    across, down = top - hip
    side = 2 * _MARGIN * math.hypot(across, down)
    angle = math.degrees(math.atan2(down, across)) + 90
    matrix: Numbers = cv2.getRotationMatrix2D((float(hip[0]), float(hip[1])), angle, _BODY_SIDE / max(side, 1e-6))
    matrix[:, 2] += _BODY_SIDE / 2 - hip
    return matrix


def landmarks(values: Numbers, to_picture: Numbers) -> dict[str, Landmark]:
    """Rows of x, y, z, visibility and presence in the network's square, as landmarks of the picture."""
    points = values[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
    scale = math.hypot(*to_picture[:, 0])
    seen = sigmoid(values[:, 3])
    return {
        name: Landmark(float(x), float(y), float(z * scale), float(sure))
        for name, (x, y), z, sure in zip(NAMES, points, values[:, 2], seen, strict=True)
    }
