"""The perceptual hash of an image, and its size as it is seen."""

from dataclasses import dataclass

from windmill.kernels.media.exif_orientation import orientation_of, swaps_sides
from windmill.kernels.pictures.perceptual_hash import SIDE, perceptual_hash
from windmill.media.image.decode_check import open_image
from windmill.media.image.upright import flatten, in_eight_bits, load_upright

_DRAFT_SIDE = 8 * SIDE
"""A JPEG is decoded at this size or more, not at its full one: an eighth of each side costs a fraction."""


@dataclass(frozen=True, slots=True)
class PictureHash:
    """Of the upright picture."""

    phash: int
    width: int
    height: int


def hash_picture(data: bytes, *, max_pixels: int, max_memory: int | None = None) -> PictureHash:
    """Raises IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
    from PIL.Image import Resampling

    with open_image(data, max_pixels, max_memory) as image:
        stored = image.size
        image.draft("RGB", (_DRAFT_SIDE, _DRAFT_SIDE))
        drafted = image.size
        picture = load_upright(image, data)
        width, height = picture.size if drafted == stored else _upright(stored, data)
        square = flatten(in_eight_bits(picture)).resize((SIDE, SIDE), Resampling.BOX).convert("L")
        return PictureHash(perceptual_hash(square.tobytes()), width, height)


def _upright(stored: tuple[int, int], data: bytes) -> tuple[int, int]:
    """Of a JPEG, which alone is decoded smaller than it is."""
    return (stored[1], stored[0]) if swaps_sides(orientation_of(data)) else stored
