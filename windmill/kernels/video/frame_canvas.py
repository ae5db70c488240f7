"""Drawing into a frame as decoders give it: brightness, and two planes of colour at half the size. Nothing is
converted, so a box costs next to nothing."""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
Rgb = tuple[int, int, int]
_HD_HEIGHT = 720
_GOLDEN = 0.618034


def track_color(number: int) -> Rgb:
    """Each track has a colour that is unlike that of its neighbours."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1.0, 0.85, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def is_light(color: Rgb) -> bool:
    """Whether dark letters are read better on it."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140


@dataclass(frozen=True)
class Sprite:
    """A small picture in the planes of a frame; its sides are even."""

    luma: Plane
    blue: Plane
    red: Plane

    @property
    def width(self) -> int:
        return int(self.luma.shape[1])

    @property
    def height(self) -> int:
        return int(self.luma.shape[0])


def sprite_of(pixels: Plane, frame_height: int) -> Sprite:
    """Of an RGB picture with even sides; players take a tall frame for one of HDTV, with other coefficients."""
    red_share, blue_share = (0.2126, 0.0722) if frame_height >= _HD_HEIGHT else (0.299, 0.114)
    red, green, blue = (pixels[..., place].astype(np.float32) for place in range(3))
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    from_blue = 128 + (blue - luma) / (2 * (1 - blue_share)) * (224 / 255)
    from_red = 128 + (red - luma) / (2 * (1 - red_share)) * (224 / 255)
    return Sprite(_bytes(16 + luma * (219 / 255)), _bytes(_halved(from_blue)), _bytes(_halved(from_red)))


def _bytes(values: NDArray[np.float32]) -> Plane:
    return np.rint(values).astype(np.uint8)


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = plane.shape
    return np.asarray(plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)), np.float32)


class FrameCanvas:
    """A frame of even sides in yuv420p. Drawing changes the pixels that it was made of."""

    def __init__(self, pixels: bytearray, width: int, height: int) -> None:
        self.width, self.height = width, height
        data = np.frombuffer(pixels, np.uint8)
        size = width * height
        self._luma = data[:size].reshape(height, width)
        self._blue = data[size : size * 5 // 4].reshape(height // 2, width // 2)
        self._red = data[size * 5 // 4 :].reshape(height // 2, width // 2)

    def outline(self, box: tuple[float, float, float, float], stroke: int, color: Sprite) -> None:
        """A rectangle whose lines lie within the box; `color` is a sprite of one colour, `stroke` is even."""
        left, top, right, bottom = self._edges(box)
        thick = min(stroke, right - left, bottom - top)
        for area in (
            (left, top, right, top + thick),
            (left, bottom - thick, right, bottom),
            (left, top, left + thick, bottom),
            (right - thick, top, right, bottom),
        ):
            self._fill(area, color)

    def paste(self, sprite: Sprite, left: float, top: float) -> None:
        """Put a sprite here, or as near as there is room."""
        x = _even(min(max(left, 0), max(self.width - sprite.width, 0)))
        y = _even(min(max(top, 0), max(self.height - sprite.height, 0)))
        width, height = min(sprite.width, self.width - x), min(sprite.height, self.height - y)
        self._luma[y : y + height, x : x + width] = sprite.luma[:height, :width]
        for plane, part in ((self._blue, sprite.blue), (self._red, sprite.red)):
            plane[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2] = part[: height // 2, : width // 2]

    def _edges(self, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        left, top, width, height = box
        near = _even(min(max(left, 0), self.width - 2)), _even(min(max(top, 0), self.height - 2))
        far = _even(min(max(left + width, 0), self.width)), _even(min(max(top + height, 0), self.height))
        return *near, max(far[0], near[0] + 2), max(far[1], near[1] + 2)

    def _fill(self, area: tuple[int, int, int, int], color: Sprite) -> None:
        left, top, right, bottom = area
        self._luma[top:bottom, left:right] = color.luma[0, 0]
        self._blue[top // 2 : bottom // 2, left // 2 : right // 2] = color.blue[0, 0]
        self._red[top // 2 : bottom // 2, left // 2 : right // 2] = color.red[0, 0]


def _even(value: float) -> int:
    return 2 * round(value / 2)
