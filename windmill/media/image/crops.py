"""Cutting boxes out of an image, in memory: each becomes a small JPEG of its own.

Pixels are taken as they are stored. A turn that EXIF asks for is not made, because the boxes are in stored pixels too.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, cast

from windmill.kernels.boxes.regions import Rectangle, crop_of
from windmill.media.image.check import opened

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY = 90
MOST_BYTES = 32 * 1024 * 1024
"""As much as all crops that are cut at once may take together; one alone may take more."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an image as a JPEG file."""

    place: Rectangle
    jpeg: bytes


class Crops:
    """Cuts in threads. One image of the process is decoded at a time, and it is gone when its crops are there."""

    def __init__(self, most_pixels: int, most_bytes: int = MOST_BYTES) -> None:
        self._most_pixels = most_pixels
        self._most_bytes = most_bytes

    async def cut(self, image: bytes, boxes: Sequence[object]) -> list[Crop | None]:
        """A crop for each merged box, None for one that has no pixel in the image: for at least the first of them,
        and for as many as fit into memory. Raises IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
        return await asyncio.to_thread(self._cut, image, boxes) if boxes else []

    def _cut(self, data: bytes, boxes: Sequence[object]) -> list[Crop | None]:
        crops: list[Crop | None] = []
        left = self._most_bytes
        with opened(data, self._most_pixels) as image:
            image.load()
            picture = _in_eight_bits(image)
            for box in boxes:
                place = crop_of(box, picture.size)
                crop = Crop(place, _jpeg(picture, place)) if place else None
                crops.append(crop)
                left -= len(crop.jpeg) if crop else 0
                if left <= 0:
                    break
        return crops


def _in_eight_bits(image: "Image") -> "Image":
    """Pillow does not scale greys of 16 bits and more to the 8 of a JPEG, but cuts them off: nearly all is white."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    deep = image if image.mode == "F" else image.convert("I")
    scale = 255 / _white(image)
    return deep.point(lambda grey: grey * scale + 0).convert("L")


def _white(image: "Image") -> float:
    """The value of white, which greys of 32 bits do not tell."""
    if image.mode.startswith("I;16"):
        return 65_535
    brightest = cast("tuple[float, float]", image.getextrema())[1]
    return next((white for white in (1, 255, 65_535) if brightest <= white), brightest)


def _jpeg(picture: "Image", place: Rectangle) -> bytes:
    """In three colours, whatever the image has: to a grey picture some services do not answer."""
    part = picture.crop((place.x, place.y, place.x + place.width, place.y + place.height))
    file = BytesIO()
    part.convert("RGB").save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
