"""Crops: cut boxes out of an image, each into a small JPEG in memory.

This ignores EXIF rotation, because boxes are in stored pixels too.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, cast

from windmill.kernels.boxes.crop_regions import Rectangle, crop_for
from windmill.media.image.decode_check import open_image

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY = 90
MAX_BYTES = 32 * 1024 * 1024
"""The maximum size of all crops of one call together; a single crop may be larger."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an image as a JPEG file."""

    place: Rectangle
    jpeg: bytes


class Cropper:
    """Crops in a thread. Only one image of the process is decoded at a time, and freed when its crops are done."""

    def __init__(self, max_pixels: int, max_bytes: int = MAX_BYTES) -> None:
        self._max_pixels = max_pixels
        self._max_bytes = max_bytes

    async def cut(self, image: bytes, boxes: Sequence[object]) -> list[Crop | None]:
        """A crop for each merged box (None for a box outside the image): at least the first, and as many as fit into
        the memory limit. Raises IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
        return await asyncio.to_thread(self._cut, image, boxes) if boxes else []

    def _cut(self, data: bytes, boxes: Sequence[object]) -> list[Crop | None]:
        crops: list[Crop | None] = []
        left = self._max_bytes
        with open_image(data, self._max_pixels) as image:
            image.load()
            picture = _in_eight_bits(image)
            for box in boxes:
                place = crop_for(box, picture.size)
                crop = Crop(place, _jpeg(picture, place)) if place else None
                crops.append(crop)
                left -= len(crop.jpeg) if crop else 0
                if left <= 0:
                    break
        return crops


def _in_eight_bits(image: "Image") -> "Image":
    """Scale greys of 16 bits and more to the 8 bits of a JPEG: Pillow would clip them, which makes nearly all white."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    deep = image if image.mode == "F" else image.convert("I")
    scale = 255 / _white(image)
    return deep.point(lambda grey: grey * scale + 0).convert("L")


def _white(image: "Image") -> float:
    """The value of white; for 32-bit greys a guess from the brightest pixel."""
    if image.mode.startswith("I;16"):
        return 65_535
    brightest = cast("tuple[float, float]", image.getextrema())[1]
    return next((white for white in (1, 255, 65_535) if brightest <= white), brightest)


def _jpeg(picture: "Image", place: Rectangle) -> bytes:
    """Always RGB: some services do not answer grey images."""
    part = picture.crop((place.x, place.y, place.x + place.width, place.y + place.height))
    file = BytesIO()
    part.convert("RGB").save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
