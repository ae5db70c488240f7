"""Shapes on a canvas, in boxes that are given as fractions of a box."""

from collections.abc import Sequence

import cv2
import numpy as np

from dev.farm.pictures import Pixels
from dev.farm.truth import PixelBox

Color = tuple[int, int, int]
Place = tuple[float, float]
"""Across and down, in fractions of a box."""


def part(box: PixelBox, across: float, down: float, wide: float, high: float) -> PixelBox:
    """A box within the box, given in fractions."""
    x, y, width, height = box
    left, top = x + int(across * width), y + int(down * height)
    right, bottom = x + round((across + wide) * width), y + round((down + high) * height)
    return left, top, max(right - left, 1), max(bottom - top, 1)


def rectangle(canvas: Pixels, box: PixelBox, color: Color) -> None:
    x, y, width, height = box
    canvas[max(y, 0) : y + height, max(x, 0) : x + width] = color


def rounded(canvas: Pixels, box: PixelBox, color: Color) -> None:
    x, y, width, height = box
    corner = max(1, min(width, height) // 4)
    rectangle(canvas, (x + corner, y, max(width - 2 * corner, 1), height), color)
    rectangle(canvas, (x, y + corner, width, max(height - 2 * corner, 1)), color)
    for cx in (x + corner, x + width - corner - 1):
        for cy in (y + corner, y + height - corner - 1):
            cv2.circle(canvas, (cx, cy), corner, color, -1, cv2.LINE_AA)


def ellipse(canvas: Pixels, box: PixelBox, color: Color, stroke: int = -1) -> None:
    """Filled, unless the line around it has a width; that lies within the box."""
    x, y, width, height = box
    inset = max(stroke, 0) // 2
    center = (x + width // 2, y + height // 2)
    radii = (max(width // 2 - inset, 1), max(height // 2 - inset, 1))
    cv2.ellipse(canvas, center, radii, 0, 0, 360, color, stroke, cv2.LINE_AA)


def line(canvas: Pixels, box: PixelBox, begin: Place, end: Place, color: Color, stroke: int) -> None:
    x, y, width, height = box
    places = [(x + round(across * width), y + round(down * height)) for across, down in (begin, end)]
    cv2.line(canvas, places[0], places[1], color, max(stroke, 1), cv2.LINE_AA)


def filled(canvas: Pixels, box: PixelBox, corners: Sequence[Place], color: Color) -> None:
    """A polygon."""
    x, y, width, height = box
    places = [(x + round(across * (width - 1)), y + round(down * (height - 1))) for across, down in corners]
    cv2.fillPoly(canvas, [np.array(places, np.int32)], color, cv2.LINE_AA)


def mixed(a: Color, b: Color, share: float) -> Color:
    """So much of the second, the rest of the first."""
    red, green, blue = (round(one + (other - one) * share) for one, other in zip(a, b, strict=True))
    return red, green, blue
