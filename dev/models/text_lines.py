"""Lines of text out of a map of how probably each place belongs to one, and cut out of the picture. Pure."""

import cv2
import numpy as np

from dev.farm.pictures import Pixels
from dev.farm.truth import PixelBox
from dev.models.geometry import Numbers
from dev.models.networks import Floats

Corners = Numbers
"""Of a line that may be turned: top left, top right, bottom right, bottom left, in pixels."""

_WARM = 0.3
_LEAST = 0.5
_GROWTH = 1.6
"""The map shows the core of each line. It is grown by the area of the core times this, divided by its outline."""
_SMALLEST_SIDE = 3
_MOST_LINES = 200


def lines_in(heat: Floats, width: int, height: int) -> list[Corners]:
    """The lines in a picture of this size, from top to bottom."""
    mask = cv2.dilate((heat > _WARM).astype(np.uint8), np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([width / heat.shape[1], height / heat.shape[0]])
    found = [line for outline in outlines[:_MOST_LINES] if (line := _line(heat, outline)) is not None]
    return sorted((line * scale for line in found), key=lambda line: (line[:, 1].min(), line[:, 0].min()))


def _line(heat: Floats, outline: Numbers) -> Corners | None:
    middle, (across, down), angle = cv2.minAreaRect(outline)
    if min(across, down) < _SMALLEST_SIDE:
        return None
    core = cv2.boxPoints((middle, (across, down), angle))
    if _warmth(heat, core) < _LEAST:
        return None
    growth = 2 * across * down * _GROWTH / (2 * (across + down))
    return in_order(cv2.boxPoints((middle, (across + growth, down + growth), angle)))


def _warmth(heat: Floats, corners: Numbers) -> float:
    """The mean of the map within these corners."""
    left, top, width, height = cv2.boundingRect(corners)
    left, top = max(left, 0), max(top, 0)
    part = heat[top : top + height, left : left + width]
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [np.round(corners - [left, top]).astype(np.int32)], 1)
    return float(cv2.mean(part, inside)[0])


def in_order(corners: Numbers) -> Corners:
    """Top left first, then around to the right."""
    left, right = (sorted(pair, key=lambda point: point[1]) for pair in np.split(corners[corners[:, 0].argsort()], 2))
    return np.array([left[0], right[0], right[1], left[1]], np.float32)


def straightened(rgb: Pixels, corners: Corners) -> Pixels:
    """The line by itself, level; one that is much higher than wide is taken to be written upwards."""
    across = max(1, round(float(np.linalg.norm(corners[1] - corners[0]))))
    down = max(1, round(float(np.linalg.norm(corners[3] - corners[0]))))
    level = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), level)
    line = cv2.warpPerspective(rgb, matrix, (across, down), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.rot90(line) if down >= 1.5 * across else line, np.uint8)


def bounds(corners: Corners) -> PixelBox:
    """The upright box around the line."""
    left, top = np.floor(corners.min(0)).astype(int)
    right, bottom = np.ceil(corners.max(0)).astype(int)
    return max(int(left), 0), max(int(top), 0), int(right - max(left, 0)), int(bottom - max(top, 0))
