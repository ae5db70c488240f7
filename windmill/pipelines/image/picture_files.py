"""Reading and writing picture files: upright, in 8-bit RGB, with transparency and colour profile kept apart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from windmill.core.errors import WindmillError
from windmill.kernels.pictures.picture import Picture
from windmill.media.image.decode_check import open_image
from windmill.media.image.upright import in_eight_bits, load_upright
from windmill.pipelines.picture_step import StepCall

_COMPRESSION = 6
_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")


@dataclass(frozen=True)
class LoadedPicture:
    """The pixels of a file. `alpha` is None for one without transparency."""

    pixels: Picture
    alpha: NDArray[np.uint8] | None = None
    profile: bytes | None = None


def read_picture(path: Path, max_pixels: int) -> LoadedPicture:
    """The first frame of a picture, turned as its EXIF data says. Raises IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WindmillError("IMAGE_NOT_FOUND", f"{path.name} cannot be read: {error.strerror}") from error
    with open_image(data, max_pixels) as opened:
        profile = opened.info.get("icc_profile") if opened.mode in ("RGB", "RGBA") else None
        upright = in_eight_bits(load_upright(opened, data))
        transparent = upright.mode in _TRANSPARENT or "transparency" in upright.info
        image = upright.convert("RGBA" if transparent else "RGB")
        values = np.asarray(image, dtype=np.uint8)
    return LoadedPicture(values[..., :3].copy(), values[..., 3].copy() if transparent else None, profile)


def write_picture(picture: LoadedPicture, path: Path) -> Path:
    """A PNG file; the same picture always makes the same bytes."""
    values = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    options: dict[str, Any] = {"icc_profile": picture.profile} if picture.profile else {}
    Image.fromarray(values).save(path, "PNG", compress_level=_COMPRESSION, **options)
    return path


def changed_picture(call: StepCall, change: Callable[[Picture], Picture]) -> list[Path]:
    """Write the one picture of a call with other pixels; its transparency stays."""
    loaded = read_picture(call.picture, call.max_pixels)
    return [write_picture(replace(loaded, pixels=change(loaded.pixels)), call.produced())]


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse to make a picture that nothing could read afterwards."""
    if width * height > max_pixels:
        said = f"the result would have {width} x {height} pixels, over MAX_IMAGE_PIXELS={max_pixels}"
        raise WindmillError("IMAGE_TOO_LARGE", said, "take a smaller picture or factor, or raise MAX_IMAGE_PIXELS")
