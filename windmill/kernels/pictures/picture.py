"""A picture in memory, and what all operations on pictures share."""

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(height, width, 3): red, green and blue as sRGB stores them."""
Plane = NDArray[np.float32]
"""(height, width) or (height, width, 3): 0 is black and 1 is white."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
"""How much each channel adds to brightness (ITU-R BT.709, whose primaries sRGB has)."""
_KNEE, _SLOPE, _OFFSET, _GAMMA = 0.04045, 12.92, 0.055, 2.4


def as_plane(picture: Picture) -> Plane:
    """The values as sRGB stores them, from 0 to 1."""
    return picture.astype(np.float32) / np.float32(255)


def as_picture(plane: Plane) -> Picture:
    """Rounded to the nearest value that a pixel can have."""
    rounded: Picture = np.rint(np.clip(plane, 0, 1) * np.float32(255)).astype(np.uint8)
    return rounded


def to_linear(plane: Plane) -> Plane:
    """Amounts of light, which can be added and averaged, out of values as sRGB stores them (IEC 61966-2-1)."""
    curve = ((plane + _OFFSET) / (1 + _OFFSET)) ** np.float32(_GAMMA)
    return np.where(plane <= _KNEE, plane / _SLOPE, curve).astype(np.float32)


def to_srgb(light: Plane) -> Plane:
    """The reverse of `to_linear`."""
    light = np.clip(light, 0, 1)
    curve = (1 + _OFFSET) * light ** np.float32(1 / _GAMMA) - _OFFSET
    return np.where(light <= _KNEE / _SLOPE, light * _SLOPE, curve).astype(np.float32)


def luminance(plane: Plane) -> Plane:
    """The brightness of each pixel."""
    return plane @ LUMINANCE


def blend(first: Plane, second: Plane, share: float) -> Plane:
    """`share` of the second picture, the rest of the first."""
    return first + (second - first) * np.float32(share)
