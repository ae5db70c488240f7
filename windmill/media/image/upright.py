"""Turning a decoded image upright, and bringing it to the three colours of eight bits that a JPEG has."""

from typing import TYPE_CHECKING, cast

from windmill.kernels.media.exif_orientation import orientation_of
from windmill.kernels.media.image_header import format_of

if TYPE_CHECKING:
    from PIL.Image import Image

_WHITE = (255, 255, 255)


def load_upright(image: "Image", data: bytes) -> "Image":
    """Decode an opened image, and turn it as its EXIF orientation says, so that boxes are in upright pixels."""
    from PIL import ImageOps
    from PIL.Image import Transpose

    image.load()
    match format_of(data):
        case "TIFF":
            return image  # Pillow has turned it while loading
        case "AVIF":
            return ImageOps.exif_transpose(image)
        case _:
            turns = {
                2: Transpose.FLIP_LEFT_RIGHT,
                3: Transpose.ROTATE_180,
                4: Transpose.FLIP_TOP_BOTTOM,
                5: Transpose.TRANSPOSE,
                6: Transpose.ROTATE_270,
                7: Transpose.TRANSVERSE,
                8: Transpose.ROTATE_90,
            }
            turn = turns.get(orientation_of(data))
            return image if turn is None else image.transpose(turn)


def in_eight_bits(image: "Image") -> "Image":
    """Scale greys of 16 bits and more to the 8 bits of a JPEG: Pillow would clip them, which makes nearly all white."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    deep = image if image.mode == "F" else image.convert("I")
    scale = 255 / _white(image)
    return deep.point(lambda grey: grey * scale + 0).convert("L")


def flatten(image: "Image") -> "Image":
    """RGB; transparent parts become white."""
    from PIL.Image import new

    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    layered = image.convert("RGBA")
    flat = new("RGB", layered.size, _WHITE)
    flat.paste(layered, mask=layered.getchannel("A"))
    return flat


def _white(image: "Image") -> float:
    """The value of white; for 32-bit greys a guess from the brightest pixel."""
    if image.mode.startswith("I;16"):
        return 65_535
    brightest = cast("tuple[float, float]", image.getextrema())[1]
    return next((white for white in (1, 255, 65_535) if brightest <= white), brightest)
