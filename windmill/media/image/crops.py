"""Crops: cut boxes out of an image, each into a small JPEG in memory.

Boxes are in pixels of the upright image, so the image is turned before it is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from windmill.kernels.boxes.crop_regions import Rectangle, crop_for
from windmill.media.image.decode_check import open_image
from windmill.media.image.upright import in_eight_bits, load_upright

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


def cut_crops(
    data: bytes, boxes: Sequence[object], *, max_pixels: int, max_bytes: int = MAX_BYTES, max_memory: int | None = None
) -> list[Crop | None]:
    """A crop for each merged box (None for a box outside the image): at least the first, and as many as fit into
    `max_bytes`. Raises IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
    crops: list[Crop | None] = []
    left = max_bytes
    with open_image(data, max_pixels, max_memory) as image:
        picture = in_eight_bits(load_upright(image, data))
        for box in boxes:
            place = crop_for(box, picture.size)
            crop = Crop(place, _jpeg(picture, place)) if place else None
            crops.append(crop)
            left -= len(crop.jpeg) if crop else 0
            if left <= 0:
                break
    return crops


def _jpeg(picture: "Image", place: Rectangle) -> bytes:
    """Always RGB: some services do not answer grey images."""
    part = picture.crop((place.x, place.y, place.x + place.width, place.y + place.height))
    file = BytesIO()
    (part if part.mode == "RGB" else part.convert("RGB")).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
