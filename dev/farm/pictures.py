"""Opening the bytes a client sends: is it a picture, is it whole, and does it carry its truth?

Reading the truth decodes no pixels, so a separate check refuses what a model could not decode.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from dev.farm.truth import Scene, extract, to_json

Pixels = npt.NDArray[np.uint8]
"""Height x width x 3, red first."""

_KEPT_PICTURES = 16
_KEEP_DECODED_BELOW = 2_000_000
_SMALL_SIDE = 768


class NotAnImage(ValueError):
    """The bytes are not a picture of any known format."""


class BrokenImage(ValueError):
    """The bytes begin like a picture but cannot be decoded or processed."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture, its measurements and, for a drawn scene, its truth."""

    data: bytes
    width: int
    height: int
    format: str
    mode: str = "RGB"
    truth: Scene | None = None

    @cached_property
    def identity(self) -> str:
        """Names the content; for scenes it names the truth, so that it survives another encoder's bytes."""
        return hashlib.blake2b(to_json(self.truth) if self.truth else self.data, digest_size=16).hexdigest()

    @property
    def rgb(self) -> Pixels:
        """All pixels; kept for the next reader unless the picture is big."""
        return self._kept_rgb if self.width * self.height < _KEEP_DECODED_BELOW else _decode(self.data)

    @cached_property
    def small(self) -> Pixels:
        """The picture with no side over 768 px: enough for colours and faces."""
        return _decode(self.data, _SMALL_SIDE)

    @cached_property
    def _kept_rgb(self) -> Pixels:
        return _decode(self.data)


@lru_cache(maxsize=_KEPT_PICTURES)
def open_picture(data: bytes) -> Picture:
    """The picture in these bytes; NotAnImage or BrokenImage carry the message a real service would give."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height, kind, mode = *image.size, image.format or "", image.mode
            _check_whole(image, data, kind)
    except (UnidentifiedImageError, Image.DecompressionBombError) as exc:
        raise NotAnImage(str(exc)) from exc
    except (OSError, ValueError, SyntaxError, EOFError) as exc:
        raise BrokenImage(str(exc)) from exc
    truth = extract(data) or _truth_in_pixels(data, width, height)
    fits = truth is not None and (truth.width, truth.height) == (width, height)
    return Picture(data, width, height, kind, mode, truth if fits else None)


def _check_whole(image: Image.Image, data: bytes, kind: str) -> None:
    """Decode at an eighth of the size where the format allows; raises what the decoder raises."""
    if kind == "JPEG":
        image.draft("RGB", (1, 1))
    elif kind == "PNG" and data.endswith(b"IEND\xaeB`\x82"):
        image.verify()
        return
    image.load()


def _truth_in_pixels(data: bytes, width: int, height: int) -> Scene | None:
    """Frames of a clip have lost what was beside their pixels."""
    if width * height > _KEEP_DECODED_BELOW:
        return None
    from dev.farm.moving_scenes import read_moment

    try:
        return read_moment(_decode(data))
    except (OSError, ValueError, SyntaxError):
        return None


def _decode(data: bytes, longest_side: int = 0) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        if longest_side:
            image.thumbnail((longest_side, longest_side), Image.Resampling.BOX, reducing_gap=1.0)
        return np.asarray(image.convert("RGB"))
