"""Making a JPEG of an image for services that do not take the file itself: upright, and small enough."""

import math
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from windmill.core.errors import WindmillError
from windmill.media.image.decode_check import open_image
from windmill.media.image.upright import flatten, in_eight_bits, load_upright

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

QUALITY = 90
_JPEG_SIDE = 65_000
"""Nearly the longest side that a JPEG can have."""
_MAX_TRIES = 8
_EXIF_BYTES = 65_000
"""An EXIF block must fit into one segment of a JPEG."""
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Reencoded:
    """A JPEG and its size, and the size of the upright image that it was made of."""

    jpeg: bytes
    size: tuple[int, int]
    image_size: tuple[int, int]


def reencode(data: bytes, *, max_pixels: int, max_bytes: int, max_memory: int | None = None) -> Reencoded:
    """At full size if that fits into `max_bytes`, else scaled down. Camera data in EXIF is kept, except the turn."""
    with open_image(data, max_pixels, max_memory) as image:
        picture = flatten(in_eight_bits(load_upright(image, data)))
        extras = _extras(image)  # after loading, which turns some formats by what stands in EXIF
        scale = min(1.0, _JPEG_SIDE / max(picture.size))
        for _ in range(_MAX_TRIES):
            size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
            jpeg = _encode(picture if size == picture.size else picture.resize(size, reducing_gap=2.0), extras)
            if len(jpeg) <= max_bytes:
                return Reencoded(jpeg, size, picture.size)
            scale *= min(0.9, 0.95 * math.sqrt(max_bytes / len(jpeg)))
            if scale * max(picture.size) < 64:  # what is left is the EXIF block and the profile
                extras = {}
    said = f"the image cannot be made small enough for {max_bytes} bytes"
    raise WindmillError("IMAGE_TOO_LARGE", said)


def thumbnail(data: bytes, *, side: int, max_pixels: int, max_memory: int | None = None) -> bytes:
    """An upright JPEG without camera data, neither wider nor higher than `side`."""
    with open_image(data, max_pixels, max_memory) as image:
        picture = flatten(in_eight_bits(load_upright(image, data)))
        picture.thumbnail((side, side), reducing_gap=2.0)
        return _encode(picture, {})


def _encode(picture: "Image", extras: "dict[str, bytes]") -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, **extras)
    return file.getvalue()


def _extras(image: "Image") -> dict[str, bytes]:
    """The EXIF block without its turn and thumbnail, and the colour profile if the colours stay as they are."""
    extras: dict[str, bytes] = {}
    exif = _exif_block(image.getexif())
    if exif:
        extras["exif"] = exif
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and image.mode == "RGB":
        extras["icc_profile"] = profile
    return extras


def _exif_block(exif: "Exif") -> bytes:
    try:
        exif.pop(_ORIENTATION, None)
        block = exif.tobytes() if len(exif) else b""
    except Exception:  # noqa: BLE001 - on odd tags Pillow raises anything, and the picture matters more
        return b""
    return block if len(block) < _EXIF_BYTES else b""
